/*
 * snapshot.c - snapshots of a running store: made without stopping ingest, listed, deleted, aged out.
 *
 *     1. barrier: what was acknowledged so far is in the log's files
 *     2. under manifest_lock (some milliseconds; flush and merges wait, writers and queries do not): the
 *        manifest is copied, the log's segments are pinned, blocks and checkpoint get second names
 *     3. the pinned segments are copied up to the last whole frame
 *     4. format, MANIFEST; every directory fsynced; rename from <name>.tmp; fsync of snapshots/
 * A crash before the rename leaves <name>.tmp, which the next start removes.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/snapshot_internal.h"
#include "tsdb/tsdb_internal.h"

/* ---- making ---- */

/* Step 2; the log is pinned even when this fails. */
static enum err take_moment(struct tsdb *db, struct snapshot_maker *s, bool skip_head, struct wal_pin *pin,
                            struct errmsg *why)
{
    mutex_lock(&db->manifest_lock);
    manifest_copy(&s->manifest, &db->manifest);
    manifest_checkpoints_trim(&s->manifest);
    if (skip_head)
        s->manifest.checkpoint_count = s->manifest.log_first = 0;
    wal_pin(db->wal, pin);
    enum err err = snapshot_link(s, why);
    mutex_unlock(&db->manifest_lock);
    return err;
}

static enum err copy_log(struct snapshot_maker *s, const struct wal_pin *pin, struct errmsg *why)
{
    for (size_t i = 0; i < pin->count; i++) {
        char file[40];
        if (pin->list[i].last_sequence <= manifest_covered(&s->manifest))
            continue; /* kept for an older checkpoint */
        snprintf(file, sizeof file, "%016" PRIx64 ".wal", pin->list[i].number);
        enum err err = snapshot_copy_segment(s, file, pin->list[i].bytes, why);
        if (err != ERR_OK && err != ERR_NOT_FOUND) /* missing: the log gave it up, nothing in it is needed */
            return err;
    }
    return snapshot_log_end(s, pin->last_sequence, why);
}

static enum err make(struct tsdb *db, struct snapshot_maker *s, bool skip_head, struct errmsg *why)
{
    uint64_t frame;
    struct wal_pin pin;
    if (!skip_head)
        TRY(wal_barrier(db->wal, &frame, why));
    TRY(snapshot_begin(s, why));
    enum err err = take_moment(db, s, skip_head, &pin, why);
    if (err == ERR_OK && !skip_head)
        err = copy_log(s, &pin, why);
    wal_unpin(db->wal, &pin);
    return err == ERR_OK ? snapshot_finish(s, why) : err;
}

struct count_ctx {
    uint64_t count;
};

static bool count_one(void *ctx, const char *name)
{
    struct count_ctx *c = ctx;
    (void)name;
    c->count++;
    return true;
}

/* Each keeps space that retention cannot give back, and forgotten jobs make many. */
static enum err room_for_one(struct tsdb *db, struct errmsg *why)
{
    struct count_ctx c = {0};
    TRY(tsdb_snapshots(db, count_one, &c, why));
    if (db->o.snapshots_max && c.count >= db->o.snapshots_max)
        return err_set(why, ERR_LIMIT, "there are %" PRIu64 " snapshots already, storage.snapshots.max is %u: delete some",
                       c.count, db->o.snapshots_max);
    return ERR_OK;
}

enum err tsdb_snapshot(struct tsdb *db, enum tsdb_snapshot_style style, bool skip_head, char name[TSDB_SNAPSHOT_NAME],
                       struct errmsg *why)
{
    if (!tsdb_ready(db))
        return err_set(why, ERR_UNAVAILABLE, "the log is being read");
    TRY(room_for_one(db, why));
    int64_t start = clock_mono_ns(db->o.clock);
    struct snapshot_maker s = {.fs = db->o.fs, .dir = db->dir};
    snapshot_name_make(style, clock_now_ms(db->o.clock), random_u64(db->o.random), s.name);
    enum err err = make(db, &s, skip_head, why);
    snapshot_end(&s, err == ERR_OK);
    if (err != ERR_OK) {
        TSDB_COUNT(db, snapshot_errors, 1);
        return err_wrap(why, err, "snapshot");
    }
    TSDB_COUNT(db, snapshots_made, 1);
    TSDB_COUNT(db, snapshots, 1);
    snprintf(name, TSDB_SNAPSHOT_NAME, "%s", s.name);
    log_info("tsdb", "snapshot made", "name=%s ms=%lld", name,
             (long long)((clock_mono_ns(db->o.clock) - start) / 1000000));
    return ERR_OK;
}

/* ---- those that are there ---- */

enum err tsdb_snapshots(struct tsdb *db, bool (*visit)(void *ctx, const char *name), void *ctx, struct errmsg *why)
{
    char folder[TSDB_PATH_BYTES];
    struct fs_names names;
    tsdb_path(db, folder, "snapshots");
    enum err err = fs_names_of(db->o.fs, folder, &names, why);
    uint64_t count = 0;
    for (size_t i = 0; i < names.count; i++)
        count += snapshot_name_parse(names.list[i], NULL);
    TSDB_SET(db, snapshots, count);
    for (size_t i = 0; i < names.count; i++)
        if (snapshot_name_parse(names.list[i], NULL) && !visit(ctx, names.list[i]))
            break;
    fs_names_deinit(&names);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* It loses its name first, so that a half-deleted one is never taken for a whole one. */
enum err tsdb_snapshot_delete(struct tsdb *db, const char *name, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES], tmp[TSDB_PATH_BYTES], folder[TSDB_PATH_BYTES];
    if (!snapshot_name_parse(name, NULL))
        return err_set(why, ERR_NOT_FOUND, "cannot find snapshot \"%.60s\"", name);
    tsdb_path(db, folder, "snapshots");
    tsdb_path2(db, path, "snapshots", name, "");
    tsdb_path2(db, tmp, "snapshots", name, ".tmp");
    enum err err = fs_rename(db->o.fs, path, tmp, why);
    if (err == ERR_NOT_FOUND)
        return err_set(why, ERR_NOT_FOUND, "cannot find snapshot \"%s\"", name);
    if (err == ERR_OK)
        err = fs_sync_dir(db->o.fs, folder, why);
    if (err == ERR_OK)
        err = fs_remove_all(db->o.fs, tmp, why);
    if (err == ERR_OK)
        log_info("tsdb", "snapshot deleted", "name=%s", name);
    return err;
}

struct aged {
    struct tsdb *db;
    int64_t before_ms;
    char name[TSDB_SNAPSHOT_NAME];
};

static bool find_aged(void *ctx, const char *name)
{
    struct aged *a = ctx;
    int64_t made_ms;
    if (!snapshot_name_parse(name, &made_ms) || made_ms >= a->before_ms)
        return true;
    snprintf(a->name, sizeof a->name, "%s", name);
    return false;
}

bool snapshots_age(struct tsdb *db)
{
    struct aged a = {.db = db, .before_ms = clock_now_ms(db->o.clock) - db->o.snapshots_age_ms};
    struct errmsg why = {0};
    if (tsdb_snapshots(db, find_aged, &a, &why) != ERR_OK || db->o.snapshots_age_ms == 0 || !a.name[0])
        return false;
    if (tsdb_snapshot_delete(db, a.name, &why) == ERR_OK)
        return true;
    log_warn("tsdb", "an old snapshot could not be deleted", "name=%s err=\"%s\"", a.name, why.text);
    return false;
}
