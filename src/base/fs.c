/* fs.c - helpers over the fs table that hold for every implementation; the contract is in fs.h. */
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { PATH_BYTES_MAX = 4096, TREE_DEPTH_MAX = 16 };

enum err fs_open(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why)
{
    return fs->ops->open(fs, path, flags, out, why);
}

enum err fs_mkdir(struct fs *fs, const char *path, struct errmsg *why)
{
    return fs->ops->mkdir(fs, path, why);
}

enum err fs_mkdir_all(struct fs *fs, const char *path, struct errmsg *why)
{
    char part[PATH_BYTES_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return err_set(why, ERR_LIMIT, "path is longer than %d bytes", PATH_BYTES_MAX - 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        struct fs_stat st;
        if (fs_stat_path(fs, part, &st, NULL) == ERR_OK && st.is_dir)
            continue;
        enum err err = fs_mkdir(fs, part, why);
        if (err != ERR_OK && err != ERR_EXISTS)
            return err;
    }
    return ERR_OK;
}

enum err fs_rename(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    return fs->ops->rename(fs, from, to, why);
}

enum err fs_link(struct fs *fs, const char *from, const char *to, struct errmsg *why)
{
    return fs->ops->link(fs, from, to, why);
}

enum err fs_unlink(struct fs *fs, const char *path, struct errmsg *why)
{
    return fs->ops->unlink(fs, path, why);
}

enum err fs_rmdir(struct fs *fs, const char *path, struct errmsg *why)
{
    return fs->ops->rmdir(fs, path, why);
}

/* Names are collected first: removing while listing may skip entries on some file systems. */
struct name_list {
    char **names;
    size_t count, capacity;
};

static bool collect_name(void *ctx, const char *name)
{
    struct name_list *l = ctx;
    l->names = mem_grow(l->names, &l->capacity, l->count + 1, sizeof *l->names);
    l->names[l->count++] = mem_strdup(name);
    return true;
}

static enum err remove_tree(struct fs *fs, const char *path, int depth, struct errmsg *why)
{
    struct fs_stat st;
    enum err err = fs_stat_path(fs, path, &st, why);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    if (!st.is_dir || st.is_link)
        return fs_unlink(fs, path, why);
    if (depth == 0)
        return err_set(why, ERR_LIMIT, "remove %s: nested deeper than %d", path, TREE_DEPTH_MAX);
    struct name_list list = {0};
    err = fs_list(fs, path, collect_name, &list, why);
    for (size_t i = 0; i < list.count; i++) {
        char child[PATH_BYTES_MAX];
        int n = snprintf(child, sizeof child, "%s/%s", path, list.names[i]);
        if (err == ERR_OK && (n < 0 || (size_t)n >= sizeof child))
            err = err_set(why, ERR_LIMIT, "path is longer than %d bytes", PATH_BYTES_MAX - 1);
        if (err == ERR_OK)
            err = remove_tree(fs, child, depth - 1, why);
        mem_free(list.names[i]);
    }
    mem_free(list.names);
    return err == ERR_OK ? fs_rmdir(fs, path, why) : err;
}

enum err fs_remove_all(struct fs *fs, const char *path, struct errmsg *why)
{
    return remove_tree(fs, path, TREE_DEPTH_MAX, why);
}

enum err fs_stat_path(struct fs *fs, const char *path, struct fs_stat *out, struct errmsg *why)
{
    return fs->ops->stat(fs, path, out, why);
}

enum err fs_list(struct fs *fs, const char *path, bool (*visit)(void *ctx, const char *name), void *ctx,
                 struct errmsg *why)
{
    return fs->ops->list(fs, path, visit, ctx, why);
}

enum err fs_sync_dir(struct fs *fs, const char *path, struct errmsg *why)
{
    return fs->ops->sync_dir(fs, path, why);
}

enum err fs_space_of(struct fs *fs, const char *path, struct fs_space *out, struct errmsg *why)
{
    return fs->ops->space(fs, path, out, why);
}

enum err fs_read_file(struct fs *fs, const char *path, size_t bytes_max, struct buf *out, struct errmsg *why)
{
    struct file *file;
    TRY(fs_open(fs, path, FS_READ, &file, why));
    uint64_t bytes = 0;
    enum err err = file_size(file, &bytes, why);
    if (err == ERR_OK && bytes > bytes_max)
        err = err_set(why, ERR_LIMIT, "%s: %llu bytes, more than %zu", path, (unsigned long long)bytes, bytes_max);
    uint8_t *p = err == ERR_OK ? buf_reserve(out, (size_t)bytes) : NULL;
    if (err == ERR_OK && !p)
        err = err_set(why, ERR_NO_MEMORY, "%s: no memory for %llu bytes", path, (unsigned long long)bytes);
    if (err == ERR_OK)
        err = file_pread_all(file, p, (size_t)bytes, 0, why);
    if (err == ERR_OK)
        out->len += (size_t)bytes;
    enum err close_err = file_close(file, NULL); /* nothing was written: a failing close loses nothing */
    (void)close_err;
    return err;
}

static enum err write_and_sync(struct fs *fs, const char *path, struct slice content, struct errmsg *why)
{
    struct file *file;
    TRY(fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file, why));
    enum err err = file_pwrite(file, content.data, content.len, 0, why);
    if (err == ERR_OK)
        err = file_sync(file, false, why);
    enum err close_err = file_close(file, err == ERR_OK ? why : NULL);
    return err == ERR_OK ? close_err : err;
}

enum err fs_replace_file(struct fs *fs, const char *path, struct slice content, struct errmsg *why)
{
    char tmp[PATH_BYTES_MAX], dir[PATH_BYTES_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(why, ERR_LIMIT, "path is longer than %d bytes", PATH_BYTES_MAX - 1);
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    enum err err = write_and_sync(fs, tmp, content, why);
    if (err == ERR_OK)
        err = fs_rename(fs, tmp, path, why);
    if (err != ERR_OK) {
        enum err unlink_err = fs_unlink(fs, tmp, NULL); /* best effort: the next replace truncates it anyway */
        (void)unlink_err;
        return err;
    }
    return fs_sync_dir(fs, dir[0] ? dir : "/", why);
}

enum err file_close(struct file *file, struct errmsg *why)
{
    return file ? file->ops->close(file, why) : ERR_OK;
}

enum err file_pread(struct file *file, void *out, size_t bytes, uint64_t offset, size_t *got, struct errmsg *why)
{
    return file->ops->pread(file, out, bytes, offset, got, why);
}

enum err file_pread_all(struct file *file, void *out, size_t bytes, uint64_t offset, struct errmsg *why)
{
    size_t got = 0;
    TRY(file_pread(file, out, bytes, offset, &got, why));
    if (got < bytes)
        return err_set(why, ERR_CORRUPT, "%zu bytes short at offset %llu", bytes - got, (unsigned long long)offset);
    return ERR_OK;
}

enum err file_pwrite(struct file *file, const void *data, size_t bytes, uint64_t offset, struct errmsg *why)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes}; /* iovec has no const form */
    return file->ops->pwritev(file, &part, 1, offset, why);
}

enum err file_pwritev(struct file *file, const struct iovec *parts, int count, uint64_t offset, struct errmsg *why)
{
    return file->ops->pwritev(file, parts, count, offset, why);
}

enum err file_sync(struct file *file, bool data_only, struct errmsg *why)
{
    return file->ops->sync(file, data_only, why);
}

enum err file_truncate(struct file *file, uint64_t bytes, struct errmsg *why)
{
    return file->ops->truncate(file, bytes, why);
}

enum err file_allocate(struct file *file, uint64_t bytes, struct errmsg *why)
{
    return file->ops->allocate(file, bytes, why);
}

enum err file_size(struct file *file, uint64_t *bytes, struct errmsg *why)
{
    return file->ops->size(file, bytes, why);
}

enum err file_lock(struct file *file, struct errmsg *why)
{
    return file->ops->lock(file, why);
}
