/* Race test of the log: lanes come and go, the disk fails now and then, truncation and barriers beside them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lib/fs_sim.h"
#include "wal/wal.h"

enum { WRITERS = 4, REQUESTS = 400 };

struct request {
    struct wal_ticket ticket; /* first */
    _Atomic int *answers;
};

struct shared {
    struct fs_sim *sim;
    struct wal *wal;
    _Atomic bool stop;
};

static void on_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    (void)err;
    (void)why;
    struct request *r = (struct request *)ticket;
    _Atomic int *answers = r->answers;
    mem_free(r);
    (*answers)++;
}

static void *writer_run(void *arg)
{
    struct shared *s = arg;
    struct wal_lane *lane = wal_lane_new(s->wal);
    _Atomic int answers = 0;
    int sent = 0;
    for (int i = 0; i < REQUESTS; i++) {
        if (i % 100 == 99) {
            wal_lane_free(lane);
            lane = wal_lane_new(s->wal);
        }
        struct buf *records;
        if (wal_lane_begin(lane, 400, &records, NULL) != ERR_OK) {
            clock_sleep_ns(clock_system(), 100000);
            continue;
        }
        struct request *r = MEM_NEW(struct request);
        *r = (struct request){.ticket.done = on_done, .answers = &answers};
        buf_printf(records, "%0200d;", i);
        sent++;
        wal_lane_commit(lane, &r->ticket);
        while (i % 7 == 0 && answers < sent)
            clock_sleep_ns(clock_system(), 10000);
    }
    while (answers < sent)
        clock_sleep_ns(clock_system(), 10000);
    wal_lane_free(lane);
    return NULL;
}

static void *trouble_run(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; !s->stop; i++) {
        uint64_t sequence;
        if (i % 3 == 0)
            fs_sim_fail(s->sim, 5, false, FS_SIM_SYNC | FS_SIM_WRITE, ERR_IO);
        if (wal_barrier(s->wal, &sequence, NULL) == ERR_OK)
            wal_truncate(s->wal, sequence);
        (void)wal_replay_bytes(s->wal);
        clock_sleep_ns(clock_system(), 1000000);
    }
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
    return NULL;
}

int main(void)
{
    log_setup(LOG_ERROR + 1, 0);
    struct shared s = {.sim = fs_sim_new()};
    struct wal_options o;
    struct errmsg why = {0};
    wal_options_default(&o);
    o.fs = fs_sim_fs(s.sim);
    o.id = 1;
    o.segment_bytes = 16384;
    o.probe_ms = 1;
    enum err err = wal_open(&o, &s.wal, &why);
    assert(err == ERR_OK);
    err = wal_start(s.wal, 1, NULL, &why);
    assert(err == ERR_OK);
    pthread_t writers[WRITERS], trouble = thread_start("trouble", trouble_run, &s);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = thread_start("writer", writer_run, &s);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    s.stop = true;
    pthread_join(trouble, NULL);
    struct wal_stats *stats = wal_stats(s.wal);
    printf("wal: %llu frames, %llu tickets, %llu rewrites, %llu poisoned\n", (unsigned long long)stats->frames,
           (unsigned long long)stats->tickets, (unsigned long long)stats->rewrites,
           (unsigned long long)stats->poisoned_segments);
    err = wal_close(s.wal, &why);
    assert(err == ERR_OK);
    fs_sim_free(s.sim);
    return 0;
}
