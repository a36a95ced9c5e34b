/* memory_storage.c - series in an array, each with its samples in arrays; see memory_storage.h. */
#include "lib/memory_storage.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "histogram/histogram.h"
#include "model/value.h"

enum { CHUNK_RANGE_MS = 24 * 3600 * 1000 };

struct series {
    struct labels labels;
    size_t count, capacity;
    int64_t *times_ms, *start_times_ms;
    double *values;
    const struct histogram **hists;
    bool any_hist, any_start;
    uint64_t times_id;
};

struct memory_storage {
    struct storage base; /* first */
    struct arena arena;  /* labels and histograms */
    struct series **list;
    size_t count, capacity;
};

/* ---- Writing ---- */

static struct series *series_find(const struct memory_storage *m, const struct labels *labels)
{
    for (size_t i = 0; i < m->count; i++)
        if (labels_eq(&m->list[i]->labels, labels))
            return m->list[i];
    return NULL;
}

static struct series *series_get(struct memory_storage *m, const struct labels *labels)
{
    struct series *s = series_find(m, labels);
    if (s)
        return s;
    s = MEM_NEW(struct series);
    s->labels = labels_copy(labels, &m->arena);
    m->list = mem_grow(m->list, &m->capacity, m->count + 1, sizeof *m->list);
    return m->list[m->count++] = s;
}

/* Would a store put b into a chunk that ends with a, without a reset between? */
static bool continues(const struct histogram *a, const struct histogram *b)
{
    if (!a || b->reset_hint == RESET_YES || value_is_stale(a->sum))
        return false;
    if (value_is_stale(b->sum))
        return true;
    if (a->schema != b->schema || a->zero_threshold != b->zero_threshold)
        return false;
    if (histogram_is_custom(a) && !histogram_bounds_equal(a, b))
        return false;
    struct histogram plain = *b;
    plain.reset_hint = RESET_UNKNOWN;
    return !histogram_detect_reset(&plain, a);
}

static const struct histogram *with_stored_hint(struct memory_storage *m, const struct series *s, int64_t t_ms,
                                                const struct histogram *h)
{
    if (h->reset_hint == RESET_GAUGE)
        return histogram_copy(&m->arena, h);
    const struct histogram *last = s->count ? s->hists[s->count - 1] : NULL;
    bool same_range = s->count && s->times_ms[s->count - 1] / CHUNK_RANGE_MS == t_ms / CHUNK_RANGE_MS;
    bool follows = last && last->reset_hint != RESET_GAUGE && same_range && continues(last, h);
    const struct histogram *copy = histogram_copy(&m->arena, h);
    return histogram_with_hint(&m->arena, copy, follows ? RESET_NO : RESET_UNKNOWN);
}

static void series_reserve(struct series *s, size_t need)
{
    if (need <= s->capacity)
        return;
    size_t capacity = s->capacity ? s->capacity * 2 : 16;
    s->times_ms = mem_realloc(s->times_ms, capacity * sizeof *s->times_ms);
    s->start_times_ms = mem_realloc(s->start_times_ms, capacity * sizeof *s->start_times_ms);
    s->values = mem_realloc(s->values, capacity * sizeof *s->values);
    s->hists = mem_realloc(s->hists, capacity * sizeof *s->hists);
    s->capacity = capacity;
}

static size_t lower_bound(const struct series *s, int64_t t_ms)
{
    size_t low = 0, high = s->count; /* below low: earlier; from high on: not earlier */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->times_ms[mid] < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Equal ids only for series with the same times, so that readers may share windows.  i: the new sample. */
static void update_times_id(struct series *s, size_t i)
{
    size_t first = i + 1 == s->count ? i : 0;
    uint64_t h = first ? s->times_id : UINT64_C(0xcbf29ce484222325);
    for (size_t k = first; k < s->count; k++)
        h = ((h ^ (uint64_t)s->times_ms[k]) * UINT64_C(0x100000001b3)) | 1;
    s->times_id = h;
}

/* Makes room at index i for one sample. */
static void series_shift(struct series *s, size_t i)
{
    series_reserve(s, s->count + 1);
    size_t n = s->count - i;
    memmove(s->times_ms + i + 1, s->times_ms + i, n * sizeof *s->times_ms);
    memmove(s->start_times_ms + i + 1, s->start_times_ms + i, n * sizeof *s->start_times_ms);
    memmove(s->values + i + 1, s->values + i, n * sizeof *s->values);
    memmove(s->hists + i + 1, s->hists + i, n * sizeof *s->hists);
    s->count++;
}

void memory_storage_append(struct memory_storage *m, const struct labels *labels, int64_t t_ms, double value,
                           const struct histogram *h, int64_t start_ms)
{
    struct series *s = series_get(m, labels);
    const struct histogram *stored = h ? with_stored_hint(m, s, t_ms, h) : NULL;
    size_t i = lower_bound(s, t_ms);
    bool fresh = i == s->count || s->times_ms[i] != t_ms;
    if (fresh)
        series_shift(s, i);
    s->times_ms[i] = t_ms;
    if (fresh)
        update_times_id(s, i);
    s->start_times_ms[i] = start_ms;
    s->values[i] = value;
    s->hists[i] = stored;
    s->any_hist = s->any_hist || stored;
    s->any_start = s->any_start || start_ms != 0;
}

/* ---- Readers ---- */

struct set {
    struct series_set base; /* first */
    struct series **series;
    struct labels *labels;
};

struct reader {
    struct series_reader base; /* first */
    const struct set *set;
};

static void fill(const struct series *s, size_t from, size_t to, struct samples *out)
{
    *out = (struct samples){
        .count = (uint32_t)(to - from),
        .times_ms = s->times_ms + from,
        .values = s->values + from,
        .hists = s->any_hist ? s->hists + from : NULL,
        .start_times_ms = s->any_start ? s->start_times_ms + from : NULL,
        .times_id = s->times_id,
    };
}

static enum err reader_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    const struct reader *r = (const struct reader *)base;
    (void)why;
    assert(i < r->set->base.count);
    const struct series *s = r->set->series[i];
    size_t from = lower_bound(s, mint_ms), to = maxt_ms == INT64_MAX ? s->count : lower_bound(s, maxt_ms + 1);
    fill(s, from, to < from ? from : to, out);
    return ERR_OK;
}

static enum err reader_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    enum err err = reader_read(base, i, mint_ms, maxt_ms, out, why);
    uint32_t skip = out->count > 1 ? out->count - 1 : 0;
    out->times_ms += skip;
    out->values += skip;
    out->hists = out->hists ? out->hists + skip : NULL;
    out->start_times_ms = out->start_times_ms ? out->start_times_ms + skip : NULL;
    out->count -= skip;
    return err;
}

static void reader_close(struct series_reader *base)
{
    mem_free(base);
}

static const struct series_reader_ops reader_ops = {reader_read, reader_last, reader_close};

static struct series_reader *set_reader(struct series_set *base)
{
    struct reader *r = MEM_NEW(struct reader);
    *r = (struct reader){{&reader_ops}, (const struct set *)base};
    return &r->base;
}

static const struct series_set_ops set_ops = {set_reader};

/* ---- Queriers ---- */

struct memory_querier {
    struct querier base; /* first */
    struct memory_storage *storage;
    struct arena arena;
};

static int series_order(const void *a, const void *b)
{
    return labels_cmp(&(*(struct series *const *)a)->labels, &(*(struct series *const *)b)->labels);
}

static bool in_range(const struct series *s, const struct selector *sel)
{
    size_t i = lower_bound(s, sel->mint_ms);
    return i < s->count && s->times_ms[i] <= sel->maxt_ms;
}

static struct set *collect(struct memory_querier *q, const struct selector *sel)
{
    struct set *set = ARENA_NEW(&q->arena, struct set);
    set->base.ops = &set_ops;
    set->series = ARENA_ARRAY(&q->arena, struct series *, q->storage->count + 1);
    for (size_t i = 0; i < q->storage->count; i++) {
        struct series *s = q->storage->list[i];
        if (in_range(s, sel) && matchers_match(sel->matchers, sel->matcher_count, &s->labels))
            set->series[set->base.count++] = s;
    }
    if (sel->sorted)
        qsort(set->series, set->base.count, sizeof *set->series, series_order);
    return set;
}

static bool drop_not_needed(const struct label *pair, void *ctx)
{
    const struct selector *sel = ctx;
    for (uint32_t i = 0; i < sel->needed_count; i++)
        if (slice_eq(sel->needed[i], pair->name))
            return false;
    return !selector_shows_always(pair->name);
}

/* As few labels as are allowed, so that every test notices who looks at others. */
static struct labels shown(struct memory_querier *q, const struct selector *sel, const struct labels *all)
{
    struct selector s = *sel;
    if (!sel->projected)
        return *all;
    struct labels few = labels_filter(all, &q->arena, drop_not_needed, &s);
    few.hash = all->hash;
    return few;
}

static enum err querier_select(struct querier *base, const struct selector *sel, struct arena *arena,
                               struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    struct memory_querier *q = (struct memory_querier *)base;
    (void)arena;
    TRY(cancel_check(cancel));
    struct set *set = collect(q, sel);
    if (sel->series_max && set->base.count > sel->series_max)
        return err_set(why, ERR_LIMIT, "selector finds %u series; the limit is %llu", set->base.count,
                       (unsigned long long)sel->series_max);
    set->labels = ARENA_ARRAY(&q->arena, struct labels, set->base.count + 1u);
    for (uint32_t i = 0; i < set->base.count; i++)
        set->labels[i] = shown(q, sel, &set->series[i]->labels);
    set->base.labels = set->labels;
    *out = &set->base;
    return ERR_OK;
}

static int slice_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void visit_sorted(struct slice *list, size_t count, uint64_t limit, name_visit visit, void *ctx)
{
    uint64_t seen = 0;
    qsort(list, count, sizeof *list, slice_order);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_eq(list[i], list[i - 1]))
            continue;
        if ((limit && seen++ == limit) || !visit(ctx, list[i]))
            return;
    }
}

static enum err querier_label_names(struct querier *base, const struct selector *sel, uint64_t limit,
                                    struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    struct memory_querier *q = (struct memory_querier *)base;
    (void)why;
    TRY(cancel_check(cancel));
    struct set *set = collect(q, sel);
    struct slice *names = NULL;
    size_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < set->base.count; i++)
        for (uint32_t k = 0; k < set->series[i]->labels.count; k++) {
            names = mem_grow(names, &capacity, count + 1, sizeof *names);
            names[count++] = set->series[i]->labels.list[k]->name;
        }
    if (count)
        visit_sorted(names, count, limit, visit, ctx);
    mem_free(names);
    return ERR_OK;
}

static enum err querier_label_values(struct querier *base, struct slice name, const struct selector *sel,
                                     uint64_t limit, struct cancel *cancel, name_visit visit, void *ctx,
                                     struct errmsg *why)
{
    struct memory_querier *q = (struct memory_querier *)base;
    (void)why;
    TRY(cancel_check(cancel));
    struct set *set = collect(q, sel);
    struct slice *values = NULL;
    size_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < set->base.count; i++) {
        struct slice value = labels_get(&set->series[i]->labels, name);
        if (value.len == 0)
            continue;
        values = mem_grow(values, &capacity, count + 1, sizeof *values);
        values[count++] = value;
    }
    if (count)
        visit_sorted(values, count, limit, visit, ctx);
    mem_free(values);
    return ERR_OK;
}

static void querier_close(struct querier *base)
{
    struct memory_querier *q = (struct memory_querier *)base;
    arena_deinit(&q->arena);
    mem_free(q);
}

static const struct querier_ops querier_ops = {querier_select, querier_label_names, querier_label_values, querier_close,
                                               NULL};

static enum err storage_querier(struct storage *base, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                                struct errmsg *why)
{
    struct memory_querier *q = MEM_NEW(struct memory_querier);
    (void)why;
    q->base = (struct querier){&querier_ops, mint_ms, maxt_ms};
    q->storage = (struct memory_storage *)base;
    arena_init(&q->arena, NULL);
    *out = &q->base;
    return ERR_OK;
}

static const struct storage_ops storage_ops = {storage_querier};

/* ---- Life ---- */

struct memory_storage *memory_storage_new(void)
{
    struct memory_storage *m = MEM_NEW(struct memory_storage);
    m->base.ops = &storage_ops;
    arena_init(&m->arena, NULL);
    return m;
}

void memory_storage_free(struct memory_storage *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        mem_free(m->list[i]->times_ms);
        mem_free(m->list[i]->start_times_ms);
        mem_free(m->list[i]->values);
        mem_free(m->list[i]->hists);
        mem_free(m->list[i]);
    }
    mem_free(m->list);
    arena_deinit(&m->arena);
    mem_free(m);
}

struct storage *memory_storage_storage(struct memory_storage *m)
{
    return &m->base;
}
