/*
 * append_track.c - several samples of one series in a row, as a backfill and a sender that was away bring them.
 *
 * One lock, one look at the series, and records that tell the times by their second differences and the values by
 * differences to each other: 3 bytes a sample where a record each took 24.  Samples that follow the newest one and
 * samples beside the column stand in records of their own.
 */
#include "head/append_internal.h"

/* A record being written. */
struct track {
    struct page *page;
    struct series_line *line;
    series_ref ref;
    struct record_place *log;
    uint8_t *out;
    uint8_t *count_at; /* in the record */
    bool beside;
    uint64_t before;   /* value that the next one is told from */
    uint32_t repeats;  /* of it, not written yet */
    uint32_t count;    /* 0: no record is open */
    int64_t *times_ms; /* [TRACK_MAX] of its samples */
};

static void track_open(struct track *t, int64_t time_ms, bool beside)
{
    struct record_place at = {t->ref / PAGE_SERIES, t->page->sequence++, time_ms};
    bool same = time_ms == t->log->time_ms;
    *t->out++ = (uint8_t)(RECORD_TRACK | (same ? TRACK_SAME_TIME : 0) | (beside ? TRACK_BESIDE : 0));
    t->out = record_page_put(t->out, at.page, t->log->page, t->ref % PAGE_SERIES);
    t->count_at = t->out++;
    t->out = varint_put(t->out, zigzag_put((int64_t)at.sequence - t->log->sequence));
    if (!same)
        t->out = record_time_put(t->out, time_ms, t->log);
    *t->log = at;
    t->beside = beside;
    t->before = beside ? 0 : t->line->last;
}

static void put_repeats(struct track *t)
{
    if (t->repeats)
        *t->out++ = (uint8_t)(SAMPLE_NONE | (t->repeats - 1) << 4);
    t->repeats = 0;
}

/* Second differences of the times; a zero is followed by the number of further ones. */
static void put_times(struct track *t)
{
    uint64_t step = 0;
    for (uint32_t i = 1; i < t->count;) {
        uint64_t next = (uint64_t)t->times_ms[i] - (uint64_t)t->times_ms[i - 1];
        t->out = varint_put(t->out, zigzag_put((int64_t)(next - step)));
        uint32_t same = i + 1;
        while (next == step && same < t->count && (uint64_t)t->times_ms[same] - (uint64_t)t->times_ms[same - 1] == step)
            same++;
        if (next == step)
            t->out = varint_put(t->out, same - i - 1);
        step = next;
        i = same;
    }
}

static void track_close(struct track *t)
{
    if (t->count == 0)
        return;
    put_repeats(t);
    *t->count_at = (uint8_t)t->count;
    put_times(t);
    t->count = 0;
}

/* The sample at hand as the record tells it; its series has not got it yet. */
static void track_add(struct track *t, int64_t time_ms, uint64_t bits, bool beside)
{
    if (t->count && t->beside != beside)
        track_close(t);
    if (t->count == 0)
        track_open(t, time_ms, beside);
    t->times_ms[t->count++] = time_ms;
    if (!beside && t->line->flags & LINE_LOST) { /* what differences refer to is not in the log */
        t->line->flags &= ~(uint32_t)LINE_LOST;
        *t->out = SAMPLE_WHOLE;
        le64_put(t->out + 1, bits);
        t->out += 9;
    } else if (bits == t->before) {
        if (++t->repeats == 16)
            put_repeats(t);
    } else {
        uint64_t packed;
        uint8_t control = xor_pack(bits ^ t->before, &packed);
        put_repeats(t);
        t->out = value_put(t->out, bits, t->before, control, packed, &t->page->hints[t->ref % PAGE_SERIES]);
    }
    t->before = bits;
}

static void append_one(struct head_appender *a, struct track *t, const struct head_row *row)
{
    struct series_line *x = t->line;
    uint32_t after = place_in_column(a->head, t->page, row->time_ms);
    if (after > x->end) {
        track_add(t, row->time_ms, row->bits, false);
        if (after > x->end + 1)
            tail_skip(a, x, after - 1);
        x->end = after;
        append_value(a, x, row->bits);
        count_add(&a->counts.samples, 1);
    } else if (sample_is_known(a->head, x, after, row->time_ms, row->bits)) {
        count_add(&a->counts.duplicate, 1);
    } else {
        track_add(t, row->time_ms, row->bits, true);
        append_beside(a, t->page, x, after, row->time_ms, row->bits);
    }
}

uint8_t *append_track(struct head_appender *a, struct head_row *rows, uint32_t n, struct record_place *log,
                      uint8_t *out, uint32_t *left)
{
    series_ref ref = rows->ref;
    uint32_t page = ref / PAGE_SERIES;
    int64_t times_ms[TRACK_MAX];
    struct track t = {.page = page_of(a->head, page),
                      .line = line_of(a->head, ref),
                      .ref = ref,
                      .log = log,
                      .out = out,
                      .times_ms = times_ms};
    mutex_lock(&t.page->lock);
    bool alive = series_alive(t.line);
    for (uint32_t i = 0; i < n; i++) {
        if (alive)
            append_one(a, &t, &rows[i]);
        else
            rows[i].ref = 0;
    }
    track_close(&t);
    uint32_t slots = get_relaxed(&t.page->slots);
    mutex_unlock(&t.page->lock);
    *left += alive ? 0 : n;
    if (slots < PAGE_SERIES)
        page_note_open(a, page, rows[n - 1].time_ms);
    return t.out;
}
