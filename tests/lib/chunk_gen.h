/*
 * chunk_gen.h - made-up sample values of every kind that codecs meet, from a seed.
 */
#ifndef TESTS_LIB_CHUNK_GEN_H
#define TESTS_LIB_CHUNK_GEN_H

#include <stdint.h>

#include "base/arena.h"
#include "model/histogram.h"

enum { CHUNK_GEN_KINDS = 16 };

/* xorshift64*; state must not be 0. */
uint64_t chunk_gen_next(uint64_t *state);
/* kind % CHUNK_GEN_KINDS chooses counters, gauges, decimals, float sums, noise, random bits ...; one value in
 * `special_every` (0 = none) is replaced by NaNs with payloads, infinities, -0, denormals, 2^53+1 ... */
void chunk_gen_values(uint64_t *state, uint32_t kind, uint32_t special_every, uint32_t count, double *out);
/* Times with jitter up to 2^jitter_bits - 1 ms, strictly increasing. */
void chunk_gen_times(uint64_t *state, int64_t start_ms, int64_t step_ms, unsigned jitter_bits, uint32_t count,
                     int64_t *out);
/* A counter histogram that grows by some observations per sample; buckets appear on the way; hints and schema vary
 * with the state only at the start.  The pointers live in the arena. */
void chunk_gen_hists(uint64_t *state, uint32_t count, struct arena *arena, const struct histogram **out);

#endif
