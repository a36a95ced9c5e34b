/*
 * toc_internal.h - the table of contents: the last page of an index file, all that opening a block reads.
 *
 * Raw bytes: level varint, mint zigzag varint, maxt - mint varint, seq_min varint, seq_max - seq_min varint,
 * series, chunks, samples, histogram samples varint each, data bytes varint, data crc32c u32, source
 * count varint, sources 16 bytes each; column count, postings bytes varint; name count varint, per name
 * length varint, bytes, pair count varint; then per section: page count varint, integer streams: file
 * offsets, stored bytes, `first` (format_internal.h); then per dictionary page the value of its first
 * pair: length varint, bytes.
 */
#ifndef BLOCK_TOC_INTERNAL_H
#define BLOCK_TOC_INTERNAL_H

#include "block/columns_internal.h"
#include "block/format_internal.h"

struct toc_section {
    struct column offset, stored, first;
};

struct toc_name {
    struct slice text;
    uint32_t first_pair, pair_count;
};

/* As writer and reader hold it; slices point into `bytes` when read. */
struct toc {
    struct block_meta meta; /* without the index file */
    uint32_t times_count;   /* columns */
    uint64_t postings_bytes;
    uint32_t name_count, pair_count;
    struct toc_name *names;
    struct toc_section sections[SECTION_COUNT];
    struct slice *fences; /* [pages of SECTION_DICT] value of the first pair */
};

void toc_put(const struct toc *toc, struct buf *out);
/* raw must outlive toc; file_bytes: of the index. */
MUST_CHECK enum err toc_get(struct slice raw, uint64_t file_bytes, struct toc *toc, struct errmsg *why);
void toc_deinit(struct toc *toc);

static inline void toc_add_page(struct toc_section *s, uint64_t offset, uint32_t stored, uint64_t first)
{
    column_add(&s->offset, (int64_t)offset);
    column_add(&s->stored, stored);
    column_add(&s->first, (int64_t)first);
}

/* The last page whose `first` is not above `at`; the section has pages. */
static inline uint32_t toc_find_page(const struct toc_section *s, uint64_t at)
{
    size_t low = 0, high = s->first.count; /* low: not above */
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if ((uint64_t)s->first.v[mid] <= at)
            low = mid;
        else
            high = mid;
    }
    return (uint32_t)low;
}

#endif
