/*
 * query_vm.c - what VictoriaMetrics adds to the envelope of a query: "stats" and, for trace=1, "trace".
 *
 * Prometheus' envelope has no such members, so they are given only to a request that carries a parameter of
 * VictoriaMetrics (vmalert sends `step` with instant queries, vmui `nocache`).
 */
#include "api/query_internal.h"

static bool is_set(struct slice text)
{
    return text.len && !slice_eq_str(text, "0") && !slice_eq_str(text, "f") && !slice_eq_str(text, "false") &&
           !slice_eq_str(text, "no");
}

void query_vm_params(struct http_request *r, struct query_request *q)
{
    static const char *const names[] = {"nocache", "trace", "latency_offset", "max_lookback"};
    bool there = false;
    if (!q->range)
        http_param_get(r, "step", &q->vm_stats);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        http_param_get(r, names[i], &there);
        q->vm_stats = q->vm_stats || there;
    }
    q->trace = is_set(param(r, "trace"));
}

static void json_span(struct buf *out, double seconds, const char *message)
{
    buf_printf(out, "{\"duration_msec\":%.3f,\"message\":", seconds * 1000);
    json_string_html(out, slice_str(message));
}

static void json_trace(struct http_request *r, struct buf *out, const struct query_request *q,
                       const struct result *result, double seconds)
{
    const struct query_stats *s = &result->stats;
    struct arena *a = r->arena;
    json_span(out, seconds,
              arena_printf(a, "%s: query=%.*s, start=%lld, end=%lld, step=%lld: series=%llu",
                           q->range ? "/api/v1/query_range" : "/api/v1/query", SLICE_ARG(q->text),
                           (long long)q->exec.start_ms, (long long)q->exec.end_ms, (long long)q->exec.step_ms,
                           (unsigned long long)result->series_count));
    buf_str(out, ",\"children\":[");
    json_span(out, s->queue_s, "wait for a turn");
    buf_str(out, "},");
    json_span(out, s->preparation_s, "prepare the expression");
    buf_str(out, "},");
    json_span(out, s->inner_eval_s,
              arena_printf(a, "evaluate: series fetched=%llu, samples read=%llu, memory at its peak=%llu bytes",
                           (unsigned long long)s->series_fetched, (unsigned long long)s->samples_read,
                           (unsigned long long)s->peak_bytes));
    buf_str(out, "}]}");
}

const char *query_vm_members(struct http_request *r, const struct query_request *q, const struct result *result)
{
    if (!q->vm_stats)
        return NULL;
    double seconds = (double)(clock_mono_ns(q->api->o.clock) - r->start_ns) * 1e-9;
    struct buf out = {0};
    buf_printf(&out, ",\"stats\":{\"seriesFetched\":\"%llu\",\"executionTimeMsec\":%.0f}",
               (unsigned long long)result->stats.series_fetched, seconds * 1000);
    if (q->trace) {
        buf_str(&out, ",\"trace\":");
        json_trace(r, &out, q, result, seconds);
    }
    char *text = arena_strdup(r->arena, buf_view(&out));
    buf_deinit(&out);
    return text;
}
