/*
 * fuzz_web_config.c - Prometheus' web configuration file from a hostile hand, and what stands in an
 * Authorization field.
 *
 * The first byte chooses.  Reading ends with a configuration or with a reason that has a position; a
 * configuration that was taken holds only what OpenSSL and bcrypt can work with.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "web/web_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_config(struct slice yaml)
{
    struct web_config c;
    struct errmsg why = {0};
    unsigned cost;
    web_config_init(&c);
    enum err err = web_config_read(&c, "dir/web.yml", yaml, &why);
    assert(err == ERR_OK || (err == ERR_INVALID && !strncmp(why.text, "dir/web.yml:", 12)));
    for (size_t i = 0; err == ERR_OK && i < c.user_count; i++)
        assert(password_cost(c.users[i].value, &cost, &why) == ERR_OK && cost >= 4 && cost <= 20);
    assert(err != ERR_OK || !web_config_has_tls(&c) ||
           ((c.cert.len || *c.cert_file) && (c.key.len || *c.key_file) && c.version_min <= c.version_max));
    assert(c.rate_interval_ns >= 0 && c.rate_burst >= 0);
    web_config_deinit(&c);
}

static void read_authorization(struct slice header)
{
    struct arena arena;
    struct slice user, password, token;
    arena_init(&arena, NULL);
    if (basic_parse(header, &arena, &user, &password))
        assert(user.len + password.len < header.len && (!user.len || !memchr(user.data, ':', user.len)));
    if (bearer_parse(header, &token))
        assert(token.len > 0 && token.data + token.len == header.data + header.len);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (data[0] == 'a')
        read_authorization(slice_of(data + 1, bytes - 1));
    else
        read_config(slice_of(data + 1, bytes - 1));
    return 0;
}
