/*
 * checkpoint.c - writes and reads checkpoint files; the contract is in checkpoint.h.
 *
 *     file:   magic "GNOMCKP1" 8 | version u32 | crc u32 | directory id u64 | sequence u64 | [from u64] | piece...
 *     piece:  magic "PCE1" 4 | header crc u32 | payload crc u32 | index u32 | payload bytes u32 | zero u32 | payload
 *
 * `from` (version 3) is there in a file of changes.  The last piece has no payload and the number of pieces before it
 * as its index.  Both checksums are CRC-32C started with the header from the directory id on, so a piece of another
 * file is none; the header's covers magic excepted fields index, bytes and payload crc.  After a damaged piece the next
 * header is looked for byte by byte.
 */
#include "tsdb/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"

enum {
    FILE_HEADER_BYTES = 32,
    CHANGES_HEADER_BYTES = 40,
    VERSION_WHOLE = 2,   /* 1: without the numbers in the first piece */
    VERSION_CHANGES = 3, /* what has changed since the checkpoint `from` */
    PIECE_HEADER_BYTES = 24,
    PIECE_BYTES_MAX = 64 << 20,
    WINDOW_BYTES = 1 << 20,
    AT_VERSION = 8,
    AT_CRC = 12,
    AT_ID = 16,
    AT_SEQUENCE = 24,
    AT_FROM = 32, /* of the file's header */
    AT_HEADER_CRC = 4,
    AT_PAYLOAD_CRC = 8,
    AT_INDEX = 12,
    AT_BYTES = 16, /* of a piece's */
};
static const uint8_t file_magic[8] = "GNOMCKP1";
#define PIECE_MAGIC UINT32_C(0x31454350) /* "PCE1" */

void checkpoint_name(const struct manifest_checkpoint *c, char out[CHECKPOINT_NAME_BYTES])
{
    snprintf(out, CHECKPOINT_NAME_BYTES, "%016" PRIx64 ".%s", c->sequence, c->from ? "changes" : "checkpoint");
}

static uint32_t file_crc(const uint8_t *header, size_t bytes)
{
    return crc32c(crc32c(0, header, AT_CRC), header + AT_ID, bytes - AT_ID);
}

static uint32_t salt_of(const uint8_t *header, size_t bytes)
{
    return crc32c(0, header + AT_ID, bytes - AT_ID);
}

static uint32_t piece_header_crc(uint32_t salt, const uint8_t *header)
{
    return crc32c(salt, header + AT_PAYLOAD_CRC, PIECE_HEADER_BYTES - AT_PAYLOAD_CRC);
}

/* ---- writing ---- */

enum err checkpoint_begin(struct checkpoint_writer *w, struct fs *fs, const char *path, uint64_t id,
                          const struct manifest_checkpoint *c, struct errmsg *why)
{
    uint8_t header[CHANGES_HEADER_BYTES] = {0};
    size_t bytes = c->from ? CHANGES_HEADER_BYTES : FILE_HEADER_BYTES;
    memcpy(header, file_magic, sizeof file_magic);
    le32_put(header + AT_VERSION, c->from ? VERSION_CHANGES : VERSION_WHOLE);
    le64_put(header + AT_ID, id);
    le64_put(header + AT_SEQUENCE, c->sequence);
    le64_put(header + AT_FROM, c->from);
    le32_put(header + AT_CRC, file_crc(header, bytes));
    *w = (struct checkpoint_writer){.salt = salt_of(header, bytes), .offset = bytes};
    TRY(fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &w->file, why));
    enum err err = file_pwrite(w->file, header, bytes, 0, why);
    if (err != ERR_OK)
        checkpoint_abandon(w);
    return err;
}

static enum err piece_write(struct checkpoint_writer *w, struct slice records, struct errmsg *why)
{
    uint8_t header[PIECE_HEADER_BYTES] = {0};
    le32_put(header, PIECE_MAGIC);
    le32_put(header + AT_PAYLOAD_CRC, crc32c(w->salt, records.data, records.len));
    le32_put(header + AT_INDEX, w->pieces);
    le32_put(header + AT_BYTES, (uint32_t)records.len);
    le32_put(header + AT_HEADER_CRC, piece_header_crc(w->salt, header));
    struct iovec parts[2] = {
        {header, sizeof header}, {(void *)(uintptr_t)records.data, records.len}, /* iovec has no const form */
    };
    TRY(file_pwritev(w->file, parts, 2, w->offset, why));
    w->offset += sizeof header + records.len;
    return ERR_OK;
}

enum err checkpoint_piece(struct checkpoint_writer *w, struct slice records, struct errmsg *why)
{
    assert(records.len <= PIECE_BYTES_MAX);
    if (records.len == 0)
        return ERR_OK; /* it would read as the end */
    TRY(piece_write(w, records, why));
    w->pieces++;
    return ERR_OK;
}

enum err checkpoint_finish(struct checkpoint_writer *w, struct errmsg *why)
{
    enum err err = piece_write(w, (struct slice){0}, why);
    if (err == ERR_OK)
        err = file_sync(w->file, false, why);
    enum err close_err = file_close(w->file, err == ERR_OK ? why : NULL);
    w->file = NULL;
    return err == ERR_OK ? close_err : err;
}

void checkpoint_abandon(struct checkpoint_writer *w)
{
    enum err ignored = file_close(w->file, NULL);
    (void)ignored; /* the file is going to be removed */
    w->file = NULL;
}

/* ---- reading ---- */

struct reader {
    struct file *file;
    uint64_t offset, size;
    uint32_t salt;
    struct checkpoint_report *report;
    struct buf payload;
    uint32_t next_index;
    bool in_damage; /* the stretch at offset is counted already */
    uint8_t *window;
    uint64_t window_offset;
    size_t window_bytes;
};

static void damage(struct reader *r)
{
    if (!r->in_damage && r->report->damaged++ == 0)
        r->report->first_damage = r->offset;
    r->in_damage = true;
}

/* The piece header at an offset when it is a good one, through a window because it may be a search. */
static const uint8_t *header_at(struct reader *r, uint64_t offset)
{
    if (offset < r->window_offset || offset + PIECE_HEADER_BYTES > r->window_offset + r->window_bytes) {
        size_t got = 0;
        enum err err = file_pread(r->file, r->window, WINDOW_BYTES, offset, &got, NULL);
        r->window_offset = offset;
        r->window_bytes = err == ERR_OK ? got : 0;
        if (r->window_bytes < PIECE_HEADER_BYTES)
            return NULL;
    }
    const uint8_t *h = r->window + (offset - r->window_offset);
    bool good = le32_get(h) == PIECE_MAGIC && le32_get(h + AT_BYTES) <= PIECE_BYTES_MAX &&
                le32_get(h + AT_HEADER_CRC) == piece_header_crc(r->salt, h);
    return good ? h : NULL;
}

/* *bytes: how long the header is. */
static enum err header_read(struct file *file, const char *path, uint64_t id, struct manifest_checkpoint *out,
                            uint32_t *salt, size_t *bytes, struct errmsg *why)
{
    uint8_t h[CHANGES_HEADER_BYTES] = {0};
    *bytes = FILE_HEADER_BYTES;
    TRY(file_pread_all(file, h, FILE_HEADER_BYTES, 0, why));
    uint32_t version = le32_get(h + AT_VERSION);
    if (version == VERSION_CHANGES) {
        *bytes = CHANGES_HEADER_BYTES;
        TRY(file_pread_all(file, h, CHANGES_HEADER_BYTES, 0, why));
    }
    if (memcmp(h, file_magic, sizeof file_magic) != 0 || le32_get(h + AT_CRC) != file_crc(h, *bytes))
        return err_set(why, ERR_CORRUPT, "%s: no checkpoint, or its header is damaged", path);
    if (version < 1 || version > VERSION_CHANGES)
        return err_set(why, ERR_UNSUPPORTED, "%s: written by a newer version", path);
    if (le64_get(h + AT_ID) != id)
        return err_set(why, ERR_CORRUPT, "%s: belongs to another data directory", path);
    *out = (struct manifest_checkpoint){.sequence = le64_get(h + AT_SEQUENCE),
                                        .from = le64_get(h + AT_FROM),
                                        .mint_ms = INT64_MAX,
                                        .maxt_ms = INT64_MIN};
    *salt = salt_of(h, *bytes);
    return ERR_OK;
}

static enum err read_header(struct reader *r, const char *path, uint64_t id, const struct manifest_checkpoint *c,
                            struct errmsg *why)
{
    struct manifest_checkpoint found = {0};
    size_t bytes;
    TRY(file_size(r->file, &r->size, why));
    r->report->bytes_total = r->size;
    TRY(header_read(r->file, path, id, &found, &r->salt, &bytes, why));
    if (found.sequence != c->sequence || found.from != c->from)
        return err_set(why, ERR_CORRUPT, "%s: belongs to another place in the log", path);
    r->offset = bytes;
    return ERR_OK;
}

/* A good header stands at r->offset: delivers its payload if that is good, too. */
static enum err read_piece(struct reader *r, const uint8_t *header, checkpoint_visit visit, void *ctx,
                           struct errmsg *why)
{
    uint32_t bytes = le32_get(header + AT_BYTES), index = le32_get(header + AT_INDEX);
    uint32_t want = le32_get(header + AT_PAYLOAD_CRC); /* header is in the window: gone after the next read */
    uint64_t start = r->offset + PIECE_HEADER_BYTES;
    buf_reset(&r->payload);
    uint8_t *to = bytes <= r->size - start ? buf_reserve(&r->payload, (size_t)bytes + 1) : NULL;
    bool good = to && file_pread_all(r->file, to, bytes, start, NULL) == ERR_OK && crc32c(r->salt, to, bytes) == want;
    if (!good) {
        damage(r);
        r->offset += PIECE_HEADER_BYTES; /* its length may be right, but what follows may be a piece already */
        return ERR_OK;
    }
    if (index != r->next_index)
        damage(r);
    r->in_damage = false;
    r->next_index = index + 1;
    r->offset = start + bytes;
    r->report->bytes = r->offset;
    if (bytes == 0) {
        r->report->complete = r->report->damaged == 0;
        r->offset = r->size;
        return ERR_OK;
    }
    r->report->pieces++;
    return visit ? visit(ctx, slice_of(to, bytes), r->report, why) : ERR_OK;
}

static enum err read_pieces(struct reader *r, checkpoint_visit visit, void *ctx, struct errmsg *why)
{
    enum err err = ERR_OK;
    r->window = mem_alloc(WINDOW_BYTES);
    while (err == ERR_OK && r->offset + PIECE_HEADER_BYTES <= r->size) {
        const uint8_t *header = header_at(r, r->offset);
        if (header) {
            err = read_piece(r, header, visit, ctx, why);
        } else {
            damage(r);
            r->offset++;
        }
    }
    if (err == ERR_OK && !r->report->complete && r->report->damaged == 0)
        damage(r); /* cut off between two pieces */
    mem_free(r->window);
    buf_deinit(&r->payload);
    return err;
}

enum err checkpoint_identify(struct fs *fs, const char *path, uint64_t id, struct manifest_checkpoint *out,
                             struct errmsg *why)
{
    struct file *file;
    uint32_t salt;
    size_t bytes;
    TRY(fs_open(fs, path, FS_READ, &file, why));
    enum err err = header_read(file, path, id, out, &salt, &bytes, why);
    enum err ignored = file_close(file, NULL);
    (void)ignored; /* only read */
    return err;
}

enum err checkpoint_read(struct fs *fs, const char *path, uint64_t id, const struct manifest_checkpoint *c,
                         checkpoint_visit visit, void *ctx, struct checkpoint_report *report, struct errmsg *why)
{
    *report = (struct checkpoint_report){0};
    struct reader r = {.report = report};
    TRY(fs_open(fs, path, FS_READ, &r.file, why));
    enum err err = read_header(&r, path, id, c, why);
    if (err == ERR_OK)
        err = read_pieces(&r, visit, ctx, why);
    enum err ignored = file_close(r.file, NULL);
    (void)ignored; /* only read */
    return err;
}
