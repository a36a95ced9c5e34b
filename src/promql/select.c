/*
 * select.c - instant selectors; the contract is in select.h.
 *
 * At each step the newest sample in (t - lookback, t] counts, unless it is a stale marker, which hides
 * what is older.  One pointer walks the samples while the steps go by; an instant query asks the
 * reader for the last sample only.
 */
#include "histogram/histogram.h"
#include "promql/select.h"

#include "base/assert.h"
#include "model/value.h"
#include "promql/series.h"
#include "promql/smoothed.h"
#include "promql/stats_only.h"

struct select_op {
    struct operator base;
    const struct node *selector;
    const struct vector_selector_node *vs;
    enum select_yield yield;
    bool sorted;
    int64_t mint_ms, maxt_ms; /* of samples to read, inclusive */
    struct series_set *set;
    const uint32_t *chosen; /* rows of the set; NULL: all of them */
};

struct select_state {
    struct series_reader *reader;
    struct column_space space; /* smoothed */
};

static const struct operator_ops select_ops;

/* ---- Which series ---- */

static bool same_matchers(const struct vector_selector_node *a, const struct vector_selector_node *b)
{
    if (a->matcher_count != b->matcher_count)
        return false;
    for (uint32_t i = 0; i < a->matcher_count; i++) {
        const struct matcher *m = &a->matchers[i], *n = &b->matchers[i];
        if (m->op != n->op || !slice_eq(m->name, n->name) || !slice_eq(m->value, n->value))
            return false;
    }
    return true;
}

enum err exec_select(struct exec *x, const struct vector_selector_node *node, int64_t mint_ms, int64_t maxt_ms,
                     bool sorted, struct series_set **out)
{
    for (struct selection *s = x->selections; s; s = s->next)
        if (s->mint_ms == mint_ms && s->maxt_ms == maxt_ms && s->sorted >= sorted && same_matchers(s->node, node)) {
            *out = s->set;
            return ERR_OK;
        }
    struct warnings warnings = {.arena = &x->arena};
    struct selector selector = {.matchers = node->matchers, .matcher_count = node->matcher_count, .mint_ms = mint_ms,
                                .maxt_ms = maxt_ms, .sorted = sorted, .warnings = &warnings};
    enum err err = x->querier->ops->select(x->querier, &selector, &x->arena, x->cancel, out, x->why);
    for (uint32_t i = 0; i < warnings.count; i++)
        notes_plain_warning(&x->notes, warnings.list[i]);
    if (err != ERR_OK) {
        TRY(exec_check(x, x->why)); /* canceled: says so in its own words */
        return err_wrap(x->why, err, "expanding series");
    }
    struct selection *s = ARENA_NEW(&x->arena, struct selection);
    *s = (struct selection){x->selections, node, mint_ms, maxt_ms, sorted, *out};
    x->selections = s;
    return ERR_OK;
}

bool selector_has_one_name(const struct vector_selector_node *node)
{
    for (uint32_t i = 0; i < node->matcher_count; i++)
        if (node->matchers[i].op == MATCH_EQUAL && slice_eq(node->matchers[i].name, SLICE_LIT(METRIC_NAME)))
            return true;
    return false;
}

static enum err select_prepare(struct operator *op)
{
    struct select_op *s = (struct select_op *)op;
    TRY(exec_select(op->x, s->vs, s->mint_ms, s->maxt_ms, s->sorted, &s->set));
    op->count = s->set->count;
    op->labels = s->set->labels;
    op->one_name = selector_has_one_name(s->vs);
    if (s->yield == SELECT_VALUE || s->yield == SELECT_TIME)
        return ERR_OK;
    struct operator plain = *op;
    return op_series_renamed(op, &plain);
}

/* ---- Their samples ---- */

uint64_t histogram_points(const struct histogram *h)
{
    uint64_t parts = (uint64_t)h->positive_span_count + h->negative_span_count + h->positive_count +
                     h->negative_count + h->bound_count;
    return (168 + 8 * parts + 8) / 16;
}

static bool sample_is_stale(const struct samples *s, uint32_t i)
{
    return value_is_stale(s->hists && s->hists[i] ? s->hists[i]->sum : s->values[i]);
}

/* What the row is being filled with, and the histogram copied last (steps often see the same one). */
struct filling {
    struct select_op *op;
    struct worker *w;
    const struct samples *s;
    struct batch *b;
    uint32_t row;
    const struct histogram *from, *copy;
};

static void count_points(struct filling *f, uint32_t step, uint64_t points)
{
    struct tally *t = &f->w->tallies[f->op->base.id];
    t->queryable += points;
    t->read += points;
    exec_count_step(f->w->x, &f->op->base, step, points, points);
}

static void put_histogram(struct filling *f, uint32_t step, const struct histogram *h)
{
    if (f->from != h) {
        f->from = h;
        f->copy = histogram_keep(&f->w->tile, h);
    }
    batch_need_h(f->b, f->row)[step] = f->copy;
    bits_set(batch_present(f->b, f->row), step);
    count_points(f, step, histogram_points(h));
}

static void put_sample(struct filling *f, uint32_t step, uint32_t i)
{
    const struct samples *s = f->s;
    enum select_yield yield = f->op->yield;
    if ((yield == SELECT_VALUE || yield == SELECT_TIME) && s->hists && s->hists[i]) {
        put_histogram(f, step, s->hists[i]);
        return;
    }
    double v = s->values[i];
    if (yield == SELECT_TIMESTAMP)
        v = (double)s->times_ms[i] / 1000;
    else if (yield == SELECT_TIME)
        v = (double)s->times_ms[i];
    else if (yield == SELECT_START_TIMESTAMP)
        v = (double)(s->start_times_ms ? s->start_times_ms[i] : 0) / 1000;
    batch_put(f->b, f->row, step, v);
    count_points(f, step, 1);
}

static void fill_steps(struct filling *f)
{
    const struct samples *s = f->s;
    const struct operator *op = &f->op->base;
    int64_t lookback = op->x->lookback_ms;
    uint32_t seen = 0; /* samples at or before the step */
    for (uint32_t step = 0; step < op->grid.count; step++) {
        int64_t t = modifiers_time(&f->op->vs->mod, grid_time(&op->grid, step));
        while (seen < s->count && s->times_ms[seen] <= t)
            seen++;
        if (seen && s->times_ms[seen - 1] > time_sub(t, lookback) && !sample_is_stale(s, seen - 1))
            put_sample(f, step, seen - 1);
    }
}

static void warn_metric(struct filling *f, uint32_t row, const char *text)
{
    struct notes *n = &f->w->notes;
    notes_warn(n, op_place_at(&f->op->base, f->op->selector), "%s %s", text,
               notes_quote(n, labels_name(&f->op->set->labels[row])));
}

static void note_reconciled(struct filling *f, unsigned notes, const char *operation)
{
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        notes_info(&f->w->notes, op_place_at(&f->op->base, f->op->selector),
                   "mismatched custom buckets were reconciled during %s", operation);
}

/* Samples around a step are not counted: the reference doesn't. */
static void fill_smoothed(struct filling *f, uint32_t row, struct column_space *space)
{
    const struct operator *op = &f->op->base;
    struct smoothed_cursor at = {{0, 0}, {0, 0}};
    struct column col;
    column_of_samples(&col, f->s, false, space);
    for (uint32_t step = 0; step < op->grid.count; step++) {
        int64_t t = modifiers_time(&f->op->vs->mod, grid_time(&op->grid, step));
        struct smoothed_value value = smoothed_at(&col, &at, t, op->x->lookback_ms, &f->w->tile);
        if (value.warning)
            warn_metric(f, row, value.warning);
        note_reconciled(f, value.notes.subtraction, "subtraction");
        note_reconciled(f, value.notes.addition, "addition");
        if (!value.present)
            continue;
        if (f->op->yield == SELECT_VALUE && value.h) {
            batch_need_h(f->b, f->row)[step] = value.h;
            bits_set(batch_present(f->b, f->row), step);
        } else {
            batch_put(f->b, f->row, step, f->op->yield == SELECT_VALUE ? value.v : (double)t / 1000);
        }
    }
}

static enum err read_samples(struct select_op *s, struct worker *w, uint32_t row, struct samples *out)
{
    struct select_state *state = worker_state(w, &s->base, sizeof *state);
    if (!state->reader)
        state->reader = s->set->ops->reader(s->set);
    struct series_reader *r = state->reader;
    return s->base.grid.count == 1 && !s->vs->smoothed && !s->vs->stats_only
               ? r->ops->last(r, row, s->mint_ms, s->maxt_ms, out, w->why)
               : r->ops->read(r, row, s->mint_ms, s->maxt_ms, out, w->why);
}

/* The reference seeks to the start of the lookback window and walks on to the step. */
static void drop_buckets(struct select_op *s, struct worker *w, struct samples *samples)
{
    if (!samples->hists)
        return;
    uint32_t count = s->base.grid.count;
    struct stats_step *steps = ARENA_ARRAY(&w->tile, struct stats_step, count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t t = modifiers_time(&s->vs->mod, grid_time(&s->base.grid, i));
        steps[i] = (struct stats_step){time_sub(t, w->x->lookback_ms - 1), t};
    }
    stats_only_samples(samples, steps, count, &w->tile);
}

static enum err select_tile(struct operator *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct select_op *s = (struct select_op *)op;
    for (uint32_t i = 0; i < b->rows; i++) {
        struct samples samples;
        uint32_t row = s->chosen ? s->chosen[first + i] : first + i;
        TRY(read_samples(s, w, row, &samples));
        if (s->vs->stats_only)
            drop_buckets(s, w, &samples);
        struct filling f = {.op = s, .w = w, .s = &samples, .b = b, .row = i};
        if (s->vs->smoothed)
            fill_smoothed(&f, row, &((struct select_state *)worker_state(w, op, 0))->space);
        else
            fill_steps(&f);
    }
    return ERR_OK;
}

static void select_close(struct operator *op, void *state)
{
    (void)op;
    struct select_state *s = state;
    if (s->reader)
        s->reader->ops->close(s->reader);
    column_space_deinit(&s->space);
}

static const struct operator_ops select_ops = {
    .cost = COST_SELECT, .prepare = select_prepare, .tile = select_tile, .worker_close = select_close};

struct operator *select_op_new(struct exec *x, const struct node *node, const struct node *selector, const struct grid *g,
                         enum select_yield yield)
{
    struct select_op *s = op_new(x, sizeof *s, &select_ops, node, g);
    s->selector = selector;
    s->vs = &selector->vector;
    s->yield = yield;
    s->sorted = true;
    s->mint_ms = time_sub(modifiers_time(&s->vs->mod, g->start_ms), x->lookback_ms - 1);
    s->maxt_ms = modifiers_time(&s->vs->mod, grid_time(g, g->count - 1));
    if (s->vs->smoothed)
        s->maxt_ms = time_sub(s->maxt_ms, -x->lookback_ms);
    exec_needs(x, s->mint_ms, s->maxt_ms);
    return &s->base;
}

void select_op_unsorted(struct operator *op)
{
    assert(op_is_select(op));
    ((struct select_op *)op)->sorted = false;
}

enum err select_op_choose(struct operator *op, const uint32_t *rows, uint32_t count)
{
    struct exec *x = op->x;
    struct labels *labels = exec_alloc(x, count, sizeof *labels);
    if (!labels)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < count; i++)
        labels[i] = op->labels[rows[i]];
    ((struct select_op *)op)->chosen = rows;
    op->labels = labels;
    op->count = count;
    return ERR_OK;
}

bool op_is_select(const struct operator *op)
{
    return op->ops == &select_ops;
}
