/* guard.c - who may come in: the settings of web/web.h, and what it counts as metrics. */
#include "base/random.h"
#include "server/server_internal.h"

/* VictoriaMetrics' probes: they tell nothing but that somebody is there. */
static const char *const *open_paths(struct server *s)
{
    const char *prefix = api_route_prefix(s->api);
    const char **paths = ARENA_ARRAY(&s->arena, const char *, 3);
    paths[0] = arena_printf(&s->arena, "%s/health", prefix);
    paths[1] = arena_printf(&s->arena, "%s/ping", prefix);
    return paths;
}

static double count(void *ctx)
{
    return (double)atomic_load_explicit((_Atomic uint64_t *)ctx, memory_order_relaxed);
}

static double seconds(void *ctx)
{
    return (double)atomic_load_explicit((_Atomic int64_t *)ctx, memory_order_relaxed);
}

static double milliseconds(void *ctx)
{
    return seconds(ctx) / 1000;
}

static double flag(void *ctx)
{
    return atomic_load_explicit((_Atomic int *)ctx, memory_order_relaxed);
}

static void add_metrics(struct server *s)
{
    static const struct web_stats nothing = {.reload_ok = 1};
    const struct web_stats *stats = s->web ? web_stats(s->web) : &nothing;
    const struct {
        const char *name, *help;
        enum metric_kind kind;
        double (*get)(void *ctx);
        const void *at;
    } rows[] = {
        {"gnomon_web_logins_refused_total", "Requests without a login, or with one that does not fit.", METRIC_COUNTER,
         count, &stats->logins_refused},
        {"gnomon_web_passwords_checked_total", "Passwords that were compared with a bcrypt hash.", METRIC_COUNTER,
         count, &stats->passwords_checked},
        {"gnomon_web_requests_limited_total", "Requests that the rate limit of the web configuration refused.",
         METRIC_COUNTER, count, &stats->requests_limited},
        {"gnomon_web_reloads_total", "Times that a changed web configuration or certificate was taken.", METRIC_COUNTER,
         count, &stats->reloads},
        {"gnomon_web_reloads_failed_total", "Times that a changed web configuration or certificate was refused.",
         METRIC_COUNTER, count, &stats->reloads_failed},
        {"gnomon_web_reload_successful", "1 when the web configuration was fine when it was last read.", METRIC_GAUGE,
         flag, &stats->reload_ok},
        {"gnomon_web_reload_success_timestamp_seconds", "When the web configuration was last taken.", METRIC_GAUGE,
         milliseconds, &stats->reloaded_ms},
        {"gnomon_tls_certificate_expiry_timestamp_seconds",
         "When clients will stop believing the certificate; 0 without TLS.", METRIC_GAUGE, seconds,
         &stats->cert_expiry_s},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metrics_add(s->metrics, &(struct metric){.name = rows[i].name,
                                                 .labels = "",
                                                 .help = rows[i].help,
                                                 .kind = rows[i].kind,
                                                 .get = rows[i].get,
                                                 .ctx = (void *)(uintptr_t)rows[i].at});
}

enum err server_make_web(struct server *s, struct errmsg *why)
{
    const struct config *c = s->config;
    struct web_options o = {
        .config_file = config_string(c, OPT_WEB_CONFIG_FILE),
        .tls = config_bool(c, OPT_WEB_TLS),
        .cert_file = config_string(c, OPT_WEB_TLS_CERT_FILE),
        .key_file = config_string(c, OPT_WEB_TLS_KEY_FILE),
        .version_min = config_string(c, OPT_WEB_TLS_MIN_VERSION),
        .mtls = config_bool(c, OPT_WEB_MTLS),
        .client_ca_file = config_string(c, OPT_WEB_MTLS_CA_FILE),
        .username = config_string(c, OPT_WEB_AUTH_USERNAME),
        .password = config_secret(c, OPT_WEB_AUTH_PASSWORD),
        .bearer_token = config_secret(c, OPT_WEB_BEARER_TOKEN),
        .bearer_token_file = config_string(c, OPT_WEB_BEARER_TOKEN_FILE),
        .open_paths = open_paths(s),
        .fs = fs_posix(),
        .clock = s->clock,
        .random = random_system(),
    };
    o.ciphers = config_list(c, OPT_WEB_TLS_CIPHER_SUITES, &o.cipher_count);
    TRY(web_new(&o, &s->web, why));
    add_metrics(s);
    return ERR_OK;
}
