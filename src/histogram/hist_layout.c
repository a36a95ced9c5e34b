/* hist_layout.c - sides of histograms: building, merging, coarsening, dropping what is empty. */
#include <string.h>

#include "base/assert.h"
#include "histogram/hist_internal.h"
#include "numeric/gomath.h"

void hist_buf_reset(struct hist_buf *b, struct arena *arena, uint32_t spans, uint32_t buckets, bool compensated)
{
    if (spans > b->span_capacity || !b->spans) {
        b->span_capacity = spans + spans / 2 + 2;
        b->spans = arena_alloc(arena, b->span_capacity * sizeof *b->spans);
    }
    if (buckets > b->bucket_capacity || !b->buckets) {
        b->bucket_capacity = buckets + buckets / 2 + 4;
        b->buckets = arena_alloc(arena, b->bucket_capacity * sizeof *b->buckets);
        b->comp = NULL;
    }
    if (compensated && !b->comp)
        b->comp = arena_alloc(arena, b->bucket_capacity * sizeof *b->comp);
    b->span_count = b->bucket_count = 0;
    b->end = 0;
}

void hist_buf_copy(struct hist_buf *to, struct arena *arena, const struct hist_side *from, bool compensated)
{
    hist_buf_reset(to, arena, from->span_count, from->bucket_count, compensated);
    if (from->span_count)
        memcpy(to->spans, from->spans, from->span_count * sizeof *to->spans);
    if (from->bucket_count)
        memcpy(to->buckets, from->buckets, from->bucket_count * sizeof *to->buckets);
    if (compensated && from->bucket_count) {
        if (from->comp)
            memcpy(to->comp, from->comp, from->bucket_count * sizeof *to->comp);
        else
            memset(to->comp, 0, from->bucket_count * sizeof *to->comp);
    }
    to->span_count = from->span_count;
    to->bucket_count = from->bucket_count;
}

struct hist_side hist_buf_side(const struct hist_buf *b)
{
    return (struct hist_side){b->spans, b->buckets, b->comp, b->span_count, b->bucket_count};
}

static void open_span(struct hist_buf *b, int64_t index, uint32_t length)
{
    assert(b->span_count < b->span_capacity);
    b->spans[b->span_count] = (struct histogram_span){(int32_t)(index - b->end), length};
    b->span_count++;
    b->end = index + length;
}

static void append_bucket(struct hist_buf *b, double value, double comp)
{
    assert(b->bucket_count < b->bucket_capacity);
    b->buckets[b->bucket_count] = value;
    if (b->comp)
        b->comp[b->bucket_count] = comp;
    b->bucket_count++;
}

void hist_buf_add(struct hist_buf *b, int64_t index, double value, double comp)
{
    if (b->span_count > 0 && index == b->end) {
        b->spans[b->span_count - 1].length++;
        b->end++;
    } else {
        open_span(b, index, 1);
    }
    append_bucket(b, value, comp);
}

static double comp_of(const struct hist_side *s, uint32_t i)
{
    return s->comp ? s->comp[i] : 0;
}

/* ---- Coarser schema ---- */

void hist_reduce(struct hist_buf *to, struct arena *arena, const struct hist_side *from, int32_t schema, int32_t target,
                 bool compensated)
{
    struct hist_walk w;
    hist_buf_reset(to, arena, from->bucket_count, from->bucket_count, compensated);
    hist_walk_init(&w, from);
    while (hist_walk_next(&w)) {
        int32_t index = hist_target_index(w.index, schema, target);
        double value = from->buckets[w.at], comp = comp_of(from, w.at);
        if (to->span_count == 0 || index != to->end - 1) {
            hist_buf_add(to, index, value, comp);
            continue;
        }
        uint32_t last = to->bucket_count - 1;
        if (!compensated) {
            to->buckets[last] += value;
            continue;
        }
        gomath_kahan_add(value, &to->buckets[last], &to->comp[last]);
        gomath_kahan_add(comp, &to->buckets[last], &to->comp[last]);
    }
}

/* ---- Compaction ---- */

bool hist_is_compact(const struct hist_side *side)
{
    for (uint32_t i = 0; i < side->bucket_count; i++)
        if (side->buckets[i] == 0 && comp_of(side, i) == 0)
            return false;
    for (uint32_t i = 0; i < side->span_count; i++)
        if (side->spans[i].length == 0 || (i > 0 && side->spans[i].offset <= 0))
            return false;
    return true;
}

void hist_compact(struct hist_buf *to, struct arena *arena, const struct hist_side *from, bool compensated)
{
    struct hist_walk w;
    hist_buf_reset(to, arena, from->bucket_count, from->bucket_count, compensated);
    hist_walk_init(&w, from);
    while (hist_walk_next(&w))
        if (from->buckets[w.at] != 0 || comp_of(from, w.at) != 0)
            hist_buf_add(to, w.index, from->buckets[w.at], comp_of(from, w.at));
}

/* ---- Merging ---- */

static void add_to_bucket(struct hist_buf *to, uint32_t at, double value, double comp, const struct hist_merge *m)
{
    if (!m->compensated) {
        to->buckets[at] += value;
        return;
    }
    gomath_kahan_add(value, &to->buckets[at], &to->comp[at]);
    if (comp != 0)
        gomath_kahan_add(comp, &to->buckets[at], &to->comp[at]);
}

/* Moves b's walk to its first bucket above the threshold. */
static bool skip_zero_bucket(struct hist_walk *w, const struct hist_merge *m)
{
    bool more = hist_walk_next(w);
    if (m->schema != HISTOGRAM_SCHEMA_CUSTOM)
        while (more && histogram_bound((int32_t)w->index, m->schema) <= m->threshold)
            more = hist_walk_next(w);
    return more;
}

/* b's buckets from the walk on that lie before `stop`, where a's next span begins. */
static bool merge_gap(struct hist_buf *to, struct hist_walk *b, int64_t stop, const struct hist_merge *m,
                      bool *prepended)
{
    bool more = true;
    *prepended = false;
    while (more && b->index < stop) {
        double value = b->side->buckets[b->at] * m->sign, comp = comp_of(b->side, b->at) * m->sign;
        *prepended = b->index == stop - 1 && !(to->span_count > 0 && b->index == to->end);
        hist_buf_add(to, b->index, value, comp);
        more = hist_walk_next(b);
    }
    return more;
}

void hist_merge(struct hist_buf *to, struct arena *arena, const struct hist_side *a, const struct hist_side *b,
                const struct hist_merge *m)
{
    struct hist_walk w;
    int64_t start = 0;
    uint32_t at = 0;
    hist_buf_reset(to, arena, a->span_count + b->bucket_count, a->bucket_count + b->bucket_count, m->compensated);
    hist_walk_init(&w, b);
    bool more = skip_zero_bucket(&w, m), prepended;
    for (uint32_t i = 0; i < a->span_count; i++) {
        start += a->spans[i].offset;
        if (more)
            more = merge_gap(to, &w, start, m, &prepended);
        else
            prepended = false;
        if (prepended) { /* b's bucket right before the span became its first */
            to->spans[to->span_count - 1].length += a->spans[i].length;
            to->end += a->spans[i].length;
        } else {
            open_span(to, start, a->spans[i].length);
        }
        for (uint32_t n = 0; n < a->spans[i].length && at < a->bucket_count; n++, start++, at++) {
            append_bucket(to, a->buckets[at], comp_of(a, at));
            if (more && w.index == start) {
                add_to_bucket(to, to->bucket_count - 1, b->buckets[w.at] * m->sign, comp_of(b, w.at) * m->sign, m);
                more = hist_walk_next(&w);
            }
        }
    }
    if (more)
        merge_gap(to, &w, INT64_MAX, m, &prepended);
}

bool hist_merge_same(struct hist_buf *a, const struct hist_side *b, const struct hist_merge *m)
{
    if (a->span_count != b->span_count || a->bucket_count != b->bucket_count)
        return false;
    if (a->span_count && memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) != 0)
        return false;
    if (m->schema != HISTOGRAM_SCHEMA_CUSTOM && m->threshold > 0 && a->span_count > 0 &&
        histogram_bound(b->spans[0].offset, m->schema) <= m->threshold)
        return false;
    for (uint32_t i = 0; i < a->bucket_count; i++)
        add_to_bucket(a, i, b->buckets[i] * m->sign, comp_of(b, i) * m->sign, m);
    return true;
}

/* ---- Custom bounds that differ ---- */

static struct hist_custom common_bounds(struct arena *arena, struct hist_custom a, struct hist_custom b)
{
    struct hist_custom common = {NULL, 0};
    double *list = arena_alloc(arena, ((a.count < b.count ? a.count : b.count) + 1) * sizeof *list);
    for (uint32_t i = 0, j = 0; i < a.count && j < b.count;) {
        if (a.bounds[i] == b.bounds[j]) {
            list[common.count++] = a.bounds[i];
            i++;
            j++;
        } else if (a.bounds[i] < b.bounds[j]) {
            i++;
        } else {
            j++;
        }
    }
    common.bounds = list;
    return common;
}

/* Adds each bucket to the first common one that reaches as far; past the last bound lies +Inf. */
static void map_to_common(double *values, double *lost, const struct hist_side *side, struct hist_custom bounds,
                          struct hist_custom common, double sign)
{
    struct hist_walk w;
    uint32_t target = 0;
    hist_walk_init(&w, side);
    while (hist_walk_next(&w)) {
        if (w.index < bounds.count)
            while (target < common.count && common.bounds[target] < bounds.bounds[w.index])
                target++;
        uint32_t to = w.index < bounds.count ? target : common.count;
        gomath_kahan_add(side->buckets[w.at] * sign, &values[to], &lost[to]);
        if (side->comp)
            gomath_kahan_add(side->comp[w.at], &values[to], &lost[to]);
    }
}

void hist_merge_custom(struct hist_buf *to, struct arena *arena, const struct hist_side *a, struct hist_custom a_bounds,
                       const struct hist_side *b, struct hist_custom b_bounds, const struct hist_merge *m,
                       struct hist_custom *common)
{
    *common = common_bounds(arena, a_bounds, b_bounds);
    uint32_t count = common->count + 1;
    double *values = ARENA_ARRAY(arena, double, count), *lost = ARENA_ARRAY(arena, double, count);
    map_to_common(values, lost, a, a_bounds, *common, 1);
    map_to_common(values, lost, b, b_bounds, *common, m->sign);
    hist_buf_reset(to, arena, count, count, m->compensated);
    for (uint32_t i = 0; i < count; i++)
        if (values[i] != 0 || lost[i] != 0)
            hist_buf_add(to, i, values[i], lost[i]);
}
