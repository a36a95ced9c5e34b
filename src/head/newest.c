/* newest.c - the newest sample of a series, for writers that must not go back in time. */
#include "head/hist_internal.h"
#include "head/tail_internal.h"

struct newest {
    struct head_newest *out;
    bool any;
};

/* Later calls win for the same time: beside the column over it, histograms over floats. */
static void consider(struct newest *n, int64_t time_ms, uint64_t bits, bool histogram)
{
    if (n->any && time_ms < n->out->time_ms)
        return;
    n->any = true;
    *n->out = (struct head_newest){.time_ms = time_ms, .bits = bits, .histogram = histogram};
}

static void consider_side(struct newest *n, const struct side *s)
{
    if (s->frozen_count)
        consider(n, s->frozen[s->frozen_count - 1].time_ms, s->frozen[s->frozen_count - 1].bits, false);
    if (s->sorted)
        consider(n, s->list[s->sorted - 1].time_ms, s->list[s->sorted - 1].bits, false);
    for (uint32_t i = s->sorted; i < s->count; i++)
        consider(n, s->list[i].time_ms, s->list[i].bits, false);
}

static void consider_hists(struct newest *n, const struct hist_store *s)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        consider(n, s->parts[i].last_ms, 0, true);
    if (s->recent_count)
        consider(n, s->recent[s->recent_count - 1].time_ms, 0, true);
}

bool head_newest(struct head_appender *a, series_ref ref, struct head_newest *out)
{
    struct head *h = a->head;
    struct page *p = page_of(h, ref / PAGE_SERIES);
    const struct series_line *x = line_of(h, ref);
    struct newest n = {.out = out};
    mutex_lock(&p->lock);
    if (series_alive(x)) {
        if (!series_is_empty(x) && x->end > p->start)
            consider(&n, column_at(p, x->end - 1), x->last, false);
        if (x->more)
            consider_side(&n, &x->more->side);
        if (x->more && x->more->hists)
            consider_hists(&n, x->more->hists);
    }
    mutex_unlock(&p->lock);
    return n.any;
}

bool head_newest_is_histogram(struct head_appender *a, series_ref ref, const struct histogram *hist)
{
    struct head *h = a->head;
    struct page *p = page_of(h, ref / PAGE_SERIES);
    const struct series_line *x = line_of(h, ref);
    struct buf code = {0};
    bool same = false;
    hist_encode(hist, &code);
    mutex_lock(&p->lock);
    const struct hist_store *s = series_alive(x) && x->more ? x->more->hists : NULL;
    if (s && s->recent_count) {
        const struct hist_item *item = &s->recent[s->recent_count - 1];
        same = slice_eq(slice_of(item->data, item->bytes), buf_view(&code));
    }
    mutex_unlock(&p->lock);
    buf_deinit(&code);
    return same;
}
