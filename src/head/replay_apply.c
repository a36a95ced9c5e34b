/* replay_apply.c - collected sample runs go into their pages, side by side. */
#include <stdlib.h>

#include "head/append_internal.h"
#include "head/replay_internal.h"

struct share {
    struct head_replay *replay;
    struct head_appender *appender;
    const struct replay_run *runs;
    size_t count;
    const struct replay_page *pages;
    size_t page_count;
    uint64_t samples, histograms, skipped, lost, damaged;
};

static int by_page(const void *a, const void *b)
{
    const struct replay_run *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* The value that a control byte tells; false: there is none. */
static bool sample_value(const struct series_line *x, const uint8_t **p, bool logged, uint64_t *bits, bool *raw,
                         bool *whole)
{
    *raw = *whole = false;
    *bits = x->last;
    if (!logged)
        return true;
    uint8_t control = *(*p)++;
    unsigned low = control & 15;
    if (low == SAMPLE_NONE)
        return false;
    *raw = low == SAMPLE_RAW;
    *whole = low == SAMPLE_WHOLE;
    uint8_t bytes[8] = {0};
    unsigned len = *raw || *whole ? 8 : low;
    memcpy(bytes, *p, len);
    *p += len;
    *bits = *raw || *whole ? le64_get(bytes) : x->last ^ le64_get(bytes) << 8 * (control >> 4);
    return true;
}

static void apply_sample(struct share *s, struct page *p, struct series_line *x, uint32_t after, int64_t time_ms,
                         uint64_t bits, bool raw)
{
    struct head_appender *a = s->appender;
    if (!series_alive(x) || (!raw && (x->flags & LINE_LOST)) || (!raw && after <= x->end)) {
        s->lost += !(x->flags & LINE_LEFT);
        return;
    }
    s->samples++;
    count_add(&a->counts.samples, 1);
    if (raw) {
        count_add(&a->counts.out_of_order, 1);
        side_add(a->head, p, x, time_ms, bits);
        return;
    }
    if (after > x->end + 1)
        tail_skip(a, x, after - 1);
    x->end = after;
    append_value(a, x, bits);
}

static void apply_histogram(struct share *s, struct page *p, struct series_line *x, const struct replay_run *run)
{
    struct slice code = slice_of(s->replay->batch.data + run->at, (size_t)run->logged);
    struct arena arena;
    arena_init(&arena, NULL);
    bool fine = series_alive(x) && run->frame >= x->flags >> LINE_BORN_SHIFT && hist_decode(code, &arena) != NULL;
    arena_deinit(&arena);
    if (fine) {
        hist_add(s->appender->head, p, x, run->time_ms, code);
        count_add(&s->appender->counts.histograms, 1);
    }
    s->histograms += fine;
    s->lost += !fine && !(x->flags & LINE_LEFT);
}

static void apply_run(struct share *s, const struct replay_run *run)
{
    struct head *h = s->replay->head;
    if (run->page >= get_relaxed(&h->page_count)) {
        s->lost += run->count;
        return;
    }
    struct page *p = page_of(h, run->page);
    struct series_line *line = line_of(h, run->page * PAGE_SERIES + run->slot);
    const uint8_t *at = s->replay->batch.data + run->at;
    mutex_lock(&p->lock);
    if (run->sequence < p->sequence) {
        s->skipped++;
        mutex_unlock(&p->lock);
        return;
    }
    if (run->sequence > p->sequence)
        page_mark_lost(h, run->page, run->frame);
    p->sequence = run->sequence + 1;
    if (run->count == 0) {
        apply_histogram(s, p, line, run);
        mutex_unlock(&p->lock);
        return;
    }
    uint32_t after = place_in_column(h, p, run->time_ms);
    for (uint32_t k = 0; k < run->count; k++) {
        uint64_t bits;
        bool raw, whole;
        struct series_line *x = &line[k];
        if (!(run->present >> k & 1) || !sample_value(x, &at, run->logged >> k & 1, &bits, &raw, &whole))
            continue;
        if (run->frame < x->flags >> LINE_BORN_SHIFT) {
            s->lost++; /* of a series that had the number before, and is lost */
            continue;
        }
        if (whole)
            x->flags &= ~(uint32_t)LINE_LOST;
        apply_sample(s, p, x, after, run->time_ms, bits, raw);
    }
    mutex_unlock(&p->lock);
}

static void *apply_share(void *arg)
{
    struct share *s = arg;
    const uint8_t *batch = s->replay->batch.data;
    for (size_t i = 0; i < s->page_count; i++)
        s->damaged += !replay_page(s->appender, s->pages[i].page, slice_of(batch + s->pages[i].at, s->pages[i].len));
    for (size_t i = 0; i < s->count; i++)
        apply_run(s, &s->runs[i]);
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
static void sort_runs(struct head_replay *r)
{
    enum { SPREAD = 8, SPREAD_MIN = 65536 };
    uint32_t low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < r->run_count; i++) {
        low = r->runs[i].page < low ? r->runs[i].page : low;
        high = r->runs[i].page > high ? r->runs[i].page : high;
    }
    size_t span = (size_t)high - low + 1;
    if (span > SPREAD * r->run_count + SPREAD_MIN) {
        qsort(r->runs, r->run_count, sizeof *r->runs, by_page);
        return;
    }
    uint32_t *start = mem_array(span + 1, sizeof *start);
    struct replay_run *sorted = mem_alloc(r->run_capacity * sizeof *sorted);
    for (size_t i = 0; i < r->run_count; i++)
        start[r->runs[i].page - low + 1]++;
    for (size_t i = 0; i < span; i++)
        start[i + 1] += start[i];
    for (size_t i = 0; i < r->run_count; i++)
        sorted[start[r->runs[i].page - low]++] = r->runs[i];
    mem_free(start);
    mem_free(r->runs);
    r->runs = sorted;
    sort_pages_runs(sorted, r->run_count);
}

static int by_page_number(const void *a, const void *b)
{
    const struct replay_page *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Shares of about the same size, cut where a page ends: a page is touched by one thread. */
static void cut_shares(struct head_replay *r, struct share *shares)
{
    for (unsigned i = 0; i < r->threads; i++)
        shares[i] = (struct share){.replay = r, .appender = r->appenders[i]};
    for (size_t i = 0, start = 0, end; r->run_count && i < r->threads; i++, start = end) {
        end = i + 1 == r->threads ? r->run_count : r->run_count * (i + 1) / r->threads;
        end = end < start ? start : end;
        while (end > start && end < r->run_count && r->runs[end].page == r->runs[end - 1].page)
            end++;
        shares[i].runs = r->runs + start;
        shares[i].count = end - start;
    }
    for (size_t i = 0, start = 0, end; r->page_count && i < r->threads; i++, start = end) {
        end = i + 1 == r->threads ? r->page_count : r->page_count * (i + 1) / r->threads;
        end = end < start ? start : end;
        while (end > start && end < r->page_count && r->pages[end].page == r->pages[end - 1].page)
            end++;
        shares[i].pages = r->pages + start;
        shares[i].page_count = end - start;
    }
}

static void run_shares(struct head_replay *r, struct share *shares)
{
    pthread_t threads[REPLAY_THREADS_MAX];
    for (unsigned i = 1; i < r->threads; i++)
        threads[i] = thread_start("replay", apply_share, &shares[i]);
    apply_share(&shares[0]);
    for (unsigned i = 1; i < r->threads; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < r->threads; i++) {
        r->report.samples += shares[i].samples;
        r->report.histograms += shares[i].histograms;
        r->report.skipped += shares[i].skipped;
        r->report.lost += shares[i].lost;
        for (uint64_t k = 0; k < shares[i].damaged; k++)
            replay_damaged(r, NULL, "a page of the checkpoint is damaged");
    }
}

void replay_apply(struct head_replay *r)
{
    struct share shares[REPLAY_THREADS_MAX];
    size_t runs = r->run_count;
    if (!replay_make_series(r, r->new_count))
        replay_damaged(r, NULL, "a series contradicts what is known");
    if (r->page_count) { /* all pages before any run: two threads may be at the same page otherwise */
        qsort(r->pages, r->page_count, sizeof *r->pages, by_page_number);
        r->run_count = 0;
        cut_shares(r, shares);
        run_shares(r, shares);
        r->page_count = 0;
    }
    r->run_count = runs;
    if (runs) {
        sort_runs(r);
        cut_shares(r, shares);
        run_shares(r, shares);
    }
    r->run_count = 0;
    buf_reset(&r->batch);
}
