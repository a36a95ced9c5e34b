/*
 * chunk_group_internal.h - where the chunks of a run of series are, and what they are.
 *
 * Page of SECTION_CHUNKS, for up to CHUNK_GROUP_SERIES neighbours ("group"):
 *
 *     series count, shape count, length sum of the shapes: varint each
 *     integer streams: shape lengths; for all chunks of all shapes: column ids, first indexes, counts;
 *     shape number of each series; for all chunks of all series: flags (format_internal.h)
 *     chunks in pages > 0: streams of their payload bytes; page count varint; streams of chunks per page and
 *         stored bytes per page; file offset of the first page varint.  The pages follow each other.
 *     shared chunks > 0: stream of how many chunks in pages back the payload is, 0 = in another group; for
 *         those: streams of page offset, page stored bytes, offset in the page, payload bytes
 *     inline payloads one after the other, to the end
 *
 * A shape is a list of (column, first, count): most series of a scrape have the same one.
 */
#ifndef BLOCK_CHUNK_GROUP_INTERNAL_H
#define BLOCK_CHUNK_GROUP_INTERNAL_H

#include "block/columns_internal.h"
#include "block/page_internal.h"
#include "block/times_internal.h"

/* Where a payload went, so that an equal one can share it. */
struct payload_place {
    struct hash128 hash;
    uint32_t group, index; /* number of its group, and of the payload among the group's chunks in pages */
    uint64_t page;         /* file offset; 0: the page is not written yet */
    uint32_t stored;       /* bytes of the page */
    uint32_t offset, bytes;
};
enum { PAYLOADS_REMEMBERED = 1 << 15 };

struct chunk_group_writer {
    struct page_writer *data;
    int zstd_level;
    uint32_t series_count;
    struct column shape_lengths, shape_ids, shape_firsts, shape_counts, series_shapes, flags, bytes, page_chunks,
        page_stored, shared_back, shared_page, shared_stored, shared_offset, shared_bytes;
    struct column series_ids, series_firsts, series_counts; /* of the series being written */
    struct buf inline_bytes;
    struct buf page; /* payloads of the open data page */
    uint32_t page_chunk_count;
    uint64_t first_page;          /* file offset of the group's first data page */
    uint32_t group;               /* its number, from 1 */
    struct payload_place *places; /* [PAYLOADS_REMEMBERED] by hash; newer ones replace older ones */
    struct column open_places;    /* slots filled since the open page began */
    uint64_t chunks_total, shared_total;
};

void chunk_group_init(struct chunk_group_writer *g, struct page_writer *data, int zstd_level);
void chunk_group_deinit(struct chunk_group_writer *g);
MUST_CHECK enum err chunk_group_add(struct chunk_group_writer *g, struct times_cut times, unsigned flags,
                                    struct slice payload, struct errmsg *why);
void chunk_group_end_series(struct chunk_group_writer *g);
bool chunk_group_full(const struct chunk_group_writer *g);
/* Ends the open data page, appends the group's index page to out, and starts a new group. */
MUST_CHECK enum err chunk_group_put(struct chunk_group_writer *g, struct buf *out, struct errmsg *why);

/* Reading. */
struct chunk_entry {
    uint64_t page;   /* file offset of the data page; 0: inline */
    uint32_t stored; /* bytes of that page */
    uint32_t offset; /* in the page, or in the group's inline bytes */
    uint32_t bytes;
    uint32_t times_id;
    uint16_t first, count;
    uint32_t flags;
};
struct chunk_group {
    uint32_t series_count, chunk_count;
    const uint8_t *inline_bytes;
    struct chunk_entry *entries;
    uint32_t *starts; /* [series_count + 1] into entries */
};
MUST_CHECK enum err chunk_group_get(struct slice raw, void *(*take)(void *ctx, size_t bytes), void *ctx,
                                    struct chunk_group *out);

#endif
