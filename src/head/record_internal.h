/*
 * record_internal.h - what the head writes into the log; layout in docs/formats/head-records.md.
 *
 * Threads: encoders append to the caller's buffer.
 */
#ifndef HEAD_RECORD_INTERNAL_H
#define HEAD_RECORD_INTERNAL_H

#include "head/head_internal.h"
#include "head/value_code_internal.h"

enum record_type {
    RECORD_REQUEST = 1, /* the differences below start anew */
    RECORD_PAIR = 2,    /* id, bytes: a label pair gets a number */
    RECORD_SERIES = 3,  /* ref, pair ids */
    RECORD_SAMPLES = 4, /* as RECORD_RUN; of logs of versions 1 and 2, only read */
    RECORD_METADATA = 5,
    RECORD_EXEMPLAR = 6,
    RECORD_HISTOGRAM = 7,
    RECORD_PAGE = 8,     /* checkpoint: all samples of a page */
    RECORD_DEFERRED = 9, /* a request as it came, to be applied later */
    RECORD_APPLIED = 10, /* which one was: its samples stand before this, in the same frame */
    RECORD_NUMBERS = 11, /* checkpoint: the highest pair number ever given out */
    RECORD_TRACK = 12,   /* + enum track_flags: samples of one series, one after the other */
    RECORD_RUN = 64,     /* + enum run_flags: neighbours of one page with one timestamp */
    RECORD_CHANGES = 16, /* checkpoint: what a page has more than in the checkpoint before */
};

/* Flags in the second byte of RECORD_SAMPLES: same timestamp as the record before; a bitmap says which slots. */
enum { SAMPLES_SAME_TIME = 1, SAMPLES_SPARSE = 2 };
enum run_flags {
    RUN_SAME_TIME = 1,
    RUN_SPARSE = 2,        /* a bitmap says which slots have a sample */
    RUN_NEXT_PAGE = 4,     /* the one after that of the record before, from its first slot on */
    RUN_TO_END = 8,        /* all slots up to the last one */
    RUN_SAME_SEQUENCE = 16,
    RUN_BESIDE = 32,       /* no sample has a place in the column */
    RUN_FLAGS = 63,
};
enum track_flags { TRACK_SAME_TIME = 1, TRACK_BESIDE = 2, TRACK_FLAGS = 3 };
enum {
    BITMAP_MAX = 9,
    RUN_HEAD_MAX = 1 + VARINT_BYTES_MAX * 3 + 2 + 2 * BITMAP_MAX,
    TRACK_MAX = 128,       /* samples in one record */
    /* Every sample may need a record of its own. */
    TRACK_EACH_MAX = 1 + VARINT_BYTES_MAX * 4 + 2 + VALUE_BYTES_MAX,
};

/* What a record of samples is told from: the one before it in the request. */
struct record_place {
    uint32_t page, sequence;
    int64_t time_ms; /* of its first sample; NO_TIME: there is none yet */
};

static inline uint8_t *record_page_put(uint8_t *out, uint32_t page, uint32_t before, uint32_t slot)
{
    out = varint_put(out, zigzag_put((int64_t)page - before));
    *out++ = (uint8_t)slot;
    return out;
}

/* Time and time before may be anything, so the difference may wrap. */
static inline uint8_t *record_time_put(uint8_t *out, int64_t time_ms, const struct record_place *before)
{
    uint64_t from = before->time_ms == NO_TIME ? 0 : (uint64_t)before->time_ms;
    return varint_put(out, zigzag_put((int64_t)((uint64_t)time_ms - from)));
}

/* One bit a slot: a byte for up to 8, else a byte that says which of the others are not 0, and those. */
static inline uint8_t *bitmap_put(uint8_t *out, uint64_t bits, uint32_t slots)
{
    if (slots <= 8) {
        *out = (uint8_t)bits;
        return out + 1;
    }
    uint64_t any = bits | bits >> 4;
    any |= any >> 2;
    any = (any | any >> 1) & UINT64_C(0x0101010101010101);
    unsigned which = (unsigned)(any * UINT64_C(0x0102040810204080) >> 56);
    *out++ = (uint8_t)which;
    if (which == 0xff) {
        le64_put(out, bits);
        return out + 8;
    }
    for (; which; which &= which - 1)
        *out++ = (uint8_t)(bits >> 8 * __builtin_ctz(which));
    return out;
}

void record_pair(struct buf *records, uint32_t id, struct slice wire);
void record_numbers(struct buf *records, uint32_t pair);
void record_series(struct buf *records, series_ref ref, const uint32_t *pairs, uint32_t count);
void record_histogram(struct buf *records, series_ref ref, uint32_t sequence, int64_t time_ms, struct slice code);
void record_exemplar(struct buf *records, struct slice series, int64_t time_ms, uint64_t bits, struct slice labels);
void record_metadata(struct buf *records, const struct metadata *m);

#endif
