/*
 * durations.h - lengths of time: text to nanoseconds and back, and duration expressions.
 *
 * Threads: any.
 */
#ifndef PROMQL_DURATIONS_H
#define PROMQL_DURATIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "promql/ast.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)

/* "1h30m", units falling, integers only; the text of a refusal is Prometheus'. */
MUST_CHECK enum err promql_duration_parse(struct slice text, int64_t *ns, struct errmsg *why);
/* "1h30m"; anything below a millisecond is dropped, years and weeks only when they divide evenly. */
void promql_duration_print(int64_t ns, struct buf *out);

double promql_duration_seconds(int64_t ns);
int64_t promql_duration_from_seconds(double seconds); /* rounded to ns; out of range is INT64_MIN */
bool promql_duration_in_range(double seconds); /* fits 64-bit nanoseconds (the upper bound itself counts as fitting) */

/* The grid that step() and range() ask for. */
struct duration_grid {
    int64_t step_ns, range_ns;
};
/*
 * Evaluates a duration expression to whole milliseconds (in ns), as the engine does before a query runs.
 * ERR_INVALID: "2:8: duration must be greater than 0" - byte offsets, not line and column.
 */
MUST_CHECK enum err promql_duration_evaluate(const struct node *n, const struct duration_grid *grid,
                                             bool may_be_negative, int64_t *ns, struct errmsg *why);

#endif
