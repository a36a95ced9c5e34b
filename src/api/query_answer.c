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

/* Texts of times: those of a range are the same for each of its series. */
enum { TIME_TEXTS_BITS = 9, TIME_TEXT_MAX = 23 };
struct time_texts {
    struct {
        int64_t t_ms;
        uint8_t len; /* 0: nothing is here */
        char text[TIME_TEXT_MAX];
    } list[1 << TIME_TEXTS_BITS];
};

/* There is room for TIME_TEXT_MAX bytes. */
static size_t print_time(char *out, struct time_texts *texts, int64_t t_ms)
{
    size_t at = (size_t)((uint64_t)t_ms * UINT64_C(0x9e3779b97f4a7c15) >> (64 - TIME_TEXTS_BITS));
    if (!texts)
        return goformat_seconds(out, t_ms);
    if (!texts->list[at].len || texts->list[at].t_ms != t_ms) {
        texts->list[at].t_ms = t_ms;
        texts->list[at].len = (uint8_t)goformat_seconds(texts->list[at].text, t_ms);
    }
    memcpy(out, texts->list[at].text, TIME_TEXT_MAX);
    return texts->list[at].len;
}

static void json_point(struct buf *out, const struct query_request *q, const struct point *p, struct time_texts *texts)
{
    enum { ROOM = GOFORMAT_BYTES_MAX + TIME_TEXT_MAX + 8 };
    char *begin = (char *)buf_reserve(out, ROOM), *at = begin;
    if (!begin)
        return;
    *at++ = '[';
    at += print_time(at, texts, p->t_ms);
    *at++ = ',';
    if (!p->h) {
        *at++ = '"';
        at += goformat_json(at, rounded(p->v, q));
        *at++ = '"';
        *at++ = ']';
        out->len += (size_t)(at - begin);
        return;
    }
    out->len += (size_t)(at - begin);
    json_histogram(out, p->h);
    buf_u8(out, ']');
}

static void json_vector_element(struct buf *out, const struct query_request *q, const struct result_series *s)
{
    buf_str(out, "{\"metric\":");
    json_labels(out, &s->labels);
    buf_str(out, s->points[0].h ? ",\"histogram\":" : ",\"value\":");
    json_point(out, q, &s->points[0], NULL);
    buf_u8(out, '}');
}

/* ,"values":[...] or ,"histograms":[...]: the points of one kind, nothing when there are none. */
static void json_points(struct answer *a, const struct query_request *q, const struct point *points, uint32_t count,
                        bool histograms, struct time_texts *texts)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if ((points[i].h != NULL) != histograms)
            continue;
        if (any)
            buf_u8(&a->out, ',');
        else
            buf_str(&a->out, histograms ? ",\"histograms\":[" : ",\"values\":[");
        json_point(&a->out, q, &points[i], texts);
        any = true;
        answer_flush(a);
    }
    if (any)
        buf_u8(&a->out, ']');
}

struct scratch {
    struct point *points; /* of one series at a time, unpacked */
    size_t capacity;
    struct time_texts *texts; /* NULL: there is one series */
};

static void json_matrix_element(struct answer *a, const struct query_request *q, const struct result_series *s,
                                struct scratch *scratch)
{
    if (s->packed)
        scratch->points = mem_grow(scratch->points, &scratch->capacity, s->point_count, sizeof *scratch->points);
    const struct point *points = promql_points(s, scratch->points);
    buf_str(&a->out, "{\"metric\":");
    json_labels(&a->out, &s->labels);
    json_points(a, q, points, s->point_count, false, scratch->texts);
    json_points(a, q, points, s->point_count, true, scratch->texts);
    buf_u8(&a->out, '}');
}

/* An answer so long may be read for long: it must not keep the storage waiting. */
enum { DETACH_BYTES = 1 << 20 };

static void json_series(struct answer *a, const struct query_request *q, struct result *result, uint64_t count)
{
    bool detached = false;
    struct scratch scratch = {0};
    if (result->type == VALUE_MATRIX && count > 1)
        scratch.texts = mem_zalloc(sizeof *scratch.texts);
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
    mem_free(scratch.texts);
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
