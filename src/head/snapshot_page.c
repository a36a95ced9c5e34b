/*
 * snapshot_page.c - one page for a checkpoint; the contract is in snapshot_internal.h.
 *
 * Under the lock tails, samples beside the column and histograms are copied, chunks only pointed at.  Without it the
 * samples that are to be told are put together: chunks as they are, and new ones of what is in tails longer than a line
 * (a third of the bytes of their operations, and who reads them has no tail to append to).
 *
 * Of changes every sample is told once: those from the column index on where the series ended in the checkpoint
 * before, also when they have become part of a chunk with older ones since.
 */
#include "head/snapshot_internal.h"

enum {
    FEW = 16,         /* samples that are not worth a chunk */
    COPIED_CHUNK = 48 /* samples of a chunk that is told as it is instead of together with others */
};

void page_copy_init(struct page_copy *c, struct head *head, bool changes)
{
    *c = (struct page_copy){.head = head, .changes = changes};
    c->column.own = c->streams.own = c->asides.own = c->gaps.own = c->payload.own = true;
}

void page_copy_deinit(struct page_copy *c)
{
    buf_deinit(&c->column);
    buf_deinit(&c->streams);
    buf_deinit(&c->asides);
    buf_deinit(&c->gaps);
    buf_deinit(&c->payload);
    mem_free(c->indexes);
    mem_free(c->values);
    mem_free(c->chunks);
    mem_free(c->made);
}

/* ---- copying, under the page's lock ---- */

static void put_times(struct buf *out, const struct page *p, uint32_t first)
{
    for (uint32_t i = first; i < p->end; i++) {
        if (i == first)
            buf_le64(out, (uint64_t)column_at(p, i));
        else
            buf_varint(out, (uint64_t)(column_at(p, i) - column_at(p, i - 1)));
    }
}

static void put_column(struct page_copy *c, const struct page *p)
{
    struct buf *out = &c->column;
    buf_reset(out);
    if (c->changes) {
        uint32_t first = p->told.end > p->start ? p->told.end : p->start;
        buf_varint(out, p->end - first);
        put_times(out, p, first);
        return;
    }
    /* Of a page that waits to be used again the newest time means nothing any more. */
    buf_le64(out, (uint64_t)(p->alive == 0 && p->start == p->end ? NO_TIME : p->last_ms));
    buf_le64(out, (uint64_t)p->floor_ms);
    buf_varint(out, p->start);
    buf_varint(out, p->end - p->start);
    put_times(out, p, p->start);
}

static void put_side(struct buf *out, const struct series_more *more)
{
    uint32_t frozen = more ? more->side.frozen_count : 0, count = more ? more->side.count : 0;
    buf_varint(out, frozen + count);
    for (uint32_t i = 0; i < frozen + count; i++) {
        const struct side_sample *s = i < frozen ? &more->side.frozen[i] : &more->side.list[i - frozen];
        buf_le64(out, (uint64_t)s->time_ms);
        buf_le64(out, s->bits);
    }
}

static void put_hists(struct buf *out, const struct series_more *more, uint32_t first)
{
    const struct hist_store *s = more ? more->hists : NULL;
    buf_varint(out, s ? s->part_count - first : 0);
    for (uint32_t i = first; s && i < s->part_count; i++) {
        const struct hist_part *p = &s->parts[i];
        buf_varint(out, p->count);
        buf_le64(out, (uint64_t)p->first_ms);
        buf_le64(out, (uint64_t)p->last_ms);
        buf_varint(out, p->times_bytes);
        buf_varint(out, p->bytes);
        buf_append(out, p->data, p->bytes);
    }
    buf_varint(out, s ? s->recent_count : 0);
    for (uint32_t i = 0; s && i < s->recent_count; i++) {
        buf_le64(out, (uint64_t)s->recent[i].time_ms);
        buf_varint(out, s->recent[i].bytes);
        buf_append(out, s->recent[i].data, s->recent[i].bytes);
    }
}

/* Column index of the oldest sample of the stream; UINT32_MAX: it is empty. */
static uint32_t stream_first(const struct series_line *x)
{
    if (x->more && x->more->chunk_count)
        return x->more->chunks[0].first;
    return series_is_empty(x) ? UINT32_MAX : x->first;
}

/* Where the series ended when it was told. */
static uint32_t told_end(const struct page *p, const struct series_line *x, uint32_t slot)
{
    if (slot < p->told.slots)
        return p->told.ends ? p->told.ends[slot] : p->told.end;
    uint32_t first = stream_first(x);
    return first < p->told.end ? first : p->told.end;
}

static uint32_t what_changed(const struct series_line *x, uint32_t from)
{
    uint32_t what = !series_is_empty(x) && x->end > from ? CHANGED_SAMPLES : 0;
    if (x->more && x->more->side.changed)
        what |= CHANGED_SIDE;
    if (x->more && x->more->hists && x->more->hists->changed)
        what |= CHANGED_HISTS;
    return what;
}

static void copy_series(struct page_copy *c, const struct page *p, struct series_line *x, uint32_t slot)
{
    struct copied *k = &c->list[c->count];
    struct series_more *more = x->more;
    uint32_t from = c->changes ? told_end(p, x, slot) : 0, tail = get_relaxed(&x->tail);
    *k = (struct copied){.slot = slot,
                         .what = c->changes ? what_changed(x, from) : UINT32_MAX,
                         .from = from,
                         .first = x->first,
                         .end = x->end,
                         .base = more ? more->base : 0,
                         .last = x->last,
                         .packs = tail && x->tail_first != tail,
                         .hint = more ? more->hint : (struct chunk_hint){0},
                         .chunks = more ? more->chunks : NULL,
                         .chunk_count = more ? more->chunk_count : 0};
    if (k->what == 0)
        return;
    c->starts[c->count][0] = c->streams.len;
    c->starts[c->count++][1] = c->asides.len;
    if (k->what & CHANGED_SAMPLES)
        tail_copy_stream(c->head, x, &c->streams);
    if (k->what & CHANGED_SIDE)
        put_side(&c->asides, more);
    if (k->what & CHANGED_HISTS)
        put_hists(&c->asides, more, c->changes && more->hists ? more->hists->told_parts : 0);
    if (more)
        more->side.changed = false;
    if (more && more->hists) {
        more->hists->changed = false;
        more->hists->told_parts = more->hists->part_count;
    }
}

static void note_told(struct head *h, struct page *p, uint32_t page)
{
    uint32_t slots = get_relaxed(&p->slots);
    bool even = true;
    for (uint32_t slot = 0; slot < slots && even; slot++) {
        const struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        even = !series_alive(x) || x->end == p->end;
    }
    if (even) {
        mem_free(p->told.ends);
        p->told.ends = NULL;
    } else if (!p->told.ends) {
        p->told.ends = mem_array(PAGE_SERIES, sizeof *p->told.ends);
    }
    for (uint32_t slot = 0; slot < slots && !even; slot++)
        p->told.ends[slot] = line_of(h, page * PAGE_SERIES + slot)->end;
    p->told.sequence = p->sequence;
    p->told.end = p->end;
    p->told.slots = slots;
}

static struct slice part_of(const struct buf *b, size_t from, size_t end)
{
    return from == end ? (struct slice){0} : slice_of(b->data + from, end - from); /* it may have no memory at all */
}

/* The buffers do not move any more. */
static void settle_slices(struct page_copy *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        bool last = i + 1 == c->count;
        size_t stream_end = last ? c->streams.len : c->starts[i + 1][0];
        size_t aside_end = last ? c->asides.len : c->starts[i + 1][1];
        c->list[i].stream = part_of(&c->streams, c->starts[i][0], stream_end);
        c->list[i].aside = part_of(&c->asides, c->starts[i][1], aside_end);
    }
}

bool page_copy_wanted(struct page_copy *c, uint32_t page)
{
    struct page *p = page_of(c->head, page);
    if (!c->changes)
        return true;
    mutex_lock(&p->lock);
    bool wanted = p->sequence != p->told.sequence || get_relaxed(&p->slots) != p->told.slots;
    mutex_unlock(&p->lock);
    return wanted;
}

void page_copy_take(struct page_copy *c, uint32_t page)
{
    struct head *h = c->head;
    struct page *p = page_of(h, page);
    buf_reset(&c->streams);
    buf_reset(&c->asides);
    c->count = 0;
    mutex_lock(&p->lock);
    c->sequence_before = p->told.sequence;
    c->end_before = p->told.end;
    c->sequence = p->sequence;
    put_column(c, p);
    for (uint32_t slot = 0; slot < get_relaxed(&p->slots); slot++) {
        struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        if (series_alive(x))
            copy_series(c, p, x, slot);
    }
    note_told(h, p, page);
    mutex_unlock(&p->lock);
    settle_slices(c);
}

/* ---- encoding, without it ---- */

static void room_for(struct page_copy *c, size_t more)
{
    c->indexes = mem_grow(c->indexes, &c->index_capacity, c->sample_count + more + 1, sizeof *c->indexes);
    c->values = mem_grow(c->values, &c->value_capacity, c->sample_count + more + 1, sizeof *c->values);
}

/* Drops what was added since `n` and is told already. */
static void keep_untold(struct page_copy *c, uint32_t n, uint32_t from)
{
    uint32_t skip = n;
    while (skip < c->sample_count && c->indexes[skip] < from)
        skip++;
    uint32_t left = c->sample_count - skip;
    if (skip > n) {
        memmove(c->indexes + n, c->indexes + skip, left * sizeof *c->indexes);
        memmove(c->values + n, c->values + skip, left * sizeof *c->values);
    }
    c->sample_count = n + left;
}

static void decode_chunk(struct page_copy *c, const struct head_chunk *chunk, uint32_t from)
{
    uint32_t n = c->sample_count;
    room_for(c, chunk->count);
    chunk_read(chunk->data, chunk, c->indexes + n, c->values + n);
    c->sample_count += chunk->count;
    keep_untold(c, n, from);
}

static void decode_tail(struct page_copy *c, const struct copied *k, uint32_t from)
{
    struct tail_walk w = {
        .at = k->stream.data, .end = k->stream.data + k->stream.len, .value = k->base, .index = k->first};
    uint32_t index;
    uint64_t value;
    room_for(c, k->end - k->first);
    while (tail_walk_next(&w, k->end, &index, &value)) {
        if (index < from)
            continue;
        c->indexes[c->sample_count] = index;
        c->values[c->sample_count++] = f64_from_bits(value);
    }
    assert(!w.bad); /* our own bytes */
}

static void chunk_list(struct page_copy *c, const struct head_chunk *chunk, bool made)
{
    c->made = mem_grow(c->made, &c->made_capacity, c->chunk_count + 1, sizeof *c->made);
    c->chunks = mem_grow(c->chunks, &c->chunk_capacity, c->chunk_count + 1, sizeof *c->chunks);
    c->made[c->chunk_count] = made;
    c->chunks[c->chunk_count++] = *chunk;
}

/* The decoded samples become chunks. */
static void pack(struct page_copy *c, struct chunk_hint *hint)
{
    for (uint32_t done = 0, n; done < c->sample_count; done += n) {
        struct head_chunk chunk;
        n = c->sample_count - done < CHUNK_SAMPLES_GOOD ? c->sample_count - done : CHUNK_SAMPLES_GOOD;
        chunk_make(c->indexes + done, c->values + done, n, hint, &c->gaps, &c->payload, &chunk);
        chunk_list(c, &chunk, true);
    }
    c->sample_count = 0;
}

/* relative: the first index is told as the distance to where the chunk before ends. */
static void put_chunks(struct page_copy *c, uint32_t start, bool relative, struct buf *out)
{
    buf_varint(out, c->chunk_count);
    for (size_t i = 0; i < c->chunk_count; i++) {
        const struct head_chunk *k = &c->chunks[i];
        buf_varint(out, k->first - start);
        buf_varint(out, k->end - k->first);
        buf_varint(out, k->count);
        buf_varint(out, k->flags);
        buf_varint(out, k->gap_bytes);
        buf_varint(out, k->bytes);
        buf_append(out, k->data, k->bytes);
        start = relative ? k->end : start;
        if (c->made[i])
            mem_free(k->data);
    }
}

/* ---- all of a series ---- */

static void put_whole(struct page_copy *c, const struct copied *k, struct buf *out)
{
    struct chunk_hint hint = k->hint;
    c->chunk_count = c->sample_count = 0;
    for (uint32_t i = 0; i < k->chunk_count; i++)
        chunk_list(c, &k->chunks[i], false);
    if (k->packs) {
        decode_tail(c, k, 0);
        pack(c, &hint);
    }
    put_chunks(c, 0, false, out);
    buf_le64(out, k->packs ? k->last : k->base);
    buf_le64(out, k->last);
    buf_varint(out, k->packs ? k->end : k->first);
    buf_varint(out, k->packs ? 0 : k->end - k->first);
    buf_varint(out, k->packs ? 0 : k->stream.len);
    if (!k->packs)
        buf_slice(out, k->stream);
}

/* ---- what is new of a series ---- */

/* Few samples, or many with few values: operations as in a tail, from the value 0 and this index on. */
static void put_operations(const struct page_copy *c, uint32_t index, struct buf *out)
{
    uint64_t value = 0;
    for (uint32_t i = 0, n; i < c->sample_count; i += n) {
        uint64_t bits = f64_bits(c->values[i]), packed;
        if (c->indexes[i] > index) {
            buf_u8(out, TAIL_MISSING);
            buf_varint(out, c->indexes[i] - index);
        }
        n = 1;
        if (bits != value) {
            uint8_t op[TAIL_OP_MAX];
            op[0] = xor_pack(bits ^ value, &packed);
            le64_put(op + 1, packed);
            buf_append(out, op, 1 + (op[0] & 15));
            value = bits;
        } else {
            while (i + n < c->sample_count && c->indexes[i + n] == c->indexes[i] + n &&
                   f64_bits(c->values[i + n]) == bits)
                n++;
            buf_u8(out, TAIL_REPEAT);
            buf_varint(out, n);
        }
        index = c->indexes[i] + n;
    }
}

static void put_new(struct page_copy *c, const struct copied *k, struct buf *out)
{
    struct chunk_hint hint = k->hint;
    bool short_tail = !k->packs;
    c->chunk_count = c->sample_count = 0;
    for (uint32_t i = 0; i < k->chunk_count; i++) {
        const struct head_chunk *chunk = &k->chunks[i];
        if (chunk->end <= k->from)
            continue;
        if (chunk->first >= k->from && chunk->count >= COPIED_CHUNK) {
            pack(c, &hint);
            chunk_list(c, chunk, false);
            continue;
        }
        decode_chunk(c, chunk, k->from);
        short_tail = short_tail && c->sample_count == 0;
    }
    decode_tail(c, k, k->from);
    if (c->sample_count >= FEW && !short_tail)
        pack(c, &hint);
    buf_varint(out, c->end_before - k->from);
    put_chunks(c, k->from, true, out);
    buf_reset(&c->payload);
    put_operations(c, c->chunk_count ? c->chunks[c->chunk_count - 1].end : k->from, &c->payload);
    buf_varint(out, c->payload.len);
    buf_slice(out, buf_view(&c->payload));
}

void page_copy_put(struct page_copy *c, struct buf *out)
{
    if (c->changes)
        buf_varint(out, c->sequence_before);
    buf_varint(out, c->sequence);
    buf_slice(out, buf_view(&c->column));
    buf_varint(out, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct copied *k = &c->list[i];
        buf_u8(out, (uint8_t)k->slot);
        if (c->changes)
            buf_u8(out, (uint8_t)k->what);
        if (c->changes && k->what & CHANGED_SAMPLES)
            put_new(c, k, out);
        else if (!c->changes)
            put_whole(c, k, out);
        buf_slice(out, k->aside);
    }
}
