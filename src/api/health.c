/*
 * health.c - is it alive, is it ready, own metrics, and a page that says what this is.
 */
#include "api/api_internal.h"
#include "tsdb/tsdb.h"

void on_healthy(struct http_request *r, void *ctx)
{
    (void)ctx;
    api_text(r, 200, "Gnomon is Healthy.\n");
}

void on_ready(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    switch (atomic_load_explicit(&api->state, memory_order_relaxed)) {
    case API_READY:
        api_text(r, 200, "Gnomon is Ready.\n");
        return;
    case API_DRAINING:
    case API_STOPPING:
        api_text(r, 503, "Gnomon is stopping.\n");
        return;
    default:
        break;
    }
    const struct tsdb_stats *s = api->o.tsdb ? tsdb_stats(api->o.tsdb) : NULL;
    uint64_t whole = s ? atomic_load_explicit(&s->replay_bytes, memory_order_relaxed) : 0;
    uint64_t done = s ? atomic_load_explicit(&s->replay_bytes_done, memory_order_relaxed) : 0;
    http_header(r, "Retry-After", "1");
    api_text(r, 503,
             arena_printf(r->arena, "Gnomon is starting: %.1f of %.1f MiB of the log are read.\n",
                          (double)done / 1048576, (double)whole / 1048576));
}

/* VictoriaMetrics' probe: alive, whether ready or not, until it is going to stop. */
void on_health(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    if (atomic_load_explicit(&api->state, memory_order_relaxed) == API_DRAINING)
        api_text(r, 503, "Gnomon is stopping.\n");
    else
        api_text(r, 200, "OK");
}

/* Calls of VictoriaMetrics that wait for something which is always so here. */
void on_nothing_to_do(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_respond(r, 200, (struct slice){0});
}

void on_ping(struct http_request *r, void *ctx)
{
    (void)ctx;
    bool verbose = slice_eq_str(param(r, "verbose"), "true");
    http_respond(r, verbose ? 200 : 204, (struct slice){0});
}

void on_metrics(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    enum metrics_format format = metrics_negotiate(http_request_header(r, "Accept"));
    struct buf out = {0};
    metrics_render(api->o.metrics, format, &out);
    http_header(r, "Content-Type", metrics_content_type(format));
    http_respond(r, 200, buf_view(&out));
    buf_deinit(&out);
}

static const char page[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gnomon</title></head><body>\n"
    "<h1>Gnomon</h1>\n"
    "<p>A time-series database that speaks Prometheus' remote write, PromQL and HTTP API. Version %s.</p>\n"
    "<ul>\n"
    "<li>Prometheus: <code>remote_write: [{url: \"http://THIS-HOST/api/v1/write\"}]</code></li>\n"
    "<li>Grafana: a data source of type Prometheus with the URL of this page</li>\n"
    "<li>Try: <a href=\"%s/api/v1/query?query=up\">query up</a>, <a href=\"%s/api/v1/labels\">labels</a></li>\n"
    "<li>State: <a href=\"%s/-/ready\">ready</a>, <a href=\"%s/metrics\">own metrics</a>, "
    "<a href=\"%s/api/v1/status/tsdb\">cardinality</a>, <a href=\"%s/api/v1/status/flags\">settings</a></li>\n"
    "</ul>\n</body></html>\n";

void on_root(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    const char *p = api->route_prefix;
    http_header(r, "Content-Type", "text/html; charset=utf-8");
    http_header(r, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    http_header(r, "X-Content-Type-Options", "nosniff");
    http_header(r, "Referrer-Policy", "no-referrer");
    http_respond(r, 200, slice_str(arena_printf(r->arena, page, api->o.version, p, p, p, p, p, p)));
}

void on_reload(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    if (!config_bool(api->o.config, OPT_WEB_ENABLE_LIFECYCLE))
        api_text(r, 403, "Lifecycle API is not enabled.");
    else if (api->o.reload && api->o.reload(api->o.reload_ctx, &why) != ERR_OK)
        api_text(r, 500, arena_printf(r->arena, "failed to reload config: %s\n", why.text));
    else
        api_text(r, 200, "");
}

void on_quit(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    if (r->method == HTTP_GET) {
        http_header(r, "Allow", "OPTIONS, POST, PUT");
        api_text(r, 405, "Only POST or PUT requests allowed");
        return;
    }
    if (!config_bool(api->o.config, OPT_WEB_ENABLE_LIFECYCLE) || !api->o.quit) {
        api_text(r, 403, "Lifecycle API is not enabled.");
        return;
    }
    api_text(r, 200, "Requesting termination... Goodbye!");
    api->o.quit(api->o.quit_ctx);
}
