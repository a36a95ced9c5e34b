/*
 * append.c - rows become samples: the hot path, about 6 ns each.
 *
 * Rows are cut into runs: series of one page in order of their slots, with one timestamp (all of them, or
 * every n-th when a sender spreads its series over n connections).  A run takes its page's lock once,
 * finds its place in the column once, and becomes one record.  A sample that stands right after the
 * newest one of its series touches its line and, when the value changed, its newest tail line; the
 * XOR bytes of the change serve tail and record alike.
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
};

static bool same_run(const struct head_row *first, const struct head_row *before, const struct head_row *row)
{
    return row->ref > before->ref && row->time_ms == first->time_ms &&
           row->ref / PAGE_SERIES == first->ref / PAGE_SERIES;
}

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

/* Whether the series has exactly this sample already. */
static bool is_duplicate(struct head *h, const struct run *run, const struct series_line *x, int64_t time_ms,
                         uint64_t bits)
{
    uint64_t known;
    if (x->more && side_find(&x->more->side, time_ms, &known))
        return known == bits;
    if (run->after == 0)
        return false;
    if (run->after == x->end)
        return x->last == bits && !series_is_empty(x);
    return series_value_at(h, x, run->after - 1, &known) && known == bits;
}

/*
 * A sample that is not simply the next one.  True: the way is free now, it is the next one.  False: it
 * is dealt with; *out tells what the record says.
 */
static __attribute__((noinline)) bool append_unusual(struct head_appender *a, struct run *run, struct head_row *row,
                                                     uint32_t slot, uint8_t **out)
{
    struct series_line *x = run->line + slot;
    struct head_counts *counts = &a->counts;
    if (!series_alive(x)) {
        row->ref = 0;
        run->left++;
    } else if (run->after > x->end) {
        tail_skip(a, x, run->after - 1);
        return true;
    } else if (is_duplicate(a->head, run, x, row->time_ms, row->bits)) {
        count_add(&counts->duplicate, 1);
    } else {
        count_add(&counts->out_of_order, 1);
        count_add(&counts->replaced, run->after == x->end && run->after != 0);
        count_add(&counts->samples, 1);
        side_add(a->head, run->page, x, row->time_ms, row->bits);
        run->logged |= UINT64_C(1) << slot;
        *(*out)++ = SAMPLE_RAW;
        le64_put(*out, row->bits);
        *out += 8;
        return false;
    }
    run->logged |= UINT64_C(1) << slot;
    *(*out)++ = SAMPLE_NONE;
    return false;
}

/* The samples of a run; returns the end of what the record says about them. */
static inline uint8_t *append_samples(struct head_appender *a, struct run *run, uint8_t *out)
{
    uint32_t accepted = 0, first = run->rows->ref;
    for (uint32_t k = 0; k < run->count; k++) {
        uint32_t slot = run->rows[k].ref - first;
        struct series_line *x = run->line + slot;
        uint64_t bits = run->rows[k].bits;
        if (__builtin_expect(x->end + 1 != run->after, 0) && !append_unusual(a, run, &run->rows[k], slot, &out))
            continue;
        uint64_t diff = bits ^ x->last;
        x->end = run->after;
        accepted++;
        if (diff == 0) {
            x->run++;
            continue;
        }
        uint64_t packed;
        uint8_t control = xor_pack(diff, &packed);
        run->logged |= UINT64_C(1) << slot;
        *out = control;
        le64_put(out + 1, packed);
        out += 1 + (control & 15);
        tail_append_changed(a, x, bits, control, packed);
    }
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

/* What the record before it said, to write differences. */
struct log_state {
    uint32_t page;
    int64_t time_ms;
};

/* Bit by slot, from the first row on. */
static uint8_t *put_bitmap(uint8_t *out, uint64_t bits, uint32_t span)
{
    uint8_t map[8];
    le64_put(map, bits);
    memcpy(out, map, (span + 7) / 8);
    return out + (span + 7) / 8;
}

static uint64_t present_of(const struct run *run)
{
    uint64_t present = 0;
    for (uint32_t k = 0; k < run->count; k++)
        present |= UINT64_C(1) << (run->rows[k].ref - run->rows->ref);
    return present;
}

/* What a record says before its sequence number. */
static uint8_t *put_run(uint8_t *out, const struct run *run, uint32_t page, const struct log_state *log)
{
    bool sparse = run->span != run->count;
    out[0] = RECORD_SAMPLES;
    out[1] = (uint8_t)((run->rows->time_ms == log->time_ms ? SAMPLES_SAME_TIME : 0) | (sparse ? SAMPLES_SPARSE : 0));
    out = varint_put(out + 2, zigzag_put((int64_t)page - log->page));
    *out++ = (uint8_t)(run->rows->ref % PAGE_SERIES);
    *out++ = (uint8_t)run->span;
    return sparse ? put_bitmap(out, present_of(run), run->span) : out;
}

/* Appends one run and its record at `out`, where SAMPLES_HEAD_MAX + n * SAMPLES_EACH_MAX bytes are free. */
static uint8_t *append_run(struct head_appender *a, struct head_row *rows, uint32_t n, struct log_state *log,
                           uint8_t *out, uint32_t *left)
{
    uint32_t page = rows->ref / PAGE_SERIES;
    struct run run = {
        page_of(a->head, page), line_of(a->head, rows->ref), rows, n, rows[n - 1].ref - rows->ref + 1, 0, 0, 0};
    int64_t time_ms = rows->time_ms;
    uint8_t *start = out;
    out = put_run(out, &run, page, log);

    mutex_lock(&run.page->lock);
    run.after = place_in_column(a->head, run.page, time_ms);
    out = varint_put(out, run.page->sequence);
    if (time_ms != log->time_ms) {
        le64_put(out, (uint64_t)time_ms);
        out += 8;
    }
    uint8_t *bitmap = out;
    uint64_t dup = a->counts.duplicate;
    out += (run.span + 7) / 8;
    out = __builtin_expect(run.page->flags & PAGE_LOST, 0) ? append_samples_lost(a, &run, out)
                                                           : append_samples(a, &run, out);
    bool nothing = get_relaxed(&a->counts.duplicate) - dup + run.left == n;
    run.page->sequence += !nothing;
    uint32_t slots = get_relaxed(&run.page->slots);
    mutex_unlock(&run.page->lock);

    *left += run.left;
    if (slots < PAGE_SERIES)
        page_note_open(a, page, time_ms);
    if (nothing)
        return start;
    put_bitmap(bitmap, run.logged, run.span);
    *log = (struct log_state){page, time_ms};
    return out;
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

uint32_t head_append(struct head_appender *a, struct head_row *rows, uint32_t count, struct buf *records)
{
    uint8_t unlogged[SAMPLES_HEAD_MAX + PAGE_SERIES * SAMPLES_EACH_MAX + 8];
    struct log_state log = {0, NO_TIME};
    uint32_t left = 0;
    if (records)
        buf_u8(records, RECORD_REQUEST);
    for (uint32_t i = 0, end; i < count; i = end) {
        end = i + 1;
        if (rows[i].ref == 0)
            continue;
        while (end < count && same_run(&rows[i], &rows[end - 1], &rows[end]))
            end++;
        prefetch(a->head, rows, end, count);
        uint32_t n = end - i;
        uint8_t *out = unlogged;
        if (records) {
            out = buf_reserve(records, SAMPLES_HEAD_MAX + n * SAMPLES_EACH_MAX + 8);
            assert(out != NULL); /* whoever opened the lane reserved enough */
        }
        uint8_t *done = append_run(a, rows + i, n, &log, out, &left);
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
