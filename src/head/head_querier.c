/* head_querier.c - the storage contract over the head; what matchers mean is in select.c. */
#include <stdlib.h>

#include "head/order_internal.h"
#include "head/select_internal.h"

enum { COMPARE_MAX = 16 }; /* series that are sorted by comparing their labels */

struct head_set {
    struct series_set base;
    struct head *head;
    const series_ref *refs;
    bool frozen;
};

struct head_querier {
    struct querier base;
    struct head *head;
    struct epoch_slot epoch; /* entered while the querier is open */
};

static struct series_reader *set_reader(struct series_set *base)
{
    struct head_set *set = (struct head_set *)base;
    return head_reader_new(set->head, set->refs, set->base.count, set->frozen);
}

static const struct series_set_ops set_ops = {set_reader};

struct sort_entry {
    struct labels labels;
    series_ref ref;
};

static int by_order(const void *a, const void *b, void *ctx)
{
    labels_order *order = ctx;
    return (*order)(&((const struct sort_entry *)a)->labels, &((const struct sort_entry *)b)->labels);
}

/* By comparing: another order than that of labels, or few series. */
static enum err sort_as(struct head *h, const struct refs *refs, labels_order order, struct arena *arena,
                        struct labels *labels, series_ref *list)
{
    struct sort_entry *entries = arena_try_alloc(arena, (refs->count + 1) * sizeof *entries);
    if (!entries)
        return ERR_LIMIT;
    for (size_t i = 0; i < refs->count; i++)
        entries[i] = (struct sort_entry){series_labels(h, refs->list[i], arena), refs->list[i]};
    if (refs->count > 1)
        qsort_r(entries, refs->count, sizeof *entries, by_order, &order);
    for (size_t i = 0; i < refs->count; i++) {
        labels[i] = entries[i].labels;
        list[i] = entries[i].ref;
    }
    return ERR_OK;
}

static enum err does_not_fit(const struct refs *refs, struct errmsg *why)
{
    return err_set(why, ERR_LIMIT, "select: %zu series do not fit into the memory of the query", refs->count);
}

enum err head_set_new(struct head *h, const struct refs *refs, const struct selector *sel, labels_order order,
                      bool frozen, struct arena *arena, struct cancel *cancel, struct series_set **out,
                      struct errmsg *why)
{
    struct head_set *set = ARENA_NEW(arena, struct head_set);
    struct labels *labels = arena_try_alloc(arena, (refs->count + 1) * sizeof *labels);
    series_ref *list = arena_try_alloc(arena, (refs->count + 1) * sizeof *list);
    if (!labels || !list)
        return does_not_fit(refs, why);
    enum err err = order && (order != labels_cmp || refs->count <= COMPARE_MAX)
                       ? sort_as(h, refs, order, arena, labels, list)
                       : series_labels_all(h, refs, sel, order != NULL, arena, cancel, labels, list);
    if (err == ERR_LIMIT)
        return does_not_fit(refs, why);
    TRY(err);
    *set = (struct head_set){{&set_ops, (uint32_t)refs->count, labels}, h, list, frozen};
    *out = &set->base;
    return ERR_OK;
}

enum { BATCH = 1024 };

/* The first so many that are found. */
static enum err select_some(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                            struct errmsg *why)
{
    struct walk w;
    uint32_t count;
    enum err err = walk_begin(&w, h, sel, cancel);
    if (err != ERR_OK)
        return err_set(why, err, "select: stopped");
    do {
        uint64_t left = sel->series_limit - out->count;
        out->list = mem_grow(out->list, &out->capacity, out->count + BATCH, sizeof *out->list);
        err = walk_next(&w, out->list + out->count, left < BATCH ? (uint32_t)left : BATCH, &count);
        out->count += count;
    } while (err == ERR_OK && count && out->count < sel->series_limit);
    walk_end(&w);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "select: stopped");
}

static enum err querier_select(struct querier *base, const struct selector *sel, struct arena *arena,
                               struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    struct head_querier *q = (struct head_querier *)base;
    struct refs refs = {0};
    enum err err = sel->series_limit ? select_some(q->head, sel, cancel, &refs, why)
                                     : select_refs(q->head, sel, cancel, &refs, why);
    if (err == ERR_OK && sel->series_max && refs.count > sel->series_max)
        err = err_set(why, ERR_LIMIT, "select: more than %llu series", (unsigned long long)sel->series_max);
    if (err == ERR_OK)
        err = head_set_new(q->head, &refs, sel, sel->sorted ? labels_cmp : NULL, false, arena, cancel, out, why);
    refs_deinit(&refs);
    return err;
}

static enum err querier_names(struct querier *base, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                              name_visit visit, void *ctx, struct errmsg *why)
{
    return head_label_names(((struct head_querier *)base)->head, sel, limit, cancel, visit, ctx, why);
}

static enum err querier_values(struct querier *base, struct slice name, const struct selector *sel, uint64_t limit,
                               struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    return head_label_values(((struct head_querier *)base)->head, name, sel, limit, cancel, visit, ctx, why);
}

static enum err querier_census(struct querier *base, const struct census_request *request, struct arena *arena,
                               struct cancel *cancel, struct census **out, struct errmsg *why)
{
    return head_census_new(((struct head_querier *)base)->head, request, arena, cancel, out, why);
}

static void querier_close(struct querier *base)
{
    struct head_querier *q = (struct head_querier *)base;
    epoch_leave(&q->epoch);
    epoch_slot_remove(&q->head->epochs, &q->epoch);
    mem_free(q);
}

static const struct querier_ops querier_ops = {querier_select, querier_names, querier_values, querier_close,
                                               querier_census};

enum err head_querier(struct head *h, int64_t mint_ms, int64_t maxt_ms, struct querier **out, struct errmsg *why)
{
    struct head_querier *q = MEM_NEW(struct head_querier);
    (void)why;
    q->base = (struct querier){.ops = &querier_ops, .mint_ms = mint_ms, .maxt_ms = maxt_ms};
    q->head = h;
    q->epoch.mint_ms = mint_ms;
    epoch_slot_add(&h->epochs, &q->epoch);
    epoch_enter(&h->epochs, &q->epoch);
    *out = &q->base;
    return ERR_OK;
}
