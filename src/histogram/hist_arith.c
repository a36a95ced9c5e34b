/* hist_arith.c - operations that make a new histogram of one or two. */
#include <string.h>

#include "base/assert.h"
#include "histogram/hist_internal.h"

const struct histogram *histogram_copy(struct arena *arena, const struct histogram *h)
{
    struct hist_work w;
    hist_work_init(&w, arena, h, false);
    double *bounds = h->bound_count ? arena_alloc(arena, h->bound_count * sizeof *bounds) : NULL;
    if (bounds)
        memcpy(bounds, h->bounds, h->bound_count * sizeof *bounds);
    w.custom.bounds = bounds;
    return hist_work_result(&w);
}

const struct histogram *histogram_with_hint(struct arena *arena, const struct histogram *h, enum reset_hint hint)
{
    if (h->reset_hint == hint)
        return h;
    struct histogram *copy = ARENA_NEW(arena, struct histogram);
    *copy = *h;
    copy->reset_hint = hint;
    return copy;
}

enum scaling { MULTIPLY, DIVIDE };

static double scaled(double v, enum scaling how, double by)
{
    return how == MULTIPLY ? v * by : v / by;
}

static const double *scaled_buckets(struct arena *arena, const double *from, uint32_t count, enum scaling how,
                                    double by)
{
    double *to = arena_alloc(arena, (count + 1) * sizeof *to);
    for (uint32_t i = 0; i < count; i++)
        to[i] = scaled(from[i], how, by);
    return to;
}

static struct histogram *scale(struct arena *arena, const struct histogram *h, enum scaling how, double by)
{
    struct histogram *out = ARENA_NEW(arena, struct histogram);
    *out = *h;
    out->zero_count = scaled(h->zero_count, how, by);
    out->count = scaled(h->count, how, by);
    out->sum = scaled(h->sum, how, by);
    out->positive = scaled_buckets(arena, h->positive, h->positive_count, how, by);
    out->negative = scaled_buckets(arena, h->negative, h->negative_count, how, by);
    if (by < 0)
        out->reset_hint = RESET_GAUGE;
    return out;
}

const struct histogram *histogram_mul(struct arena *arena, const struct histogram *h, double factor)
{
    return scale(arena, h, MULTIPLY, factor);
}

const struct histogram *histogram_div(struct arena *arena, const struct histogram *h, double divisor)
{
    struct histogram *out = scale(arena, h, DIVIDE, divisor);
    if (divisor == 0) { /* no buckets are left of it */
        out->positive_count = out->negative_count = 0;
        out->positive_span_count = out->negative_span_count = 0;
    }
    return out;
}

static enum err combine(struct arena *arena, const struct histogram *a, const struct histogram *b, double sign,
                        const struct histogram **out, unsigned *notes)
{
    struct hist_work w;
    unsigned ignored = 0;
    if (histogram_is_custom(a) != histogram_is_custom(b))
        return ERR_INVALID;
    hist_work_init(&w, arena, a, false);
    enum err err = hist_work_add(&w, b, sign, notes ? notes : &ignored);
    if (err == ERR_OK)
        *out = hist_work_result(&w);
    return err;
}

enum err histogram_add(struct arena *arena, const struct histogram *a, const struct histogram *b,
                       const struct histogram **out, unsigned *notes)
{
    return combine(arena, a, b, 1, out, notes);
}

enum err histogram_sub(struct arena *arena, const struct histogram *a, const struct histogram *b,
                       const struct histogram **out, unsigned *notes)
{
    return combine(arena, a, b, -1, out, notes);
}

const struct histogram *histogram_compact(struct arena *arena, const struct histogram *h)
{
    struct hist_side positive = hist_side_of(h, HIST_POSITIVE), negative = hist_side_of(h, HIST_NEGATIVE);
    if (hist_is_compact(&positive) && hist_is_compact(&negative))
        return h;
    struct hist_work w;
    hist_work_init(&w, arena, h, false);
    hist_work_compact(&w);
    return hist_work_result(&w);
}

const struct histogram *histogram_reduce(struct arena *arena, const struct histogram *h, int32_t schema)
{
    assert(!histogram_is_custom(h) && schema >= HISTOGRAM_SCHEMA_MIN && schema <= h->schema);
    if (schema == h->schema)
        return h;
    struct hist_work w;
    hist_work_init(&w, arena, h, false);
    for (int i = 0; i < 2; i++) {
        struct hist_side side = hist_side_of(h, i);
        hist_reduce(&w.side[i], arena, &side, h->schema, schema, false);
    }
    w.schema = schema;
    return hist_work_result(&w);
}
