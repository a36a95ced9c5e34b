/*
 * reader.c - samples of one series as columns, while others append.
 *
 * Under the page's lock only bytes are copied: packed tail lines, chunks that overlap the range, samples
 * beside the column, and the column itself unless the reader has it from the series before.
 * Decoding happens afterwards.
 */
#include "head/hist_internal.h"
#include "head/seal_internal.h"

#define TIMES_ID_HEAD (UINT64_C(1) << 63)

struct chunk_copy {
    struct head_chunk chunk; /* without its data */
    size_t at;               /* of the data in reader->chunk_bytes */
};

struct head_reader {
    struct series_reader base;
    struct head *head;
    const series_ref *refs; /* [count] */
    uint32_t count;
    bool frozen;
    /* The column of the page that was read last. */
    uint32_t page, low, high; /* entries [low, high) */
    int64_t *times;
    size_t times_capacity;
    /* Copies of one series. */
    struct tail_copy tail;
    struct chunk_copy *chunks;
    size_t chunk_count, chunk_capacity;
    struct buf chunk_bytes;
    struct side_sample *side;
    size_t side_count, side_capacity;
    struct hist_copy hists;
    struct arena hist_arena; /* of one read */
    uint32_t span;           /* how many samples chunks and tail can have at most */
    bool tail_taken;
    /* Decoded. */
    uint32_t *indexes;
    double *values;
    size_t index_capacity, value_capacity;
    int64_t *out_times;
    double *out_values;
    size_t out_time_capacity, out_value_capacity;
    bool has_hists;
};

/* ---- copying: the page's lock is held ---- */

static void copy_column(struct head_reader *r, uint32_t page, const struct page *p, uint32_t low, uint32_t high)
{
    if (r->page == page && r->low == low && r->high == high)
        return;
    r->times = mem_grow(r->times, &r->times_capacity, high - low + 1, sizeof *r->times);
    column_copy(p, low, high, r->times);
    r->page = page;
    r->low = low;
    r->high = high;
}

static void copy_chunks(struct head_reader *r, const struct series_more *more, uint32_t low, uint32_t high)
{
    for (uint32_t i = 0; i < more->chunk_count; i++) {
        const struct head_chunk *c = &more->chunks[i];
        if (c->end <= low || c->first >= high)
            continue;
        r->chunks = mem_grow(r->chunks, &r->chunk_capacity, r->chunk_count + 1, sizeof *r->chunks);
        r->chunks[r->chunk_count++] = (struct chunk_copy){*c, r->chunk_bytes.len};
        buf_append(&r->chunk_bytes, c->data, c->bytes);
        r->span += c->count;
    }
    assert(!r->chunk_bytes.failed);
}

static void copy_side_list(struct head_reader *r, const struct side_sample *list, uint32_t count, int64_t mint_ms,
                           int64_t maxt_ms)
{
    if (count == 0)
        return;
    r->side = mem_grow(r->side, &r->side_capacity, r->side_count + count, sizeof *r->side);
    for (uint32_t i = 0; i < count; i++)
        if (list[i].time_ms >= mint_ms && list[i].time_ms <= maxt_ms)
            r->side[r->side_count++] = list[i];
}

static void copy_side_sorted(struct head_reader *r, const struct side_sample *list, uint32_t count, int64_t mint_ms,
                             int64_t maxt_ms)
{
    uint32_t from = side_first(list, count, mint_ms),
             to = maxt_ms == INT64_MAX ? count : side_first(list, count, maxt_ms + 1);
    if (from < to)
        copy_side_list(r, list + from, to - from, mint_ms, maxt_ms);
}

static void copy_series(struct head_reader *r, series_ref ref, int64_t mint_ms, int64_t maxt_ms)
{
    struct head *h = r->head;
    struct page *p = page_of(h, ref / PAGE_SERIES);
    const struct series_line *x = line_of(h, ref);
    r->chunk_count = r->side_count = 0;
    r->span = 0;
    r->tail_taken = r->has_hists = false;
    buf_reset(&r->chunk_bytes);
    mutex_lock(&p->lock);
    uint32_t low = column_find(p, mint_ms), high = maxt_ms == INT64_MAX ? p->end : column_find(p, maxt_ms + 1);
    if (series_alive(x) && low < high) {
        copy_column(r, ref / PAGE_SERIES, p, low, high);
        if (x->more)
            copy_chunks(r, x->more, low, high);
        if (x->first < high && x->end > low) {
            r->tail_taken = true;
            tail_copy_take(h, x, &r->tail);
            r->span += x->end - x->first;
        }
    }
    if (series_alive(x) && x->more) {
        const struct side *side = &x->more->side;
        copy_side_sorted(r, side->frozen, side->frozen_count, mint_ms, maxt_ms);
        if (!r->frozen) { /* a backfill may have put a million here */
            copy_side_sorted(r, side->list, side->sorted, mint_ms, maxt_ms);
            if (side->count > side->sorted)
                copy_side_list(r, side->list + side->sorted, side->count - side->sorted, mint_ms, maxt_ms);
        }
        if (x->more->hists) {
            hist_copy_take(x, r->frozen, mint_ms, maxt_ms, &r->hists);
            r->has_hists = r->hists.part_count + r->hists.item_count > 0;
        }
    }
    mutex_unlock(&p->lock);
}

/* ---- decoding ---- */

/* What is missing stands before the values: varints, so many there, so many not, ... */
static void chunk_indexes(const uint8_t *gaps, uint32_t gap_bytes, uint32_t first, uint32_t count, uint32_t *out)
{
    const uint8_t *end = gaps + gap_bytes;
    uint64_t there = count, missing = 0;
    for (uint32_t n = 0, index = first; n < count; index += (uint32_t)missing) {
        if (gap_bytes) {
            gaps = varint_get(gaps, end, &there);
            assert(gaps && there <= count - n);
            if (gaps < end)
                gaps = varint_get(gaps, end, &missing);
            assert(gaps != NULL);
        }
        for (uint64_t i = 0; i < there; i++)
            out[n++] = index++;
    }
}

void chunk_read(const uint8_t *data, const struct head_chunk *c, uint32_t *indexes, double *values)
{
    enum err err = chunk_decode_values(slice_of(data + c->gap_bytes, c->bytes - c->gap_bytes), c->count, values);
    assert(err == ERR_OK); /* our own bytes, never left memory */
    chunk_indexes(data, c->gap_bytes, c->first, c->count, indexes);
}

/* All samples of the stream that were copied; returns the range that lies within [low, high). */
static uint32_t decode_stream(struct head_reader *r, uint32_t *start)
{
    uint32_t n = 0;
    r->indexes = mem_grow(r->indexes, &r->index_capacity, r->span + 1, sizeof *r->indexes);
    r->values = mem_grow(r->values, &r->value_capacity, r->span + 1, sizeof *r->values);
    for (size_t i = 0; i < r->chunk_count; i++) {
        const struct chunk_copy *c = &r->chunks[i];
        chunk_read(r->chunk_bytes.data + c->at, &c->chunk, r->indexes + n, r->values + n);
        n += c->chunk.count;
    }
    if (r->tail_taken)
        n += tail_decode(&r->tail, r->indexes + n, r->values + n, r->span - n);
    *start = 0;
    while (*start < n && r->indexes[*start] < r->low)
        ++*start;
    while (n > *start && r->indexes[n - 1] >= r->high)
        n--;
    return n - *start;
}

static bool side_in_order(const struct head_reader *r)
{
    for (size_t i = 1; i < r->side_count; i++)
        if (r->side[i].time_ms <= r->side[i - 1].time_ms)
            return false;
    return true;
}

/* Sorts the copied side samples; of equal times the one that came last stays. */
static void order_side(struct head_reader *r)
{
    if (side_in_order(r))
        return;
    struct side s = {.list = r->side, .count = (uint32_t)r->side_count};
    side_settle(&s);
    r->side_count = s.count;
}

/* Stream and side samples in one order of time; for one time the side wins, it came later. */
static uint32_t merge(struct head_reader *r, uint32_t start, uint32_t count)
{
    size_t need = count + r->side_count, s = 0;
    uint32_t n = 0;
    order_side(r);
    r->out_times = mem_grow(r->out_times, &r->out_time_capacity, need, sizeof *r->out_times);
    r->out_values = mem_grow(r->out_values, &r->out_value_capacity, need, sizeof *r->out_values);
    for (uint32_t i = 0; i < count || s < r->side_count;) {
        int64_t stream_ms = i < count ? r->times[r->indexes[start + i] - r->low] : INT64_MAX;
        bool side = s < r->side_count && (i == count || r->side[s].time_ms <= stream_ms);
        if (side && i < count && r->side[s].time_ms == stream_ms)
            i++;
        r->out_times[n] = side ? r->side[s].time_ms : stream_ms;
        r->out_values[n++] = side ? f64_from_bits(r->side[s++].bits) : r->values[start + i++];
    }
    return n;
}

/* Floats and histograms in one order of time, in arena memory; for one time the histogram stays. */
static enum err add_hists(struct head_reader *r, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                          struct errmsg *why)
{
    struct hist_sample *list;
    arena_deinit(&r->hist_arena);
    arena_init(&r->hist_arena, NULL);
    uint32_t count = hist_copy_decode(&r->hists, mint_ms, maxt_ms, &r->hist_arena, &list), n = 0, i = 0, k = 0;
    if (count == UINT32_MAX)
        return err_set(why, ERR_NO_MEMORY, "histograms do not fit into memory");
    size_t most = (size_t)count + out->count;
    int64_t *times = ARENA_ARRAY(&r->hist_arena, int64_t, most + 1);
    double *values = ARENA_ARRAY(&r->hist_arena, double, most + 1);
    const struct histogram **hists = ARENA_ARRAY(&r->hist_arena, const struct histogram *, most + 1);
    while (i < out->count || k < count) {
        bool hist = k < count && (i == out->count || list[k].time_ms <= out->times_ms[i]);
        if (hist && i < out->count && list[k].time_ms == out->times_ms[i])
            i++;
        times[n] = hist ? list[k].time_ms : out->times_ms[i];
        hists[n] = hist ? list[k++].h : NULL;
        values[n] = hists[n] ? 0 : out->values[i++];
        n++;
    }
    *out = (struct samples){.count = n, .times_ms = times, .values = values, .hists = hists};
    return ERR_OK;
}

/*
 * In the order of labels neighbours lie far apart in memory: what the next ones need is fetched while this one is
 * decoded, first lines and pages, then what those point to.
 */
static void prefetch(const struct head_reader *r, uint32_t i)
{
    struct head *h = r->head;
    if (i + 8 < r->count) {
        series_ref ref = r->refs[i + 8];
        const char *page = (const char *)page_of(h, ref / PAGE_SERIES);
        __builtin_prefetch(line_of(h, ref));
        __builtin_prefetch(page);
        __builtin_prefetch(page + 64);
    }
    if (i + 4 < r->count) {
        const struct series_line *line = line_of(h, r->refs[i + 4]);
        uint32_t tail = get_relaxed(&line->tail);
        if (tail) {
            __builtin_prefetch(tail_line_of(h, get_relaxed(&line->tail_first)));
            __builtin_prefetch(tail_line_of(h, tail));
        }
    }
    if (i + 2 < r->count) {
        const struct series_line *line = line_of(h, r->refs[i + 2]);
        uint32_t tail = get_relaxed(&line->tail), first = get_relaxed(&line->tail_first);
        if (tail && tail != first)
            __builtin_prefetch(tail_line_of(h, get_relaxed(&tail_line_of(h, first)->next)));
    }
}

static enum err reader_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    struct head_reader *r = (struct head_reader *)base;
    uint32_t start = 0, count = 0;
    prefetch(r, i);
    copy_series(r, r->refs[i], mint_ms, maxt_ms);
    if (r->span)
        count = decode_stream(r, &start);
    *out = (struct samples){.count = count};
    if (r->side_count == 0 && count && r->indexes[start + count - 1] - r->indexes[start] == count - 1) {
        out->times_ms = r->times + (r->indexes[start] - r->low);
        out->values = r->values + start;
        out->times_id = TIMES_ID_HEAD | r->page;
    } else if (count || r->side_count) {
        out->count = merge(r, start, count);
        out->times_ms = r->out_times;
        out->values = r->out_values;
    }
    return r->has_hists ? add_hists(r, mint_ms, maxt_ms, out, why) : ERR_OK;
}

/* The newest sample is in the line unless something lies beside the column. */
static bool newest_of(struct head *h, series_ref ref, int64_t *time_ms, uint64_t *bits, bool *none)
{
    struct page *p = page_of(h, ref / PAGE_SERIES);
    const struct series_line *x = line_of(h, ref);
    bool plain;
    mutex_lock(&p->lock);
    *none = !series_alive(x) || ((series_is_empty(x) || x->end <= p->start) && !x->more);
    plain = !*none && !(x->more && (x->more->side.count || x->more->side.frozen_count)) && hist_is_empty(x) &&
            x->end > p->start && !series_is_empty(x);
    if (plain) {
        *time_ms = column_at(p, x->end - 1);
        *bits = x->last;
    }
    mutex_unlock(&p->lock);
    return plain;
}

static enum err reader_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    struct head_reader *r = (struct head_reader *)base;
    int64_t time_ms = 0;
    uint64_t bits = 0;
    bool none;
    *out = (struct samples){0};
    prefetch(r, i);
    bool plain = newest_of(r->head, r->refs[i], &time_ms, &bits, &none);
    if (none || (plain && time_ms < mint_ms))
        return ERR_OK;
    if (!plain || time_ms > maxt_ms) {
        TRY(reader_read(base, i, mint_ms, maxt_ms, out, why));
        if (out->count > 1) {
            out->times_ms += out->count - 1;
            out->values += out->count - 1;
            out->hists = out->hists && out->hists[out->count - 1] ? out->hists + (out->count - 1) : NULL;
            out->count = 1;
            out->times_id = 0;
        }
        return ERR_OK;
    }
    r->out_times = mem_grow(r->out_times, &r->out_time_capacity, 1, sizeof *r->out_times);
    r->out_values = mem_grow(r->out_values, &r->out_value_capacity, 1, sizeof *r->out_values);
    r->out_times[0] = time_ms;
    r->out_values[0] = f64_from_bits(bits);
    *out = (struct samples){.count = 1, .times_ms = r->out_times, .values = r->out_values};
    return ERR_OK;
}

static void reader_close(struct series_reader *base)
{
    struct head_reader *r = (struct head_reader *)base;
    tail_copy_deinit(&r->tail);
    buf_deinit(&r->chunk_bytes);
    hist_copy_deinit(&r->hists);
    arena_deinit(&r->hist_arena);
    mem_free(r->times);
    mem_free(r->chunks);
    mem_free(r->side);
    mem_free(r->indexes);
    mem_free(r->values);
    mem_free(r->out_times);
    mem_free(r->out_values);
    mem_free(r);
}

static const struct series_reader_ops reader_ops = {reader_read, reader_last, reader_close};

struct series_reader *head_reader_new(struct head *h, const series_ref *refs, uint32_t count, bool frozen)
{
    struct head_reader *r = MEM_NEW(struct head_reader);
    r->base.ops = &reader_ops;
    r->head = h;
    r->refs = refs;
    r->count = count;
    r->frozen = frozen;
    r->chunk_bytes.own = true;
    arena_init(&r->hist_arena, NULL);
    return &r->base;
}

bool series_value_at(struct head *h, const struct series_line *x, uint32_t index, uint64_t *bits)
{
    struct head_reader r = {.head = h, .low = index, .high = index + 1, .chunk_bytes.own = true};
    uint32_t start, count;
    if (x->more)
        copy_chunks(&r, x->more, index, index + 1);
    if (index >= x->first && index < x->end) {
        r.tail_taken = true;
        tail_copy_take(h, x, &r.tail);
        r.span += x->end - x->first;
    }
    count = r.span ? decode_stream(&r, &start) : 0;
    if (count)
        *bits = f64_bits(r.values[start]);
    tail_copy_deinit(&r.tail);
    buf_deinit(&r.chunk_bytes);
    mem_free(r.chunks);
    mem_free(r.indexes);
    mem_free(r.values);
    return count != 0;
}
