/* block.c - opening and closing; the contract is in block.h. */
#include "block/block.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "block/block_internal.h"

static uint8_t *take_buf(void *ctx, size_t bytes)
{
    struct buf *b = (struct buf *)ctx;
    uint8_t *p = (uint8_t *)mem_try_realloc(b->data, bytes + 1);
    if (!p)
        return NULL;
    *b = (struct buf){.data = p, .len = bytes, .capacity = bytes + 1};
    return p;
}

static enum err read_toc(struct block *b, struct errmsg *why)
{
    uint8_t t[FILE_TRAILER_BYTES];
    uint64_t end, at = b->index.bytes - FILE_TRAILER_BYTES;
    if (b->index.bytes < FILE_HEADER_BYTES + PAGE_HEADER_BYTES + FILE_TRAILER_BYTES)
        return err_set(why, ERR_CORRUPT, "index: %" PRIu64 " bytes are too few", b->index.bytes);
    TRY(file_pread_all(b->index.file, t, sizeof t, at, why));
    uint32_t crc = crc32c(crc32c(0, b->index.id.bytes, sizeof b->index.id.bytes), t, sizeof t - 4);
    if (memcmp(t + 16, INDEX_END_MAGIC, 8) != 0)
        return err_set(why, ERR_CORRUPT, "index: offset %" PRIu64 ": no trailer, the file is cut off", at);
    if (!b->index.trusting && crc != le32_get(t + sizeof t - 4))
        return err_set(why, ERR_CORRUPT,
                       "index: offset %" PRIu64 ": trailer checksum %08" PRIx32 ", computed %08" PRIx32, at,
                       le32_get(t + sizeof t - 4), crc);
    TRY(page_read(&b->index, le64_get(t), le32_get(t + 8), take_buf, &b->toc_raw, &end, why));
    if (end != at)
        return err_set(why, ERR_CORRUPT, "index: offset %" PRIu64 ": the table of contents does not end at the trailer",
                       le64_get(t));
    TRY(toc_get(buf_view(&b->toc_raw), b->index.bytes, &b->toc, why));
    b->toc.meta.id = b->index.id;
    b->toc.meta.index.bytes = b->index.bytes;
    return ERR_OK;
}

static enum err open_files(struct fs *fs, struct block *b, struct errmsg *why)
{
    TRY(page_file_open(&b->index, fs, b->dir, FILE_INDEX, why));
    TRY(read_toc(b, why));
    b->data.id = b->index.id;
    TRY(page_file_open(&b->data, fs, b->dir, FILE_DATA, why));
    if (b->data.bytes != b->toc.meta.data.bytes)
        return err_set(why, ERR_CORRUPT, "data: %" PRIu64 " bytes, the index says %" PRIu64, b->data.bytes,
                       b->toc.meta.data.bytes);
    return ERR_OK;
}

enum err block_open_flags(struct fs *fs, const char *dir, struct page_cache *cache, int flags, struct block **out,
                          struct errmsg *why)
{
    struct block *b = MEM_NEW(struct block);
    b->references = 1;
    b->dir = mem_strdup(dir);
    b->cache = cache;
    b->serial = page_cache_serial(cache);
    b->index.trusting = b->data.trusting = flags & BLOCK_OPEN_TRUSTING;
    b->index.pages_read = b->data.pages_read = &b->stats.pages_read;
    b->index.bytes_read = b->data.bytes_read = &b->stats.bytes_read;
    enum err err = open_files(fs, b, why);
    if (err != ERR_OK) {
        block_release(b);
        return err_wrap(why, err, "open block %s", dir);
    }
    *out = b;
    return ERR_OK;
}

enum err block_open(struct fs *fs, const char *dir, struct page_cache *cache, struct block **out, struct errmsg *why)
{
    return block_open_flags(fs, dir, cache, 0, out, why);
}

struct block *block_acquire(struct block *b)
{
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    return b;
}

void block_release(struct block *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
        return;
    page_cache_drop(b->cache, b->serial);
    page_file_close(&b->index);
    page_file_close(&b->data);
    toc_deinit(&b->toc);
    buf_deinit(&b->toc_raw);
    mem_free(b->dir);
    mem_free(b);
}

bool block_forgive(struct warnings *warnings, enum err err, const struct errmsg *why)
{
    if (err != ERR_CORRUPT && err != ERR_IO)
        return false;
    warnings_add(warnings, "some series are left out: %s", why->text);
    return true;
}

const struct block_meta *block_meta(const struct block *b)
{
    return &b->toc.meta;
}

struct block_stats *block_stats(struct block *b)
{
    return &b->stats;
}
