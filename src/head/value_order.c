/*
 * value_order.c - the values of a label in their order, for patterns with a known beginning.
 *
 * Made when somebody first asks for a beginning, and again when an eighth as many values have come since; until then
 * those are looked at one by one.  It costs four bytes a value, counted among the labels, for labels that are asked
 * for in this way only.
 *
 * Threads: any reader inside an epoch; one at a time makes it, the others do without meanwhile.  A list of pairs from
 * which some were taken out has another `life`, so that an order of the list before is never used with it: who takes
 * out raises `life` first, and who reads looks at it before and after.
 */
#include <stdlib.h>

#include "base/radix.h"
#include "head/select_internal.h"

enum { VALUES_MIN = 512, NEW_SHARE = 8, SMALL_RUN = 48, CHECK_EVERY = 4096, AHEAD = 8, KEY_BYTES = 8 };

struct value_order {
    uint32_t life, count; /* of the first `count` pairs of the list */
    uint32_t ids[];
};

struct sorting {
    struct head *head;
    struct cancel *cancel;
    struct radix_item *spare;
    enum err err;
};

static struct slice value_of(struct head *h, uint32_t id)
{
    return pair_of(h, id)->label.value;
}

/* ---- sorting ---- */

static int by_value(const void *a, const void *b, void *ctx)
{
    struct head *h = ctx;
    return slice_cmp(value_of(h, ((const struct radix_item *)a)->id), value_of(h, ((const struct radix_item *)b)->id));
}

/* A pair and its bytes lie anywhere: those that come soon are asked for. */
static void fetch_ahead(struct head *h, const struct radix_item *list, size_t count, size_t i)
{
    if (i + 2 * AHEAD < count)
        __builtin_prefetch(pair_of(h, list[i + 2 * AHEAD].id));
    if (i + AHEAD < count)
        __builtin_prefetch(value_of(h, list[i + AHEAD].id).data);
}

/* How many bytes all values have in common; they agree in the first `depth`. */
static size_t common_of(struct sorting *s, const struct radix_item *list, size_t count, size_t depth)
{
    struct slice first = value_of(s->head, list[0].id);
    size_t common = first.len;
    for (size_t i = 1; i < count; i++) {
        struct slice v = value_of(s->head, list[i].id);
        size_t most = v.len < common ? v.len : common, at = depth;
        fetch_ahead(s->head, list, count, i);
        while (at < most && v.data[at] == first.data[at])
            at++;
        common = at;
    }
    return common;
}

/* False: no value goes on behind the bytes of the keys. */
static bool keys_fill(struct sorting *s, struct radix_item *list, size_t count, size_t depth)
{
    bool longer = false;
    for (size_t i = 0; i < count; i++) {
        struct slice v = value_of(s->head, list[i].id);
        uint64_t key = 0;
        fetch_ahead(s->head, list, count, i);
        for (size_t k = 0; k < KEY_BYTES; k++)
            key = key << 8 | (depth + k < v.len ? v.data[depth + k] : 0);
        list[i].key = key;
        longer = longer || v.len > depth + KEY_BYTES;
    }
    return longer;
}

/* A key is the first eight bytes of what is left of a value, the first one highest. */
static void keys_sort(struct sorting *s, struct radix_item *list, size_t count)
{
    uint64_t differing = 0;
    for (size_t i = 1; i < count; i++)
        differing |= list[i].key ^ list[0].key;
    radix_sort(list, s->spare, count, differing);
}

/* Values agree in their first `depth` bytes.  A level deeper for each eight bytes, so a value's length bounds the
 * depth. */
static void values_sort(struct sorting *s, struct radix_item *list, size_t count, size_t depth)
{
    if (s->err == ERR_OK && count > SMALL_RUN)
        s->err = cancel_check(s->cancel);
    if (s->err != ERR_OK)
        return;
    depth = count > SMALL_RUN ? common_of(s, list, count, depth) : depth;
    if (count <= SMALL_RUN || !keys_fill(s, list, count, depth)) {
        qsort_r(list, count, sizeof *list, by_value, s->head);
        return;
    }
    keys_sort(s, list, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && list[end].key == list[i].key; end++)
            ;
        if (end - i > 1)
            values_sort(s, list + i, end - i, depth + KEY_BYTES);
    }
}

/* ---- making ---- */

static void order_put(struct head *h, struct label_name *name, struct value_order *fresh)
{
    struct value_order *old = atomic_exchange(&name->order, fresh);
    int64_t bytes = fresh ? (int64_t)(sizeof *fresh + fresh->count * sizeof *fresh->ids) : 0;
    if (old)
        bytes -= (int64_t)(sizeof *old + old->count * sizeof *old->ids);
    bytes_add(&h->bytes_labels, bytes);
    epoch_retire(&h->epochs, old, mem_free);
}

void value_order_drop(struct head *h, struct label_name *name)
{
    order_put(h, name, NULL);
}

/* Memory while sorting is the head's, and may be refused: then there is no order. */
static enum err order_make(struct head *h, struct label_name *name, const uint32_t *ids, uint32_t count, uint32_t life,
                           struct cancel *cancel)
{
    size_t work = 2 * count * sizeof(struct radix_item), size = sizeof(struct value_order) + count * sizeof *ids;
    struct mem_budget *budget = h->options.budget;
    if (budget && !mem_budget_take(budget, work + size))
        return ERR_OK;
    struct radix_item *list = mem_try_alloc(work);
    struct value_order *fresh = mem_try_alloc(size);
    struct sorting s = {.head = h, .cancel = cancel, .spare = list ? list + count : NULL};
    if (list && fresh) {
        for (uint32_t i = 0; i < count; i++)
            list[i] = (struct radix_item){.id = ids[i]};
        values_sort(&s, list, count, 0);
        fresh->life = life;
        fresh->count = count;
        for (uint32_t i = 0; i < count; i++)
            fresh->ids[i] = list[i].id;
    }
    bool good = list && fresh && s.err == ERR_OK;
    if (good)
        order_put(h, name, fresh);
    else
        mem_free(fresh);
    mem_free(list);
    if (budget)
        mem_budget_give(budget, work + size); /* what stays is counted with the labels */
    return s.err;
}

/* ---- asking ---- */

/* The first place whose value is not below `text`, or, with past, neither begins with it. */
static uint32_t place_of(struct head *h, const struct value_order *o, struct slice text, bool past)
{
    uint32_t low = 0, high = o->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct slice v = value_of(h, o->ids[mid]);
        if (slice_cmp(v, text) < 0 || (past && slice_starts_with(v, text)))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct value_order *order_read(struct label_name *name, uint32_t life)
{
    struct value_order *o = atomic_load_explicit(&name->order, memory_order_acquire);
    return o && o->life == life ? o : NULL;
}

/* The list with the order of its beginning, if there is one. */
static void snapshot(struct label_name *name, struct value_order **order, uint32_t *life, struct value_range *out)
{
    *life = atomic_load(&name->life);
    *order = order_read(name, *life);
    *out = (struct value_range){0};
    out->rest = vec_read(&name->pairs, &out->rest_count);
    if (atomic_load(&name->life) != *life)
        *order = NULL;
}

enum err values_beginning(struct head *h, struct label_name *name, struct slice prefix, struct cancel *cancel,
                          struct value_range *out)
{
    struct value_order *o;
    uint32_t life;
    bool nobody = false;
    snapshot(name, &o, &life, out);
    uint32_t fresh = out->rest_count - (o ? o->count : 0);
    if (prefix.len == 0 || out->rest_count < VALUES_MIN)
        return ERR_OK;
    if (fresh > VALUES_MIN + out->rest_count / NEW_SHARE &&
        atomic_compare_exchange_strong(&name->ordering, &nobody, true)) {
        enum err err = order_make(h, name, out->rest, out->rest_count, life, cancel);
        atomic_store(&name->ordering, false);
        TRY(err);
        snapshot(name, &o, &life, out);
    }
    if (!o)
        return ERR_OK;
    uint32_t first = place_of(h, o, prefix, false);
    out->sorted = o->ids + first;
    out->sorted_count = place_of(h, o, prefix, true) - first;
    out->rest += o->count;
    out->rest_count -= o->count;
    return ERR_OK;
}
