/*
 * api_metrics.c - what the API counts, under our names and under those that dashboards know.
 */
#include <unistd.h>

#include "api/api_internal.h"

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

static void add_disk(struct api *api)
{
    static const struct metric list[] = {
        {.name = "vm_free_disk_space_bytes",
         .help = "Free space where the data is.",
         .kind = METRIC_GAUGE,
         .get = disk_free},
        {.name = "vm_total_disk_space_bytes",
         .help = "Size of the disk where the data is.",
         .kind = METRIC_GAUGE,
         .get = disk_total},
        {.name = "vm_free_disk_space_limit_bytes",
         .help = "storage.min-free-disk.",
         .kind = METRIC_GAUGE,
         .get = disk_limit},
        {.name = "vm_storage_is_read_only",
         .help = "1 while writes are refused for lack of space.",
         .kind = METRIC_GAUGE,
         .get = disk_read_only},
    };
    struct buf labels = {0};
    metric_label(&labels, "path", slice_str(config_string(api->o.config, OPT_STORAGE_PATH)));
    add_all(api, list, sizeof list / sizeof *list, buf_cstr(&labels));
    buf_deinit(&labels);
}

void api_metrics_add(struct api *api)
{
    struct gate *g = &api->queries;
    const struct metric list[] = {
        {.name = "prometheus_http_requests_total",
         .help = "Answers by handler and status.",
         .kind = METRIC_COUNTER,
         .collect = collect_requests},
        {.name = "prometheus_http_request_duration_seconds",
         .help = "Time from the first byte of a request to its answer.",
         .kind = METRIC_HISTOGRAM,
         .collect = collect_durations},
        {.name = "gnomon_http_response_bytes_total",
         .help = "Bytes of answers, as sent.",
         .kind = METRIC_COUNTER,
         .collect = collect_bytes},
        {.name = "vm_http_requests_total",
         .help = "Answers by path.",
         .kind = METRIC_COUNTER,
         .collect = collect_vm_requests},
        {.name = "vm_http_request_errors_total",
         .help = "Answers with a status from 400 on, by path.",
         .kind = METRIC_COUNTER,
         .collect = collect_vm_errors},
        {.name = "gnomon_build_info",
         .help = "Version and revision of this binary.",
         .kind = METRIC_GAUGE,
         .collect = collect_version},
        {.name = "vm_app_version",
         .help = "Version, in the form that boards of VictoriaMetrics look for.",
         .kind = METRIC_GAUGE,
         .collect = collect_vm_version},
        {.name = "vm_app_uptime_seconds", .help = "Time since the start.", .kind = METRIC_GAUGE, .get = uptime},
        {.name = "vm_app_start_timestamp", .help = "Start, Unix time.", .kind = METRIC_GAUGE, .get = start_time},
        {.name = "vm_available_memory_bytes",
         .help = "Memory of the machine or its cgroup.",
         .kind = METRIC_GAUGE,
         .get = memory_available},
        {.name = "vm_allowed_memory_bytes", .help = "memory.limit.", .kind = METRIC_GAUGE, .get = memory_allowed},
        {.name = "vm_available_cpu_cores", .help = "CPU cores.", .kind = METRIC_GAUGE, .get = cpu_cores},
        {.name = "prometheus_ready",
         .help = "1 when the API answers: the log is replayed.",
         .kind = METRIC_GAUGE,
         .get = ready},
        {.name = "flag", .help = "Settings in effect.", .kind = METRIC_GAUGE, .collect = collect_flags},
        {.name = "prometheus_engine_queries",
         .help = "Queries that run or wait.",
         .kind = METRIC_GAUGE,
         .get = queries_inside},
        {.name = "prometheus_engine_queries_concurrent_max",
         .help = "Queries that may run at once.",
         .kind = METRIC_GAUGE,
         .get = query_slots},
        {.name = "gnomon_queries_waiting",
         .help = "Queries that wait for a slot.",
         .kind = METRIC_GAUGE,
         .u64 = &g->waiting},
        {.name = "gnomon_queries_waited_total",
         .help = "Queries that had to wait for a slot.",
         .kind = METRIC_COUNTER,
         .u64 = &g->waited_total},
        {.name = "gnomon_query_duration_seconds",
         .help = "Time from the request to the end of the evaluation.",
         .kind = METRIC_HISTOGRAM,
         .histogram = &api->query_seconds},
        {.name = "gnomon_query_queue_seconds",
         .help = "Time that queries waited for a slot and a worker.",
         .kind = METRIC_HISTOGRAM,
         .histogram = &api->queue_seconds},
        {.name = "prometheus_engine_query_samples_total",
         .help = "Samples that queries looked at.",
         .kind = METRIC_COUNTER,
         .u64 = &api->query_samples},
        {.name = "vm_slow_queries_total",
         .help = "Queries slower than query.log-slow.",
         .kind = METRIC_COUNTER,
         .u64 = &api->slow_queries},
        {.name = "vm_concurrent_select_current", .help = "Queries that run.", .kind = METRIC_GAUGE, .u64 = &g->running},
        {.name = "vm_concurrent_select_capacity",
         .help = "Queries that may run at once.",
         .kind = METRIC_GAUGE,
         .get = query_slots},
        {.name = "vm_concurrent_select_limit_reached_total",
         .help = "Queries that had to wait for a slot.",
         .kind = METRIC_COUNTER,
         .u64 = &g->waited_total},
        {.name = "gnomon_remote_write_unsupported_total",
         .help = "Remote writes refused because of their content type or encoding.",
         .kind = METRIC_COUNTER,
         .u64 = &api->writes_refused},
    };
    add_all(api, list, sizeof list / sizeof *list, "");
    if (api->o.fs)
        add_disk(api);
}
