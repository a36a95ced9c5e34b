/* hist_store.c - adding, sealing, freezing and dropping histograms; the contract is in hist_internal.h. */
#include "chunk/hist_chunk.h"
#include "head/hist_internal.h"

enum { SEAL_AT = 96, SEAL_KEEP = 16 };

struct hist_store *hist_store_of(struct head *h, struct series_line *x)
{
    struct series_more *more = series_more(h, x);
    if (!more->hists) {
        more->hists = MEM_NEW(struct hist_store);
        bytes_add(&h->bytes_side, (int64_t)sizeof *more->hists);
    }
    return more->hists;
}

static void item_free(struct head *h, struct hist_item *item)
{
    bytes_add(&h->bytes_side, -(int64_t)item->bytes);
    mem_free(item->data);
}

static void part_free(struct head *h, struct hist_part *part)
{
    bytes_add(&h->bytes_chunks, -(int64_t)part->bytes);
    mem_free(part->data);
}

void hist_recent_clear(struct head *h, struct hist_store *s)
{
    for (uint32_t i = 0; i < s->recent_count; i++)
        item_free(h, &s->recent[i]);
    s->recent_count = 0;
}

void hist_store_free(struct head *h, struct hist_store *s)
{
    if (!s)
        return;
    hist_recent_clear(h, s);
    for (uint32_t i = 0; i < s->part_count; i++)
        part_free(h, &s->parts[i]);
    bytes_add(&h->bytes_side,
              -(int64_t)(sizeof *s + s->recent_capacity * sizeof *s->recent + s->part_capacity * sizeof *s->parts));
    mem_free(s->recent);
    mem_free(s->parts);
    mem_free(s);
}

static void recent_room(struct head *h, struct hist_store *s)
{
    if (s->recent_count < s->recent_capacity)
        return;
    uint32_t capacity = s->recent_capacity ? s->recent_capacity * 2 : 8;
    s->recent = mem_realloc(s->recent, capacity * sizeof *s->recent);
    bytes_add(&h->bytes_side, (int64_t)((capacity - s->recent_capacity) * sizeof *s->recent));
    s->recent_capacity = capacity;
}

/* First recent one that is not before the time. */
static uint32_t recent_find(const struct hist_store *s, int64_t time_ms)
{
    uint32_t i = s->recent_count;
    if (i == 0 || s->recent[i - 1].time_ms < time_ms)
        return i;
    uint32_t low = 0;
    while (low < i) {
        uint32_t mid = low + (i - low) / 2;
        if (s->recent[mid].time_ms < time_ms)
            low = mid + 1;
        else
            i = mid;
    }
    return low;
}

static void bounds_extend(struct page *p, int64_t first_ms, int64_t last_ms)
{
    p->side_min_ms = first_ms < p->side_min_ms ? first_ms : p->side_min_ms;
    p->side_max_ms = last_ms > p->side_max_ms ? last_ms : p->side_max_ms;
}

bool hist_add(struct head *h, struct page *p, struct series_line *x, int64_t time_ms, struct slice code)
{
    struct hist_store *s = hist_store_of(h, x);
    uint32_t at = recent_find(s, time_ms);
    p->hists_added++;
    s->changed = true;
    struct hist_item *old = at < s->recent_count && s->recent[at].time_ms == time_ms ? &s->recent[at] : NULL;
    if (old && slice_eq(slice_of(old->data, old->bytes), code))
        return false;
    struct hist_item item = {time_ms, mem_alloc(code.len), (uint32_t)code.len};
    memcpy(item.data, code.data, code.len);
    bytes_add(&h->bytes_side, (int64_t)item.bytes);
    if (old) {
        item_free(h, old);
        *old = item;
        return true;
    }
    recent_room(h, s);
    memmove(s->recent + at + 1, s->recent + at, (s->recent_count - at) * sizeof *s->recent);
    s->recent[at] = item;
    s->recent_count++;
    bounds_extend(p, time_ms, time_ms);
    return true;
}

bool hist_is_empty(const struct series_line *x)
{
    return !x->more || !x->more->hists || x->more->hists->recent_count + x->more->hists->part_count == 0;
}

void hist_extend_bounds(struct page *p, const struct series_line *x)
{
    const struct hist_store *s = x->more ? x->more->hists : NULL;
    if (!s)
        return;
    for (uint32_t i = 0; i < s->part_count; i++)
        bounds_extend(p, s->parts[i].first_ms, s->parts[i].last_ms);
    if (s->recent_count)
        bounds_extend(p, s->recent[0].time_ms, s->recent[s->recent_count - 1].time_ms);
}

bool hist_within(const struct series_line *x, bool frozen, int64_t mint_ms, int64_t maxt_ms)
{
    const struct hist_store *s = x->more ? x->more->hists : NULL;
    if (!s)
        return false;
    for (uint32_t i = 0; i < s->part_count; i++)
        if ((!frozen || s->parts[i].frozen) && s->parts[i].first_ms <= maxt_ms && s->parts[i].last_ms >= mint_ms)
            return true;
    return !frozen && s->recent_count && s->recent[0].time_ms <= maxt_ms &&
           s->recent[s->recent_count - 1].time_ms >= mint_ms;
}

void hist_part_add(struct head *h, struct series_line *x, const struct hist_part *part)
{
    struct hist_store *s = hist_store_of(h, x);
    if (s->part_count == s->part_capacity) {
        uint32_t capacity = s->part_capacity ? s->part_capacity * 2 : 2;
        s->parts = mem_realloc(s->parts, capacity * sizeof *s->parts);
        bytes_add(&h->bytes_side, (int64_t)((capacity - s->part_capacity) * sizeof *s->parts));
        s->part_capacity = capacity;
    }
    s->parts[s->part_count++] = *part;
    bytes_add(&h->bytes_chunks, part->bytes);
}

/* Samples in order of time become parts: one per run that fits into a chunk. */
static void parts_make(struct head *h, struct series_line *x, const struct hist_sample *list, uint32_t count,
                       bool frozen)
{
    const struct histogram **hists = mem_array(count, sizeof *hists);
    int64_t *times = mem_array(count, sizeof *times);
    struct buf out = {.own = true};
    for (uint32_t i = 0; i < count; i++) {
        hists[i] = list[i].h;
        times[i] = list[i].time_ms;
    }
    for (uint32_t i = 0, n; i < count; i += n) {
        uint32_t left = count - i < HIST_CHUNK_SAMPLES_MAX ? count - i : HIST_CHUNK_SAMPLES_MAX;
        n = hist_chunk_fit(hists + i, left);
        buf_reset(&out);
        times_encode(times + i, n, &out);
        struct hist_part part = {.first_ms = times[i],
                                 .last_ms = times[i + n - 1],
                                 .count = n,
                                 .frozen = frozen,
                                 .times_bytes = (uint32_t)out.len};
        hist_chunk_encode(hists + i, n, &out);
        assert(!out.failed);
        part.bytes = (uint32_t)out.len;
        part.data = mem_alloc(out.len);
        memcpy(part.data, out.data, out.len);
        hist_part_add(h, x, &part);
    }
    buf_deinit(&out);
    mem_free(times);
    mem_free(hists);
}

/* The first n recent ones become parts. */
static void recent_seal(struct head *h, struct series_line *x, uint32_t n, bool frozen)
{
    struct hist_store *s = x->more->hists;
    struct arena arena;
    struct hist_sample *list = mem_array(n, sizeof *list);
    arena_init(&arena, NULL);
    for (uint32_t i = 0; i < n; i++) {
        list[i] = (struct hist_sample){s->recent[i].time_ms,
                                       hist_decode(slice_of(s->recent[i].data, s->recent[i].bytes), &arena)};
        assert(list[i].h != NULL); /* checked when it came in */
    }
    parts_make(h, x, list, n, frozen);
    for (uint32_t i = 0; i < n; i++)
        item_free(h, &s->recent[i]);
    s->recent_count -= n;
    memmove(s->recent, s->recent + n, s->recent_count * sizeof *s->recent);
    arena_deinit(&arena);
    mem_free(list);
}

bool hist_wants_seal(const struct series_line *x)
{
    return x->more && x->more->hists && x->more->hists->recent_count >= SEAL_AT;
}

void hist_seal(struct head *h, struct series_line *x)
{
    recent_seal(h, x, x->more->hists->recent_count - SEAL_KEEP, false);
}

/* A part that a time divides becomes two, in its place in the order of making. */
static void part_split(struct head *h, struct series_line *x, uint32_t index, int64_t before_ms)
{
    struct hist_store *s = x->more->hists;
    struct hist_part part = s->parts[index], *later;
    struct hist_copy copy = {.parts = &part, .part_count = 1};
    struct hist_sample *list;
    struct arena arena;
    uint32_t n = 0, later_count = s->part_count - index - 1;
    arena_init(&arena, NULL);
    uint32_t count = hist_copy_decode(&copy, INT64_MIN, INT64_MAX, &arena, &list);
    assert(count == part.count);
    later = mem_array(later_count, sizeof *later);
    if (later_count)
        memcpy(later, s->parts + index + 1, later_count * sizeof *later);
    s->part_count = index;
    while (n < count && list[n].time_ms < before_ms)
        n++;
    parts_make(h, x, list, n, true);
    parts_make(h, x, list + n, count - n, false);
    for (uint32_t i = 0; i < later_count; i++) {
        bytes_add(&h->bytes_chunks, -(int64_t)later[i].bytes); /* hist_part_add counts it again */
        hist_part_add(h, x, &later[i]);
    }
    part_free(h, &part);
    arena_deinit(&arena);
    mem_free(later);
}

void hist_freeze(struct head *h, struct series_line *x, int64_t before_ms)
{
    struct hist_store *s = x->more ? x->more->hists : NULL;
    if (!s)
        return;
    for (uint32_t i = 0; i < s->part_count; i++) {
        if (s->parts[i].first_ms >= before_ms)
            continue;
        if (s->parts[i].last_ms < before_ms)
            s->parts[i].frozen = true;
        else
            part_split(h, x, i, before_ms);
    }
    uint32_t n = recent_find(s, before_ms);
    if (n)
        recent_seal(h, x, n, true);
}

void hist_drop_frozen(struct head *h, struct series_line *x)
{
    struct hist_store *s = x->more ? x->more->hists : NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; s && i < s->part_count; i++) {
        if (s->parts[i].frozen)
            part_free(h, &s->parts[i]);
        else
            s->parts[n++] = s->parts[i];
    }
    if (s)
        s->part_count = n;
}
