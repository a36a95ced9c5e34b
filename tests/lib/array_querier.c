/* array_querier.c - the contract is in array_querier.h. */
#include "lib/array_querier.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

struct array_set {
    struct series_set base; /* first */
    struct array_querier *querier;
    const struct array_series **list;
};

struct array_reader {
    struct series_reader base; /* first */
    struct array_set *set;
};

static enum err array_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                           struct samples *out, struct errmsg *why)
{
    (void)why;
    const struct array_series *s = ((struct array_reader *)base)->set->list[i];
    uint32_t from = 0, to = s->count;
    while (from < to && s->times_ms[from] < mint_ms)
        from++;
    while (to > from && s->times_ms[to - 1] > maxt_ms)
        to--;
    *out = (struct samples){
        .count = to - from, .times_ms = s->times_ms + from, .values = s->values + from, .times_id = s->times_id};
    return ERR_OK;
}

static enum err array_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                           struct samples *out, struct errmsg *why)
{
    enum err err = array_read(base, i, mint_ms, maxt_ms, out, why);
    if (out->count > 1) {
        out->times_ms += out->count - 1;
        out->values += out->count - 1;
        out->count = 1;
    }
    return err;
}

static void array_reader_close(struct series_reader *base)
{
    struct array_reader *r = (struct array_reader *)base;
    r->set->querier->readers_open--;
    mem_free(r);
}

static const struct series_reader_ops array_reader_ops = {
    .read = array_read, .last = array_last, .close = array_reader_close};

static struct series_reader *array_set_reader(struct series_set *base)
{
    struct array_reader *r = MEM_NEW(struct array_reader);
    r->base.ops = &array_reader_ops;
    r->set = (struct array_set *)base;
    r->set->querier->readers_open++;
    return &r->base;
}

static const struct series_set_ops array_set_ops = {.reader = array_set_reader};

static bool wanted(const struct array_series *s, const struct selector *sel)
{
    bool touches = s->count > 0 && s->times_ms[0] <= sel->maxt_ms && s->times_ms[s->count - 1] >= sel->mint_ms;
    return touches && matchers_match(sel->matchers, sel->matcher_count, &s->labels);
}

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(&(*(const struct array_series *const *)a)->labels,
                      &(*(const struct array_series *const *)b)->labels);
}

static enum err array_select(struct querier *base, const struct selector *sel, struct arena *arena,
                             struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    (void)cancel;
    (void)why;
    struct array_querier *a = (struct array_querier *)base;
    struct array_set *set = ARENA_NEW(arena, struct array_set);
    set->base.ops = &array_set_ops;
    set->querier = a;
    set->list = ARENA_ARRAY(arena, const struct array_series *, a->count + 1);
    for (size_t i = 0; i < a->count; i++)
        if (wanted(&a->series[i], sel))
            set->list[set->base.count++] = &a->series[i];
    if (sel->sorted && set->base.count)
        qsort(set->list, set->base.count, sizeof *set->list, by_labels);
    struct labels *labels = ARENA_ARRAY(arena, struct labels, set->base.count + 1);
    for (uint32_t i = 0; i < set->base.count; i++)
        labels[i] = set->list[i]->labels;
    set->base.labels = labels;
    *out = &set->base;
    return ERR_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Names (of == NULL) or values of one label over the series that match, sorted. */
static enum err array_list(struct array_querier *a, const struct slice *of, const struct selector *sel, uint64_t limit,
                           name_visit visit, void *ctx)
{
    struct slice list[1024];
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct labels *l = &a->series[i].labels;
        for (uint32_t p = 0; p < l->count && wanted(&a->series[i], sel); p++) {
            assert(count < 1024);
            if (!of || slice_eq(*of, l->list[p]->name))
                list[count++] = of ? l->list[p]->value : l->list[p]->name;
        }
    }
    qsort(list, count, sizeof *list, by_bytes);
    uint64_t given = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_eq(list[i], list[i - 1]))
            continue;
        if ((limit && given++ == limit) || !visit(ctx, list[i]))
            break;
    }
    return ERR_OK;
}

static enum err array_names(struct querier *q, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                            name_visit visit, void *ctx, struct errmsg *why)
{
    (void)cancel;
    (void)why;
    return array_list((struct array_querier *)q, NULL, sel, limit, visit, ctx);
}

static enum err array_values(struct querier *q, struct slice name, const struct selector *sel, uint64_t limit,
                             struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    (void)cancel;
    (void)why;
    return array_list((struct array_querier *)q, &name, sel, limit, visit, ctx);
}

static void array_close(struct querier *base)
{
    ((struct array_querier *)base)->closed++;
}

static const struct querier_ops array_ops = {
    .select = array_select, .label_names = array_names, .label_values = array_values, .close = array_close};

void array_querier_init(struct array_querier *a)
{
    *a = (struct array_querier){.base = {.ops = &array_ops, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX}};
    arena_init(&a->arena, NULL);
}

void array_querier_deinit(struct array_querier *a)
{
    assert(a->readers_open == 0);
    mem_free(a->series);
    arena_deinit(&a->arena);
}

struct array_series *array_querier_add(struct array_querier *a, const char *metric, const char *name, const char *value,
                                       uint32_t count, const int64_t *times_ms, const double *values)
{
    struct labels_builder b;
    labels_builder_init(&b, &a->arena, NULL);
    labels_builder_set(&b, slice_str(METRIC_NAME), slice_str(metric));
    labels_builder_set(&b, slice_str(name), slice_str(value));
    a->series = mem_grow(a->series, &a->capacity, a->count + 1, sizeof *a->series);
    struct array_series *s = &a->series[a->count++];
    *s = (struct array_series){.labels = labels_builder_finish(&b), .count = count};
    s->times_ms = ARENA_ARRAY(&a->arena, int64_t, count + 1);
    s->values = ARENA_ARRAY(&a->arena, double, count + 1);
    memcpy(s->times_ms, times_ms, count * sizeof *times_ms);
    memcpy(s->values, values, count * sizeof *values);
    return s;
}
