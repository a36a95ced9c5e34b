/*
 * restore.c - a backup becomes a data directory.
 *
 * The file `restoring` is there first and goes last: a server refuses a directory with it, so that a half-restored
 * one is never taken for a store that lost its blocks.
 */
#include <stdio.h>

#include "backup/backup_internal.h"
#include "tsdb/tsdb.h"

struct restore {
    struct fs *fs;
    const char *dest, *dir;
    struct backup_list list;
    struct buf *out;
    uint64_t problems;
};

static bool any_name(void *ctx, const char *name)
{
    *(bool *)ctx = *(bool *)ctx || strcmp(name, "lost+found") != 0;
    return true;
}

static enum err target_prepare(struct restore *r, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    bool occupied = false;
    TRY(fs_mkdir_all(r->fs, r->dir, why));
    TRY(fs_list(r->fs, r->dir, any_name, &occupied, why));
    if (occupied)
        return err_set(why, ERR_EXISTS, "%s is not empty; a backup is restored into an empty directory only", r->dir);
    TRY(join_path(r->dir, TSDB_RESTORING, path, why));
    return fs_replace_file(r->fs, path, SLICE_LIT("a backup is being restored here\n"), why);
}

/* Directories of a path, below r->dir. */
static enum err parents_make(struct restore *r, const char *relative, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    const char *slash = strrchr(relative, '/');
    if (!slash)
        return ERR_OK;
    int n = snprintf(path, sizeof path, "%s/%.*s", r->dir, (int)(slash - relative), relative);
    return n < (int)sizeof path ? fs_mkdir_all(r->fs, path, why) : err_set(why, ERR_LIMIT, "path is too long");
}

static enum err restore_file(struct restore *r, const struct backup_file *file, struct errmsg *why)
{
    char to[BACKUP_PATH_BYTES];
    TRY(join_path(r->dir, file->path, to, why));
    TRY(parents_make(r, file->path, why));
    return object_fetch(r->fs, r->dest, file, to, why);
}

/* A damaged object is told with its file, and the others are tried, too. */
static enum err restore_files(struct restore *r, struct errmsg *why)
{
    for (size_t i = 0; i < r->list.count; i++) {
        struct errmsg text = {0};
        enum err err = restore_file(r, &r->list.files[i], &text);
        if (err == ERR_OK)
            continue;
        if (err != ERR_CORRUPT && err != ERR_NOT_FOUND)
            return err_set(why, err, "%s", text.text);
        buf_printf(r->out, "%s: %s\n", r->list.files[i].path, text.text);
        r->problems++;
    }
    return ERR_OK;
}

static enum err sync_folder(struct restore *r, const char *path, int depth, struct errmsg *why)
{
    struct fs_names names;
    enum err err = fs_names_of(r->fs, path, &names, why);
    for (size_t i = 0; i < names.count && err == ERR_OK && depth > 0; i++) {
        char child[BACKUP_PATH_BYTES];
        struct fs_stat st;
        err = join_path(path, names.list[i], child, why);
        if (err == ERR_OK)
            err = fs_stat_path(r->fs, child, &st, why);
        if (err == ERR_OK && st.is_dir)
            err = sync_folder(r, child, depth - 1, why);
    }
    fs_names_deinit(&names);
    return err == ERR_OK ? fs_sync_dir(r->fs, path, why) : err;
}

static enum err finish(struct restore *r, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    TRY(sync_folder(r, r->dir, 4, why));
    TRY(join_path(r->dir, TSDB_RESTORING, path, why));
    TRY(fs_unlink(r->fs, path, why));
    return fs_sync_dir(r->fs, r->dir, why);
}

static enum err choose(struct restore *r, const struct dest *d, const char *name, struct errmsg *why)
{
    struct fs_names names;
    if (name && !backup_name_is_safe(name))
        return err_set(why, ERR_INVALID, "\"%.80s\" is no name of a backup", name);
    enum err err = dest_names(d, &names, why);
    if (err == ERR_OK && !name && names.count == 0)
        err = err_set(why, ERR_NOT_FOUND, "%s holds no backup", r->dest);
    if (err == ERR_OK)
        err = list_load(r->fs, r->dest, name ? name : names.list[names.count - 1], &r->list, why);
    fs_names_deinit(&names);
    return err;
}

enum err backup_restore(struct fs *fs, const char *dest, const char *name, const char *dir, struct buf *out,
                        uint64_t *problems, struct errmsg *why)
{
    struct restore r = {.fs = fs, .dest = dest, .dir = dir, .out = out};
    struct dest d;
    TRY(dest_open(&d, fs, dest, false, why));
    enum err err = choose(&r, &d, name, why);
    if (err == ERR_OK)
        err = target_prepare(&r, why);
    if (err == ERR_OK)
        err = restore_files(&r, why);
    if (err == ERR_OK && r.problems == 0)
        err = finish(&r, why);
    *problems = r.problems;
    list_deinit(&r.list);
    dest_close(&d);
    return err;
}
