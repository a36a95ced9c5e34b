/* kept_querier.c - the contract is in kept_querier.h. */
#include "tsdb/kept_querier.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum { CANCEL_EVERY = 4096 };

struct kept_querier {
    struct querier base; /* first */
    struct querier *inner;
    struct rules *rules;
    struct floors floors;
};

struct kept_set {
    struct series_set base; /* first */
    struct series_set *inner;
    const uint32_t *series; /* of the inner set */
    const int64_t *floors;
};

struct kept_reader {
    struct series_reader base; /* first */
    const struct kept_set *set;
    struct series_reader *inner;
};

/* ---- reading ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum err kept_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                          struct errmsg *why)
{
    struct kept_reader *r = (struct kept_reader *)base;
    assert(i < r->set->base.count);
    *out = (struct samples){0};
    int64_t from = later(mint_ms, r->set->floors[i]);
    return from > maxt_ms ? ERR_OK : r->inner->ops->read(r->inner, r->set->series[i], from, maxt_ms, out, why);
}

static enum err kept_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                          struct errmsg *why)
{
    struct kept_reader *r = (struct kept_reader *)base;
    assert(i < r->set->base.count);
    *out = (struct samples){0};
    int64_t from = later(mint_ms, r->set->floors[i]);
    return from > maxt_ms ? ERR_OK : r->inner->ops->last(r->inner, r->set->series[i], from, maxt_ms, out, why);
}

static void kept_reader_close(struct series_reader *base)
{
    struct kept_reader *r = (struct kept_reader *)base;
    r->inner->ops->close(r->inner);
    mem_free(r);
}

static struct series_reader *kept_reader_new(struct series_set *base)
{
    static const struct series_reader_ops ops = {.read = kept_read, .last = kept_last, .close = kept_reader_close};
    struct kept_set *set = (struct kept_set *)base;
    struct kept_reader *r = MEM_NEW(struct kept_reader);
    r->base.ops = &ops;
    r->set = set;
    r->inner = set->inner->ops->reader(set->inner);
    return &r->base;
}

/* ---- selecting ---- */

struct filling {
    const struct kept_querier *q;
    const struct selector *sel;
    struct series_reader *reader; /* of the inner set */
    struct labels *labels;
    uint32_t *series;
    int64_t *floors;
    uint32_t count;
};

/* Takes a series of the inner set over when a sample of it counts. */
static enum err fill_one(struct filling *f, const struct series_set *inner, uint32_t i, struct errmsg *why)
{
    int64_t floor = f->q->floors.of[rules_class(f->q->rules, &inner->labels[i])];
    if (floor > f->sel->mint_ms) {
        struct samples last = {0};
        if (floor <= f->sel->maxt_ms)
            TRY(f->reader->ops->last(f->reader, i, floor, f->sel->maxt_ms, &last, why));
        if (last.count == 0)
            return ERR_OK;
    }
    f->labels[f->count] = inner->labels[i];
    f->series[f->count] = i;
    f->floors[f->count++] = floor;
    return ERR_OK;
}

static enum err fill(struct filling *f, struct series_set *inner, struct cancel *cancel, struct errmsg *why)
{
    enum err err = ERR_OK;
    f->reader = inner->ops->reader(inner);
    for (uint32_t i = 0; i < inner->count && err == ERR_OK; i++) {
        err = i % CANCEL_EVERY ? ERR_OK : cancel_check(cancel);
        if (err == ERR_OK)
            err = fill_one(f, inner, i, why);
    }
    f->reader->ops->close(f->reader);
    return err;
}

static enum err kept_select(struct querier *base, const struct selector *sel, struct arena *arena,
                            struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    static const struct series_set_ops ops = {.reader = kept_reader_new};
    struct kept_querier *q = (struct kept_querier *)base;
    struct series_set *inner;
    if (sel->mint_ms >= q->floors.max_ms)
        return q->inner->ops->select(q->inner, sel, arena, cancel, out, why);
    struct selector whole = *sel; /* rules look at any label */
    whole.projected = false;
    TRY(q->inner->ops->select(q->inner, &whole, arena, cancel, &inner, why));
    size_t n = (size_t)inner->count + 1;
    struct filling f = {.q = q, .sel = sel};
    f.labels = arena_try_alloc(arena, n * sizeof *f.labels);
    f.series = arena_try_alloc(arena, n * sizeof *f.series);
    f.floors = arena_try_alloc(arena, n * sizeof *f.floors);
    if (!f.labels || !f.series || !f.floors)
        return err_set(why, ERR_LIMIT, "%u selected series are over the memory budget of the query", inner->count);
    TRY(fill(&f, inner, cancel, why));
    struct kept_set *set = ARENA_NEW(arena, struct kept_set);
    *set = (struct kept_set){.base = {.ops = &ops, .count = f.count, .labels = f.labels},
                             .inner = inner,
                             .series = f.series,
                             .floors = f.floors};
    *out = &set->base;
    return ERR_OK;
}

/* ---- names and values ---- */

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void visit_sorted(struct slice *list, size_t count, uint64_t limit, name_visit visit, void *ctx)
{
    uint64_t given = 0;
    if (count > 1)
        qsort(list, count, sizeof *list, by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_eq(list[i], list[i - 1]))
            continue;
        if (!visit(ctx, list[i]) || ++given == limit)
            return;
    }
}

/* Gathers from the label sets of series that have samples left: names when `value_of` is NULL. */
static enum err gather(struct querier *base, const struct slice *value_of, const struct selector *sel, uint64_t limit,
                       struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    struct arena arena;
    struct series_set *set = NULL;
    struct slice *list = NULL;
    size_t count = 0, capacity = 0;
    arena_init(&arena, NULL);
    enum err err = kept_select(base, sel, &arena, cancel, &set, why);
    for (uint32_t i = 0; err == ERR_OK && i < set->count; i++)
        for (uint32_t k = 0; k < set->labels[i].count; k++) {
            const struct label *l = set->labels[i].list[k];
            if (value_of && !slice_eq(l->name, *value_of))
                continue;
            list = mem_grow(list, &capacity, count + 1, sizeof *list);
            list[count++] = value_of ? l->value : l->name;
        }
    if (err == ERR_OK)
        visit_sorted(list, count, limit, visit, ctx);
    mem_free(list);
    arena_deinit(&arena);
    return err;
}

static enum err kept_names(struct querier *base, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                           name_visit visit, void *ctx, struct errmsg *why)
{
    struct kept_querier *q = (struct kept_querier *)base;
    if (sel->mint_ms >= q->floors.max_ms)
        return q->inner->ops->label_names(q->inner, sel, limit, cancel, visit, ctx, why);
    return gather(base, NULL, sel, limit, cancel, visit, ctx, why);
}

static enum err kept_values(struct querier *base, struct slice name, const struct selector *sel, uint64_t limit,
                            struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    struct kept_querier *q = (struct kept_querier *)base;
    if (sel->mint_ms >= q->floors.max_ms)
        return q->inner->ops->label_values(q->inner, name, sel, limit, cancel, visit, ctx, why);
    return gather(base, &name, sel, limit, cancel, visit, ctx, why);
}

/* ---- life ---- */

static void kept_close(struct querier *base)
{
    struct kept_querier *q = (struct kept_querier *)base;
    q->inner->ops->close(q->inner);
    rules_release(q->rules);
    mem_free(q);
}

struct querier *kept_querier_new(struct querier *inner, struct rules *rules, const struct floors *floors)
{
    static const struct querier_ops ops = {
        .select = kept_select, .label_names = kept_names, .label_values = kept_values, .close = kept_close};
    struct kept_querier *q = MEM_NEW(struct kept_querier);
    q->base = (struct querier){.ops = &ops, .mint_ms = inner->mint_ms, .maxt_ms = inner->maxt_ms};
    q->inner = inner;
    q->rules = rules_acquire(rules);
    q->floors = *floors;
    return &q->base;
}
