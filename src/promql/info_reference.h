/*
 * info_reference.h - at which time info() looks at the info series: that of its argument's selectors.
 *
 * Offset and @ of a selector and of the subqueries around it add up to one reference time; only when
 * all selectors of the argument agree does info() follow it, else it takes the evaluation time.
 */
#ifndef PROMQL_INFO_REFERENCE_H
#define PROMQL_INFO_REFERENCE_H

#include "promql/ast.h"

struct info_reference {
    bool uniform;  /* else the rest is zero: the evaluation time itself */
    bool fixed;    /* at_ms is the reference, not the evaluation time */
    int64_t at_ms; /* before the offset */
    int64_t offset_ns;
};

/* `n`: first argument of info(), in a resolved tree (or one that is being resolved, below wrapped already). */
struct info_reference info_reference_of(const struct node *n);

#endif
