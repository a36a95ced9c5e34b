/*
 * batch.h - a tile of rows: one series each, all steps of a grid.
 *
 * A cell is absent (its bit in `present` is 0, its value undefined), a float, or a native histogram (bit 1
 * and h[cell] set).  Rows without histograms have has_h false, and h must not be looked at.  An instant
 * query has one step; its rows lie densely.
 *
 * Ownership: the batch owns its arrays (charged to a budget); histograms belong to whoever made them and
 *            live until the tile has been consumed.
 * Threads:   one at a time.
 */
#ifndef PROMQL_BATCH_H
#define PROMQL_BATCH_H

#include "base/mem.h"
#include "model/histogram.h"
#include "promql/bits.h"

struct batch {
    uint32_t rows, steps;
    uint32_t stride, words; /* doubles and mask words from row to row */
    uint32_t capacity;      /* rows that fit */
    double *v;
    uint64_t *present;
    bool *has_h;
    const struct histogram **h; /* NULL until some row has histograms */
    struct mem_budget *budget;
    size_t bytes;
};

/* Rows that make a tile of comfortable size (fits the L2 cache) for this many steps. */
uint32_t batch_rows_for(uint32_t steps);
/* False when the budget does not allow it. */
bool batch_init(struct batch *b, uint32_t capacity, uint32_t steps, struct mem_budget *budget);
void batch_deinit(struct batch *b);
void batch_reset(struct batch *b, uint32_t rows); /* all absent */

static inline double *batch_v(const struct batch *b, uint32_t row)
{
    return b->v + (size_t)row * b->stride;
}

static inline uint64_t *batch_present(const struct batch *b, uint32_t row)
{
    return b->present + (size_t)row * b->words;
}

/* NULL when the row has floats only. */
static inline const struct histogram **batch_h(const struct batch *b, uint32_t row)
{
    return b->has_h[row] ? b->h + (size_t)row * b->stride : NULL;
}

/* Makes the row able to hold histograms, NULL in all cells at first.  Never fails: charged, not asked. */
const struct histogram **batch_need_h(struct batch *b, uint32_t row);

static inline void batch_put(struct batch *b, uint32_t row, uint32_t step, double v)
{
    batch_v(b, row)[step] = v;
    bits_set(batch_present(b, row), step);
}

/* Some rows of a batch as a batch of their own; lives as long as the whole and is not deinited. */
struct batch batch_part(struct batch *b, uint32_t first, uint32_t rows);
/* Makes histogram cells absent: what float functions do with them. */
void batch_drop_h(struct batch *b);

#endif
