/*
 * ops.h - how operators are made; each lives in a file of its own.
 *
 * Arguments are made first, in the order in which Prometheus evaluates them.
 */
#ifndef PROMQL_OPS_H
#define PROMQL_OPS_H

#include "promql/exec.h"

/* merge.c: one row per label set; the second also removes flagged names. */
struct operator *merge_op_new(struct operator *child);
struct operator *clean_op_new(struct operator *child);

/* scalar.c: one row without labels, present at every step. */
struct operator *number_op_new(struct exec *x, const struct node *n, const struct grid *g, double v);
struct operator *time_op_new(struct exec *x, const struct node *n, const struct grid *g);
struct operator *scalar_op_new(const struct node *n, struct operator *vector);                     /* scalar(v) */
struct operator *scalar_binary_op_new(const struct node *n, struct operator *lhs, struct operator *rhs); /* also max_of, min_of */

/* map.c: functions of single values; NULL when the function is not of that kind. */
struct operator *map_op_new(const struct node *call, struct operator *const *args, uint32_t arg_count);
struct operator *negate_op_new(const struct node *n, struct operator *child);

/* scalar_vector.c, match.c, setops.c: binary operators with a vector. */
struct operator *scalar_vector_op_new(const struct node *n, struct operator *lhs, struct operator *rhs);
struct operator *match_op_new(const struct node *n, struct operator *lhs, struct operator *rhs);
struct operator *set_op_new(const struct node *n, struct operator *lhs, struct operator *rhs);

/* invariant.c: one step's answer at all steps of the grid. */
struct operator *invariant_op_new(const struct node *n, const struct grid *g, struct operator *child);

/* aggregate.c, topk.c, limit.c, quantile.c, count_values.c */
struct operator *aggregate_op_new(const struct node *n, struct operator *param, struct operator *child);

/* absent.c */
struct operator *absent_op_new(const struct node *call, struct operator *child);

/* sort.c */
struct operator *sort_op_new(const struct node *call, struct operator *child);

/* relabel.c: label_replace, label_join */
struct operator *relabel_op_new(const struct node *call, struct operator *child);

/* hist_classic.c and hist_native.c: functions of histograms */
struct operator *histogram_op_new(const struct node *call, struct operator *const *args, uint32_t arg_count);

/* info.c: info(v, {selector}); plans its arguments itself. */
MUST_CHECK enum err plan_info(struct exec *x, const struct node *call, const struct grid *g, struct operator **out);

/* merge.c: an operator without rows. */
struct operator *empty_op_new(struct exec *x, const struct node *n, const struct grid *g);

#endif
