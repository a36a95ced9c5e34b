/*
 * stats_only.h - native histograms of which only count and sum are looked at.
 *
 * Prometheus reads such selectors through an iterator that drops the buckets and makes up reset hints
 * by comparing neighbours on the way.  Which neighbours it has seen depends on how it walks, and hints
 * decide warnings and dropped samples; so the walk is performed here in the same way.
 */
#ifndef PROMQL_STATS_ONLY_H
#define PROMQL_STATS_ONLY_H

#include "base/arena.h"
#include "storage/querier.h"

/* How the iterator moves: for each step it wants to be at `to`, and jumps when all it has seen is before `from`. */
struct stats_step {
    int64_t from_ms, to_ms;
};

/* The samples with their histograms replaced; lives in the arena. */
void stats_only_samples(struct samples *s, const struct stats_step *steps, uint32_t step_count, struct arena *arena);

#endif
