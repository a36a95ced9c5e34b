/* segment.c - files of the log; the contract is in segment.h. */
#include "wal/segment.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum { FILL_BYTES = 1 << 20, NAME_DIGITS = 16 };

void segment_list_deinit(struct segment_list *l)
{
    mem_free(l->list);
    *l = (struct segment_list){0};
}

void segment_path(const struct segment_dir *dir, uint64_t number, const char *suffix, char out[SEGMENT_PATH_BYTES])
{
    int n = snprintf(out, SEGMENT_PATH_BYTES, "%s/%016llx.%s", dir->path, (unsigned long long)number, suffix);
    assert(n > 0 && n < SEGMENT_PATH_BYTES);
}

/* ---- listing ---- */

struct list_ctx {
    struct fs *fs;
    const char *path;
    struct segment_list *segments, *spares;
};

/* 16 lower-case hex digits and a suffix; false for any other name. */
static bool name_parse(const char *name, uint64_t *number, const char **suffix)
{
    uint64_t v = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        char c = name[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        v = v << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *number = v;
    *suffix = name + NAME_DIGITS;
    return v > 0;
}

static void list_add(struct list_ctx *l, struct segment_list *to, uint64_t number, const char *name)
{
    char path[SEGMENT_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", l->path, name);
    struct fs_stat st = {0};
    if (n < 0 || n >= SEGMENT_PATH_BYTES || fs_stat_path(l->fs, path, &st, NULL) != ERR_OK || st.is_dir)
        st.bytes = 0; /* an unreadable one is still listed: opening it will say why */
    to->list = mem_grow(to->list, &to->capacity, to->count + 1, sizeof *to->list);
    to->list[to->count++] = (struct segment_name){number, st.bytes};
}

static bool list_visit(void *ctx, const char *name)
{
    struct list_ctx *l = ctx;
    uint64_t number;
    const char *suffix;
    if (!name_parse(name, &number, &suffix))
        return true;
    if (l->segments && strcmp(suffix, ".wal") == 0)
        list_add(l, l->segments, number, name);
    else if (l->spares && strcmp(suffix, ".spare") == 0)
        list_add(l, l->spares, number, name);
    return true;
}

static int name_cmp(const void *a, const void *b)
{
    const struct segment_name *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

enum err segment_dir_list(struct fs *fs, const char *path, struct segment_list *segments, struct segment_list *spares,
                          struct errmsg *why)
{
    struct list_ctx ctx = {fs, path, segments, spares};
    TRY(fs_list(fs, path, list_visit, &ctx, why));
    if (segments && segments->count)
        qsort(segments->list, segments->count, sizeof *segments->list, name_cmp);
    if (spares && spares->count)
        qsort(spares->list, spares->count, sizeof *spares->list, name_cmp);
    return ERR_OK;
}

/* ---- making ---- */

static enum err header_write(const struct segment_dir *dir, struct file *file, uint64_t number, struct errmsg *why)
{
    uint8_t header[SEGMENT_HEADER_BYTES];
    segment_header_put(header, &(struct segment_header){
                                   .version = SEGMENT_VERSION,
                                   .number = number,
                                   .id = dir->id,
                                   .created_ms = clock_now_ms(dir->clock),
                               });
    return file_pwrite(file, header, sizeof header, 0, why);
}

static enum err file_for(const struct segment_dir *dir, uint64_t spare, const char *path, struct file **out,
                         struct errmsg *why)
{
    if (spare) {
        char from[SEGMENT_PATH_BYTES];
        segment_path(dir, spare, "spare", from);
        TRY(fs_rename(dir->fs, from, path, why));
        return fs_open(dir->fs, path, FS_WRITE, out, why);
    }
    TRY(fs_open(dir->fs, path, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, out, why));
    enum err err = file_allocate(*out, dir->segment_bytes, why);
    if (err == ERR_OK || err == ERR_UNSUPPORTED)
        return ERR_OK;
    enum err ignored = file_close(*out, NULL);
    (void)ignored; /* the allocation is what failed */
    return err;
}

enum err segment_create(const struct segment_dir *dir, uint64_t number, uint64_t spare, struct file **out,
                        struct errmsg *why)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(dir, number, "wal", path);
    struct file *file;
    TRY(file_for(dir, spare, path, &file, why));
    enum err err = header_write(dir, file, number, why);
    if (err == ERR_OK)
        err = file_sync(file, false, why);
    if (err == ERR_OK)
        err = fs_sync_dir(dir->fs, dir->path, why);
    if (err == ERR_OK) {
        *out = file;
        return ERR_OK;
    }
    enum err ignored = file_close(file, NULL);
    ignored = fs_unlink(dir->fs, path, NULL); /* best effort: an empty segment does no harm */
    (void)ignored;
    return err;
}

/* Synced piece by piece: 64 MiB at once would hold up the log's own syncs. */
static enum err fill(struct file *file, uint64_t bytes, bool (*stop)(void *ctx), void *ctx, struct errmsg *why)
{
    size_t step = bytes < FILL_BYTES ? (size_t)bytes : FILL_BYTES;
    uint8_t *zeros = mem_zalloc(step);
    enum err err = ERR_OK;
    for (uint64_t at = 0; at < bytes && err == ERR_OK; at += step) {
        size_t n = bytes - at < step ? (size_t)(bytes - at) : step;
        err = stop(ctx) ? err_set(why, ERR_CANCELED, "stopping") : file_pwrite(file, zeros, n, at, why);
        if (err == ERR_OK)
            err = file_sync(file, at + n < bytes, why);
    }
    mem_free(zeros);
    return err;
}

enum err segment_fill_spare(const struct segment_dir *dir, uint64_t number, bool (*stop)(void *ctx), void *ctx,
                            struct errmsg *why)
{
    char tmp[SEGMENT_PATH_BYTES], path[SEGMENT_PATH_BYTES];
    snprintf(tmp, sizeof tmp, "%s/fill.tmp", dir->path);
    segment_path(dir, number, "spare", path);
    struct file *file;
    TRY(fs_open(dir->fs, tmp, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file, why));
    enum err err = fill(file, dir->segment_bytes, stop, ctx, why);
    enum err close_err = file_close(file, err == ERR_OK ? why : NULL);
    err = err == ERR_OK ? close_err : err;
    if (err == ERR_OK)
        err = fs_rename(dir->fs, tmp, path, why);
    if (err == ERR_OK)
        return ERR_OK;
    enum err ignored = fs_unlink(dir->fs, tmp, NULL);
    (void)ignored; /* truncated by the next try */
    return err;
}

/* ---- leaving use ---- */

enum err segment_to_spare(const struct segment_dir *dir, uint64_t number, struct errmsg *why)
{
    char from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];
    segment_path(dir, number, "wal", from);
    segment_path(dir, number, "spare", to);
    return fs_rename(dir->fs, from, to, why);
}

enum err segment_remove(const struct segment_dir *dir, uint64_t number, const char *suffix, struct errmsg *why)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(dir, number, suffix, path);
    enum err err = fs_unlink(dir->fs, path, why);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err segment_set_aside(const struct segment_dir *dir, uint64_t number, struct errmsg *why)
{
    char aside[SEGMENT_PATH_BYTES], from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];
    snprintf(aside, sizeof aside, "%s/damaged", dir->path);
    TRY(fs_mkdir_all(dir->fs, aside, why));
    segment_path(dir, number, "wal", from);
    int n = snprintf(to, sizeof to, "%s/damaged/%016llx.wal", dir->path, (unsigned long long)number);
    assert(n > 0 && n < SEGMENT_PATH_BYTES);
    return fs_rename(dir->fs, from, to, why);
}

static enum err copy_bytes(struct file *from, struct file *to, struct errmsg *why)
{
    uint8_t *block = mem_alloc(FILL_BYTES);
    enum err err = ERR_OK;
    size_t got = FILL_BYTES;
    for (uint64_t at = 0; err == ERR_OK && got == FILL_BYTES; at += got) {
        err = file_pread(from, block, FILL_BYTES, at, &got, why);
        if (err == ERR_OK && got > 0)
            err = file_pwrite(to, block, got, at, why);
    }
    mem_free(block);
    return err == ERR_OK ? file_sync(to, false, why) : err;
}

static enum err rewrite(const struct segment_dir *dir, struct file *from, const char *path, struct errmsg *why)
{
    char tmp[SEGMENT_PATH_BYTES];
    snprintf(tmp, sizeof tmp, "%s/copy.tmp", dir->path);
    struct file *to;
    TRY(fs_open(dir->fs, tmp, FS_WRITE | FS_CREATE | FS_TRUNCATE, &to, why));
    enum err err = copy_bytes(from, to, why);
    enum err close_err = file_close(to, err == ERR_OK ? why : NULL);
    err = err == ERR_OK ? close_err : err;
    return err == ERR_OK ? fs_rename(dir->fs, tmp, path, why) : err;
}

enum err segment_settle(const struct segment_dir *dir, uint64_t number, struct errmsg *why)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(dir, number, "wal", path);
    struct file *file;
    TRY(fs_open(dir->fs, path, FS_WRITE, &file, why));
    enum err err = file_sync(file, false, why);
    if (err != ERR_OK)
        err = rewrite(dir, file, path, why);
    enum err ignored = file_close(file, NULL);
    (void)ignored; /* the sync has spoken */
    return err;
}
