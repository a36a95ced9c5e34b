/*
 * aggregate.h - aggregations: rows folded into groups, in the order of rows.
 *
 * sum, avg, min, max, count, group, stddev and stdvar keep a few numbers per group and step and see each
 * row once (fold.c); quantile, topk and bottomk, limitk and limit_ratio, count_values need more and have
 * files of their own.
 */
#ifndef PROMQL_AGGREGATE_H
#define PROMQL_AGGREGATE_H

#include "promql/grouping.h"
#include "promql/ops.h"

struct aggregation {
    struct oper base;
    const struct aggregate_node *node;
    struct oper *param; /* NULL, or a scalar */
    struct oper *child;
    const double *params; /* per step */
    struct groups groups;
};

/* For those that embed it: makes the operator, prepares parameter, child and groups. */
void *aggregate_op_base(size_t bytes, const struct oper_ops *ops, const struct node *n, struct oper *param,
                        struct oper *child);
MUST_CHECK enum err aggregate_op_prepare(struct aggregation *a, const struct slice *extra_name);

/* The least and the largest parameter (NaN when there is one, unless an infinity beats it). */
struct param_range {
    double min, max;
    bool any_nan;
};
struct param_range aggregate_params(const struct aggregation *a);
/* Notes point at the aggregated expression, at the parameter, at the whole. */
struct note_place aggregate_place_expr(const struct aggregation *a);
struct note_place aggregate_place_param(const struct aggregation *a);

struct oper *fold_op_new(const struct node *n, struct oper *child);
struct oper *topk_op_new(const struct node *n, struct oper *param, struct oper *child);
struct oper *limitk_op_new(const struct node *n, struct oper *param, struct oper *child);
struct oper *limit_ratio_op_new(const struct node *n, struct oper *param, struct oper *child);
struct oper *quantile_op_new(const struct node *n, struct oper *param, struct oper *child);
struct oper *count_values_op_new(const struct node *n, struct oper *child);

/*
 * Series with a point at the only step, by group, counted by the storage without label sets or samples; the child
 * is not prepared then.  *out = NULL: the child is not of that kind, or the storage can't.
 */
MUST_CHECK enum err aggregate_census(struct aggregation *a, const struct census_result **out);

/*
 * k of topk, bottomk, limitk per step.  `*nothing`: no step can yield anything.  Errors are those of the
 * parameter, to be told after the child's.
 */
MUST_CHECK enum err aggregate_k(struct aggregation *a, uint32_t **k, bool *nothing);

/* Native histograms in sum and avg; fold_hist.c. */
struct hist_fold;
struct hist_fold *hist_fold_new(struct aggregation *a, bool mean);
/* `row`: of the input.  `after_float`: the group had a float at this step before, which spoils the step anyway. */
MUST_CHECK enum err hist_fold_add(struct hist_fold *f, uint32_t group, uint32_t row, uint32_t step,
                                  const struct histogram *h, bool after_float);
/*
 * The group's histograms per step, NULL when it has none.  `cells` holds the steps with floats; those with
 * histograms are added, those with both or with histograms that don't go together are taken out, with a warning.
 */
MUST_CHECK enum err hist_fold_finish(struct hist_fold *f, uint32_t group, uint64_t *cells,
                                     const struct histogram ***out);

#endif
