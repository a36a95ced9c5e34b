/*
 * api.c - the API object: made from the settings, and what happens around every request.
 *
 * Before a handler: CORS, OPTIONS, and the gate that keeps the API shut while the server starts and stops.
 * While the log is replayed, answers that can carry a warning are given; others would be silently incomplete.
 * After it: counters, and the slot that a query held.
 */
#include "api/api.h"

#include "api/api_internal.h"
#include "base/assert.h"
#include "base/mem.h"
#include "metrics/metrics.h"
#include "regex/regex.h"

/* The path of a URL: "http://a/b?c" -> "/b". */
static struct slice url_path(struct slice url)
{
    size_t start = 0;
    for (size_t i = 0; i + 2 < url.len && !start; i++)
        if (!memcmp(url.data + i, "://", 3))
            start = i + 3;
    while (start && start < url.len && url.data[start] != '/' && url.data[start] != '?' && url.data[start] != '#')
        start++;
    struct slice path = slice_from(url, start);
    for (size_t i = 0; i < path.len; i++)
        if (path.data[i] == '?' || path.data[i] == '#')
            path.len = i;
    return path;
}

/* "" or "/x": web.route-prefix, or else the path of web.external-url; slashes around it do not count, as in Prometheus.
 */
static enum err find_prefix(struct api *api, struct errmsg *why)
{
    const char *given = config_string(api->o.config, OPT_WEB_ROUTE_PREFIX), *option = "web.route-prefix";
    struct slice prefix = slice_str(given);
    if (!prefix.len) {
        option = "web.external-url";
        given = config_string(api->o.config, OPT_WEB_EXTERNAL_URL);
        prefix = url_path(slice_str(given));
    }
    while (prefix.len && prefix.data[0] == '/')
        prefix = slice_from(prefix, 1);
    while (prefix.len && prefix.data[prefix.len - 1] == '/')
        prefix.len--;
    for (size_t i = 0; i < prefix.len; i++)
        if (strchr("*?#% \"'", prefix.data[i]) || (prefix.data[i] == '/' && prefix.data[i + 1] == '/'))
            return err_set(why, ERR_INVALID, "%s: \"%s\" cannot be a path; allowed: /x or /x/y", option, given);
    api->route_prefix = prefix.len ? arena_printf(&api->arena, "/%.*s", SLICE_ARG(prefix)) : "";
    return ERR_OK;
}

const char *api_route_prefix(const struct api *api)
{
    return api->route_prefix;
}

enum err api_new(const struct api_options *o, struct api **out, struct errmsg *why)
{
    struct api *api = MEM_NEW(struct api);
    const char *origin = config_string(o->config, OPT_WEB_CORS_ORIGIN);
    api->o = *o;
    api->start_ms = clock_now_ms(o->clock);
    api->reloaded_ms = api->start_ms;
    api->reload_ok = true;
    arena_init(&api->arena, NULL);
    gate_init(&api->queries, (unsigned)config_count(o->config, OPT_QUERY_MAX_CONCURRENCY));
    gate_init(&api->exports, (unsigned)config_count(o->config, OPT_QUERY_MAX_CONCURRENCY));
    gate_init(&api->reads, (unsigned)config_count(o->config, OPT_REMOTE_READ_CONCURRENT_LIMIT));
    gate_init(&api->imports, IMPORTS_AT_ONCE);
    gate_init(&api->large_writes, LARGE_WRITES_AT_ONCE);
    mutex_init(&api->import_lane);
    uint64_t memory = config_memory(o->config, OPT_MEMORY_LIMIT, process_memory_available());
    api->read_memory = (struct mem_budget){.name = "query.max-memory",
                                           .limit = (int64_t)config_memory(o->config, OPT_QUERY_MAX_MEMORY, memory)};
    running_init(&api->running, (uint64_t)api->start_ms << 20);
    query_log_init(&api->query_log);
    name_usage_init(&api->name_usage, api->start_ms);
    api->counters = mem_array(api_route_count + 1, sizeof *api->counters);
    for (unsigned i = 0; i <= api_route_count; i++) {
        api->counters[i].seconds.bounds = metric_seconds_bounds;
        api->counters[i].seconds.bound_count = metric_seconds_bound_count;
    }
    api->query_seconds = api->queue_seconds =
        (struct metric_histogram){.bounds = metric_seconds_bounds, .bound_count = metric_seconds_bound_count};
    enum err err = find_prefix(api, why);
    if (err == ERR_OK && *origin) {
        err = regex_compile(slice_str(origin), &api->arena, REGEX_WRAPPED, &api->cors, why);
        if (err != ERR_OK)
            err_wrap(why, err, "web.cors.origin");
    }
    uint32_t count;
    const char *const *items = config_list(o->config, OPT_STORAGE_EXTERNAL_LABELS, &count);
    if (err == ERR_OK)
        err = external_parse(items, count, &api->arena, &api->external, why);
    if (err != ERR_OK) {
        api_free(api);
        return err;
    }
    api_metrics_add(api);
    *out = api;
    return ERR_OK;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    assert(!api->self_scrape);
    name_usage_deinit(&api->name_usage);
    query_log_deinit(&api->query_log);
    running_deinit(&api->running);
    gate_deinit(&api->queries);
    gate_deinit(&api->exports);
    gate_deinit(&api->reads);
    gate_deinit(&api->imports);
    gate_deinit(&api->large_writes);
    mutex_deinit(&api->import_lane);
    mem_free(api->counters);
    arena_deinit(&api->arena);
    mem_free(api);
}

void api_set_state(struct api *api, enum api_state state)
{
    atomic_store(&api->state, (int)state);
}

void api_set_reloaded(struct api *api, bool well)
{
    atomic_store(&api->reload_ok, well);
    if (well)
        atomic_store(&api->reloaded_ms, clock_now_ms(api->o.clock));
}

void api_set_ingest(struct api *api, struct ingest *ingest)
{
    atomic_store(&api->ingest, ingest);
}

static void cors_headers(const struct api *api, struct http_request *r)
{
    struct slice origin = http_request_header(r, "Origin");
    http_header(r, "Vary", "Origin");
    if (!origin.len || !api->cors)
        return;
    http_header(r, "Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
    http_header(r, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    if (regex_match(api->cors, origin))
        http_header(r, "Access-Control-Allow-Origin", arena_strdup(r->arena, origin));
    http_header(r, "Access-Control-Expose-Headers", "Date");
}

/* Remote write and read: no browser asks for them, and Prometheus says nothing of origins there. */
static bool is_transfer(struct slice path)
{
    return slice_eq_str(path, "/api/v1/write") || slice_eq_str(path, "/api/v1/push") ||
           slice_eq_str(path, "/api/v1/read");
}

static bool answers_without_warnings(struct slice path)
{
    static const struct slice prefixes[] = {SLICE_LIT("/federate"), SLICE_LIT("/api/v1/read"), SLICE_LIT("/api/v1/export"),
                                            SLICE_LIT("/api/v1/admin/")};
    for (unsigned i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (slice_starts_with(path, prefixes[i]))
            return true;
    return false;
}

/* Answers for a server that is not ready; true when it did. */
static bool shut(const struct api *api, struct http_request *r, struct slice path)
{
    int state = atomic_load_explicit(&api->state, memory_order_relaxed);
    if (state == API_READY || state == API_DRAINING || slice_eq_str(path, "/api/v1/status/walreplay") ||
        (state == API_REPLAYING && !answers_without_warnings(path)))
        return false;
    http_header(r, "X-Prometheus-Stopping", state == API_STOPPING ? "true" : "false");
    http_header(r, "Retry-After", "1");
    api_text(r, 503, "Service Unavailable");
    return true;
}

bool api_before(struct http_request *r, void *ctx)
{
    static const struct slice api_prefix = SLICE_LIT("/api/v1/"), federate = SLICE_LIT("/federate");
    const struct api *api = ctx;
    struct slice path = api_path(api, r->path);
    bool is_api = slice_starts_with(path, api_prefix);
    if (!is_api && !slice_eq(path, federate))
        return false;
    if (is_api && (r->routed ? !is_transfer(path) : r->method == HTTP_OPTIONS))
        cors_headers(api, r);
    if (is_api && r->method == HTTP_OPTIONS) {
        http_respond(r, 204, (struct slice){0});
        return true;
    }
    return shut(api, r, path);
}

void api_after(const struct http_request *r, int status, uint64_t bytes, int64_t duration_ns, void *ctx)
{
    struct api *api = ctx;
    unsigned route = api_route_find(api, r->path);
    struct route_counters *c = &api->counters[route];
    atomic_fetch_add_explicit(&c->by_status[api_status_slot(status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bytes, bytes, memory_order_relaxed);
    metric_observe(&c->seconds, (double)duration_ns * 1e-9);
    struct gate *gate = api_route_gate(api, route);
    if (gate)
        gate_leave(gate, r);
    if (gate == &api->queries)
        running_remove(&api->running, r);
    if (api_route_writes(route))
        write_answered(api, r);
}
