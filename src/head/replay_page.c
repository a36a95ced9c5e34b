/*
 * replay_page.c - a page from a checkpoint; layout in docs/formats/head-records.md.
 *
 * Everything is checked before it is believed: counts against what is left of the record, indexes
 * against the column, chunks by decoding them.
 */
#include "chunk/hist_chunk.h"
#include "head/append_internal.h"
#include "head/replay_page_internal.h"
#include "head/seal_internal.h"

void read_times(struct head *h, struct page *p, struct cursor *c, uint64_t count)
{
    for (uint64_t i = 0; i < count && c->p; i++) {
        int64_t time_ms = NO_TIME;
        if (i == 0) {
            time_ms = (int64_t)take_le64(c);
        } else {
            uint64_t step = take_varint(c, INT64_MAX);
            if (step == 0 || __builtin_add_overflow(p->last_ms, (int64_t)step, &time_ms))
                c->p = NULL;
        }
        if (!c->p || time_ms <= p->last_ms)
            c->p = NULL;
        else
            column_push(h, p, time_ms);
    }
}

static void read_column(struct head *h, struct page *p, struct cursor *c)
{
    int64_t last_ms = (int64_t)take_le64(c), floor_ms = (int64_t)take_le64(c);
    p->start = p->end = (uint32_t)take_varint(c, INT32_MAX);
    uint64_t count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0); /* at least a byte each */
    read_times(h, p, c, count);
    if (c->p && (count == 0 || last_ms == p->last_ms))
        p->last_ms = last_ms;
    else
        c->p = NULL;
    p->floor_ms = floor_ms > p->floor_ms ? floor_ms : p->floor_ms;
}

bool read_chunk_is_sound(const struct head_chunk *c, struct slice data, uint64_t *last)
{
    struct cursor gaps = {data.data, data.data + c->gap_bytes};
    uint64_t samples = 0, span = 0;
    if (c->count < 1 || c->count > CHUNK_SAMPLES_MAX || c->end - c->first < c->count)
        return false;
    if (c->gap_bytes == 0 && c->end - c->first != c->count)
        return false;
    while (gaps.p && gaps.p < gaps.end) {
        uint64_t there = take_varint(&gaps, c->count);
        uint64_t missing = gaps.p && gaps.p < gaps.end ? take_varint(&gaps, UINT32_MAX) : 0;
        samples += there;
        span += there + missing;
        if (there == 0)
            return false;
    }
    if (!gaps.p || (c->gap_bytes && (samples != c->count || span != c->end - c->first)))
        return false;
    double *values = mem_array(c->count, sizeof *values);
    bool fine = chunk_decode_values(slice_from(data, c->gap_bytes), c->count, values) == ERR_OK;
    if (fine && last)
        *last = f64_bits(values[c->count - 1]);
    mem_free(values);
    return fine;
}

static void read_chunks(struct head *h, struct series_line *x, struct cursor *c, uint32_t limit)
{
    uint64_t count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    for (uint64_t i = 0; i < count && c->p; i++) {
        struct head_chunk k = {.first = (uint32_t)take_varint(c, limit)};
        k.end = k.first + (uint32_t)take_varint(c, limit - k.first);
        k.count = (uint32_t)take_varint(c, CHUNK_SAMPLES_MAX);
        k.flags = (uint32_t)take_varint(c, UINT32_MAX);
        k.gap_bytes = (uint32_t)take_varint(c, UINT32_MAX);
        struct slice data = take_bytes(c);
        k.bytes = (uint32_t)data.len;
        struct series_more *more = series_more(h, x);
        uint32_t before = more->chunk_count ? more->chunks[more->chunk_count - 1].end : 0;
        if (!c->p || k.gap_bytes > data.len || k.first < before || !read_chunk_is_sound(&k, data, NULL)) {
            c->p = NULL;
            return;
        }
        k.data = mem_alloc(data.len);
        memcpy(k.data, data.data, data.len);
        chunk_add(h, more, &k);
    }
}

/* The packed tail is appended again, sample by sample. */
static void read_tail(struct head_appender *a, struct series_line *x, struct cursor *c, uint32_t limit)
{
    uint64_t base = take_le64(c), last = take_le64(c), value;
    uint32_t first = (uint32_t)take_varint(c, limit), end = first + (uint32_t)take_varint(c, limit - first), index;
    uint32_t before = x->more && x->more->chunk_count ? x->more->chunks[x->more->chunk_count - 1].end : 0;
    struct slice stream = take_bytes(c);
    if (!c->p || first < before) {
        c->p = NULL;
        return;
    }
    struct tail_walk w = {.at = stream.data, .end = stream.data + stream.len, .value = base, .index = first};
    if (base || x->more)
        series_more(a->head, x)->base = base;
    x->last = base;
    x->first = x->end = first;
    while (tail_walk_next(&w, end, &index, &value)) {
        if (index > x->end)
            tail_skip(a, x, index);
        x->end = index + 1;
        append_value(a, x, value);
    }
    if (w.bad || (stream.len && (x->end != end || x->last != last))) {
        c->p = NULL; /* what was read so far stays, as a whole */
    } else {
        x->last = last;
        x->end = end;
        if (stream.len == 0)
            x->first = end;
    }
}

void read_side(struct head *h, struct page *p, struct series_line *x, struct cursor *c)
{
    uint64_t count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) / 16 : 0);
    for (uint64_t i = 0; i < count && c->p; i++) {
        int64_t time_ms = (int64_t)take_le64(c);
        uint64_t bits = take_le64(c);
        if (c->p)
            side_add(h, p, x, time_ms, bits);
    }
}

void read_hists(struct head *h, struct page *p, struct series_line *x, struct cursor *c)
{
    struct arena arena;
    uint64_t count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    for (uint64_t i = 0; i < count && c->p; i++) {
        struct hist_part part = {.count = (uint32_t)take_varint(c, HIST_CHUNK_SAMPLES_MAX)};
        part.first_ms = (int64_t)take_le64(c);
        part.last_ms = (int64_t)take_le64(c);
        part.times_bytes = (uint32_t)take_varint(c, UINT32_MAX);
        struct slice data = take_bytes(c);
        part.bytes = (uint32_t)data.len;
        part.data = mem_alloc(data.len);
        if (data.len)
            memcpy(part.data, data.data, data.len);
        if (c->p && hist_part_is_sound(&part)) {
            hist_part_add(h, x, &part);
        } else {
            mem_free(part.data);
            c->p = NULL;
        }
    }
    count = take_varint(c, c->p ? (uint64_t)(c->end - c->p) : 0);
    for (uint64_t i = 0; i < count && c->p; i++) {
        int64_t time_ms = (int64_t)take_le64(c);
        struct slice code = take_bytes(c);
        arena_init(&arena, NULL);
        if (c->p && hist_decode(code, &arena))
            hist_add(h, p, x, time_ms, code);
        else
            c->p = NULL;
        arena_deinit(&arena);
    }
    hist_extend_bounds(p, x);
}

/* A series of which only the chunks could be read: nothing stands before their end. */
static void settle(struct series_line *x)
{
    uint32_t end = x->more && x->more->chunk_count ? x->more->chunks[x->more->chunk_count - 1].end : 0;
    if (x->end < end)
        x->first = x->end = end;
}

static void read_page(struct head_appender *a, uint32_t page, struct page *p, struct cursor *c)
{
    struct head *h = a->head;
    uint32_t sequence = (uint32_t)take_varint(c, UINT32_MAX);
    if (!c->p || p->sequence || p->end > p->start) { /* only once, and before anything else of it */
        c->p = NULL;
        return;
    }
    p->sequence = sequence;
    read_column(h, p, c);
    uint64_t alive = take_varint(c, PAGE_SERIES);
    for (uint64_t i = 0; i < alive && c->p; i++) {
        uint32_t slot = c->p < c->end ? *c->p++ : PAGE_SERIES;
        struct series_line *x = slot < PAGE_SERIES ? line_of(h, page * PAGE_SERIES + slot) : NULL;
        if (!x || !series_alive(x) || !series_is_idle(x)) {
            c->p = NULL;
            return;
        }
        read_chunks(h, x, c, p->end);
        if (c->p)
            read_tail(a, x, c, p->end);
        if (c->p)
            read_side(h, p, x, c);
        if (c->p)
            read_hists(h, p, x, c);
        if (!c->p)
            settle(x);
    }
}

bool replay_page(struct head_appender *a, uint32_t page, struct slice record)
{
    struct page *p = page_of(a->head, page);
    struct cursor c = {record.data, record.data + record.len};
    mutex_lock(&p->lock);
    read_page(a, page, p, &c);
    bool fine = c.p == c.end;
    if (!fine) /* half a page: what is there stays, what builds on more cannot be told */
        page_mark_lost(a->head, page, UINT32_MAX);
    mutex_unlock(&p->lock);
    return fine;
}
