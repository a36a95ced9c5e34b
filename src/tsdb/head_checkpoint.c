/*
 * head_checkpoint.c - bounds the log: the head's state in a file, older frames recycled.
 *
 *     1. barrier: every record committed so far is durable, the newest frame is S; the head has them all
 *     2. checkpoints/<S>.checkpoint.tmp: the head as records, written while ingest goes on, fsynced
 *     3. rename, fsync of checkpoints/
 *     4. manifest: checkpoint S
 *     5. frames up to S are recycled, the older checkpoint removed
 * A crash before 4 leaves the old checkpoint and the whole log; after 4 the new one.  Records that are
 * both in the checkpoint and in later frames are recognised by the head.
 *
 * The whole state is written each time, not the difference: a checkpoint is due only when the log has
 * grown past checkpoint_bytes and past the size of the last checkpoint, so writing is at most doubled.
 */
#include <stdio.h>

#include "base/log.h"
#include "tsdb/checkpoint.h"
#include "tsdb/tsdb_internal.h"

enum {
    AGED_BYTES_MIN = 4 << 20, /* of log worth a checkpoint for its age alone */
    BETWEEN_MS = 1000,
    PILED_UP_MS = 60000,
};

void checkpoint_path(const struct tsdb *db, uint64_t sequence, const char *suffix, char out[TSDB_PATH_BYTES])
{
    char name[40];
    snprintf(name, sizeof name, "%016llx.checkpoint", (unsigned long long)sequence);
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
static enum err write_file(struct tsdb *db, uint64_t sequence, uint64_t *bytes, struct errmsg *why)
{
    char tmp[TSDB_PATH_BYTES], path[TSDB_PATH_BYTES], folder[TSDB_PATH_BYTES];
    struct emit e = {.db = db, .throttle = {.bytes_per_s = db->o.io_bytes_per_s}};
    checkpoint_path(db, sequence, ".tmp", tmp);
    checkpoint_path(db, sequence, "", path);
    tsdb_path(db, folder, "checkpoints");
    TRY(checkpoint_begin(&e.writer, db->o.fs, tmp, db->id, sequence, why));
    enum err err = head_checkpoint(db->head, emit_piece, &e, why);
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

static void remove_older(struct tsdb *db, uint64_t number)
{
    char path[TSDB_PATH_BYTES];
    struct errmsg why = {0};
    if (number == 0)
        return;
    checkpoint_path(db, number, "", path);
    enum err err = fs_unlink(db->o.fs, path, &why);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        log_warn("tsdb", "old checkpoint could not be removed", "path=\"%s\" err=\"%s\"", path, why.text);
}

static enum err take(struct tsdb *db, bool flushed, struct errmsg *why)
{
    uint64_t sequence, bytes, before;
    TRY(wal_barrier(db->wal, &sequence, why));
    mutex_lock(&db->manifest_lock);
    before = db->manifest.checkpoint;
    mutex_unlock(&db->manifest_lock);
    if (sequence == before && !flushed)
        return ERR_OK; /* nothing was written since */
    TRY(write_file(db, sequence, &bytes, why));
    TRY(blocks_commit(db, &(struct blocks_change){.checkpoint = &sequence}, why));
    head_checkpoint_published(db->head);
    db->log_has_flushed = false;
    wal_truncate(db->wal, sequence + 1);
    if (before != sequence) /* else it was replaced by one with fewer samples */
        remove_older(db, before);
    db->checkpoint_size = bytes;
    db->checkpoint_sequence = sequence;
    TSDB_COUNT(db, checkpoint_bytes, bytes);
    return ERR_OK;
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
    if (!news || age_ms < BETWEEN_MS)
        return false;
    uint64_t log = wal_replay_bytes(db->wal), disk = atomic_load_explicit(&stats->segment_bytes, memory_order_relaxed);
    uint64_t bound = db->checkpoint_size > db->o.checkpoint_bytes ? db->checkpoint_size : db->o.checkpoint_bytes;
    uint64_t spares = (db->o.wal.segments_spare + 1) * db->o.wal.segment_bytes;
    bool piled_up = disk > 2 * bound + spares; /* many short lives, each with a segment hardly used */
    bool old = age_ms > db->o.checkpoint_ms && log > AGED_BYTES_MIN;
    return log > bound || old || (piled_up && age_ms > PILED_UP_MS);
}
