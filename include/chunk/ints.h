/*
 * ints.h - a stream of 64-bit integers as few bytes: the coder under chunks, times and block indexes.
 *
 * Chooses between constant delta, frame of reference, delta and delta of delta, takes out a common
 * divisor, and packs bits in sub-blocks of 256 values with patches for the outliers (PFOR).
 * All arithmetic wraps, so any int64 sequence round-trips.  Layout: docs/formats/chunk.md.
 *
 * Threads: any.
 */
#ifndef CHUNK_INTS_H
#define CHUNK_INTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum { INTS_COUNT_MAX = 4096 };

/* Appends the stream; 1 <= count <= INTS_COUNT_MAX. */
void ints_encode(const int64_t *values, uint32_t count, struct buf *out);
/* Reads exactly count values from the start of `in`; *used is how many bytes they took. */
MUST_CHECK enum err ints_decode(struct slice in, uint32_t count, int64_t *out, size_t *used);

#endif
