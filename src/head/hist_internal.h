/*
 * hist_internal.h - native histograms of a series: recent ones one by one, older ones in chunks.
 *
 * Histograms live beside the column with timestamps of their own.  Where two have the same time, the
 * one that came later wins: recent ones over chunks, later chunks over earlier ones.
 *
 * Threads: the page's lock is held; hist_copy works on copies.
 */
#ifndef HEAD_HIST_INTERNAL_H
#define HEAD_HIST_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "head/head_internal.h"
#include "model/histogram.h"

/* One histogram as bytes (hist_code.c). */
struct hist_item {
    int64_t time_ms;
    uint8_t *data; /* owned */
    uint32_t bytes;
};

/* Many histograms: times, then a chunk of folder `chunk`. */
struct hist_part {
    int64_t first_ms, last_ms;
    uint32_t count, times_bytes, bytes;
    bool frozen;   /* a cut has taken it */
    uint8_t *data; /* owned */
};

struct hist_store {
    struct hist_item *recent; /* in order of time, unique */
    struct hist_part *parts;  /* in order of making */
    uint32_t recent_count, recent_capacity, part_count, part_capacity;
    uint32_t told_parts; /* the first of them stand in the newest checkpoint */
    bool changed;        /* since the newest checkpoint */
};

/* ---- hist_code.c ---- */
void hist_encode(const struct histogram *h, struct buf *out);
/* NULL when the bytes are no histogram or the arena's budget ends. */
const struct histogram *hist_decode(struct slice in, struct arena *arena);

/* ---- hist_store.c ---- */
/* False: exactly this one was there. */
bool hist_add(struct head *h, struct page *p, struct series_line *x, int64_t time_ms, struct slice code);
bool hist_is_empty(const struct series_line *x);
void hist_freeze(struct head *h, struct series_line *x, int64_t before_ms); /* what is before becomes frozen parts */
void hist_drop_frozen(struct head *h, struct series_line *x);
bool hist_within(const struct series_line *x, bool frozen, int64_t mint_ms, int64_t maxt_ms);
void hist_store_free(struct head *h, struct hist_store *s);                              /* accepts NULL */
void hist_part_add(struct head *h, struct series_line *x, const struct hist_part *part); /* takes its data */
void hist_recent_clear(struct head *h, struct hist_store *s);
struct hist_store *hist_store_of(struct head *h, struct series_line *x);
bool hist_wants_seal(const struct series_line *x);
void hist_seal(struct head *h, struct series_line *x); /* recent ones become parts */
/* Extends the page's bounds of samples beside the column by what the series has. */
void hist_extend_bounds(struct page *p, const struct series_line *x);

/* ---- hist_read.c ---- */
/* Copies of what overlaps a range, to be decoded without the lock. */
struct hist_copy {
    struct hist_part *parts; /* their data points into bytes once taken */
    struct hist_item *items;
    size_t part_count, part_capacity, item_count, item_capacity;
    struct buf bytes;
};
struct hist_sample {
    int64_t time_ms;
    const struct histogram *h;
};
void hist_copy_take(const struct series_line *x, bool frozen, int64_t mint_ms, int64_t maxt_ms, struct hist_copy *out);
/* In order of time, unique, within the range; in arena memory.  Returns how many; UINT32_MAX: the arena's budget ended.
 */
uint32_t hist_copy_decode(const struct hist_copy *c, int64_t mint_ms, int64_t maxt_ms, struct arena *arena,
                          struct hist_sample **out);
void hist_copy_deinit(struct hist_copy *c);
bool hist_part_is_sound(const struct hist_part *part);

#endif
