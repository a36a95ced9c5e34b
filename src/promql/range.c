/*
 * range.c - the operator of range functions: reads a series, lays out its samples, finds the windows,
 * calls the function; the contract is in range.h.
 */
#include "promql/range.h"

#include "base/assert.h"
#include "promql/select.h"
#include "promql/series.h"
#include "promql/stats_only.h"

enum { WINDOWS_BYTES_MAX = 1 << 22, WINDOWS_SLOTS_MAX = 2048 };

static const struct oper_ops range_ops;

/* What a worker keeps between series. */
struct range_state {
    struct series_reader *reader;
    struct column_space space;
    struct batch child; /* rows of a subquery */
    uint32_t slot_count;
    struct windows *slots; /* by times_id */
    struct windows own;    /* of columns that share with nobody */
    struct window *hist_windows;
    struct lane_spaces lanes;
    struct scratch scratch;
};

int64_t range_time(const struct range_op *op, uint32_t step)
{
    return modifiers_time(op->mod, grid_time(&op->base.grid, step));
}

/* The reference evaluates a subquery into a new selector, which has no place: its notes point at 1:1. */
struct note_place range_place(const struct range_call *c)
{
    const struct node *first = c->op->base.node->call.args[0];
    struct note_place place = op_place_at(&c->op->base, first);
    if (first->kind == NODE_SUBQUERY)
        place.position = NOTE_NOWHERE;
    return place;
}

void range_put_hist(struct range_call *c, uint32_t step, const struct histogram *h)
{
    batch_need_h(c->b, c->row)[step] = histogram_keep(&c->w->tile, h);
    bits_set(c->present, step);
}

/* ---- Preparation ---- */

static enum err range_series(struct range_op *r)
{
    struct oper *op = &r->base;
    struct exec *x = op->x;
    struct oper source = *op;
    if (r->child) {
        op_series_same(&source, r->child);
    } else {
        struct reading_op reading;
        range_op_reading(op, &reading);
        TRY(exec_select(x, &reading, true, r->needed, &r->set));
        source.count = r->set->count;
        source.labels = r->set->labels;
        source.one_name = selector_has_one_name(&r->matrix->matrix.selector->vector);
    }
    if (r->function->keeps_name) {
        op_series_same(op, &source);
        return ERR_OK;
    }
    TRY(op_series_renamed(op, &source));
    if (exec_delays_names(x) || op->one_name)
        return ERR_OK;
    uint32_t class_count;
    TRY(series_classes(x, op->labels, op->count, &r->classes, &class_count));
    if (r->classes && !(r->taken = exec_alloc(x, class_count, sizeof *r->taken)))
        return exec_no_memory(x, x->why);
    return ERR_OK;
}

static enum err range_params(struct range_op *r)
{
    for (uint32_t i = 0; i < r->param_count; i++) {
        TRY(op_prepare(r->params[i]));
        TRY(op_scalar(r->params[i], &r->values[i]));
    }
    return ERR_OK;
}

static enum err range_child_times(struct range_op *r)
{
    struct exec *x = r->base.x;
    const struct grid *g = &r->child->grid;
    r->child_times = exec_alloc(x, g->count, sizeof *r->child_times);
    if (!r->child_times)
        return exec_no_memory(x, x->why);
    for (uint32_t s = 0; s < g->count; s++)
        r->child_times[s] = grid_time(g, s);
    TRY(exec_go_on(x, g->count));
    return ERR_OK;
}

/* Order of evaluation: a subquery, the parameters, a selector. */
/* Anchored or smoothed windows of a function that has no form for them: told when its turn comes. */
static enum err range_not_extended(const struct range_op *r)
{
    bool smoothed = r->matrix->matrix.selector->vector.smoothed;
    return err_set(r->base.x->why, ERR_INVALID, "%s modifier can only be used with: %s - not with %s",
                   smoothed ? "smoothed" : "anchored",
                   smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets",
                   r->base.node->call.function->name);
}

static enum err range_prepare(struct oper *op)
{
    struct range_op *r = (struct range_op *)op;
    if (r->child) {
        TRY(op_prepare(r->child));
        TRY(range_child_times(r));
    }
    enum err err = range_params(r);
    if (err != ERR_OK)
        return r->child ? op_drain(r->child, err) : err;
    if (!r->function)
        return range_not_extended(r);
    return range_series(r);
}

/* ---- Windows ---- */

void range_windows(const struct range_op *op, const int64_t *times, uint32_t count, struct window *out)
{
    uint32_t lo = 0, hi = 0;
    for (uint32_t step = 0; step < op->base.grid.count; step++) {
        int64_t end = time_sub(range_time(op, step), -op->after_ms);
        int64_t start = time_sub(end, op->before_ms + op->range_ms + op->after_ms);
        while (hi < count && times[hi] <= end)
            hi++;
        while (lo < hi && times[lo] <= start)
            lo++;
        out[step] = (struct window){lo, hi};
    }
}

/* What the windows cost, for all series that have them. */
static void windows_count(struct windows *w, uint32_t steps)
{
    uint32_t before = 0;
    w->shortest = UINT32_MAX;
    w->points = w->read = w->most = 0;
    for (uint32_t s = 0; s < steps; s++) {
        struct window win = w->float_windows[s];
        uint32_t n = window_count(win);
        w->points += n;
        w->read += win.hi - (win.lo > before ? win.lo : before);
        w->most = n > w->most ? n : w->most;
        w->shortest = n < w->shortest ? n : w->shortest;
        w->last = n;
        before = win.hi;
    }
}

static bool windows_fill(struct windows *w, struct worker *worker, const struct range_op *op, const struct column *col)
{
    if (!w->float_windows)
        w->float_windows = worker_alloc(worker, op->base.grid.count, sizeof *w->float_windows);
    if (!w->float_windows)
        return false;
    range_windows(op, col->float_times, col->float_count, w->float_windows);
    w->times_id = col->times_id;
    w->count = col->float_count;
    w->first_ms = col->float_count ? col->float_times[0] : 0;
    w->has_terms = false;
    windows_count(w, op->base.grid.count);
    return true;
}

/* NULL when memory ends. */
static struct windows *windows_get(struct range_state *state, struct worker *worker, const struct range_op *op,
                                   const struct column *col)
{
    struct windows *w = &state->own;
    if (col->times_id && col->float_count) {
        uint64_t hash = col->times_id * UINT64_C(0x9e3779b97f4a7c15);
        w = &state->slots[hash >> 32 & (state->slot_count - 1)];
        if (w->times_id == col->times_id && w->count == col->float_count && w->first_ms == col->float_times[0])
            return w;
    }
    return windows_fill(w, worker, op, col) ? w : NULL;
}

/* ---- One series ---- */

static struct range_state *range_state_get(struct range_op *r, struct worker *w)
{
    struct range_state *state = worker_state(w, &r->base, sizeof *state);
    if (state->slots)
        return state;
    size_t each = r->base.grid.count * (sizeof(struct window) + sizeof(struct extrapolation));
    state->slot_count = WINDOWS_SLOTS_MAX;
    while (state->slot_count > 1 && state->slot_count * each > WINDOWS_BYTES_MAX)
        state->slot_count /= 2;
    state->slots = ARENA_ARRAY(&w->arena, struct windows, state->slot_count);
    return state;
}

enum { HIST_NS = 500 }; /* adding, comparing or copying a histogram, more or less */

/* The kind that ignores histograms says so where there are floats, too; the other kind refuses mixes. */
static void range_mixes(struct range_call *c)
{
    const struct range_function *f = c->op->function;
    for (uint32_t s = 0; s < c->steps; s++) {
        bool floats = window_count(c->windows[s]) > 0, hists = window_count(c->hist_windows[s]) > 0;
        if (floats && hists && f->hist) {
            notes_warn(&c->w->notes, range_place(c), "encountered a mix of histograms and floats for metric name %s",
                       notes_quote(&c->w->notes, c->metric));
            bits_clear(c->present, s);
        } else if (floats && hists) {
            notes_info(&c->w->notes, range_place(c),
                       "ignored histograms in a range containing both floats and histograms for metric name %s",
                       notes_quote(&c->w->notes, c->metric));
        } else if (hists && f->hist) {
            if (range_stop(c, (uint64_t)window_count(c->hist_windows[s]) * HIST_NS))
                return;
            f->hist(c, s);
        }
    }
}

static void range_apply(struct range_call *c)
{
    const struct range_function *f = c->op->function;
    if (c->col->hist_count > 0 && f->mixed) {
        f->mixed(c);
        return;
    }
    f->floats(c);
    if (c->col->hist_count > 0 && c->err == ERR_OK)
        range_mixes(c);
}

/* Points of windows that hold histograms, or when each step is accounted for: window by window. */
static struct windows count_windows(const struct range_call *c, const struct column *col)
{
    struct windows sum = {0};
    uint32_t before = 0, hist_before = 0;
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        uint64_t read = w.hi - (w.lo > before ? w.lo : before), points = window_count(w);
        before = w.hi;
        if (col->hist_count > 0) {
            struct window h = c->hist_windows[s];
            for (uint32_t i = h.lo; i < h.hi; i++) {
                uint64_t size = histogram_points(col->hists[i]);
                points += size;
                read += i >= hist_before ? size : 0;
            }
            hist_before = h.hi;
        }
        exec_count_step(c->w->x, &c->op->base, s, points, c->op->child ? 0 : read);
        sum.points += points;
        sum.read += c->op->base.step_of && c->op->base.step_of[s] == READ_BY_NOBODY ? 0 : read;
        sum.most = points > sum.most ? points : sum.most;
        sum.last = points;
    }
    return sum;
}

/* All points of the windows were looked at, those newer than the window before were read. */
static void range_count_points(const struct range_call *c, const struct column *col, uint64_t made, uint64_t points)
{
    struct tally *t = &c->w->tallies[c->op->base.id];
    struct windows own;
    const struct windows *w = c->shared;
    if (col->hist_count > 0 || c->w->x->step_queryable || c->op->base.step_of) {
        own = count_windows(c, col);
        w = &own;
    }
    uint64_t peak = points + w->last > w->most ? points + w->last : w->most;
    t->queryable += w->points;
    t->read += c->op->child ? 0 : w->read;
    t->peak = made + peak > t->peak ? made + peak : t->peak;
}

static enum err range_row(struct range_op *r, struct worker *w, struct range_state *state, const struct column *col,
                          const struct labels *labels, struct batch *b, uint32_t row, uint64_t *made)
{
    size_t samples = (size_t)col->float_count + col->hist_count + 1;
    if (!scratch_need(&state->scratch, &w->x->budget, samples, 4 * sizeof(uint32_t)))
        return exec_no_memory(w->x, w->why);
    struct windows *windows = windows_get(state, w, r, col);
    if (col->hist_count > 0 && !state->hist_windows)
        state->hist_windows = worker_alloc(w, b->steps, sizeof *state->hist_windows);
    if (!windows || (col->hist_count > 0 && !state->hist_windows))
        return exec_no_memory(w->x, w->why);
    if (col->hist_count > 0)
        range_windows(r, col->hist_times, col->hist_count, state->hist_windows);
    struct range_call c = {.op = r,
                           .w = w,
                           .col = col,
                           .windows = windows->float_windows,
                           .hist_windows = state->hist_windows,
                           .shared = windows,
                           .metric = labels_name(labels),
                           .steps = b->steps,
                           .b = b,
                           .row = row,
                           .v = batch_v(b, row),
                           .present = batch_present(b, row),
                           .lanes = &state->lanes,
                           .scratch = state->scratch.p};
    range_apply(&c);
    if (c.err == ERR_OK)
        range_suspect(&c, labels);
    uint64_t points = batch_row_points(b, row);
    range_count_points(&c, col, *made, points);
    *made += points;
    return c.err;
}

/* Two series that became equal may not both have points, at whatever time. */
static enum err range_claim(struct range_op *r, struct worker *w, uint32_t row, const uint64_t *present)
{
    if (!r->classes || !bits_any(present, r->base.grid.count))
        return ERR_OK;
    uint32_t nobody = 0;
    return atomic_compare_exchange_strong(&r->taken[r->classes[row]], &nobody, row + 1) ? ERR_OK
                                                                                        : op_same_labelset(w->why);
}

/* The reference seeks to the start of the first window, later only as far back as windows moved on. */
static void drop_buckets(struct range_op *r, struct worker *w, struct samples *samples)
{
    const struct grid *g = &r->base.grid;
    if (!samples->hists)
        return;
    struct stats_step *steps = ARENA_ARRAY(&w->tile, struct stats_step, g->count);
    for (uint32_t i = 0; i < g->count; i++) {
        int64_t range = r->before_ms + r->range_ms + r->after_ms, end = time_sub(range_time(r, i), -r->after_ms);
        int64_t back = i == 0 || g->step_ms > range ? range : g->step_ms;
        steps[i] = (struct stats_step){time_sub(end, back), end};
    }
    stats_only_samples(samples, steps, r->mod->at == AT_TIME ? 1 : g->count, &w->tile);
}

/* What a row costs besides the windows that a function looks at anew for each step. */
static uint64_t row_ns(uint64_t samples, uint32_t steps)
{
    return 300 + samples * 5 + (uint64_t)steps * 20;
}

static enum err selector_rows(struct range_op *r, struct worker *w, struct range_state *state, uint32_t first,
                              struct batch *b)
{
    if (!state->reader)
        state->reader = exec_reader(w->x, r->set);
    uint64_t made = 0;
    bool use_starts = exec_has(w->x, PROMQL_USE_START_TIMESTAMPS);
    for (uint32_t i = 0; i < b->rows; i++) {
        struct samples samples;
        struct column col;
        TRY(state->reader->ops->read(state->reader, first + i, r->mint_ms, r->maxt_ms, &samples, w->why));
        TRY(worker_go_on(w, row_ns(samples.count, b->steps) + (samples.hists ? (uint64_t)samples.count * HIST_NS : 0)));
        if (samples.count == 0)
            continue;
        if (r->matrix->matrix.selector->vector.stats_only)
            drop_buckets(r, w, &samples);
        if (!column_of_samples(&col, &samples, use_starts, w->x, &state->space))
            return exec_no_memory(w->x, w->why);
        TRY(range_row(r, w, state, &col, &r->set->labels[first + i], b, i, &made));
        TRY(range_claim(r, w, first + i, batch_present(b, i)));
    }
    return ERR_OK;
}

/* Rows of a subquery can be long: they are made a few at a time. */
static enum err subquery_rows(struct range_op *r, struct worker *w, struct range_state *state, uint32_t first,
                              struct batch *b)
{
    struct batch *child = &state->child;
    uint32_t rows = batch_rows_for(r->child->grid.count);
    if (!child->v && !batch_init(child, rows, r->child->grid.count, &w->x->budget))
        return exec_no_memory(w->x, w->why);
    uint64_t made = 0;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t at = i % rows;
        if (at == 0) {
            batch_reset(child, b->rows - i < rows ? b->rows - i : rows);
            TRY(op_tile(r->child, w, first + i, child));
        }
        struct column col;
        TRY(worker_go_on(w, row_ns(child->steps, b->steps))); /* a year of seconds is 30 million steps a row */
        if (!column_of_row(&col, child, at, r->child_times, 1, w, &state->space))
            return exec_no_memory(w->x, w->why);
        TRY(range_row(r, w, state, &col, &r->child->labels[first + i], b, i, &made));
        TRY(range_claim(r, w, first + i, batch_present(b, i)));
    }
    return ERR_OK;
}

static enum err range_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct range_op *r = (struct range_op *)op;
    struct range_state *state = range_state_get(r, w);
    return r->child ? subquery_rows(r, w, state, first, b) : selector_rows(r, w, state, first, b);
}

static void range_close(struct oper *op, void *p)
{
    (void)op;
    struct range_state *state = p;
    if (state->reader)
        state->reader->ops->close(state->reader);
    column_space_deinit(&state->space);
    lane_spaces_deinit(&state->lanes);
    batch_deinit(&state->child);
    scratch_free(&state->scratch);
}

static const struct oper_ops range_ops = {.name = "range function",
                                          .role = ROLE_ROWS,
                                          .cost = COST_RANGE,
                                          .prepare = range_prepare,
                                          .tile = range_tile,
                                          .worker_close = range_close};

/* Exact statistics need the samples themselves: gaps do not count. */
bool range_op_census(const struct oper *op, struct selector *sel, struct census_request *request)
{
    const struct range_op *r = (const struct range_op *)op;
    if (op->ops != &range_ops || op->grid.count != 1 || r->child || !r->function ||
        r->function->id != FUNCTION_LAST_OVER_TIME || op->x->exact_stats)
        return false;
    const struct vector_selector_node *vs = &r->matrix->matrix.selector->vector;
    if (vs->anchored || vs->smoothed || vs->stats_only)
        return false;
    *sel = (struct selector){.matchers = vs->matchers,
                             .matcher_count = vs->matcher_count,
                             .mint_ms = r->mint_ms,
                             .maxt_ms = r->maxt_ms,
                             .warnings = &op->x->warnings};
    request->passes_stale = true;
    return true;
}

bool range_op_reading(const struct oper *op, struct reading_op *out)
{
    const struct range_op *r = (const struct range_op *)op;
    if (op->ops != &range_ops || r->child)
        return false;
    *out = (struct reading_op){&r->matrix->matrix.selector->vector, r->mint_ms, r->maxt_ms, false};
    return true;
}

bool range_op_project(struct oper *op, const struct name_list *needed)
{
    struct range_op *r = (struct range_op *)op;
    if (op->ops != &range_ops || r->child)
        return false;
    r->needed = needed;
    return true;
}

static void range_times(struct range_op *r)
{
    struct exec *x = r->base.x;
    if (r->child)
        return;
    const struct vector_selector_node *vs = &r->matrix->matrix.selector->vector;
    r->before_ms = vs->anchored || vs->smoothed ? x->lookback_ms : 0;
    r->after_ms = vs->smoothed ? x->lookback_ms : 0;
    r->mint_ms = time_sub(range_time(r, 0), r->before_ms + r->range_ms - 1);
    r->maxt_ms = time_sub(range_time(r, r->base.grid.count - 1), -r->after_ms);
    selector_clip(vs, &r->mint_ms, &r->maxt_ms);
    exec_needs(x, r->mint_ms, r->maxt_ms);
}

struct oper *range_op_new(struct exec *x, const struct node *call, const struct grid *g, const struct node *matrix,
                          const struct range_function *function, struct oper *child, struct oper *const *params,
                          uint32_t param_count)
{
    assert(param_count <= 2);
    struct range_op *r = op_new(x, sizeof *r, &range_ops, call, g);
    r->function = function;
    r->matrix = matrix;
    r->child = child;
    r->mod = child ? &matrix->subquery.mod : &matrix->matrix.selector->vector.mod;
    r->range_ms = child ? matrix->subquery.range_ms : matrix->matrix.range_ms;
    r->param_count = param_count;
    struct oper *args[3];
    uint32_t count = 0;
    if (child)
        args[count++] = child;
    for (uint32_t i = 0; i < param_count; i++)
        args[count++] = r->params[i] = params[i];
    op_args(&r->base, count, args);
    r->base.over_rows = child != NULL;
    range_times(r);
    return &r->base;
}
