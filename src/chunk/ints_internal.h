/*
 * ints_internal.h - an integer stream in two steps, so that codecs can compare sizes before writing.
 */
#ifndef CHUNK_INTS_INTERNAL_H
#define CHUNK_INTS_INTERNAL_H

#include "chunk/pfor_internal.h"

enum ints_kind { INTS_CONST_DELTA, INTS_FOR, INTS_DELTA, INTS_DOD };

struct ints_plan {
    enum ints_kind kind;
    bool based;       /* INTS_DELTA: distances to the smallest delta instead of zigzag */
    uint64_t divisor; /* of all deltas; 1 = none */
    uint64_t base;    /* FOR: smallest value; based DELTA: smallest delta / divisor; CONST_DELTA: the delta */
    size_t bytes;     /* exact size of the stream */
    struct pfor_plan pfor;
};
void ints_plan(const int64_t *values, uint32_t count, struct ints_plan *plan);
void ints_put(const int64_t *values, uint32_t count, const struct ints_plan *plan, struct buf *out);
/* As ints_decode, with pointers: the byte after the stream or NULL. */
const uint8_t *ints_get(const uint8_t *p, const uint8_t *end, uint32_t count, int64_t *out);
/* "delta", "dod" ... of the stream at p, for dumps. */
const char *ints_kind_name(const uint8_t *p, const uint8_t *end);

#endif
