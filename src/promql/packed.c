/* packed.c - see packed.h. */
#include "promql/packed.h"

#include "promql/bits.h"

static bool pack_hists(struct exec *x, struct batch *b, uint32_t i, uint32_t count, struct packed_points *p)
{
    const struct histogram **h = batch_h(b, i), *from = NULL, *copy = NULL, **list;
    const uint64_t *present = batch_present(b, i);
    uint32_t n = 0;
    bool any = false;
    BITS_EACH(s, present, b->steps) any = any || (h && h[s]);
    if (!any)
        return true;
    p->hists = list = arena_try_alloc(&x->arena, count * sizeof *list);
    if (!list)
        return false;
    BITS_EACH(s, present, b->steps)
    {
        if (h[s] && h[s] != from)
            copy = histogram_keep(&x->arena, h[s]);
        from = h[s] ? h[s] : from;
        list[n++] = h[s] ? copy : NULL;
    }
    return true;
}

struct packed_points *packed_new(struct exec *x, const struct grid *grid, struct batch *b, uint32_t i, uint32_t count)
{
    const uint64_t *present = batch_present(b, i);
    const double *v = batch_v(b, i);
    bool all = count == b->steps;
    size_t words = all ? 0 : (b->steps + 63) / 64;
    uint32_t n = 0;
    struct packed_points *p = arena_try_alloc(&x->arena, sizeof *p + count * sizeof *v + words * sizeof *present);
    if (!p)
        return NULL;
    uint64_t *bits = (uint64_t *)(p + 1);
    void *behind = bits + words;
    double *values = behind;
    *p = (struct packed_points){.grid = *grid, .steps = b->steps, .v = values, .present = all ? NULL : bits};
    if (words)
        memcpy(bits, present, words * sizeof *bits);
    BITS_EACH(s, present, b->steps) values[n++] = point_canonical(v[s]);
    return pack_hists(x, b, i, count, p) ? p : NULL;
}

const struct point *promql_points(const struct result_series *s, struct point *scratch)
{
    const struct packed_points *p = s->packed;
    uint32_t n = 0;
    if (!p)
        return s->points;
    for (uint32_t step = 0; step < p->steps && n < s->point_count; step++) {
        if (p->present && !(p->present[step / 64] >> step % 64 & 1))
            continue;
        scratch[n] = (struct point){grid_time(&p->grid, step), p->v[n], p->hists ? p->hists[n] : NULL};
        if (scratch[n].h)
            scratch[n].v = 0;
        n++;
    }
    return scratch;
}
