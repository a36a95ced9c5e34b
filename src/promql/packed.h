/*
 * packed.h - the points of one row of a range query, a third as large: values where the row has any, and which
 * steps those are; times follow from the grid.
 *
 * Ownership: in the arena of the query.
 * Threads:   immutable once made.
 */
#ifndef PROMQL_PACKED_H
#define PROMQL_PACKED_H

#include "promql/batch.h"
#include "promql/exec.h"

struct packed_points {
    struct grid grid;
    uint32_t steps;
    const uint64_t *present;              /* one bit a step; NULL: all are there */
    const double *v;                      /* [points] */
    const struct histogram *const *hists; /* [points], NULL = float; NULL: all are floats */
};
/* Row i of a tile with `count` points; NULL: the memory of the query is spent. */
struct packed_points *packed_new(struct exec *x, const struct grid *grid, struct batch *b, uint32_t i, uint32_t count);

double point_canonical(double v); /* NaN in one bit pattern (result.c) */

#endif
