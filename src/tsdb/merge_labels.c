/*
 * merge_labels.c - names and values of several sources as one sorted list without duplicates.
 *
 * Each source delivers its own sorted list; they are collected and merged pairwise by sorting the
 * whole, which costs little beside walking the indexes.  With a limit each source needs to give only
 * its first `limit` ones.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "tsdb/merge_internal.h"

struct collect {
    struct arena bytes;
    struct slice *list;
    size_t count, capacity;
};

static bool collect_one(void *ctx, struct slice name)
{
    struct collect *c = ctx;
    c->list = mem_grow(c->list, &c->capacity, c->count + 1, sizeof *c->list);
    c->list[c->count++] = arena_copy(&c->bytes, name);
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void deliver(struct collect *c, uint64_t limit, name_visit visit, void *ctx)
{
    if (c->count > 1)
        qsort(c->list, c->count, sizeof *c->list, by_bytes);
    uint64_t given = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0 && slice_eq(c->list[i], c->list[i - 1]))
            continue;
        if ((limit && given == limit) || !visit(ctx, c->list[i]))
            return;
        given++;
    }
}

/* Names when `value_of` is NULL, else values of that label. */
static enum err ask(struct querier *q, const struct slice *value_of, const struct selector *sel, uint64_t limit,
                    struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    return value_of ? q->ops->label_values(q, *value_of, sel, limit, cancel, visit, ctx, why)
                    : q->ops->label_names(q, sel, limit, cancel, visit, ctx, why);
}

static enum err merge_lists(struct querier *base, const struct slice *value_of, const struct selector *asked,
                            uint64_t limit, struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    struct merge_querier *q = (struct merge_querier *)base;
    struct selector sel = merge_selector(q, asked);
    for (uint32_t i = 0; i < q->problem_count; i++)
        warnings_add(sel.warnings, "%s", q->problems[i]);
    if (sel.mint_ms > sel.maxt_ms)
        return ERR_OK;
    struct collect c = {0};
    struct errmsg text = {0};
    if (q->source_count == 1) { /* it is sorted already */
        enum err err = ask(q->sources[0].querier, value_of, &sel, limit, cancel, visit, ctx, &text);
        if (why && err != ERR_OK)
            *why = text;
        return merge_passes_over(err, &sel, &text) ? ERR_OK : err;
    }
    arena_init(&c.bytes, NULL);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < q->source_count && err == ERR_OK; i++) {
        err = ask(q->sources[i].querier, value_of, &sel, limit, cancel, collect_one, &c, &text);
        if (merge_passes_over(err, &sel, &text))
            err = ERR_OK;
    }
    if (err == ERR_OK)
        deliver(&c, limit, visit, ctx);
    else if (why)
        *why = text;
    arena_deinit(&c.bytes);
    mem_free(c.list);
    return err;
}

enum err merge_label_names(struct querier *q, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                           name_visit visit, void *ctx, struct errmsg *why)
{
    return merge_lists(q, NULL, sel, limit, cancel, visit, ctx, why);
}

enum err merge_label_values(struct querier *q, struct slice name, const struct selector *sel, uint64_t limit,
                            struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    return merge_lists(q, &name, sel, limit, cancel, visit, ctx, why);
}
