/*
 * prom_chunk.h - chunks as Prometheus has them: what remote read sends and its blocks hold.
 *
 * Two encodings: XOR (float samples) and float histograms.  A chunk is self-contained: number of
 * samples, timestamps, values.  Bit layout: docs/formats/prometheus-chunk.md.
 *
 *     prom_chunk_floats(times_ms, values, n, &out);
 *     uint32_t n = prom_chunk_fit(hists, count);             // how many fit into one chunk
 *     prom_chunk_histograms(times_ms, hists, n, &out);
 *
 * What a reader of the chunk gets: bit for bit the same samples.  Reset hints follow Prometheus: the
 * first histogram of a chunk keeps YES and GAUGE, later ones are NO or GAUGE; fit() ends a chunk where
 * that would change what is known.  A stale marker keeps only its sum.
 *
 * Ownership: appends to `out`.
 * Threads:   any.
 */
#ifndef CHUNK_PROM_CHUNK_H
#define CHUNK_PROM_CHUNK_H

#include "base/buf.h"
#include "model/histogram.h"

enum { PROM_CHUNK_SAMPLES_MAX = 120 }; /* where Prometheus cuts */
enum prom_chunk_encoding { PROM_CHUNK_XOR = 1, PROM_CHUNK_FLOAT_HISTOGRAM = 3 };

/* Times strictly increasing; 1 <= count <= 65535. */
void prom_chunk_floats(const int64_t *times_ms, const double *values, uint32_t count, struct buf *out);

/* How many of the histograms, from the first on, go into one chunk: 1 .. PROM_CHUNK_SAMPLES_MAX. */
uint32_t prom_chunk_fit(const struct histogram *const *hists, uint32_t count);
/* 1 <= count <= prom_chunk_fit(hists, count). */
void prom_chunk_histograms(const int64_t *times_ms, const struct histogram *const *hists, uint32_t count,
                           struct buf *out);

#endif
