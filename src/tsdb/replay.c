/*
 * replay.c - the log opened for writing, then the head from checkpoint and log.
 *
 * The log is read twice: once to know its end and its damage, so that it accepts records again after a
 * fraction of a second, and once, with the checkpoint before it, into the head.  Requests that come
 * meanwhile are logged as they are (folder ingest) and applied when this is through; queries see what is
 * there so far, with a warning.
 *
 * Frames up to the checkpoint's number are in the checkpoint; newer ones are read from the log, in
 * order.  The checkpoint's checksums are looked at before any of it is used: of a damaged or missing one the
 * one before stands in, with the log since then, and of that the empty head with the whole log, as far as the manifest
 * says that the log was kept.  When nothing stands in, what is left of the newest one and of the log is used, the head
 * knows what it has already; the loss is written into the manifest, with the time it is about, and queries say it.
 * What is damaged is passed over, counted and said; the server starts with the rest.
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
    struct manifest manifest;  /* a copy */
    uint64_t checkpoint_bytes; /* of the progress that the checkpoint makes up */
    uint64_t from;             /* the first frame to replay */
    uint64_t first_frame;      /* that was found; 0: none */
    uint64_t lost_frames;      /* missing while they were replayed */
    uint64_t told;             /* frames and pieces with damage that was counted */
    bool end_lost;             /* and at the end */
    bool damaged;              /* the newest checkpoint */
    bool lossy;                /* and nothing stands in for it */
    char unsound[CHECKPOINT_NAME_BYTES]; /* the first damaged file of its chain; "": none */
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
    if (err != ERR_OK) {
        r->told++;
        if (TSDB_COUNT(r->db, replay_damage, 1) < 16)
            log_warn("tsdb", "records of the log cannot be applied", "err=\"%s\"", why.text);
    }
    TSDB_COUNT(r->db, replay_frames, 1);
}

/* ---- checkpoint ---- */

static enum err piece_visit(void *ctx, struct slice records, const struct checkpoint_report *progress,
                            struct errmsg *why)
{
    struct replay *r = ctx;
    feed(r, records);
    TSDB_SET(r->db, replay_bytes_done, r->checkpoint_bytes + progress->bytes);
    enum err err = cancel_check(&r->db->stop);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "closing");
}

/* A checkpoint that cannot be read is kept for people to look at. */
static void checkpoint_set_aside(struct tsdb *db, const char *path, const char *name)
{
    char to[TSDB_PATH_BYTES];
    tsdb_path(db, to, "quarantine");
    enum err err = fs_mkdir_all(db->o.fs, to, NULL);
    tsdb_path2(db, to, "quarantine", name, "");
    if (err == ERR_OK)
        err = fs_link(db->o.fs, path, to, NULL); /* the original goes with the next checkpoint */
    if (err != ERR_OK && err != ERR_EXISTS)
        log_warn("tsdb", "damaged checkpoint could not be kept", "path=\"%s\"", path);
}

static bool file_sound(void *ctx, const struct manifest_checkpoint *c)
{
    struct replay *r = ctx;
    struct tsdb *db = r->db;
    char path[TSDB_PATH_BYTES], name[CHECKPOINT_NAME_BYTES];
    struct checkpoint_report report;
    struct errmsg why = {0};
    checkpoint_path(db, c, "", path);
    enum err err = checkpoint_read(db->o.fs, path, db->id, c, NULL, NULL, &report, &why);
    if (err == ERR_OK && report.complete)
        return true;
    TSDB_COUNT(db, replay_damage, report.damaged + (err != ERR_OK));
    log_error("tsdb", "checkpoint is damaged", "path=\"%s\" pieces=%llu damaged=%llu offset=%llu err=\"%s\"", path,
              (unsigned long long)report.pieces, (unsigned long long)report.damaged,
              (unsigned long long)report.first_damage, why.text);
    checkpoint_name(c, name);
    if (!r->unsound[0])
        snprintf(r->unsound, sizeof r->unsound, "%s", name);
    if (err != ERR_NOT_FOUND)
        checkpoint_set_aside(db, path, name);
    return false;
}

static enum err replay_checkpoint(struct replay *r, const struct manifest_checkpoint *c, struct errmsg *why)
{
    struct tsdb *db = r->db;
    char path[TSDB_PATH_BYTES];
    struct checkpoint_report report;
    struct errmsg text = {0};
    checkpoint_path(db, c, "", path);
    enum err err = checkpoint_read(db->o.fs, path, db->id, c, piece_visit, r, &report, &text);
    if (err == ERR_CANCELED) {
        *why = text;
        return err;
    }
    r->checkpoint_bytes += report.bytes_total;
    head_replay_settle(r->head);
    return ERR_OK; /* damage was told when it was chosen */
}

/* Checkpoints that are not used any more leave the list; the next change of the manifest writes it. */
static void checkpoints_settle(struct replay *r, size_t count)
{
    struct tsdb *db = r->db;
    db->checkpoint_wanted = r->damaged;
    if (!r->damaged || r->lossy)
        return;
    mutex_lock(&db->manifest_lock);
    db->manifest.checkpoint_count = count;
    mutex_unlock(&db->manifest_lock);
    log_warn("tsdb", "an older checkpoint and the log since then stand in for the damaged one",
             "checkpoint=%llu log_from=%llu", (unsigned long long)manifest_covered(&db->manifest),
             (unsigned long long)r->from);
}

static enum err replay_checkpoints(struct replay *r, struct errmsg *why)
{
    const struct manifest *m = &r->manifest;
    size_t count = manifest_usable(m, file_sound, r, &r->lossy);
    r->damaged = r->lossy || count < m->checkpoint_count;
    r->from = r->lossy ? m->log_first : count ? m->checkpoints[count - 1].sequence + 1 : 1;
    checkpoints_settle(r, count);
    enum err err = ERR_OK;
    for (size_t i = count ? manifest_chain(m, count - 1) : 0; i < count && err == ERR_OK; i++)
        err = replay_checkpoint(r, &m->checkpoints[i], why);
    r->db->checkpoint_size = r->checkpoint_bytes;
    return err;
}

/* ---- log ---- */

static void progress(struct replay *r, struct wal_reader *reader, const struct wal_frame *frame)
{
    const struct wal_report *report = wal_reader_report(reader);
    uint64_t done = r->checkpoint_bytes + frame->offset;
    for (uint64_t i = 0; i < report->segments_done; i++)
        done += report->list[i].last_sequence >= r->from ? report->list[i].used : 0;
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
        r->lost_frames += got == ERR_OK ? frame.lost_before : 0;
        r->first_frame = got == ERR_OK && !r->first_frame ? frame.sequence : r->first_frame;
        if (err == ERR_OK && cancel_check(&db->stop) != ERR_OK)
            err = err_set(why, ERR_CANCELED, "closing");
        if (got == ERR_OK)
            progress(r, reader, &frame);
    }
    buf_deinit(&buffer);
    return err;
}

static void replay_say(struct replay *r, const struct wal_report *log, const struct head_replay_report *head)
{
    struct tsdb *db = r->db;
    TSDB_SET(db, replay_lost_frames, log->lost_frames);
    TSDB_COUNT(db, replay_damage, log->damage_count + (head->damaged > r->told ? head->damaged - r->told : 0));
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

/* ---- losses ---- */

/* What the newest checkpoint was about; not known: since the last flush. */
static void loss_begin(struct replay *r, struct manifest_loss *loss)
{
    const struct manifest *m = &r->manifest;
    int64_t mint_ms = INT64_MAX, now = clock_now_ms(r->db->o.clock);
    *loss = (struct manifest_loss){.maxt_ms = INT64_MIN};
    for (size_t i = m->checkpoint_count ? manifest_chain(m, m->checkpoint_count - 1) : 0; i < m->checkpoint_count;
         i++) {
        const struct manifest_checkpoint *c = &m->checkpoints[i];
        mint_ms = c->mint_ms < mint_ms ? c->mint_ms : mint_ms;
        loss->maxt_ms = c->maxt_ms > loss->maxt_ms ? c->maxt_ms : loss->maxt_ms;
    }
    bool known = mint_ms <= loss->maxt_ms;
    loss->mint_ms = known ? mint_ms : m->flushed_ms;
    loss->maxt_ms = known ? loss->maxt_ms : now;
}

/* The time of lost frames is not known; most samples are of the time when they came. */
static void losses_find(struct replay *r, uint64_t lost_samples)
{
    struct manifest_loss loss;
    loss_begin(r, &loss);
    r->db->log_is_lossy = r->lossy;
    if (r->lossy) {
        snprintf(loss.why, sizeof loss.why, "checkpoint %s is missing or damaged, and what stood in for it is too",
                 r->unsound);
        losses_note(r->db, &loss);
    } else if (r->lost_frames || r->end_lost || lost_samples) {
        loss.maxt_ms = clock_now_ms(r->db->o.clock);
        snprintf(loss.why, sizeof loss.why, "the log is damaged after frame %llu: %llu frames are missing%s",
                 (unsigned long long)r->from - 1, (unsigned long long)r->lost_frames,
                 r->end_lost ? ", and perhaps more at its end" : "");
        losses_note(r->db, &loss);
        r->db->checkpoint_wanted = r->db->log_is_lossy = true;
    }
}

/* ---- all of it ---- */

/* What there is to read: the checkpoint and the used parts of the segments. */
static uint64_t bytes_to_read(struct replay *r, const struct wal_report *report)
{
    const struct manifest *m = &r->manifest;
    uint64_t bytes = 0;
    for (size_t i = m->checkpoint_count ? manifest_chain(m, m->checkpoint_count - 1) : 0; i < m->checkpoint_count;
         i++) {
        char path[TSDB_PATH_BYTES];
        struct fs_stat st;
        checkpoint_path(r->db, &m->checkpoints[i], "", path);
        bytes += fs_stat_path(r->db->o.fs, path, &st, NULL) == ERR_OK ? st.bytes : 0;
    }
    for (uint64_t i = 0; i < report->segments_done; i++)
        bytes += report->list[i].last_sequence >= r->from ? report->list[i].used : 0;
    return bytes;
}

static enum err replay_into_head(struct replay *r, struct wal_reader *reader, struct errmsg *why)
{
    TRY(replay_checkpoints(r, why));
    if (r->damaged)
        TSDB_SET(r->db, replay_bytes, r->checkpoint_bytes + bytes_to_read(r, wal_reader_report(reader)));
    wal_reader_again(reader, r->from);
    TRY(replay_log(r, reader, why));
    const struct wal_report *report = wal_reader_report(reader);
    r->lost_frames = report->lost_frames > r->lost_frames ? report->lost_frames : r->lost_frames;
    r->end_lost = report->end_lost;
    if (r->first_frame == 1 && r->lost_frames == 0)
        r->lossy = false; /* the log had all of it */
    return ERR_OK;
}

/* Bytes of the log that the newest checkpoint does not cover: the next one is due when there are many. */
static uint64_t log_bytes(const struct wal_report *report, uint64_t covered)
{
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < report->segments_done; i++)
        bytes += report->list[i].last_sequence > covered ? report->list[i].used : 0;
    return bytes;
}

static enum err replay_all(struct replay *r, struct wal_reader *reader, struct errmsg *why)
{
    struct tsdb *db = r->db;
    int64_t start = clock_mono_ns(db->o.clock);
    uint64_t covered = manifest_covered(&r->manifest);
    r->from = covered + 1; /* unless something is damaged */
    TSDB_SET(db, replay_bytes, bytes_to_read(r, wal_reader_report(reader)));
    sequence_find(db);
    log_start(db, wal_reader_report(reader), covered);
    r->head = head_replay_new(db->head, replay_threads(db));
    enum err err = replay_into_head(r, reader, why);
    struct head_replay_report report;
    head_replay_finish(r->head, &report);
    TSDB_SET(db, replay_ns, (uint64_t)(clock_mono_ns(db->o.clock) - start));
    if (err == ERR_OK) {
        replay_say(r, wal_reader_report(reader), &report);
        losses_find(r, report.lost);
        wal_truncate(db->wal, r->manifest.log_first ? r->manifest.log_first : covered + 1);
        db->checkpoint_sequence = covered;
        TSDB_SET(db, checkpoint_frame, covered);
        db->log_before = log_bytes(wal_reader_report(reader), covered);
    }
    TSDB_SET(db, replay_bytes_done, db->stats.replay_bytes);
    return err;
}

enum err replay_run(struct tsdb *db, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES];
    struct wal_reader *reader;
    struct replay r = {.db = db};
    mutex_lock(&db->manifest_lock);
    manifest_copy(&r.manifest, &db->manifest);
    mutex_unlock(&db->manifest_lock);
    tsdb_path(db, path, "wal");
    enum err err = wal_reader_open(db->o.fs, path, db->id, manifest_covered(&r.manifest) + 1, &reader, why);
    if (err == ERR_OK) {
        err = wal_reader_survey(reader, why);
        if (err == ERR_OK)
            err = replay_all(&r, reader, why);
        wal_reader_close(reader);
    }
    manifest_deinit(&r.manifest);
    return err;
}
