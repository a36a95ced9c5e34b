/*
 * snapshot.c - the head as records, while ingest goes on: all of it, or what is new since the last time.
 *
 * Page by page: under head->create the pairs and series that were not told yet and a copy of the page, with its
 * sequence number; without it the samples are put together (snapshot_page.c).  Records that are logged later for this
 * page have higher sequence numbers; earlier ones are recognised by theirs and passed over.
 *
 * Each page notes what of it was told.  The notes hold when those records were published, until samples or series leave
 * the head or records are made that are not published: then all of it is told again.
 */
#include "head/snapshot_internal.h"

/* A piece tells all pairs that its series have, so that a damaged one costs its own pages and nothing else. */
enum { PIECE_BYTES = 256 << 10 };

struct snapshot {
    struct head *head;
    bool changes;
    struct page_copy page;
    struct buf records, content;
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

/* head->create is held, so that the series of the page are those that are told with it. */
static void take_page(struct snapshot *s, uint32_t page) REQUIRES(s->head->create)
{
    const struct page *p = page_of(s->head, page);
    for (uint32_t slot = s->changes ? p->told.slots : 0; slot < get_relaxed(&p->slots); slot++)
        if (series_alive(line_of(s->head, page * PAGE_SERIES + slot)))
            put_series(s, page * PAGE_SERIES + slot);
    page_copy_take(&s->page, page);
}

/* clang does not see that s->head is h. */
NO_LOCK_CHECK static void put_page(struct snapshot *s, uint32_t page)
{
    struct head *h = s->head;
    mutex_lock(&h->create);
    bool wanted = page_copy_wanted(&s->page, page);
    if (wanted)
        take_page(s, page);
    mutex_unlock(&h->create);
    if (!wanted)
        return;
    buf_reset(&s->content);
    page_copy_put(&s->page, &s->content);
    buf_u8(&s->records, s->changes ? RECORD_CHANGES : RECORD_PAGE);
    buf_varint(&s->records, page);
    buf_varint(&s->records, s->content.len);
    buf_slice(&s->records, buf_view(&s->content));
}

static enum err send(struct snapshot *s, head_emit emit, void *ctx, struct errmsg *why)
{
    if (s->records.failed || s->content.failed)
        return err_set(why, ERR_NO_MEMORY, "checkpoint: no memory for a piece");
    enum err err = s->records.len ? emit(ctx, buf_view(&s->records), why) : ERR_OK;
    buf_reset(&s->records);
    s->piece++;
    return err;
}

static enum err tell(struct head *h, bool changes, head_emit emit, void *ctx, struct errmsg *why)
{
    struct snapshot s = {.head = h, .changes = changes, .piece = 1, .records.own = true, .content.own = true};
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    enum err err = ERR_OK;
    assert(!h->cut);
    h->told = false;
    page_copy_init(&s.page, h, changes);
    record_numbers(&s.records, atomic_load_explicit(&h->pair_count, memory_order_acquire) - 1);
    for (uint32_t page = 1; page < pages && err == ERR_OK; page++) {
        put_page(&s, page);
        if (s.records.len > PIECE_BYTES)
            err = send(&s, emit, ctx, why);
    }
    if (err == ERR_OK) {
        metadata_record(h, &s.records, changes);
        exemplars_record(h, &s.records, changes);
        err = send(&s, emit, ctx, why);
    }
    page_copy_deinit(&s.page);
    buf_deinit(&s.records);
    buf_deinit(&s.content);
    mem_free(s.told);
    return err;
}

enum err head_checkpoint(struct head *h, head_emit emit, void *ctx, struct errmsg *why)
{
    return tell(h, false, emit, ctx, why);
}

enum err head_changes(struct head *h, head_emit emit, void *ctx, struct errmsg *why)
{
    assert(h->told);
    return tell(h, true, emit, ctx, why);
}

bool head_changes_known(struct head *h)
{
    return h->told;
}

void head_changes_published(struct head *h)
{
    h->told = true;
}
