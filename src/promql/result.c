/*
 * result.c - rows of the root operator as the result of a query.
 *
 * A vector keeps the order of evaluation; a matrix is sorted by labels.  NaN gets one bit pattern, so that
 * what rules store does not depend on the processor.
 */
#include "base/assert.h"
#include "model/value.h"
#include "promql/explain.h"
#include "promql/ops.h"
#include "promql/packed.h"
#include "promql/range_extended.h"
#include "promql/run.h"
#include "promql/select.h"
#include "promql/series.h"

struct reading {
    struct run *r;
    struct oper *op;
    uint32_t capacity;
};

double point_canonical(double v)
{
    return isnan(v) ? f64_from_bits(NORMAL_NAN_BITS) : v;
}

static struct result_series *series_add(struct run *r, uint32_t *capacity, const struct labels *labels,
                                        struct point *points, uint32_t count)
{
    struct result *result = &r->result;
    if (result->series_count == *capacity) {
        uint32_t more = *capacity ? *capacity * 2 : 64;
        struct result_series *list = exec_alloc(&r->x, more, sizeof *list);
        if (!list)
            return NULL;
        if (result->series_count)
            memcpy(list, result->series, result->series_count * sizeof *list);
        result->series = list;
        *capacity = more;
    }
    struct result_series *s = &result->series[result->series_count++];
    *s = (struct result_series){*labels, count, points, NULL};
    return s;
}

static enum err row_points(struct run *r, struct oper *op, uint32_t row, struct batch *b, uint32_t i,
                           uint32_t *capacity)
{
    struct exec *x = &r->x;
    const uint64_t *present = batch_present(b, i);
    const double *v = batch_v(b, i);
    const struct histogram **h = batch_h(b, i), *from = NULL, *copy = NULL;
    uint32_t count = bits_count(present, b->steps), n = 0;
    if (count == 0)
        return ERR_OK;
    if (r->packed) {
        const struct packed_points *packed = packed_new(x, &op->grid, b, i, count);
        struct result_series *s = packed ? series_add(r, capacity, &op->labels[row], NULL, count) : NULL;
        if (!s)
            return exec_no_memory(x, x->why);
        s->packed = packed;
        return ERR_OK;
    }
    struct point *points = arena_try_alloc(&x->arena, count * sizeof *points);
    if (!points)
        return exec_no_memory(x, x->why);
    BITS_EACH(s, present, b->steps)
    {
        points[n] = (struct point){.t_ms = grid_time(&op->grid, s)};
        if (h && h[s]) {
            if (h[s] != from)
                copy = histogram_keep(&x->arena, h[s]);
            from = h[s];
            points[n++].h = copy;
        } else {
            points[n++].v = point_canonical(v[s]);
        }
    }
    return series_add(r, capacity, &op->labels[row], points, count) ? ERR_OK : exec_no_memory(x, x->why);
}

static enum err rows_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct reading *reading = ctx;
    for (uint32_t i = 0; i < b->rows; i++) {
        TRY(exec_go_on(&reading->r->x, 200 + (uint64_t)b->steps * (b->has_h[i] ? 1000 : 3)));
        TRY(row_points(reading->r, reading->op, first + i, b, i, &reading->capacity));
    }
    return ERR_OK;
}

/* Puts histograms into the series with the same labels, by time and after the float of their time. */
static enum err points_join(struct exec *x, struct result_series *s, const struct result_series *hists)
{
    uint32_t count = s->point_count + hists->point_count, a = 0, b = 0;
    struct point *points = exec_alloc(x, count, sizeof *points);
    if (!points)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < count; i++) {
        bool old = b == hists->point_count || (a < s->point_count && s->points[a].t_ms <= hists->points[b].t_ms);
        points[i] = old ? s->points[a++] : hists->points[b++];
    }
    s->points = points;
    s->point_count = count;
    return ERR_OK;
}

/* The last series are histograms of earlier ones (merge.c).  A vector shows only the histogram. */
static enum err join_doubles(struct run *r, uint32_t doubles)
{
    struct result *result = &r->result;
    uint64_t first = result->series_count - doubles;
    for (uint64_t i = first; i < result->series_count; i++) {
        uint64_t k = 0;
        while (k < first && !labels_eq(&result->series[k].labels, &result->series[i].labels))
            k++;
        assert(k < first);
        if (result->type == VALUE_VECTOR)
            result->series[k].points = result->series[i].points;
        else
            TRY(points_join(&r->x, &result->series[k], &result->series[i]));
    }
    result->series_count = first;
    return ERR_OK;
}

static enum err read_rows(struct run *r, struct oper *root, enum value_type type)
{
    struct reading reading = {r, root, 0};
    uint32_t doubles = merge_op_doubles(root);
    r->result.type = type;
    r->packed = r->packed && doubles == 0;
    TRY(op_stream(root, rows_visit, &reading));
    return join_doubles(r, doubles);
}

enum err result_read_vector(struct run *r, struct oper *root)
{
    return read_rows(r, root, VALUE_VECTOR);
}

enum err result_read_matrix(struct run *r, struct oper *root)
{
    TRY(read_rows(r, root, VALUE_MATRIX));
    return result_sort(r);
}

enum err result_read_scalar(struct run *r, struct oper *root)
{
    const double *values;
    TRY(op_scalar(root, &values));
    r->result.type = VALUE_SCALAR;
    r->result.scalar_t_ms = r->x.grid.start_ms;
    r->result.scalar = point_canonical(values[0]);
    return ERR_OK;
}

static int compare_series(const void *ctx, uint32_t a, uint32_t b)
{
    const struct result_series *series = ctx;
    return labels_cmp(&series[a].labels, &series[b].labels);
}

/* Puts series[order[i]] at i, following each cycle of the permutation. */
static void series_permute(struct result_series *series, uint32_t *order, uint32_t count)
{
    for (uint32_t start = 0; start < count; start++) {
        struct result_series moved = series[start];
        uint32_t at = start, from;
        while ((from = order[at]) != start) {
            series[at] = series[from];
            order[at] = at;
            at = from;
        }
        series[at] = moved;
        order[at] = at;
    }
}

enum err result_sort(struct run *r)
{
    struct result *result = &r->result;
    struct exec *x = &r->x;
    uint32_t count = (uint32_t)result->series_count;
    bool sorted = true;
    for (uint32_t i = 1; i < count && sorted; i++) {
        sorted = compare_series(result->series, i - 1, i) <= 0;
        TRY(exec_go_on(x, 300));
    }
    if (!sorted) {
        uint32_t *order = exec_alloc(x, count, sizeof *order);
        if (!order)
            return exec_no_memory(x, x->why);
        for (uint32_t i = 0; i < count; i++)
            order[i] = i;
        TRY(rows_sort(x, order, count, compare_series, result->series));
        series_permute(result->series, order, count);
    }
    return exec_check(x, x->why);
}

/* ---- Range vectors ---- */

static enum err sample_points(struct run *r, const struct samples *s, const struct labels *labels, uint32_t *capacity)
{
    struct exec *x = &r->x;
    struct point *points = arena_try_alloc(&x->arena, ((size_t)s->count + 1) * sizeof *points);
    uint32_t n = 0;
    if (!points)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct histogram *h = s->hists ? s->hists[i] : NULL;
        if (value_is_stale(h ? h->sum : s->values[i]))
            continue;
        points[n++] = (struct point){.t_ms = s->times_ms[i],
                                     .v = h ? 0 : point_canonical(s->values[i]),
                                     .h = h ? histogram_keep(&x->arena, h) : NULL};
        r->result.stats.total_queryable_samples += h ? histogram_points(h) : 1;
        r->result.stats.peak_samples += h ? histogram_points(h) : 1;
    }
    if (n == 0)
        return ERR_OK;
    return series_add(r, capacity, labels, points, n) ? ERR_OK : exec_no_memory(x, x->why);
}

/* What to read, and how: a bare range vector, perhaps anchored or smoothed. */
struct bare {
    const struct vector_selector_node *vs;
    int64_t start_ms, end_ms; /* of the range, left-open */
    int64_t mint_ms, maxt_ms; /* to read, inclusive */
    struct column_space space;
};

static enum err extended_points(struct run *r, struct bare *bare, const struct samples *s, const struct labels *labels,
                                uint32_t *capacity)
{
    struct exec *x = &r->x;
    struct column col;
    if (!column_of_samples(&col, s, false, x, &bare->space))
        return exec_no_memory(x, x->why);
    if (col.hist_count > 0)
        return err_set(x->why, ERR_INVALID, "%s modifier is not supported with histograms",
                       bare->vs->smoothed ? "smoothed" : "anchored");
    struct point *points = arena_try_alloc(&x->arena, ((size_t)col.float_count + 2) * sizeof *points);
    if (!points)
        return exec_no_memory(x, x->why);
    r->result.stats.peak_samples += col.float_count;
    uint32_t n = range_extended_points(&col, bare->start_ms, bare->end_ms, bare->vs->smoothed, points);
    r->result.stats.total_queryable_samples += n;
    if (n == 0)
        return ERR_OK;
    return series_add(r, capacity, labels, points, n) ? ERR_OK : exec_no_memory(x, x->why);
}

static enum err read_bare(struct run *r, struct bare *bare, struct series_set *set, struct series_reader *reader)
{
    struct exec *x = &r->x;
    uint32_t capacity = 0;
    bool extended = bare->vs->anchored || bare->vs->smoothed;
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        TRY(reader->ops->read(reader, i, bare->mint_ms, bare->maxt_ms, &samples, x->why));
        TRY(exec_go_on(x, 500 + (uint64_t)samples.count * (samples.hists ? 1000 : 10)));
        TRY(extended ? extended_points(r, bare, &samples, &set->labels[i], &capacity)
                     : sample_points(r, &samples, &set->labels[i], &capacity));
    }
    r->result.stats.samples_read = r->result.stats.total_queryable_samples;
    if (x->step_queryable)
        x->step_queryable[0] = x->step_read[0] = r->result.stats.samples_read;
    return r->result.stats.peak_samples > x->engine->options.samples_max ? exec_too_many_samples(x->why) : ERR_OK;
}

static enum err read_selector(struct run *r, const struct node *matrix, enum plan_look look)
{
    struct exec *x = &r->x;
    struct bare bare = {.vs = &matrix->matrix.selector->vector};
    int64_t before = bare.vs->anchored || bare.vs->smoothed ? x->lookback_ms : 0;
    struct series_set *set;
    bare.end_ms = modifiers_time(&bare.vs->mod, x->grid.start_ms);
    bare.start_ms = time_sub(bare.end_ms, matrix->matrix.range_ms);
    bare.mint_ms = time_sub(bare.start_ms, before - 1);
    bare.maxt_ms = bare.vs->smoothed ? time_sub(bare.end_ms, -x->lookback_ms) : bare.end_ms;
    exec_needs(x, bare.mint_ms, bare.maxt_ms);
    TRY(exec_open_querier(x));
    if (look) {
        struct reading_op reading = {bare.vs, bare.mint_ms, bare.maxt_ms, false};
        TRY(explain_samples(x, matrix, &reading, &r->plan));
        r->result.plan = r->plan;
    }
    if (look == PLAN_EXPLAIN)
        return ERR_OK;
    struct reading_op whole = {bare.vs, bare.mint_ms, bare.maxt_ms, false};
    TRY(exec_select(x, &whole, true, NULL, &set));
    if (set->count == 0)
        return ERR_OK;
    struct series_reader *reader = set->ops->reader(set);
    enum err err = read_bare(r, &bare, set, reader);
    reader->ops->close(reader);
    column_space_deinit(&bare.space);
    return err;
}

static enum err read_subquery(struct run *r, const struct node *matrix, enum plan_look look)
{
    struct exec *x = &r->x;
    struct oper *child;
    TRY(plan_subquery(x, matrix, &x->grid, SCOPE_INVARIANT, &child));
    if (!child)
        return ERR_OK;
    if (exec_delays_names(x))
        child = clean_op_new(child);
    merge_op_is_result(child);
    TRY(exec_open_querier(x));
    exec_workers_start(x, x->engine->options.workers);
    if (look) {
        TRY(explain_plan(x, child, &r->plan));
        r->result.plan = r->plan;
    }
    if (look == PLAN_EXPLAIN)
        return ERR_OK;
    if (look == PLAN_ANALYZE)
        TRY(profile_start(x, r->clock));
    TRY(op_prepare(child));
    TRY(read_rows(r, child, VALUE_MATRIX));
    op_samples(child, &r->result.stats.total_queryable_samples, &r->result.stats.samples_read);
    r->result.stats.peak_samples = (uint64_t)op_cost(child).peak;
    return r->result.stats.peak_samples > x->engine->options.samples_max ? exec_too_many_samples(x->why) : ERR_OK;
}

enum err result_read_samples(struct run *r, const struct node *matrix, enum plan_look look)
{
    while (matrix->kind == NODE_STEP_INVARIANT || matrix->kind == NODE_PAREN)
        matrix = matrix->kind == NODE_PAREN ? matrix->paren.expr : matrix->invariant.expr;
    r->result.type = VALUE_MATRIX;
    TRY(matrix->kind == NODE_SUBQUERY ? read_subquery(r, matrix, look) : read_selector(r, matrix, look));
    return result_sort(r);
}
