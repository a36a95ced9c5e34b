/*
 * census.c - count() and group() of a plain selector at one instant: asked from the storage as counts.
 *
 * No label set, no row and no sample is made per series: over a million series that is the difference between
 * a second and some hundredths, and between a hundred megabytes and none.
 */
#include "promql/aggregate.h"
#include "promql/crew.h"
#include "promql/range.h"
#include "promql/select.h"
#include "promql/select_fill.h"

enum { PARALLEL_SERIES_MIN = 65536 };

struct crew_census {
    struct census *census;
    struct mutex lock;
    enum err err; /* the first one; guarded by lock, like its text */
    struct errmsg why;
};

static void crew_work(void *ctx, unsigned worker)
{
    struct crew_census *c = ctx;
    struct errmsg why = {0};
    (void)worker;
    enum err err = c->census->ops->work(c->census, &why);
    if (err == ERR_OK)
        return;
    mutex_lock(&c->lock);
    if (c->err == ERR_OK) {
        c->err = err;
        c->why = why;
    }
    mutex_unlock(&c->lock);
}

static enum err census_run(struct exec *x, struct census *census, struct census_result *out)
{
    struct crew_census c = {.census = census};
    bool alone = x->worker_count < 2 || census->series_most < PARALLEL_SERIES_MIN;
    mutex_init(&c.lock);
    if (alone)
        crew_work(&c, 0);
    else
        crew_run(x->engine->crew, x->worker_count - 1, crew_work, &c);
    mutex_deinit(&c.lock);
    if (c.err != ERR_OK) {
        *x->why = c.why;
        return c.err;
    }
    return census->ops->finish(census, out, x->why);
}

static enum err census_take(struct exec *x, const struct census_request *request, struct census_result **out)
{
    struct census *census = NULL;
    *out = NULL;
    enum err err = x->querier->ops->census(x->querier, request, &x->arena, x->cancel, &census, x->why);
    if (err == ERR_OK && census) {
        *out = ARENA_NEW(&x->arena, struct census_result);
        err = census_run(x, census, *out);
        census->ops->close(census);
    }
    if (err == ERR_OK)
        return ERR_OK;
    TRY(exec_check(x, x->why)); /* canceled: says so in its own words */
    return err_wrap(x->why, err, "expanding series");
}

/* What reading the child's rows would have been counted as. */
static enum err census_book(struct oper *child, const struct census_result *counted)
{
    struct tally *t = &child->tally;
    bool windows = child->cost == COST_RANGE;
    t->points = counted->points;
    t->full = counted->series;
    t->peak = counted->points + (windows ? counted->most : 0);
    t->queryable = windows ? counted->samples : counted->points;
    t->read = child->step_of && child->step_of[0] == READ_BY_NOBODY ? 0 : t->queryable;
    exec_count_step(child->x, child, 0, t->queryable, t->read);
    return t->peak > child->x->engine->options.samples_max ? exec_too_many_samples(child->x->why) : ERR_OK;
}

enum err aggregate_census(struct aggregation *a, const struct census_result **out)
{
    struct exec *x = a->base.x;
    struct selector *sel = ARENA_NEW(&x->arena, struct selector);
    struct census_request request = {.selector = sel, .without = a->node->without, .points = histogram_points};
    struct census_result *counted = NULL;
    *out = NULL;
    if (!x->querier || !x->querier->ops->census ||
        !(select_op_census(a->child, sel, &request) || range_op_census(a->child, sel, &request)))
        return ERR_OK;
    struct grouping g = grouping_make(&x->arena, a->node, NULL);
    request.names = g.names.names;
    request.name_count = g.names.count;
    TRY(exec_check(x, x->why));
    TRY(census_take(x, &request, &counted));
    *out = counted;
    x->series_fetched += counted ? counted->series : 0;
    return counted ? census_book(a->child, counted) : ERR_OK;
}
