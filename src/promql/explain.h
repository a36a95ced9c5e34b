/*
 * explain.h - the plan of a query with what is expected of each operator, and what each took.
 */
#ifndef PROMQL_EXPLAIN_H
#define PROMQL_EXPLAIN_H

#include "promql/exec.h"

/* Before anything runs; the querier is open.  What it selects is selected for the query, too. */
MUST_CHECK enum err explain_plan(struct exec *x, const struct oper *root, struct query_plan **out);
/* The same for a range vector by itself, which has no operators. */
struct reading_op;
MUST_CHECK enum err explain_samples(struct exec *x, const struct node *matrix, const struct reading_op *reading,
                                    struct query_plan **out);

/*
 * Times: each worker books what an operator took without what it asked of others.  Time in which the query's thread
 * waits for its helpers belongs to whoever reads.
 */
MUST_CHECK enum err profile_start(struct exec *x, struct clock *clock);
struct profile_frame {
    int64_t began_ns, inner_ns;
};
struct profile_frame profile_begin(struct worker *w);
void profile_end(struct worker *w, const struct oper *op, struct profile_frame frame);
/* Puts times and counts into the plan; workers are still there. */
void profile_finish(const struct exec *x, struct query_plan *plan);

#endif
