/*
 * scratch.h - memory that a worker uses again for each series, as large as the longest one needs.
 *
 * Ownership: the worker's state; charged to the query's budget.  Contents are lost when it grows.
 * Threads:   one at a time.
 */
#ifndef PROMQL_SCRATCH_H
#define PROMQL_SCRATCH_H

#include "base/err.h"
#include "base/mem.h"

struct scratch {
    void *p; /* [bytes] */
    size_t bytes;
    struct mem_budget *budget; /* since it has bytes */
};
/* Room for count elements; false when the budget or memory ends: it is empty then. */
MUST_CHECK bool scratch_need(struct scratch *s, struct mem_budget *budget, size_t count, size_t bytes_each);
void scratch_free(struct scratch *s);

#endif
