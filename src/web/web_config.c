/*
 * web_config.c - Prometheus' web configuration file: which fields there are and what they may be.
 *
 * The format is that of the Prometheus project's exporter-toolkit 0.19 (docs/http.md lists it and what
 * differs).  Reading a file says nothing about the files that it names.
 */
#include "base/assert.h"
#include "web/web_internal.h"

void web_config_init(struct web_config *c)
{
    *c = (struct web_config){
        .cert_file = "",
        .key_file = "",
        .client_ca_file = "",
        .version_min = TLS_VERSION_12,
        .version_max = TLS_VERSION_13,
    };
    arena_init(&c->arena, NULL);
}

void web_config_deinit(struct web_config *c)
{
    buf_deinit(&c->ciphers);
    buf_deinit(&c->groups);
    arena_deinit(&c->arena);
}

bool web_config_has_tls(const struct web_config *c)
{
    return *c->cert_file || c->cert.len || *c->key_file || c->key.len || *c->client_ca_file || c->client_ca.len ||
           c->client_auth_set;
}

/* ---- tls_server_config ---- */

/* Relative to the directory of the configuration file. */
static enum err read_path(struct web_reader *r, const yaml_event_t *e, const char *what, const char **out)
{
    struct slice text;
    TRY(web_yaml_text(r, e, what, &text));
    *out = "";
    if (!text.len)
        return ERR_OK;
    const char *slash = strrchr(r->path, '/');
    if (text.data[0] == '/' || !slash)
        *out = (const char *)text.data;
    else
        *out = arena_printf(r->arena, "%.*s%s", (int)(slash - r->path + 1), r->path, (const char *)text.data);
    return ERR_OK;
}

static enum err on_cert(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return web_yaml_text(r, e, "cert", &c->cert);
}

static enum err on_key(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return web_yaml_text(r, e, "key", &c->key);
}

static enum err on_client_ca(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return web_yaml_text(r, e, "client_ca", &c->client_ca);
}

static enum err on_cert_file(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return read_path(r, e, "cert_file", &c->cert_file);
}

static enum err on_key_file(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return read_path(r, e, "key_file", &c->key_file);
}

static enum err on_client_ca_file(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return read_path(r, e, "client_ca_file", &c->client_ca_file);
}

static enum err on_client_auth(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    struct slice text;
    TRY(web_yaml_text(r, e, "client_auth_type", &text));
    c->client_auth_set = text.len > 0;
    if (web_client_auth(text.data ? (const char *)text.data : "", &c->client_auth) != ERR_OK)
        return web_complain(r, e->start_mark,
                            "invalid client_auth_type: %.*s; allowed: NoClientCert, RequestClientCert, "
                            "RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
                            SLICE_ARG(text));
    return ERR_OK;
}

static enum err read_version(struct web_reader *r, const yaml_event_t *e, const char *what, enum tls_version *out,
                             bool *raised)
{
    struct slice text;
    TRY(web_yaml_text(r, e, what, &text));
    if (web_version(text.data ? (const char *)text.data : "", out, raised) != ERR_OK)
        return web_complain(r, e->start_mark, "unknown TLS version: %.*s; allowed: TLS12, TLS13", SLICE_ARG(text));
    return ERR_OK;
}

static enum err on_min_version(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return read_version(r, e, "min_version", &c->version_min, &c->version_raised);
}

static enum err on_max_version(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    bool raised;
    TRY(read_version(r, e, "max_version", &c->version_max, &raised));
    if (raised)
        return web_complain(r, e->start_mark, "max_version must be TLS12 or TLS13; older ones are not spoken");
    return ERR_OK;
}

static enum err on_cipher(struct web_reader *r, const yaml_event_t *e, const char *text)
{
    struct web_config *c = r->out;
    const char *name = web_cipher(text);
    if (!name)
        return web_complain(r, e->start_mark, "unknown cipher: %s", text);
    if (*name)
        web_list_append(&c->ciphers, name);
    return ERR_OK;
}

static enum err on_cipher_suites(struct web_reader *r, yaml_event_t *e)
{
    return web_yaml_items(r, e, "cipher_suites", on_cipher);
}

static enum err on_curve(struct web_reader *r, const yaml_event_t *e, const char *text)
{
    struct web_config *c = r->out;
    const char *name = web_curve(text);
    if (!name)
        return web_complain(r, e->start_mark, "unknown curve: %s", text);
    web_list_append(&c->groups, name);
    return ERR_OK;
}

static enum err on_curve_preferences(struct web_reader *r, yaml_event_t *e)
{
    return web_yaml_items(r, e, "curve_preferences", on_curve);
}

static enum err on_prefer_server(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    bool prefer = true;
    TRY(web_yaml_bool(r, e, "prefer_server_cipher_suites", &prefer));
    c->client_chooses = !prefer;
    return ERR_OK;
}

static enum err on_client_name(struct web_reader *r, const yaml_event_t *e, const char *text)
{
    struct web_config *c = r->out;
    (void)e;
    const char **names = ARENA_ARRAY(r->arena, const char *, c->client_name_count + 1);
    if (c->client_name_count)
        memcpy(names, c->client_names, c->client_name_count * sizeof *names);
    names[c->client_name_count++] = text;
    c->client_names = names;
    return ERR_OK;
}

static enum err on_client_allowed_sans(struct web_reader *r, yaml_event_t *e)
{
    return web_yaml_items(r, e, "client_allowed_sans", on_client_name);
}

static enum err on_tls(struct web_reader *r, yaml_event_t *e)
{
    static const struct web_field fields[] = {
        {"cert", on_cert},
        {"key", on_key},
        {"client_ca", on_client_ca},
        {"cert_file", on_cert_file},
        {"key_file", on_key_file},
        {"client_auth_type", on_client_auth},
        {"client_ca_file", on_client_ca_file},
        {"cipher_suites", on_cipher_suites},
        {"curve_preferences", on_curve_preferences},
        {"min_version", on_min_version},
        {"max_version", on_max_version},
        {"prefer_server_cipher_suites", on_prefer_server},
        {"client_allowed_sans", on_client_allowed_sans},
        {NULL, NULL},
    };
    return web_yaml_mapping(r, e, "tls_server_config", fields);
}

/* ---- http_server_config ---- */

static enum err on_http2(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    return web_yaml_bool(r, e, "http2", &c->http2_asked);
}

/* The names and values that Prometheus lets through. */
static enum err check_header(struct web_reader *r, yaml_mark_t at, const struct web_pair *h)
{
    static const struct {
        const char *name, *allowed, *also;
    } known[] = {
        {"Strict-Transport-Security", NULL, NULL}, {"X-Content-Type-Options", "nosniff", "nosniff"},
        {"X-Frame-Options", "deny", "sameorigin"}, {"X-XSS-Protection", NULL, NULL},
        {"Content-Security-Policy", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, h->name))
            continue;
        if (!known[i].allowed || !strcmp(h->value, known[i].allowed) || !strcmp(h->value, known[i].also))
            return ERR_OK;
        return web_complain(r, at, "invalid value for %s: \"%s\"; allowed: %s%s%s", h->name, h->value, known[i].allowed,
                            known[i].also != known[i].allowed ? ", " : "",
                            known[i].also != known[i].allowed ? known[i].also : "");
    }
    return web_complain(r, at, "HTTP header \"%s\" can not be configured", h->name);
}

static enum err on_headers(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    TRY(web_yaml_pairs(r, e, "headers", &c->headers, &c->header_count));
    for (size_t i = 0; i < c->header_count; i++)
        TRY(check_header(r, e->start_mark, &c->headers[i]));
    return ERR_OK;
}

static enum err on_http(struct web_reader *r, yaml_event_t *e)
{
    static const struct web_field fields[] = {{"http2", on_http2}, {"headers", on_headers}, {NULL, NULL}};
    return web_yaml_mapping(r, e, "http_server_config", fields);
}

/* ---- basic_auth_users, rate_limit ---- */

static enum err on_users(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    struct errmsg why = {0};
    unsigned cost;
    TRY(web_yaml_pairs(r, e, "basic_auth_users", &c->users, &c->user_count));
    for (size_t i = 0; i < c->user_count; i++)
        if (password_cost(c->users[i].value, &cost, &why) != ERR_OK)
            return web_complain(r, e->start_mark, "basic_auth_users: user \"%s\": %s", c->users[i].name, why.text);
    return ERR_OK;
}

static enum err on_interval(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    struct slice text;
    TRY(web_yaml_text(r, e, "interval", &text));
    if (text.len && !web_duration_ns(text, &c->rate_interval_ns))
        return web_complain(r, e->start_mark, "interval must be a duration such as 100ms, 1s or 1m30s");
    return ERR_OK;
}

static enum err on_burst(struct web_reader *r, yaml_event_t *e)
{
    struct web_config *c = r->out;
    struct slice text;
    TRY(web_yaml_text(r, e, "burst", &text));
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || c->rate_burst > INT64_C(1000000000000))
            return web_complain(r, e->start_mark, "burst must be a whole number");
        c->rate_burst = c->rate_burst * 10 + (text.data[i] - '0');
    }
    return ERR_OK;
}

static enum err on_rate(struct web_reader *r, yaml_event_t *e)
{
    static const struct web_field fields[] = {{"burst", on_burst}, {"interval", on_interval}, {NULL, NULL}};
    return web_yaml_mapping(r, e, "rate_limit", fields);
}

/* ---- the whole ---- */

/* What only shows when everything was read. */
static enum err check_whole(const struct web_config *c, const char *path, struct errmsg *why)
{
    bool has_ca = *c->client_ca_file || c->client_ca.len;
    if (!web_config_has_tls(c))
        return ERR_OK;
    if (!*c->cert_file && !c->cert.len)
        return err_set(why, ERR_INVALID, "%s: tls_server_config: missing one of cert or cert_file", path);
    if (!*c->key_file && !c->key.len)
        return err_set(why, ERR_INVALID, "%s: tls_server_config: missing one of key or key_file", path);
    if (has_ca && c->client_auth == TLS_CLIENT_NONE)
        return err_set(why, ERR_INVALID,
                       "%s: tls_server_config: client CA's have been configured without a Client Auth Policy", path);
    if (c->client_name_count && c->client_auth == TLS_CLIENT_NONE)
        return err_set(why, ERR_INVALID,
                       "%s: tls_server_config: client_allowed_sans lets everybody in without a client_auth_type", path);
    if (c->version_min > c->version_max)
        return err_set(why, ERR_INVALID, "%s: tls_server_config: min_version is above max_version", path);
    return ERR_OK;
}

enum err web_config_read(struct web_config *c, const char *path, struct slice yaml, struct errmsg *why)
{
    static const struct web_field fields[] = {
        {"tls_server_config", on_tls},
        {"http_server_config", on_http},
        {"rate_limit", on_rate},
        {"basic_auth_users", on_users},
        {NULL, NULL},
    };
    struct web_reader r = {.path = path, .arena = &c->arena, .out = c, .why = why};
    static const uint8_t none[1];
    int made = yaml_parser_initialize(&r.parser);
    assert(made); /* fails only when memory ends */
    yaml_parser_set_input_string(&r.parser, yaml.len ? yaml.data : none, yaml.len);
    enum err err = web_yaml_document(&r, fields);
    yaml_parser_delete(&r.parser);
    return err == ERR_OK ? check_whole(c, path, why) : err;
}
