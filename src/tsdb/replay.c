/*
 * replay.c - the log opened for writing, then the head from checkpoint and log.
 *
 * The log is read twice: once to know its end and its damage, so that it accepts records again after a
 * fraction of a second, and once, with the checkpoint before it, into the head.  Requests that come
 * meanwhile are logged as they are (folder ingest) and applied when this is through; queries see what is
 * there so far, with a warning.
 *
 * Frames up to the checkpoint's number are in the checkpoint; newer ones are read from the log, in
 * order.  Of a damaged checkpoint the log may still have what is missing: then all of it is read, the
 * head knows what it has already.  What is damaged is passed over, counted and said; the server starts with the rest.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/checkpoint.h"
#include "tsdb/tsdb_internal.h"

struct replay {
    struct tsdb *db;
    struct head_replay *head;
    uint64_t checkpoint_bytes; /* of the progress that the checkpoint makes up */
    bool checkpoint_damaged;
};

static unsigned replay_threads(const struct tsdb *db)
{
    if (db->o.manual)
        return 1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return db->o.replay_threads ? db->o.replay_threads : cores > 0 ? (unsigned)cores : 1;
}

/* One frame or piece; what the head cannot make sense of is counted by its report. */
static void feed(struct replay *r, struct slice records)
{
    struct errmsg why = {0};
    enum err err = head_replay_frame(r->head, records, &why);
    if (err != ERR_OK && TSDB_COUNT(r->db, replay_damage, 1) < 16)
        log_warn("tsdb", "records of the log cannot be applied", "err=\"%s\"", why.text);
    TSDB_COUNT(r->db, replay_frames, 1);
}

/* ---- checkpoint ---- */

static enum err piece_visit(void *ctx, struct slice records, const struct checkpoint_report *progress,
                            struct errmsg *why)
{
    struct replay *r = ctx;
    feed(r, records);
    TSDB_SET(r->db, replay_bytes_done, progress->bytes);
    enum err err = cancel_check(&r->db->stop);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "closing");
}

/* A checkpoint that cannot be read is kept for people to look at. */
static void checkpoint_set_aside(struct tsdb *db, const char *path, uint64_t number)
{
    char to[TSDB_PATH_BYTES], name[32];
    tsdb_path(db, to, "quarantine");
    enum err err = fs_mkdir_all(db->o.fs, to, NULL);
    snprintf(name, sizeof name, "%016llx", (unsigned long long)number);
    tsdb_path2(db, to, "quarantine", name, ".checkpoint");
    if (err == ERR_OK)
        err = fs_link(db->o.fs, path, to, NULL); /* the original goes with the next checkpoint */
    if (err != ERR_OK && err != ERR_EXISTS)
        log_warn("tsdb", "damaged checkpoint could not be kept", "path=\"%s\"", path);
}

static enum err replay_checkpoint(struct replay *r, uint64_t number, struct errmsg *why)
{
    struct tsdb *db = r->db;
    char path[TSDB_PATH_BYTES];
    struct checkpoint_report report;
    struct errmsg text = {0};
    if (number == 0)
        return ERR_OK;
    checkpoint_path(db, number, "", path);
    enum err err = checkpoint_read(db->o.fs, path, db->id, number, piece_visit, r, &report, &text);
    if (err == ERR_CANCELED) {
        *why = text;
        return err;
    }
    r->checkpoint_bytes = report.bytes_total;
    db->checkpoint_size = report.bytes_total;
    if (err == ERR_OK && report.complete)
        return ERR_OK;
    r->checkpoint_damaged = true;
    TSDB_COUNT(db, replay_damage, report.damaged + (err != ERR_OK));
    log_error("tsdb", "checkpoint is damaged, what is left of it is used",
              "path=\"%s\" pieces=%llu damaged=%llu offset=%llu err=\"%s\"", path, (unsigned long long)report.pieces,
              (unsigned long long)report.damaged, (unsigned long long)report.first_damage, text.text);
    if (err != ERR_NOT_FOUND)
        checkpoint_set_aside(db, path, number);
    return ERR_OK;
}

/* ---- log ---- */

static void progress(struct replay *r, struct wal_reader *reader, const struct wal_frame *frame)
{
    const struct wal_report *report = wal_reader_report(reader);
    uint64_t done = r->checkpoint_bytes + frame->offset;
    for (uint64_t i = 0; i < report->segments_done; i++)
        done += report->list[i].used;
    TSDB_SET(r->db, replay_bytes_done, done);
}

static enum err replay_log(struct replay *r, struct wal_reader *reader, struct errmsg *why)
{
    struct buf buffer = {0};
    struct tsdb *db = r->db;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct wal_frame frame;
        struct errmsg text = {0};
        enum err got = wal_reader_next(reader, &buffer, &frame, &text);
        if (got == ERR_NOT_FOUND)
            break;
        if (got == ERR_UNSUPPORTED)
            err = err_set(why, got, "%s", text.text);
        else if (got == ERR_OK)
            feed(r, frame.payload);
        if (err == ERR_OK && cancel_check(&db->stop) != ERR_OK)
            err = err_set(why, ERR_CANCELED, "closing");
        if (got == ERR_OK)
            progress(r, reader, &frame);
    }
    buf_deinit(&buffer);
    return err;
}

static void replay_say(struct tsdb *db, const struct wal_report *log, const struct head_replay_report *head)
{
    TSDB_SET(db, replay_lost_frames, log->lost_frames);
    TSDB_COUNT(db, replay_damage, log->damage_count);
    log_info(
        "tsdb", "log replayed",
        "frames=%llu series=%llu samples=%llu lost_frames=%llu lost_samples=%llu damaged=%llu torn_tail=%d ms=%lld",
        (unsigned long long)log->frames, (unsigned long long)head->series, (unsigned long long)head->samples,
        (unsigned long long)log->lost_frames, (unsigned long long)head->lost,
        (unsigned long long)(log->damage_count + head->damaged), log->torn_tail,
        (long long)(db->stats.replay_ns / 1000000));
    if (head->damaged)
        log_error("tsdb", "records in the log break their format", "count=%llu first=\"%s\"",
                  (unsigned long long)head->damaged, head->first_damage);
}

/* Flushes go on counting after those of the blocks that are there. */
static void sequence_find(struct tsdb *db)
{
    mutex_lock(&db->manifest_lock);
    for (size_t i = 0; i < db->manifest.block_count; i++)
        if (db->manifest.blocks[i].seq_max > db->flush_sequence)
            db->flush_sequence = db->manifest.blocks[i].seq_max;
    mutex_unlock(&db->manifest_lock);
    struct tombstones *stones =
        stones_acquire(db); /* a new block must not fall under one, also when all old ones went */
    for (size_t i = 0; i < stones->count; i++)
        if (stones->list[i]->sequence > db->flush_sequence)
            db->flush_sequence = stones->list[i]->sequence;
    tombstones_release(stones);
}

/* From here on records are accepted. */
static void log_start(struct tsdb *db, const struct wal_report *report, uint64_t checkpoint)
{
    uint64_t last = report->last_sequence > checkpoint ? report->last_sequence : checkpoint;
    struct errmsg text = {0};
    if (wal_start(db->wal, last + 1, report, &text) != ERR_OK)
        log_error("tsdb", "starts without a log that can be written: queries only", "err=\"%s\"", text.text);
    atomic_store_explicit(&db->accepting, true, memory_order_release);
}

/* What there is to read: the checkpoint and the used parts of the segments. */
static uint64_t bytes_to_read(struct tsdb *db, const struct wal_report *report, uint64_t checkpoint)
{
    char path[TSDB_PATH_BYTES];
    struct fs_stat st = {0};
    checkpoint_path(db, checkpoint, "", path);
    if (checkpoint > 0 && fs_stat_path(db->o.fs, path, &st, NULL) != ERR_OK)
        st.bytes = 0;
    for (uint64_t i = 0; i < report->segments_done; i++)
        st.bytes += report->list[i].used;
    return st.bytes;
}

static enum err replay_into_head(struct replay *r, struct wal_reader *reader, uint64_t checkpoint, struct errmsg *why)
{
    enum err err = replay_checkpoint(r, checkpoint, why);
    wal_reader_again(reader, r->checkpoint_damaged ? 0 : checkpoint + 1); /* of a damaged one: all that is there */
    return err == ERR_OK ? replay_log(r, reader, why) : err;
}

enum err replay_run(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct wal_reader *reader;
    int64_t start = clock_mono_ns(db->o.clock);
    mutex_lock(&db->manifest_lock);
    uint64_t checkpoint = db->manifest.checkpoint;
    mutex_unlock(&db->manifest_lock);
    tsdb_path(db, path, "wal");
    TRY(wal_reader_open(db->o.fs, path, db->id, checkpoint + 1, &reader, why));
    enum err err = wal_reader_survey(reader, why);
    if (err != ERR_OK) {
        wal_reader_close(reader);
        return err;
    }
    TSDB_SET(db, replay_bytes, bytes_to_read(db, wal_reader_report(reader), checkpoint));
    sequence_find(db);
    log_start(db, wal_reader_report(reader), checkpoint);
    struct replay r = {.db = db, .head = head_replay_new(db->head, replay_threads(db))};
    err = replay_into_head(&r, reader, checkpoint, why);
    struct head_replay_report report;
    head_replay_finish(r.head, &report);
    TSDB_SET(db, replay_ns, (uint64_t)(clock_mono_ns(db->o.clock) - start));
    if (err == ERR_OK) {
        replay_say(db, wal_reader_report(reader), &report);
        wal_truncate(db->wal, checkpoint + 1);
        db->checkpoint_sequence = checkpoint;
    }
    TSDB_SET(db, replay_bytes_done, db->stats.replay_bytes);
    wal_reader_close(reader);
    return err;
}
