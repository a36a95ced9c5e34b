/*
 * web_state.c - reads the configuration and everything that it names into one state that no longer
 * changes; a new reading makes a new one.
 *
 * Files are compared by what is in them, not by their times: a certificate that is swapped behind a
 * symbolic link is seen, and so is one that was copied with its old time.
 */
#include <openssl/crypto.h>

#include "base/assert.h"
#include "base/log.h"
#include "web/web_internal.h"

enum { FILE_BYTES_MAX = 1 << 20, TOKENS_MAX = 1000 };

/* What is read on the way to a state. */
struct reading {
    const struct web_options *o;
    const struct digest *key;
    struct web_state *state;
    struct digest contents; /* of the files so far */
    struct errmsg *why;
};

static void note_contents(struct reading *r, const char *path, struct slice text)
{
    struct slice parts[] = {slice_of(r->contents.bytes, DIGEST_BYTES), slice_str(path), text};
    r->contents = digest_of(r->key, parts, sizeof parts / sizeof *parts);
}

static enum err read_file(struct reading *r, const char *what, const char *path, struct buf *out)
{
    struct fs_stat stat;
    struct errmsg why = {0};
    enum err err = fs_stat_path(r->o->fs, path, &stat, &why);
    if (err == ERR_OK && (stat.is_dir || stat.is_special))
        err = err_set(&why, ERR_INVALID, "%s is not a regular file", path);
    if (err == ERR_OK)
        err = fs_read_file(r->o->fs, path, FILE_BYTES_MAX, out, &why);
    note_contents(r, path, err == ERR_OK ? buf_view(out) : slice_str(why.text));
    return err == ERR_OK ? ERR_OK : err_set(r->why, err, "%s: %s", what, why.text);
}

/* A file's text into the state's arena; an inline text stays as it is. */
static enum err read_pem(struct reading *r, const char *what, const char *path, struct slice *out)
{
    struct buf text = {0};
    if (!*path)
        return ERR_OK;
    enum err err = read_file(r, what, path, &text);
    if (err == ERR_OK)
        *out = arena_copy(&r->state->config.arena, buf_view(&text));
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_deinit(&text);
    return err;
}

/* ---- TLS ---- */

static enum err tls_from_flags(struct reading *r)
{
    const struct web_options *o = r->o;
    struct web_config *c = &r->state->config;
    bool raised;
    if (!o->tls && !o->mtls)
        return ERR_OK;
    if (web_config_has_tls(c))
        return err_set(r->why, ERR_INVALID, "TLS is configured twice: in %s and by web.tls", o->config_file);
    if (!o->tls)
        return err_set(r->why, ERR_INVALID, "web.mtls needs web.tls");
    if (!*o->cert_file || !*o->key_file)
        return err_set(r->why, ERR_INVALID, "web.tls needs web.tls-cert-file and web.tls-key-file");
    c->cert_file = o->cert_file;
    c->key_file = o->key_file;
    c->client_ca_file = o->mtls ? o->client_ca_file : "";
    c->client_auth = o->mtls ? TLS_CLIENT_VERIFY : TLS_CLIENT_NONE;
    if (*o->version_min && web_version(o->version_min, &c->version_min, &raised) != ERR_OK)
        return err_set(r->why, ERR_INVALID, "web.tls-min-version: \"%s\" is not TLS12 or TLS13", o->version_min);
    for (uint32_t i = 0; i < o->cipher_count; i++) {
        const char *name = web_cipher(o->ciphers[i]);
        if (!name)
            return err_set(r->why, ERR_INVALID, "web.tls-cipher-suites: unknown cipher: %s", o->ciphers[i]);
        if (*name)
            web_list_append(&c->ciphers, name);
    }
    return ERR_OK;
}

static enum err make_tls(struct reading *r)
{
    struct web_config *c = &r->state->config;
    if (!web_config_has_tls(c))
        return ERR_OK;
    TRY(read_pem(r, "cert_file", c->cert_file, &c->cert));
    TRY(read_pem(r, "key_file", c->key_file, &c->key));
    TRY(read_pem(r, "client_ca_file", c->client_ca_file, &c->client_ca));
    struct tls_options o = {
        .certificate_pem = c->cert,
        .key_pem = c->key,
        .client_auth = c->client_auth,
        .client_ca_pem = c->client_ca,
        .client_names = c->client_names,
        .client_name_count = c->client_name_count,
        .version_min = c->version_min,
        .version_max = c->version_max,
        .ciphers = c->ciphers.len ? buf_cstr(&c->ciphers) : NULL,
        .groups = c->groups.len ? buf_cstr(&c->groups) : NULL,
        .client_chooses = c->client_chooses,
    };
    enum err err = tls_server_new(&o, &r->state->tls, r->why);
    return err == ERR_OK ? ERR_OK : err_wrap(r->why, err, "TLS (%s)", *c->cert_file ? c->cert_file : "inline");
}

/* ---- users and tokens ---- */

/* A password as it is, or file:///path of one; the end of the file's line does not belong to it. */
static enum err read_password(struct reading *r, const char *given, struct digest *out)
{
    static const char scheme[] = "file://";
    struct buf text = {0};
    enum err err = ERR_OK;
    if (!strncmp(given, "http://", 7) || !strncmp(given, "https://", 8))
        return err_set(r->why, ERR_INVALID, "web.auth-password: URLs are not read; allowed: a text or file:///path");
    if (!strncmp(given, scheme, sizeof scheme - 1))
        err = read_file(r, "web.auth-password", given + sizeof scheme - 1, &text);
    else
        buf_str(&text, given);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (err == ERR_OK && !text.len)
        err = err_set(r->why, ERR_INVALID, "web.auth-password is empty; set one, or no web.auth-username");
    struct slice part = buf_view(&text);
    if (err == ERR_OK)
        *out = digest_of(r->key, &part, 1);
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_deinit(&text);
    return err;
}

static enum err make_users(struct reading *r)
{
    struct web_state *s = r->state;
    struct web_config *c = &s->config;
    unsigned cost, most = 0;
    s->users = ARENA_ARRAY(&c->arena, struct web_user, c->user_count + 1);
    for (size_t i = 0; i < c->user_count; i++) {
        s->users[s->user_count++] = (struct web_user){.name = c->users[i].name, .hash = c->users[i].value};
        TRY(password_cost(c->users[i].value, &cost, r->why));
        most = cost > most ? cost : most;
    }
    if (most) /* as slow as the slowest: a name that nobody has must not show by its speed */
        s->decoy_hash = arena_printf(&c->arena, "$2b$%02u$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234", most);
    if (!*r->o->username)
        return *r->o->password ? err_set(r->why, ERR_INVALID, "web.auth-password needs web.auth-username") : ERR_OK;
    struct web_user *u = &s->users[s->user_count++];
    u->name = r->o->username;
    return read_password(r, r->o->password, &u->password);
}

static enum err add_token(struct reading *r, struct slice token)
{
    struct web_state *s = r->state;
    if (s->token_count == TOKENS_MAX)
        return err_set(r->why, ERR_LIMIT, "web.bearer-token-file: more than %d tokens", TOKENS_MAX);
    s->tokens[s->token_count++] = digest_of(r->key, &token, 1);
    return ERR_OK;
}

/* One a line; empty lines and those that begin with # are skipped. */
static enum err add_token_lines(struct reading *r, struct slice text)
{
    size_t before = r->state->token_count;
    while (text.len) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        struct slice line = slice_of(text.data, end ? (size_t)(end - text.data) : text.len);
        text = slice_from(text, line.len + (end != NULL));
        while (line.len && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' '))
            line.len--;
        if (line.len && line.data[0] != '#')
            TRY(add_token(r, line));
    }
    if (r->state->token_count == before)
        return err_set(r->why, ERR_INVALID, "web.bearer-token-file: there is no token in %s", r->o->bearer_token_file);
    return ERR_OK;
}

static enum err make_tokens(struct reading *r)
{
    struct buf text = {0};
    r->state->tokens = ARENA_ARRAY(&r->state->config.arena, struct digest, TOKENS_MAX);
    if (*r->o->bearer_token)
        TRY(add_token(r, slice_str(r->o->bearer_token)));
    if (!*r->o->bearer_token_file)
        return ERR_OK;
    enum err err = read_file(r, "web.bearer-token-file", r->o->bearer_token_file, &text);
    if (err == ERR_OK)
        err = add_token_lines(r, buf_view(&text));
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_deinit(&text);
    return err;
}

/* ---- the whole ---- */

static enum err read_config(struct reading *r)
{
    struct buf text = {0};
    if (!*r->o->config_file)
        return ERR_OK;
    enum err err = read_file(r, "web.config.file", r->o->config_file, &text);
    if (err == ERR_OK)
        err = web_config_read(&r->state->config, r->o->config_file, buf_view(&text), r->why);
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_deinit(&text);
    return err;
}

enum err web_state_read(const struct web_options *o, const struct digest *key, struct web_state **out,
                        struct digest *contents, struct errmsg *why)
{
    struct web_state *s = MEM_NEW(struct web_state);
    struct reading r = {.o = o, .key = key, .state = s, .why = why};
    s->references = 1;
    web_config_init(&s->config);
    enum err err = read_config(&r);
    if (err == ERR_OK)
        err = tls_from_flags(&r);
    if (err == ERR_OK)
        err = make_tls(&r);
    if (err == ERR_OK)
        err = make_users(&r);
    if (err == ERR_OK)
        err = make_tokens(&r);
    *contents = r.contents;
    if (err != ERR_OK) {
        web_state_unref(s);
        return err;
    }
    *out = s;
    return ERR_OK;
}

/* The files that a password option names, "" for none. */
static const char *password_file(const struct web_options *o)
{
    bool is_file = *o->username && !strncmp(o->password, "file://", 7);
    return is_file ? o->password + 7 : "";
}

struct digest web_state_contents(const struct web_options *o, const struct web_state *now, const struct digest *key)
{
    struct errmsg why;
    struct reading r = {.o = o, .key = key, .why = &why};
    const struct web_config *c = &now->config;
    bool tls = now->tls; /* in the order of web_state_read */
    const char *const paths[] = {o->config_file,         tls ? c->cert_file : "",
                                 tls ? c->key_file : "", tls ? c->client_ca_file : "",
                                 password_file(o),       o->bearer_token_file};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct buf text = {0};
        enum err err = *paths[i] ? read_file(&r, "", paths[i], &text) : ERR_OK;
        (void)err; /* that it cannot be read is in the digest, too */
        if (text.data)
            OPENSSL_cleanse(text.data, text.capacity);
        buf_deinit(&text);
    }
    return r.contents;
}

void web_state_unref(struct web_state *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) != 1)
        return;
    tls_server_unref(s->tls);
    web_config_deinit(&s->config);
    mem_free(s);
}
