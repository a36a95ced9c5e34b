/*
 * head_checkpoint.c - bounds the log: the head's state in a file, older frames recycled.
 *
 *     1. barrier: every record committed so far is durable, the newest frame is S; the head has them all
 *     2. checkpoints/<S>.checkpoint.tmp: the head as records, written while ingest goes on, fsynced
 *     3. rename, fsync of checkpoints/
 *     4. manifest: checkpoint S, and the one before it, which stays
 *     5. frames up to the one before are recycled, what is older than it removed
 * A crash before 4 leaves the old checkpoint and the whole log; after 4 the new one.  Records that are
 * both in the checkpoint and in later frames are recognised by the head.
 *
 * The one before and the log since stand in for a damaged one (replay.c), so that one damaged file costs
 * nothing.  Not after a deletion: it holds what was deleted.  And not when the log since then is longer than
 * FALLBACK_LOGS checkpoint_bytes on the disk, which bounds the log: that, what comes until the next checkpoint, spares.
 *
 * Most checkpoints hold only what is new since the one before (checkpoints/<S>.changes): the chain from the newest
 * whole one to the newest of them is what a start reads.  A whole one is written
 *     - when samples or series left the head, as changes cannot say so,
 *     - when something was damaged,
 *     - when nothing would stand in for the whole one that the changes build upon: the chain before it is kept, with
 * the log since the end of that, and when this has grown past its bounds, only a new whole one lets it go,
 *     - when the chain has CHAIN_MAX links or twice the bytes of the whole one.
 * So the log since the chain before is kept until the next whole one; a start passes over it.
 */
#include <stdio.h>

#include "base/log.h"
#include "tsdb/checkpoint.h"
#include "tsdb/tsdb_internal.h"

enum {
    FALLBACK_LOGS = 4,
    FALLBACK_SEGMENTS = 2,
    CHAIN_MAX = 16,
    CHAIN_WHOLES = 2,
    AGED_BYTES_MIN = 4 << 20, /* of log worth a checkpoint for its age alone */
    BETWEEN_MS = 1000,
    PILED_UP_MS = 60000,
};

void checkpoint_path(const struct tsdb *db, const struct manifest_checkpoint *c, const char *suffix,
                     char out[TSDB_PATH_BYTES])
{
    char name[CHECKPOINT_NAME_BYTES];
    checkpoint_name(c, name);
    tsdb_path2(db, out, "checkpoints", name, suffix);
}

struct emit {
    struct tsdb *db;
    struct checkpoint_writer writer;
    struct throttle throttle;
};

static enum err emit_piece(void *ctx, struct slice records, struct errmsg *why)
{
    struct emit *e = ctx;
    TRY(checkpoint_piece(&e->writer, records, why));
    throttle_take(e->db, &e->throttle, records.len);
    return cancel_check(&e->db->stop);
}

/* Steps 2 and 3. */
static enum err write_file(struct tsdb *db, const struct manifest_checkpoint *c, uint64_t *bytes, struct errmsg *why)
{
    char tmp[TSDB_PATH_BYTES], path[TSDB_PATH_BYTES], folder[TSDB_PATH_BYTES];
    struct emit e = {.db = db, .throttle = {.bytes_per_s = db->o.io_bytes_per_s}};
    checkpoint_path(db, c, ".tmp", tmp);
    checkpoint_path(db, c, "", path);
    tsdb_path(db, folder, "checkpoints");
    TRY(checkpoint_begin(&e.writer, db->o.fs, tmp, db->id, c, why));
    enum err err = (c->from ? head_changes : head_checkpoint)(db->head, emit_piece, &e, why);
    if (err != ERR_OK)
        checkpoint_abandon(&e.writer);
    else
        err = checkpoint_finish(&e.writer, why);
    *bytes = e.writer.offset;
    if (err == ERR_OK)
        err = fs_rename(db->o.fs, tmp, path, why);
    if (err == ERR_OK)
        err = fs_sync_dir(db->o.fs, folder, why);
    if (err != ERR_OK) {
        enum err ignored = fs_unlink(db->o.fs, tmp, NULL);
        (void)ignored; /* the next start removes it */
    }
    return err;
}

static bool lists(const struct manifest *m, const struct manifest_checkpoint *c)
{
    for (size_t i = 0; i < m->checkpoint_count; i++)
        if (m->checkpoints[i].sequence == c->sequence && !m->checkpoints[i].from == !c->from)
            return true;
    return false;
}

void checkpoints_remove(struct tsdb *db, const struct manifest *before, const struct manifest *now)
{
    for (size_t i = 0; i < before->checkpoint_count; i++) {
        char path[TSDB_PATH_BYTES];
        struct errmsg why = {0};
        if (lists(now, &before->checkpoints[i]))
            continue;
        checkpoint_path(db, &before->checkpoints[i], "", path);
        enum err err = fs_unlink(db->o.fs, path, &why);
        if (err != ERR_OK && err != ERR_NOT_FOUND)
            log_warn("tsdb", "old checkpoint could not be removed", "path=\"%s\" err=\"%s\"", path, why.text);
    }
}

/* ---- publishing ---- */

struct publish {
    struct manifest_checkpoint made;
    bool alone;                    /* nothing is to be kept to stand in for it */
    bool fallback;                 /* something is */
    uint64_t keep;                 /* frames from this one on stay */
    struct manifest before, after; /* copies */
};

/* A whole one, and the chain before it when the log since then is kept. */
static void publish_whole(struct manifest *m, struct publish *p)
{
    size_t last = m->checkpoint_count;
    uint64_t covered = manifest_covered(m);
    if (last && covered == p->made.sequence && !m->checkpoints[last - 1].from) {
        m->checkpoint_count--; /* replaced by one with fewer samples: what stood in for that stands in for this */
        p->keep = m->log_first ? m->log_first : p->made.sequence + 1;
    } else if (p->alone) {
        m->checkpoint_count = 0;
        p->keep = p->made.sequence + 1;
    } else {
        manifest_checkpoints_trim(m);
        p->keep = covered + 1;
    }
    manifest_checkpoint_add(m, &p->made);
    m->log_first = p->keep;
}

static void publish_edit(struct manifest *m, void *ctx)
{
    struct publish *p = ctx;
    manifest_copy(&p->before, m);
    if (p->made.from)
        manifest_checkpoint_add(m, &p->made);
    else
        publish_whole(m, p);
    p->keep = m->log_first;
    p->fallback = m->checkpoint_count > 1 || p->keep <= p->made.sequence;
    manifest_copy(&p->after, m);
}

static enum err publish(struct tsdb *db, struct publish *p, struct errmsg *why)
{
    enum err err = blocks_commit(db, &(struct blocks_change){.edit = publish_edit, .ctx = p}, why);
    if (err == ERR_OK) {
        checkpoints_remove(db, &p->before, &p->after);
        wal_truncate(db->wal, p->keep);
    }
    manifest_deinit(&p->before);
    manifest_deinit(&p->after);
    return err;
}

/* Bytes of log that are kept for the case that a checkpoint is damaged. */
static uint64_t fallback_bytes(const struct tsdb *db)
{
    uint64_t bytes = FALLBACK_LOGS * db->o.checkpoint_bytes, share = db->o.retention_bytes / 8;
    uint64_t least = FALLBACK_SEGMENTS * db->o.wal.segment_bytes; /* they are kept as a whole */
    bytes = bytes > least ? bytes : least;
    return (share && share < bytes ? share : bytes) + db->o.wal.segment_bytes;
}

/* Whether frames from this one on may be kept to stand in for a checkpoint. */
static bool may_keep(struct tsdb *db, uint64_t first)
{
    struct fs_space space;
    uint64_t bytes = wal_kept_bytes(db->wal, first);
    bool room = fs_space_of(db->o.fs, db->dir, &space, NULL) != ERR_OK || space.free_bytes > 2 * bytes;
    return room && bytes <= fallback_bytes(db) && !db->log_is_lossy;
}

/* What the next checkpoint builds upon; 0: it is to be a whole one. */
static uint64_t base_of_next(struct tsdb *db, bool flushed) REQUIRES(db->head_work)
{
    if (flushed || db->log_has_flushed || db->checkpoint_wanted || !head_changes_known(db->head) ||
        db->changes_size > CHAIN_WHOLES * db->checkpoint_size)
        return 0;
    mutex_lock(&db->manifest_lock);
    const struct manifest *m = &db->manifest;
    size_t links = m->checkpoint_count ? m->checkpoint_count - manifest_chain(m, m->checkpoint_count - 1) : 0;
    uint64_t base = links && links < CHAIN_MAX && manifest_stood_in(m) ? manifest_covered(m) : 0, first = m->log_first;
    mutex_unlock(&db->manifest_lock);
    return base && may_keep(db, first) ? base : 0;
}

static void taken(struct tsdb *db, const struct publish *p, uint64_t bytes, uint64_t mark) REQUIRES(db->head_work)
{
    if (p->made.from) {
        head_changes_published(db->head);
        db->changes_size += bytes;
        TSDB_COUNT(db, checkpoint_changes, 1);
    } else {
        head_checkpoint_published(db->head, p->fallback);
        db->log_has_flushed = db->checkpoint_wanted = db->log_is_lossy = false;
        db->checkpoint_size = bytes;
        db->changes_size = 0;
    }
    db->checkpoint_sequence = p->made.sequence;
    TSDB_SET(db, checkpoint_frame, p->made.sequence);
    db->log_before = 0;
    db->log_mark = mark;
    TSDB_COUNT(db, checkpoint_bytes, bytes);
}

static enum err take(struct tsdb *db, bool flushed, struct errmsg *why) REQUIRES(db->head_work)
{
    uint64_t bytes, before;
    struct head_stats s;
    struct publish p = {0};
    uint64_t mark = atomic_load_explicit(&wal_stats(db->wal)->bytes, memory_order_relaxed);
    TRY(wal_barrier(db->wal, &p.made.sequence, why));
    mutex_lock(&db->manifest_lock);
    before = manifest_covered(&db->manifest);
    mutex_unlock(&db->manifest_lock);
    if (p.made.sequence == before && !flushed && !db->checkpoint_wanted)
        return ERR_OK; /* nothing was written since */
    p.made.from = base_of_next(db, flushed);
    TRY(write_file(db, &p.made, &bytes, why));
    head_stats(db->head, &s);
    p.made.mint_ms = s.mint_ms;
    p.made.maxt_ms = s.maxt_ms;
    p.alone = !may_keep(db, before + 1);
    TRY(publish(db, &p, why));
    taken(db, &p, bytes, mark);
    return ERR_OK;
}

static void alone_edit(struct manifest *m, void *ctx)
{
    struct publish *p = ctx;
    manifest_copy(&p->before, m);
    manifest_checkpoints_trim(m);
    p->keep = m->log_first = manifest_covered(m) + 1;
    manifest_copy(&p->after, m);
}

enum err checkpoint_alone(struct tsdb *db, struct errmsg *why)
{
    struct publish p = {0};
    mutex_lock(&db->manifest_lock);
    bool is_alone = db->manifest.checkpoint_count == 0 || db->manifest.log_first > manifest_covered(&db->manifest);
    mutex_unlock(&db->manifest_lock);
    if (is_alone)
        return ERR_OK;
    enum err err = blocks_commit(db, &(struct blocks_change){.edit = alone_edit, .ctx = &p}, why);
    if (err == ERR_OK) {
        checkpoints_remove(db, &p.before, &p.after);
        wal_truncate(db->wal, p.keep);
    }
    manifest_deinit(&p.before);
    manifest_deinit(&p.after);
    return err;
}

enum err checkpoint_take(struct tsdb *db, bool flushed, struct errmsg *why)
{
    int64_t start = clock_mono_ns(db->o.clock);
    enum err err = take(db, flushed, why);
    db->checkpoint_ns = clock_mono_ns(db->o.clock);
    TSDB_COUNT(db, checkpoint_ns, (uint64_t)(db->checkpoint_ns - start));
    if (err == ERR_OK)
        TSDB_COUNT(db, checkpoints, 1);
    else
        TSDB_COUNT(db, checkpoint_errors, 1);
    return err == ERR_OK ? ERR_OK : err_wrap(why, err, "checkpoint");
}

bool checkpoint_due(struct tsdb *db)
{
    const struct wal_stats *stats = wal_stats(db->wal);
    int64_t age_ms = (clock_mono_ns(db->o.clock) - db->checkpoint_ns) / 1000000;
    bool news = atomic_load_explicit(&stats->last_sequence, memory_order_relaxed) > db->checkpoint_sequence;
    if (atomic_load_explicit(&stats->doubtful, memory_order_relaxed) > db->checkpoint_sequence)
        return true; /* the head has what the log may have lost: written out at once */
    if (age_ms < BETWEEN_MS || !(news || db->checkpoint_wanted))
        return false;
    if (db->checkpoint_wanted)
        return true;
    uint64_t log = db->log_before + atomic_load_explicit(&stats->bytes, memory_order_relaxed) - db->log_mark;
    uint64_t disk = atomic_load_explicit(&stats->segment_bytes, memory_order_relaxed);
    uint64_t bound = db->o.checkpoint_bytes; /* a whole one writes more than the log did, unless that is as long */
    if (db->checkpoint_size > bound && !(log > bound && base_of_next(db, false)))
        bound = db->checkpoint_size;
    uint64_t spares = (db->o.wal.segments_spare + 1) * db->o.wal.segment_bytes;
    bool piled_up =
        disk > fallback_bytes(db) + 2 * bound + spares; /* many short lives, each with a segment hardly used */
    bool old = age_ms > db->o.checkpoint_ms && log > AGED_BYTES_MIN;
    return log > bound || old || (piled_up && age_ms > PILED_UP_MS);
}
