/*
 * merge_querier.c - series of several sources joined by the hash of their labels.
 *
 *     1. every source selects; those without series are forgotten
 *     2. series are numbered by a hash table over the 128-bit label hashes, the largest source first
 *     3. parts[first[n] .. first[n+1]) lists where series n is found, in rising precedence
 *     4. sorted: the largest source's series are in order already; only the others' new ones are
 *        sorted, and the two runs are merged
 */
#include "tsdb/merge_querier.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tsdb/merge_internal.h"

/* While a select joins its sources. */
struct join {
    struct arena *arena;
    struct cancel *cancel;
    const struct selector *sel;
    struct merge_set *set;
    uint64_t total;               /* series of all sources */
    uint32_t **number;            /* [set][series] -> merged number */
    const struct labels **labels; /* by merged number */
    uint32_t *counts;             /* parts, by merged number */
    uint32_t count;
    uint32_t *table; /* merged number + 1; 0: free */
    uint64_t mask;
};

struct selector merge_selector(const struct merge_querier *q, const struct selector *sel)
{
    struct selector s = *sel;
    s.mint_ms = s.mint_ms < q->base.mint_ms ? q->base.mint_ms : s.mint_ms;
    s.maxt_ms = s.maxt_ms > q->base.maxt_ms ? q->base.maxt_ms : s.maxt_ms;
    return s;
}

static enum err no_memory(struct errmsg *why, uint64_t series)
{
    return err_set(why, ERR_LIMIT, "no memory to join %llu series", (unsigned long long)series);
}

static enum err join_alloc(struct join *j, struct errmsg *why)
{
    uint64_t slots = 16;
    while (slots < j->total * 2)
        slots *= 2;
    j->mask = slots - 1;
    j->labels = arena_try_alloc(j->arena, j->total * sizeof *j->labels);
    j->counts = arena_try_alloc(j->arena, j->total * sizeof *j->counts);
    j->number = arena_try_alloc(j->arena, j->set->set_count * sizeof *j->number);
    j->table = mem_try_alloc(slots * sizeof *j->table); /* only for the join */
    if (!j->labels || !j->counts || !j->number || !j->table)
        return no_memory(why, j->total);
    memset(j->table, 0, slots * sizeof *j->table);
    memset(j->counts, 0, j->total * sizeof *j->counts);
    for (uint32_t s = 0; s < j->set->set_count; s++) {
        j->number[s] = arena_try_alloc(j->arena, j->set->sets[s]->count * sizeof **j->number);
        if (!j->number[s])
            return no_memory(why, j->total);
    }
    return ERR_OK;
}

static uint32_t number_of(struct join *j, const struct labels *labels)
{
    for (uint64_t at = labels->hash.lo & j->mask;; at = (at + 1) & j->mask) {
        uint32_t n = j->table[at];
        if (n == 0) {
            j->labels[j->count] = labels;
            j->table[at] = ++j->count;
            return j->count - 1;
        }
        if (hash128_eq(j->labels[n - 1]->hash, labels->hash))
            return n - 1;
    }
}

static enum err number_set(struct join *j, uint32_t s)
{
    const struct series_set *set = j->set->sets[s];
    for (uint32_t i = 0; i < set->count; i++) {
        enum err err = i % 4096 == 0 ? cancel_check(j->cancel) : ERR_OK;
        if (err != ERR_OK)
            return err;
        uint32_t n = number_of(j, &set->labels[i]);
        j->number[s][i] = n;
        j->counts[n]++;
    }
    return ERR_OK;
}

static int by_labels(const void *a, const void *b, void *ctx)
{
    const struct join *j = ctx;
    return labels_cmp(j->labels[*(const uint32_t *)a], j->labels[*(const uint32_t *)b]);
}

/* order[place] = merged number.  The first `sorted` numbers come from a sorted source. */
static void order_fill(struct join *j, uint32_t sorted, uint32_t *order)
{
    uint32_t rest = j->count - sorted;
    uint32_t *others = mem_array(rest + 1, sizeof *others);
    for (uint32_t i = 0; i < rest; i++)
        others[i] = sorted + i;
    qsort_r(others, rest, sizeof *others, by_labels, j);
    uint32_t a = 0, b = 0;
    for (uint32_t place = 0; place < j->count; place++) {
        bool take_other = a == sorted || (b < rest && labels_cmp(j->labels[others[b]], j->labels[a]) < 0);
        order[place] = take_other ? others[b++] : a++;
    }
    mem_free(others);
}

/* Lays out the set in the final order: labels, first, parts. */
static enum err lay_out(struct join *j, uint32_t sorted, struct errmsg *why)
{
    struct merge_set *set = j->set;
    uint32_t *order = mem_array((size_t)j->count + 1, sizeof *order),
             *place = mem_array((size_t)j->count + 1, sizeof *place);
    struct labels *labels = arena_try_alloc(j->arena, j->count * sizeof *labels);
    set->first = arena_try_alloc(j->arena, ((size_t)j->count + 1) * sizeof *set->first);
    set->parts = arena_try_alloc(j->arena, j->total * sizeof *set->parts);
    bool good = labels && set->first && set->parts;
    if (good && j->sel->sorted)
        order_fill(j, sorted, order);
    uint32_t at = 0;
    for (uint32_t i = 0; good && i < j->count; i++) {
        uint32_t n = j->sel->sorted ? order[i] : i;
        labels[i] = *j->labels[n];
        set->first[i] = at;
        place[n] = at; /* where the next part of n goes */
        at += j->counts[n];
    }
    if (good) {
        set->first[j->count] = at;
        for (uint32_t s = 0; s < set->set_count; s++)
            for (uint32_t i = 0; i < set->sets[s]->count; i++)
                set->parts[place[j->number[s][i]]++] = (struct merge_part){s, i};
        set->base.labels = labels;
        set->base.count = j->count;
    }
    mem_free(order);
    mem_free(place);
    return good ? ERR_OK : no_memory(why, j->total);
}

static enum err join_sets(struct join *j, struct errmsg *why)
{
    uint32_t largest = 0;
    for (uint32_t s = 0; s < j->set->set_count; s++) {
        j->total += j->set->sets[s]->count;
        largest = j->set->sets[s]->count > j->set->sets[largest]->count ? s : largest;
    }
    enum err err = join_alloc(j, why);
    if (err == ERR_OK)
        err = number_set(j, largest);
    uint32_t sorted = j->count;
    for (uint32_t s = 0; s < j->set->set_count && err == ERR_OK; s++)
        if (s != largest)
            err = number_set(j, s);
    uint64_t max = j->sel->series_max;
    if (err == ERR_OK && max && j->count > max)
        err = err_set(why, ERR_LIMIT, "the selector matches %u series, at most %llu are allowed", j->count,
                      (unsigned long long)max);
    if (err == ERR_OK)
        err = lay_out(j, sorted, why);
    mem_free(j->table);
    return err;
}

/* ---- select ---- */

static const struct series_set_ops merge_set_ops = {.reader = merge_reader_new};

bool merge_passes_over(enum err err, const struct selector *sel, const struct errmsg *text)
{
    if (err != ERR_CORRUPT && err != ERR_IO)
        return false;
    warnings_add(sel->warnings, "%s", text->text);
    return true;
}

static enum err select_all(struct merge_querier *q, const struct selector *sel, struct arena *arena,
                           struct cancel *cancel, struct merge_set *set, struct errmsg *why)
{
    for (uint32_t i = 0; i < q->source_count; i++) {
        struct series_set *found;
        struct errmsg text = {0};
        enum err err = q->sources[i].querier->ops->select(q->sources[i].querier, sel, arena, cancel, &found, &text);
        if (merge_passes_over(err, sel, &text))
            continue;
        if (err != ERR_OK) {
            if (why)
                *why = text;
            return err;
        }
        if (found->count == 0)
            continue;
        set->maxt_ms[set->set_count] = q->sources[i].maxt_ms;
        set->sets[set->set_count++] = found;
    }
    return ERR_OK;
}

static enum err merge_select(struct querier *base, const struct selector *asked, struct arena *arena,
                             struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    struct merge_querier *q = (struct merge_querier *)base;
    struct selector sel = merge_selector(q, asked);
    for (uint32_t i = 0; i < q->problem_count; i++)
        warnings_add(sel.warnings, "%s", q->problems[i]);
    struct merge_set *set = ARENA_NEW(arena, struct merge_set);
    set->base.ops = &merge_set_ops;
    set->mint_ms = q->base.mint_ms;
    set->times_ids = q->times_ids;
    set->sets = ARENA_ARRAY(arena, struct series_set *, q->source_count + 1);
    set->maxt_ms = ARENA_ARRAY(arena, int64_t, q->source_count + 1);
    sel.projected = sel.projected && q->source_count == 1; /* to be joined in order, all labels are compared */
    if (sel.mint_ms <= sel.maxt_ms)
        TRY(select_all(q, &sel, arena, cancel, set, why));
    if (set->set_count == 1) {
        set->base.count = set->sets[0]->count;
        set->base.labels = set->sets[0]->labels;
    } else if (set->set_count > 1) {
        TRY(join_sets(&(struct join){.arena = arena, .cancel = cancel, .sel = &sel, .set = set}, why));
    }
    *out = &set->base;
    return ERR_OK;
}

/* ---- census ---- */

/* Only where all samples of the range lie in one source: otherwise series would have to be told apart by labels. */
static enum err merge_census(struct querier *base, const struct census_request *asked, struct arena *arena,
                             struct cancel *cancel, struct census **out, struct errmsg *why)
{
    struct merge_querier *q = (struct merge_querier *)base;
    struct selector *sel = ARENA_NEW(arena, struct selector); /* the census keeps it */
    struct census_request request = *asked;
    struct querier *only = NULL;
    *sel = merge_selector(q, asked->selector);
    request.selector = sel;
    *out = NULL;
    for (uint32_t i = 0; i < q->source_count; i++) {
        if (q->sources[i].maxt_ms < sel->mint_ms)
            continue;
        if (only || !q->sources[i].querier->ops->census)
            return ERR_OK;
        only = q->sources[i].querier;
    }
    if (!only || q->problem_count || sel->mint_ms > sel->maxt_ms)
        return ERR_OK;
    return only->ops->census(only, &request, arena, cancel, out, why);
}

/* ---- life ---- */

static void merge_close(struct querier *base)
{
    struct merge_querier *q = (struct merge_querier *)base;
    for (uint32_t i = 0; i < q->source_count; i++)
        q->sources[i].querier->ops->close(q->sources[i].querier);
    if (q->release)
        q->release(q->release_ctx);
    mem_free(q->sources);
    mem_free(q);
}

static const struct querier_ops merge_ops = {
    .select = merge_select,
    .label_names = merge_label_names,
    .label_values = merge_label_values,
    .close = merge_close,
    .census = merge_census,
};

struct querier *merge_querier_new(const struct merge_options *o)
{
    struct merge_querier *q = MEM_NEW(struct merge_querier);
    *q = (struct merge_querier){
        .base = {.ops = &merge_ops, .mint_ms = o->mint_ms, .maxt_ms = o->maxt_ms},
        .source_count = o->source_count,
        .problems = o->problems,
        .problem_count = o->problem_count,
        .times_ids = o->times_ids,
        .release = o->release,
        .release_ctx = o->release_ctx,
    };
    q->sources = mem_array(o->source_count + 1, sizeof *q->sources);
    if (o->source_count)
        memcpy(q->sources, o->sources, o->source_count * sizeof *q->sources);
    return &q->base;
}
