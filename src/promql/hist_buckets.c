/*
 * hist_buckets.c - histogram_quantile, histogram_quantiles, histogram_fraction.
 *
 * Series with the same labels but le are the buckets of one classic histogram; their bounds do not
 * change, so they are sorted once and each step only collects the counts that are there.  A native
 * histogram with the labels of a classic one makes both of them unusable at that step.
 */
#include "histogram/histogram.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"
#include "promql/hist.h"
#include "promql/series.h"

enum { HIST_NS = 500, /* a quantile of a native histogram, more or less */ ANSWERS_MAX = 32768 };

struct bucket {
    double bound;
    uint32_t row;
};

/* A classic histogram: its buckets' rows by bound, and its labels without le. */
struct classic_group {
    uint32_t count, first; /* in `buckets` */
    struct labels labels;
    bool drop_name;
    uint32_t out; /* row of the result + 1 */
};

/* A quantile or fraction of a classic histogram at a step. */
struct answer {
    double v;
    bool present;
    struct classic_repair repair;
};

struct bucket_op {
    struct oper base;
    struct oper *vector;
    const struct node *vector_node;
    uint32_t param_count;
    const double *params[10];
    const struct node *param_nodes[10];
    bool fraction;
    const struct slice *label; /* histogram_quantiles: gets the quantile */

    struct matrix in;
    struct bucket *buckets;
    struct classic_group *groups;
    uint32_t group_count;
    struct hash_map by_signature;
    bool *bad_bound;   /* [rows] */
    uint64_t *spoiled; /* [groups * words]: a native histogram with the same labels */
    uint32_t words;
    uint32_t most;          /* buckets of a group */
    struct answer *answers; /* [ANSWERS_MAX or a group's steps], of some groups */
    uint32_t answers_first; /* group */
    uint32_t answers_param;
    struct rowset rows;
    struct notes repairs;      /* until their figures are complete */
    struct note_repair repair; /* of repaired_metric; not told yet, as texts cost more than quantiles */
    struct slice repaired_metric;
    bool repaired;
};

/* ---- Labels ---- */

static const struct slice le = {(const uint8_t *)"le", 2};

static struct slice note_metric(const struct bucket_op *op, const struct labels *l)
{
    return exec_delays_names(op->base.x) ? labels_name(l) : (struct slice){0};
}

static const char *for_metric(const struct bucket_op *op, const struct labels *l)
{
    struct notes *n = &op->base.x->notes;
    struct slice metric = note_metric(op, l);
    return metric.len ? arena_printf(n->arena, " for metric name %s", notes_quote(n, metric)) : "";
}

static int compare_bounds(const void *ctx, uint32_t a, uint32_t b)
{
    const double *bounds = ctx;
    if (bounds[a] != bounds[b])
        return bounds[a] < bounds[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Which histogram each row is a bucket of; rows without a proper bound are none of it. */
static enum err find_groups(struct bucket_op *op, uint32_t *group_of, double *bounds)
{
    struct exec *x = op->base.x;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < op->in.rows; i++) {
        const struct labels *l = &op->vector->labels[i];
        const struct label *pair = labels_find(l, le);
        TRY(exec_go_on(x, 300));
        op->bad_bound[i] = goparse_float(pair ? pair->value : (struct slice){0}, &bounds[i], NULL) != ERR_OK;
        if (op->bad_bound[i])
            continue;
        TRY(hash_map_put(&op->by_signature, hash128_sub(l->hash, pair->hash), op->group_count, &group_of[i]));
        if (group_of[i] == op->group_count) {
            if (op->group_count == capacity) {
                capacity = capacity ? capacity * 2 : 16;
                struct classic_group *more = exec_alloc(x, capacity, sizeof *more);
                if (!more)
                    return exec_no_memory(x, x->why);
                if (op->group_count)
                    memcpy(more, op->groups, op->group_count * sizeof *more);
                op->groups = more;
            }
            op->groups[op->group_count++] =
                (struct classic_group){.labels = *l, .drop_name = op_drops_name(op->vector, i)};
        }
        op->groups[group_of[i]].count++;
    }
    return ERR_OK;
}

static enum err sort_buckets(struct bucket_op *op, const uint32_t *group_of, const double *bounds)
{
    struct exec *x = op->base.x;
    uint32_t at = 0, most = 0, *rows = exec_alloc(x, op->in.rows, sizeof *rows);
    if (!rows)
        return exec_no_memory(x, x->why);
    for (uint32_t g = 0; g < op->group_count; g++) {
        op->groups[g].first = at;
        at += op->groups[g].count;
        most = op->groups[g].count > most ? op->groups[g].count : most;
        op->groups[g].count = 0;
    }
    for (uint32_t i = 0; i < op->in.rows; i++) {
        if (op->bad_bound[i])
            continue;
        struct classic_group *g = &op->groups[group_of[i]];
        rows[g->first + g->count++] = i;
    }
    for (uint32_t g = 0; g < op->group_count; g++)
        TRY(rows_sort(x, rows + op->groups[g].first, op->groups[g].count, compare_bounds, bounds));
    for (uint32_t i = 0; i < at; i++)
        op->buckets[i] = (struct bucket){bounds[rows[i]], rows[i]};
    op->most = most;
    return exec_go_on(x, (uint64_t)at * 20);
}

static enum err group_rows(struct bucket_op *op)
{
    struct exec *x = op->base.x;
    uint32_t rows = op->in.rows;
    uint32_t *group_of = exec_alloc(x, rows, sizeof *group_of);
    double *bounds = exec_alloc(x, rows, sizeof *bounds);
    op->bad_bound = exec_alloc(x, rows, sizeof *op->bad_bound);
    op->buckets = exec_alloc(x, rows, sizeof *op->buckets);
    if (!group_of || !bounds || !op->bad_bound || !op->buckets)
        return exec_no_memory(x, x->why);
    TRY(hash_map_init(&op->by_signature, x, 64));
    TRY(find_groups(op, group_of, bounds));
    TRY(sort_buckets(op, group_of, bounds));
    op->spoiled = exec_alloc(x, (size_t)op->group_count * op->words, sizeof *op->spoiled);
    return op->spoiled ? ERR_OK : exec_no_memory(x, x->why);
}

/* ---- Results ---- */

/* The row for a result: labels without le (and, unless names go last, without the metric's). */
static enum err result_row(struct bucket_op *op, const struct labels *from, bool drop_le, double phi, uint32_t *out)
{
    struct exec *x = op->base.x;
    struct labels named = exec_delays_names(x) ? *from : labels_drop_metadata(from, &x->arena);
    struct labels_builder b;
    labels_builder_init(&b, &x->arena, &named);
    if (drop_le)
        labels_builder_del(&b, le);
    if (op->label) {
        char text[GOFORMAT_BYTES_MAX];
        labels_builder_set(&b, *op->label, slice_of(text, goformat_openmetrics(text, phi == 0 ? 0 : phi))); /* -0 is "0.0", too */
    }
    struct labels labels = labels_builder_finish(&b);
    if (exec_delays_names(x) && grid_is_instant(&op->base.grid)) /* equal labels are not looked for before the end */
        return rowset_append(&op->rows, &labels, true, out);
    return rowset_row(&op->rows, &labels, true, out);
}

static enum err put(struct bucket_op *op, uint32_t row, uint32_t step, double v)
{
    if (rowset_has(&op->rows, row, step))
        return op_same_labelset(op->base.x->why);
    rowset_put(&op->rows, row, step, v);
    return ERR_OK;
}

static double native_result(struct bucket_op *op, const struct histogram *h, uint32_t param, uint32_t step,
                            const struct labels *l)
{
    struct notes *n = &op->base.x->notes;
    struct note_place at = op_place_at(&op->base, op->vector_node);
    unsigned notes = 0;
    double v = op->fraction ? histogram_fraction(op->params[0][step], op->params[1][step], h, &notes)
                            : histogram_quantile(op->params[param][step], h, &notes);
    if (notes & HISTOGRAM_QUANTILE_NAN)
        notes_info(n, at, "input to histogram_quantile has NaN observations, result is NaN%s", for_metric(op, l));
    if (notes & HISTOGRAM_QUANTILE_SKEWED)
        notes_info(n, at, "input to histogram_quantile has NaN observations, result is skewed higher%s",
                   for_metric(op, l));
    if (notes & HISTOGRAM_FRACTION_NANS)
        notes_info(n, at, "input to histogram_fraction has NaN observations, which are excluded from all fractions%s",
                   for_metric(op, l));
    return v;
}

/* The group a native histogram's labels collide with, if that has buckets at this step. */
static bool collides(struct bucket_op *op, const struct labels *l, uint32_t step)
{
    uint32_t group;
    if (!hash_map_get(&op->by_signature, l->hash, &group))
        return false;
    const struct classic_group *g = &op->groups[group];
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        uint32_t row = op->buckets[i].row;
        bool hist = op->in.h[row] && op->in.h[row][step];
        if (bits_get(matrix_present(&op->in, row), step) && !hist) {
            bits_set(op->spoiled + (size_t)group * op->words, step);
            return true;
        }
    }
    return false;
}

static enum err native_row(struct bucket_op *op, uint32_t row, uint32_t param)
{
    const struct labels *l = &op->vector->labels[row];
    struct exec *x = op->base.x;
    uint32_t out = UINT32_MAX;
    double phi = NAN;
    for (uint32_t s = 0; op->in.h[row] && s < op->in.steps; s++) {
        const struct histogram *h = op->in.h[row][s];
        if (!h || !bits_get(matrix_present(&op->in, row), s))
            continue;
        TRY(exec_go_on(x, HIST_NS));
        if (collides(op, l, s)) {
            notes_warn(&x->notes, op_place_at(&op->base, op->vector_node),
                       "vector contains a mix of classic and native histograms%s", for_metric(op, l));
            continue;
        }
        if (out == UINT32_MAX || (op->label && f64_bits(op->params[param][s]) != f64_bits(phi))) {
            phi = op->params[param][s];
            TRY(result_row(op, l, false, phi, &out));
        }
        TRY(put(op, out, s, native_result(op, h, param, s, l)));
    }
    return ERR_OK;
}

/* The counts that are there at a step; false when there are none. */
static bool gather(const struct bucket_op *op, const struct classic_group *g, uint32_t step, struct classic *h)
{
    h->count = 0;
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        uint32_t row = op->buckets[i].row;
        if (!bits_get(matrix_present(&op->in, row), step) || (op->in.h[row] && op->in.h[row][step]))
            continue;
        h->bounds[h->count] = op->buckets[i].bound;
        h->counts[h->count++] = matrix_v(&op->in, row)[step];
    }
    return h->count > 0;
}

/*
 * How often the reference counts a repair: it adds what it has to itself at every step after the one that brought
 * the first, where it only does for what came later.  In 64 bits, which long ranges overflow.
 */
static uint64_t repeats(uint32_t steps_left)
{
    return steps_left < 64 ? UINT64_C(1) << steps_left : 0;
}

static void tell_pending(struct bucket_op *op)
{
    if (op->repaired)
        notes_repair(&op->repairs, op_place_at(&op->base, op->vector_node), op->repaired_metric, &op->repair);
    op->repaired = false;
}

static void note_repaired(struct bucket_op *op, struct slice metric, const struct note_repair *repair)
{
    if (op->repaired && slice_eq(op->repaired_metric, metric)) {
        note_repair_combine(&op->repair, repair);
        return;
    }
    tell_pending(op);
    op->repair = *repair;
    op->repaired_metric = metric;
    op->repaired = true;
}

static void tell_repairs(struct bucket_op *op)
{
    tell_pending(op);
    const struct grid *g = &op->base.grid;
    for (uint32_t i = 0; i < op->repairs.count; i++) {
        struct note *note = &op->repairs.list[i];
        struct note_repair *r = note->repair;
        uint32_t step = g->step_ms ? (uint32_t)((r->time_min_ms - g->start_ms) / g->step_ms) : 0;
        r->count -= r->first * repeats(g->count - 1 - step);
        note->tellings[0].repairs = r->count; /* all of them are told at the same place */
    }
    notes_merge(&op->base.x->notes, &op->repairs);
}

static double classic_result(const struct bucket_op *op, struct classic *h, uint32_t param, uint32_t step,
                             struct classic_repair *repair)
{
    if (op->fraction)
        return classic_fraction(op->params[0][step], op->params[1][step], h);
    /* The reference mends the buckets in place, once for each quantile: later ones find them mended. */
    for (uint32_t earlier = 0; earlier < param; earlier++) {
        struct classic again = *h;
        classic_quantile(op->params[earlier][step], &again, repair);
    }
    return classic_quantile(op->params[param][step], h, repair);
}

/* All steps of one of the groups in hand; any worker. */
static enum err classic_answers(void *ctx, struct worker *w, uint32_t item)
{
    struct bucket_op *op = ctx;
    uint32_t group = op->answers_first + item, steps = op->in.steps;
    const struct classic_group *g = &op->groups[group];
    const uint64_t *spoiled = op->spoiled + (size_t)group * op->words;
    struct answer *answers = op->answers + (size_t)item * steps;
    struct classic *space = worker_state(w, &op->base, sizeof *space), h;
    if (!space->bounds) {
        space->bounds = worker_alloc(w, op->most, sizeof *space->bounds);
        space->counts = worker_alloc(w, op->most, sizeof *space->counts);
    }
    if (!space->bounds || !space->counts)
        return exec_no_memory(w->x, w->why);
    for (uint32_t s = 0; s < steps; s++) {
        TRY(worker_go_on(w, 100 + (uint64_t)g->count * 40 * (op->answers_param + 1)));
        h = *space;
        answers[s] = (struct answer){.present = !bits_get(spoiled, s) && gather(op, g, s, &h)};
        if (answers[s].present)
            answers[s].v = classic_result(op, &h, op->answers_param, s, &answers[s].repair);
    }
    return ERR_OK;
}

static void tell_repair(struct bucket_op *op, const struct classic_repair *repair, uint32_t step,
                        const struct labels *l)
{
    int64_t t = grid_time(&op->base.grid, step);
    uint64_t count = repeats(op->base.grid.count - step);
    struct note_repair note = {repair->bound_min, repair->bound_max, repair->diff_max, t, t, count, 1};
    note_repaired(op, note_metric(op, l), &note);
}

static enum err classic_row(struct bucket_op *op, uint32_t group)
{
    const struct classic_group *g = &op->groups[group];
    const struct answer *answers = op->answers + (size_t)(group - op->answers_first) * op->in.steps;
    uint32_t out = UINT32_MAX, param = op->answers_param;
    double phi = NAN;
    for (uint32_t s = 0; s < op->in.steps; s++) {
        TRY(exec_go_on(op->base.x, 20));
        if (!answers[s].present)
            continue;
        if (out == UINT32_MAX || (op->label && f64_bits(op->params[param][s]) != f64_bits(phi))) {
            phi = op->params[param][s];
            TRY(result_row(op, &g->labels, true, phi, &out));
        }
        if (answers[s].repair.forced)
            tell_repair(op, &answers[s].repair, s, &g->labels);
        TRY(put(op, out, s, answers[s].v));
    }
    return ERR_OK;
}

/* Quantiles are computed side by side, some groups at a time; rows, notes and errors come of them in order. */
static enum err classic_rows(struct bucket_op *op, uint32_t param)
{
    struct exec *x = op->base.x;
    uint32_t steps = op->in.steps, groups = steps < ANSWERS_MAX ? ANSWERS_MAX / steps : 1;
    groups = groups < op->group_count ? groups : op->group_count;
    if (!op->answers && !(op->answers = exec_alloc(x, (size_t)groups * steps, sizeof *op->answers)))
        return exec_no_memory(x, x->why);
    op->answers_param = param;
    for (uint32_t first = 0; first < op->group_count; first += groups) {
        uint32_t count = op->group_count - first < groups ? op->group_count - first : groups;
        op->answers_first = first;
        TRY(exec_parallel(x, count, (uint64_t)count * steps * op->most * 20, classic_answers, op));
        for (uint32_t g = first; g < first + count; g++) {
            TRY(exec_go_on(x, 500));
            TRY(classic_row(op, g));
        }
    }
    return ERR_OK;
}

static void bad_bounds(struct bucket_op *op, uint32_t row)
{
    struct notes *n = &op->base.x->notes;
    const struct labels *l = &op->vector->labels[row];
    const uint64_t *present = matrix_present(&op->in, row);
    BITS_EACH(s, present, op->in.steps)
    {
        if (op->in.h[row] && op->in.h[row][s])
            continue;
        notes_warn(n, op_place_at(&op->base, op->vector_node),
                   "bucket label \"le\" is missing or has a malformed value of %s%s", notes_quote(n, labels_get(l, le)),
                   for_metric(op, l));
        return;
    }
}

static void check_quantiles(struct bucket_op *op)
{
    struct notes *n = &op->base.x->notes;
    for (uint32_t p = 0; p < op->param_count && !op->fraction; p++)
        for (uint32_t s = 0; s < op->base.grid.count; s++) {
            double phi = op->params[p][s];
            if (isnan(phi) || phi < 0 || phi > 1)
                notes_warn(n, op_place_at(&op->base, op->param_nodes[p]),
                           "quantile value should be between 0 and 1, got %s", notes_number(n, phi));
        }
}

static enum err bucket_results(struct bucket_op *op)
{
    check_quantiles(op);
    for (uint32_t row = 0; row < op->in.rows; row++) {
        TRY(exec_go_on(op->base.x, op->bad_bound[row] ? 1000 : 2));
        if (op->bad_bound[row])
            bad_bounds(op, row);
    }
    uint32_t rounds = op->fraction ? 1 : op->param_count;
    for (uint32_t p = 0; p < rounds; p++) {
        for (uint32_t row = 0; row < op->in.rows; row++) {
            TRY(exec_go_on(op->base.x, 2));
            TRY(native_row(op, row, p));
        }
        TRY(classic_rows(op, p));
    }
    return ERR_OK;
}

/* ---- The operator ---- */

static enum err bucket_args(struct bucket_op *op)
{
    uint32_t p = 0;
    for (uint32_t i = 0; i < op->base.arg_count; i++) {
        struct oper *arg = op->base.args[i];
        TRY(op_prepare(arg));
        if (arg == op->vector)
            TRY(matrix_read(&op->in, arg));
        else
            TRY(op_scalar(arg, &op->params[p++]));
    }
    return ERR_OK;
}

static enum err bucket_prepare(struct oper *base)
{
    struct bucket_op *op = (struct bucket_op *)base;
    op->words = bits_words(base->grid.count);
    TRY(bucket_args(op));
    TRY(group_rows(op));
    TRY(rowset_init(&op->rows, base->x, base->grid.count));
    notes_init(&op->repairs, &base->x->arena);
    TRY(bucket_results(op));
    tell_repairs(op);
    op_series_rowset(base, &op->rows);
    return ERR_OK;
}

static enum err bucket_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct bucket_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops bucket_ops = {.name = "histogram buckets",
                                           .role = ROLE_KEEPS,
                                           .cost = COST_STEPS,
                                           .prepare = bucket_prepare,
                                           .tile = bucket_tile};

struct oper *bucket_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count)
{
    struct bucket_op *op = op_new(args[0]->x, sizeof *op, &bucket_ops, call, &args[0]->grid);
    op->fraction = call->call.function->id == FUNCTION_HISTOGRAM_FRACTION;
    op_args(&op->base, arg_count, args);
    for (uint32_t i = 0, arg = 0; i < call->call.arg_count; i++) {
        const struct node *n = call->call.args[i];
        if (n->type == VALUE_STRING) {
            op->label = &n->string.value;
        } else if (n->type == VALUE_VECTOR) {
            op->vector = args[arg++];
            op->vector_node = n;
        } else {
            op->param_nodes[op->param_count++] = n;
            arg++;
        }
    }
    return &op->base;
}
