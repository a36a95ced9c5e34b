/*
 * select.c - instant selectors; the contract is in select.h.
 *
 * At each step the newest sample in (t - lookback, t] counts, unless it is a stale marker, which hides
 * what is older.  One pointer walks the samples while the steps go by; an instant query asks the
 * reader for the last sample only.
 */
#include "promql/select.h"

#include "base/assert.h"
#include "model/value.h"
#include "promql/range.h"
#include "promql/select_fill.h"
#include "promql/series.h"

static const struct oper_ops select_ops;

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

static bool same_reading(const struct reading_op *a, const struct reading_op *b)
{
    return a->mint_ms == b->mint_ms && a->maxt_ms == b->maxt_ms && same_matchers(a->selector, b->selector);
}

/* One set of series for all who read the same: if somebody else does, all labels are wanted. */
static bool reads_alone(const struct exec *x, const struct reading_op *reading)
{
    enum { OPERATORS_MAX = 1000 };
    uint32_t readers = 0;
    for (uint32_t i = 0; i < x->op_count && x->op_count <= OPERATORS_MAX; i++) {
        struct reading_op other;
        bool reads = select_op_reading(x->ops[i], &other) || range_op_reading(x->ops[i], &other);
        readers += reads && same_reading(reading, &other);
    }
    return readers == 1;
}

static enum err storage_select(struct exec *x, struct selector *selector, struct series_set **out)
{
    enum err err = x->querier->ops->select(x->querier, selector, &x->arena, x->cancel, out, x->why);
    if (err == ERR_OK)
        return ERR_OK;
    TRY(exec_check(x, x->why)); /* canceled: says so in its own words */
    return err_wrap(x->why, err, "expanding series");
}

enum err exec_select(struct exec *x, const struct reading_op *reading, bool sorted, const struct name_list *needed,
                     struct series_set **out)
{
    const struct vector_selector_node *node = reading->selector;
    for (struct selection *s = x->selections; s; s = s->next)
        if (s->mint_ms == reading->mint_ms && s->maxt_ms == reading->maxt_ms && s->sorted >= sorted && !s->projected &&
            same_matchers(s->node, node)) {
            *out = s->set;
            return ERR_OK;
        }
    if (reading->mint_ms > reading->maxt_ms) { /* without series nobody asks for a reader */
        *out = ARENA_NEW(&x->arena, struct series_set);
        return ERR_OK;
    }
    struct selector selector = {.matchers = node->matchers,
                                .matcher_count = node->matcher_count,
                                .mint_ms = reading->mint_ms,
                                .maxt_ms = reading->maxt_ms,
                                .sorted = sorted,
                                .warnings = &x->warnings,
                                .projected = needed && reads_alone(x, reading),
                                .needed = needed ? needed->list : NULL,
                                .needed_count = needed ? needed->count : 0};
    TRY(storage_select(x, &selector, out));
    struct selection *s = ARENA_NEW(&x->arena, struct selection);
    *s = (struct selection){x->selections, node, reading->mint_ms, reading->maxt_ms, sorted, selector.projected, *out};
    x->series_fetched += (*out)->count;
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

static enum err select_prepare(struct oper *op)
{
    struct select_op *s = (struct select_op *)op;
    struct reading_op reading = {s->vs, s->mint_ms, s->maxt_ms, false};
    TRY(exec_select(op->x, &reading, s->sorted, s->needed, &s->set));
    op->count = s->set->count;
    op->labels = s->set->labels;
    op->one_name = selector_has_one_name(s->vs);
    if (s->yield == SELECT_VALUE || s->yield == SELECT_TIME)
        return ERR_OK;
    struct oper plain = *op;
    return op_series_renamed(op, &plain);
}

/* ---- Tiles ---- */

static struct select_state *state_get(struct select_op *s, struct worker *w)
{
    struct select_state *state = worker_state(w, &s->base, sizeof *state);
    if (!state->reader)
        state->reader = exec_reader(w->x, s->set);
    return state;
}

/* One step of floats, nearly every instant query: the last sample, if it is no stale marker. */
static enum err instant_tile(struct select_op *s, struct worker *w, struct select_state *state, uint32_t first,
                             struct batch *b)
{
    struct series_reader *r = state->reader;
    uint64_t found = 0;
    for (uint32_t i = 0; i < b->rows; i++) {
        struct samples samples;
        if (s->wanted && !bits_get(s->wanted, first + i))
            continue;
        TRY(r->ops->last(r, s->chosen ? s->chosen[first + i] : first + i, s->mint_ms, s->maxt_ms, &samples, w->why));
        if (samples.count == 0)
            continue;
        if (samples.hists || s->yield != SELECT_VALUE) {
            TRY(select_fill(s, w, state, &samples, b, i));
        } else if (!value_is_stale(samples.values[0])) {
            b->v[i] = samples.values[0];
            b->present[i] = 1;
            found++;
        }
    }
    select_count(s, w, 0, found);
    return ERR_OK;
}

static enum err select_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct select_op *s = (struct select_op *)op;
    struct select_state *state = state_get(s, w);
    if (op->grid.count == 1 && !s->smoothed && !s->vs->stats_only)
        return instant_tile(s, w, state, first, b);
    for (uint32_t i = 0; i < b->rows; i++) {
        struct samples samples;
        uint32_t row = s->chosen ? s->chosen[first + i] : first + i;
        if (s->wanted && !bits_get(s->wanted, first + i))
            continue;
        TRY(state->reader->ops->read(state->reader, row, s->mint_ms, s->maxt_ms, &samples, w->why));
        TRY(worker_go_on(w, 200 + (uint64_t)(samples.count + b->steps) * (samples.hists ? 500 : s->smoothed ? 20 : 2)));
        if (samples.count == 0)
            continue;
        if (s->smoothed)
            TRY(select_fill_smoothed(s, w, state, &samples, row, b, i));
        else
            TRY(select_fill(s, w, state, &samples, b, i));
    }
    return ERR_OK;
}

static void select_close(struct oper *op, void *state)
{
    (void)op;
    struct select_state *s = state;
    if (s->reader)
        s->reader->ops->close(s->reader);
    column_space_deinit(&s->space);
}

/* A plain selector tells nothing: its rows are samples. */
static bool select_skip(struct oper *op, const uint64_t *wanted)
{
    struct select_op *s = (struct select_op *)op;
    if (s->smoothed || s->yield != SELECT_VALUE)
        return false;
    s->wanted = wanted;
    return true;
}

static const struct oper_ops select_ops = {.name = "select",
                                           .role = ROLE_ROWS,
                                           .cost = COST_SELECT,
                                           .prepare = select_prepare,
                                           .tile = select_tile,
                                           .worker_close = select_close,
                                           .skip = select_skip};

struct oper *select_op_new(struct exec *x, const struct node *node, const struct node *selector, const struct grid *g,
                           enum select_yield yield)
{
    struct select_op *s = op_new(x, sizeof *s, &select_ops, node, g);
    s->selector = selector;
    s->vs = &selector->vector;
    s->yield = yield;
    s->sorted = true;
    s->smoothed = s->vs->smoothed && yield != SELECT_TIMESTAMP && yield != SELECT_START_TIMESTAMP;
    if (yield == SELECT_TIMESTAMP || yield == SELECT_START_TIMESTAMP) {
        s->base.cost = COST_TIMESTAMP;
        s->base.counts_steps = true;
    } else if (s->smoothed) {
        s->base.cost = COST_SMOOTHED;
    }
    s->mint_ms = time_sub(modifiers_time(&s->vs->mod, g->start_ms), x->lookback_ms - 1);
    s->maxt_ms = modifiers_time(&s->vs->mod, grid_time(g, g->count - 1));
    if (s->smoothed)
        s->maxt_ms = time_sub(s->maxt_ms, -x->lookback_ms);
    selector_clip(s->vs, &s->mint_ms, &s->maxt_ms);
    exec_needs(x, s->mint_ms, s->maxt_ms);
    return &s->base;
}

void selector_clip(const struct vector_selector_node *vs, int64_t *mint_ms, int64_t *maxt_ms)
{
    if (vs->bounded && *mint_ms < vs->first_ms)
        *mint_ms = vs->first_ms;
    if (vs->bounded && *maxt_ms > vs->last_ms)
        *maxt_ms = vs->last_ms;
}

bool select_op_census(const struct oper *op, struct selector *sel, struct census_request *request)
{
    const struct select_op *s = (const struct select_op *)op;
    if (!op_is_select(op) || op->grid.count != 1 || s->yield != SELECT_VALUE || s->smoothed || s->vs->stats_only)
        return false;
    *sel = (struct selector){.matchers = s->vs->matchers,
                             .matcher_count = s->vs->matcher_count,
                             .mint_ms = s->mint_ms,
                             .maxt_ms = s->maxt_ms,
                             .warnings = &op->x->warnings};
    request->passes_stale = false;
    return true;
}

bool select_op_reading(const struct oper *op, struct reading_op *out)
{
    const struct select_op *s = (const struct select_op *)op;
    if (!op_is_select(op))
        return false;
    *out = (struct reading_op){s->vs, s->mint_ms, s->maxt_ms, op->grid.count == 1 && !s->smoothed};
    return true;
}

void select_op_shift(struct oper *op, int64_t offset_ms)
{
    struct select_op *s = (struct select_op *)op;
    if (offset_ms > 0)
        s->maxt_ms = time_sub(s->maxt_ms, offset_ms);
    else
        s->mint_ms = time_sub(s->mint_ms, offset_ms);
}

void select_op_unsorted(struct oper *op)
{
    assert(op_is_select(op));
    ((struct select_op *)op)->sorted = false;
}

void select_op_project(struct oper *op, const struct name_list *needed)
{
    assert(op_is_select(op));
    ((struct select_op *)op)->needed = needed;
}

enum err select_op_choose(struct oper *op, const uint32_t *rows, uint32_t count)
{
    struct exec *x = op->x;
    struct labels *labels = exec_alloc(x, count, sizeof *labels);
    if (!labels)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = op->labels[rows[i]];
        TRY(exec_go_on(x, 30));
    }
    ((struct select_op *)op)->chosen = rows;
    op->labels = labels;
    op->count = count;
    return ERR_OK;
}

bool op_is_select(const struct oper *op)
{
    return op->ops == &select_ops;
}
