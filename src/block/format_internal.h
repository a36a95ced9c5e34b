/*
 * format_internal.h - what writer and reader of a block must agree on; docs/formats/block.md explains it.
 */
#ifndef BLOCK_FORMAT_INTERNAL_H
#define BLOCK_FORMAT_INTERNAL_H

#include "block/block_meta.h"

enum {
    FORMAT_VERSION = 2,     /* 1: the table of contents stood there once */
    META_VERSION = 1,       /* of meta.json */
    FILE_HEADER_BYTES = 64, /* magic 8, version u32, zero u32, block id 16, zeros, crc32c u32 over the rest */
    FILE_TRAILER_BYTES =
        32, /* index only: toc offset u64, toc page bytes u32, version u32, magic 8, zero u32, crc u32 */
    PAGE_HEADER_BYTES = 12,  /* crc32c u32, stored bytes u32, raw bytes u32; then the stored bytes */
    PAGE_RAW_TARGET = 16384, /* where writers end a page */
    PAGE_RAW_MAX = 16 << 20, /* what readers take: bounds memory before the checksum is known */
    LABEL_GROUP_SERIES = 4096,
    CHUNK_GROUP_SERIES = 1024,
    CHUNK_GROUP_CHUNKS = 4096,
    DICT_RESTART = 16,
    SERIES_MAX = 1 << 30, /* of one block */
};

#define INDEX_MAGIC     "GNOMIDX1"
#define DATA_MAGIC      "GNOMDAT1"
#define INDEX_END_MAGIC "GNOMEND1"

/* Which file a page belongs to: part of its checksum, with the block's id and the offset. */
enum block_file { FILE_INDEX, FILE_DATA };

/* The page lists of the index; `first` of a page is what it starts with. */
enum section {
    SECTION_TIMES,    /* timestamp columns; column id */
    SECTION_CHUNKS,   /* where each series' chunks are; ordinal of the series */
    SECTION_LABELS,   /* value id of each label; ordinal of the series */
    SECTION_DICT,     /* label pairs with the place of their postings; pair id */
    SECTION_POSTINGS, /* ordinals per pair; byte offset */
    SECTION_COUNT,
};
extern const char *const section_names[SECTION_COUNT];

/* A chunk in the index. */
enum chunk_kind_flags {
    ENTRY_STALE = 1,  /* has a stale marker */
    ENTRY_INLINE = 2, /* constant: the payload stands in the index */
    ENTRY_HISTOGRAM = 4,
    ENTRY_STARTS = 8,  /* an integer stream of start times stands before the values */
    ENTRY_SHARED = 16, /* the payload is that of an earlier chunk */
    ENTRY_FLAGS = 31,
};

#endif
