/* hist_wire.c - what comes from outside: checked with Prometheus' rules and texts, integers made floats. */
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "histogram/hist_internal.h"
#include "numeric/goformat.h"

enum { SCHEMA_RESERVED_MAX = 52 };

static const char spans_mismatch[] = "histogram spans specify different number of buckets than provided";
static const char span_negative[] = "histogram has a span whose offset is negative";
static const char bucket_negative[] = "histogram has a bucket whose observation count is negative";

static bool schema_is_exponential(int32_t schema)
{
    return schema >= HISTOGRAM_SCHEMA_MIN && schema <= SCHEMA_RESERVED_MAX;
}

static enum err schema_invalid(int32_t schema, struct errmsg *why)
{
    return err_set(
        why, ERR_INVALID,
        "histogram has an invalid schema, which must be between %d and %d for exponential buckets, or %d for "
        "custom buckets, got schema %d",
        HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_SCHEMA_CUSTOM, schema);
}

/* Lengths must add up, offsets after the first must not be negative, indices must fit 32 bits. */
static enum err check_spans(const struct histogram_span *spans, uint32_t count, uint32_t buckets, struct errmsg *why)
{
    uint64_t need = 0;
    int64_t index = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && spans[i].offset < 0)
            return err_set(why, ERR_INVALID, "span number %u with offset %d: %s", i + 1, spans[i].offset,
                           span_negative);
        need += spans[i].length;
        index += (int64_t)spans[i].offset + spans[i].length;
        if (index > INT32_MAX || index < INT32_MIN)
            return err_set(why, ERR_INVALID, "span number %u reaches bucket %lld, which is past all numbers", i + 1,
                           (long long)index);
    }
    if (need != buckets)
        return err_set(why, ERR_INVALID, "spans need %llu buckets, have %u buckets: %s", (unsigned long long)need,
                       buckets, spans_mismatch);
    return ERR_OK;
}

static enum err check_bounds(const double *bounds, uint32_t count, struct errmsg *why)
{
    for (uint32_t i = 0; i < count; i++) {
        if (isnan(bounds[i]))
            return err_set(why, ERR_INVALID, "custom buckets: histogram custom bounds must not be NaN");
        if (i > 0 && bounds[i] <= bounds[i - 1]) {
            char a[GOFORMAT_BYTES_MAX], b[GOFORMAT_BYTES_MAX];
            int before = (int)goformat_float(a, bounds[i - 1], 'f', 6), now = (int)goformat_float(b, bounds[i], 'f', 6);
            return err_set(why, ERR_INVALID,
                           "custom buckets: previous bound is %.*s and current is %.*s: histogram custom bounds must be in "
                           "strictly increasing order",
                           before, a, now, b);
        }
    }
    if (count > 0 && bounds[count - 1] == INFINITY)
        return err_set(
            why, ERR_INVALID,
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be "
            "finite");
    return ERR_OK;
}

static enum err check_custom_spans(const struct histogram_span *spans, uint32_t count, uint32_t buckets,
                                   uint32_t bounds, struct errmsg *why)
{
    uint64_t need = 0, reach = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].offset < 0)
            return err_set(why, ERR_INVALID, "custom buckets: span number %u with offset %d: %s", i + 1,
                           spans[i].offset, span_negative);
        need += spans[i].length;
        reach += (uint64_t)spans[i].length + (uint32_t)spans[i].offset;
    }
    if (need != buckets)
        return err_set(why, ERR_INVALID, "custom buckets: spans need %llu buckets, have %u buckets: %s",
                       (unsigned long long)need, buckets, spans_mismatch);
    if ((uint64_t)bounds + 1 < reach)
        return err_set(
            why, ERR_INVALID,
            "custom buckets: only %u custom bounds defined which is insufficient to cover total span length of "
            "%llu: histogram custom bounds are too few",
            bounds, (unsigned long long)reach);
    return ERR_OK;
}

/* What both kinds of histogram share. */
struct shape {
    int32_t schema;
    double zero_threshold;
    bool zero_count; /* is there one */
    uint32_t positive_span_count, negative_span_count, positive_count, negative_count, bound_count;
    const struct histogram_span *positive_spans, *negative_spans;
    const double *bounds;
};

static enum err check_custom(const struct shape *s, struct errmsg *why)
{
    TRY(check_bounds(s->bounds, s->bound_count, why));
    TRY(check_custom_spans(s->positive_spans, s->positive_span_count, s->positive_count, s->bound_count, why));
    if (s->zero_count)
        return err_set(why, ERR_INVALID, "custom buckets: must have zero count of 0");
    if (s->zero_threshold != 0)
        return err_set(why, ERR_INVALID, "custom buckets: must have zero threshold of 0");
    if (s->negative_span_count > 0)
        return err_set(why, ERR_INVALID, "custom buckets: must not have negative spans");
    if (s->negative_count > 0)
        return err_set(why, ERR_INVALID, "custom buckets: must not have negative buckets");
    return ERR_OK;
}

static enum err check_exponential(const struct shape *s, struct errmsg *why)
{
    enum err err = check_spans(s->positive_spans, s->positive_span_count, s->positive_count, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "positive side");
    err = check_spans(s->negative_spans, s->negative_span_count, s->negative_count, why);
    return err == ERR_OK ? err : err_wrap(why, err, "negative side");
}

static enum err check_shape(const struct shape *s, struct errmsg *why)
{
    if (s->schema == HISTOGRAM_SCHEMA_CUSTOM)
        return check_custom(s, why);
    if (!schema_is_exponential(s->schema))
        return schema_invalid(s->schema, why);
    return check_exponential(s, why);
}

static enum err check_no_bounds(const struct shape *s, struct errmsg *why)
{
    if (s->schema != HISTOGRAM_SCHEMA_CUSTOM && s->bound_count > 0)
        return err_set(why, ERR_INVALID, "histogram with exponential schema must not have custom bounds");
    return ERR_OK;
}

/* "<text with the number>: <reason>"; numbers as Go's %v. */
static enum err count_invalid(struct errmsg *why, const char *prefix, double v, const char *reason)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_float(text, v, 'g', -1);
    return err_set(why, ERR_INVALID, "%s%.*s: %s", prefix, (int)len, text, reason);
}

/* ---- Floats ---- */

static enum err check_counts(const double *buckets, uint32_t count, const char *side, struct errmsg *why)
{
    for (uint32_t i = 0; i < count; i++)
        if (buckets[i] < 0) {
            char prefix[80];
            snprintf(prefix, sizeof prefix, "%s side: bucket number %u has observation count of ", side, i + 1);
            return count_invalid(why, prefix, buckets[i], bucket_negative);
        }
    return ERR_OK;
}

enum err histogram_validate(const struct histogram *h, struct errmsg *why)
{
    struct shape shape = {.schema = h->schema,
                          .zero_threshold = h->zero_threshold,
                          .zero_count = h->zero_count != 0,
                          .positive_span_count = h->positive_span_count,
                          .negative_span_count = h->negative_span_count,
                          .positive_count = h->positive_count,
                          .negative_count = h->negative_count,
                          .bound_count = h->bound_count,
                          .positive_spans = h->positive_spans,
                          .negative_spans = h->negative_spans,
                          .bounds = h->bounds};
    TRY(check_shape(&shape, why));
    TRY(check_counts(h->negative, h->negative_count, "negative", why));
    if (h->zero_count < 0)
        return count_invalid(why, "zero bucket has observation count of ", h->zero_count, bucket_negative);
    TRY(check_no_bounds(&shape, why));
    if (h->count < 0)
        return count_invalid(why, "observation count is  ", h->count, "histogram's observation count is negative");
    return check_counts(h->positive, h->positive_count, "positive", why);
}

/* ---- Integers ---- */

static enum err check_deltas(const int64_t *deltas, uint32_t count, const char *side, uint64_t *sum, struct errmsg *why)
{
    int64_t current = 0;
    for (uint32_t i = 0; i < count; i++) {
        current = (int64_t)((uint64_t)current + (uint64_t)deltas[i]); /* wraps as in Go */
        if (current < 0)
            return err_set(why, ERR_INVALID, "%s side: bucket number %u has observation count of %lld: %s", side, i + 1,
                           (long long)current, bucket_negative);
        *sum += (uint64_t)current;
    }
    return ERR_OK;
}

enum err histogram_validate_integers(const struct histogram_integers *h, struct errmsg *why)
{
    struct shape shape = {.schema = h->schema,
                          .zero_threshold = h->zero_threshold,
                          .zero_count = h->zero_count != 0,
                          .positive_span_count = h->positive_span_count,
                          .negative_span_count = h->negative_span_count,
                          .positive_count = h->positive_count,
                          .negative_count = h->negative_count,
                          .bound_count = h->bound_count,
                          .positive_spans = h->positive_spans,
                          .negative_spans = h->negative_spans,
                          .bounds = h->bounds};
    uint64_t sum = h->zero_count;
    TRY(check_shape(&shape, why));
    TRY(check_deltas(h->negative, h->negative_count, "negative", &sum, why));
    TRY(check_no_bounds(&shape, why));
    TRY(check_deltas(h->positive, h->positive_count, "positive", &sum, why));
    if (isnan(h->sum) ? sum > h->count : sum != h->count)
        return err_set(why, ERR_INVALID, "%llu observations found in buckets, but the Count field is %llu: %s",
                       (unsigned long long)sum, (unsigned long long)h->count,
                       isnan(h->sum)
                           ? "histogram's observation count should be at least the number of observations found "
                             "in the buckets"
                           : "histogram's observation count should equal the number of observations found in "
                             "the buckets (in absence of NaN)");
    return ERR_OK;
}

static const double *absolute(struct arena *arena, const int64_t *deltas, uint32_t count)
{
    double *out = arena_alloc(arena, (count + 1) * sizeof *out), current = 0;
    for (uint32_t i = 0; i < count; i++)
        out[i] = current += (double)deltas[i];
    return out;
}

const struct histogram *histogram_from_integers(struct arena *arena, const struct histogram_integers *h)
{
    struct histogram *out = ARENA_NEW(arena, struct histogram);
    *out = (struct histogram){.schema = h->schema,
                              .reset_hint = h->reset_hint,
                              .zero_threshold = h->zero_threshold,
                              .zero_count = (double)h->zero_count,
                              .count = (double)h->count,
                              .sum = h->sum,
                              .positive_span_count = h->positive_span_count,
                              .negative_span_count = h->negative_span_count,
                              .positive_count = h->positive_count,
                              .negative_count = h->negative_count,
                              .bound_count = h->bound_count,
                              .positive_spans = h->positive_spans,
                              .negative_spans = h->negative_spans,
                              .positive = absolute(arena, h->positive, h->positive_count),
                              .negative = absolute(arena, h->negative, h->negative_count),
                              .bounds = h->bounds};
    return h->schema > HISTOGRAM_SCHEMA_MAX ? histogram_reduce(arena, out, HISTOGRAM_SCHEMA_MAX) : out;
}
