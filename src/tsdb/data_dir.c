/*
 * data_dir.c - takes possession of a data directory: lock, format, manifest, leftovers of crashes.
 *
 *     lock           held while a server runs; its pid
 *     format         version and id of the directory
 *     MANIFEST       which blocks and checkpoint are real
 *     blocks/<id>/   and blocks/<id>.tmp/ while one is written
 *     checkpoints/<sequence>.checkpoint, .changes
 *     quarantine/    what was found damaged and moved aside
 *     wal/
 *     snapshots/<name>/, and snapshots/<name>.tmp/ while one is made or deleted
 *     reserve        bytes to give up when the disk is full, so that blocks can still be unlisted
 *
 * A lost or damaged manifest is rebuilt from the blocks' own meta files, a lost format file from the
 * manifest or the log: each fact stands in two places.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/checkpoint.h"
#include "tsdb/dir_view.h"
#include "tsdb/tsdb_internal.h"

enum { FORMAT_BYTES_MAX = 4096 };

void tsdb_path(const struct tsdb *db, char out[TSDB_PATH_BYTES], const char *a)
{
    int n = snprintf(out, TSDB_PATH_BYTES, "%s/%s", db->dir, a);
    assert(n > 0 && n < TSDB_PATH_BYTES);
}

void tsdb_path2(const struct tsdb *db, char out[TSDB_PATH_BYTES], const char *a, const char *b, const char *suffix)
{
    int n = snprintf(out, TSDB_PATH_BYTES, "%s/%s/%s%s", db->dir, a, b, suffix);
    assert(n > 0 && n < TSDB_PATH_BYTES);
}

/* ---- directories of others ---- */

static bool dir_has(struct tsdb *db, const char *name)
{
    char path[TSDB_PATH_BYTES];
    struct fs_stat st;
    tsdb_path(db, path, name);
    return fs_stat_path(db->o.fs, path, &st, NULL) == ERR_OK;
}

/* A wrong path in a unit file must not mix our files with those of another server. */
static enum err foreign_refuse(struct tsdb *db, struct errmsg *why)
{
    if (dir_has(db, TSDB_RESTORING))
        return err_set(why, ERR_INVALID,
                       "a backup was being restored into %s and did not finish; empty the directory and restore again",
                       db->dir);
    if (dir_has(db, "format") || dir_has(db, "MANIFEST"))
        return ERR_OK;
    const char *whose = NULL;
    if (dir_has(db, "chunks_head") || dir_has(db, "wal/00000000") || dir_has(db, "queries.active"))
        whose = "Prometheus";
    if (dir_has(db, "indexdb") || dir_has(db, "data/indexdb") || (dir_has(db, "data/small") && dir_has(db, "data/big")))
        whose = "VictoriaMetrics";
    return whose ? err_set(why, ERR_INVALID, "%s is a data directory of %s; it is left as it is, name another one",
                           db->dir, whose)
                 : ERR_OK;
}

/* ---- lock ---- */

static enum err lock_held(struct tsdb *db, struct errmsg *why)
{
    char text[32] = "";
    size_t got = 0;
    enum err ignored = file_pread(db->lock, text, sizeof text - 1, 0, &got, NULL);
    (void)ignored; /* then the pid is not named */
    return err_set(why, ERR_EXISTS, "data directory %s is used by pid %d", db->dir, atoi(text));
}

static enum err lock_take(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES], pid[32];
    tsdb_path(db, path, "lock");
    TRY(fs_open(db->o.fs, path, FS_WRITE | FS_CREATE, &db->lock, why));
    enum err err = file_lock(db->lock, why);
    if (err == ERR_EXISTS)
        return lock_held(db, why);
    if (err == ERR_UNSUPPORTED)
        log_warn("tsdb", "the file system has no locks: nothing keeps a second server out of this directory",
                 "err=\"%s\"", why->text);
    else if (err != ERR_OK)
        return err;
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    err = file_truncate(db->lock, 0, NULL);
    if (err == ERR_OK)
        err = file_pwrite(db->lock, pid, (size_t)n, 0, NULL);
    return ERR_OK; /* the pid is only for the message above: a full disk must not keep us from starting */
}

/* ---- format ---- */

/* ERR_CORRUPT and ERR_NOT_FOUND can be mended; ERR_UNSUPPORTED must stop us. */
static enum err format_load(struct tsdb *db, uint64_t *id, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct buf text = {0};
    tsdb_path(db, path, "format");
    enum err err = fs_read_file(db->o.fs, path, FORMAT_BYTES_MAX, &text, why);
    if (err == ERR_OK) {
        err = format_parse(buf_view(&text), id, why);
        if (err != ERR_OK)
            err = err_wrap(why, err, "%s", path);
    }
    buf_deinit(&text);
    return err;
}

static enum err format_store(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct buf text = {.own = true};
    tsdb_path(db, path, "format");
    format_print(db->id, &text);
    enum err err = fs_replace_file(db->o.fs, path, buf_view(&text), why);
    buf_deinit(&text);
    return err;
}

/* ---- rebuilding the manifest ---- */

struct rebuild {
    struct tsdb *db;
    struct manifest *manifest;
    struct block_meta *metas;
    size_t count, capacity;
};

static bool rebuild_block(void *ctx, const char *name)
{
    struct rebuild *r = ctx;
    struct block_id id;
    char path[TSDB_PATH_BYTES];
    struct errmsg why = {0};
    if (!block_id_parse(slice_str(name), &id))
        return true;
    tsdb_path2(r->db, path, "blocks", name, "");
    r->metas = mem_grow(r->metas, &r->capacity, r->count + 1, sizeof *r->metas);
    if (block_meta_read(r->db->o.fs, path, &r->metas[r->count], &why) == ERR_OK)
        r->count++;
    else
        log_warn("tsdb", "block without readable meta file is left out", "block=%s err=\"%s\"", name, why.text);
    return true;
}

/* Whether a is part of b already: everything that went into a went into b, too. */
static bool superseded(const struct block_meta *a, const struct block_meta *b)
{
    uint32_t count = a->level == 0 ? 1 : a->source_count;
    const struct block_id *sources = a->level == 0 ? &a->id : a->sources;
    if (count == 0 || b->source_count <= count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b->source_count && !found; k++)
            found = block_id_eq(&sources[i], &b->sources[k]);
        if (!found)
            return false;
    }
    return true;
}

/* The newest whole one: that the log was kept for an older one nothing says any more. */
static bool rebuild_checkpoint(void *ctx, const char *name)
{
    struct rebuild *r = ctx;
    char *end;
    struct manifest_checkpoint c = {.mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    c.sequence = strtoull(name, &end, 16);
    if (end != name + 16 || strcmp(end, ".checkpoint") != 0 || c.sequence <= manifest_covered(r->manifest))
        return true;
    r->manifest->checkpoint_count = 0;
    manifest_checkpoint_add(r->manifest, &c);
    return true;
}

struct rebuild_link {
    struct rebuild *r;
    struct manifest_checkpoint next; /* the newest that builds upon the last one of the list */
};

static bool rebuild_look(void *ctx, const char *name)
{
    struct rebuild_link *l = ctx;
    struct tsdb *db = l->r->db;
    struct manifest_checkpoint c;
    struct errmsg why = {0};
    char path[TSDB_PATH_BYTES];
    size_t len = strlen(name);
    if (len < 8 || strcmp(name + len - 8, ".changes") != 0 || len >= CHECKPOINT_NAME_BYTES)
        return true;
    tsdb_path2(db, path, "checkpoints", name, "");
    if (checkpoint_identify(db->o.fs, path, db->id, &c, &why) != ERR_OK)
        log_warn("tsdb", "changes with a damaged header are left out", "path=\"%s\" err=\"%s\"", path, why.text);
    else if (c.from == manifest_covered(l->r->manifest) && c.sequence > c.from && c.sequence > l->next.sequence)
        l->next = c;
    return true;
}

/* What builds upon it, file by file: each says upon which. */
static void rebuild_chain(struct rebuild *r)
{
    char path[TSDB_PATH_BYTES];
    struct rebuild_link l = {.r = r};
    tsdb_path(r->db, path, "checkpoints");
    while (r->manifest->checkpoint_count) {
        l.next = (struct manifest_checkpoint){0};
        enum err ignored = fs_list(r->db->o.fs, path, rebuild_look, &l, NULL);
        (void)ignored; /* then what was found so far is what there is */
        if (l.next.sequence == 0)
            break;
        manifest_checkpoint_add(r->manifest, &l.next);
    }
}

static void manifest_rebuild(struct tsdb *db, struct manifest *m)
{
    struct rebuild r = {.db = db, .manifest = m};
    char path[TSDB_PATH_BYTES];
    *m = (struct manifest){.id = db->id, .flushed_ms = INT64_MIN};
    tsdb_path(db, path, "blocks");
    enum err ignored = fs_list(db->o.fs, path, rebuild_block, &r, NULL);
    tsdb_path(db, path, "checkpoints");
    ignored = fs_list(db->o.fs, path, rebuild_checkpoint, &r, NULL);
    (void)ignored; /* missing directories are empty ones */
    rebuild_chain(&r);
    for (size_t i = 0; i < r.count; i++) {
        bool drop = false;
        for (size_t k = 0; k < r.count && !drop; k++)
            drop = k != i && superseded(&r.metas[i], &r.metas[k]);
        struct manifest_block block;
        manifest_block_of(&r.metas[i], &block);
        if (!drop)
            manifest_add(m, &block);
    }
    mem_free(r.metas);
}

/* ---- leftovers ---- */

struct leftovers {
    struct tsdb *db;
    const char *folder;
};

static bool is_listed_checkpoint(struct tsdb *db, const char *name)
{
    char path[TSDB_PATH_BYTES];
    for (size_t i = 0; i < db->manifest.checkpoint_count; i++) {
        checkpoint_path(db, &db->manifest.checkpoints[i], "", path);
        if (strcmp(strrchr(path, '/') + 1, name) == 0)
            return true;
    }
    return false;
}

/* Ours, and not listed: what a crash left between writing and publishing, or between unlisting and removing. */
static bool is_leftover(struct tsdb *db, const char *folder, const char *name)
{
    size_t len = strlen(name);
    bool tmp = len > 4 && strcmp(name + len - 4, ".tmp") == 0;
    struct block_id id;
    if (strcmp(folder, "snapshots") == 0)
        return tmp;
    if (strcmp(folder, "checkpoints") == 0)
        return tmp || ((strstr(name, ".checkpoint") || strstr(name, ".changes")) && !is_listed_checkpoint(db, name));
    if (!block_id_parse(slice_of(name, tmp ? len - 4 : len), &id))
        return false;
    return tmp || !manifest_find(&db->manifest, &id);
}

static bool leftover_visit(void *ctx, const char *name)
{
    struct leftovers *l = ctx;
    char path[TSDB_PATH_BYTES];
    struct errmsg why = {0};
    if (!is_leftover(l->db, l->folder, name))
        return true;
    tsdb_path2(l->db, path, l->folder, name, "");
    if (fs_remove_all(l->db->o.fs, path, &why) != ERR_OK)
        log_warn("tsdb", "leftover could not be removed", "path=\"%s\" err=\"%s\"", path, why.text);
    return true;
}

static void leftovers_remove(struct tsdb *db)
{
    static const char *const folders[] = {"blocks", "checkpoints", "snapshots"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[TSDB_PATH_BYTES];
        struct leftovers l = {db, folders[i]};
        tsdb_path(db, path, folders[i]);
        enum err ignored = fs_list(db->o.fs, path, leftover_visit, &l, NULL);
        (void)ignored; /* tried again at the next start */
    }
}

/* ---- reserve ---- */

void reserve_keep(struct tsdb *db)
{
    char path[TSDB_PATH_BYTES];
    struct fs_stat st;
    struct file *file;
    size_t bytes = (size_t)db->o.reserve_bytes;
    tsdb_path(db, path, "reserve");
    if (fs_stat_path(db->o.fs, path, &st, NULL) == ERR_OK && st.bytes >= db->o.reserve_bytes)
        return;
    if (fs_open(db->o.fs, path, FS_WRITE | FS_CREATE, &file, NULL) != ERR_OK)
        return;
    uint8_t *zeros = mem_zalloc(bytes);
    enum err err = file_pwrite(file, zeros, bytes, 0, NULL);
    mem_free(zeros);
    enum err close_err = file_close(file, NULL);
    if (err != ERR_OK || close_err != ERR_OK)
        err = fs_unlink(db->o.fs, path, NULL); /* half of it helps nobody: tried again later */
}

/* ---- opening ---- */

static enum err folders_make(struct tsdb *db, struct errmsg *why)
{
    static const char *const folders[] = {"blocks", "checkpoints", "wal"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[TSDB_PATH_BYTES];
        tsdb_path(db, path, folders[i]);
        TRY(fs_mkdir_all(db->o.fs, path, why));
    }
    return fs_sync_dir(db->o.fs, db->dir, why);
}

/* The directory's own name must survive, too. */
static enum err parent_sync(struct tsdb *db, struct errmsg *why)
{
    char parent[TSDB_DIR_BYTES_MAX];
    const char *slash = strrchr(db->dir, '/');
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - db->dir) : 1, slash ? db->dir : ".");
    return fs_sync_dir(db->o.fs, parent[0] ? parent : "/", why);
}

static uint64_t id_find(struct tsdb *db, uint64_t of_manifest)
{
    char path[TSDB_PATH_BYTES];
    tsdb_path(db, path, "wal");
    uint64_t id = of_manifest ? of_manifest : wal_dir_id(db->o.fs, path);
    while (id == 0)
        id = random_u64(db->o.random);
    return id;
}

static enum err id_and_manifest(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct errmsg text = {0};
    enum err format_err = format_load(db, &db->id, &text);
    tsdb_path(db, path, "MANIFEST");
    enum err manifest_err =
        format_err == ERR_UNSUPPORTED ? ERR_OK : manifest_load(db->o.fs, path, &db->manifest, &text);
    if (format_err == ERR_UNSUPPORTED || manifest_err == ERR_UNSUPPORTED)
        return err_set(why, ERR_UNSUPPORTED, "%s", text.text);
    bool io = (format_err == ERR_IO || manifest_err == ERR_IO);
    if (io)
        return err_set(why, ERR_IO, "%s", text.text); /* not missing, not damaged: nothing may be replaced */
    if (format_err != ERR_OK) {
        db->id = id_find(db, db->manifest.id);
        TRY(format_store(db, why));
    }
    if (manifest_err == ERR_OK)
        return ERR_OK;
    if (manifest_err != ERR_NOT_FOUND)
        log_error("tsdb", "manifest is rebuilt from the blocks", "err=\"%s\"", text.text);
    manifest_rebuild(db, &db->manifest);
    return manifest_store(db->o.fs, path, &db->manifest, why);
}

/* What a directory on such a file system costs is written in docs/filesystems.md; here it is only named. */
static void file_system_say(struct tsdb *db)
{
    struct fs_space space = {0};
    if (fs_space_of(db->o.fs, db->dir, &space, NULL) != ERR_OK)
        return;
    if (space.shared)
        log_warn("tsdb",
                 "the data directory is on a file system that other machines may share: locks and syncs are as good "
                 "as it makes them",
                 "path=\"%s\" kind=%s", db->dir, space.kind);
    if (space.volatile_)
        log_warn("tsdb", "the data directory is in memory: nothing in it outlives the machine", "path=\"%s\" kind=%s",
                 db->dir, space.kind);
    if (space.layered)
        log_warn("tsdb", "the data directory is in a layer of a container: it goes with the container, mount a volume",
                 "path=\"%s\" kind=%s", db->dir, space.kind);
}

enum err data_dir_open(struct tsdb *db, struct errmsg *why)
{
    TRY(fs_mkdir_all(db->o.fs, db->dir, why));
    TRY(foreign_refuse(db, why));
    TRY(lock_take(db, why));
    file_system_say(db);
    TRY(folders_make(db, why));
    TRY(parent_sync(db, why));
    TRY(id_and_manifest(db, why));
    leftovers_remove(db);
    reserve_keep(db);
    return ERR_OK;
}

void data_dir_close(struct tsdb *db)
{
    enum err ignored = file_close(db->lock, NULL);
    (void)ignored; /* the lock goes with the file in any case */
    db->lock = NULL;
}
