/*
 * compact_plan.h - which blocks to merge next; a pure function, so that it can be tested by tables.
 *
 * Ranges grow: 2 h, 12 h, ... up to the largest that is wanted.  All blocks inside one aligned window of
 * a range, once everything of that window is flushed, become one block, if that is worth the writing.
 *
 * Threads: plain values.
 */
#ifndef TSDB_COMPACT_PLAN_H
#define TSDB_COMPACT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { COMPACT_RANGES_MAX = 8, COMPACT_BLOCKS_MAX = 256 };

struct compact_block {
    int64_t mint_ms, maxt_ms; /* inclusive */
    uint64_t seq_max, bytes;
    bool stuck; /* cannot be merged (damage): stays as it is */
};

struct compact_ranges {
    uint32_t count;
    int64_t ms[COMPACT_RANGES_MAX]; /* each a multiple of the one before */
    uint64_t bytes_max;             /* of the blocks of one merge together; 0 = no bound */
};
/* base x 1, x 6, then multiples of that up to max_ms. */
struct compact_ranges compact_ranges_of(int64_t base_ms, int64_t max_ms);

struct compact_plan {
    uint32_t count, range;               /* blocks picked; index of the range */
    uint32_t picked[COMPACT_BLOCKS_MAX]; /* indexes into blocks, rising */
};
/* complete_ms: samples before it are flushed.  False: nothing is worth merging. */
bool compact_plan_next(const struct compact_block *blocks, uint32_t count, const struct compact_ranges *ranges,
                       int64_t complete_ms, struct compact_plan *out);

#endif
