/*
 * grouping.h - which group of an aggregation a series belongs to.
 */
#ifndef PROMQL_GROUPING_H
#define PROMQL_GROUPING_H

#include "promql/exec.h"

/*
 * Names, sorted, no duplicates.  Label sets of one metric look alike, so a name is first looked for where it
 * was last time; not for use by several threads at once.
 */
struct name_set {
    uint32_t count;
    struct slice *names;
    uint32_t *hints; /* [count]: where in a label set the name was, or would have been */
};
struct name_set name_set_make(struct arena *arena, const struct name_list *list, const struct slice *extra);
bool name_set_has(const struct name_set *set, struct slice name);
/* The sum of the hashes of the pairs whose names are in the set; `labels` are sorted like it. */
struct hash128 name_set_hash(const struct name_set *set, const struct labels *labels);
struct labels name_set_keep(const struct name_set *set, const struct labels *labels, struct arena *arena);
struct labels name_set_drop(const struct name_set *set, const struct labels *labels, struct arena *arena);

/* `by` or `without`; the latter always leaves out the metric's name, too. */
struct grouping {
    bool without;
    struct name_set names;
};
struct grouping grouping_make(struct arena *arena, const struct aggregate_node *n, const struct slice *extra);
struct hash128 grouping_hash(const struct grouping *g, const struct labels *labels);
struct labels grouping_labels(const struct grouping *g, const struct labels *labels, struct arena *arena);

/* Groups of an operator's rows, numbered by first appearance. */
struct groups {
    uint32_t count;
    uint32_t *of_row;      /* NULL: all rows in group 0 */
    struct labels *labels; /* [count], of the first row */
};
MUST_CHECK enum err groups_make(struct groups *out, struct oper *child, const struct grouping *g);
static inline uint32_t groups_of(const struct groups *g, uint32_t row)
{
    return g->of_row ? g->of_row[row] : 0;
}
/* The rows of each group in order: rows[start[g]] .. rows[start[g + 1] - 1]. */
MUST_CHECK enum err groups_lists(const struct groups *g, struct exec *x, uint32_t row_count, uint32_t **start,
                                 uint32_t **rows);

#endif
