/*
 * background.c - the two threads beside ingest and queries.
 *
 * tsdb-head:   replays the log, then every second: packs tails, flushes, takes checkpoints
 * tsdb-blocks: every second: tries unreadable blocks again, merges, drops
 * Both do one thing at a time and look at db->stop between pieces.
 */
#include "base/log.h"
#include "tsdb/tsdb_internal.h"

enum { TICK_MS = 1000, RETRY_S = 10, MAINTAIN_STEPS = 4096, SLICE_MS = 50, RETRY_BLOCKS_S = 60 };

/* ---- rounds ---- */

static void failed(struct tsdb *db, const char *what, enum err err, const struct errmsg *why)
{
    if (err == ERR_CANCELED)
        return;
    db->head_retry_ns = clock_mono_ns(db->o.clock) + RETRY_S * INT64_C(1000000000);
    log_error("tsdb", what, "err=\"%s\"", why->text);
}

bool head_round(struct tsdb *db)
{
    struct errmsg why = {0};
    int64_t before_ms;
    bool did = false; /* a look at all pages that is over is no work: there are more than 256 of them for ever */
    mutex_lock(&db->head_work);
    for (int i = 0; i < MAINTAIN_STEPS; i++)
        if (!(did = head_maintain(db->head, &db->stop)))
            break;
    if (clock_mono_ns(db->o.clock) < db->head_retry_ns || cancel_check(&db->stop) != ERR_OK) {
        mutex_unlock(&db->head_work);
        return did;
    }
    did = expel_round(db) || did;
    if (flush_due(db, &before_ms)) {
        enum err err = flush_before(db, before_ms, &why);
        if (err != ERR_OK)
            failed(db, "head could not be flushed", err, &why);
        did = true;
    } else if (flush_idle_due(db, &before_ms)) {
        enum err err = flush_idle(db, before_ms, &why);
        if (err != ERR_OK)
            failed(db, "series of targets that are gone could not be flushed", err, &why);
        did = true;
    } else if (checkpoint_due(db)) {
        enum err err = checkpoint_take(db, false, &why);
        if (err != ERR_OK)
            failed(db, "checkpoint could not be taken", err, &why);
        did = true;
    }
    mutex_unlock(&db->head_work);
    return did;
}

bool block_round(struct tsdb *db)
{
    mutex_lock(&db->block_work);
    int64_t now = clock_mono_ns(db->o.clock);
    if (now - db->blocks_tried_ns > RETRY_BLOCKS_S * INT64_C(1000000000)) {
        db->blocks_tried_ns = now;
        blocks_retry(db);
        reserve_keep(db);
        while (snapshots_age(db))
            ;
    }
    quiet_look(db);
    bool did = retention_once(db);
    did = compact_once(db) || did;
    did = clean_once(db) || did;
    masks_prune(db);
    damages_look(db);
    mutex_unlock(&db->block_work);
    return did;
}

/* ---- throttle ---- */

/* Average sync since the last look, in ns; -1: too few to tell. */
static int64_t sync_average(struct tsdb *db, struct sync_watch *w)
{
    enum { FEW = 4 };
    const struct wal_stats *stats = wal_stats(db->wal);
    uint64_t syncs = atomic_load_explicit(&stats->syncs, memory_order_relaxed);
    uint64_t ns = atomic_load_explicit(&stats->sync_ns, memory_order_relaxed);
    if (syncs < w->syncs + FEW)
        return -1;
    int64_t average = (int64_t)((ns - w->ns) / (syncs - w->syncs));
    *w = (struct sync_watch){syncs, ns};
    return average;
}

void quiet_look(struct tsdb *db)
{
    enum { WEIGHT = 8 };
    int64_t average = sync_average(db, &db->quiet_watch);
    if (average >= 0)
        db->quiet_sync_ns += (average - db->quiet_sync_ns) / (db->quiet_sync_ns ? WEIGHT : 1);
}

/* Writers wait for syncs: when they take much longer than without us, half of the rate, and again; else back up. */
static void back_off(struct tsdb *db, struct throttle *t, int64_t now)
{
    enum { LOOK_NS = 500000000, SLOW_NS = 5000000, TIMES = 2 };
    if (now - t->looked_ns < LOOK_NS)
        return;
    bool first = t->looked_ns == 0;
    int64_t average = sync_average(db, &t->watch);
    t->looked_ns = now;
    if (first || average < 0)
        return;
    bool slow = average > TIMES * db->quiet_sync_ns + SLOW_NS;
    if (slow && t->slowed < THROTTLE_SLOWED_MAX) {
        t->slowed++;
        TSDB_COUNT(db, backoffs, 1);
    } else if (!slow && t->slowed > 0) {
        t->slowed--;
    }
}

void throttle_take(struct tsdb *db, struct throttle *t, size_t bytes)
{
    if (t->bytes_per_s == 0)
        return;
    int64_t now = clock_mono_ns(db->o.clock);
    back_off(db, t, now);
    t->next_ns = t->next_ns > now ? t->next_ns : now;
    t->next_ns += (int64_t)((double)bytes * 1e9 / (double)(t->bytes_per_s >> t->slowed));
    while (t->next_ns - now > SLICE_MS * INT64_C(1000000) && cancel_check(&db->stop) == ERR_OK) {
        clock_sleep_ns(db->o.clock, SLICE_MS * INT64_C(1000000));
        now = clock_mono_ns(db->o.clock);
    }
}

/* ---- threads ---- */

/* Until the next tick; false: closing. */
static bool tick(struct tsdb *db)
{
    mutex_lock(&db->state_lock);
    if (db->state != TSDB_CLOSING)
        cond_wait_ns(&db->state_cond, &db->state_lock, TICK_MS * INT64_C(1000000));
    bool go_on = db->state != TSDB_CLOSING;
    mutex_unlock(&db->state_lock);
    return go_on;
}

static void *head_thread(void *arg)
{
    struct tsdb *db = arg;
    if (!tsdb_replay(db))
        return NULL;
    while (tick(db))
        while (tsdb_ready(db) && head_round(db) && cancel_check(&db->stop) == ERR_OK)
            ;
    return NULL;
}

static void *block_thread(void *arg)
{
    struct tsdb *db = arg;
    thread_lower(); /* whoever answers goes first */
    while (tick(db))
        while (block_round(db) && cancel_check(&db->stop) == ERR_OK)
            ;
    return NULL;
}

void background_start(struct tsdb *db)
{
    db->threads = true;
    db->head_thread = thread_start("tsdb-head", head_thread, db);
    db->block_thread = thread_start("tsdb-blocks", block_thread, db);
}

void background_stop(struct tsdb *db)
{
    mutex_lock(&db->state_lock);
    db->state = TSDB_CLOSING;
    cond_broadcast(&db->state_cond);
    mutex_unlock(&db->state_lock);
    cancel_set(&db->stop, ERR_CANCELED);
    if (!db->threads)
        return;
    pthread_join(db->head_thread, NULL);
    pthread_join(db->block_thread, NULL);
    db->threads = false;
}
