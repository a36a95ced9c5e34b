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

/*
 * The table of contents stands twice, each time with a trailer behind it (once in format 1): what begins at offset
 * `at` is a trailer, and what it points to ends there.
 */
static enum err read_toc_before(struct block *b, uint64_t at, struct errmsg *why)
{
    uint8_t t[FILE_TRAILER_BYTES];
    uint64_t end;
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
    return toc_get(buf_view(&b->toc_raw), b->index.bytes, &b->toc, why);
}

/* Looks for the other trailer, from the end backwards, as far as a table of contents can be long. */
static enum err find_toc(struct block *b, struct errmsg *why)
{
    enum { PIECE = 1 << 16, MAGIC_AT = 16, MAGIC_BYTES = 8 };
    static const uint64_t far = (uint64_t)PAGE_RAW_MAX + PAGE_HEADER_BYTES + 3 * FILE_TRAILER_BYTES;
    uint8_t *bytes = (uint8_t *)mem_alloc(PIECE + FILE_TRAILER_BYTES);
    uint64_t low = b->index.bytes > far ? b->index.bytes - far : 0;
    enum err err = ERR_CORRUPT;
    for (uint64_t end = b->index.bytes; err == ERR_CORRUPT && end > low;) {
        uint64_t from = end > low + PIECE ? end - PIECE : low, room = b->index.bytes - from;
        size_t n = room < PIECE + FILE_TRAILER_BYTES ? (size_t)room : PIECE + FILE_TRAILER_BYTES;
        if (file_pread_all(b->index.file, bytes, n, from, NULL) != ERR_OK)
            break;
        for (size_t i = n < FILE_TRAILER_BYTES ? 0 : n - FILE_TRAILER_BYTES + 1; err == ERR_CORRUPT && i-- > 0;)
            if (memcmp(bytes + i + MAGIC_AT, INDEX_END_MAGIC, MAGIC_BYTES) == 0)
                err = read_toc_before(b, from + i, NULL);
        end = from;
    }
    mem_free(bytes);
    return err == ERR_OK ? ERR_OK : err_set(why, ERR_CORRUPT, "index: there is no sound table of contents");
}

static enum err read_toc(struct block *b, struct errmsg *why)
{
    if (b->index.bytes < FILE_HEADER_BYTES + PAGE_HEADER_BYTES + FILE_TRAILER_BYTES)
        return err_set(why, ERR_CORRUPT, "index: %" PRIu64 " bytes are too few", b->index.bytes);
    enum err err = read_toc_before(b, b->index.bytes - FILE_TRAILER_BYTES, why);
    if (err == ERR_CORRUPT && find_toc(b, NULL) == ERR_OK) {
        block_note_damage(b, DAMAGE_TOC, 0);
        err = ERR_OK;
    }
    if (err == ERR_OK) {
        b->toc.meta.id = b->index.id;
        b->toc.meta.index.bytes = b->index.bytes;
    }
    return err;
}

static enum err open_files(struct fs *fs, struct block *b, struct errmsg *why)
{
    TRY(page_file_open(&b->index, fs, b->dir, FILE_INDEX, why));
    TRY(read_toc(b, why));
    b->data.id = b->index.id;
    TRY(page_file_open(&b->data, fs, b->dir, FILE_DATA, why));
    if (b->index.header_damaged)
        block_note_damage(b, DAMAGE_INDEX_HEADER, 0);
    if (b->data.header_damaged)
        block_note_damage(b, DAMAGE_DATA_HEADER, 0);
    if (b->data.bytes < b->toc.meta.data.bytes)
        block_note_damage(b, DAMAGE_DATA_CUT, b->data.bytes);
    else if (b->data.bytes > b->toc.meta.data.bytes)
        block_note_damage(b, DAMAGE_DATA_LONGER, b->toc.meta.data.bytes);
    return ERR_OK;
}

enum err block_open_flags(struct fs *fs, const char *dir, struct page_cache *cache, int flags, struct block **out,
                          struct errmsg *why)
{
    struct block *b = MEM_NEW(struct block);
    b->references = 1;
    mutex_init(&b->damage_lock);
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
    mutex_deinit(&b->damage_lock);
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
