/* Race test of the store: writers, queries, flushes, merges, checkpoints, deletes, cleaning and retention rules at once. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "lib/fs_sim.h"
#include "lib/rw_body.h"
#include "tsdb/tsdb.h"

enum { WRITERS = 2, READERS = 2, SERIES = 40, REQUESTS = 250, RANGE_MS = 500 };

struct shared {
    struct tsdb *db;
    struct ingest *ingest;
    _Atomic bool stop;
    _Atomic uint64_t acked; /* samples */
    _Atomic uint64_t queries;
    int64_t start_ms;
};

struct request {
    struct wal_ticket ticket; /* first */
    struct shared *shared;
    _Atomic bool done;
    uint32_t samples;
};

struct writer {
    struct shared *shared;
    unsigned lane;
};

static void on_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    (void)why;
    struct request *r = (struct request *)ticket;
    assert(err == ERR_OK);
    r->shared->acked += r->samples;
    r->done = true;
}

static void write_one(struct writer *w, struct rw_body *body, int64_t time_ms)
{
    char labels[96];
    struct request r = {.ticket.done = on_done, .shared = w->shared, .samples = SERIES};
    for (unsigned i = 0; i < SERIES; i++) {
        snprintf(labels, sizeof labels, "__name__=m%u|i=%u|w=%u", i % 4, i, w->lane);
        rw_series(body, labels);
        rw_sample(body, time_ms, (double)time_ms);
    }
    struct ingest_result result = {0};
    struct ingest_request request = {.lane = w->lane,
                                     .encoding = INGEST_IDENTITY,
                                     .body = rw_finish(body),
                                     .stream = w->lane + 1,
                                     .ticket = &r.ticket};
    bool waits = ingest_write(w->shared->ingest, &request, &result);
    assert(waits && result.err == ERR_OK);
    while (!r.done)
        clock_sleep_ns(clock_system(), 20000);
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    struct rw_body body = {0};
    for (int i = 0; i < REQUESTS; i++)
        write_one(w, &body, w->shared->start_ms - 60000 + i * 40); /* 10 s in 20 ranges */
    rw_body_deinit(&body);
    return NULL;
}

/* Reads everything; what was acknowledged before must be there, every value must be its time. */
static uint64_t read_all(struct shared *s)
{
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = true};
    struct errmsg why = {0};
    arena_init(&arena, NULL);
    enum err err = tsdb_storage(s->db)->ops->querier(tsdb_storage(s->db), INT64_MIN, INT64_MAX, &q, &why);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, &why);
    assert(err == ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    uint64_t found = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        err = r->ops->read(r, i, INT64_MIN, INT64_MAX, &samples, &why);
        assert(err == ERR_OK);
        for (uint32_t k = 0; k < samples.count; k++)
            assert(samples.values[k] == (double)samples.times_ms[k]);
        found += samples.count;
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    return found;
}

static void *reader_run(void *arg)
{
    struct shared *s = arg;
    while (!s->stop) {
        uint64_t before = s->acked, found = read_all(s);
        assert(found >= before);
        s->queries++;
    }
    return NULL;
}

/* ---- deleting ---- */

static struct matcher doomed_matcher(void)
{
    return (struct matcher){.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("doomed")};
}

static uint64_t doomed_left(struct shared *s)
{
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    struct matcher m = doomed_matcher();
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    struct storage *storage = tsdb_storage(s->db);
    arena_init(&arena, NULL);
    enum err err = storage->ops->querier(storage, INT64_MIN, INT64_MAX, &q, NULL);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, NULL);
    assert(err == ERR_OK);
    uint64_t left = set->count;
    q->ops->close(q);
    arena_deinit(&arena);
    return left;
}

static void write_doomed(struct writer *w, struct rw_body *body, int64_t time_ms)
{
    struct request r = {.ticket.done = on_done, .shared = w->shared};
    for (int i = 0; i < 3; i++) {
        rw_series(body, i == 0 ? "__name__=doomed|i=0" : i == 1 ? "__name__=doomed|i=1" : "__name__=doomed|i=2");
        rw_sample(body, time_ms + i, (double)(time_ms + i));
    }
    struct ingest_result result = {0};
    struct ingest_request request = {
        .lane = w->lane, .encoding = INGEST_IDENTITY, .body = rw_finish(body), .stream = 77, .ticket = &r.ticket};
    bool waits = ingest_write(w->shared->ingest, &request, &result);
    assert(waits && result.err == ERR_OK);
    while (!r.done)
        clock_sleep_ns(clock_system(), 20000);
}

/* Writes some series, deletes them, and they are gone at once; the others never notice. */
static void *deleter_run(void *arg)
{
    struct writer *w = arg;
    struct shared *s = w->shared;
    struct rw_body body = {0};
    struct matcher m = doomed_matcher();
    struct tsdb_selector selector = {&m, 1};
    struct tsdb_rule rule = {{&m, 1}, 3600000};
    for (int i = 0; !s->stop; i++) {
        struct errmsg why = {0};
        struct tsdb_affected affected;
        write_doomed(w, &body, s->start_ms - 60000 + i * 13);
        write_doomed(w, &body, s->start_ms - 50000 + i * 13);
        assert(doomed_left(s) == 3);
        struct tsdb_delete d = {&selector, 1, INT64_MIN, INT64_MAX};
        enum err err = tsdb_delete_dry_run(s->db, &d, NULL, &affected, &why);
        assert(err == ERR_OK && affected.series == 3);
        err = tsdb_delete(s->db, &d, &why);
        assert(err == ERR_OK);
        assert(doomed_left(s) == 0);
        err = tsdb_set_rules(s->db, &rule, (uint32_t)i % 2, &why);
        assert(err == ERR_OK);
        err = i % 3 == 0 ? tsdb_clean_tombstones(s->db, &why) : ERR_OK;
        assert(err == ERR_OK);
    }
    rw_body_deinit(&body);
    return NULL;
}

static bool visit_block(void *ctx, const struct tsdb_block_info *info)
{
    (void)ctx;
    return info->problem == NULL;
}

static void *background_run(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; !s->stop; i++) {
        struct errmsg why = {0};
        enum err err = i % 4 == 0 ? tsdb_flush(s->db, &why) : ERR_OK;
        assert(err == ERR_OK);
        tsdb_run_once(s->db);
        tsdb_blocks(s->db, visit_block, s);
        clock_sleep_ns(clock_system(), 5000000);
    }
    return NULL;
}

static void options(struct tsdb_options *o, struct fs_sim *sim)
{
    tsdb_options_default(o);
    o->fs = fs_sim_fs(sim);
    o->dir = "data";
    o->retention_ms = 0;
    o->block_range_ms = RANGE_MS;
    o->block_range_max_ms = RANGE_MS * 12;
    o->checkpoint_bytes = 20000;
    o->cache_bytes = 1 << 16;
    o->replay_threads = 2;
    o->wal.segment_bytes = 65536;
}

int main(void)
{
    log_setup(LOG_ERROR, 0);
    struct fs_sim *sim = fs_sim_new();
    struct tsdb_options o;
    struct errmsg why = {0};
    struct shared s = {.start_ms = clock_now_ms(clock_system())};
    options(&o, sim);
    enum err err = tsdb_open(&o, &s.db, &why);
    assert(err == ERR_OK);
    err = tsdb_wait_ready(s.db, &why);
    assert(err == ERR_OK);
    struct ingest_options io;
    ingest_options_default(&io);
    io.head = tsdb_head(s.db);
    io.wal = tsdb_wal(s.db);
    io.lanes = WRITERS + 1;
    io.clock = clock_system();
    err = ingest_new(&io, &s.ingest, &why);
    assert(err == ERR_OK);
    struct writer writers[WRITERS];
    pthread_t writer_threads[WRITERS], readers[READERS], background;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&s, i};
        writer_threads[i] = thread_start("writer", writer_run, &writers[i]);
    }
    for (int i = 0; i < READERS; i++)
        readers[i] = thread_start("reader", reader_run, &s);
    background = thread_start("background", background_run, &s);
    struct writer doomed = {&s, WRITERS};
    pthread_t deleter = thread_start("deleter", deleter_run, &doomed);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writer_threads[i], NULL);
    s.stop = true;
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    pthread_join(background, NULL);
    pthread_join(deleter, NULL);
    assert(read_all(&s) == (uint64_t)WRITERS * SERIES * REQUESTS);
    struct tsdb_stats *stats = tsdb_stats(s.db);
    assert(stats->flush_errors == 0 && stats->checkpoint_errors == 0 && stats->compaction_errors == 0);
    assert(stats->deletes > 0 && stats->delete_errors == 0 && stats->cleaning_errors == 0);
    printf("tsdb: %llu deletes, %llu blocks cleaned, %llu flushes, %llu merges, %llu checkpoints, %llu blocks, %llu queries\n",
           (unsigned long long)stats->deletes, (unsigned long long)stats->cleaned_blocks,
           (unsigned long long)stats->flushes, (unsigned long long)stats->compactions,
           (unsigned long long)stats->checkpoints, (unsigned long long)stats->blocks, (unsigned long long)s.queries);
    ingest_free(s.ingest);
    err = tsdb_close(s.db, &why);
    assert(err == ERR_OK);
    err = tsdb_open(&o, &s.db, &why);
    assert(err == ERR_OK);
    err = tsdb_wait_ready(s.db, &why);
    assert(err == ERR_OK);
    assert(read_all(&s) == (uint64_t)WRITERS * SERIES * REQUESTS);
    err = tsdb_close(s.db, &why);
    assert(err == ERR_OK);
    fs_sim_free(sim);
    return 0;
}
