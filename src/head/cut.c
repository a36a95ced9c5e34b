/*
 * cut.c - the samples before a time leave the head for a block.
 *
 * begin raises the floor of every page: from then on an older sample lands beside the column, so what
 * the column holds before the floor does not change any more; samples beside the column that are older
 * than the floor are frozen apart from those still to come.  What a cut reads is therefore exactly what
 * finish frees, and whatever arrives meanwhile waits for the next cut.  What an abandoned cut has frozen stays frozen, so
 * the next one takes at least as much.
 */
#include <stdlib.h>

#include "chunk/hist_chunk.h"
#include "head/cut_internal.h"

/* ---- begin ---- */

/* Moves the samples before the cut from the list to the frozen ones. */
static void side_freeze(struct head *h, struct side *s, int64_t before_ms)
{
    side_settle(s);
    uint32_t n = 0, a = 0, b = 0, m = 0;
    while (n < s->count && s->list[n].time_ms < before_ms)
        n++;
    if (n == 0)
        return;
    struct side_sample *merged = mem_alloc((s->frozen_count + n) * sizeof *merged);
    while (a < s->frozen_count || b < n) { /* for one time the list wins: it came later */
        bool old = b == n || (a < s->frozen_count && s->frozen[a].time_ms < s->list[b].time_ms);
        if (!old && a < s->frozen_count && s->frozen[a].time_ms == s->list[b].time_ms)
            a++;
        merged[m++] = old ? s->frozen[a++] : s->list[b++];
    }
    bytes_add(&h->bytes_side, ((int64_t)m - s->frozen_count) * (int64_t)sizeof *merged);
    mem_free(s->frozen);
    s->frozen = merged;
    s->frozen_count = m;
    if (s->count > n)
        memmove(s->list, s->list + n, (s->count - n) * sizeof *s->list);
    s->count = s->sorted = s->count - n;
}

static void freeze_page(struct head *h, uint32_t page, int64_t before_ms)
{
    struct page *p = page_of(h, page);
    mutex_lock(&p->lock);
    if (p->floor_ms < before_ms)
        p->floor_ms = before_ms;
    for (uint32_t slot = 0; slot < get_relaxed(&p->slots); slot++) {
        struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        if (x->more && x->more->side.count)
            side_freeze(h, &x->more->side, before_ms);
        hist_freeze(h, x, before_ms);
    }
    mutex_unlock(&p->lock);
}

static struct head_cut *cut_new(struct head *h, int64_t before_ms)
{
    struct head_cut *cut = MEM_NEW(struct head_cut);
    assert(!h->cut);
    h->told = false;
    cut->head = h;
    cut->before_ms = before_ms > h->frozen_ms ? before_ms : h->frozen_ms;
    arena_init(&cut->arena, NULL);
    epoch_slot_add(&h->epochs, &cut->epoch);
    epoch_enter(&h->epochs, &cut->epoch);
    h->cut = cut;
    return cut;
}

void head_cut_begin(struct head *h, int64_t before_ms, struct head_cut **out)
{
    struct head_cut *cut = cut_new(h, before_ms);
    before_ms = cut->before_ms;
    mutex_lock(&h->create); /* pages that are made later have the new floor */
    if (get_relaxed(&h->floor_ms) < before_ms)
        set_relaxed(&h->floor_ms, before_ms);
    cut->pages = get_relaxed(&h->page_count);
    mutex_unlock(&h->create);
    for (uint32_t page = 1; page < cut->pages; page++)
        freeze_page(h, page, before_ms);
    *out = cut;
}

/* Its series that are alive, when none of them had a sample since; else 0. */
static uint32_t idle_series(struct head *h, uint32_t page, int64_t before_ms)
{
    struct page *p = page_of(h, page);
    uint32_t alive = 0;
    mutex_lock(&p->lock);
    bool idle = p->last_ms < before_ms && p->side_max_ms < before_ms;
    for (uint32_t slot = 0; idle && slot < get_relaxed(&p->slots); slot++)
        alive += series_alive(line_of(h, page * PAGE_SERIES + slot));
    mutex_unlock(&p->lock);
    return alive;
}

uint64_t head_idle_series(struct head *h, int64_t before_ms)
{
    uint64_t idle = 0;
    for (uint32_t page = 1; page < get_relaxed(&h->page_count); page++)
        idle += idle_series(h, page, before_ms);
    return idle;
}

/* A cut that takes some pages.  The floor of the head stays: new pages have room for what is older. */
static struct head_cut *cut_new_of_pages(struct head *h, int64_t before_ms)
{
    struct head_cut *cut = cut_new(h, before_ms);
    mutex_lock(&h->create);
    cut->pages = get_relaxed(&h->page_count);
    mutex_unlock(&h->create);
    cut->only = mem_array((size_t)cut->pages / 64 + 1, sizeof *cut->only);
    return cut;
}

static void take_page(struct head_cut *cut, uint32_t page)
{
    if (page >= cut->pages || cut->only[page >> 6] >> (page & 63) & 1)
        return;
    cut->only[page >> 6] |= UINT64_C(1) << (page & 63);
    freeze_page(cut->head, page, cut->before_ms);
}

void head_cut_begin_idle(struct head *h, int64_t before_ms, struct head_cut **out)
{
    struct head_cut *cut = cut_new_of_pages(h, before_ms);
    for (uint32_t page = 1; page < cut->pages; page++)
        if (idle_series(h, page, before_ms))
            take_page(cut, page);
    *out = cut;
}

enum err head_cut_begin_of(struct head *h, int64_t before_ms, const struct selector *selectors, uint32_t count,
                           struct cancel *cancel, struct head_cut **out, struct errmsg *why)
{
    struct head_cut *cut = cut_new_of_pages(h, before_ms);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        struct refs refs = {0};
        err = select_all_times(h, &selectors[i], cancel, &refs, why);
        for (size_t k = 0; k < refs.count && err == ERR_OK; k++)
            take_page(cut, (uint32_t)(refs.list[k] / PAGE_SERIES));
        refs_deinit(&refs);
    }
    if (err != ERR_OK)
        head_cut_abandon(cut);
    else
        *out = cut;
    return err;
}

/* ---- windows ---- */

static int64_t align_down(int64_t time_ms, int64_t range_ms)
{
    int64_t rest = time_ms % range_ms;
    return time_ms - (rest < 0 ? rest + range_ms : rest);
}

void head_cut_ranges(struct head_cut *cut, const int64_t *ranges_ms, uint32_t count)
{
    assert(!cut->windows_known);
    cut->ranges_ms = ranges_ms;
    cut->range_count = count;
}

/* The longest range whose window ends before the cut; windows of different ranges are apart, as each is a multiple of
 * the next. */
static struct cut_window window_of(const struct head_cut *cut, int64_t time_ms, int64_t range_ms)
{
    for (uint32_t i = cut->range_count; i > 0; i--) {
        int64_t mint = align_down(time_ms, cut->ranges_ms[i - 1]);
        if (mint <= cut->before_ms - cut->ranges_ms[i - 1])
            return (struct cut_window){mint, mint + cut->ranges_ms[i - 1] - 1};
    }
    int64_t mint = align_down(time_ms, range_ms);
    return (struct cut_window){mint, mint + range_ms - 1};
}

static void window_add(struct head_cut *cut, int64_t time_ms, int64_t range_ms)
{
    const struct cut_window *last = cut->window_count ? &cut->windows[cut->window_count - 1] : NULL;
    if (last && time_ms >= last->mint_ms && time_ms <= last->maxt_ms)
        return;
    cut->windows = mem_grow(cut->windows, &cut->window_capacity, cut->window_count + 1, sizeof *cut->windows);
    cut->windows[cut->window_count++] = window_of(cut, time_ms, range_ms);
}

static int by_start(const void *a, const void *b)
{
    int64_t x = ((const struct cut_window *)a)->mint_ms, y = ((const struct cut_window *)b)->mint_ms;
    return (x > y) - (x < y);
}

static void windows_unique(struct head_cut *cut)
{
    size_t n = 0;
    if (cut->window_count)
        qsort(cut->windows, cut->window_count, sizeof *cut->windows, by_start);
    for (size_t i = 0; i < cut->window_count; i++)
        if (n == 0 || cut->windows[n - 1].mint_ms != cut->windows[i].mint_ms)
            cut->windows[n++] = cut->windows[i];
    cut->window_count = n;
}

/* Windows of the frozen histograms of a series. */
static void windows_of_hists(struct head_cut *cut, const struct series_line *x, int64_t range_ms)
{
    const struct hist_store *s = x->more ? x->more->hists : NULL;
    for (uint32_t i = 0; s && i < s->part_count; i++) {
        const struct hist_part *p = &s->parts[i];
        int64_t times[HIST_CHUNK_SAMPLES_MAX];
        if (!p->frozen)
            continue;
        enum err err = times_decode(slice_of(p->data, p->times_bytes), p->count, times);
        assert(err == ERR_OK); /* our own bytes */
        for (uint32_t k = 0; k < p->count; k++)
            window_add(cut, times[k], range_ms);
    }
}

static void windows_of_page(struct head_cut *cut, uint32_t page, int64_t range_ms)
{
    struct head *h = cut->head;
    struct page *p = page_of(h, page);
    mutex_lock(&p->lock);
    uint32_t end = column_find(p, cut->before_ms);
    for (uint32_t i = p->start; i < end; i++)
        window_add(cut, column_at(p, i), range_ms);
    for (uint32_t slot = 0; slot < get_relaxed(&p->slots); slot++) {
        const struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        for (uint32_t i = 0; x->more && i < x->more->side.frozen_count; i++)
            window_add(cut, x->more->side.frozen[i].time_ms, range_ms);
        windows_of_hists(cut, x, range_ms);
    }
    mutex_unlock(&p->lock);
}

bool head_cut_window(struct head_cut *cut, int64_t range_ms, int64_t *mint_ms, int64_t *maxt_ms)
{
    if (!cut->windows_known) {
        enum { COMPACT_AT = 1 << 16 };
        for (uint32_t page = 1; page < cut->pages; page++) {
            if (cut_takes(cut, page))
                windows_of_page(cut, page, range_ms);
            if (cut->window_count > COMPACT_AT)
                windows_unique(cut);
        }
        windows_unique(cut);
        cut->windows_known = true;
    }
    if (cut->window_next == cut->window_count)
        return false;
    *mint_ms = cut->windows[cut->window_next].mint_ms;
    *maxt_ms = cut->windows[cut->window_next++].maxt_ms;
    if (*maxt_ms >= cut->before_ms)
        *maxt_ms = cut->before_ms - 1;
    return true;
}

/* ---- series of a window ---- */

static bool side_within(const struct side *s, int64_t mint_ms, int64_t maxt_ms)
{
    uint32_t low = side_first(s->frozen, s->frozen_count, mint_ms);
    return low < s->frozen_count && s->frozen[low].time_ms <= maxt_ms;
}

static bool stream_within(const struct series_line *x, uint32_t low, uint32_t high)
{
    if (low >= high || series_is_empty(x) || x->end <= low)
        return false;
    uint32_t first = x->more && x->more->chunk_count ? x->more->chunks[0].first : x->first;
    return first < high;
}

static void refs_of_page(struct head_cut *cut, uint32_t page, int64_t mint_ms, int64_t maxt_ms, struct refs *out)
{
    struct head *h = cut->head;
    struct page *p = page_of(h, page);
    mutex_lock(&p->lock);
    uint32_t low = column_find(p, mint_ms), high = column_find(p, maxt_ms + 1), slots = get_relaxed(&p->slots);
    out->list = mem_grow(out->list, &out->capacity, out->count + slots, sizeof *out->list);
    for (uint32_t slot = 0; slot < slots; slot++) {
        const struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        if (!series_alive(x))
            continue;
        if (stream_within(x, low, high) || (x->more && side_within(&x->more->side, mint_ms, maxt_ms)) ||
            hist_within(x, true, mint_ms, maxt_ms))
            out->list[out->count++] = page * PAGE_SERIES + slot;
    }
    mutex_unlock(&p->lock);
}

/* ---- in order, piece by piece ---- */

struct ranked {
    struct slice name;
    uint32_t pair; /* of the metric name; 0: series without one */
};

static int by_name_bytes(const void *a, const void *b)
{
    return slice_cmp(((const struct ranked *)a)->name, ((const struct ranked *)b)->name);
}

/* Metric names in order: their place by pair number. */
static uint32_t *rank_names(struct head *h, uint32_t pairs, uint32_t *names)
{
    uint32_t count = 0, *rank = mem_array(pairs, sizeof *rank);
    const struct label_name *metric = name_find(h, SLICE_LIT(METRIC_NAME));
    const uint32_t *ids = metric ? vec_read(&metric->pairs, &count) : NULL;
    struct ranked *list = mem_array(count, sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct ranked){pair_of(h, ids[i])->label.value, ids[i]};
    if (count)
        qsort(list, count, sizeof *list, by_name_bytes);
    for (uint32_t i = 0; i < count; i++)
        if (list[i].pair < pairs)
            rank[list[i].pair] = i + 1;
    mem_free(list);
    *names = count + 1; /* 0: no name */
    return rank;
}

static uint32_t rank_of(struct head *h, series_ref ref, const uint32_t *rank, uint32_t pairs)
{
    uint32_t ids[LABEL_COUNT_MAX], count = series_pairs(h, ref, ids), found = 0;
    for (uint32_t i = 0; i < count && !found; i++)
        found = ids[i] < pairs ? rank[ids[i]] : 0;
    return found;
}

/* Sorts the refs by metric name; cut->ends[] says where each name ends. */
static void group_by_name(struct head_cut *cut)
{
    struct head *h = cut->head;
    struct refs *refs = &cut->refs;
    uint32_t pairs = atomic_load(&h->pair_count), names, *rank = rank_names(h, pairs, &names);
    uint32_t *of = mem_array(refs->count, sizeof *of);
    series_ref *sorted = mem_array(refs->count, sizeof *sorted);
    mem_free(cut->ends);
    cut->ends = mem_array((size_t)names + 1, sizeof *cut->ends);
    cut->name_count = names;
    for (size_t i = 0; i < refs->count; i++) {
        of[i] = rank_of(h, refs->list[i], rank, pairs);
        cut->ends[of[i] + 1]++;
    }
    for (uint32_t n = 0; n < names; n++)
        cut->ends[n + 1] += cut->ends[n];
    for (size_t i = 0; i < refs->count; i++)
        sorted[cut->ends[of[i]]++] = refs->list[i]; /* afterwards ends[n] is where name n ends */
    mem_free(refs->list);
    refs->list = sorted;
    refs->capacity = refs->count;
    mem_free(of);
    mem_free(rank);
}

void head_cut_select(struct head_cut *cut, int64_t mint_ms, int64_t maxt_ms, labels_order order)
{
    assert(maxt_ms < cut->before_ms);
    cut->refs.count = 0;
    for (uint32_t page = 1; page < cut->pages; page++)
        if (cut_takes(cut, page))
            refs_of_page(cut, page, mint_ms, maxt_ms, &cut->refs);
    group_by_name(cut);
    cut->order = order;
    cut->next = cut->next_name = 0;
}

enum err head_cut_next(struct head_cut *cut, struct series_set **out, struct errmsg *why)
{
    size_t end = cut->next;
    *out = NULL;
    arena_deinit(&cut->arena);
    arena_init(&cut->arena, NULL);
    while (cut->next_name < cut->name_count && end - cut->next < cut->head->options.cut_series)
        end = cut->ends[cut->next_name++];
    if (end == cut->next)
        return ERR_OK;
    struct refs piece = {.list = cut->refs.list + cut->next, .count = end - cut->next};
    cut->next = end;
    return head_set_new(cut->head, &piece, NULL, cut->order, true, &cut->arena, NULL, out, why);
}

/* ---- end ---- */

static void cut_free(struct head_cut *cut)
{
    cut->head->cut = NULL;
    epoch_leave(&cut->epoch);
    epoch_slot_remove(&cut->head->epochs, &cut->epoch);
    arena_deinit(&cut->arena);
    refs_deinit(&cut->refs);
    mem_free(cut->ends);
    mem_free(cut->windows);
    mem_free(cut->only);
    mem_free(cut);
}

void head_cut_abandon(struct head_cut *cut)
{
    if (!cut)
        return;
    cut->head->frozen_ms = cut->before_ms; /* not less than it was */
    cut_free(cut);
}

enum err head_cut_finish(struct head_cut *cut, int64_t idle_ms, struct cancel *cancel)
{
    struct head *h = cut->head;
    epoch_leave(&cut->epoch); /* or it would wait for itself */
    enum err err = epoch_wait(&h->epochs, cut->before_ms, cancel);
    if (err == ERR_OK) {
        truncate_before(cut, idle_ms, cancel);
        atomic_fetch_add_explicit(&h->cuts, 1, memory_order_relaxed);
    }
    if (err != ERR_OK)
        h->frozen_ms = cut->before_ms;
    else if (!cut->only)
        h->frozen_ms = INT64_MIN;
    cut_free(cut);
    epoch_reclaim(&h->epochs);
    return err;
}
