/* snapshot_files.c - the files and names of snapshots; the contract is in snapshot_internal.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tsdb/checkpoint.h"
#include "tsdb/dir_view.h"
#include "tsdb/snapshot_internal.h"
#include "wal/wal.h"

/* ---- names ---- */

void snapshot_name_make(enum tsdb_snapshot_style style, int64_t now_ms, uint64_t number, char out[TSDB_SNAPSHOT_NAME])
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    char when[40];
    bool prometheus = style == TSDB_SNAPSHOT_PROMETHEUS;
    strftime(when, sizeof when, prometheus ? "%Y%m%dT%H%M%SZ" : "%Y%m%d%H%M%S", &t);
    if (prometheus)
        snprintf(out, TSDB_SNAPSHOT_NAME, "%.20s-%016" PRIx64, when, number);
    else
        snprintf(out, TSDB_SNAPSHOT_NAME, "%.20s-%016" PRIX64, when, number);
}

/* `count` digits; false when something else is there. */
static bool digits(const char **at, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool hex16(const char *at)
{
    size_t n = strspn(at, "0123456789abcdefABCDEF");
    return n == 16 && at[n] == 0;
}

bool snapshot_name_parse(const char *name, int64_t *made_ms)
{
    struct tm t = {0};
    const char *at = name;
    if (!digits(&at, 4, &t.tm_year) || !digits(&at, 2, &t.tm_mon) || !digits(&at, 2, &t.tm_mday))
        return false;
    bool prometheus = *at == 'T';
    at += prometheus;
    if (!digits(&at, 2, &t.tm_hour) || !digits(&at, 2, &t.tm_min) || !digits(&at, 2, &t.tm_sec))
        return false;
    if (prometheus && *at++ != 'Z')
        return false;
    if (*at++ != '-' || !hex16(at))
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    if (made_ms)
        *made_ms = (int64_t)timegm(&t) * 1000;
    return true;
}

/* ---- files ---- */

static enum err in_tmp(const struct snapshot_maker *s, const char *a, const char *b, char out[SNAPSHOT_PATH_BYTES],
                       struct errmsg *why)
{
    int n = snprintf(out, SNAPSHOT_PATH_BYTES, "%s/%s%s%s", s->tmp, a, *b ? "/" : "", b);
    return n > 0 && n < SNAPSHOT_PATH_BYTES ? ERR_OK : err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
}

static enum err in_dir(const struct snapshot_maker *s, const char *a, const char *b, char out[SNAPSHOT_PATH_BYTES],
                       struct errmsg *why)
{
    int n = snprintf(out, SNAPSHOT_PATH_BYTES, "%s/%s%s%s", s->dir, a, *b ? "/" : "", b);
    return n > 0 && n < SNAPSHOT_PATH_BYTES ? ERR_OK : err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
}

enum err snapshot_begin(struct snapshot_maker *s, struct errmsg *why)
{
    static const char *const folders[] = {"blocks", "checkpoints", "wal"};
    char path[SNAPSHOT_PATH_BYTES];
    int n = snprintf(s->path, sizeof s->path, "%s/snapshots/%s", s->dir, s->name);
    if (n <= 0 || n + 80 >= SNAPSHOT_PATH_BYTES)
        return err_set(why, ERR_LIMIT, "the path of a snapshot is too long");
    snprintf(s->tmp, sizeof s->tmp, "%.*s.tmp", n, s->path);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        TRY(in_tmp(s, folders[i], "", path, why));
        TRY(fs_mkdir_all(s->fs, path, why));
    }
    return ERR_OK;
}

/* Every file of a block's directory, whatever future versions put there. */
static enum err link_block(struct snapshot_maker *s, const struct block_id *id, struct errmsg *why)
{
    char name[BLOCK_ID_TEXT], from[SNAPSHOT_PATH_BYTES], to[SNAPSHOT_PATH_BYTES], folder[SNAPSHOT_PATH_BYTES];
    struct fs_names files;
    block_id_text(id, name);
    TRY(in_dir(s, "blocks", name, folder, why));
    enum err err = fs_names_of(s->fs, folder, &files, why);
    if (err == ERR_OK)
        err = in_tmp(s, "blocks", name, to, why);
    if (err == ERR_OK)
        err = fs_mkdir(s->fs, to, why);
    for (size_t i = 0; i < files.count && err == ERR_OK; i++) {
        int a = snprintf(from, sizeof from, "%s/%s", folder, files.list[i]);
        int b = snprintf(to, sizeof to, "%s/blocks/%s/%s", s->tmp, name, files.list[i]);
        err = a < SNAPSHOT_PATH_BYTES && b < SNAPSHOT_PATH_BYTES ? fs_link_or_copy(s->fs, from, to, why)
                                                                 : err_set(why, ERR_LIMIT, "path too long");
    }
    fs_names_deinit(&files);
    return err;
}

/* What is deleted stays deleted in a snapshot; the file is replaced, never written to. */
static enum err link_stones(struct snapshot_maker *s, struct errmsg *why)
{
    static const char *const names[] = {"tombstones", "tombstones.copy"};
    char from[SNAPSHOT_PATH_BYTES], to[SNAPSHOT_PATH_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(in_dir(s, names[i], "", from, why));
        TRY(in_tmp(s, names[i], "", to, why));
        enum err err = fs_link_or_copy(s->fs, from, to, why);
        if (err != ERR_OK && err != ERR_NOT_FOUND)
            return err;
    }
    return ERR_OK;
}

enum err snapshot_link(struct snapshot_maker *s, struct errmsg *why)
{
    char name[CHECKPOINT_NAME_BYTES], from[SNAPSHOT_PATH_BYTES], to[SNAPSHOT_PATH_BYTES];
    for (size_t i = 0; i < s->manifest.block_count; i++) {
        const struct manifest_block *b = &s->manifest.blocks[i];
        enum err err = b->quarantined[0] ? ERR_OK : link_block(s, &b->id, why);
        if (err != ERR_OK && !(err == ERR_NOT_FOUND && b->problem[0]))
            return err;
    }
    TRY(link_stones(s, why));
    for (size_t i = 0; i < s->manifest.checkpoint_count; i++) {
        checkpoint_name(&s->manifest.checkpoints[i], name);
        TRY(in_dir(s, "checkpoints", name, from, why));
        TRY(in_tmp(s, "checkpoints", name, to, why));
        TRY(fs_link_or_copy(s->fs, from, to, why));
    }
    return ERR_OK;
}

enum err snapshot_copy_segment(struct snapshot_maker *s, const char *file, uint64_t bytes, struct errmsg *why)
{
    char from[SNAPSHOT_PATH_BYTES], to[SNAPSHOT_PATH_BYTES];
    TRY(in_dir(s, "wal", file, from, why));
    TRY(in_tmp(s, "wal", file, to, why));
    return fs_copy_file(s->fs, from, to, bytes, why);
}

enum err snapshot_log_end(struct snapshot_maker *s, uint64_t last_sequence, struct errmsg *why)
{
    char path[SNAPSHOT_PATH_BYTES];
    TRY(in_tmp(s, "wal", "", path, why));
    return last_sequence > manifest_covered(&s->manifest) ? wal_copy_end(s->fs, path, last_sequence, why) : ERR_OK;
}

static enum err store_texts(struct snapshot_maker *s, struct errmsg *why)
{
    char path[SNAPSHOT_PATH_BYTES];
    struct buf text = {.own = true};
    TRY(in_tmp(s, "format", "", path, why));
    format_print(s->manifest.id, &text);
    enum err err = fs_replace_file(s->fs, path, buf_view(&text), why);
    buf_deinit(&text);
    if (err == ERR_OK)
        err = in_tmp(s, "MANIFEST", "", path, why);
    return err == ERR_OK ? manifest_store(s->fs, path, &s->manifest, why) : err;
}

/* The names of links and copies; their bytes are synced already. */
static enum err sync_names(struct snapshot_maker *s, struct errmsg *why)
{
    static const char *const folders[] = {"blocks", "checkpoints", "wal"};
    char path[SNAPSHOT_PATH_BYTES];
    for (size_t i = 0; i < s->manifest.block_count; i++) {
        char name[BLOCK_ID_TEXT];
        struct fs_stat st;
        block_id_text(&s->manifest.blocks[i].id, name);
        TRY(in_tmp(s, "blocks", name, path, why));
        enum err err = fs_stat_path(s->fs, path, &st, why);
        if (err == ERR_OK)
            err = fs_sync_dir(s->fs, path, why);
        if (err != ERR_OK && err != ERR_NOT_FOUND) /* missing: it was missing when it was to be linked */
            return err;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        TRY(in_tmp(s, folders[i], "", path, why));
        TRY(fs_sync_dir(s->fs, path, why));
    }
    return fs_sync_dir(s->fs, s->tmp, why);
}

enum err snapshot_finish(struct snapshot_maker *s, struct errmsg *why)
{
    char folder[SNAPSHOT_PATH_BYTES];
    TRY(in_dir(s, "snapshots", "", folder, why));
    TRY(store_texts(s, why));
    TRY(sync_names(s, why));
    TRY(fs_rename(s->fs, s->tmp, s->path, why));
    TRY(fs_sync_dir(s->fs, folder, why));
    return fs_sync_dir(s->fs, s->dir, why); /* snapshots/ may be new itself */
}

void snapshot_end(struct snapshot_maker *s, bool done)
{
    manifest_deinit(&s->manifest);
    if (done || !s->tmp[0])
        return;
    enum err ignored = fs_remove_all(s->fs, s->tmp, NULL);
    (void)ignored; /* the next start removes it */
}
