/* exec.c - what every operator uses: memory, cancellation, workers, matrices; the contract is in exec.h. */
#include "promql/exec.h"
#include "promql/explain.h"

#include "base/assert.h"
#include "histogram/histogram.h"
#include "promql/query_internal.h"
#include "promql/select.h"

static uint64_t steps_between(int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    return ((uint64_t)end_ms - (uint64_t)start_ms) / (uint64_t)step_ms + 1;
}

bool grid_fits(int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    return steps_between(start_ms, end_ms, step_ms) <= GRID_STEPS_MAX;
}

struct grid grid_make(int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    assert(step_ms > 0 && start_ms <= end_ms && grid_fits(start_ms, end_ms, step_ms));
    return (struct grid){start_ms, step_ms, end_ms, (uint32_t)steps_between(start_ms, end_ms, step_ms)};
}

enum err exec_open_querier(struct exec *x)
{
    struct storage *s = x->storage;
    if (x->mint_ms > x->maxt_ms)
        return ERR_OK;
    enum err err = s->ops->querier(s, x->mint_ms, x->maxt_ms, &x->querier, x->why);
    return err == ERR_OK ? ERR_OK : err_wrap(x->why, err, "expanding series");
}

void exec_needs(struct exec *x, int64_t mint_ms, int64_t maxt_ms)
{
    if (mint_ms > maxt_ms)
        return;
    x->mint_ms = mint_ms < x->mint_ms ? mint_ms : x->mint_ms;
    x->maxt_ms = maxt_ms > x->maxt_ms ? maxt_ms : x->maxt_ms;
}

enum err exec_check(struct exec *x, struct errmsg *why)
{
    switch (cancel_check(x->cancel)) {
    case ERR_OK:
        return ERR_OK;
    case ERR_TIMEOUT:
        return err_set(why, ERR_TIMEOUT, "query timed out in expression evaluation");
    default:
        return err_set(why, ERR_CANCELED, "query was canceled in expression evaluation");
    }
}

enum err exec_too_many_samples(struct errmsg *why)
{
    return err_set(why, ERR_LIMIT, "query processing would load too many samples into memory in query execution");
}

static void *zeroed(struct arena *arena, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    return arena_try_zalloc(arena, total ? total : 1);
}

void *exec_alloc(struct exec *x, size_t count, size_t bytes)
{
    return zeroed(&x->arena, count, bytes);
}

void *worker_alloc(struct worker *w, size_t count, size_t bytes)
{
    return zeroed(&w->arena, count, bytes);
}

/* The operator that reads the most series, NULL when nothing has been selected. */
static const struct oper *largest_reader(const struct exec *x)
{
    const struct oper *largest = NULL;
    for (uint32_t i = 0; i < x->op_count; i++) {
        const struct oper *op = x->ops[i];
        bool reads = op->cost == COST_SELECT || op->cost == COST_TIMESTAMP || op->cost == COST_SMOOTHED ||
                     (op->cost == COST_RANGE && !op->over_rows);
        if (reads && op->count > (largest ? largest->count : 0))
            largest = op;
    }
    return largest;
}

/* The reference has no such bound: its nearest text, and who it was. */
enum err exec_no_memory(struct exec *x, struct errmsg *why)
{
    enum { SHOWN_MAX = 300 };
    const struct oper *op = largest_reader(x);
    if (!op)
        return exec_too_many_samples(why);
    struct slice text = slice_of(x->query->text.data + op->node->start, op->node->end - op->node->start);
    return err_set(
        why, ERR_LIMIT,
        "query processing would load too many samples into memory in query execution: with %u series in %.*s "
        "it passes the memory of a query (%lld MiB) or of all queries together",
        op->count, (int)(text.len < SHOWN_MAX ? text.len : SHOWN_MAX), (const char *)text.data,
        (long long)(x->budget.limit >> 20));
}

/* ---- Operators ---- */

void *op_new(struct exec *x, size_t bytes, const struct oper_ops *ops, const struct node *node, const struct grid *grid)
{
    struct oper *op = arena_zalloc(&x->arena, bytes);
    op->ops = ops;
    op->x = x;
    op->node = node;
    op->grid = *grid;
    op->id = x->op_count;
    op->scope = x->scope;
    op->cost = ops->cost;
    op->counts_id = op->id;
    op->repeat = x->repeat;
    op->counts_steps = ops->cost == COST_STEPS || ops->cost == COST_INFO || ops->cost == COST_TIMESTAMP;
    op->step_of = x->step_of;
    if (x->op_count == x->op_capacity) {
        x->op_capacity = x->op_capacity ? x->op_capacity * 2 : 32;
        struct oper **more = ARENA_ARRAY(&x->arena, struct oper *, x->op_capacity);
        if (x->op_count)
            memcpy(more, x->ops, x->op_count * sizeof(struct oper *));
        x->ops = more;
    }
    x->ops[x->op_count++] = op;
    return op;
}

void op_args(struct oper *op, uint32_t count, struct oper *const *args)
{
    assert(count <= OP_ARGS_MAX);
    op->arg_count = count;
    for (uint32_t i = 0; i < count; i++)
        op->args[i] = args[i];
    for (uint32_t i = 0; i < count; i++)
        args[i]->counts_steps |= op->cost == COST_STEPS || op->cost == COST_INFO;
}

struct note_place op_place(const struct oper *op)
{
    return op_place_at(op, op->node);
}

struct note_place op_place_at(const struct oper *op, const struct node *node)
{
    return (struct note_place){node->start, op->id};
}

enum err op_prepare(struct oper *op)
{
    struct exec *x = op->x;
    TRY(exec_check(x, x->why));
    if (!x->clock)
        return op->ops->prepare(op);
    struct worker *w = &x->workers[0]; /* preparing is done by the query's thread */
    const struct oper *outer = x->preparing;
    struct profile_frame frame = profile_begin(w);
    x->preparing = op;
    enum err err = op->ops->prepare(op);
    x->preparing = outer;
    profile_end(w, op, frame);
    return err;
}

static enum err tile_profiled(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct profile_frame frame = profile_begin(w);
    enum err err = op->ops->tile(op, w, first, b);
    profile_end(w, op, frame);
    w->profile[op->id].tiles++;
    return err;
}

bool op_skip(struct oper *op, const uint64_t *wanted)
{
    return op->ops->skip && op->ops->skip(op, wanted);
}

bool op_skip_input(struct oper *op, const uint64_t *wanted)
{
    return op_skip(op->args[0], wanted);
}

uint64_t batch_row_points(const struct batch *b, uint32_t row)
{
    const uint64_t *present = batch_present(b, row);
    const struct histogram **h = batch_h(b, row);
    uint64_t points = bits_count(present, b->steps);
    for (uint32_t s = 0; h && s < b->steps; s++)
        if (h[s] && bits_get(present, s))
            points += histogram_points(h[s]) - 1;
    return points;
}

/* One array of counts per step; what memory cannot hold is not counted. */
static uint64_t *counts_get(struct worker *w, const struct oper *op, uint64_t **counts)
{
    if (!*counts && op->grid.count <= STEP_COUNTS_MAX)
        *counts = worker_alloc(w, op->grid.count, sizeof **counts);
    return *counts;
}

static void count_steps(struct oper *op, struct worker *w, const struct batch *b, uint32_t row, struct tally *t)
{
    const uint64_t *present = batch_present(b, row);
    const struct histogram **h = batch_h(b, row);
    struct step_counts *counts = &w->step_counts[op->id];
    if (bits_all(present, b->steps))
        t->full++;
    else if (counts_get(w, op, &counts->cells))
        BITS_EACH(s, present, b->steps)
    counts->cells[s]++;
    if (h && counts_get(w, op, &counts->sizes))
        BITS_EACH(s, present, b->steps)
    counts->sizes[s] += h[s] ? histogram_size(h[s]) / 16 : 0;
}

enum err op_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    assert(first + b->rows <= op->count && b->steps == op->grid.count);
    TRY(w->profile ? tile_profiled(op, w, first, b) : op->ops->tile(op, w, first, b));
    struct tally *t = &w->tallies[op->id];
    for (uint32_t r = 0; r < b->rows; r++) {
        t->points += batch_row_points(b, r);
        if (op->counts_steps)
            count_steps(op, w, b, r, t);
    }
    if (t->peak < t->points)
        t->peak = t->points;
    return ERR_OK;
}

void *worker_state(struct worker *w, const struct oper *op, size_t bytes)
{
    if (!w->states[op->id])
        w->states[op->id] = arena_zalloc(&w->arena, bytes);
    return w->states[op->id];
}

static void worker_init(struct worker *w, struct exec *x)
{
    *w = (struct worker){.x = x, .why = x->why};
    arena_init(&w->arena, &x->budget);
    arena_init(&w->tile, &x->budget);
    w->states = ARENA_ARRAY(&w->arena, void *, x->op_count + 1);
    w->step_counts = ARENA_ARRAY(&w->arena, struct step_counts, x->op_count + 1);
    notes_init(&w->notes, &w->tile);
}

static void worker_deinit(struct worker *w)
{
    struct exec *x = w->x;
    for (uint32_t i = 0; i < x->op_count; i++)
        if (x->ops[i]->ops->worker_close && w->states[i])
            x->ops[i]->ops->worker_close(x->ops[i], w->states[i]);
    arena_deinit(&w->tile);
    arena_deinit(&w->arena);
}

struct series_reader *exec_reader(struct exec *x, struct series_set *set)
{
    mutex_lock(&x->lock);
    struct series_reader *r = set->ops->reader(set);
    mutex_unlock(&x->lock);
    return r;
}

void exec_workers_start(struct exec *x, uint32_t count)
{
    count = count > 0 ? count : 1;
    x->workers = ARENA_ARRAY(&x->arena, struct worker, count);
    for (uint32_t i = 0; i < count; i++)
        worker_init(&x->workers[i], x);
    x->worker_count = count;
}

void exec_workers_stop(struct exec *x)
{
    for (uint32_t i = 0; i < x->worker_count; i++)
        worker_deinit(&x->workers[i]);
    x->worker_count = 0;
}

void tally_add(struct tally *to, const struct tally *rows)
{
    if (to->peak < to->points + rows->peak)
        to->peak = to->points + rows->peak;
    if (to->left_peak < to->left + rows->left_peak)
        to->left_peak = to->left + rows->left_peak;
    to->left += rows->left;
    to->points += rows->points;
    to->full += rows->full;
    to->queryable += rows->queryable;
    to->read += rows->read;
}

const struct histogram *histogram_keep(struct arena *arena, const struct histogram *h)
{
    return histogram_copy(arena, h);
}

/* ---- Matrices ---- */

enum err matrix_init(struct matrix *m, struct exec *x, uint32_t rows, uint32_t steps)
{
    *m = (struct matrix){.rows = rows, .steps = steps, .stride = steps, .words = bits_words(steps)};
    m->v = exec_alloc(x, (size_t)rows * m->stride, sizeof *m->v);
    m->present = exec_alloc(x, (size_t)rows * m->words, sizeof *m->present);
    m->h = exec_alloc(x, rows, sizeof *m->h);
    return m->v && m->present && m->h ? ERR_OK : exec_no_memory(x, x->why);
}

enum err matrix_row_hists(struct matrix *m, struct exec *x, uint32_t row)
{
    if (!m->h[row])
        m->h[row] = exec_alloc(x, m->steps, sizeof **m->h);
    return m->h[row] ? ERR_OK : exec_no_memory(x, x->why);
}

struct matrix_reading {
    struct matrix *m;
    struct exec *x;
};

static enum err keep_hists(struct matrix_reading *r, uint32_t row, const struct histogram *const *h)
{
    TRY(matrix_row_hists(r->m, r->x, row));
    const struct histogram **to = r->m->h[row], *previous = NULL, *copy = NULL;
    BITS_EACH(s, matrix_present(r->m, row), r->m->steps)
    {
        if (h[s] && h[s] != previous)
            copy = histogram_keep(&r->x->arena, h[s]);
        previous = h[s] ? h[s] : previous;
        to[s] = h[s] ? copy : NULL;
    }
    return ERR_OK;
}

static enum err matrix_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct matrix_reading *r = ctx;
    struct matrix *m = r->m;
    for (uint32_t i = 0; i < b->rows; i++) {
        if (!bits_any(batch_present(b, i), m->steps)) /* as it is: rows that were skipped take no memory */
            continue;
        TRY(exec_go_on(r->x, 100 + (uint64_t)m->steps * (b->has_h[i] ? 1000 : 1)));
        memcpy(matrix_v(m, first + i), batch_v(b, i), m->steps * sizeof(double));
        memcpy(matrix_present(m, first + i), batch_present(b, i), m->words * sizeof(uint64_t));
        if (b->has_h[i])
            TRY(keep_hists(r, first + i, batch_h(b, i)));
    }
    return ERR_OK;
}

enum err matrix_read(struct matrix *m, struct oper *op)
{
    TRY(matrix_init(m, op->x, op->count, op->grid.count));
    struct matrix_reading r = {m, op->x};
    return op_stream(op, matrix_visit, &r);
}

void matrix_tile(const struct matrix *m, uint32_t first, struct batch *b)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t row = first + i;
        memcpy(batch_v(b, i), matrix_v(m, row), m->steps * sizeof(double));
        memcpy(batch_present(b, i), matrix_present(m, row), m->words * sizeof(uint64_t));
        if (m->h[row])
            memcpy((void *)batch_need_h(b, i), m->h[row], m->steps * sizeof(**m->h));
    }
}

static enum err scalar_visit(void *ctx, uint32_t first, struct batch *b)
{
    (void)first;
    memcpy(ctx, batch_v(b, 0), b->steps * sizeof(double));
    return ERR_OK;
}

enum err op_scalar(struct oper *op, const double **out)
{
    assert(op->count == 1);
    double *values = exec_alloc(op->x, op->grid.count, sizeof *values);
    if (!values)
        return exec_no_memory(op->x, op->x->why);
    TRY(op_stream(op, scalar_visit, values));
    *out = values;
    return ERR_OK;
}
