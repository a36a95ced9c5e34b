/*
 * times_internal.h - the timestamp columns of a block: found again by the writer, decoded once by readers.
 *
 * A column is up to chunk_samples_max times.  A chunk refers to (column id, first index, count), so a
 * series that starts late or ends early uses a part of its neighbours' column.
 *
 * Page of SECTION_TIMES: column count varint; integer streams: counts, payload bytes, first times, last
 * times - first times; then the payloads (chunk/times.c) one after the other.
 */
#ifndef BLOCK_TIMES_INTERNAL_H
#define BLOCK_TIMES_INTERNAL_H

#include "block/columns_internal.h"
#include "block/format_internal.h"
#include "model/label.h"

#define TIMES_NONE UINT32_MAX

struct times_column {
    int64_t first_ms, last_ms;
    struct hash128 hash;            /* of all times, seeded with the block's id */
    uint32_t next_first, next_last; /* other columns with the same first or last time; TIMES_NONE ends */
    uint32_t count, references;
    size_t at, bytes; /* payload in store */
};

/* Keys to the newest column that has them. */
struct times_map {
    struct times_slot {
        int64_t key;
        uint32_t id; /* TIMES_NONE = free */
    } * slots;
    size_t count, capacity; /* a power of two */
};

struct times_writer {
    uint64_t seed;
    struct times_column *columns;
    size_t count, capacity;
    struct times_map by_first, by_last;
    struct buf store;    /* all payloads: short, and needed to compare parts */
    uint32_t page_start; /* first column that is in no page yet */
    int64_t *scratch;    /* [CHUNK_SAMPLES_MAX] */
};

/* What the next chunk of a series is: `count` times from its start, as times [first, first + count) of a column. */
struct times_cut {
    uint32_t id, first, count;
};

void times_writer_init(struct times_writer *w, const struct block_id *id);
void times_writer_deinit(struct times_writer *w);
/*
 * Cuts the first chunk off a series' times (at most `max`, all when `last` says that no more come and
 * they fit): the part of a known column they are, else a new column.  n >= 1.
 */
struct times_cut times_cut(struct times_writer *w, const int64_t *times, uint32_t n, uint32_t max, bool last);
/* Exactly these times as one chunk. */
struct times_cut times_whole(struct times_writer *w, const int64_t *times, uint32_t n);
/* A page with the columns that are in none, when they fill one or `all`; empty out: nothing to write. */
void times_page_put(struct times_writer *w, bool all, struct buf *out, uint32_t *first_id);

/* Reading: a page parsed. */
struct times_info {
    int64_t first_ms, last_ms;
    uint32_t count;
    uint32_t at, bytes; /* payload */
};
struct times_page {
    uint32_t count;
    const uint8_t *payload;
    struct times_info *columns;
};
/* take() gives the memory, which the page points into; NULL result of take: ERR_LIMIT. */
MUST_CHECK enum err times_page_get(struct slice raw, void *(*take)(void *ctx, size_t bytes), void *ctx,
                                   struct times_page *out);

#endif
