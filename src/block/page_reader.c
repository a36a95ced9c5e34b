/*
 * page_reader.c - see page_internal.h.
 *
 * A page's length is known to whoever refers to it, so one pread gets it whole.
 */
#include <inttypes.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "block/page_internal.h"

static bool header_is_whole(const struct page_file *f, const uint8_t *header)
{
    const char *magic = f->kind == FILE_INDEX ? INDEX_MAGIC : DATA_MAGIC;
    uint32_t crc = crc32c(0, header, FILE_HEADER_BYTES - 4);
    return memcmp(header, magic, 8) == 0 && (f->trusting || crc == le32_get(header + FILE_HEADER_BYTES - 4));
}

/* What a whole header says: a version that is known, the right block. */
static enum err check_header(struct page_file *f, const uint8_t *header, struct errmsg *why)
{
    static const struct block_id zero;
    if (le32_get(header + 8) > FORMAT_VERSION)
        return err_set(why, ERR_UNSUPPORTED, "%s: written by a newer version (block format %" PRIu32 ")", f->name,
                       le32_get(header + 8));
    if (block_id_eq(&f->id, &zero))
        memcpy(f->id.bytes, header + 16, sizeof f->id.bytes);
    else if (memcmp(f->id.bytes, header + 16, sizeof f->id.bytes) != 0)
        return err_set(why, ERR_CORRUPT, "%s: belongs to another block", f->name);
    return ERR_OK;
}

/* Without a header: the id that all pages have in their checksums, from meta.json. */
static enum err do_without_header(struct page_file *f, struct fs *fs, const char *dir, struct errmsg *why)
{
    static const struct block_id zero;
    struct block_meta meta;
    f->header_damaged = true;
    if (!block_id_eq(&f->id, &zero))
        return ERR_OK;
    if (block_meta_read(fs, dir, &meta, NULL) != ERR_OK)
        return err_set(why, ERR_CORRUPT, "%s: offset 0: the header is damaged, and so is meta.json", f->name);
    f->id = meta.id;
    return ERR_OK;
}

enum err page_file_open(struct page_file *f, struct fs *fs, const char *dir, enum block_file kind, struct errmsg *why)
{
    f->kind = kind;
    f->name = kind == FILE_INDEX ? "index" : "data";
    struct buf path = {.own = true};
    buf_printf(&path, "%s/%s", dir, f->name);
    enum err err = fs_open(fs, buf_cstr(&path), FS_READ, &f->file, why);
    buf_deinit(&path);
    if (err != ERR_OK)
        return err;
    uint8_t header[FILE_HEADER_BYTES] = {0};
    if ((err = file_size(f->file, &f->bytes, why)) != ERR_OK)
        goto fail;
    if (f->bytes >= sizeof header && (err = file_pread_all(f->file, header, sizeof header, 0, why)) != ERR_OK)
        err_wrap(why, err, "%s: offset 0", f->name);
    else if (header_is_whole(f, header))
        err = check_header(f, header, why);
    else
        err = do_without_header(f, fs, dir, why);
    if (err == ERR_OK)
        return ERR_OK;
fail:
    page_file_close(f);
    return err;
}

void page_file_close(struct page_file *f)
{
    if (f->file) {
        enum err ignored = file_close(f->file, NULL); /* read only: nothing can be lost */
        (void)ignored;
    }
    f->file = NULL;
}

static enum err damaged(const struct page_file *f, uint64_t offset, const char *what, struct errmsg *why)
{
    return err_set(why, ERR_CORRUPT, "%s: offset %" PRIu64 ": %s", f->name, offset, what);
}

/* Checks the lengths in the page header at p against the file. */
static enum err check_lengths(const struct page_file *f, uint64_t offset, const uint8_t *p, struct errmsg *why)
{
    uint64_t stored = le32_get(p + 4), raw = le32_get(p + 8);
    if (raw > PAGE_RAW_MAX || stored > raw || stored > f->bytes - offset - PAGE_HEADER_BYTES)
        return damaged(f, offset, "impossible page lengths", why);
    return ERR_OK;
}

static enum err unpack(const struct page_file *f, uint64_t offset, const uint8_t *page,
                       uint8_t *(*take)(void *ctx, size_t bytes), void *ctx, struct errmsg *why)
{
    struct slice stored = slice_of(page + PAGE_HEADER_BYTES, le32_get(page + 4));
    uint32_t raw = le32_get(page + 8), crc = page_crc(&f->id, f->kind, offset, page + 4, stored);
    if (!f->trusting && crc != le32_get(page))
        return err_set(why, ERR_CORRUPT, "%s: offset %" PRIu64 ": page checksum %08" PRIx32 ", computed %08" PRIx32,
                       f->name, offset, le32_get(page), crc);
    uint8_t *out = take(ctx, raw);
    if (!out)
        return err_set(why, ERR_LIMIT, "%s: offset %" PRIu64 ": no memory for a page of %" PRIu32 " bytes", f->name,
                       offset, raw);
    if (stored.len == raw) {
        if (raw)
            memcpy(out, stored.data, raw);
        return ERR_OK;
    }
    size_t got = ZSTD_decompress(out, raw, stored.data, stored.len);
    return !ZSTD_isError(got) && got == raw ? ERR_OK : damaged(f, offset, "zstd frame does not decode", why);
}

enum err page_read(const struct page_file *f, uint64_t offset, uint32_t stored_hint,
                   uint8_t *(*take)(void *ctx, size_t bytes), void *ctx, uint64_t *end, struct errmsg *why)
{
    enum { ON_STACK = PAGE_RAW_TARGET + PAGE_HEADER_BYTES };
    if (offset < FILE_HEADER_BYTES || offset > f->bytes || f->bytes - offset < PAGE_HEADER_BYTES)
        return damaged(f, offset, "no room for a page", why);
    uint8_t stack[ON_STACK], *page = stack, *heap = NULL;
    uint64_t room = f->bytes - offset, first = PAGE_HEADER_BYTES + (uint64_t)stored_hint;
    first = first > ON_STACK ? PAGE_HEADER_BYTES : first > room ? room : first;
    enum err err = file_pread_all(f->file, page, (size_t)first, offset, why);
    if (err == ERR_OK)
        err = check_lengths(f, offset, page, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "read page");
    size_t whole = PAGE_HEADER_BYTES + (size_t)le32_get(page + 4);
    if (whole > ON_STACK) {
        heap = (uint8_t *)mem_try_alloc(whole);
        if (!heap)
            return err_set(why, ERR_NO_MEMORY, "%s: offset %" PRIu64 ": page of %zu bytes", f->name, offset, whole);
        memcpy(heap, page, (size_t)first);
        page = heap;
    }
    if (whole > first)
        err = file_pread_all(f->file, page + first, whole - (size_t)first, offset + first, why);
    if (err == ERR_OK)
        err = unpack(f, offset, page, take, ctx, why);
    if (err == ERR_OK && end)
        *end = offset + whole;
    if (f->pages_read) {
        atomic_fetch_add_explicit(f->pages_read, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(f->bytes_read, whole, memory_order_relaxed);
    }
    mem_free(heap);
    return err;
}
