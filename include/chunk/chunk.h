/*
 * chunk.h - the samples of one series as few bytes: float values and timestamps.
 *
 * A chunk is only the payload: the number of samples, the column of timestamps and the flags live in
 * whatever contains it (head series, block index), so that equal payloads are equal bytes and series
 * of the same scrape share one timestamp column.  Every 64-bit pattern comes back bit for bit.
 * Layout: docs/formats/chunk.md.
 *
 *     struct chunk_hint hint = {0};                        // one per series, kept from chunk to chunk
 *     uint32_t flags = chunk_encode_values(values, n, &hint, &payload);
 *     err = chunk_decode_values(buf_view(&payload), n, out);
 *
 * Decoders are written for hostile bytes: they read nothing outside the slice, write exactly `count`
 * elements, and refuse (ERR_CORRUPT) what no encoder writes.  On refusal the output is undefined.
 *
 * Ownership: encoders append to `out`; nothing is kept.  Needs up to 100 KiB of stack.
 * Threads:   any.  The first call looks at the CPU once (same results on every CPU).
 */
#ifndef CHUNK_CHUNK_H
#define CHUNK_CHUNK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    CHUNK_SAMPLES_MAX = 4096,  /* what the codec takes; blocks cut at 1,024 */
    CHUNK_SAMPLES_GOOD = 1024, /* where longer chunks stop paying */
};

/* Facts about a chunk that a query can use without decoding it. */
enum chunk_flags {
    CHUNK_CONSTANT = 1,  /* all values have the same bits */
    CHUNK_HAS_STALE = 2, /* at least one stale marker */
};

/* What worked for the last chunk of the series; zero is a valid start, any content is safe. */
struct chunk_hint {
    uint8_t mode, exponent;
};

/* Appends the chunk; 1 <= count <= CHUNK_SAMPLES_MAX.  hint may be NULL.  Returns enum chunk_flags. */
uint32_t chunk_encode_values(const double *values, uint32_t count, struct chunk_hint *hint, struct buf *out);
MUST_CHECK enum err chunk_decode_values(struct slice chunk, uint32_t count, double *out);
/* The value of a constant chunk without decoding; false when it is not constant (or damaged). */
bool chunk_constant(struct slice chunk, double *out);
/* How many bytes at the start of `in` are a constant chunk; 0 when they are none. */
size_t chunk_constant_bytes(struct slice in);
/* "div e=2 delta", for dumps; a static text or written to `text`. */
const char *chunk_describe(struct slice chunk, char text[64]);

/* Times in ms, strictly increasing; about 0.3 bytes each for a scrape with jitter, a few bytes in all without. */
void times_encode(const int64_t *times_ms, uint32_t count, struct buf *out);
/* Also refuses times that do not strictly increase. */
MUST_CHECK enum err times_decode(struct slice in, uint32_t count, int64_t *out);

/* The code paths, for tests and benches: all give the same bits. */
enum chunk_isa { CHUNK_ISA_SCALAR, CHUNK_ISA_AVX2, CHUNK_ISA_AVX512 };
enum chunk_isa chunk_isa_best(void);    /* what this CPU can do */
bool chunk_isa_use(enum chunk_isa isa); /* false when the CPU cannot; process-wide, tests and benches only */
const char *chunk_isa_name(enum chunk_isa isa);

#endif
