/*
 * select.h - selectors: which series, and their samples on the grid.
 */
#ifndef PROMQL_SELECT_H
#define PROMQL_SELECT_H

#include "promql/exec.h"

/* One selection of series, shared by all selectors with the same matchers and times. */
struct selection {
    struct selection *next;
    const struct vector_selector_node *node;
    int64_t mint_ms, maxt_ms;
    bool sorted, projected;
    struct series_set *set;
};
/* What a selector reads of each series. */
struct reading_op {
    const struct vector_selector_node *selector;
    int64_t mint_ms, maxt_ms;
    bool newest_only; /* one sample of each */
};
/*
 * Asks the storage; errors read "expanding series: ...".  `needed`: labels that are looked at, NULL for all; their sets
 * may hold no others, see storage/querier.h.
 */
MUST_CHECK enum err exec_select(struct exec *x, const struct reading_op *reading, bool sorted,
                                const struct name_list *needed, struct series_set **out);
/* Whether all series that match have one and the same name. */
bool selector_has_one_name(const struct vector_selector_node *node);

/* The time that a selector or subquery looks at for a step: its @, or the step, minus its offset. */
static inline int64_t modifiers_time(const struct modifiers *mod, int64_t step_ms)
{
    return time_sub(mod->at == AT_TIME ? mod->at_ms : step_ms, mod->offset_ms);
}

/* What an instant selector yields of the sample it finds; SELECT_TIME: milliseconds of floats, and histograms. */
enum select_yield { SELECT_VALUE, SELECT_TIMESTAMP, SELECT_START_TIMESTAMP, SELECT_TIME };
/* Of a subquery, with what it is moved by; its first step, when that of the steps around it is outer_ms. */
static inline int64_t subquery_time(const struct subquery_node *s, int64_t step_ms)
{
    return time_sub(modifiers_time(&s->mod, step_ms), -s->shift_ms);
}
int64_t subquery_start(const struct subquery_node *s, int64_t outer_ms);
/* Narrows what would be read to what the selector may see. */
void selector_clip(const struct vector_selector_node *vs, int64_t *mint_ms, int64_t *maxt_ms);
struct oper *select_op_new(struct exec *x, const struct node *node, const struct node *selector, const struct grid *g,
                           enum select_yield yield);
/*
 * What count() of this operator asks the storage; false: it is no plain selector of one step.  `sel` is filled in
 * for the request.
 */
bool select_op_census(const struct oper *op, struct selector *sel, struct census_request *request);
/* What an operator reads of each series; false: it reads none. */
bool select_op_reading(const struct oper *op, struct reading_op *out);
/* Leaves out what a reading range moved into the past by the offset would not have. */
void select_op_shift(struct oper *op, int64_t offset_ms);
/* The order of rows does not matter to whoever reads them. */
void select_op_unsorted(struct oper *op);
/* Whoever reads the rows looks at these labels only, and at their hashes. */
void select_op_project(struct oper *op, const struct name_list *needed);
/* After prepare: only these rows, in this order, from now on. */
MUST_CHECK enum err select_op_choose(struct oper *op, const uint32_t *rows, uint32_t count);
bool op_is_select(const struct oper *op);

/* A histogram in points, as samples are counted. */
uint64_t histogram_size(const struct histogram *h); /* bytes, as the reference has them */
uint64_t histogram_points(const struct histogram *h);

#endif
