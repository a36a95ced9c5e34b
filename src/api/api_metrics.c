/*
 * api_metrics.c - what the API counts, under our names and under those that dashboards know.
 */
#include <unistd.h>

#include "api/api_internal.h"
#include "ingest/ingest.h"

/* handler="...",code="..." of every answer that was given. */
static void collect_requests(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    for (unsigned route = 0; route <= api_route_count; route++)
        for (unsigned slot = 0; slot < STATUS_SLOTS; slot++) {
            uint64_t n = atomic_load_explicit(&api->counters[route].by_status[slot], memory_order_relaxed);
            if (!n)
                continue;
            struct buf labels = {0};
            metric_label(&labels, "handler", slice_str(api_route_name(route)));
            metric_label(&labels, "code", slice_str(api_status_text(slot)));
            metric_emit(sink, buf_cstr(&labels), (double)n);
            buf_deinit(&labels);
        }
}

static uint64_t answers(const struct route_counters *c, bool errors_only)
{
    uint64_t n = 0;
    for (unsigned slot = 0; slot < STATUS_SLOTS; slot++)
        if (!errors_only || api_status_text(slot)[0] == '4' || api_status_text(slot)[0] == '5')
            n += atomic_load_explicit(&c->by_status[slot], memory_order_relaxed);
    return n;
}

static void emit_by_route(struct metric_sink *sink, struct api *api, const char *label, bool errors_only)
{
    for (unsigned route = 0; route <= api_route_count; route++) {
        struct buf labels = {0};
        if (!answers(&api->counters[route], false))
            continue;
        metric_label(&labels, label, slice_str(api_route_name(route)));
        metric_emit(sink, buf_cstr(&labels), (double)answers(&api->counters[route], errors_only));
        buf_deinit(&labels);
    }
}

static void collect_vm_requests(struct metric_sink *sink, void *ctx)
{
    emit_by_route(sink, ctx, "path", false);
}

static void collect_vm_errors(struct metric_sink *sink, void *ctx)
{
    emit_by_route(sink, ctx, "path", true);
}

static void collect_durations(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    for (unsigned route = 0; route <= api_route_count; route++) {
        struct buf labels = {0};
        if (!answers(&api->counters[route], false))
            continue;
        metric_label(&labels, "handler", slice_str(api_route_name(route)));
        metric_emit_histogram(sink, buf_cstr(&labels), &api->counters[route].seconds);
        buf_deinit(&labels);
    }
}

static void collect_bytes(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    for (unsigned route = 0; route <= api_route_count; route++) {
        struct buf labels = {0};
        if (!answers(&api->counters[route], false))
            continue;
        metric_label(&labels, "handler", slice_str(api_route_name(route)));
        metric_emit(sink, buf_cstr(&labels),
                    (double)atomic_load_explicit(&api->counters[route].bytes, memory_order_relaxed));
        buf_deinit(&labels);
    }
}

static void collect_version(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    struct buf labels = {0};
    metric_label(&labels, "version", slice_str(api->o.version));
    metric_label(&labels, "revision", slice_str(api->o.revision));
    metric_emit(sink, buf_cstr(&labels), 1);
    buf_deinit(&labels);
}

/* Boards of VictoriaMetrics find their instances by this pattern of the version. */
static void collect_vm_version(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    struct buf version = {0}, labels = {0};
    buf_printf(&version, "victoria-metrics-compatible-gnomon-%s", api->o.version);
    metric_label(&labels, "version", buf_view(&version));
    metric_label(&labels, "short_version", slice_str(api->o.version));
    metric_emit(sink, buf_cstr(&labels), 1);
    buf_deinit(&version);
    buf_deinit(&labels);
}

static double uptime(void *ctx)
{
    struct api *api = ctx;
    return (double)(clock_now_ms(api->o.clock) - api->start_ms) / 1000;
}

static double start_time(void *ctx)
{
    struct api *api = ctx;
    return (double)(api->start_ms / 1000);
}

static double ready(void *ctx)
{
    struct api *api = ctx;
    return atomic_load_explicit(&api->state, memory_order_relaxed) == API_READY;
}

static double memory_available(void *ctx)
{
    (void)ctx;
    return (double)process_memory_available();
}

static double memory_allowed(void *ctx)
{
    struct api *api = ctx;
    return (double)config_memory(api->o.config, OPT_MEMORY_LIMIT, process_memory_available());
}

static double cpu_cores(void *ctx)
{
    (void)ctx;
    return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static double query_slots(void *ctx)
{
    struct api *api = ctx;
    return api->queries.slots;
}

static double queries_inside(void *ctx)
{
    struct api *api = ctx;
    return (double)(atomic_load_explicit(&api->queries.running, memory_order_relaxed) +
                    atomic_load_explicit(&api->queries.waiting, memory_order_relaxed));
}

static void collect_prometheus_version(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    struct buf labels = {0};
    metric_label(&labels, "version", slice_str(API_VERSION));
    metric_label(&labels, "revision", slice_str(api->o.revision));
    metric_label(&labels, "branch", SLICE_LIT(""));
    metric_label(&labels, "goversion", SLICE_LIT(""));
    metric_label(&labels, "goos", SLICE_LIT("linux"));
    metric_emit(sink, buf_cstr(&labels), 1);
    buf_deinit(&labels);
}

static void emit_summary_of(struct metric_sink *sink, const char *labels, const struct metric_histogram *h)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i <= h->bound_count; i++)
        count += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
    metric_emit_summary(sink, labels, f64_from_bits(atomic_load_explicit(&h->sum_bits, memory_order_relaxed)), count);
}

static void collect_query_summary(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    emit_summary_of(sink, "slice=\"inner_eval\"", &api->query_seconds);
    emit_summary_of(sink, "slice=\"queue_time\"", &api->queue_seconds);
}

static void collect_flags(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    for (int i = 0; i < OPT_COUNT; i++) {
        enum config_option option = (enum config_option)i;
        struct buf labels = {0};
        metric_label(&labels, "name", slice_str(config_name(option)));
        metric_label(&labels, "value", slice_str(config_text(api->o.config, option)));
        metric_label(&labels, "is_set",
                     slice_str(config_source(api->o.config, option) == CONFIG_FROM_DEFAULT ? "false" : "true"));
        metric_emit(sink, buf_cstr(&labels), 1);
        buf_deinit(&labels);
    }
}

static void add_all(struct api *api, const struct metric *list, size_t count, const char *labels)
{
    for (size_t i = 0; i < count; i++) {
        struct metric m = list[i];
        m.ctx = api;
        m.labels = labels;
        metrics_add(api->o.metrics, &m);
    }
}

static double disk_free(void *ctx)
{
    struct api *api = ctx;
    disk_has_room(api);
    return (double)atomic_load_explicit(&api->disk_free, memory_order_relaxed);
}

static double disk_total(void *ctx)
{
    struct api *api = ctx;
    disk_has_room(api);
    return (double)atomic_load_explicit(&api->disk_total, memory_order_relaxed);
}

static double disk_limit(void *ctx)
{
    struct api *api = ctx;
    return (double)config_bytes(api->o.config, OPT_STORAGE_MIN_FREE_DISK);
}

static double disk_read_only(void *ctx)
{
    return !disk_has_room(ctx);
}

#define COUNTER   .kind = METRIC_COUNTER
#define GAUGE     .kind = METRIC_GAUGE
#define HISTOGRAM .kind = METRIC_HISTOGRAM
#define ROW(n, h, ...)                                                                                                 \
    {                                                                                                                  \
        .name = n, .help = h, __VA_ARGS__                                                                              \
    }

static double reload_ok(void *ctx)
{
    return atomic_load(&((struct api *)ctx)->reload_ok);
}

static double reloaded(void *ctx)
{
    return (double)atomic_load(&((struct api *)ctx)->reloaded_ms) / 1000;
}

static void emit_drop(void *ctx, const char *rule, uint64_t samples)
{
    struct buf labels = {0};
    metric_label(&labels, "rule", slice_str(rule));
    metric_emit(ctx, buf_cstr(&labels), (double)samples);
    buf_deinit(&labels);
}

static void collect_drops(struct metric_sink *sink, void *ctx)
{
    struct api *api = ctx;
    struct ingest *ingest = atomic_load(&api->ingest);
    if (!ingest || ingest_drop_counts(ingest, emit_drop, sink) == 0)
        metric_emit(sink, "rule=\"\"", 0); /* the name is there before the first rule */
}

/* clang-format off */
static const struct metric computed[] = {
    ROW("prometheus_http_requests_total", "Answers by handler and status.", COUNTER, .collect = collect_requests),
    ROW("prometheus_http_request_duration_seconds", "Time from the first byte of a request to its answer.", HISTOGRAM,
        .collect = collect_durations),
    ROW("gnomon_http_response_bytes_total", "Bytes of answers, as sent.", COUNTER, .collect = collect_bytes),
    ROW("vm_http_requests_total", "Answers by path.", COUNTER, .collect = collect_vm_requests),
    ROW("vm_http_request_errors_total", "Answers with a status from 400 on, by path.", COUNTER,
        .collect = collect_vm_errors),
    ROW("prometheus_build_info", "The Prometheus whose API this is.", GAUGE, .collect = collect_prometheus_version),
    ROW("prometheus_engine_query_duration_seconds", "Time of queries by part.", .kind = METRIC_SUMMARY,
        .collect = collect_query_summary),
    ROW("gnomon_build_info", "Version and revision of this binary.", GAUGE, .collect = collect_version),
    ROW("vm_app_version", "Version, in the form that boards of VictoriaMetrics look for.", GAUGE,
        .collect = collect_vm_version),
    ROW("vm_app_uptime_seconds", "Time since the start.", GAUGE, .get = uptime),
    ROW("vm_app_start_timestamp", "Start, Unix time.", GAUGE, .get = start_time),
    ROW("vm_available_memory_bytes", "Memory of the machine or its cgroup.", GAUGE, .get = memory_available),
    ROW("vm_allowed_memory_bytes", "memory.limit.", GAUGE, .get = memory_allowed),
    ROW("vm_available_cpu_cores", "CPU cores.", GAUGE, .get = cpu_cores),
    ROW("prometheus_ready", "1 when the API answers: the log is replayed.", GAUGE, .get = ready),
    ROW("prometheus_config_last_reload_successful", "Whether the last configuration reload attempt was successful.", GAUGE,
        .get = reload_ok),
    ROW("prometheus_config_last_reload_success_timestamp_seconds",
        "Timestamp of the last successful configuration reload.", GAUGE, .get = reloaded),
    ROW("gnomon_ingest_dropped_samples_total", "Samples of series that a rule of ingest.drop does not want.", COUNTER,
        .collect = collect_drops),
    ROW("flag", "Settings in effect.", GAUGE, .collect = collect_flags),
    ROW("prometheus_engine_queries", "Queries that run or wait.", GAUGE, .get = queries_inside),
    ROW("prometheus_engine_queries_concurrent_max", "Queries that may run at once.", GAUGE, .get = query_slots),
    ROW("vm_concurrent_select_capacity", "Queries that may run at once.", GAUGE, .get = query_slots),
};

/* Of the disk that holds the data; label path. */
static const struct metric of_disk[] = {
    ROW("vm_free_disk_space_bytes", "Free space where the data is.", GAUGE, .get = disk_free),
    ROW("vm_total_disk_space_bytes", "Size of the disk where the data is.", GAUGE, .get = disk_total),
    ROW("vm_free_disk_space_limit_bytes", "storage.min-free-disk.", GAUGE, .get = disk_limit),
    ROW("vm_storage_is_read_only", "1 while writes are refused for lack of space.", GAUGE, .get = disk_read_only),
};

static void add_counted(struct api *api)
{
    struct gate *g = &api->queries;
    const struct metric counted[] = {
        ROW("gnomon_queries_waiting", "Queries that wait for a slot.", GAUGE, .u64 = &g->waiting),
        ROW("gnomon_queries_waited_total", "Queries that had to wait for a slot.", COUNTER, .u64 = &g->waited_total),
        ROW("gnomon_query_duration_seconds", "Time from the request to the end of the evaluation.", HISTOGRAM,
            .histogram = &api->query_seconds),
        ROW("gnomon_query_queue_seconds", "Time that queries waited for a slot and a worker.", HISTOGRAM,
            .histogram = &api->queue_seconds),
        ROW("prometheus_engine_query_samples_total", "Samples that queries looked at.", COUNTER,
            .u64 = &api->query_samples),
        ROW("vm_slow_queries_total", "Queries slower than query.log-slow.", COUNTER, .u64 = &api->slow_queries),
        ROW("vm_concurrent_select_current", "Queries that run.", GAUGE, .u64 = &g->running),
        ROW("prometheus_remote_read_handler_queries", "Remote reads that are answered.", GAUGE, .u64 = &api->reads.running),
        ROW("prometheus_engine_query_samples_read_total", "Samples that queries read.", COUNTER,
            .u64 = &api->query_samples_read),
        ROW("vm_concurrent_select_limit_reached_total", "Queries that had to wait for a slot.", COUNTER,
            .u64 = &g->waited_total),
        ROW("gnomon_remote_write_unsupported_total",
            "Remote writes refused because of their content type or encoding.", COUNTER, .u64 = &api->writes_refused),
    };
    add_all(api, counted, sizeof counted / sizeof *counted, "");
}
/* clang-format on */

void api_metrics_add(struct api *api)
{
    struct buf path = {0};
    metric_label(&path, "path", slice_str(config_string(api->o.config, OPT_STORAGE_PATH)));
    add_all(api, computed, sizeof computed / sizeof *computed, "");
    add_counted(api);
    if (api->o.fs)
        add_all(api, of_disk, sizeof of_disk / sizeof *of_disk, buf_cstr(&path));
    buf_deinit(&path);
}
