/*
 * bench_wal.c - cost of a commit on the real disk: writers with a request outstanding each.
 *
 * Prints per mode: requests/s, requests per sync, the latency of an acknowledgement, CPU per request.
 * Files go to ./build/bench-wal (the disk under the working directory is what is measured).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal.h"

enum { RECORD_BYTES = 2400, SECONDS = 2, WRITERS_MAX = 8, LATENCIES_MAX = 1 << 17 };

struct writer {
    struct wal_ticket ticket; /* first */
    struct wal_lane *lane;
    struct mutex lock;
    struct cond cond;
    bool done;
    int64_t until_ns;
    uint64_t requests;
    uint32_t *latency_us; /* [LATENCIES_MAX] */
};

static void on_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    (void)why;
    assert(err == ERR_OK);
    struct writer *w = (struct writer *)ticket;
    mutex_lock(&w->lock);
    w->done = true;
    cond_signal(&w->cond);
    mutex_unlock(&w->lock);
}

static void request(struct writer *w, const uint8_t *record)
{
    struct buf *records;
    enum err err = wal_lane_begin(w->lane, RECORD_BYTES, &records, NULL);
    assert(err == ERR_OK);
    buf_append(records, record, RECORD_BYTES);
    w->ticket = (struct wal_ticket){.done = on_done};
    wal_lane_commit(w->lane, &w->ticket);
    mutex_lock(&w->lock);
    while (!w->done)
        cond_wait(&w->cond, &w->lock);
    w->done = false;
    mutex_unlock(&w->lock);
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    uint8_t record[RECORD_BYTES] = {1};
    for (int64_t now = clock_mono_ns(clock_system()); now < w->until_ns;) {
        request(w, record);
        int64_t end = clock_mono_ns(clock_system());
        if (w->requests < LATENCIES_MAX)
            w->latency_us[w->requests] = (uint32_t)((end - now) / 1000);
        w->requests++;
        now = end;
    }
    return NULL;
}

static int u32_cmp(const void *a, const void *b)
{
    return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void measure(const char *name, enum wal_sync sync, int64_t pace_ns, int count)
{
    struct wal_options o;
    struct wal *wal;
    struct errmsg why = {0};
    wal_options_default(&o);
    o.dir = "build/bench-wal";
    o.id = 1;
    o.sync = sync;
    o.pace_ns = pace_ns;
    enum err err = fs_remove_all(o.fs, o.dir, &why);
    assert(err == ERR_OK);
    err = wal_open(&o, &wal, &why);
    assert(err == ERR_OK);
    err = wal_start(wal, 1, NULL, &why);
    assert(err == ERR_OK);
    while (wal_stats(wal)->segments < 3) /* spares are being filled */
        clock_sleep_ns(o.clock, 10000000);
    struct writer w[WRITERS_MAX];
    pthread_t threads[WRITERS_MAX];
    double cpu = cpu_s();
    for (int i = 0; i < count; i++) {
        w[i] = (struct writer){.lane = wal_lane_new(wal), .latency_us = mem_array(LATENCIES_MAX, 4)};
        w[i].until_ns = clock_mono_ns(o.clock) + SECONDS * INT64_C(1000000000);
        mutex_init(&w[i].lock);
        cond_init(&w[i].cond);
        threads[i] = thread_start("writer", writer_run, &w[i]);
    }
    uint64_t requests = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        requests += w[i].requests;
    }
    cpu = cpu_s() - cpu;
    struct wal_stats *s = wal_stats(wal);
    uint32_t n = (uint32_t)(w[0].requests < LATENCIES_MAX ? w[0].requests : LATENCIES_MAX);
    qsort(w[0].latency_us, n, sizeof(uint32_t), u32_cmp);
    printf("wal_commit/%s/%d  %8.0f requests/s  %6.1f us CPU/request  %5.2f requests/frame  p50 %u us  p99 %u us\n",
           name, count, (double)requests / SECONDS, cpu * 1e6 / (double)requests, (double)requests / (double)s->frames,
           w[0].latency_us[n / 2], w[0].latency_us[n * 99 / 100]);
    for (int i = 0; i < count; i++)
        mem_free(w[i].latency_us);
    err = wal_close(wal, &why);
    assert(err == ERR_OK);
}

static void measure_read(void)
{
    struct wal_reader *r;
    struct buf buffer = {0};
    struct wal_frame frame;
    int64_t start = clock_mono_ns(clock_system());
    enum err err = wal_reader_open(fs_posix(), "build/bench-wal", 1, 1, &r, NULL);
    assert(err == ERR_OK);
    uint64_t payload = 0;
    while ((err = wal_reader_next(r, &buffer, &frame, NULL)) == ERR_OK)
        payload += frame.payload.len;
    double s = (double)(clock_mono_ns(clock_system()) - start) * 1e-9;
    printf("wal_read  %.0f MB in %.3f s  %.2f GB/s  %.3f ns/byte\n", (double)payload / 1e6, s,
           (double)payload / s / 1e9, s * 1e9 / (double)payload);
    wal_reader_close(r);
    buf_deinit(&buffer);
}

int main(void)
{
    log_setup(LOG_WARN, 0);
    for (int writers = 1; writers <= WRITERS_MAX; writers *= 8) {
        measure("commit", WAL_SYNC_COMMIT, 500000, writers);
        measure("commit-unpaced", WAL_SYNC_COMMIT, 0, writers);
        measure("interval", WAL_SYNC_INTERVAL, 500000, writers);
        measure("os", WAL_SYNC_OS, 0, writers);
    }
    measure_read();
    enum err err = fs_remove_all(fs_posix(), "build/bench-wal", NULL);
    return err != ERR_OK;
}
