/*
 * snapshot_internal.h - a page on its way into a checkpoint: copied under its lock, encoded without it.
 *
 * Threads: the background thread, which alone changes chunks, so they are read in place.
 */
#ifndef HEAD_SNAPSHOT_INTERNAL_H
#define HEAD_SNAPSHOT_INTERNAL_H

#include "head/record_internal.h"
#include "head/seal_internal.h"

/* What a series of RECORD_CHANGES tells. */
enum { CHANGED_SAMPLES = 1, CHANGED_SIDE = 2, CHANGED_HISTS = 4 };

/* A series of the page at hand. */
struct copied {
    uint32_t slot;
    uint32_t what;       /* changes: CHANGED_... */
    uint32_t from;       /* changes: column index after the newest sample that is told already */
    uint32_t first, end; /* column indexes of the tail */
    uint64_t base, last; /* values before the tail and of the newest sample */
    bool packs;          /* the tail is longer than a line: worth a chunk */
    struct chunk_hint hint;
    const struct head_chunk *chunks;
    uint32_t chunk_count;
    struct slice stream, aside; /* operations of the tail; side and histograms, as records have them */
};

struct page_copy {
    struct head *head;
    bool changes; /* what is not told yet */
    struct copied list[PAGE_SERIES];
    uint32_t count;
    uint32_t sequence_before, end_before; /* changes: what they build upon */
    uint32_t sequence;
    struct buf column, streams, asides;
    size_t starts[PAGE_SERIES][2]; /* of stream and aside, as the buffers move while they grow */
    /* of the series at hand */
    uint32_t *indexes;
    double *values;
    size_t index_capacity, value_capacity;
    uint32_t sample_count;
    struct buf gaps, payload;
    struct head_chunk *chunks; /* to be told, in order; data of those from `made` on is ours */
    bool *made;
    size_t chunk_count, chunk_capacity, made_capacity;
};

void page_copy_init(struct page_copy *c, struct head *head, bool changes);
void page_copy_deinit(struct page_copy *c);
/* Whether there is something that is not told yet.  head->create is held, so that no series is made meanwhile. */
bool page_copy_wanted(struct page_copy *c, uint32_t page);
/* Copies, and notes that it is told.  head->create is held. */
void page_copy_take(struct page_copy *c, uint32_t page);
/* Appends the content of RECORD_PAGE or RECORD_CHANGES. */
void page_copy_put(struct page_copy *c, struct buf *out);

#endif
