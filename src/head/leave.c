/*
 * leave.c - idle series leave: unfindable first, then out of postings, index and names.
 *
 * Numbers of pairs and pages that became free are used again only when no record that could still be replayed means
 * something else by them: after the next checkpoint, or after the one after it when the one before stands in for a
 * damaged one.
 */
#include <stdlib.h>

#include "head/leave_internal.h"
#include "head/tail_internal.h"

void leave_note(struct leaving *l, series_ref ref)
{
    l->refs.list = mem_grow(l->refs.list, &l->refs.capacity, l->refs.count + 1, sizeof *l->refs.list);
    l->refs.list[l->refs.count++] = ref;
}

/* Under both locks: an append that comes later sees a series that left. */
void series_remove(struct head *h, series_ref ref)
{
    struct page *p = page_of(h, ref / PAGE_SERIES);
    struct series_line *x = line_of(h, ref);
    mutex_lock(&p->lock);
    set_relaxed(&x->label_bytes, 0);
    set_relaxed(&x->hash_lo, 0);
    set_relaxed(&x->hash_hi, 0);
    x->end = END_GONE;
    more_free(h, x->more);
    x->more = NULL;
    mutex_unlock(&p->lock);
    p->alive--;
    atomic_fetch_sub_explicit(&h->series, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->series_removed, 1, memory_order_relaxed);
}

/* clang does not see that the lock of l->head is that of h. */
NO_LOCK_CHECK void leave_now(struct leaving *l, series_ref ref)
{
    struct head *h = l->head;
    uint32_t ids[LABEL_COUNT_MAX];
    h->told = false;
    uint32_t count = series_pairs(h, ref, ids);
    l->pairs = mem_grow(l->pairs, &l->pair_capacity, l->pair_count + count, sizeof *l->pairs);
    memcpy(l->pairs + l->pair_count, ids, count * sizeof *ids);
    l->pair_count += count;
    series_remove(h, ref);
}

/* Something may have been appended since it was noted. */
static bool still_idle(struct head *h, series_ref ref)
{
    struct page *p = page_of(h, ref / PAGE_SERIES);
    const struct series_line *x = line_of(h, ref);
    mutex_lock(&p->lock);
    bool idle = series_alive(x) && series_is_idle(x);
    mutex_unlock(&p->lock);
    return idle;
}

/* clang does not see that the lock of l->head is that of h. */
NO_LOCK_CHECK static void remove_series(struct leaving *l)
{
    struct head *h = l->head;
    for (size_t i = 0; i < l->refs.count; i++) {
        series_ref ref = l->refs.list[i];
        mutex_lock(&h->create);
        if (still_idle(h, ref)) {
            leave_now(l, ref);
            if (page_of(h, ref / PAGE_SERIES)->alive == 0)
                page_leave(h, ref / PAGE_SERIES);
        }
        mutex_unlock(&h->create);
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Where aliases move when those of series that left are taken out. */
struct moving {
    struct head *head;
    uint32_t *to; /* by old number; 0: it goes */
};

static uint32_t keep_alive(void *ctx, uint32_t id)
{
    const struct moving *m = ctx;
    if (!(id & ALIAS_BIT))
        return series_alive(line_of(m->head, id)) ? id : 0;
    uint32_t to = m->to[id & ~ALIAS_BIT];
    return to ? to | ALIAS_BIT : 0;
}

/* Takes the series that left, and their aliases, out of the index. */
static void clean_index(struct head *h)
{
    uint32_t count, kept = 1; /* entry 0 stands for nothing */
    int64_t bytes = 0;
    const struct alias *list = vec_read(&h->aliases, &count);
    struct moving m = {h, mem_array(count, sizeof *m.to)};
    struct alias *left = mem_array((size_t)count + 1, sizeof *left);
    for (uint32_t i = 1; i < count; i++)
        if (series_alive(line_of(h, list[i].ref))) {
            m.to[i] = kept;
            left[kept++] = list[i];
        }
    if (kept < count)
        vec_replace(&h->aliases, &h->epochs, left, kept, sizeof *left, &bytes);
    tags_rewrite(&h->series_index, &h->epochs, keep_alive, &m, &bytes);
    bytes_add(&h->bytes_index, bytes);
    mem_free(m.to);
    mem_free(left);
}

/* Postings of the pairs that lost series; pairs that lost all of them go, too. */
static void clean_pairs(struct leaving *l)
{
    struct head *h = l->head;
    size_t n = 0;
    qsort(l->pairs, l->pair_count, sizeof *l->pairs, by_number);
    for (size_t i = 0; i < l->pair_count; i++)
        if (n == 0 || l->pairs[n - 1] != l->pairs[i])
            l->pairs[n++] = l->pairs[i];
    l->pair_count = n;
    n = 0;
    for (size_t i = 0; i < l->pair_count; i++) {
        struct pair *p = pair_of(h, l->pairs[i]);
        mutex_lock(&h->create);
        postings_filter(h, p);
        if (get_relaxed(&p->series) == 0)
            l->pairs[n++] = l->pairs[i];
        mutex_unlock(&h->create);
    }
    mutex_lock(&h->create);
    pairs_drop(h, l->pairs, n);
    mutex_unlock(&h->create);
}

void leave_settle(struct leaving *l)
{
    struct head *h = l->head;
    if (l->pair_count) {
        clean_pairs(l);
        mutex_lock(&h->create);
        clean_index(h);
        mutex_unlock(&h->create);
    }
    refs_deinit(&l->refs);
    mem_free(l->pairs);
}

void leave_all(struct leaving *l, struct cancel *cancel)
{
    struct head *h = l->head;
    /* A series made by a request under way has no sample yet; once the request is through it has. */
    if (l->refs.count && epoch_wait_brief(&h->epochs, cancel) == ERR_OK)
        remove_series(l);
    leave_settle(l);
}

/* Refs of series that match and are idle. */
static void note_idle(struct leaving *l, const struct selector *sel, struct cancel *cancel)
{
    struct head *h = l->head;
    struct refs refs = {0};
    struct epoch_slot epoch = {.mint_ms = INT64_MAX};
    epoch_slot_add(&h->epochs, &epoch);
    epoch_enter(&h->epochs, &epoch);
    enum err err = select_all_times(h, sel, cancel, &refs, NULL);
    for (size_t i = 0; err == ERR_OK && i < refs.count; i++)
        if (still_idle(h, refs.list[i]))
            leave_note(l, refs.list[i]);
    epoch_leave(&epoch);
    epoch_slot_remove(&h->epochs, &epoch);
    refs_deinit(&refs);
}

uint64_t head_leave_matching(struct head *h, const struct matcher *matchers, uint32_t count, struct cancel *cancel)
{
    struct leaving l = {.head = h};
    uint64_t before = atomic_load(&h->series_removed);
    note_idle(&l, &(struct selector){.matchers = matchers, .matcher_count = count}, cancel);
    leave_all(&l, cancel);
    epoch_reclaim(&h->epochs);
    return atomic_load(&h->series_removed) - before;
}

static void move_all(uint32_t **to, size_t *count, size_t *capacity, const uint32_t *from, size_t from_count)
{
    *to = mem_grow(*to, capacity, *count + from_count, sizeof **to);
    if (from_count)
        memcpy(*to + *count, from, from_count * sizeof **to);
    *count += from_count;
}

static void drop_first(uint32_t *list, size_t *count, size_t n)
{
    *count -= n;
    if (n && *count)
        memmove(list, list + n, *count * sizeof *list);
}

/* Numbers that were ripe and that no reader can hold any more. */
static void free_ripe(struct head *h) REQUIRES(h->create)
{
    for (size_t i = 0; i < h->ripe_pairs; i++)
        pair_forget(h, h->left_pairs[i]);
    for (size_t i = 0; i < h->ripe_pages; i++)
        page_forget(h, h->left_pages[i]);
    move_all(&h->free_pages, &h->free_page_count, &h->free_page_capacity, h->left_pages, h->ripe_pages);
    move_all(&h->free_pairs, &h->free_pair_count, &h->free_pair_capacity, h->left_pairs, h->ripe_pairs);
    drop_first(h->left_pages, &h->left_page_count, h->ripe_pages);
    drop_first(h->left_pairs, &h->left_pair_count, h->ripe_pairs);
    h->old_pages -= h->ripe_pages < h->old_pages ? h->ripe_pages : h->old_pages;
    h->old_pairs -= h->ripe_pairs < h->old_pairs ? h->ripe_pairs : h->old_pairs;
    h->ripe_pages = h->ripe_pairs = 0;
}

void head_checkpoint_published(struct head *h, bool fallback)
{
    h->told = true;
    mutex_lock(&h->create);
    /* Readers may look at the bytes of pairs for as long as a query runs: no waiting, the next time will do. */
    if (h->ripe_pages + h->ripe_pairs && epoch_passed(&h->epochs, h->ripe_mark))
        free_ripe(h);
    size_t pages = fallback ? h->old_pages : h->left_page_count, pairs = fallback ? h->old_pairs : h->left_pair_count;
    if (h->ripe_pages + h->ripe_pairs == 0 && pages + pairs) {
        h->ripe_pages = pages;
        h->ripe_pairs = pairs;
        h->ripe_mark = epoch_mark(&h->epochs);
        if (epoch_passed(&h->epochs, h->ripe_mark))
            free_ripe(h);
    }
    h->old_pages = h->left_page_count;
    h->old_pairs = h->left_pair_count;
    mutex_unlock(&h->create);
}
