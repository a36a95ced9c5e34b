/*
 * merge_querier.h - several queriers as one: the head and the blocks that a range touches.
 *
 * Sources are given in rising precedence: where two have a sample of one series at one time, the later
 * source wins.  Samples are read from all sources of a series and merged; when the sources do not overlap
 * they are put one after the other, and a series of a single source is passed through untouched.
 *
 * Ownership: merge_querier_new takes the sources and closes them, then calls release.
 * Threads:   as storage/querier.h.
 */
#ifndef TSDB_MERGE_QUERIER_H
#define TSDB_MERGE_QUERIER_H

#include <stdatomic.h>

#include "storage/querier.h"

struct merge_source {
    struct querier *querier;
    int64_t maxt_ms; /* no sample of it is newer */
};

struct merge_options {
    int64_t mint_ms, maxt_ms; /* inclusive; older samples do not exist for anyone (retention) */
    const struct merge_source *sources;
    uint32_t source_count;
    const char *const *problems; /* texts that every select adds to its warnings; live until release */
    uint32_t problem_count;
    _Atomic uint64_t *times_ids; /* counter that makes ids of merged time columns; shared by all queriers */
    void (*release)(void *ctx);  /* after the sources are closed; may be NULL */
    void *release_ctx;
};
struct querier *merge_querier_new(const struct merge_options *o);

#endif
