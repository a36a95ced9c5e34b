/*
 * query_answer.c - a result as JSON.
 *
 * Samples of vectors and matrices and the one value of a scalar query go through different encoders in
 * Prometheus: [1.500,"1e-07"] there, [1.5,"0.0000001"] here.
 */
#include <stdlib.h>

#include <math.h>

#include "api/query_internal.h"
#include "base/mem.h"
#include "numeric/goformat.h"

static void json_scalar_time(struct buf *out, int64_t t_ms)
{
    json_number(out, (double)t_ms / 1000);
}

/* round_digits of VictoriaMetrics. */
static double rounded(double v, const struct query_request *q)
{
    return q->round > 0 ? round(v * q->round) / q->round : v;
}

static void json_point(struct buf *out, const struct query_request *q, const struct point *p)
{
    buf_u8(out, '[');
    json_seconds(out, p->t_ms);
    buf_u8(out, ',');
    if (p->h)
        json_histogram(out, p->h);
    else
        json_float(out, rounded(p->v, q));
    buf_u8(out, ']');
}

static void json_vector_element(struct buf *out, const struct query_request *q, const struct result_series *s)
{
    buf_str(out, "{\"metric\":");
    json_labels(out, &s->labels);
    buf_str(out, s->points[0].h ? ",\"histogram\":" : ",\"value\":");
    json_point(out, q, &s->points[0]);
    buf_u8(out, '}');
}

/* ,"values":[...] or ,"histograms":[...]: the points of one kind, nothing when there are none. */
static void json_points(struct answer *a, const struct query_request *q, const struct point *points, uint32_t count,
                        bool histograms)
{
    const char *before = histograms ? ",\"histograms\":[" : ",\"values\":[";
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if ((points[i].h != NULL) != histograms)
            continue;
        buf_str(&a->out, any ? "," : before);
        json_point(&a->out, q, &points[i]);
        any = true;
        answer_flush(a);
    }
    if (any)
        buf_u8(&a->out, ']');
}

/* Points of one series at a time, unpacked. */
struct scratch {
    struct point *points;
    size_t capacity;
};

static void json_matrix_element(struct answer *a, const struct query_request *q, const struct result_series *s,
                                struct scratch *scratch)
{
    if (s->packed)
        scratch->points = mem_grow(scratch->points, &scratch->capacity, s->point_count, sizeof *scratch->points);
    const struct point *points = promql_points(s, scratch->points);
    buf_str(&a->out, "{\"metric\":");
    json_labels(&a->out, &s->labels);
    json_points(a, q, points, s->point_count, false);
    json_points(a, q, points, s->point_count, true);
    buf_u8(&a->out, '}');
}

/* An answer so long may be read for long: it must not keep the storage waiting. */
enum { DETACH_BYTES = 1 << 20 };

static void json_series(struct answer *a, const struct query_request *q, struct result *result, uint64_t count)
{
    bool detached = false;
    struct scratch scratch = {0};
    buf_u8(&a->out, '[');
    for (uint64_t i = 0; i < count && !a->gone; i++) {
        if (!detached && a->sent > DETACH_BYTES) {
            promql_result_detach(result, i); /* or it stays as it is */
            detached = true;
        }
        if (i)
            buf_u8(&a->out, ',');
        if (result->type == VALUE_VECTOR)
            json_vector_element(&a->out, q, &result->series[i]);
        else
            json_matrix_element(a, q, &result->series[i], &scratch);
        answer_flush(a);
    }
    buf_u8(&a->out, ']');
    mem_free(scratch.points);
}

static void json_scalar(struct buf *out, const struct result *result)
{
    buf_u8(out, '[');
    json_scalar_time(out, result->scalar_t_ms);
    if (result->type == VALUE_STRING) {
        buf_u8(out, ',');
        json_string_html(out, result->string);
    } else {
        buf_str(out, ",\"");
        goformat_append(out, result->scalar, 'f', -1);
        buf_u8(out, '"');
    }
    buf_u8(out, ']');
}

static void json_key_number(struct buf *out, const char *key, double value)
{
    buf_printf(out, "\"%s\":", key);
    json_number(out, value);
}

static void json_per_step(struct buf *out, const struct query_request *q, const char *key, const uint64_t *counts,
                          uint32_t count)
{
    if (!q->per_step || !counts)
        return;
    buf_printf(out, "\"%s\":[", key);
    for (uint32_t i = 0; i < count; i++) {
        buf_str(out, i ? ",[" : "[");
        json_scalar_time(out, q->exec.start_ms + (int64_t)i * q->exec.step_ms);
        buf_printf(out, ",%llu]", (unsigned long long)counts[i]);
    }
    buf_str(out, "],");
}

static void json_stats(struct buf *out, const struct query_request *q, const struct query_stats *s)
{
    json_key_number(out, "evalTotalTime", s->eval_total_s);
    buf_u8(out, ',');
    json_key_number(out, "resultSortTime", s->sort_s);
    buf_u8(out, ',');
    json_key_number(out, "queryPreparationTime", s->preparation_s);
    buf_u8(out, ',');
    json_key_number(out, "innerEvalTime", s->inner_eval_s);
    buf_u8(out, ',');
    json_key_number(out, "execQueueTime", s->queue_s);
    buf_u8(out, ',');
    json_key_number(out, "execTotalTime", s->exec_total_s);
    buf_str(out, "},\"samples\":{");
    json_per_step(out, q, "totalQueryableSamplesPerStep", s->per_step, s->step_count);
    buf_printf(out, "\"totalQueryableSamples\":%llu,", (unsigned long long)s->total_queryable_samples);
    json_per_step(out, q, "samplesReadPerStep", s->read_per_step, s->step_count);
    buf_printf(out, "\"samplesRead\":%llu,\"peakSamples\":%llu}}", (unsigned long long)s->samples_read,
               (unsigned long long)s->peak_samples);
}

enum { WARNINGS_SHOWN = 10 }; /* the engine shows so many, then says how many more there are */

/* Puts the warning about a cut result into the list, or counts it among those that are not shown. */
static void add_limit_warning(struct http_request *r, const char **list, uint32_t *n)
{
    uint64_t more = *n > WARNINGS_SHOWN ? strtoull(list[WARNINGS_SHOWN], NULL, 10) : 0;
    if (*n < WARNINGS_SHOWN) {
        list[(*n)++] = api_limit_warning;
        return;
    }
    list[WARNINGS_SHOWN] =
        arena_printf(r->arena, "%llu more warning annotations omitted", (unsigned long long)(more + 1));
    *n = WARNINGS_SHOWN + 1;
}

/* The engine's warnings and what the API has to add. */
static struct texts all_warnings(struct http_request *r, const struct query_request *q, const struct result *result,
                                 bool cut)
{
    uint32_t count = result->warning_count + cut + (q->stats_warning != NULL), n = 0;
    if (!count)
        return NO_TEXTS;
    const char **list = ARENA_ARRAY(r->arena, const char *, count);
    while (n < result->warning_count) {
        list[n] = result->warnings[n];
        n++;
    }
    if (cut)
        add_limit_warning(r, list, &n);
    if (q->stats_warning)
        list[n++] = q->stats_warning;
    return (struct texts){n, list};
}

void query_answer(struct http_request *r, const struct query_request *q, struct result *result)
{
    struct answer a;
    bool has_series = result->type == VALUE_VECTOR || result->type == VALUE_MATRIX;
    bool cut = has_series && q->limit && result->series_count > q->limit;
    answer_begin(&a, r);
    buf_printf(&a.out, "{\"resultType\":\"%s\",\"result\":", value_type_name(result->type));
    if (has_series)
        json_series(&a, q, result, cut ? q->limit : result->series_count);
    else
        json_scalar(&a.out, result);
    if (q->stats) {
        buf_str(&a.out, ",\"stats\":{\"timings\":{");
        json_stats(&a.out, q, &result->stats);
    }
    if (result->plan)
        json_plan(&a.out, result->plan, &result->stats);
    buf_u8(&a.out, '}');
    a.more = query_vm_members(r, q, result);
    answer_end(&a, all_warnings(r, q, result, cut), (struct texts){result->info_count, result->infos});
}
