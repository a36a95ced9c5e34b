/*
 * page_internal.h - pages of a block's files: written one after the other, read by offset.
 *
 *     | crc32c u32 | stored bytes u32 | raw bytes u32 | stored bytes |
 *
 * The checksum covers block id, file kind, page offset, the two lengths and the stored bytes, so that
 * a page of another block, file or place is found out.  Stored and raw differ when it is zstd.
 */
#ifndef BLOCK_PAGE_INTERNAL_H
#define BLOCK_PAGE_INTERNAL_H

#include <stdatomic.h>

#include "base/fs.h"
#include "block/block_writer.h"
#include "block/format_internal.h"

/* Appends pages to a new file. */
struct page_writer {
    struct file *file;
    const char *name; /* "index", "data" for messages */
    enum block_file kind;
    struct block_id id;
    uint64_t offset;    /* where the next page goes */
    uint32_t crc;       /* of all bytes so far */
    struct buf pending; /* not yet handed to the file */
    uint64_t flushed;
    struct ZSTD_CCtx_s *zstd;
    struct buf packed;
    enum err (*on_write)(void *ctx, size_t bytes, struct errmsg *why);
    void *ctx;
};

/* Creates dir/name with its header. */
MUST_CHECK enum err page_writer_open(struct page_writer *w, struct fs *fs, const char *dir, enum block_file kind,
                                     const struct block_writer_options *options, struct errmsg *why);
/* zstd_level 0: as it is.  *offset: where the page went, *stored: its payload bytes in the file. */
MUST_CHECK enum err page_append(struct page_writer *w, struct slice raw, int zstd_level, uint64_t *offset,
                                uint32_t *stored, struct errmsg *why);
MUST_CHECK enum err page_writer_bytes(struct page_writer *w, struct slice bytes,
                                      struct errmsg *why); /* no page: trailer */
/* Flushes, fsyncs and closes. */
MUST_CHECK enum err page_writer_finish(struct page_writer *w, struct block_file_meta *out, struct errmsg *why);
void page_writer_deinit(struct page_writer *w); /* also half-open ones */

/* Reads pages; checks everything but the content of the raw bytes. */
struct page_file {
    struct file *file;
    const char *name;
    enum block_file kind;
    struct block_id id;
    uint64_t bytes;
    bool trusting;                             /* fuzzing: checksums are not compared */
    bool header_damaged;                       /* the pages are good without it: they carry the id in their checksums */
    _Atomic uint64_t *pages_read, *bytes_read; /* may be NULL */
};
/*
 * Opens dir/name, whose header must be of that block unless id is zero (then id is taken from it).  Where the header is
 * damaged header_damaged is set, and the id is that of meta.json or stays zero.
 */
MUST_CHECK enum err page_file_open(struct page_file *f, struct fs *fs, const char *dir, enum block_file kind,
                                   struct errmsg *why);
void page_file_close(struct page_file *f);
/*
 * Reads the page at offset into memory that take(ctx, raw bytes) gives; stored_hint: its payload bytes
 * if known, else 0.  take may refuse with NULL (ERR_NO_MEMORY).  *end: offset after the page (may be NULL).
 */
MUST_CHECK enum err page_read(const struct page_file *f, uint64_t offset, uint32_t stored_hint,
                              uint8_t *(*take)(void *ctx, size_t bytes), void *ctx, uint64_t *end, struct errmsg *why);

uint32_t page_crc(const struct block_id *id, enum block_file kind, uint64_t offset, const uint8_t *lengths,
                  struct slice stored);

#endif
