/*
 * seal_internal.h - chunks of a series in the head.
 */
#ifndef HEAD_SEAL_INTERNAL_H
#define HEAD_SEAL_INTERNAL_H

#include "head/tail_internal.h"

/* Encodes samples (column indexes ascend) into a chunk of its own memory; gaps and payload are scratch. */
void chunk_make(const uint32_t *indexes, const double *values, uint32_t count, struct chunk_hint *hint,
                struct buf *gaps, struct buf *payload, struct head_chunk *out);
void chunk_add(struct head *h, struct series_more *more, const struct head_chunk *c); /* takes its data; page lock */
void chunk_forget(struct head *h, struct head_chunk *c);                              /* frees its data; page lock */
/* Decodes; `data` are the chunk's bytes or a copy of them. */
void chunk_read(const uint8_t *data, const struct head_chunk *c, uint32_t *indexes, double *values);

#endif
