/*
 * series.h - label sets of operators: dropping the metric's name, finding equal ones.
 *
 * "Metadata labels" are __name__, __type__ and __unit__: what describes the metric, not the series.
 */
#ifndef PROMQL_SERIES_H
#define PROMQL_SERIES_H

#include "promql/exec.h"

bool label_is_metadata(struct slice name);
/* Labels without the metadata labels; shares the list when they lead it. */
struct labels labels_drop_metadata(const struct labels *l, struct arena *arena);
bool labels_have_metadata(const struct labels *l, bool besides_name);

/*
 * Numbers equal label sets: class[i] of row i, classes in order of first appearance.  `*out` is NULL
 * when all differ.
 */
MUST_CHECK enum err series_classes(struct exec *x, const struct labels *labels, uint32_t count, uint32_t **out,
                                   uint32_t *class_count);

/*
 * Sorts numbers of rows, stably: compare(ctx, a, b) is that of qsort for rows a and b.  By merging, so that it can be
 * stopped.
 */
typedef int (*row_compare)(const void *ctx, uint32_t a, uint32_t b);
MUST_CHECK enum err rows_sort(struct exec *x, uint32_t *rows, uint32_t count, row_compare compare, const void *ctx);

/* Takes over the rows of an input as they are. */
void op_series_same(struct oper *op, const struct oper *from);
/*
 * Rows of an operator that changes values: the name goes - at once, or flagged when names are removed
 * at the end.
 */
MUST_CHECK enum err op_series_renamed(struct oper *op, const struct oper *from);

/* "{a="b", c="d"}": all labels in braces, as error texts show them. */
void labels_text(const struct labels *l, struct buf *out);

enum err op_same_labelset(struct errmsg *why); /* "vector cannot contain metrics with the same labelset" */

#endif
