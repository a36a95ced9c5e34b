/*
 * snapshot_dir.c - a snapshot by a tool that is not the server: a server may run on the directory, and is not asked.
 *
 * Manifest first, then second names and copies of what it lists, then the manifest again.  The log is cut off only after a
 * manifest with a newer checkpoint: as long as that is the same, all frames it needs were there.  Else,
 * and when a block went away meanwhile, it is done again.  A log segment is renamed before it is written
 * anew, so one that still has its name after it was copied was copied whole.
 */
#include <stdio.h>

#include "base/mem.h"
#include "tsdb/dir_view.h"
#include "tsdb/snapshot_internal.h"

enum { TRIES = 50, PAUSE_MS = 100 };

static enum err manifest_now(struct fs *fs, const char *dir, struct manifest *out, struct errmsg *why)
{
    struct dir_view v;
    TRY(dir_view_open(&v, fs, dir, why));
    enum err err = v.format[0] ? err_set(why, ERR_CORRUPT, "%s/format: %s", dir, v.format)
                   : v.manifest_text[0]
                       ? err_set(why, ERR_CORRUPT, "%s/MANIFEST: %s (a start of the server mends it)", dir, v.manifest_text)
                       : ERR_OK;
    if (err == ERR_OK)
        manifest_copy(out, &v.manifest);
    dir_view_close(&v);
    return err;
}

static bool is_segment(const char *name)
{
    size_t len = strlen(name);
    return len == 20 && strcmp(name + 16, ".wal") == 0;
}

/* Segments are made in their whole length: how much of one is more than zeros. */
static enum err used_of(struct fs *fs, const char *path, uint64_t *used, struct errmsg *why)
{
    enum { STEP = 1 << 20 };
    struct file *file;
    TRY(fs_open(fs, path, FS_READ, &file, why));
    uint8_t *bytes = mem_alloc(STEP);
    bool zeros = true;
    enum err err = file_size(file, used, why);
    while (err == ERR_OK && *used > 0 && zeros) {
        size_t n = *used % STEP ? (size_t)(*used % STEP) : STEP;
        err = file_pread_all(file, bytes, n, *used - n, why);
        while (err == ERR_OK && n > 0 && (zeros = bytes[n - 1] == 0)) {
            n--;
            --*used;
        }
    }
    mem_free(bytes);
    enum err ignored = file_close(file, NULL);
    (void)ignored; /* nothing was written to it */
    return err;
}

static enum err copy_segment(struct snapshot_maker *s, const char *name, struct errmsg *why)
{
    char from[SNAPSHOT_PATH_BYTES], copy[SNAPSHOT_PATH_BYTES];
    struct fs_stat st;
    int a = snprintf(from, sizeof from, "%s/wal/%s", s->dir, name);
    int b = snprintf(copy, sizeof copy, "%s/wal/%s", s->tmp, name);
    if (a >= SNAPSHOT_PATH_BYTES || b >= SNAPSHOT_PATH_BYTES)
        return err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
    uint64_t used = 0;
    enum err err = used_of(s->fs, from, &used, why);
    if (err == ERR_OK)
        err = snapshot_copy_segment(s, name, (used + 7) / 8 * 8, why);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* the log gave it up: nothing in it is needed */
    return fs_stat_path(s->fs, from, &st, NULL) == ERR_OK ? ERR_OK : fs_unlink(s->fs, copy, why);
}

/* The newest frame of the copies; of a log that was closed the one that it ended with, also when that is damaged. */
static enum err note_end(struct snapshot_maker *s, uint64_t closed_at, struct errmsg *why)
{
    char copies[SNAPSHOT_PATH_BYTES];
    struct wal_reader *reader;
    uint64_t last = closed_at;
    int n = snprintf(copies, sizeof copies, "%s/wal", s->tmp);
    if (n >= SNAPSHOT_PATH_BYTES)
        return err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
    TRY(wal_reader_open(s->fs, copies, s->manifest.id, manifest_covered(&s->manifest) + 1, &reader, why));
    enum err err = wal_reader_survey(reader, why);
    uint64_t found = wal_reader_report(reader)->last_sequence;
    wal_reader_close(reader);
    last = found > last ? found : last;
    if (err == ERR_UNSUPPORTED) /* for a newer version to read */
        return ERR_OK;
    return err == ERR_OK ? snapshot_log_end(s, last, why) : err;
}

static enum err copy_log(struct snapshot_maker *s, struct errmsg *why)
{
    char folder[SNAPSHOT_PATH_BYTES];
    struct fs_names names;
    int n = snprintf(folder, sizeof folder, "%s/wal", s->dir);
    if (n >= SNAPSHOT_PATH_BYTES)
        return err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
    uint64_t closed_at = wal_closed_at(s->fs, folder);
    enum err err = fs_names_of(s->fs, folder, &names, why);
    for (size_t i = 0; i < names.count && err == ERR_OK; i++)
        if (is_segment(names.list[i]))
            err = copy_segment(s, names.list[i], why);
    fs_names_deinit(&names);
    return err == ERR_OK ? note_end(s, closed_at, why) : err;
}

/* A block that is not listed any more may have been rewritten without what the tombstones, which are gone with it, hid. */
static bool lists_all(struct manifest *m, const struct manifest *earlier)
{
    for (size_t i = 0; i < earlier->block_count; i++)
        if (!manifest_find(m, &earlier->blocks[i].id))
            return false;
    return true;
}

/* ERR_UNAVAILABLE: something went away meanwhile. */
static enum err attempt(struct snapshot_maker *s, struct errmsg *why)
{
    struct manifest after = {0};
    TRY(manifest_now(s->fs, s->dir, &s->manifest, why));
    manifest_checkpoints_trim(&s->manifest);
    TRY(snapshot_begin(s, why));
    enum err err = snapshot_link(s, why);
    if (err == ERR_OK)
        err = copy_log(s, why);
    if (err == ERR_NOT_FOUND)
        return err_set(why, ERR_UNAVAILABLE, "a file went away meanwhile");
    if (err != ERR_OK)
        return err;
    TRY(manifest_now(s->fs, s->dir, &after, why));
    bool same = manifest_covered(&after) == manifest_covered(&s->manifest) && lists_all(&after, &s->manifest);
    manifest_deinit(&after);
    return same ? snapshot_finish(s, why) : err_set(why, ERR_UNAVAILABLE, "a checkpoint was taken or blocks were merged meanwhile");
}

enum err tsdb_snapshot_dir(struct fs *fs, struct clock *clock, struct random *random, const char *dir,
                           char name[TSDB_SNAPSHOT_NAME], struct errmsg *why)
{
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < TRIES && err == ERR_UNAVAILABLE; i++) {
        struct snapshot_maker s = {.fs = fs, .dir = dir};
        snapshot_name_make(TSDB_SNAPSHOT_PROMETHEUS, clock_now_ms(clock), random_u64(random), s.name);
        snprintf(name, TSDB_SNAPSHOT_NAME, "%s", s.name);
        if (i > 0)
            clock_sleep_ns(clock, PAUSE_MS * INT64_C(1000000));
        err = attempt(&s, why);
        snapshot_end(&s, err == ERR_OK);
    }
    return err;
}

enum err tsdb_snapshot_dir_remove(struct fs *fs, const char *dir, const char *name, struct errmsg *why)
{
    char path[SNAPSHOT_PATH_BYTES], tmp[SNAPSHOT_PATH_BYTES + 8];
    if (!snapshot_name_parse(name, NULL))
        return err_set(why, ERR_NOT_FOUND, "cannot find snapshot \"%.60s\"", name);
    int n = snprintf(path, sizeof path, "%s/snapshots/%s", dir, name);
    if (n >= SNAPSHOT_PATH_BYTES)
        return err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    TRY(fs_rename(fs, path, tmp, why));
    return fs_remove_all(fs, tmp, why);
}
