/*
 * binop.h - binary operators on single values and on rows.
 */
#ifndef PROMQL_BINOP_H
#define PROMQL_BINOP_H

#include "promql/exec.h"

/* Two floats: arithmetic; a comparison yields 1 or 0. */
double binop_scalars(enum op op, double a, double b);
/* Whether a comparison of floats holds. */
bool binop_compare(enum op op, double a, double b);

static inline bool op_is_arithmetic(enum op op)
{
    return op <= OP_ATAN2;
}
static inline bool op_is_trim(enum op op)
{
    return op == OP_TRIM_UPPER || op == OP_TRIM_LOWER;
}
/* Whether the result's values are new ones, so that the metric's name goes. */
static inline bool op_renames(enum op op, bool return_bool)
{
    return op_is_arithmetic(op) || return_bool;
}

/*
 * out[i] = a[i] op b[i] for a row of floats.  A filter clears `present` where it does not hold and
 * takes `kept` as values (which may be out already).  out may be a or b.  Stops when the query is over.
 */
MUST_CHECK enum err binop_row(struct worker *w, enum op op, bool return_bool, double *out, uint64_t *present,
                              const double *a, const double *b, const double *kept, uint32_t steps);

/* One value, float or histogram. */
struct cell {
    double v;
    const struct histogram *h;
};
struct cell_result {
    struct cell cell;
    bool keep;        /* a comparison holds; always true for arithmetic */
    bool none;        /* the types do not go together: no result at all */
    bool warning;     /* the note is a warning, else an info */
    const char *note; /* NULL, or a text; in the arena */
};
/* Any two values; what it makes lives in `arena`. */
struct cell_result binop_cells(struct arena *arena, enum op op, struct cell a, struct cell b);

#endif
