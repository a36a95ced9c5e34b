/*
 * make.c - a new backup:
 *
 *     1. a snapshot of the data directory, made directly in it (a server may be running)
 *     2. every file of it whose path, length and time the newest backup does not list is copied into objects/,
 *        fsynced and named by its hash
 *     3. the list, written beside its name, fsynced, renamed
 *     4. the snapshot is removed
 * Until 3 is done nothing refers to the new contents, so earlier backups are as they were.
 */
#include <stdio.h>
#include <time.h>

#include "backup/backup_internal.h"
#include "base/log.h"
#include "tsdb/tsdb.h"

struct make {
    const struct backup_options *o;
    struct dest dest;
    char source[BACKUP_PATH_BYTES];
    struct backup_list before, list;
    struct backup_report *report;
};

static bool has_object(struct make *m, const struct backup_file *file)
{
    char path[BACKUP_PATH_BYTES];
    struct fs_stat st;
    object_path(m->o->dest, &file->hash, path);
    return fs_stat_path(m->o->fs, path, &st, NULL) == ERR_OK && st.bytes == file->bytes;
}

/* Files that are written once under a name of their own; anything else is always read. */
static bool is_unchanged(struct make *m, const struct backup_file *known, const struct backup_file *file)
{
    bool immutable = strncmp(file->path, "blocks/", 7) == 0 || strncmp(file->path, "checkpoints/", 12) == 0;
    return known && immutable && file->mtime_ms != 0 && known->bytes == file->bytes &&
           known->mtime_ms == file->mtime_ms && has_object(m, known);
}

static enum err add_file(struct make *m, const char *relative, const struct fs_stat *st, struct errmsg *why)
{
    char from[BACKUP_PATH_BYTES];
    struct backup_file file = {.bytes = st->bytes, .mtime_ms = st->mtime_ms};
    bool fresh = false;
    if (!path_is_safe(relative))
        return err_set(why, ERR_INVALID, "a file with a name that no backup can hold: %.100s", relative);
    memcpy(file.path, relative, strlen(relative) + 1); /* path_is_safe bounds it */
    const struct backup_file *known = m->o->full ? NULL : list_find(&m->before, relative);
    if (is_unchanged(m, known, &file)) {
        file.hash = known->hash;
    } else {
        TRY(join_path(m->source, relative, from, why));
        TRY(object_store(m->o->fs, m->o->dest, from, m->o->full, &file, &fresh, why));
    }
    list_add(&m->list, &file);
    m->report->files++;
    m->report->bytes += file.bytes;
    m->report->new_files += fresh;
    m->report->new_bytes += fresh ? file.bytes : 0;
    return ERR_OK;
}

/* What belongs to the server that runs on a directory, not to its data. */
static bool is_passed_over(const char *relative)
{
    static const char *const names[] = {"lock", "reserve", "snapshots", "quarantine", "wal/damaged", "lost+found"};
    size_t len = strlen(relative);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(relative, names[i]) == 0)
            return true;
    return (len > 4 && strcmp(relative + len - 4, ".tmp") == 0) ||
           (len > 6 && strcmp(relative + len - 6, ".spare") == 0);
}

static enum err add_folder(struct make *m, const char *relative, int depth, struct errmsg *why)
{
    char folder[BACKUP_PATH_BYTES], child[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES];
    struct fs_names names;
    struct fs_stat st;
    TRY(join_path(m->source, relative, folder, why));
    enum err err = fs_names_of(m->o->fs, folder, &names, why);
    for (size_t i = 0; i < names.count && err == ERR_OK; i++) {
        int n = snprintf(child, sizeof child, "%s%s%s", relative, *relative ? "/" : "", names.list[i]);
        if (n >= (int)sizeof child)
            err = err_set(why, ERR_LIMIT, "path is too long: %.60s...", child);
        if (err != ERR_OK || is_passed_over(child))
            continue;
        err = join_path(m->source, child, path, why);
        if (err == ERR_OK)
            err = fs_stat_path(m->o->fs, path, &st, why);
        if (err == ERR_OK && st.is_dir)
            err = depth > 0 ? add_folder(m, child, depth - 1, why)
                            : err_set(why, ERR_LIMIT, "%s: nested too deep", path);
        else if (err == ERR_OK && !st.is_special)
            err = add_file(m, child, &st, why);
    }
    fs_names_deinit(&names);
    return err;
}

/* The newest backup that can be read tells what is there already. */
static enum err load_newest(struct make *m, struct errmsg *why)
{
    struct fs_names names;
    enum err err = dest_names(&m->dest, &names, why);
    for (size_t i = names.count; i > 0 && err == ERR_OK && m->before.count == 0; i--)
        if (list_load(m->o->fs, m->o->dest, names.list[i - 1], &m->before, NULL) != ERR_OK)
            log_warn("backup", "an earlier backup is damaged", "name=%s", names.list[i - 1]);
    fs_names_deinit(&names);
    return err;
}

static enum err write_list(struct make *m, struct errmsg *why)
{
    char folder[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES];
    struct buf text = {0};
    TRY(join_path(m->o->dest, "backups", folder, why));
    TRY(join_path(folder, m->report->name, path, why));
    TRY(join_path(m->o->dest, "objects", folder, why));
    TRY(fs_sync_dir(m->o->fs, folder, why));
    list_sort(&m->list);
    list_print(&m->list, &text);
    enum err err = text.failed ? err_set(why, ERR_NO_MEMORY, "no memory for the list")
                               : fs_replace_file(m->o->fs, path, buf_view(&text), why);
    buf_deinit(&text);
    return err;
}

/* 20060102T150405.123Z-01234567: in order of time when sorted. */
static void name_make(struct make *m)
{
    time_t seconds = (time_t)(m->list.made_ms / 1000);
    struct tm t;
    char when[32];
    gmtime_r(&seconds, &t);
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", &t);
    snprintf(m->report->name, sizeof m->report->name, "%s.%03dZ-%08x", when, (int)(m->list.made_ms % 1000),
             (unsigned)random_u64(m->o->random));
}

static enum err copy_source(struct make *m, struct errmsg *why)
{
    m->list.made_ms = clock_now_ms(m->o->clock);
    name_make(m);
    TRY(load_newest(m, why));
    TRY(add_folder(m, "", 4, why));
    return write_list(m, why);
}

/*
 * The snapshot is the data directory's own; where nothing can be written there (a read-only file
 * system), nobody else can write either, and the directory is read as it is.
 */
static enum err with_snapshot(struct make *m, struct errmsg *why)
{
    const struct backup_options *o = m->o;
    char name[TSDB_SNAPSHOT_NAME];
    struct errmsg text = {0};
    enum err err = tsdb_snapshot_dir(o->fs, o->clock, o->random, o->dir, name, &text);
    if (err == ERR_IO) {
        log_warn("backup", "no snapshot can be made, the directory is read as it is", "err=\"%s\"", text.text);
        TRY(join_path(o->dir, ".", m->source, why));
        return copy_source(m, why);
    }
    if (err != ERR_OK)
        return err_set(why, err, "%s", text.text);
    int n = snprintf(m->source, sizeof m->source, "%s/snapshots/%s", o->dir, name);
    err = n < (int)sizeof m->source ? copy_source(m, why) : err_set(why, ERR_LIMIT, "path is too long");
    if (tsdb_snapshot_dir_remove(o->fs, o->dir, name, &text) != ERR_OK)
        log_warn("backup", "the snapshot could not be removed", "path=\"%s\" err=\"%s\"", m->source, text.text);
    return err;
}

enum err backup_make(const struct backup_options *o, struct backup_report *report, struct errmsg *why)
{
    struct make m = {.o = o, .report = report};
    struct fs_stat st;
    *report = (struct backup_report){0};
    TRY(fs_stat_path(o->fs, o->dir, &st, why));
    if (!st.is_dir)
        return err_set(why, ERR_INVALID, "%s is no directory", o->dir);
    TRY(dest_open(&m.dest, o->fs, o->dest, true, why));
    enum err err = with_snapshot(&m, why);
    list_deinit(&m.before);
    list_deinit(&m.list);
    dest_close(&m.dest);
    return err;
}
