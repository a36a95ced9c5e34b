/*
 * seal.c - long tails become chunks, in the background.
 *
 * Under the page's lock the full lines of its longest tails are copied; they are decoded and encoded
 * without it; then, under the lock again, the chunk takes their place.  The newest line stays, so
 * appends go on undisturbed.  Only the background thread touches chunks and the old end of a tail, so
 * nothing it copied can have changed meanwhile.
 *
 * Chunks are joined like a binary counter (120, 240, 480 ...): each sample is encoded a few times, and
 * a series has a handful of chunks.
 */
#include "head/seal_internal.h"

enum { PAGES_PER_SLICE = 256, LOOKS_PER_SEAL = 4, HISTS_PER_VISIT = 4, HISTS_WORTH_A_LOOK = 32 };

/* One tail on its way into a chunk. */
struct seal {
    uint32_t slot;
    uint32_t newest; /* the line that stays */
    uint32_t span;   /* the tail has at most so many samples */
    bool has_last;
    struct head_chunk last; /* the newest chunk; nobody else frees its data */
    struct chunk_hint hint;
    struct tail_copy copy;
    struct buf ids;
};

struct sealer {
    struct head *head;
    struct seal list[PAGE_SERIES];
    uint32_t *indexes;
    double *values;
    size_t index_capacity, value_capacity;
    struct buf gaps, payload;
    struct head_chunk *made;
    size_t made_count, made_capacity;
};

static bool wants_seal(struct head *h, const struct series_line *x)
{
    return series_alive(x) && get_relaxed(&x->tail) != 0 && get_relaxed(&x->tail_first) != get_relaxed(&x->tail) &&
           x->end - x->first >= h->options.seal_samples;
}

static uint32_t copy_tails(struct sealer *s, uint32_t page)
{
    struct page *p = page_of(s->head, page);
    uint32_t count = 0;
    unsigned hists = HISTS_PER_VISIT; /* these are encoded under the lock, so a few at a time */
    mutex_lock(&p->lock);
    if (p->end - p->sealed_at < s->head->options.seal_samples / LOOKS_PER_SEAL && p->hists_added < HISTS_WORTH_A_LOOK) {
        mutex_unlock(&p->lock); /* too little has come since the last look: its 64 lines need not be touched */
        return 0;
    }
    p->sealed_at = p->end;
    p->hists_added = 0;
    for (uint32_t slot = 0; slot < get_relaxed(&p->slots); slot++) {
        struct series_line *x = line_of(s->head, page * PAGE_SERIES + slot);
        if (series_alive(x) && hist_wants_seal(x)) {
            if (hists) {
                hist_seal(s->head, x);
                hists--;
            } else {
                p->hists_added = HISTS_WORTH_A_LOOK; /* the others at the next look */
            }
        }
        if (!wants_seal(s->head, x))
            continue;
        struct seal *one = &s->list[count++];
        one->slot = slot;
        one->newest = get_relaxed(&x->tail);
        one->span = x->end - x->first;
        one->has_last = x->more && x->more->chunk_count;
        if (one->has_last)
            one->last = x->more->chunks[x->more->chunk_count - 1];
        one->hint = x->more ? x->more->hint : (struct chunk_hint){0};
        buf_reset(&one->ids);
        one->ids.own = one->copy.lines.own = true;
        tail_copy_full(s->head, x, &one->copy, &one->ids);
    }
    mutex_unlock(&p->lock);
    return count;
}

void chunk_make(const uint32_t *indexes, const double *values, uint32_t count, struct chunk_hint *hint,
                struct buf *gaps, struct buf *payload, struct head_chunk *out)
{
    buf_reset(gaps);
    buf_reset(payload);
    if (indexes[count - 1] - indexes[0] != count - 1)
        for (uint32_t i = 0, end; i < count; i = end) {
            for (end = i + 1; end < count && indexes[end] == indexes[end - 1] + 1; end++)
                ;
            buf_varint(gaps, end - i);
            if (end < count)
                buf_varint(gaps, indexes[end] - indexes[end - 1] - 1);
        }
    uint32_t flags = chunk_encode_values(values, count, hint, payload);
    assert(!gaps->failed && !payload->failed);
    *out = (struct head_chunk){.first = indexes[0],
                               .end = indexes[count - 1] + 1,
                               .count = count,
                               .flags = flags,
                               .bytes = (uint32_t)(gaps->len + payload->len),
                               .gap_bytes = (uint32_t)gaps->len};
    out->data = mem_alloc(out->bytes);
    if (gaps->len)
        memcpy(out->data, gaps->data, gaps->len);
    memcpy(out->data + gaps->len, payload->data, payload->len);
}

void chunk_add(struct head *h, struct series_more *more, const struct head_chunk *c)
{
    if (more->chunk_count == more->chunk_capacity) {
        uint32_t capacity = more->chunk_capacity ? more->chunk_capacity * 2 : 1;
        more->chunks = mem_realloc(more->chunks, capacity * sizeof *more->chunks);
        bytes_add(&h->bytes_chunks, (int64_t)((capacity - more->chunk_capacity) * sizeof *more->chunks));
        more->chunk_capacity = capacity;
    }
    more->chunks[more->chunk_count++] = *c;
    bytes_add(&h->bytes_chunks, c->bytes);
    atomic_fetch_add_explicit(&h->chunks, 1, memory_order_relaxed);
}

void chunk_forget(struct head *h, struct head_chunk *c)
{
    bytes_add(&h->bytes_chunks, -(int64_t)c->bytes);
    atomic_fetch_sub_explicit(&h->chunks, 1, memory_order_relaxed);
    mem_free(c->data);
    c->data = NULL;
}

static void room_for(struct sealer *s, size_t samples)
{
    s->indexes = mem_grow(s->indexes, &s->index_capacity, samples + 1, sizeof *s->indexes);
    s->values = mem_grow(s->values, &s->value_capacity, samples + 1, sizeof *s->values);
}

/* Whether the newest chunk should become one with n more samples. */
static bool joins(const struct seal *one, uint32_t n)
{
    return n && one->has_last && one->last.count <= 2 * n && one->last.count + n <= CHUNK_SAMPLES_GOOD;
}

/* The tail's samples, and those of the newest chunk before them if they join; returns how many. */
static uint32_t decode_seal(struct sealer *s, struct seal *one, bool *join, uint32_t *end_index, uint64_t *end_value)
{
    room_for(s, one->span + CHUNK_SAMPLES_GOOD);
    uint32_t count = tail_decode_lines(&one->copy, s->indexes, s->values, one->span, end_index, end_value);
    *join = joins(one, count);
    if (!*join)
        return count;
    memmove(s->indexes + one->last.count, s->indexes, count * sizeof *s->indexes);
    memmove(s->values + one->last.count, s->values, count * sizeof *s->values);
    chunk_read(one->last.data, &one->last, s->indexes, s->values);
    return one->last.count + count;
}

static void seal_one(struct sealer *s, uint32_t page, struct seal *one)
{
    struct head *h = s->head;
    struct page *p = page_of(h, page);
    struct series_line *x = line_of(h, page * PAGE_SERIES + one->slot);
    uint32_t end_index;
    uint64_t end_value;
    bool join;
    uint32_t total = decode_seal(s, one, &join, &end_index, &end_value);
    s->made_count = 0;
    for (uint32_t done = 0, n; done < total; done += n) {
        n = total - done < CHUNK_SAMPLES_GOOD ? total - done : CHUNK_SAMPLES_GOOD;
        s->made = mem_grow(s->made, &s->made_capacity, s->made_count + 1, sizeof *s->made);
        chunk_make(s->indexes + done, s->values + done, n, &one->hint, &s->gaps, &s->payload,
                   &s->made[s->made_count++]);
    }
    mutex_lock(&p->lock);
    struct series_more *more = series_more(h, x);
    if (join)
        chunk_forget(h, &more->chunks[--more->chunk_count]);
    for (size_t i = 0; i < s->made_count; i++)
        chunk_add(h, more, &s->made[i]);
    more->hint = one->hint;
    more->base = end_value;
    x->first = end_index;
    set_relaxed(&x->tail_first, one->newest);
    mutex_unlock(&p->lock);
    tail_lines_give(h, (const uint32_t *)(const void *)one->ids.data, one->ids.len / sizeof(uint32_t));
    atomic_fetch_add_explicit(&h->chunks_sealed, s->made_count, memory_order_relaxed);
}

static void sealer_deinit(struct sealer *s)
{
    for (uint32_t i = 0; i < PAGE_SERIES; i++) {
        tail_copy_deinit(&s->list[i].copy);
        buf_deinit(&s->list[i].ids);
    }
    mem_free(s->indexes);
    mem_free(s->values);
    mem_free(s->made);
    buf_deinit(&s->gaps);
    buf_deinit(&s->payload);
}

bool head_maintain(struct head *h, struct cancel *cancel)
{
    struct sealer s = {.head = h, .gaps.own = true, .payload.own = true};
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire), page = h->maintain_page;
    uint32_t end = pages - page > PAGES_PER_SLICE ? page + PAGES_PER_SLICE : pages;
    for (; page < end && cancel_check(cancel) == ERR_OK; page++) {
        uint32_t count = copy_tails(&s, page);
        for (uint32_t i = 0; i < count; i++)
            seal_one(&s, page, &s.list[i]);
    }
    sealer_deinit(&s);
    h->maintain_page = page < pages ? page : 1;
    if (page >= pages)
        epoch_reclaim(&h->epochs);
    return page < pages;
}
