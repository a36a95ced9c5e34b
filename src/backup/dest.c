/* dest.c - the directory that backups are in: its version, its lock, which backups there are. */
#include <stdio.h>

#include "backup/backup_internal.h"
#include "base/mem.h"

#define FORMAT_TEXT "gnomon backups 1\n"

enum { FORMAT_BYTES_MAX = 256, DEST_BYTES_MAX = 900 };

enum err join_path(const char *a, const char *b, char out[BACKUP_PATH_BYTES], struct errmsg *why)
{
    int n = snprintf(out, BACKUP_PATH_BYTES, "%s/%s", a, b);
    return n > 0 && n < BACKUP_PATH_BYTES ? ERR_OK : err_set(why, ERR_LIMIT, "path is too long: %.60s...", a);
}

/* Whether a list of a backup can be read: then the directory is ours, whatever its format file says. */
static bool has_backup(const struct dest *d)
{
    struct fs_names names;
    bool found = false;
    if (dest_names(d, &names, NULL) == ERR_OK)
        for (size_t i = names.count; i > 0 && !found; i--) {
            struct backup_list l;
            found = list_load(d->fs, d->path, names.list[i - 1], &l, NULL) == ERR_OK;
            list_deinit(&l);
        }
    fs_names_deinit(&names);
    return found;
}

/* One wrong bit here must not keep anybody from a restore. */
static enum err check_format(struct dest *d, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES], copy[FORMAT_BYTES_MAX], want[FORMAT_BYTES_MAX];
    struct buf text = {.own = true};
    unsigned version = 0;
    TRY(join_path(d->path, "format", path, why));
    enum err err = fs_read_file(d->fs, path, FORMAT_BYTES_MAX - 1, &text, why);
    snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.len ? (const char *)text.data : "");
    buf_deinit(&text);
    if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_LIMIT)
        return err;
    bool whole = err == ERR_OK && sscanf(copy, "gnomon backups %u", &version) == 1 &&
                 snprintf(want, sizeof want, "gnomon backups %u\n", version) > 0 && strcmp(copy, want) == 0;
    if (whole && version > 1)
        return err_set(why, ERR_UNSUPPORTED, "%s was written by a newer version (format %u, this one knows 1)", d->path,
                       version);
    d->format_damaged = !whole || version != 1;
    if (!d->format_damaged || has_backup(d))
        return ERR_OK;
    return err_set(why, err == ERR_NOT_FOUND ? err : ERR_INVALID, "%s holds no backups of gnomon", d->path);
}

static enum err mend_format(struct dest *d, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    TRY(join_path(d->path, "format", path, why));
    TRY(fs_replace_file(d->fs, path, SLICE_LIT(FORMAT_TEXT), why));
    d->format_damaged = false;
    return ERR_OK;
}

static bool any_name(void *ctx, const char *name)
{
    bool ours = strcmp(name, "lock") == 0 || strcmp(name, "lost+found") == 0 || strstr(name, ".tmp");
    *(bool *)ctx = *(bool *)ctx || !ours;
    return true;
}

/* A new destination's own name must survive, too. */
static enum err parent_sync(struct dest *d, struct errmsg *why)
{
    char parent[BACKUP_PATH_BYTES];
    const char *slash = strrchr(d->path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - d->path) : 1, slash ? d->path : ".");
    return fs_sync_dir(d->fs, parent[0] ? parent : "/", why);
}

/* A directory with other things in it is a slip of the user. */
static enum err make_new(struct dest *d, struct errmsg *why)
{
    static const char *const folders[] = {"objects", "backups"};
    char path[BACKUP_PATH_BYTES];
    bool occupied = false;
    TRY(fs_list(d->fs, d->path, any_name, &occupied, why));
    if (occupied)
        return err_set(why, ERR_INVALID, "%s is not empty and holds no backups of gnomon", d->path);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        TRY(join_path(d->path, folders[i], path, why));
        TRY(fs_mkdir_all(d->fs, path, why));
    }
    TRY(join_path(d->path, "format", path, why));
    TRY(fs_replace_file(d->fs, path, SLICE_LIT(FORMAT_TEXT), why));
    return parent_sync(d, why);
}

static enum err take_lock(struct dest *d, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    TRY(fs_mkdir_all(d->fs, d->path, why));
    TRY(join_path(d->path, "lock", path, why));
    TRY(fs_open(d->fs, path, FS_WRITE | FS_CREATE, &d->lock, why));
    enum err err = file_lock(d->lock, why);
    if (err == ERR_UNSUPPORTED) /* a file system without locks: whoever keeps backups there sees to it */
        return ERR_OK;
    return err == ERR_EXISTS ? err_set(why, err, "another backup into %s is running", d->path) : err;
}

enum err dest_open(struct dest *d, struct fs *fs, const char *path, bool make, struct errmsg *why)
{
    *d = (struct dest){.fs = fs, .path = path};
    if (!*path || strlen(path) > DEST_BYTES_MAX)
        return err_set(why, ERR_LIMIT, "the path of backups has 1 to %d bytes", DEST_BYTES_MAX);
    enum err err = make ? take_lock(d, why) : ERR_OK;
    if (err == ERR_OK)
        err = check_format(d, why);
    if (err == ERR_NOT_FOUND && make)
        err = make_new(d, why);
    if (err == ERR_OK && make && d->format_damaged)
        err = mend_format(d, why);
    if (err != ERR_OK)
        dest_close(d);
    return err;
}

void dest_close(struct dest *d)
{
    enum err ignored = file_close(d->lock, NULL);
    (void)ignored; /* the lock goes with the file */
    d->lock = NULL;
}

enum err dest_names(const struct dest *d, struct fs_names *out, struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    *out = (struct fs_names){0};
    TRY(join_path(d->path, "backups", path, why));
    enum err err = fs_names_of(d->fs, path, out, why);
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (backup_name_is_safe(out->list[i]) && !strstr(out->list[i], ".tmp"))
            out->list[kept++] = out->list[i];
        else
            mem_free(out->list[i]);
    }
    out->count = kept;
    return err;
}
