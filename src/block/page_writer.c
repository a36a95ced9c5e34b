/* page_writer.c - see page_internal.h. */
#include <stdio.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "block/page_internal.h"

enum { FLUSH_BYTES = 1 << 18, SAVED_PERCENT_MIN = 8 };

const char *const section_names[SECTION_COUNT] = {"times", "chunks", "labels", "dictionary", "postings"};

uint32_t page_crc(const struct block_id *id, enum block_file kind, uint64_t offset, const uint8_t *lengths,
                  struct slice stored)
{
    uint8_t place[9];
    place[0] = (uint8_t)kind;
    le64_put(place + 1, offset);
    uint32_t crc = crc32c(0, id->bytes, sizeof id->bytes);
    crc = crc32c(crc, place, sizeof place);
    crc = crc32c(crc, lengths, 8);
    return crc32c(crc, stored.data, stored.len);
}

static enum err flush(struct page_writer *w, struct errmsg *why)
{
    if (w->pending.len == 0)
        return ERR_OK;
    enum err err = file_pwrite(w->file, w->pending.data, w->pending.len, w->flushed, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "write %s", w->name);
    w->flushed += w->pending.len;
    buf_reset(&w->pending);
    return ERR_OK;
}

enum err page_writer_bytes(struct page_writer *w, struct slice bytes, struct errmsg *why)
{
    buf_slice(&w->pending, bytes);
    w->crc = crc32c(w->crc, bytes.data, bytes.len);
    w->offset += bytes.len;
    return w->pending.len >= FLUSH_BYTES ? flush(w, why) : ERR_OK;
}

static enum err put_header(struct page_writer *w, struct errmsg *why)
{
    uint8_t header[FILE_HEADER_BYTES] = {0};
    memcpy(header, w->kind == FILE_INDEX ? INDEX_MAGIC : DATA_MAGIC, 8);
    le32_put(header + 8, FORMAT_VERSION);
    memcpy(header + 16, w->id.bytes, sizeof w->id.bytes);
    le32_put(header + FILE_HEADER_BYTES - 4, crc32c(0, header, FILE_HEADER_BYTES - 4));
    return page_writer_bytes(w, slice_of(header, sizeof header), why);
}

enum err page_writer_open(struct page_writer *w, struct fs *fs, const char *dir, enum block_file kind,
                          const struct block_writer_options *options, struct errmsg *why)
{
    *w = (struct page_writer){.kind = kind,
                              .name = kind == FILE_INDEX ? "index" : "data",
                              .id = options->id,
                              .on_write = options->on_write,
                              .ctx = options->ctx,
                              .pending.own = true,
                              .packed.own = true};
    struct buf path = {.own = true};
    buf_printf(&path, "%s/%s", dir, w->name);
    enum err err = fs_open(fs, buf_cstr(&path), FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &w->file, why);
    buf_deinit(&path);
    if (err != ERR_OK)
        return err;
    w->zstd = ZSTD_createCCtx();
    assert(w->zstd);
    return put_header(w, why);
}

/* Compresses into w->packed; returns what to store. */
static struct slice pack(struct page_writer *w, struct slice raw, int zstd_level)
{
    if (zstd_level == 0 || raw.len == 0)
        return raw;
    size_t bound = ZSTD_compressBound(raw.len);
    buf_reset(&w->packed);
    uint8_t *p = buf_reserve(&w->packed, bound);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_contentSizeFlag, 0); /* the header has it */
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, zstd_level);
    size_t bytes = ZSTD_compress2(w->zstd, p, bound, raw.data, raw.len);
    if (ZSTD_isError(bytes) || bytes * 100 > raw.len * (100 - SAVED_PERCENT_MIN))
        return raw;
    return slice_of(p, bytes);
}

enum err page_append(struct page_writer *w, struct slice raw, int zstd_level, uint64_t *offset, uint32_t *stored_bytes,
                     struct errmsg *why)
{
    assert(raw.len <= PAGE_RAW_MAX);
    struct slice stored = pack(w, raw, zstd_level);
    uint8_t header[PAGE_HEADER_BYTES];
    le32_put(header + 4, (uint32_t)stored.len);
    le32_put(header + 8, (uint32_t)raw.len);
    le32_put(header, page_crc(&w->id, w->kind, w->offset, header + 4, stored));
    *offset = w->offset;
    *stored_bytes = (uint32_t)stored.len;
    TRY(page_writer_bytes(w, slice_of(header, sizeof header), why));
    TRY(page_writer_bytes(w, stored, why));
    return w->on_write ? w->on_write(w->ctx, sizeof header + stored.len, why) : ERR_OK;
}

enum err page_writer_finish(struct page_writer *w, struct block_file_meta *out, struct errmsg *why)
{
    TRY(flush(w, why));
    enum err err = file_sync(w->file, false, why);
    struct file *file = w->file;
    w->file = NULL;
    enum err closed = file_close(file, err == ERR_OK ? why : NULL);
    if (err != ERR_OK || closed != ERR_OK)
        return err_wrap(why, err != ERR_OK ? err : closed, "sync %s", w->name);
    *out = (struct block_file_meta){.bytes = w->offset, .crc = w->crc};
    return ERR_OK;
}

void page_writer_deinit(struct page_writer *w)
{
    if (w->file) {
        enum err ignored = file_close(w->file, NULL); /* given up already */
        (void)ignored;
    }
    ZSTD_freeCCtx(w->zstd);
    buf_deinit(&w->pending);
    buf_deinit(&w->packed);
    *w = (struct page_writer){0};
}
