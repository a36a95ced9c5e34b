/*
 * query.c - /api/v1/query and /api/v1/query_range: parameters, a slot, the engine, the answer.
 *
 * Parameters are checked on the loop, in Prometheus' order (the first bad one decides the message), so
 * that a slip is answered at once; everything that can take time waits for a slot and runs on a worker.
 */
#include <inttypes.h>
#include <math.h>

#include "api/query_internal.h"
#include "api/restrict.h"
#include "base/log.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"

enum { POINTS_MAX = 11000 };

static bool has_feature(const struct api *api, const char *name)
{
    return config_list_has(api->o.config, OPT_ENABLE_FEATURE, name) ||
           config_list_has(api->o.config, OPT_ENABLE_FEATURE, "all");
}

static bool is_set(struct slice text)
{
    return slice_eq_str(text, "1") || slice_eq_str(text, "t") || slice_eq_str(text, "true");
}

static enum plan_look look_param(struct http_request *r)
{
    return is_set(param(r, "analyze")) ? PLAN_ANALYZE : is_set(param(r, "explain")) ? PLAN_EXPLAIN : PLAN_NONE;
}

static void stats_param(struct http_request *r, struct api *api, struct query_request *q)
{
    struct slice text = param(r, "stats");
    q->stats = text.len > 0;
    q->per_step = slice_eq_str(text, "all") && has_feature(api, "promql-per-step-stats");
    if (q->stats && !slice_eq_str(text, "all") && !slice_eq_str(text, "true")) {
        struct buf quoted = {0};
        goformat_quote(&quoted, text);
        q->stats_warning = arena_printf(r->arena,
                                        "value %s for parameter \"stats\" is deprecated and will be rejected in the "
                                        "next major release, use \"true\" or \"all\"",
                                        buf_cstr(&quoted));
        buf_deinit(&quoted);
    }
}

/* timeout, lookback_delta, stats: what both kinds of query take. */
static enum err common_params(struct http_request *r, struct api *api, struct query_request *q, struct errmsg *why)
{
    struct slice timeout = param(r, "timeout"), lookback = param(r, "lookback_delta");
    int64_t ns, most_ns = config_duration_ms(api->o.config, OPT_QUERY_TIMEOUT) * 1000000;
    q->timeout_ns = most_ns;
    if (timeout.len) {
        if (duration_ns_parse(timeout, &ns, why) != ERR_OK)
            return invalid_param(why, "timeout");
        q->timeout_ns = ns < most_ns ? ns : most_ns;
    }
    if (lookback.len) {
        if (duration_ns_parse(lookback, &ns, why) != ERR_OK)
            return err_wrap(why, ERR_INVALID, "error parsing lookback delta duration");
        q->exec.lookback_ms = ns > 0 ? ns / 1000000 : 0;
    }
    stats_param(r, api, q);
    q->exec.stats = q->stats;
    q->exec.per_step_stats = q->per_step;
    q->exec.look = look_param(r);
    q->text = param(r, "query");
    query_vm_params(r, q);
    int64_t digits;
    if (goparse_int(param(r, "round_digits"), 10, &digits, NULL) == ERR_OK && digits > -100 && digits < 100)
        q->round = pow(10, (double)digits);
    struct restriction only;
    TRY(restriction_parse(r, &only, why));
    q->exec.storage = only.count ? restriction_storage(r, api->o.storage, &only) : NULL;
    return ERR_OK;
}

static enum err instant_params(struct http_request *r, struct api *api, struct query_request *q, struct errmsg *why)
{
    int64_t now_ms = clock_now_ms(api->o.clock);
    TRY(param_limit(r, &q->limit, why));
    TRY(param_time(r, "time", now_ms, &q->exec.start_ms, why));
    q->exec.end_ms = q->exec.start_ms;
    return common_params(r, api, q, why);
}

static enum err range_bound(struct http_request *r, const char *name, struct instant *out, struct errmsg *why)
{
    if (instant_parse(param(r, name), out, why) != ERR_OK)
        return invalid_param(why, name);
    return ERR_OK;
}

/* end - start in nanoseconds, at most what 64 bits hold, as Go's Time.Sub. */
static int64_t span_ns(struct instant start, struct instant end)
{
    __int128 ns = ((__int128)end.seconds - start.seconds) * 1000000000 + end.ns - start.ns;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static enum err range_params(struct http_request *r, struct api *api, struct query_request *q, struct errmsg *why)
{
    struct instant start, end;
    int64_t step_ns;
    q->range = true;
    TRY(param_limit(r, &q->limit, why));
    TRY(range_bound(r, "start", &start, why));
    TRY(range_bound(r, "end", &end, why));
    if (end.seconds < start.seconds || (end.seconds == start.seconds && end.ns < start.ns)) {
        err_set(why, ERR_INVALID, "end timestamp must not be before start time");
        return invalid_param(why, "end");
    }
    if (duration_ns_parse(param(r, "step"), &step_ns, why) != ERR_OK)
        return invalid_param(why, "step");
    if (step_ns > 0 && span_ns(start, end) / step_ns > POINTS_MAX)
        return err_set(why, ERR_INVALID,
                       "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                       "resolution (?step=XX)");
    if (step_ns < 1000000) { /* Prometheus refuses only 0, and then divides by zero milliseconds */
        err_set(why, ERR_INVALID,
                "zero or negative query resolution step widths are not accepted. Try a positive integer");
        return invalid_param(why, "step");
    }
    q->exec.start_ms = instant_ms(start);
    q->exec.end_ms = instant_ms(end);
    q->exec.step_ms = step_ns / 1000000;
    return common_params(r, api, q, why);
}

/* ---- on a worker ---- */

static void log_slow(struct api *api, struct http_request *r, const struct query_request *q,
                     const struct query_stats *stats, double seconds, const char *error)
{
    double bound = (double)config_duration_ms(api->o.config, OPT_QUERY_LOG_SLOW) / 1000;
    if (bound <= 0 || seconds < bound)
        return;
    atomic_fetch_add_explicit(&api->slow_queries, 1, memory_order_relaxed);
    struct buf text = {0}, why = {0};
    goformat_quote(&text, q->text.len > 1024 ? slice_of(q->text.data, 1024) : q->text);
    goformat_quote(&why, slice_str(error));
    log_warn("api", "slow query",
             "duration=%.3fs query=%s start_ms=%" PRId64 " end_ms=%" PRId64 " step_ms=%" PRId64 " series=%" PRIu64
             " samples=%" PRIu64 " peak_bytes=%" PRIu64 " client=%.*s error=%s",
             seconds, buf_cstr(&text), q->exec.start_ms, q->exec.end_ms, q->exec.step_ms, stats->series_fetched,
             stats->samples_read, stats->peak_bytes, SLICE_ARG(r->peer), buf_cstr(&why));
    buf_deinit(&text);
    buf_deinit(&why);
}

static void finish(struct api *api, struct http_request *r, const struct query_request *q, const struct result *result,
                   const char *error)
{
    static const struct query_stats nothing;
    double seconds = (double)(clock_mono_ns(api->o.clock) - r->start_ns) * 1e-9;
    struct query_log_entry costs = {.at_ms = clock_now_ms(api->o.clock),
                                    .range_s = (q->exec.end_ms - q->exec.start_ms) / 1000,
                                    .seconds = seconds,
                                    .bytes = result ? result->stats.peak_bytes : 0};
    metric_observe(&api->query_seconds, seconds);
    query_log_add(&api->query_log, q->text, &costs);
    log_slow(api, r, q, result ? &result->stats : &nothing, seconds, error);
}

static const char *expression_type(enum value_type type)
{
    switch (type) {
    case VALUE_MATRIX:
        return "range vector";
    case VALUE_VECTOR:
        return "instant vector";
    default:
        return value_type_name(type);
    }
}

/* Whether the answer has been waited for too long, or by nobody any more. */
static bool too_late(struct api *api, struct http_request *r, const struct query_request *q)
{
    int64_t waited_ns = clock_mono_ns(api->o.clock) - q->entered_ns;
    metric_observe(&api->queue_seconds, (double)waited_ns * 1e-9);
    enum err err = cancel_check(&r->cancel);
    if (err == ERR_OK)
        return false;
    if (err == ERR_TIMEOUT)
        api_errorf(r, API_TIMEOUT, "query timed out in query %s", q->timeout_ns <= 0 ? "execution" : "queue");
    else
        api_error(r, API_CANCELED, "query was canceled in query queue");
    return true;
}

/* From text to a query that may run; otherwise what is wrong, as 400. */
static enum err prepare(struct api *api, const struct query_request *request, struct query **out, struct errmsg *why)
{
    struct query *query = NULL;
    enum err err = promql_parse(api->o.engine, request->text, &query, why);
    if (err != ERR_OK)
        return err;
    enum value_type type = promql_query_type(query);
    if (request->range && type != VALUE_SCALAR && type != VALUE_VECTOR)
        err = err_set(why, ERR_INVALID,
                      "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                      expression_type(type));
    if (err == ERR_OK)
        err = promql_prepare(api->o.engine, query, &request->exec, why);
    if (err != ERR_OK) {
        promql_query_free(query);
        return err;
    }
    *out = query;
    return ERR_OK;
}

static void note_names(struct http_request *r, struct api *api, const struct query *query)
{
    struct matcher_set *sets;
    uint32_t count = promql_selectors(query, r->arena, &sets);
    name_usage_note(&api->name_usage, sets, count, clock_now_ms(api->o.clock));
}

static void run(struct http_request *r, void *ctx)
{
    struct query_request *q = ctx;
    struct api *api = q->api;
    struct query *query;
    struct result *result = NULL;
    struct errmsg why = {0};
    if (too_late(api, r, q))
        return;
    if (prepare(api, q, &query, &why) != ERR_OK) {
        invalid_param(&why, "query");
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    note_names(r, api, query);
    q->exec.packed = q->range;
    q->exec.keep_failed = true;
    atomic_store_explicit(&q->running.phase, RUNNING_COMPUTING, memory_order_relaxed);
    enum err err = promql_exec(api->o.engine, query, &q->exec, &r->cancel, &result, &why);
    gate_leave(&api->queries, r); /* however slowly the answer is read, others may compute */
    atomic_store_explicit(&q->running.phase, RUNNING_ANSWERING, memory_order_relaxed);
    finish(api, r, q, err == ERR_OK ? result : NULL, why.text);
    if (err != ERR_OK) {
        api_error(r, api_error_of(err), why.text);
    } else {
        result->stats.queue_s += (double)(q->started_ns - q->entered_ns) * 1e-9;
        atomic_fetch_add_explicit(&api->query_samples, result->stats.total_queryable_samples, memory_order_relaxed);
        atomic_fetch_add_explicit(&api->query_samples_read, result->stats.samples_read, memory_order_relaxed);
        query_answer(r, q, result);
    }
    promql_result_free(result); /* r has been answered: what it held can take its time */
    promql_query_free(query);
}

static void start(struct http_request *r, void *ctx)
{
    struct query_request *q = ctx;
    q->started_ns = clock_mono_ns(q->api->o.clock);
    run(r, q);
}

/* ---- on the loop ---- */

typedef enum err (*params_reader)(struct http_request *r, struct api *api, struct query_request *q, struct errmsg *why);

static void enter(struct http_request *r, struct api *api, params_reader read)
{
    struct query_request *q = ARENA_NEW(r->arena, struct query_request);
    struct errmsg why = {0};
    q->api = api;
    http_params_parse(r, NULL); /* what is broken in a form counts as missing here, as in Prometheus */
    if (read(r, api, q, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    q->entered_ns = clock_mono_ns(api->o.clock);
    int64_t left_ns = q->timeout_ns > 0 ? q->timeout_ns : 0;
    r->cancel.clock = api->o.clock;
    r->cancel.deadline_ns = q->entered_ns + left_ns;
    q->running = (struct running_query){.r = r,
                                        .text = q->text,
                                        .start_ms = q->exec.start_ms,
                                        .end_ms = q->exec.end_ms,
                                        .step_ms = q->exec.step_ms,
                                        .since_ns = q->entered_ns};
    running_add(&api->running, &q->running);
    gate_enter(&api->queries, r, start, q);
}

void on_query(struct http_request *r, void *ctx)
{
    enter(r, ctx, instant_params);
}

void on_query_range(struct http_request *r, void *ctx)
{
    enter(r, ctx, range_params);
}
