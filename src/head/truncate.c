/*
 * truncate.c - after a cut is published: its samples are freed, idle series leave.
 *
 * Page by page under its lock, so an append waits for one page at most.  Series that leave are first
 * made unfindable (their hash is zeroed, appends that are under way notice it), then taken out of the
 * postings and of the index, one lock hold per list.
 */
#include "head/cut_internal.h"
#include "head/leave_internal.h"

struct truncation {
    struct head *head;
    struct head_appender *appender; /* for tail lines */
    int64_t before_ms, idle_before_ms;
    struct buf stream;
    struct leaving leaving;
};

static void drop_chunks(struct head *h, struct series_more *more, uint32_t start)
{
    uint32_t n = 0;
    while (n < more->chunk_count && more->chunks[n].end <= start)
        chunk_forget(h, &more->chunks[n++]);
    more->chunk_count -= n;
    if (more->chunk_count)
        memmove(more->chunks, more->chunks + n, more->chunk_count * sizeof *more->chunks);
}

/* Writes the tail anew with the samples from `start` on. */
static void trim_tail(struct truncation *t, struct series_line *x, uint32_t start)
{
    uint32_t index, end = x->end;
    uint64_t value;
    if (get_relaxed(&x->tail) == 0) { /* repeats only, without gaps */
        uint32_t keep = end - start;
        x->run = keep < x->run ? keep : x->run;
        x->first = start;
        return;
    }
    buf_reset(&t->stream);
    t->stream.own = true;
    tail_copy_stream(t->head, x, &t->stream);
    struct tail_walk w = {.at = t->stream.data,
                          .end = t->stream.data + t->stream.len,
                          .value = x->more ? x->more->base : 0,
                          .index = x->first};
    tail_clear(t->head, x);
    x->first = x->end = start;
    while (tail_walk_next(&w, end, &index, &value)) {
        if (index < start)
            continue;
        if (index > x->end)
            tail_skip(t->appender, x, index);
        x->end = index + 1;
        append_value(t->appender, x, value);
    }
    assert(!w.bad && x->end == end);
}

static void forget_frozen(struct head *h, struct side *s)
{
    bytes_add(&h->bytes_side, -(int64_t)(s->frozen_count * sizeof *s->frozen));
    mem_free(s->frozen);
    s->frozen = NULL;
    s->frozen_count = 0;
    if (s->count == 0) {
        bytes_add(&h->bytes_side, -(int64_t)(s->capacity * sizeof *s->list));
        mem_free(s->list);
        *s = (struct side){0};
    }
}

static void truncate_series(struct truncation *t, struct page *p, struct series_line *x, uint32_t start)
{
    struct head *h = t->head;
    if (x->more) {
        drop_chunks(h, x->more, start);
        forget_frozen(h, &x->more->side);
        hist_drop_frozen(h, x);
    }
    if (x->end <= start) {
        tail_clear(h, x);
        x->first = x->end;
    } else if (x->first < start) {
        trim_tail(t, x, start);
    }
    hist_extend_bounds(p, x);
    if (x->more && !x->more->chunk_count && !x->more->side.count && hist_is_empty(x) && x->end <= start) {
        more_free(h, x->more);
        x->more = NULL;
    }
    for (uint32_t i = 0; x->more && i < x->more->side.count; i++) {
        int64_t time_ms = x->more->side.list[i].time_ms;
        p->side_min_ms = time_ms < p->side_min_ms ? time_ms : p->side_min_ms;
        p->side_max_ms = time_ms > p->side_max_ms ? time_ms : p->side_max_ms;
    }
}

/* Whether nothing of the series is left and nothing has come for long. */
static bool is_idle(const struct truncation *t, const struct page *p, const struct series_line *x)
{
    if (!series_is_idle(x))
        return false;
    return p->last_ms < t->idle_before_ms || x->end <= p->start || column_at(p, x->end - 1) < t->idle_before_ms;
}

static void truncate_page(struct truncation *t, uint32_t page)
{
    struct head *h = t->head;
    struct page *p = page_of(h, page);
    uint64_t idle = 0;
    mutex_lock(&p->lock);
    uint32_t start = column_find(p, t->before_ms);
    p->side_min_ms = INT64_MAX;
    p->side_max_ms = INT64_MIN;
    for (uint32_t slot = 0; slot < get_relaxed(&p->slots); slot++) {
        struct series_line *x = line_of(h, page * PAGE_SERIES + slot);
        if (!series_alive(x))
            continue;
        truncate_series(t, p, x, start);
        if (is_idle(t, p, x))
            idle |= UINT64_C(1) << slot;
    }
    column_drop(h, p, start);
    mutex_unlock(&p->lock);
    for (; idle; idle &= idle - 1)
        leave_note(&t->leaving, page * PAGE_SERIES + (uint32_t)__builtin_ctzll(idle));
}

void truncate_before(struct head_cut *cut, int64_t idle_ms, struct cancel *cancel)
{
    struct head *h = cut->head;
    struct truncation t = {.head = h,
                           .appender = head_appender_new(h),
                           .before_ms = cut->before_ms,
                           .idle_before_ms = cut->before_ms - idle_ms,
                           .leaving = {.head = h}};
    for (uint32_t page = 1; page < cut->pages; page++)
        if (cut_takes(cut, page))
            truncate_page(&t, page);
    leave_all(&t.leaving, cancel);
    buf_deinit(&t.stream);
    head_appender_free(t.appender);
}
