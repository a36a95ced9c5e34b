/* stats_only.c - histograms without buckets; the contract is in stats_only.h. */
#include "promql/stats_only.h"

#include <stdbool.h>

#include "histogram/histogram.h"
#include "model/value.h"

struct stats_walk {
    const struct samples *in;
    struct arena *arena;
    const struct histogram **out;
    uint32_t next;                    /* first sample not visited */
    const struct histogram *previous; /* the histogram visited last, since the last jump */
};

static enum reset_hint hint_of(const struct histogram *h, const struct histogram *previous)
{
    if (h->reset_hint != RESET_UNKNOWN || !previous)
        return (enum reset_hint)h->reset_hint;
    return histogram_detect_reset(h, previous) ? RESET_YES : RESET_NO;
}

static void visit(struct stats_walk *w)
{
    const struct histogram *h = w->in->hists[w->next];
    if (h && !value_is_stale(h->sum)) {
        struct histogram *stats = ARENA_NEW(w->arena, struct histogram);
        *stats = (struct histogram){
            .schema = h->schema, .count = h->count, .sum = h->sum, .reset_hint = hint_of(h, w->previous)};
        w->out[w->next] = stats;
        w->previous = h;
    }
    w->next++;
}

static bool seen_until(const struct stats_walk *w, int64_t t_ms)
{
    return w->next > 0 && w->in->times_ms[w->next - 1] >= t_ms;
}

void stats_only_samples(struct samples *s, const struct stats_step *steps, uint32_t step_count, struct arena *arena)
{
    if (!s->hists || s->count == 0)
        return;
    struct stats_walk w = {.in = s, .arena = arena, .out = ARENA_ARRAY(arena, const struct histogram *, s->count)};
    memcpy((void *)w.out, s->hists, s->count * sizeof *w.out); /* stale markers stay as they are */
    for (uint32_t i = 0; i < step_count; i++) {
        if (!seen_until(&w, steps[i].from_ms)) {
            while (w.next < s->count && s->times_ms[w.next] < steps[i].from_ms)
                w.next++;
            w.previous = NULL;
            if (w.next < s->count)
                visit(&w);
        }
        while (w.next < s->count && !seen_until(&w, steps[i].to_ms))
            visit(&w);
    }
    s->hists = w.out;
}
