/*
 * fold.c - sum, avg, min, max, count, group, stddev, stdvar: a few numbers per group and step.
 *
 * Rows come in order, and every step of a group sees its values in that order: compensated sums and
 * Welford's recurrence depend on it.  Rows without gaps, nearly all, go through vector kernels whose lanes
 * are steps, and are counted once for all their steps.
 *
 *   sum           a = running sum        b = compensation
 *   avg           a = sum or mean        b = compensation      (mean once the sum would overflow)
 *   stddev/var    a = mean               b = sum of squares    n = values seen
 *   min, max      a = extreme so far, NaN at first
 */
#include "base/assert.h"
#include "promql/aggregate.h"

enum { SEGMENT = 64, RUN_MIN = 4 };

struct fold_op;

struct fold_kind {
    enum aggregate_op op;
    uint8_t arrays;                                                           /* a, b, n: how many are in use */
    bool floats_only;                                                         /* histograms are ignored, with an info */
    void (*dense)(struct fold_op *f, size_t at, const double *x, uint32_t n); /* cells at, at + 1 ... */
    void (*one)(struct fold_op *f, size_t at, double x);
    double (*result)(const struct fold_op *f, size_t at, double count);
};

struct fold_op {
    struct aggregation agg;
    const struct fold_kind *kind;
    uint32_t steps, words;
    double *a, *b, *n;                  /* [groups * steps] each, or NULL */
    bool *incremental;                  /* [groups * steps] of avg; NULL until a sum overflows */
    uint32_t *counts;                   /* [groups * steps]: values of rows with gaps; NULL until there is one */
    uint32_t *full;                     /* [groups]: rows without gaps */
    uint64_t *seen;                     /* [groups * words]: cells with floats (and histograms where they count) */
    bool *met, *drop_name;              /* [groups] */
    uint32_t *order, ordered;           /* groups by their first row that has points */
    struct hist_fold *hists;            /* of sum and avg; NULL until a histogram arrives */
    const struct histogram ***result_h; /* [ordered] */
    struct labels *result_labels;
    bool *result_drops;
    enum err err;
};

/* ---- Kinds ---- */

static void sum_dense(struct fold_op *f, size_t at, const double *x, uint32_t n)
{
    f->agg.base.x->kernels->sum(f->a + at, f->b + at, x, n);
}

static void sum_one(struct fold_op *f, size_t at, double x)
{
    kernel_inc(x, &f->a[at], &f->b[at]);
}

static double sum_result(const struct fold_op *f, size_t at, double count)
{
    (void)count;
    return f->a[at] + f->b[at];
}

/* Values of the cell so far. */
static double cell_count(const struct fold_op *f, size_t at)
{
    return (double)f->full[at / f->steps] + (f->counts ? (double)f->counts[at] : 0);
}

static bool avg_goes_incremental(struct fold_op *f)
{
    if (!f->incremental)
        f->incremental = exec_alloc(f->agg.base.x, (size_t)f->agg.groups.count * f->steps, sizeof *f->incremental);
    if (!f->incremental)
        f->err = exec_no_memory(f->agg.base.x, f->agg.base.x->why);
    return f->incremental;
}

static void avg_one(struct fold_op *f, size_t at, double x)
{
    double n = cell_count(f, at) + 1;
    if (n == 1) {
        f->a[at] = x;
        return;
    }
    if (!f->incremental || !f->incremental[at]) {
        double s = f->a[at], c = f->b[at];
        kernel_inc(x, &s, &c);
        if (!isinf(s)) {
            f->a[at] = s;
            f->b[at] = c;
            return;
        }
        if (!avg_goes_incremental(f))
            return;
        f->incremental[at] = true;
        f->a[at] /= n - 1;
        f->b[at] /= n - 1;
    }
    double q = (n - 1) / n;
    f->a[at] *= q;
    f->b[at] *= q;
    kernel_inc(x / n, &f->a[at], &f->b[at]);
}

/* Whether some of the cells have become means: one infinite value must not slow down all other groups. */
static bool any_incremental(const struct fold_op *f, size_t at, uint32_t n)
{
    return f->incremental && memchr(f->incremental + at, 1, n);
}

/* Sums first; the few cells that overflow are done again, one by one. */
static void avg_dense(struct fold_op *f, size_t at, const double *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += SEGMENT) {
        uint32_t len = n - i < SEGMENT ? n - i : SEGMENT;
        double a[SEGMENT], b[SEGMENT];
        memcpy(a, f->a + at + i, len * sizeof *a);
        memcpy(b, f->b + at + i, len * sizeof *b);
        if (!any_incremental(f, at + i, len) && !f->agg.base.x->kernels->sum(f->a + at + i, f->b + at + i, x + i, len))
            continue;
        memcpy(f->a + at + i, a, len * sizeof *a);
        memcpy(f->b + at + i, b, len * sizeof *b);
        for (uint32_t k = 0; k < len; k++)
            avg_one(f, at + i + k, x[i + k]);
    }
}

static double avg_result(const struct fold_op *f, size_t at, double count)
{
    if (f->incremental && f->incremental[at])
        return f->a[at] + f->b[at];
    return f->a[at] / count + f->b[at] / count;
}

static void variance_dense(struct fold_op *f, size_t at, const double *x, uint32_t n)
{
    f->agg.base.x->kernels->welford(f->n + at, f->a + at, f->b + at, x, n);
}

static void variance_one(struct fold_op *f, size_t at, double x)
{
    double d = x - f->a[at];
    f->n[at]++;
    f->a[at] += d / f->n[at];
    f->b[at] += d * (x - f->a[at]);
}

static double stdvar_result(const struct fold_op *f, size_t at, double count)
{
    (void)count;
    return f->b[at] / f->n[at];
}

static double stddev_result(const struct fold_op *f, size_t at, double count)
{
    return sqrt(stdvar_result(f, at, count));
}

static void min_dense(struct fold_op *f, size_t at, const double *x, uint32_t n)
{
    f->agg.base.x->kernels->min(f->a + at, x, n);
}

static void min_one(struct fold_op *f, size_t at, double x)
{
    if (f->a[at] > x || isnan(f->a[at]))
        f->a[at] = x;
}

static void max_dense(struct fold_op *f, size_t at, const double *x, uint32_t n)
{
    f->agg.base.x->kernels->max(f->a + at, x, n);
}

static void max_one(struct fold_op *f, size_t at, double x)
{
    if (f->a[at] < x || isnan(f->a[at]))
        f->a[at] = x;
}

static double extreme_result(const struct fold_op *f, size_t at, double count)
{
    (void)count;
    return f->a[at];
}

static double count_result(const struct fold_op *f, size_t at, double count)
{
    (void)f;
    (void)at;
    return count;
}

static double group_result(const struct fold_op *f, size_t at, double count)
{
    (void)f;
    (void)at;
    (void)count;
    return 1;
}

static const struct fold_kind kinds[] = {
    {AGGREGATE_SUM, 2, false, sum_dense, sum_one, sum_result},
    {AGGREGATE_AVG, 2, false, avg_dense, avg_one, avg_result},
    {AGGREGATE_STDVAR, 3, true, variance_dense, variance_one, stdvar_result},
    {AGGREGATE_STDDEV, 3, true, variance_dense, variance_one, stddev_result},
    {AGGREGATE_MIN, 1, true, min_dense, min_one, extreme_result},
    {AGGREGATE_MAX, 1, true, max_dense, max_one, extreme_result},
    {AGGREGATE_COUNT, 0, false, NULL, NULL, count_result},
    {AGGREGATE_GROUP, 0, false, NULL, NULL, group_result},
};

/* ---- Folding a row ---- */

static enum err fold_alloc(struct fold_op *f)
{
    struct exec *x = f->agg.base.x;
    size_t groups = f->agg.groups.count, cells = groups * f->steps;
    f->a = f->kind->arrays > 0 ? exec_alloc(x, cells, sizeof *f->a) : NULL;
    f->b = f->kind->arrays > 1 ? exec_alloc(x, cells, sizeof *f->b) : NULL;
    f->n = f->kind->arrays > 2 ? exec_alloc(x, cells, sizeof *f->n) : NULL;
    f->full = exec_alloc(x, groups, sizeof *f->full);
    f->seen = exec_alloc(x, groups * f->words, sizeof *f->seen);
    f->met = exec_alloc(x, groups, sizeof *f->met);
    f->drop_name = exec_alloc(x, groups, sizeof *f->drop_name);
    f->order = exec_alloc(x, groups, sizeof *f->order);
    if ((f->kind->arrays > 0 && !f->a) || (f->kind->arrays > 1 && !f->b) || (f->kind->arrays > 2 && !f->n) ||
        !f->full || !f->seen || !f->met || !f->drop_name || !f->order)
        return exec_no_memory(x, x->why);
    for (size_t i = 0; f->kind->arrays == 1 && i < cells; i++) {
        f->a[i] = NAN;
        if (i % 65536 == 65535)
            TRY(exec_go_on(x, 65536));
    }
    return ERR_OK;
}

static enum err need_counts(struct fold_op *f)
{
    struct exec *x = f->agg.base.x;
    if (!f->counts)
        f->counts = exec_alloc(x, (size_t)f->agg.groups.count * f->steps, sizeof *f->counts);
    return f->counts ? ERR_OK : exec_no_memory(x, x->why);
}

static enum err fold_sparse(struct fold_op *f, uint32_t group, const double *v, const uint64_t *present)
{
    TRY(need_counts(f));
    size_t at = (size_t)group * f->steps;
    for (uint32_t lo = bits_next(present, 0, f->steps), hi; lo < f->steps; lo = bits_next(present, hi, f->steps)) {
        hi = bits_next_clear(present, lo, f->steps);
        if (f->kind->dense && hi - lo >= RUN_MIN)
            f->kind->dense(f, at + lo, v + lo, hi - lo);
        for (uint32_t s = lo; s < hi; s++) {
            if (f->kind->one && hi - lo < RUN_MIN)
                f->kind->one(f, at + s, v[s]);
            f->counts[at + s]++;
        }
    }
    return f->err;
}

static void note_ignored(struct fold_op *f)
{
    notes_info(&f->agg.base.x->notes, aggregate_place_expr(&f->agg), "ignored histogram in %s aggregation",
               aggregate_op_text(f->kind->op));
}

/* Takes the histograms out of a row: counted, ignored, or added to the group's. */
static enum err fold_hists(struct fold_op *f, uint32_t group, uint32_t row, const struct histogram *const *h,
                           uint64_t *present)
{
    if (!f->kind->one) /* count, group: like any sample */
        return ERR_OK;
    if (!f->kind->floats_only && !f->hists)
        f->hists = hist_fold_new(&f->agg, f->kind->op == AGGREGATE_AVG);
    BITS_EACH(s, present, f->steps)
    {
        if (!h[s])
            continue;
        bits_clear(present, s);
        if (f->kind->floats_only)
            note_ignored(f);
        else
            TRY(hist_fold_add(f->hists, group, row, s, h[s], bits_get(f->seen + (size_t)group * f->words, s)));
    }
    return ERR_OK;
}

static enum err fold_row(struct fold_op *f, uint32_t row, struct batch *b, uint32_t i)
{
    uint64_t *present = batch_present(b, i);
    if (!bits_any(present, f->steps))
        return ERR_OK;
    uint32_t group = groups_of(&f->agg.groups, row);
    f->drop_name[group] |= op_drops_name(f->agg.child, row);
    if (!f->met[group]) {
        f->met[group] = true;
        f->order[f->ordered++] = group;
    }
    if (b->has_h[i])
        TRY(fold_hists(f, group, row, batch_h(b, i), present));
    uint64_t *seen = f->seen + (size_t)group * f->words;
    if (!bits_all(present, f->steps)) {
        TRY(fold_sparse(f, group, batch_v(b, i), present));
    } else {
        if (f->kind->dense)
            f->kind->dense(f, (size_t)group * f->steps, batch_v(b, i), f->steps);
        f->full[group]++;
    }
    for (uint32_t w = 0; w < f->words; w++)
        seen[w] |= present[w];
    return f->err;
}

static enum err fold_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct fold_op *f = ctx;
    for (uint32_t i = 0; i < b->rows; i++) {
        TRY(fold_row(f, first + i, b, i));
        TRY(exec_go_on(f->agg.base.x, 20 + (uint64_t)b->steps * (b->has_h[i] ? 500 : 1)));
    }
    return ERR_OK;
}

/* ---- Results ---- */

/* Results take the place of the sums, or of the counts' own array. */
static enum err finish_group(struct fold_op *f, uint32_t position)
{
    uint32_t group = f->order[position];
    size_t at = (size_t)group * f->steps;
    uint64_t *seen = f->seen + (size_t)group * f->words;
    BITS_EACH(s, seen, f->steps)
    f->a[at + s] = f->kind->result(f, at + s, cell_count(f, at + s));
    if (f->hists)
        return hist_fold_finish(f->hists, group, seen, &f->result_h[position]);
    return ERR_OK;
}

static enum err finish(struct fold_op *f)
{
    struct exec *x = f->agg.base.x;
    uint32_t groups = f->agg.groups.count;
    if (!f->a)
        f->a = exec_alloc(x, (size_t)groups * f->steps, sizeof *f->a);
    f->result_labels = exec_alloc(x, f->ordered, sizeof *f->result_labels);
    f->result_drops = exec_alloc(x, f->ordered, sizeof *f->result_drops);
    f->result_h = f->hists ? exec_alloc(x, f->ordered, sizeof *f->result_h) : NULL;
    if (!f->a || !f->result_labels || !f->result_drops || (f->hists && !f->result_h))
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < f->ordered; i++) {
        TRY(exec_go_on(x, 50 + (uint64_t)f->steps * (f->hists ? 500 : 2)));
        TRY(finish_group(f, i));
        f->result_labels[i] = f->agg.groups.labels[f->order[i]];
        f->result_drops[i] = f->drop_name[f->order[i]];
    }
    return ERR_OK;
}

/* Groups as a census counted them: of one step, each with series that have a point. */
static enum err fold_counted(struct fold_op *f, const struct census_result *counted)
{
    struct exec *x = f->agg.base.x;
    struct groups *groups = &f->agg.groups;
    groups->count = counted->group_count;
    groups->labels = exec_alloc(x, groups->count, sizeof *groups->labels);
    if (!groups->labels)
        return exec_no_memory(x, x->why);
    TRY(fold_alloc(f));
    for (uint32_t i = 0; i < groups->count; i++) {
        TRY(exec_go_on(x, 20));
        groups->labels[i] = counted->groups[i].labels;
        f->full[i] = (uint32_t)counted->groups[i].series;
        bits_set(&f->seen[i], 0);
        f->order[f->ordered++] = i;
    }
    return ERR_OK;
}

static enum err fold_rows(struct fold_op *f)
{
    TRY(aggregate_op_prepare(&f->agg, NULL));
    TRY(fold_alloc(f));
    return op_stream(f->agg.child, fold_visit, f);
}

static enum err fold_prepare(struct oper *op)
{
    struct fold_op *f = (struct fold_op *)op;
    const struct census_result *counted = NULL;
    f->steps = op->grid.count;
    f->words = bits_words(f->steps);
    if (!f->kind->one) /* count, group */
        TRY(aggregate_census(&f->agg, &counted));
    TRY(counted ? fold_counted(f, counted) : fold_rows(f));
    TRY(finish(f));
    op->count = f->ordered;
    op->labels = f->result_labels;
    op->drop_name = f->result_drops;
    return ERR_OK;
}

static enum err fold_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    struct fold_op *f = (struct fold_op *)op;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t group = f->order[first + i];
        memcpy(batch_v(b, i), f->a + (size_t)group * f->steps, f->steps * sizeof(double));
        memcpy(batch_present(b, i), f->seen + (size_t)group * f->words, f->words * sizeof(uint64_t));
        if (f->result_h && f->result_h[first + i])
            memcpy((void *)batch_need_h(b, i), f->result_h[first + i], f->steps * sizeof(struct histogram *));
    }
    return ERR_OK;
}

static const struct oper_ops fold_ops = {
    .name = "aggregate", .role = ROLE_GROUPS, .cost = COST_AGGREGATE, .prepare = fold_prepare, .tile = fold_tile};

struct oper *fold_op_new(const struct node *n, struct oper *child)
{
    struct fold_op *f = aggregate_op_base(sizeof *f, &fold_ops, n, NULL, child);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].op == n->aggregate.op)
            f->kind = &kinds[i];
    assert(f->kind);
    return &f->agg.base;
}
