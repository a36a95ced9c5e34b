/*
 * range_lanes.c - eight windows side by side; the contract is in range_lanes.h.
 *
 * With a step of d scrape intervals, windows of neighbouring steps start d samples after each other.  A copy
 * of the series dealt out into d runs - samples 0, d, 2d ..., then 1, d+1 ... - has the eight values that
 * the lanes need at a time next to each other, for all windows of the series.
 */
#include "promql/range_lanes.h"

enum { PHASES_MAX = 64 };

/* The distance between the starts of neighbouring windows, if it is the same for all eight; else 0. */
static uint32_t distance(const struct eight *g)
{
    uint32_t d = g->windows[1].lo - g->windows[0].lo;
    for (uint32_t k = 1; k < KERNEL_LANES; k++)
        if (g->windows[k].lo - g->windows[k - 1].lo != d)
            return 0;
    return d <= PHASES_MAX ? d : 0;
}

void lane_spaces_deinit(struct lane_spaces *spaces)
{
    scratch_free(&spaces->values.memory);
    scratch_free(&spaces->times.memory);
    scratch_free(&spaces->block.memory);
}

static bool lane_room(struct range_call *c, struct lane_space *space, size_t count)
{
    if (scratch_need(&space->memory, &c->w->x->budget, count, sizeof(double)))
        return true;
    c->err = exec_no_memory(c->w->x, c->w->why);
    return false;
}

/* Memory for what lanes() may lay out for these windows, so that it cannot fail. */
static bool rooms(struct range_call *c, const struct eight *g)
{
    bool times = c->op->function->floats == range_regress, dealt = distance(g) > 0;
    size_t series = (size_t)c->col->float_count + PHASES_MAX * (1 + KERNEL_LANES);
    if (!dealt)
        return lane_room(c, &c->lanes->block, (size_t)g->len * KERNEL_LANES * 2);
    return lane_room(c, &c->lanes->values, series) && (!times || lane_room(c, &c->lanes->times, series));
}

/* The last windows of a series may be fewer than eight. */
static void call_eight(struct range_call *c, struct eight *g, eight_fn fn)
{
    for (uint32_t k = g->count; k < KERNEL_LANES; k++)
        g->windows[k] = g->windows[0];
    if (rooms(c, g))
        fn(c, g);
    g->count = 0;
}

void each_eight(struct range_call *c, uint32_t least, eight_fn fn)
{
    struct eight g = {0};
    c->lanes->values.phases = c->lanes->times.phases = 0; /* of the series before */
    for (uint32_t s = 0; s < c->steps && c->err == ERR_OK; s++) {
        struct window w = c->windows[s];
        uint32_t len = window_count(w);
        if (len < least)
            continue;
        g.steps[g.count] = s;
        g.windows[g.count] = w;
        g.len = g.count == 0 || len < g.len ? len : g.len;
        if (range_stop(c, (uint64_t)len * 4))
            return;
        if (++g.count == KERNEL_LANES)
            call_eight(c, &g, fn);
    }
    if (g.count && c->err == ERR_OK)
        call_eight(c, &g, fn);
}

static double value_at(const struct column *col, bool times, uint32_t i)
{
    return times ? (double)col->float_times[i] : col->values[i];
}

/* Deals the series out into `phases` runs. */
static void deal(struct lane_space *space, const struct column *col, bool times, uint32_t phases)
{
    size_t pitch = col->float_count / phases + 1 + KERNEL_LANES;
    double *v = space->memory.p;
    for (uint32_t i = 0, phase = 0, at = 0; i < col->float_count; i++) {
        v[phase * pitch + at] = value_at(col, times, i);
        if (++phase == phases) {
            phase = 0;
            at++;
        }
    }
    space->phases = phases;
    space->pitch = pitch;
}

/* Value by value, for windows at uneven distances. */
static struct kernel_windows block(struct range_call *c, const struct eight *g, bool times)
{
    struct lane_space *space = &c->lanes->block;
    size_t half = (size_t)g->len * KERNEL_LANES;
    double *v = (double *)space->memory.p + (times ? half : 0);
    for (uint32_t k = 0; k < KERNEL_LANES; k++)
        for (uint32_t i = 0; i < g->len; i++)
            v[(size_t)i * KERNEL_LANES + k] = value_at(c->col, times, g->windows[k].lo + i);
    return (struct kernel_windows){v, KERNEL_LANES, g->len, 0};
}

static struct kernel_windows lanes(struct range_call *c, const struct eight *g, bool times)
{
    struct lane_space *space = times ? &c->lanes->times : &c->lanes->values;
    uint32_t d = distance(g);
    if (d == 0)
        return block(c, g, times);
    if (space->phases != d)
        deal(space, c->col, times, d);
    return (struct kernel_windows){space->memory.p, space->pitch, d, g->windows[0].lo};
}

struct kernel_windows lanes_values(struct range_call *c, const struct eight *g)
{
    return lanes(c, g, false);
}

struct kernel_windows lanes_times(struct range_call *c, const struct eight *g)
{
    return lanes(c, g, true);
}
