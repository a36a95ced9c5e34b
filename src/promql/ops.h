/*
 * ops.h - how operators are made; each lives in a file of its own.
 *
 * Arguments are made first, in the order in which Prometheus evaluates them.
 */
#ifndef PROMQL_OPS_H
#define PROMQL_OPS_H

#include "promql/exec.h"

/* merge.c: one row per label set; the second also removes flagged names. */
struct oper *merge_op_new(struct oper *child);
/* Where the reference merges series, not samples: a float and a histogram may stand at one step. */
struct oper *merge_mixed_op_new(struct oper *child);
struct oper *clean_op_new(struct oper *child);
/* Before prepare: rows of this operator are the query's result (others may be given, too). */
void merge_op_is_result(struct oper *op);
/* After prepare: how many of its last rows are histograms that belong to an earlier row with the same labels. */
uint32_t merge_op_doubles(const struct oper *op);

/* share.c: what a query contains twice is evaluated once; first_id: of the operators made for n. */
bool share_worthwhile(const struct exec *x, const struct node *n);
struct oper *share_op_new(const struct node *n, uint32_t first_id, struct oper *child);

/* scalar.c: one row without labels, present at every step.  Operators on literals are folded while planning. */
struct oper *scalar_negate_fold(const struct node *n, struct oper *op); /* NULL: not a constant */
struct oper *scalar_spread_fold(const struct grid *g, struct oper *op); /* the same at all steps of g */
struct oper *number_op_new(struct exec *x, const struct node *n, const struct grid *g, double v);
struct oper *time_op_new(struct exec *x, const struct node *n, const struct grid *g);
struct oper *now_op_new(struct exec *x, const struct node *n, const struct grid *g);
struct oper *vector_op_new(const struct node *n, struct oper *scalar);                       /* vector(s) */
struct oper *scalar_op_new(const struct node *n, struct oper *vector);                       /* scalar(v) */
struct oper *scalar_binary_op_new(const struct node *n, struct oper *lhs, struct oper *rhs); /* also max_of, min_of */

/* map.c: functions of single values; NULL when the function is not of that kind. */
struct oper *map_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count);
struct oper *negate_op_new(const struct node *n, struct oper *child);

/* scalar_vector.c, match.c, setops.c: binary operators with a vector. */
struct oper *scalar_vector_op_new(const struct node *n, struct oper *lhs, struct oper *rhs);
struct oper *match_op_new(const struct node *n, struct oper *lhs, struct oper *rhs);
struct oper *set_op_new(const struct node *n, struct oper *lhs, struct oper *rhs);

/* invariant.c: one step's answer at all steps of the grid. */
struct oper *invariant_op_new(const struct node *n, const struct grid *g, struct oper *child);

/* aggregate.c, topk.c, limit.c, quantile.c, count_values.c */
struct oper *aggregate_op_new(const struct node *n, struct oper *param, struct oper *child);

/* absent.c */
struct oper *absent_op_new(const struct node *call, struct oper *child);

/* sort.c */
struct oper *sort_op_new(const struct node *call, struct oper *child);

/* relabel.c: label_replace, label_join */
struct oper *relabel_op_new(const struct node *call, struct oper *child);

/* hist_classic.c and hist_native.c: functions of histograms */
struct oper *histogram_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count);

/* info.c: info(v, {selector}); plans its arguments itself. */
MUST_CHECK enum err plan_info(struct exec *x, const struct node *call, const struct grid *g, struct oper **out);

/* merge.c: an operator without rows; one whose rows are looked at and then have nothing. */
struct oper *nothing_op_new(struct oper *child);
struct oper *empty_op_new(struct exec *x, const struct node *n, const struct grid *g, struct oper *const *scalars,
                          uint32_t count);

#endif
