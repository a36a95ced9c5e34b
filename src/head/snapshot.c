/*
 * snapshot.c - the whole head as records, while ingest goes on.
 *
 * Page by page: under head->create the pairs and series that were not told yet, then, under the page's
 * lock as well, the page with all its samples and its sequence number.  Records that are logged later
 * for this page have higher sequence numbers; earlier ones are recognised by theirs and passed over.
 */
#include "head/record_internal.h"
#include "head/tail_internal.h"

/* A piece tells all pairs that its series have, so that a damaged one costs its own pages and nothing else. */
enum { PIECE_BYTES = 256 << 10 };

struct snapshot {
    struct head *head;
    struct buf records, page, stream;
    uint32_t *told; /* by pair id: the piece that told it last */
    uint32_t piece;
    size_t told_capacity;
};

static void tell_pair(struct snapshot *s, uint32_t id)
{
    if (id >= s->told_capacity) {
        size_t before = s->told_capacity;
        s->told = mem_grow(s->told, &s->told_capacity, (size_t)id + 1, sizeof *s->told);
        memset(s->told + before, 0, (s->told_capacity - before) * sizeof *s->told);
    }
    if (s->told[id] == s->piece)
        return;
    s->told[id] = s->piece;
    const struct pair *p = pair_of(s->head, id);
    record_pair(&s->records, id, slice_of(p->wire, p->wire_bytes));
}

static void put_series(struct snapshot *s, series_ref ref) REQUIRES(s->head->create)
{
    uint32_t ids[LABEL_COUNT_MAX];
    uint32_t count = series_pairs(s->head, ref, ids);
    for (uint32_t i = 0; i < count; i++)
        tell_pair(s, ids[i]);
    record_series(&s->records, ref, ids, count);
}

static void put_column(struct buf *out, const struct page *p)
{
    buf_le64(out, (uint64_t)p->last_ms);
    buf_le64(out, (uint64_t)p->floor_ms);
    buf_varint(out, p->start);
    buf_varint(out, p->end - p->start);
    for (uint32_t i = p->start; i < p->end; i++) {
        if (i == p->start)
            buf_le64(out, (uint64_t)column_at(p, i));
        else
            buf_varint(out, (uint64_t)(column_at(p, i) - column_at(p, i - 1)));
    }
}

static void put_chunks(struct buf *out, const struct series_more *more)
{
    buf_varint(out, more ? more->chunk_count : 0);
    for (uint32_t i = 0; more && i < more->chunk_count; i++) {
        const struct head_chunk *c = &more->chunks[i];
        buf_varint(out, c->first);
        buf_varint(out, c->end - c->first);
        buf_varint(out, c->count);
        buf_varint(out, c->flags);
        buf_varint(out, c->gap_bytes);
        buf_varint(out, c->bytes);
        buf_append(out, c->data, c->bytes);
    }
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

static void put_hists(struct buf *out, const struct series_more *more)
{
    const struct hist_store *s = more ? more->hists : NULL;
    buf_varint(out, s ? s->part_count : 0);
    for (uint32_t i = 0; s && i < s->part_count; i++) {
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

static void put_samples(struct snapshot *s, const struct series_line *x)
{
    struct buf *out = &s->page;
    put_chunks(out, x->more);
    buf_reset(&s->stream);
    tail_copy_stream(s->head, x, &s->stream);
    buf_le64(out, x->more ? x->more->base : 0);
    buf_le64(out, x->last);
    buf_varint(out, x->first);
    buf_varint(out, x->end - x->first);
    buf_varint(out, s->stream.len);
    buf_slice(out, buf_view(&s->stream));
    put_side(out, x->more);
    put_hists(out, x->more);
}

/* head->create is held, so that the series of the page are those that were told before it. */
static void put_page(struct snapshot *s, uint32_t page) REQUIRES(s->head->create)
{
    struct head *h = s->head;
    struct page *p = page_of(h, page);
    uint32_t slots = get_relaxed(&p->slots), alive = 0;
    for (uint32_t slot = 0; slot < slots; slot++)
        if (series_alive(line_of(h, page * PAGE_SERIES + slot))) {
            put_series(s, page * PAGE_SERIES + slot);
            alive++;
        }
    buf_reset(&s->page);
    mutex_lock(&p->lock);
    buf_varint(&s->page, p->sequence);
    put_column(&s->page, p);
    buf_varint(&s->page, alive);
    for (uint32_t slot = 0; slot < slots; slot++) {
        const struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        if (!series_alive(x))
            continue;
        buf_u8(&s->page, (uint8_t)slot);
        put_samples(s, x);
    }
    mutex_unlock(&p->lock);
    buf_u8(&s->records, RECORD_PAGE);
    buf_varint(&s->records, page);
    buf_varint(&s->records, s->page.len);
    buf_slice(&s->records, buf_view(&s->page));
}

static bool put_metadata(void *ctx, const struct metadata *m)
{
    struct snapshot *s = ctx;
    record_metadata(&s->records, m);
    return true;
}

static enum err send(struct snapshot *s, head_emit emit, void *ctx, struct errmsg *why)
{
    if (s->records.failed || s->page.failed || s->stream.failed)
        return err_set(why, ERR_NO_MEMORY, "checkpoint: no memory for a piece");
    enum err err = s->records.len ? emit(ctx, buf_view(&s->records), why) : ERR_OK;
    buf_reset(&s->records);
    s->piece++;
    return err;
}

/* clang does not see that s.head is h. */
NO_LOCK_CHECK enum err head_checkpoint(struct head *h, head_emit emit, void *ctx, struct errmsg *why)
{
    struct snapshot s = {.head = h, .piece = 1, .records.own = true, .page.own = true, .stream.own = true};
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    enum err err = ERR_OK;
    assert(!h->cut);
    record_numbers(&s.records, atomic_load_explicit(&h->pair_count, memory_order_acquire) - 1);
    for (uint32_t page = 1; page < pages && err == ERR_OK; page++) {
        mutex_lock(&h->create);
        put_page(&s, page);
        mutex_unlock(&h->create);
        if (s.records.len > PIECE_BYTES)
            err = send(&s, emit, ctx, why);
    }
    if (err == ERR_OK) {
        head_metadata(h, (struct slice){0}, put_metadata, &s);
        exemplars_record(h, &s.records);
        err = send(&s, emit, ctx, why);
    }
    buf_deinit(&s.records);
    buf_deinit(&s.page);
    buf_deinit(&s.stream);
    mem_free(s.told);
    return err;
}
