/*
 * resolve_times.c - what the reference makes of @ below subqueries, and which samples a selector may see.
 *
 * There @ is an offset from the evaluator's first step, computed for the whole query and again for what is in a subquery -
 * but only if the subquery begins at another time than what is around it.  When it happens to begin at the same time, the
 * offsets of the subqueries passed move everything below that has an @.  The storage was asked for the unmoved time, so nothing
 * else is seen.  A subquery with @ goes on for as long as the steps around it do, and nothing past its time is seen either.
 *
 * In the parameter of an aggregation nothing is marked as the same at every step: @ of an instant selector stays that offset, later
 * steps look at later times, and find nothing newer than what was asked for.
 */
#include "promql/query_internal.h"
#include "promql/select.h"

/* Where the walk is. */
struct place {
    int64_t lookback_ms;
    int64_t start_ms; /* the first step here */
    int64_t shift_ms; /* what @ is moved by */
    bool parameter;   /* of an aggregation, or in one */
    bool fixed;       /* below a subquery with @: nothing after last_ms was asked for */
    int64_t last_ms;
};

static void see(struct vector_selector_node *vs, int64_t first_ms, int64_t last_ms)
{
    vs->bounded = true;
    vs->first_ms = first_ms;
    vs->last_ms = last_ms;
}

/* range_ms: of the matrix around it; NO_RANGE: none. */
enum { NO_RANGE = -1 };

static void selector_times(struct vector_selector_node *vs, int64_t range_ms, const struct place *p)
{
    bool instant = range_ms == NO_RANGE, moves = p->parameter && instant && !vs->smoothed;
    int64_t after_ms = vs->smoothed ? p->lookback_ms : 0, window_ms = instant ? 0 : range_ms;
    if (instant || vs->smoothed || vs->anchored)
        window_ms = time_sub(window_ms, -p->lookback_ms);
    if (vs->mod.at != AT_TIME) {
        if (p->fixed)
            see(vs, INT64_MIN, time_sub(time_sub(p->last_ms, vs->mod.offset_ms), -after_ms));
    } else if (moves || p->shift_ms != 0) {
        int64_t asked_ms = modifiers_time(&vs->mod, 0);
        see(vs, time_sub(asked_ms, window_ms - 1), time_sub(asked_ms, -after_ms));
        vs->mod.at_ms = time_sub(vs->mod.at_ms, -p->shift_ms);
    }
    if (vs->mod.at == AT_TIME && moves) {
        vs->mod.offset_ms = time_sub(p->start_ms, modifiers_time(&vs->mod, 0));
        vs->mod.at = AT_NONE;
    }
}

int64_t subquery_start(const struct subquery_node *s, int64_t outer_ms)
{
    int64_t before = time_sub(subquery_time(s, outer_ms), s->range_ms);
    int64_t start = before / s->step_ms * s->step_ms;
    return start <= before ? time_sub(start, -s->step_ms) : start;
}

static struct place inside(struct subquery_node *s, const struct place *p)
{
    struct place in = *p;
    bool fixed = s->mod.at == AT_TIME;
    s->shift_ms = fixed ? p->shift_ms : 0;
    in.start_ms = subquery_start(s, p->start_ms);
    if (in.start_ms != p->start_ms)
        in.shift_ms = 0;
    else if (fixed)
        in.shift_ms = time_sub(p->start_ms, modifiers_time(&s->mod, 0));
    else
        in.shift_ms = time_sub(p->shift_ms, -s->mod.offset_ms);
    in.fixed = p->fixed || fixed;
    in.last_ms = fixed ? modifiers_time(&s->mod, 0) : time_sub(p->last_ms, s->mod.offset_ms);
    return in;
}

static void walk(struct node *n, const struct place *p)
{
    if (n->kind == NODE_VECTOR_SELECTOR) {
        selector_times(&n->vector, NO_RANGE, p);
    } else if (n->kind == NODE_MATRIX_SELECTOR) {
        selector_times(&n->matrix.selector->vector, n->matrix.range_ms, p);
    } else if (n->kind == NODE_SUBQUERY) {
        struct place in = inside(&n->subquery, p);
        walk(n->subquery.expr, &in);
    } else {
        struct place in = *p;
        for (uint32_t i = 0; i < node_child_count(n); i++) {
            in.parameter = p->parameter || (n->kind == NODE_AGGREGATE && node_child(n, i) == n->aggregate.param);
            walk(node_child(n, i), &in);
        }
    }
}

void resolve_times(struct node *root, int64_t start_ms, int64_t lookback_ms)
{
    walk(root, &(struct place){.start_ms = start_ms, .lookback_ms = lookback_ms});
}
