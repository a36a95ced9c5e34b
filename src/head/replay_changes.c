/*
 * replay_changes.c - what a page has more than in the checkpoint before; layout in docs/formats/head-records.md.
 *
 * Applied only to the very page that it builds upon: its sequence must be the one that is told, and each series must
 * end where it ended then.  Column indexes are told as distances from the end of the column then, as they may start
 * elsewhere here.
 */
#include "head/append_internal.h"
#include "head/replay_page_internal.h"
#include "head/seal_internal.h"
#include "head/snapshot_internal.h"

/* Chunks come after it: what stands in its tail becomes some, too. */
static void tail_to_chunks(struct head *h, struct series_line *x)
{
    struct tail_copy copy = {0};
    struct buf gaps = {.own = true}, payload = {.own = true};
    uint32_t max = x->end - x->first, *indexes = mem_array((size_t)max + 1, sizeof *indexes);
    double *values = mem_array((size_t)max + 1, sizeof *values);
    tail_copy_take(h, x, &copy);
    uint32_t count = tail_decode(&copy, indexes, values, max);
    struct series_more *more = series_more(h, x);
    for (uint32_t done = 0, n; done < count; done += n) {
        struct head_chunk chunk;
        n = count - done < CHUNK_SAMPLES_GOOD ? count - done : CHUNK_SAMPLES_GOOD;
        chunk_make(indexes + done, values + done, n, &more->hint, &gaps, &payload, &chunk);
        chunk_add(h, more, &chunk);
    }
    tail_clear(h, x);
    tail_copy_deinit(&copy);
    buf_deinit(&gaps);
    buf_deinit(&payload);
    mem_free(indexes);
    mem_free(values);
}

/* The chunks behind column index `at`; returns where the last one ends. */
static uint32_t read_chunks(struct head *h, struct series_line *x, struct cursor *c, uint32_t at, uint32_t limit)
{
    uint64_t count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    if (c->p && count && (x->run || get_relaxed(&x->tail)))
        tail_to_chunks(h, x);
    for (uint64_t i = 0; i < count && c->p; i++) {
        struct head_chunk k = {.first = at + (uint32_t)take_varint(c, limit - at)};
        uint64_t last = 0;
        k.end = k.first + (uint32_t)take_varint(c, limit - k.first);
        k.count = (uint32_t)take_varint(c, CHUNK_SAMPLES_MAX);
        k.flags = (uint32_t)take_varint(c, UINT32_MAX);
        k.gap_bytes = (uint32_t)take_varint(c, UINT32_MAX);
        struct slice data = take_bytes(c);
        k.bytes = (uint32_t)data.len;
        if (!c->p || k.gap_bytes > data.len || !read_chunk_is_sound(&k, data, &last)) {
            c->p = NULL;
            return at;
        }
        k.data = mem_alloc(data.len);
        memcpy(k.data, data.data, data.len);
        struct series_more *more = series_more(h, x);
        chunk_add(h, more, &k);
        more->base = x->last = last;
        at = x->first = x->end = k.end;
    }
    return at;
}

/* Operations from the value 0 and an index on; appended one by one, as they are few or repeats. */
static void read_operations(struct head_appender *a, struct series_line *x, struct cursor *c, uint32_t at,
                            uint32_t limit)
{
    struct slice stream = take_bytes(c);
    struct tail_walk w = {.at = stream.data, .end = stream.data + stream.len, .index = at};
    uint32_t index;
    uint64_t value;
    while (c->p && tail_walk_next(&w, limit, &index, &value)) {
        if (index > x->end)
            tail_skip(a, x, index);
        x->end = index + 1;
        append_value(a, x, value);
    }
    if (c->p && w.bad)
        c->p = NULL; /* what was read so far stays */
}

/* column_end: of the column that the record builds upon. */
static void read_samples(struct head_appender *a, struct page *p, struct series_line *x, struct cursor *c,
                         uint32_t column_end)
{
    uint32_t back = (uint32_t)take_varint(c, column_end);
    uint32_t from = column_end - back;
    if (c->p && series_is_empty(x))
        x->first = x->end = from > p->start ? from : p->start;
    else if (x->end != from)
        c->p = NULL;
    if (c->p)
        from = read_chunks(a->head, x, c, from, p->end);
    if (c->p)
        read_operations(a, x, c, from, p->end);
    x->flags &= c->p ? ~(uint32_t)LINE_LOST : UINT32_MAX; /* its newest value is known again */
}

static void read_one(struct head_appender *a, uint32_t page, struct page *p, struct cursor *c, uint32_t column_end)
{
    struct head *h = a->head;
    uint32_t slot = c->p < c->end ? *c->p++ : PAGE_SERIES;
    struct series_line *x = slot < PAGE_SERIES ? line_of(h, page * PAGE_SERIES + slot) : NULL;
    uint64_t what = take_varint(c, CHANGED_SAMPLES | CHANGED_SIDE | CHANGED_HISTS);
    if (!c->p || !x || !series_alive(x)) {
        c->p = NULL;
        return;
    }
    if (what & CHANGED_SAMPLES)
        read_samples(a, p, x, c, column_end);
    if (c->p && what & CHANGED_SIDE) {
        if (x->more)
            side_clear(h, &x->more->side);
        read_side(h, p, x, c);
    }
    if (c->p && what & CHANGED_HISTS) {
        if (x->more && x->more->hists)
            hist_recent_clear(h, x->more->hists);
        read_hists(h, p, x, c);
    }
}

static void read_changes(struct head_appender *a, uint32_t page, struct page *p, struct cursor *c)
{
    uint32_t before = (uint32_t)take_varint(c, UINT32_MAX), sequence = (uint32_t)take_varint(c, UINT32_MAX);
    uint32_t column_end = p->end;
    if (!c->p || before != p->sequence || sequence < before) {
        if (c->p && sequence > p->sequence)
            p->sequence = sequence;
        c->p = NULL;
        return;
    }
    p->sequence = sequence;
    uint64_t times = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    if (times > INT32_MAX - p->end)
        c->p = NULL;
    if (times && p->start == p->end)
        p->last_ms = NO_TIME; /* its number may be used again: for samples that are older */
    read_times(a->head, p, c, times);
    uint64_t count = take_varint(c, PAGE_SERIES);
    for (uint64_t i = 0; i < count && c->p; i++)
        read_one(a, page, p, c, column_end);
}

bool replay_changes(struct head_appender *a, uint32_t page, struct slice record)
{
    struct page *p = page_of(a->head, page);
    struct cursor c = {record.data, record.data + record.len};
    mutex_lock(&p->lock);
    read_changes(a, page, p, &c);
    bool fine = c.p == c.end;
    if (!fine) /* what is there stays, what builds on more cannot be told */
        page_mark_lost(a->head, page, UINT32_MAX);
    mutex_unlock(&p->lock);
    return fine;
}
