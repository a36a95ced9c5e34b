/*
 * replay_apply.c - collected sample runs go into their pages, side by side, while the next ones are read.
 *
 * Shares are taken one after the other by threads that are started for it, and by the replay's own when it comes back
 * with the next batch.  What makes a series anew at another one's place waits for them (replay_land).
 */
#include <stdlib.h>

#include "head/append_internal.h"
#include "head/replay_internal.h"

static int by_page(const void *a, const void *b)
{
    const struct replay_run *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* A sample as its record tells it. */
struct told {
    uint64_t bits;
    bool none, beside, whole;
    bool unclear; /* it is a difference to another value than the series has */
};

/* *p: its control byte; it stands behind the sample then. */
static inline struct told sample_told(const uint8_t **p, uint64_t before)
{
    uint8_t control = **p;
    unsigned low = control & 15;
    struct told t = {.bits = code_payload(*p)};
    *p += 1 + code_bytes(control);
    if (low - 1 < 8)
        t.bits = before ^ t.bits << 8 * (control >> 4);
    else if (low < SAMPLE_WHOLE)
        t.unclear = !decimal_get(control, t.bits, before, &t.bits);
    t.whole = low == SAMPLE_WHOLE;
    t.none = low == SAMPLE_NONE;
    t.beside = low == SAMPLE_RAW;
    return t;
}

static inline void apply_next(struct replay_hand *s, struct series_line *x, uint32_t after, uint64_t bits)
{
    struct head_appender *a = s->appender;
    if (!series_alive(x) || x->flags & LINE_LOST || after <= x->end) {
        s->share->lost += !(x->flags & LINE_LEFT);
        return;
    }
    s->share->samples++;
    if (after > x->end + 1)
        tail_skip(a, x, after - 1);
    x->end = after;
    append_value(a, x, bits);
}

static void apply_told(struct replay_hand *s, struct page *p, struct series_line *x, uint32_t after, int64_t time_ms,
                       const struct told *t)
{
    struct head_appender *a = s->appender;
    if (t->beside && series_alive(x) && !t->unclear) {
        s->share->samples++;
        count_add(&a->counts.out_of_order, 1);
        side_add(a->head, p, x, time_ms, t->bits);
        return;
    }
    if (t->whole)
        x->flags &= ~(uint32_t)LINE_LOST;
    if (t->unclear && !t->beside && series_alive(x)) {
        x->flags |= LINE_LOST;
        p->flags |= PAGE_LOST;
    }
    if (t->beside)
        s->share->lost += !(x->flags & LINE_LEFT);
    else
        apply_next(s, x, after, t->bits);
}

static void apply_samples(struct replay_hand *s, struct page *p, struct series_line *line, const struct replay_run *run)
{
    const uint8_t *at = s->replay->flight.batch.data + run->at;
    uint32_t after = run->beside ? 0 : place_in_column(s->appender->head, p, run->time_ms), frame = run->frame;
    uint64_t logged = run->logged, special = run->beside ? run->present : logged;
    for (uint64_t left = run->present; left; left &= left - 1) {
        struct series_line *x = &line[__builtin_ctzll(left)];
        struct told t = {.bits = 0};
        if (logged & left & -left)
            t = sample_told(&at, run->beside ? 0 : x->last);
        if (t.none)
            continue;
        if (frame < x->flags >> LINE_BORN_SHIFT) {
            s->share->lost++; /* of a series that had the number before, and is lost */
        } else if (special & left & -left) {
            t.beside |= run->beside;
            apply_told(s, p, x, after, run->time_ms, &t);
        } else {
            apply_next(s, x, after, x->last);
        }
    }
}

static void apply_track(struct replay_hand *s, struct page *p, struct series_line *x, const struct replay_run *run)
{
    const uint8_t *codes = s->replay->flight.batch.data + run->at, *at = codes;
    int64_t times_ms[TRACK_SAMPLES_MAX];
    if (run->frame < x->flags >> LINE_BORN_SHIFT) {
        s->share->lost += run->count;
        return;
    }
    for (uint32_t n = 0; n < run->count; at += 1 + code_bytes(*at)) /* the times stand behind the values */
        n += (*at & 15) == SAMPLE_NONE ? (*at >> 4) + 1u : 1;
    const uint8_t *end = track_times(at, codes + run->logged, run->time_ms, run->count, times_ms);
    assert(end == codes + run->logged); /* parse_track has been over them */
    at = codes;
    struct told t = {.bits = run->beside ? 0 : x->last};
    for (uint32_t n = 0; n < run->count;) {
        uint32_t repeats = (*at >> 4) + 1u;
        struct told next = sample_told(&at, t.bits);
        if (!next.none) {
            repeats = 1;
            next.unclear |= t.unclear && !next.whole; /* they build on each other */
            t = next;
        }
        t.beside = run->beside;
        for (; repeats; repeats--, n++, t.whole = false) {
            uint32_t after = run->beside ? 0 : place_in_column(s->appender->head, p, times_ms[n]);
            apply_told(s, p, x, after, times_ms[n], &t);
        }
    }
}

static void apply_histogram(struct replay_hand *s, struct page *p, struct series_line *x, const struct replay_run *run)
{
    struct slice code = slice_of(s->replay->flight.batch.data + run->at, (size_t)run->logged);
    struct arena arena;
    arena_init(&arena, NULL);
    bool fine = series_alive(x) && run->frame >= x->flags >> LINE_BORN_SHIFT && hist_decode(code, &arena) != NULL;
    arena_deinit(&arena);
    if (fine) {
        hist_add(s->appender->head, p, x, run->time_ms, code);
        count_add(&s->appender->counts.histograms, 1);
    }
    s->share->histograms += fine;
    s->share->lost += !fine && !(x->flags & LINE_LEFT);
}

static void apply_run(struct replay_hand *s, const struct replay_run *run)
{
    struct head *h = s->replay->head;
    if (run->page >= get_relaxed(&h->page_count)) {
        s->share->lost += run->count;
        return;
    }
    struct page *p = page_of(h, run->page);
    struct series_line *line = line_of(h, run->page * PAGE_SERIES + run->slot);
    mutex_lock(&p->lock);
    if (run->sequence < p->sequence) {
        s->share->skipped++;
        mutex_unlock(&p->lock);
        return;
    }
    if (run->sequence > p->sequence)
        page_mark_lost(h, run->page, run->frame);
    p->sequence = run->sequence + 1;
    if (run->kind == REPLAY_HISTOGRAM)
        apply_histogram(s, p, line, run);
    else if (run->kind == REPLAY_TRACK)
        apply_track(s, p, line, run);
    else
        apply_samples(s, p, line, run);
    mutex_unlock(&p->lock);
}

static void apply_share(struct replay_hand *s)
{
    const uint8_t *batch = s->replay->flight.batch.data;
    const struct replay_share *share = s->share;
    for (size_t i = 0; i < share->page_count; i++) {
        const struct replay_page *p = &share->pages[i];
        struct slice record = slice_of(batch + p->at, p->len);
        s->share->damaged += !(p->changes ? replay_changes : replay_page)(s->appender, p->page, record);
    }
    for (size_t i = 0; i < share->count; i++)
        apply_run(s, &share->runs[i]);
    count_add(&s->appender->counts.samples, share->samples);
}

/* Takes shares until there are no more. */
static void apply_shares(struct head_replay *r, struct head_appender *appender)
{
    struct replay_flight *f = &r->flight;
    for (size_t i; (i = atomic_fetch_add(&f->next, 1)) < f->share_count;)
        apply_share(&(struct replay_hand){r, appender, &f->shares[i]});
}

static void *help(void *arg)
{
    const struct replay_hand *hand = arg;
    apply_shares(hand->replay, hand->appender);
    return NULL;
}

/* Runs of a page together, those of a page in order: they mostly come so, and are put in order where they do not. */
static void sort_pages_runs(struct replay_run *runs, size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        bool ascending = true;
        for (to = from + 1; to < count && runs[to].page == runs[from].page; to++)
            ascending = ascending && runs[to].sequence >= runs[to - 1].sequence;
        if (!ascending)
            qsort(runs + from, to - from, sizeof *runs, by_page);
    }
}

/* By page, then by sequence: counted when the pages lie together. */
static void sort_runs(struct replay_flight *f)
{
    enum { SPREAD = 8, SPREAD_MIN = 65536 };
    uint32_t low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < f->run_count; i++) {
        low = f->runs[i].page < low ? f->runs[i].page : low;
        high = f->runs[i].page > high ? f->runs[i].page : high;
    }
    size_t span = (size_t)high - low + 1;
    if (span > SPREAD * f->run_count + SPREAD_MIN) {
        qsort(f->runs, f->run_count, sizeof *f->runs, by_page);
        return;
    }
    uint32_t *start = mem_array(span + 1, sizeof *start);
    struct replay_run *sorted = mem_alloc(f->run_capacity * sizeof *sorted);
    for (size_t i = 0; i < f->run_count; i++)
        start[f->runs[i].page - low + 1]++;
    for (size_t i = 0; i < span; i++)
        start[i + 1] += start[i];
    for (size_t i = 0; i < f->run_count; i++)
        sorted[start[f->runs[i].page - low]++] = f->runs[i];
    mem_free(start);
    mem_free(f->runs);
    f->runs = sorted;
    sort_pages_runs(sorted, f->run_count);
}

static int by_page_number(const void *a, const void *b)
{
    const struct replay_page *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Shares of about the same size, cut where a page ends: a page is touched by one thread. */
static void cut_shares(struct replay_flight *f, size_t shares)
{
    f->shares = mem_array(shares, sizeof *f->shares);
    f->share_count = shares;
    atomic_store(&f->next, 0);
    for (size_t i = 0, start = 0, end; f->run_count && i < shares; i++, start = end) {
        end = i + 1 == shares ? f->run_count : f->run_count * (i + 1) / shares;
        end = end < start ? start : end;
        while (end > start && end < f->run_count && f->runs[end].page == f->runs[end - 1].page)
            end++;
        f->shares[i].runs = f->runs + start;
        f->shares[i].count = end - start;
    }
    for (size_t i = 0, start = 0, end; f->page_count && i < shares; i++, start = end) {
        end = i + 1 == shares ? f->page_count : f->page_count * (i + 1) / shares;
        end = end < start ? start : end;
        while (end > start && end < f->page_count && f->pages[end].page == f->pages[end - 1].page)
            end++;
        f->shares[i].pages = f->pages + start;
        f->shares[i].page_count = end - start;
    }
}

static void take_off(struct head_replay *r)
{
    enum { SHARES_EACH = 8, FEW_BYTES = 65536 };
    struct replay_flight *f = &r->flight;
    unsigned threads = f->batch.len < FEW_BYTES ? 1 : r->threads;
    cut_shares(f, threads > 1 ? threads * SHARES_EACH : 1);
    f->thread_count = threads - 1;
    for (unsigned i = 0; i < f->thread_count; i++) {
        f->hands[i] = (struct replay_hand){.replay = r, .appender = r->appenders[i + 1]};
        f->threads[i] = thread_start("replay", help, &f->hands[i]);
    }
}

void replay_land(struct head_replay *r)
{
    struct replay_flight *f = &r->flight;
    apply_shares(r, r->appenders[0]);
    for (unsigned i = 0; i < f->thread_count; i++)
        pthread_join(f->threads[i], NULL);
    for (size_t i = 0; i < f->share_count; i++) {
        const struct replay_share *s = &f->shares[i];
        r->report.samples += s->samples;
        r->report.histograms += s->histograms;
        r->report.skipped += s->skipped;
        r->report.lost += s->lost;
        for (uint64_t k = 0; k < s->damaged; k++)
            replay_damaged(r, NULL, "a page of the checkpoint is damaged");
    }
    mem_free(f->shares);
    f->shares = NULL;
    f->share_count = f->thread_count = 0;
}

/* What was collected is the flight's, and its memory of the time before collects what comes. */
static void hand_over(struct head_replay *r)
{
    struct replay_flight *f = &r->flight;
    struct buf batch = f->batch;
    struct replay_run *runs = f->runs;
    struct replay_page *pages = f->pages;
    size_t run_capacity = f->run_capacity, page_capacity = f->page_capacity;
    f->batch = r->batch;
    f->runs = r->runs;
    f->run_count = r->run_count;
    f->run_capacity = r->run_capacity;
    f->pages = r->pages;
    f->page_count = r->page_count;
    f->page_capacity = r->page_capacity;
    r->batch = batch;
    r->runs = runs;
    r->run_capacity = run_capacity;
    r->pages = pages;
    r->page_capacity = page_capacity;
    r->run_count = r->page_count = 0;
    buf_reset(&r->batch);
}

void replay_apply(struct head_replay *r)
{
    struct replay_flight *f = &r->flight;
    if (!replay_make_series(r, r->new_count))
        replay_damaged(r, NULL, "a series contradicts what is known");
    replay_land(r);
    hand_over(r);
    size_t runs = f->run_count;
    if (f->page_count) { /* all pages before any run: two threads may be at the same page otherwise */
        qsort(f->pages, f->page_count, sizeof *f->pages, by_page_number);
        f->run_count = 0;
        take_off(r);
        if (runs)
            replay_land(r);
    }
    f->page_count = 0;
    f->run_count = runs;
    if (runs) {
        sort_runs(f);
        take_off(r);
    }
}

void replay_flight_deinit(struct replay_flight *f)
{
    assert(!f->shares);
    buf_deinit(&f->batch);
    mem_free(f->runs);
    mem_free(f->pages);
}
