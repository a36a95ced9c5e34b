/*
 * web_password.c - bcrypt, digests that tell nothing, and what stands in an Authorization field.
 */
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <strings.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "web/web_internal.h"

enum { HASH_BYTES = 60, COST_MIN = 4, COST_MAX = 20 }; /* 20: about a minute each; more is a slip */

enum err password_cost(const char *hash, unsigned *cost, struct errmsg *why)
{
    static const char alphabet[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    bool head = strlen(hash) == HASH_BYTES && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) &&
                hash[3] == '$' && hash[6] == '$';
    bool digits = head && hash[4] >= '0' && hash[4] <= '9' && hash[5] >= '0' && hash[5] <= '9';
    if (!digits || strspn(hash + 7, alphabet) != HASH_BYTES - 7)
        return err_set(why, ERR_INVALID, "not a bcrypt hash ($2a$, $2b$ or $2y$, %d characters)", HASH_BYTES);
    *cost = (unsigned)((hash[4] - '0') * 10 + (hash[5] - '0'));
    if (*cost < COST_MIN || *cost > COST_MAX)
        return err_set(why, ERR_INVALID, "the cost of the bcrypt hash is %u; allowed: %d to %d", *cost, COST_MIN,
                       COST_MAX);
    return ERR_OK;
}

bool password_fits(const char *hash, struct slice password)
{
    char text[PASSWORD_BYTES_MAX + 1];
    if (password.len > PASSWORD_BYTES_MAX || (password.len && memchr(password.data, 0, password.len)))
        return false; /* bcrypt sees 72 bytes and ends at a NUL */
    if (password.len)
        memcpy(text, password.data, password.len);
    text[password.len] = '\0';
    struct crypt_data *data = MEM_NEW(struct crypt_data); /* 32 KiB */
    const char *made = crypt_r(text, hash, data);
    bool fits = made && strlen(made) == strlen(hash) && CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(data, sizeof *data);
    mem_free(data);
    return fits;
}

struct digest digest_of(const struct digest *key, const struct slice *parts, size_t count)
{
    struct digest out;
    struct buf text = {0};
    for (size_t i = 0; i < count; i++) { /* lengths first, so that ("a", "bc") is not ("ab", "c") */
        buf_le64(&text, parts[i].len);
        buf_slice(&text, parts[i]);
    }
    static const uint8_t none[1];
    unsigned bytes = DIGEST_BYTES;
    const uint8_t *made =
        HMAC(EVP_sha256(), key->bytes, DIGEST_BYTES, text.data ? text.data : none, text.len, out.bytes, &bytes);
    assert(made && bytes == DIGEST_BYTES);
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_deinit(&text);
    return out;
}

bool digest_same(const struct digest *a, const struct digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

/* What follows "Scheme " in any case. */
static bool take_scheme(struct slice header, const char *scheme, struct slice *rest)
{
    size_t n = strlen(scheme);
    if (header.len <= n || strncasecmp((const char *)header.data, scheme, n) != 0 || header.data[n] != ' ')
        return false;
    *rest = slice_from(header, n + 1);
    while (rest->len && rest->data[0] == ' ')
        *rest = slice_from(*rest, 1);
    return true;
}

bool basic_parse(struct slice header, struct arena *arena, struct slice *user, struct slice *password)
{
    struct slice text;
    if (!take_scheme(header, "Basic", &text) || text.len == 0 || text.len % 4 ||
        text.len > (NAME_BYTES_MAX + PASSWORD_BYTES_MAX) / 3 * 4)
        return false;
    uint8_t *plain = arena_alloc(arena, text.len / 4 * 3 + 1);
    int n = EVP_DecodeBlock(plain, text.data, (int)text.len);
    if (n < 0)
        return false;
    for (size_t i = text.len; i > 0 && text.data[i - 1] == '='; i--)
        n--;
    const uint8_t *colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;
    if (!colon)
        return false;
    *user = slice_of(plain, (size_t)(colon - plain));
    *password = slice_of(colon + 1, (size_t)n - user->len - 1);
    return true;
}

bool bearer_parse(struct slice header, struct slice *token)
{
    return take_scheme(header, "Bearer", token) && token->len > 0;
}
