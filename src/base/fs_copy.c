/* fs_copy.c - copies, second names and sorted names over the fs table; the contract is in fs.h. */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

enum { COPY_BYTES = 1 << 20 };

static enum err copy_bytes(struct file *from, struct file *to, uint64_t bytes, struct errmsg *why)
{
    uint8_t *buffer = mem_alloc(COPY_BYTES);
    enum err err = ERR_OK;
    for (uint64_t at = 0; at < bytes && err == ERR_OK;) {
        size_t n = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;
        err = file_pread_all(from, buffer, n, at, why);
        if (err == ERR_OK)
            err = file_pwrite(to, buffer, n, at, why);
        at += n;
    }
    mem_free(buffer);
    return err == ERR_OK ? file_sync(to, false, why) : err;
}

static enum err copy_into(struct fs *fs, struct file *from, const char *to, uint64_t bytes, struct errmsg *why)
{
    struct file *file;
    uint64_t size = bytes;
    if (bytes == UINT64_MAX)
        TRY(file_size(from, &size, why));
    TRY(fs_open(fs, to, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &file, why));
    enum err err = copy_bytes(from, file, size, why);
    enum err close_err = file_close(file, err == ERR_OK ? why : NULL);
    err = err == ERR_OK ? close_err : err;
    if (err != ERR_OK && fs_unlink(fs, to, NULL) != ERR_OK)
        return err; /* the caller's directory is swept with it */
    return err;
}

enum err fs_copy_file(struct fs *fs, const char *from, const char *to, uint64_t bytes, struct errmsg *why)
{
    struct file *file;
    TRY(fs_open(fs, from, FS_READ, &file, why));
    enum err err = copy_into(fs, file, to, bytes, why);
    enum err ignored = file_close(file, NULL);
    (void)ignored; /* nothing was written to it */
    return err;
}

enum err fs_link_or_copy(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    enum err err = fs_link(fs, from, to, why);
    if (err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_EXISTS || err == ERR_NO_SPACE)
        return err;
    return fs_copy_file(fs, from, to, UINT64_MAX, why);
}

static bool add_name(void *ctx, const char *name)
{
    struct fs_names *names = ctx;
    names->list = mem_grow(names->list, &names->capacity, names->count + 1, sizeof *names->list);
    names->list[names->count++] = mem_strdup(name);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err fs_names_of(struct fs *fs, const char *path, struct fs_names *out, struct errmsg *why)
{
    *out = (struct fs_names){0};
    TRY(fs_list(fs, path, add_name, out, why));
    if (out->count > 1)
        qsort(out->list, out->count, sizeof *out->list, by_name);
    return ERR_OK;
}

void fs_names_deinit(struct fs_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->list[i]);
    mem_free(names->list);
    *names = (struct fs_names){0};
}
