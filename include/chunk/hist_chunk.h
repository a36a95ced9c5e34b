/*
 * hist_chunk.h - native histogram samples of one series as columns.
 *
 * Schema, zero threshold and custom bounds are written once, span lists once per distinct list; count,
 * zero count, sum and every bucket are columns over time, each a chunk of values.  A sample keeps its
 * own spans and reset hint, so what is read equals what was written, empty buckets included.
 * Layout: docs/formats/chunk.md.
 *
 * Ownership: decoded histograms point into the arena.
 * Threads:   any.
 */
#ifndef CHUNK_HIST_CHUNK_H
#define CHUNK_HIST_CHUNK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"

enum {
    HIST_CHUNK_SAMPLES_MAX = 1024,
    HIST_CHUNK_LAYOUTS_MAX = 64,      /* distinct span lists */
    HIST_CHUNK_BUCKETS_MAX = 1 << 14, /* of one histogram and side; Prometheus' own limit is far below */
    HIST_CHUNK_VALUES_MAX = 1 << 18,  /* buckets of all histograms together: bounds what decoding takes */
};

/*
 * How many of the histograms, from the first on, belong into one chunk: same schema, zero threshold and
 * bounds, within the limits above.  0: the first one is past the limits itself or contradicts itself
 * (span lengths against bucket counts) and cannot be stored.
 */
uint32_t hist_chunk_fit(const struct histogram *const *hists, uint32_t count);
/* Appends a chunk of `count` histograms that fit; returns enum chunk_flags (a stale marker is a stale sum). */
uint32_t hist_chunk_encode(const struct histogram *const *hists, uint32_t count, struct buf *out);
/* out[count] point into the arena; ERR_LIMIT when the arena's budget ends. */
MUST_CHECK enum err hist_chunk_decode(struct slice chunk, uint32_t count, struct arena *arena,
                                      const struct histogram **out);

#endif
