/*
 * flush.c - samples of the head become level-0 blocks, one per aligned block range.
 *
 * Sequence: blocks published -> manifest says flushed -> the head frees the samples -> checkpoint, so
 * that the log need not hold them.  After a crash anywhere between, the log brings back samples that
 * are in a block already; the two copies are equal and count once, here as in every merge.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/compact_plan.h"
#include "tsdb/tsdb_internal.h"

enum { SIDE_BYTES_MAX = 256 << 20 };
enum {
    IDLE_MS = 600000
}; /* a series without samples for so long before the cut leaves the head; it is cheap to make again */

struct flush {
    struct tsdb *db;
    bool idle;                    /* only targets that are gone */
    const struct tsdb_delete *of; /* only pages with these series; NULL: all */
    uint64_t sequence;            /* of this flush: its blocks win over those of earlier ones */
    uint64_t samples;
};

static enum err on_write(void *ctx, size_t bytes, struct errmsg *why)
{
    (void)bytes; /* not throttled: the head grows meanwhile */
    struct flush *f = ctx;
    enum err err = cancel_check(&f->db->stop);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "closing");
}

static enum err write_series(struct block_writer *w, struct series_set *set, struct series_reader *r, int64_t mint_ms,
                             int64_t maxt_ms, struct errmsg *why)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        TRY(r->ops->read(r, i, mint_ms, maxt_ms, &samples, why));
        if (samples.count == 0)
            continue;
        TRY(block_writer_series(w, &set->labels[i], why));
        TRY(block_writer_samples(w, &samples, why));
    }
    return ERR_OK;
}

/* All series of the window, piece by piece. */
static enum err write_window(struct block_writer *w, struct head_cut *cut, int64_t mint_ms, int64_t maxt_ms,
                             struct errmsg *why)
{
    struct series_set *set;
    enum err err;
    head_cut_select(cut, mint_ms, maxt_ms, block_labels_cmp);
    while ((err = head_cut_next(cut, &set, why)) == ERR_OK && set) {
        struct series_reader *r = set->ops->reader(set);
        err = write_series(w, set, r, mint_ms, maxt_ms, why);
        r->ops->close(r);
        if (err != ERR_OK)
            break;
    }
    return err;
}

static enum err write_block(struct flush *f, struct head_cut *cut, int64_t mint_ms, int64_t maxt_ms,
                            struct block_meta *meta, struct errmsg *why)
{
    struct tsdb *db = f->db;
    char tmp[TSDB_PATH_BYTES];
    struct block_writer *w;
    struct block_writer_options o = {
        .id = block_id_new(clock_now_ms(db->o.clock), db->o.random),
        .seq_min = f->sequence,
        .seq_max = f->sequence,
        .on_write = on_write,
        .ctx = f,
    };
    blocks_tmp_path(db, &o.id, tmp);
    enum err err = block_writer_new(db->o.fs, tmp, &o, &w, why);
    if (err == ERR_OK) {
        err = write_window(w, cut, mint_ms, maxt_ms, why);
        if (err == ERR_OK)
            err = block_writer_finish(w, meta, why);
        block_writer_free(w);
    }
    if (err != ERR_OK) {
        enum err ignored = fs_remove_all(db->o.fs, tmp, NULL);
        (void)ignored; /* the next start removes it */
    }
    return err;
}

static enum err flush_window(struct flush *f, struct head_cut *cut, int64_t mint_ms, int64_t maxt_ms,
                             struct errmsg *why)
{
    struct block_meta meta;
    enum err err = write_block(f, cut, mint_ms, maxt_ms, &meta, why);
    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* not a single sample in the window after all */
    if (err == ERR_OK)
        err = blocks_publish(f->db, &meta, (struct blocks_change){0}, why);
    if (err != ERR_OK)
        return err;
    char id[BLOCK_ID_TEXT];
    block_id_text(&meta.id, id);
    f->samples += meta.samples;
    log_info("tsdb", "block written", "id=%s series=%llu samples=%llu bytes=%llu mint=%lld maxt=%lld", id,
             (unsigned long long)meta.series, (unsigned long long)meta.samples,
             (unsigned long long)(meta.index.bytes + meta.data.bytes), (long long)meta.mint_ms,
             (long long)meta.maxt_ms);
    return ERR_OK;
}

/* A backfill goes straight into blocks as long as merged ones. */
static enum err flush_windows(struct flush *f, struct head_cut *cut, struct errmsg *why)
{
    int64_t mint_ms, maxt_ms;
    enum err err = ERR_OK;
    struct compact_ranges ranges = compact_ranges(f->db);
    head_cut_ranges(cut, ranges.ms, ranges.count);
    while (err == ERR_OK && head_cut_window(cut, f->db->o.block_range_ms, &mint_ms, &maxt_ms))
        err = flush_window(f, cut, mint_ms, maxt_ms, why);
    return err;
}

/* Between begin and the end of a cut. */
static enum err flush_open_cut(struct flush *f, struct head_cut *cut, int64_t before_ms, struct errmsg *why)
{
    struct tsdb *db = f->db;
    uint64_t frame;
    TRY(wal_barrier(db->wal, &frame, why)); /* what gets into a block is durable in the log before */
    f->sequence = ++db->flush_sequence;
    TRY(flush_windows(f, cut, why));
    if (f->idle || f->of)
        return ERR_OK; /* of the others nothing is in blocks */
    int64_t now = clock_now_ms(db->o.clock), flushed = before_ms < now ? before_ms : now; /* not into the future */
    return blocks_commit(db, &(struct blocks_change){.flushed_ms = &flushed}, why);
}

static enum err cut_begin(const struct flush *f, int64_t before_ms, struct head_cut **cut, struct errmsg *why)
{
    if (f->of) {
        struct selector *list = mem_array((size_t)f->of->selector_count + 1, sizeof *list);
        for (uint32_t i = 0; i < f->of->selector_count; i++)
            list[i] =
                (struct selector){.matchers = f->of->selectors[i].matchers, .matcher_count = f->of->selectors[i].count};
        enum err err = head_cut_begin_of(f->db->head, before_ms, list, f->of->selector_count, &f->db->stop, cut, why);
        mem_free(list);
        return err;
    }
    if (f->idle)
        head_cut_begin_idle(f->db->head, before_ms, cut);
    else
        head_cut_begin(f->db->head, before_ms, cut);
    return ERR_OK;
}

static enum err flush_cut(struct flush *f, int64_t before_ms, struct errmsg *why)
{
    struct head_cut *cut;
    TRY(cut_begin(f, before_ms, &cut, why));
    enum err err = flush_open_cut(f, cut, before_ms, why);
    if (err != ERR_OK) {
        head_cut_abandon(cut);
        return err;
    }
    err = head_cut_finish(cut, f->idle ? 0 : IDLE_MS, &f->db->stop);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "queries did not end");
}

static enum err flush_some(struct flush f, int64_t before_ms, struct errmsg *why)
{
    struct tsdb *db = f.db;
    int64_t start = clock_mono_ns(db->o.clock);
    db->log_has_flushed = true;
    enum err err = flush_cut(&f, before_ms, why);
    struct head_stats after;
    head_stats(db->head, &after);
    db->side_kept = after.bytes_side; /* late, but not old enough for this flush */
    TSDB_COUNT(db, flush_ns, (uint64_t)(clock_mono_ns(db->o.clock) - start));
    if (err == ERR_OK) {
        TSDB_COUNT(db, flushes, 1);
        TSDB_COUNT(db, flushed_samples, f.samples);
        return ERR_OK;
    }
    TSDB_COUNT(db, flush_errors, 1);
    return err_wrap(why, err, "flush");
}

enum err flush_samples(struct tsdb *db, int64_t before_ms, struct errmsg *why)
{
    return flush_some((struct flush){.db = db}, before_ms, why);
}

enum err flush_selected(struct tsdb *db, const struct tsdb_delete *d, int64_t before_ms, struct errmsg *why)
{
    return flush_some((struct flush){.db = db, .of = d}, before_ms, why);
}

enum err flush_before(struct tsdb *db, int64_t before_ms, struct errmsg *why)
{
    TRY(flush_samples(db, before_ms, why));
    return checkpoint_take(db, true, why);
}

static int64_t align_down(int64_t t, int64_t range)
{
    int64_t rest = t % range;
    return t - (rest < 0 ? rest + range : rest);
}

/* Old samples cost 16 bytes each until they are in a block: what a backfill may take of the head. */
static uint64_t side_max(const struct tsdb *db)
{
    uint64_t share = db->o.head_bytes_max / 8;
    return share && share < SIDE_BYTES_MAX ? share : SIDE_BYTES_MAX;
}

bool flush_due(struct tsdb *db, int64_t *before_ms)
{
    struct head_stats s;
    head_stats(db->head, &s);
    if (s.mint_ms > s.maxt_ms)
        return false;
    int64_t range = db->o.block_range_ms, now = clock_now_ms(db->o.clock);
    int64_t newest = s.maxt_ms < now ? s.maxt_ms : now;     /* a sample from the future must not empty the head */
    int64_t before = align_down(newest - range / 2, range); /* late senders get half a range */
    mutex_lock(&db->manifest_lock);
    bool crossed = before > db->manifest.flushed_ms;
    mutex_unlock(&db->manifest_lock);
    if (crossed && s.mint_ms < before) {
        *before_ms = before;
        return true;
    }
    if (s.bytes_side > db->side_kept + side_max(db) && s.mint_ms < before) {
        *before_ms = before;
        return true;
    }
    uint64_t freeable = s.bytes_columns + s.bytes_tails + s.bytes_chunks + s.bytes_side;
    bool pressure = db->o.head_bytes_max && s.bytes > db->o.head_bytes_max && freeable > db->o.head_bytes_max / 4;
    if (!pressure)
        return false;
    *before_ms = s.mint_ms < before ? before : newest < s.mint_ms ? s.maxt_ms + 1 : newest + 1;
    return true;
}

/*
 * Where targets come and go all the time (churn), their series would fill the head for hours, until the range they were
 * in is flushed.  So when as many are gone as half of those that are still there, they go into a block of their own.
 */
bool flush_idle_due(struct tsdb *db, int64_t *before_ms)
{
    enum { LOOK_MS = 30000, SHARE = 3 };
    struct head_stats s;
    int64_t now = clock_now_ms(db->o.clock), mono = clock_mono_ns(db->o.clock);
    if (db->o.idle_series_min == 0 || mono - db->idle_looked_ns < LOOK_MS * INT64_C(1000000))
        return false;
    db->idle_looked_ns = mono;
    head_stats(db->head, &s);
    int64_t newest = s.maxt_ms < now ? s.maxt_ms : now;
    if (s.mint_ms > s.maxt_ms || s.series < db->o.idle_series_min)
        return false;
    *before_ms = newest - IDLE_MS;
    uint64_t idle = head_idle_series(db->head, *before_ms);
    return idle >= db->o.idle_series_min && idle * SHARE >= s.series;
}

enum err flush_idle(struct tsdb *db, int64_t before_ms, struct errmsg *why)
{
    TRY(flush_some((struct flush){.db = db, .idle = true}, before_ms, why));
    return checkpoint_take(db, true, why);
}
