/*
 * append.c - rows become samples: the hot path, about 6 ns each.
 *
 * Rows are cut into runs: series of one page in order of their slots, with one timestamp (all of them, or
 * every n-th when a sender spreads its series over n connections).  A run takes its page's lock once,
 * finds its place in the column once, and becomes one record.  A sample that stands right after the
 * newest one of its series touches its line and, when the value changed, its newest tail line; the
 * XOR bytes of the change serve the tail and, when no difference is shorter, the record.
 *
 * Several samples of one series in a row are a track: append_track.c.
 */
#include "chunk/hist_chunk.h"
#include "head/append_internal.h"
#include "head/record_internal.h"

/* In samples; when each is a run of its own, a miss of memory lasts as long as one or two of them. */
enum { AHEAD_LINE = 16, AHEAD_TAIL = 8 };

/* A run on its way into a record. */
struct run {
    struct page *page;
    struct series_line *line; /* of its first row */
    struct head_row *rows;
    uint32_t count, span; /* rows; slots from the first to the last one */
    uint32_t after;       /* column index after its time; 0: the column has no such entry */
    uint32_t left;        /* series that are not there any more */
    uint64_t logged;      /* bitmap by slot: a control byte follows */
    uint8_t *hints;       /* of its first row: how values were told before (value_code_internal.h) */
};

uint32_t place_in_column(struct head *h, struct page *p, int64_t time_ms)
{
    if (__builtin_expect(time_ms < p->floor_ms, 0))
        return 0;
    if (time_ms > p->last_ms) {
        column_push(h, p, time_ms);
        return p->end;
    }
    if (time_ms == p->last_ms)
        return p->end;
    uint32_t index = column_find(p, time_ms);
    return index < p->end && column_at(p, index) == time_ms ? index + 1 : 0;
}

bool sample_is_known(struct head *h, const struct series_line *x, uint32_t after, int64_t time_ms, uint64_t bits)
{
    uint64_t known;
    if (x->more && side_find(&x->more->side, time_ms, &known))
        return known == bits;
    if (after == 0)
        return false;
    if (after == x->end)
        return x->last == bits && !series_is_empty(x);
    return series_value_at(h, x, after - 1, &known) && known == bits;
}

void append_beside(struct head_appender *a, struct page *p, struct series_line *x, uint32_t after, int64_t time_ms,
                   uint64_t bits)
{
    count_add(&a->counts.out_of_order, 1);
    count_add(&a->counts.replaced, after == x->end && after != 0);
    count_add(&a->counts.samples, 1);
    side_add(a->head, p, x, time_ms, bits);
}

/* A sample beside the column: told from 0 on when all of the run are, and whole among others. */
static uint8_t *put_beside(struct run *run, uint32_t slot, uint64_t bits, uint8_t *out)
{
    uint64_t packed;
    if (run->after == 0 && bits == 0)
        return out;
    run->logged |= UINT64_C(1) << slot;
    if (run->after == 0) {
        uint8_t control = xor_pack(bits, &packed);
        return value_put(out, bits, 0, control, packed, &run->hints[slot]);
    }
    *out = SAMPLE_RAW;
    le64_put(out + 1, bits);
    return out + 9;
}

/*
 * A sample that is not simply the next one.  True: the way is free now, it is the next one.  False: it
 * is dealt with; *out tells what the record says.
 */
static __attribute__((noinline)) bool append_unusual(struct head_appender *a, struct run *run, struct head_row *row,
                                                     uint32_t slot, uint8_t **out)
{
    struct series_line *x = run->line + slot;
    if (!series_alive(x)) {
        row->ref = 0;
        run->left++;
    } else if (run->after > x->end) {
        tail_skip(a, x, run->after - 1);
        return true;
    } else if (sample_is_known(a->head, x, run->after, row->time_ms, row->bits)) {
        count_add(&a->counts.duplicate, 1);
    } else {
        append_beside(a, run->page, x, run->after, row->time_ms, row->bits);
        *out = put_beside(run, slot, row->bits, *out);
        return false;
    }
    run->logged |= UINT64_C(1) << slot;
    *(*out)++ = SAMPLE_NONE;
    return false;
}

/* The samples of a run; returns the end of what the record says about them. */
static inline uint8_t *append_samples(struct head_appender *a, struct run *run, uint8_t *out)
{
    /* Copies: bytes that are written through `out` could be anything of *run. */
    struct head_row *row = run->rows, *end = row + run->count;
    struct series_line *line = run->line;
    uint8_t *hints = run->hints;
    uint32_t first = row->ref, after = run->after, accepted = 0;
    uint64_t changed = 0;
    for (; row < end; row++) {
        uint32_t slot = row->ref - first;
        struct series_line *x = line + slot;
        uint64_t bits = row->bits;
        if (__builtin_expect(x->end + 1 != after, 0) && !append_unusual(a, run, row, slot, &out))
            continue;
        uint64_t last = x->last, diff = bits ^ last;
        x->end = after;
        accepted++;
        if (diff == 0) {
            x->run++;
            continue;
        }
        uint64_t packed;
        uint8_t control = xor_pack(diff, &packed);
        changed |= UINT64_C(1) << slot;
        out = value_put(out, bits, last, control, packed, &hints[slot]);
        tail_append_changed(a, x, bits, control, packed);
    }
    run->logged |= changed;
    count_add(&a->counts.samples, accepted);
    return out;
}

/*
 * After a replay with gaps: the log does not tell what differences to the newest value refer to, so the
 * next value of such a series is written whole, and all is well from there on.
 */
static __attribute__((noinline)) uint8_t *append_samples_lost(struct head_appender *a, struct run *run, uint8_t *out)
{
    struct run one = *run;
    uint32_t first = run->rows->ref;
    for (uint32_t k = 0; k < run->count; k++) {
        uint32_t slot = run->rows[k].ref - first;
        struct series_line *x = run->line + slot;
        if (!(x->flags & LINE_LOST) || run->after <= x->end || !series_alive(x)) {
            /* the usual way, one by one */
            one.rows = run->rows + k;
            one.line = x;
            one.hints = run->hints + slot;
            one.count = 1;
            one.logged = 0;
            one.left = 0;
            out = append_samples(a, &one, out);
            run->logged |= one.logged << slot;
            run->left += one.left;
            continue;
        }
        if (run->after > x->end + 1)
            tail_skip(a, x, run->after - 1);
        x->end = run->after;
        append_value(a, x, run->rows[k].bits);
        x->flags &= ~(uint32_t)LINE_LOST;
        run->logged |= UINT64_C(1) << slot;
        *out = SAMPLE_WHOLE;
        le64_put(out + 1, run->rows[k].bits);
        out += 9;
        count_add(&a->counts.samples, 1);
    }
    return out;
}

static uint64_t present_of(const struct run *run)
{
    uint64_t present = 0;
    for (uint32_t k = 0; k < run->count; k++)
        present |= UINT64_C(1) << (run->rows[k].ref - run->rows->ref);
    return present;
}

/* What stands before the bitmap of changes. */
static uint8_t *put_run(uint8_t *out, const struct run *run, const struct record_place *at, struct record_place *before)
{
    uint32_t slot = run->rows->ref % PAGE_SERIES;
    uint8_t *type = out++;
    *type = RECORD_RUN | (run->after == 0 ? RUN_BESIDE : 0);
    if (at->page == before->page + 1 && slot == 0)
        *type |= RUN_NEXT_PAGE;
    else
        out = record_page_put(out, at->page, before->page, slot);
    if (slot + run->span == PAGE_SERIES)
        *type |= RUN_TO_END;
    else
        *out++ = (uint8_t)run->span;
    if (run->span != run->count) {
        *type |= RUN_SPARSE;
        out = bitmap_put(out, present_of(run), run->span);
    }
    if (at->sequence == before->sequence)
        *type |= RUN_SAME_SEQUENCE;
    else
        out = varint_put(out, zigzag_put((int64_t)at->sequence - before->sequence));
    if (at->time_ms == before->time_ms)
        *type |= RUN_SAME_TIME;
    else
        out = record_time_put(out, at->time_ms, before);
    *before = *at;
    return out;
}

/* Appends one run and its record at `out`, where RUN_HEAD_MAX + n * VALUE_BYTES_MAX + 8 bytes are free. */
static uint8_t *append_run(struct head_appender *a, struct head_row *rows, uint32_t n, struct record_place *log,
                           uint8_t *out, uint32_t *left)
{
    struct record_place at = {.page = rows->ref / PAGE_SERIES, .time_ms = rows->time_ms}, before = *log;
    struct run run = {.page = page_of(a->head, at.page),
                      .line = line_of(a->head, rows->ref),
                      .rows = rows,
                      .count = n,
                      .span = rows[n - 1].ref - rows->ref + 1};
    uint8_t *start = out;
    run.hints = run.page->hints + rows->ref % PAGE_SERIES;

    mutex_lock(&run.page->lock);
    run.after = place_in_column(a->head, run.page, at.time_ms);
    at.sequence = run.page->sequence;
    uint8_t *bitmap = put_run(out, &run, &at, &before);
    uint64_t dup = a->counts.duplicate;
    out = bitmap + BITMAP_MAX;
    out = __builtin_expect(run.page->flags & PAGE_LOST, 0) ? append_samples_lost(a, &run, out)
                                                           : append_samples(a, &run, out);
    bool nothing = get_relaxed(&a->counts.duplicate) - dup + run.left == n;
    run.page->sequence += !nothing;
    uint32_t slots = get_relaxed(&run.page->slots);
    mutex_unlock(&run.page->lock);

    *left += run.left;
    if (slots < PAGE_SERIES)
        page_note_open(a, at.page, at.time_ms);
    if (nothing)
        return start;
    size_t bytes = (size_t)(out - bitmap) - BITMAP_MAX;
    uint8_t *codes = bitmap_put(bitmap, run.logged, run.span);
    memmove(codes, bitmap + BITMAP_MAX, bytes);
    *log = before;
    return codes + bytes;
}

static void prefetch(struct head *h, const struct head_row *rows, uint32_t next, uint32_t count)
{
    if (next + AHEAD_LINE < count && rows[next + AHEAD_LINE].ref) {
        series_ref ref = rows[next + AHEAD_LINE].ref;
        const char *page = (const char *)page_of(h, ref / PAGE_SERIES);
        __builtin_prefetch(page, 1);
        __builtin_prefetch(page + sizeof(struct page) / 2, 1);
        __builtin_prefetch(line_of(h, ref), 1);
    }
    if (next + AHEAD_TAIL < count && rows[next + AHEAD_TAIL].ref)
        __builtin_prefetch(tail_line_of(h, get_relaxed(&line_of(h, rows[next + AHEAD_TAIL].ref)->tail)), 1);
}

/* How many rows from the first one on are one run, or, when it has samples of one series only, one track. */
static uint32_t rows_together(const struct head_row *rows, uint32_t count, bool *track)
{
    uint32_t n = 1;
    series_ref ref = rows->ref, end = (ref | (PAGE_SERIES - 1)) + 1;
    int64_t time_ms = rows->time_ms;
    *track = count > 1 && rows[1].ref == ref;
    if (*track)
        while (n < count && n < TRACK_MAX && rows[n].ref == ref)
            n++;
    else
        while (n < count && rows[n].ref > ref && rows[n].ref < end && rows[n].time_ms == time_ms)
            ref = rows[n++].ref;
    return n;
}

uint32_t head_append(struct head_appender *a, struct head_row *rows, uint32_t count, struct buf *records)
{
    uint8_t unlogged[TRACK_MAX * TRACK_EACH_MAX + 8];
    struct record_place log = {.time_ms = NO_TIME};
    uint32_t left = 0;
    bool track;
    if (records)
        buf_u8(records, RECORD_REQUEST);
    for (uint32_t i = 0, n; i < count; i += n) {
        n = 1;
        if (rows[i].ref == 0)
            continue;
        n = rows_together(rows + i, count - i, &track);
        prefetch(a->head, rows, i + n, count);
        uint8_t *out = unlogged;
        if (records) {
            out = buf_reserve(records, track ? n * TRACK_EACH_MAX + 8 : RUN_HEAD_MAX + n * VALUE_BYTES_MAX + 8);
            assert(out != NULL); /* whoever opened the lane reserved enough */
        }
        uint8_t *done =
            track ? append_track(a, rows + i, n, &log, out, &left) : append_run(a, rows + i, n, &log, out, &left);
        if (records)
            records->len += (size_t)(done - out);
    }
    return left;
}

bool head_histogram_fits(const struct histogram *hist)
{
    return hist_chunk_fit(&hist, 1) == 1;
}

bool head_histogram_append(struct head_appender *a, series_ref ref, int64_t time_ms, const struct histogram *hist,
                           struct buf *records)
{
    struct head *h = a->head;
    struct page *p = page_of(h, ref / PAGE_SERIES);
    struct series_line *x = line_of(h, ref);
    struct buf code = {.own = true};
    hist_encode(hist, &code);
    assert(!code.failed);
    mutex_lock(&p->lock);
    bool alive = series_alive(x), fresh = alive && hist_add(h, p, x, time_ms, buf_view(&code));
    uint32_t sequence = p->sequence;
    p->sequence += fresh;
    if (fresh && records)
        record_histogram(records, ref, sequence, time_ms, buf_view(&code));
    mutex_unlock(&p->lock);
    count_add(&a->counts.histograms, fresh);
    count_add(&a->counts.duplicate, alive && !fresh);
    buf_deinit(&code);
    return alive;
}

void head_learn(struct head_appender *a, series_ref ref, series_ref next)
{
    if (!ref || ref == next)
        return;
    _Atomic uint64_t *s = head_successor(&a->head->lines, ref);
    uint64_t now = atomic_load_explicit(s, memory_order_relaxed);
    if ((uint32_t)now != next)
        atomic_store_explicit(s, now >> 32 << 32 | next, memory_order_release);
}

void head_learn_ahead(struct head_appender *a, series_ref ref, series_ref ahead)
{
    if (!ref)
        return;
    _Atomic uint64_t *s = head_successor(&a->head->lines, ref);
    uint64_t now = atomic_load_explicit(s, memory_order_relaxed);
    if (now >> 32 != ahead)
        atomic_store_explicit(s, (uint64_t)ahead << 32 | (uint32_t)now, memory_order_release);
}
