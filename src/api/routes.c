/*
 * routes.c - every path that is answered, who answers it, and counting what was answered.
 *
 * A path also exists under /prometheus (as VictoriaMetrics and many proxies have it) and under
 * /select/0/prometheus, all of them below web.route-prefix.
 */
#include "api/api_internal.h"
#include "base/mem.h"

enum { GET = HTTP_GET, LOOK = HTTP_GET | HTTP_HEAD, FORM = HTTP_GET | HTTP_POST, CHANGE = HTTP_POST | HTTP_PUT };

struct route {
    const char *path; /* one segment may be '*' */
    const char *name; /* handler label; NULL: the path */
    unsigned methods, flags;
    http_handler handler;
    bool slot; /* holds one of a gate while it is answered */
};

static const struct route routes[] = {
    {"/api/v1/write", NULL, HTTP_POST, HTTP_RAW_BODY, on_write, false},
    {"/api/v1/push", NULL, HTTP_POST, HTTP_RAW_BODY, on_write, false},
    {"/api/v1/import", NULL, HTTP_POST, HTTP_NO_FORM, on_import, true},
    {"/api/v1/import/prometheus", NULL, HTTP_POST, HTTP_NO_FORM, on_import_text, true},
    {"/api/v1/read", NULL, HTTP_POST, HTTP_RAW_BODY | HTTP_NO_COMPRESS, on_read, true},
    {"/api/v1/export", NULL, FORM, 0, on_export, true},
    {"/api/v1/export/csv", NULL, FORM, 0, on_export_csv, true},
    {"/api/v1/query", NULL, FORM, 0, on_query, true},
    {"/api/v1/query_range", NULL, FORM, 0, on_query_range, true},
    {"/api/v1/query_exemplars", NULL, FORM, HTTP_DEFER, on_query_exemplars, false},
    {"/api/v1/format_query", NULL, FORM, HTTP_DEFER, on_format_query, false},
    {"/api/v1/parse_query", NULL, FORM, HTTP_DEFER, on_parse_query, false},
    {"/api/v1/labels", NULL, FORM, HTTP_DEFER, on_labels, false},
    {"/api/v1/label/*/values", "/api/v1/label/:name/values", GET, HTTP_DEFER, on_label_values, false},
    {"/api/v1/series", NULL, FORM, HTTP_DEFER, on_series, false},
    {"/api/v1/series/count", NULL, GET, HTTP_DEFER, on_series_count, false},
    {"/api/v1/search/metric_names", NULL, FORM, HTTP_DEFER | HTTP_NO_COMPRESS, on_search_metric_names, false},
    {"/api/v1/search/label_names", NULL, FORM, HTTP_DEFER | HTTP_NO_COMPRESS, on_search_label_names, false},
    {"/api/v1/search/label_values", NULL, FORM, HTTP_DEFER | HTTP_NO_COMPRESS, on_search_label_values, false},
    {"/api/v1/metadata", NULL, GET, HTTP_DEFER, on_metadata, false},
    {"/api/v1/targets", NULL, GET, 0, on_targets, false},
    {"/api/v1/targets/metadata", NULL, GET, 0, on_targets_metadata, false},
    {"/api/v1/scrape_pools", NULL, GET, 0, on_scrape_pools, false},
    {"/api/v1/alertmanagers", NULL, GET, 0, on_alertmanagers, false},
    {"/api/v1/rules", NULL, GET, 0, on_rules, false},
    {"/api/v1/alerts", NULL, GET, 0, on_alerts, false},
    {"/api/v1/notifications", NULL, GET, 0, on_notifications, false},
    {"/api/v1/features", NULL, GET, 0, on_features, false},
    {"/api/v1/status/active_queries", NULL, FORM, 0, on_active_queries, false},
    {"/api/v1/status/active_queries/cancel", NULL, HTTP_POST, 0, on_cancel_query, false},
    {"/api/v1/status/top_queries", NULL, FORM, HTTP_DEFER, on_top_queries, false},
    {"/api/v1/status/metric_names_stats", NULL, FORM, HTTP_DEFER, on_metric_names_stats, false},
    {"/api/v1/admin/status/metric_names_stats/reset", NULL, FORM, 0, on_metric_names_reset, false},
    {"/api/v1/status/storage", NULL, GET, HTTP_DEFER, on_storage_status, false},
    {"/api/v1/status/buildinfo", NULL, GET, 0, on_buildinfo, false},
    {"/api/v1/status/runtimeinfo", NULL, GET, 0, on_runtimeinfo, false},
    {"/api/v1/status/flags", NULL, GET, 0, on_flags, false},
    {"/api/v1/status/config", NULL, GET, 0, on_config, false},
    {"/api/v1/status/walreplay", NULL, GET, 0, on_walreplay, false},
    {"/api/v1/status/tsdb", NULL, GET, HTTP_DEFER, on_tsdb_status, false},
    {"/api/v1/status/retention", NULL, FORM, HTTP_DEFER, on_retention, false},
    {"/api/v1/status/tombstones", NULL, GET, HTTP_DEFER, on_tombstones, false},
    {"/api/v1/status/tsdb/blocks", NULL, GET, HTTP_DEFER, on_tsdb_blocks, false},
    {"/api/v1/admin/tsdb/delete_series", NULL, CHANGE, HTTP_DEFER, on_delete_series, false},
    {"/api/v1/admin/tsdb/clean_tombstones", NULL, CHANGE, HTTP_DEFER, on_clean_tombstones, false},
    {"/api/v1/admin/tsdb/verify", NULL, GET | CHANGE, HTTP_DEFER, on_verify, false},
    {"/api/v1/admin/tsdb/acknowledge_losses", NULL, CHANGE, HTTP_DEFER, on_acknowledge_losses, false},
    {"/api/v1/admin/tsdb/snapshot", NULL, CHANGE, HTTP_DEFER, on_snapshot, false},
    {"/snapshot/create", NULL, FORM, HTTP_DEFER, on_snapshot_create, false},
    {"/snapshot/list", NULL, FORM, HTTP_DEFER, on_snapshot_list, false},
    {"/snapshot/delete", NULL, FORM, HTTP_DEFER, on_snapshot_delete, false},
    {"/snapshot/delete_all", NULL, FORM, HTTP_DEFER, on_snapshot_delete_all, false},
    {"/federate", NULL, GET, HTTP_DEFER, on_federate, false},
    {"/metrics", NULL, LOOK, HTTP_DEFER, on_metrics, false},
    {"/internal/force_flush", NULL, FORM, 0, on_nothing_to_do, false},
    {"/internal/resetRollupResultCache", NULL, FORM, 0, on_nothing_to_do, false},
    {"/-/healthy", NULL, LOOK, 0, on_healthy, false},
    {"/-/ready", NULL, LOOK, 0, on_ready, false},
    {"/-/reload", NULL, CHANGE, HTTP_DEFER, on_reload, false},
    {"/-/quit", NULL, GET | CHANGE, 0, on_quit, false},
    {"/health", NULL, LOOK, 0, on_health, false},
    {"/ready", NULL, LOOK, 0, on_ready, false},
    {"/ping", NULL, LOOK, 0, on_ping, false},
    {"/", NULL, LOOK, 0, on_root, false},
};
const unsigned api_route_count = sizeof routes / sizeof *routes;

static const char *const aliases[] = {"", "/prometheus", "/select/0/prometheus"};
enum { ALIAS_COUNT = sizeof aliases / sizeof *aliases };

static const int status_codes[STATUS_SLOTS - 1] = {200, 204, 302, 400, 403, 404, 405, 408,
                                                   413, 415, 422, 429, 499, 500, 503};

unsigned api_status_slot(int status)
{
    unsigned slot = 0;
    while (slot < STATUS_SLOTS - 1 && status_codes[slot] != status)
        slot++;
    return slot;
}

const char *api_status_text(unsigned slot)
{
    static const char *const texts[STATUS_SLOTS] = {"200", "204", "302", "400", "403", "404", "405", "408",
                                                    "413", "415", "422", "429", "499", "500", "503", "other"};
    return texts[slot];
}

const char *api_route_name(unsigned route)
{
    if (route == api_route_count)
        return "other";
    return routes[route].name ? routes[route].name : routes[route].path;
}

struct gate *api_route_gate(struct api *api, unsigned route)
{
    if (route == api_route_count || !routes[route].slot)
        return NULL;
    http_handler handler = routes[route].handler;
    if (handler == on_import || handler == on_import_text)
        return &api->imports;
    return handler == on_read                                 ? &api->reads
           : handler == on_export || handler == on_export_csv ? &api->exports
                                                              : &api->queries;
}

bool api_route_writes(unsigned route)
{
    return route < api_route_count && routes[route].handler == on_write;
}

/* Whether a path fits a route whose path may hold one '*'. */
static bool path_fits(struct slice path, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return slice_eq_str(path, pattern);
    struct slice before = slice_of(pattern, (size_t)(star - pattern)), after = slice_str(star + 1);
    return path.len > before.len + after.len && slice_starts_with(path, before) &&
           slice_eq(slice_from(path, path.len - after.len), after);
}

struct slice api_path(const struct api *api, struct slice path)
{
    struct slice prefix = slice_str(api->route_prefix);
    if (slice_starts_with(path, prefix))
        path = slice_from(path, prefix.len);
    for (int i = ALIAS_COUNT - 1; i > 0; i--) {
        struct slice alias = slice_str(aliases[i]);
        if (slice_starts_with(path, alias) && (path.len == alias.len || path.data[alias.len] == '/'))
            return slice_from(path, alias.len);
    }
    return path;
}

unsigned api_route_find(const struct api *api, struct slice path)
{
    struct slice own = api_path(api, path);
    unsigned i = 0;
    while (i < api_route_count && !path_fits(own, routes[i].path))
        i++;
    return i;
}

static void on_outside(struct http_request *r, void *ctx)
{
    const struct api *api = ctx;
    http_header(r, "Location", api->route_prefix);
    http_respond(r, 302, (struct slice){0});
}

void api_register_routes(struct http_server *server, struct api *api)
{
    api->server = server;
    if (*api->route_prefix)
        http_server_route(server,
                          &(struct http_route){.path = "/", .methods = LOOK, .handler = on_outside, .ctx = api});
    for (unsigned i = 0; i < api_route_count; i++)
        for (unsigned a = 0; a < ALIAS_COUNT; a++) {
            const struct route *route = &routes[i];
            http_server_route(
                server, &(struct http_route){
                            .path = arena_printf(&api->arena, "%s%s%s", api->route_prefix, aliases[a], route->path),
                            .methods = route->methods,
                            .flags = route->flags,
                            .handler = route->handler,
                            .ctx = api,
                        });
        }
}
