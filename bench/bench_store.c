/*
 * bench_store.c - what a whole store costs beside ingest: replay, checkpoint, flush, merge, delete.
 *
 * SERIES (default 100000) series, SAMPLES (default 40) samples each, 15 s apart, a target of 100 series has
 * its own second.  Half of the values do not change.  Files go to ./build/bench-store.  With an argument,
 * "fill" or "open", only that: two processes, to see the memory of each; with "delete" only one target and
 * then half of the series are deleted and cleaned.  CHECKPOINT_MB=n: a checkpoint after each n MiB of log while it fills.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "head/appender.h"
#include "regex/regex.h"
#include "tsdb/tsdb.h"

enum { TARGET_SERIES = 100, STEP_MS = 15000 };

struct bench {
    struct tsdb_options o;
    struct tsdb *db;
    struct head_appender *appender;
    struct wal_lane *lane;
    uint32_t series, samples;
    series_ref *refs;
    int64_t start_ms;
};

static double seconds(void)
{
    return (double)clock_mono_ns(clock_system()) * 1e-9;
}

static long rss_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* One pair as canonical label bytes: 0a <len> 0a <len> name 12 <len> value. */
static size_t pair(uint8_t *p, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value), at = 0;
    p[at++] = 0x0a;
    p[at++] = (uint8_t)(4 + n + v);
    p[at++] = 0x0a;
    p[at++] = (uint8_t)n;
    memcpy(p + at, name, n);
    at += n;
    p[at++] = 0x12;
    p[at++] = (uint8_t)v;
    memcpy(p + at, value, v);
    return at + v;
}

static size_t labels_of(uint32_t i, uint8_t out[512])
{
    char name[40], instance[40], device[24];
    snprintf(name, sizeof name, "node_metric_%u_total", i % TARGET_SERIES / 4);
    snprintf(instance, sizeof instance, "host-%05u.example:9100", i / TARGET_SERIES);
    snprintf(device, sizeof device, "dev%u", i % 4);
    size_t n = pair(out, "__name__", name);
    n += pair(out + n, "device", device);
    n += pair(out + n, "instance", instance);
    n += pair(out + n, "job", "node");
    memset(out + n, 0, SERIES_HASH_SLACK);
    return n;
}

static uint64_t value_of(uint32_t series, uint32_t step)
{
    double v = series % 2 ? (double)(series % 1000) : (double)(step * (1 + series % 17)) + (double)(series % 100);
    return f64_bits(v);
}

static void create(struct bench *b, uint32_t from, uint32_t count, struct buf *records)
{
    uint8_t bytes[512];
    head_create_begin(b->appender);
    for (uint32_t i = from; i < from + count; i++) {
        size_t n = labels_of(i, bytes);
        struct hash128 hash = series_hash(head_hash_key(tsdb_head(b->db)), bytes, n);
        enum err err = head_series_get(b->appender, slice_of(bytes, n), hash, b->start_ms, records, &b->refs[i]);
        assert(err == ERR_OK);
    }
    head_create_end(b->appender);
}

static void write_target(struct bench *b, uint32_t from, uint32_t step)
{
    struct head_row rows[TARGET_SERIES];
    struct buf *records;
    struct errmsg why;
    head_appender_enter(b->appender, from + 1);
    while (wal_lane_begin(b->lane, 65536, &records, &why) != ERR_OK)
        clock_sleep_ns(clock_system(), 200000);
    if (step == 0)
        create(b, from, TARGET_SERIES, records);
    for (uint32_t i = 0; i < TARGET_SERIES; i++)
        rows[i] = (struct head_row){.ref = b->refs[from + i],
                                    .time_ms = b->start_ms + (int64_t)step * STEP_MS + from / TARGET_SERIES % STEP_MS,
                                    .bits = value_of(from + i, step)};
    uint32_t left = head_append(b->appender, rows, TARGET_SERIES, records);
    assert(left == 0);
    wal_lane_commit(b->lane, NULL);
    head_appender_leave(b->appender);
}

static void open_store(struct bench *b)
{
    struct errmsg why = {0};
    enum err err = tsdb_open(&b->o, &b->db, &why);
    if (err != ERR_OK || tsdb_wait_ready(b->db, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    b->appender = head_appender_new(tsdb_head(b->db));
    b->lane = wal_lane_new(tsdb_wal(b->db));
}

static void close_store(struct bench *b)
{
    struct errmsg why = {0};
    head_appender_free(b->appender);
    double start = seconds();
    enum err err = tsdb_close(b->db, &why);
    assert(err == ERR_OK);
    printf("store_close            %8.3f s\n", seconds() - start);
}

static void reopen(struct bench *b, const char *name)
{
    double start = seconds(), cpu = cpu_seconds(), samples = (double)b->series * b->samples;
    open_store(b);
    double s = seconds() - start;
    cpu = cpu_seconds() - cpu;
    struct head_stats head;
    head_stats(tsdb_head(b->db), &head);
    printf("store_open/%-10s  %8.3f s  %8.3f s CPU  %6.1f ns CPU/sample  %llu MB read  %llu series  rss %ld MB\n", name,
           s, cpu, cpu * 1e9 / samples, (unsigned long long)(tsdb_stats(b->db)->replay_bytes >> 20),
           (unsigned long long)head.series, rss_mb());
}

static void fill(struct bench *b)
{
    double start = seconds();
    for (uint32_t step = 0; step < b->samples; step++)
        for (uint32_t from = 0; from < b->series; from += TARGET_SERIES)
            write_target(b, from, step);
    uint64_t sequence;
    enum err err = wal_barrier(tsdb_wal(b->db), &sequence, NULL);
    assert(err == ERR_OK);
    double s = seconds() - start, samples = (double)b->series * b->samples;
    struct head_stats head;
    head_stats(tsdb_head(b->db), &head);
    printf("store_fill             %8.3f s  %6.1f ns/sample  %.2f log bytes/sample  head %llu MB  rss %ld MB\n", s,
           s * 1e9 / samples, (double)wal_stats(tsdb_wal(b->db))->bytes / samples,
           (unsigned long long)(head.bytes >> 20), rss_mb());
    struct tsdb_stats *stats = tsdb_stats(b->db);
    if (stats->checkpoints)
        printf("store_fill/checkpoints %8.3f s  %llu of them, %.2f bytes/sample\n", (double)stats->checkpoint_ns * 1e-9,
               (unsigned long long)stats->checkpoints, (double)stats->checkpoint_bytes / samples);
}

static void flush(struct bench *b)
{
    struct errmsg why = {0};
    double start = seconds(), cpu = cpu_seconds(), samples = (double)b->series * b->samples;
    enum err err = tsdb_flush(b->db, &why);
    if (err != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    double s = seconds() - start;
    cpu = cpu_seconds() - cpu;
    struct tsdb_stats *stats = tsdb_stats(b->db);
    printf("store_flush            %8.3f s  %8.3f s CPU  %6.1f ns CPU/sample  %.3f block bytes/sample  checkpoint "
           "after it %llu KB in %.3f s\n",
           s, cpu, cpu * 1e9 / samples, (double)stats->block_bytes / samples,
           (unsigned long long)(stats->checkpoint_bytes >> 10), (double)stats->checkpoint_ns * 1e-9);
}

static void checkpoint(struct bench *b)
{
    double start = seconds();
    while (tsdb_stats(b->db)->checkpoints == 0)
        clock_sleep_ns(clock_system(), 10000000); /* the background thread takes it within its tick */
    struct tsdb_stats *stats = tsdb_stats(b->db);
    printf("store_checkpoint       %8.3f s  %llu MB  (waited %.1f s for it)\n", (double)stats->checkpoint_ns * 1e-9,
           (unsigned long long)(stats->checkpoint_bytes >> 20), seconds() - start);
}

/* Index and data of all blocks on the disk. */
struct sizes {
    uint64_t index, data;
    struct fs *fs;
    char dir[256];
};

static bool add_block(void *ctx, const char *name)
{
    struct sizes *z = ctx;
    char path[640];
    struct fs_stat st;
    snprintf(path, sizeof path, "%s/%s/index", z->dir, name);
    z->index += fs_stat_path(z->fs, path, &st, NULL) == ERR_OK ? st.bytes : 0;
    snprintf(path, sizeof path, "%s/%s/data", z->dir, name);
    z->data += fs_stat_path(z->fs, path, &st, NULL) == ERR_OK ? st.bytes : 0;
    return true;
}

static struct sizes sizes_of(struct bench *b)
{
    struct sizes z = {.fs = b->o.fs};
    snprintf(z.dir, sizeof z.dir, "%s/blocks", b->o.dir);
    enum err err = fs_list(z.fs, z.dir, add_block, &z, NULL);
    assert(err == ERR_OK);
    return z;
}

/* Selects all series and counts the values of a label, as the first panel of a dashboard does. */
static void look(struct bench *b, const char *when)
{
    struct storage *storage = tsdb_storage(b->db);
    struct selector sel = {.mint_ms = INT64_MIN + 1, .maxt_ms = INT64_MAX - 1};
    struct querier *q;
    struct arena arena;
    struct series_set *set;
    double start = seconds();
    arena_init(&arena, NULL);
    enum err err = storage->ops->querier(storage, sel.mint_ms, sel.maxt_ms, &q, NULL);
    double opened = seconds();
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, NULL);
    assert(err == ERR_OK);
    printf("store_select/%-9s %8.3f s  of it opening %.3f s  %u series\n", when, seconds() - start, opened - start,
           set->count);
    q->ops->close(q);
    arena_deinit(&arena);
}

static void delete_half(struct bench *b)
{
    struct errmsg why = {0};
    struct arena arena;
    struct matcher m = {.op = MATCH_REGEX, .name = SLICE_LIT("device"), .value = SLICE_LIT("dev[01]")};
    struct tsdb_selector selector = {&m, 1};
    struct tsdb_delete d = {&selector, 1, INT64_MIN, INT64_MAX};
    arena_init(&arena, NULL);
    enum err err = regex_compile(m.value, &arena, 0, &m.regex, &why);
    assert(err == ERR_OK);
    double start = seconds();
    err = tsdb_delete(b->db, &d, &why);
    assert(err == ERR_OK);
    struct sizes before = sizes_of(b);
    printf("store_delete           %8.3f s  half of the series, the head flushed for it\n", seconds() - start);
    look(b, "masked");
    look(b, "again");
    start = seconds();
    double cpu = cpu_seconds();
    err = tsdb_clean_tombstones(b->db, &why);
    assert(err == ERR_OK);
    struct sizes after = sizes_of(b);
    printf("store_clean            %8.3f s  %8.3f s CPU  index %llu -> %llu bytes, data %llu -> %llu\n",
           seconds() - start, cpu_seconds() - cpu, (unsigned long long)before.index, (unsigned long long)after.index,
           (unsigned long long)before.data, (unsigned long long)after.data);
    look(b, "cleaned");
    arena_deinit(&arena);
}

/* A target's series, while the head has everything. */
static void delete_target(struct bench *b)
{
    struct errmsg why = {0};
    struct matcher m = {
        .op = MATCH_EQUAL, .name = SLICE_LIT("instance"), .value = SLICE_LIT("host-00007.example:9100")};
    struct tsdb_selector selector = {&m, 1};
    struct tsdb_delete d = {&selector, 1, INT64_MIN, INT64_MAX};
    double start = seconds(), cpu = cpu_seconds();
    enum err err = tsdb_delete(b->db, &d, &why);
    assert(err == ERR_OK);
    printf("store_delete_target    %8.3f s  %8.3f s CPU  %d series, %llu samples flushed for it\n", seconds() - start,
           cpu_seconds() - cpu, TARGET_SERIES, (unsigned long long)tsdb_stats(b->db)->flushed_samples);
}

/* "fill" leaves a directory as kill -9 would, "open" starts on it in a process of its own: honest memory. */
static int one_phase(struct bench *b, const char *phase)
{
    bool filling = strcmp(phase, "open") != 0;
    enum err err = filling ? fs_remove_all(b->o.fs, b->o.dir, NULL) : ERR_OK;
    assert(err == ERR_OK);
    if (!filling) {
        reopen(b, "process");
        return 0;
    }
    open_store(b);
    fill(b);
    if (strcmp(phase, "delete") == 0) {
        delete_target(b);
        delete_half(b);
    }
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR, 0);
    struct bench b = {.series = (uint32_t)strtoul(getenv("SERIES") ? getenv("SERIES") : "100000", NULL, 10),
                      .samples = (uint32_t)strtoul(getenv("SAMPLES") ? getenv("SAMPLES") : "40", NULL, 10)};
    tsdb_options_default(&b.o);
    b.o.dir = "build/bench-store";
    b.o.wal.sync = WAL_SYNC_OS;
    b.o.io_bytes_per_s = 0;
    b.o.checkpoint_bytes = getenv("CHECKPOINT_MB") ? strtoull(getenv("CHECKPOINT_MB"), NULL, 10) << 20 : UINT64_MAX;
    b.o.wal.pending_bytes_max = UINT64_C(16) << 20;
    b.start_ms = clock_now_ms(b.o.clock) / 7200000 * 7200000;
    b.refs = mem_array(b.series, sizeof *b.refs);
    if (argc > 1)
        return one_phase(&b, argv[1]);
    enum err err = fs_remove_all(b.o.fs, b.o.dir, NULL);
    assert(err == ERR_OK);
    open_store(&b);
    fill(&b);
    close_store(&b);
    reopen(&b, "log");
    close_store(&b);
    b.o.checkpoint_bytes = 1;
    open_store(&b);
    checkpoint(&b);
    close_store(&b);
    b.o.checkpoint_bytes = UINT64_MAX;
    reopen(&b, "checkpoint");
    flush(&b);
    close_store(&b);
    reopen(&b, "block");
    delete_half(&b);
    close_store(&b);
    mem_free(b.refs);
    err = fs_remove_all(b.o.fs, b.o.dir, NULL);
    return err != ERR_OK;
}
