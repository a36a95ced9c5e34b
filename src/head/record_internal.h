/*
 * record_internal.h - what the head writes into the log; layout in docs/formats/head-records.md.
 *
 * Threads: encoders append to the caller's buffer.
 */
#ifndef HEAD_RECORD_INTERNAL_H
#define HEAD_RECORD_INTERNAL_H

#include "head/head_internal.h"

enum record_type {
    RECORD_REQUEST = 1, /* the differences below start anew */
    RECORD_PAIR = 2,    /* id, bytes: a label pair gets a number */
    RECORD_SERIES = 3,  /* ref, pair ids */
    RECORD_SAMPLES = 4, /* neighbours of one page with one timestamp */
    RECORD_METADATA = 5,
    RECORD_EXEMPLAR = 6,
    RECORD_HISTOGRAM = 7,
    RECORD_PAGE = 8,     /* checkpoint: all samples of a page */
    RECORD_DEFERRED = 9, /* a request as it came, to be applied later */
    RECORD_APPLIED = 10, /* which one was: its samples stand before this, in the same frame */
    RECORD_NUMBERS = 11, /* checkpoint: the highest pair number ever given out */
    RECORD_CHANGES = 16, /* checkpoint: what a page has more than in the checkpoint before */
};

/* RECORD_SAMPLES: control byte of a sample whose bit is set; 1..8: changed, as in tails. */
enum { SAMPLE_WHOLE = 13, SAMPLE_NONE = 14, SAMPLE_RAW = 15 };
/* Flags in the second byte of RECORD_SAMPLES: same timestamp as the record before; a bitmap says which slots. */
enum { SAMPLES_SAME_TIME = 1, SAMPLES_SPARSE = 2 };
enum { SAMPLES_HEAD_MAX = 2 + VARINT_BYTES_MAX * 2 + 2 + 8 + 8 + 8, SAMPLES_EACH_MAX = 9 };

void record_pair(struct buf *records, uint32_t id, struct slice wire);
void record_numbers(struct buf *records, uint32_t pair);
void record_series(struct buf *records, series_ref ref, const uint32_t *pairs, uint32_t count);
void record_histogram(struct buf *records, series_ref ref, uint32_t sequence, int64_t time_ms, struct slice code);
void record_exemplar(struct buf *records, struct slice series, int64_t time_ms, uint64_t bits, struct slice labels);
void record_metadata(struct buf *records, const struct metadata *m);

#endif
