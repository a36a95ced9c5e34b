/*
 * bench_life.c - months of a store in minutes: a day of compaction, churn, backfill.
 *
 *     bench_life day       SERIES (20000) series every 15 s for HOURS (24): bytes written per sample by who wrote them, latency of
 *                          requests while blocks are flushed and merged
 *     bench_life churn     SERIES (200000) series, all replaced every 10 minutes, for HOURS (6): memory and index as they go
 *     bench_life backfill  SERIES (10000) series with DAYS (365) of samples every STEP_S (600), in order of time or, with
 *                          BY=series, series by series, while the same number of series is scraped every 15 s
 *
 * The real store on the real disk, with a clock that is moved by hand, so it runs as fast as it can.  Files go to
 * ./build/bench-life.  NOSYNC=1: nobody waits for the disk.  CORPUS=file: values of real series (corpus.h).  Without an argument nothing is run (make bench runs all benches).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wire.h"
#include "ingest/ingest.h"
#include "corpus.h"
#include "tsdb/tsdb.h"

#define DIR      "build/bench-life"
#define START_MS INT64_C(1700000000000)

/* As many as Prometheus sends in one request. */
enum { REQUEST_SERIES = 2000, TARGET = 500, STEP_MS = 15000 };

/* ---- the disk, counted ---- */

struct counting_fs {
    struct fs base;
    struct fs *below;
};
struct counting_file {
    struct file base;
    struct file *below;
    _Atomic uint64_t *bytes;
};
static _Atomic uint64_t spare_bytes, wal_bytes, block_bytes, checkpoint_bytes, other_bytes;

static const struct file_ops counted_file_ops;
static struct file *below(struct file *f)
{
    return ((struct counting_file *)f)->below;
}
static enum err c_close(struct file *f, struct errmsg *why)
{
    enum err err = file_close(below(f), why);
    mem_free(f);
    return err;
}
static enum err c_pread(struct file *f, void *out, size_t n, uint64_t at, size_t *got, struct errmsg *why)
{
    return file_pread(below(f), out, n, at, got, why);
}
static enum err c_pwritev(struct file *f, const struct iovec *parts, int count, uint64_t at, struct errmsg *why)
{
    for (int i = 0; i < count; i++)
        *((struct counting_file *)f)->bytes += parts[i].iov_len;
    return file_pwritev(below(f), parts, count, at, why);
}
static enum err c_sync(struct file *f, bool data_only, struct errmsg *why)
{
    return file_sync(below(f), data_only, why);
}
static enum err c_truncate(struct file *f, uint64_t n, struct errmsg *why)
{
    return file_truncate(below(f), n, why);
}
static enum err c_allocate(struct file *f, uint64_t n, struct errmsg *why)
{
    return file_allocate(below(f), n, why);
}
static enum err c_size(struct file *f, uint64_t *n, struct errmsg *why)
{
    return file_size(below(f), n, why);
}
static enum err c_lock(struct file *f, struct errmsg *why)
{
    return file_lock(below(f), why);
}
static const struct file_ops counted_file_ops = {c_close,    c_pread,    c_pwritev, c_sync,
                                                 c_truncate, c_allocate, c_size,    c_lock};

static enum err c_open(struct fs *fs, const char *path, int flags, struct file **out, struct errmsg *why)
{
    struct file *file;
    TRY(fs_open(((struct counting_fs *)fs)->below, path, flags, &file, why));
    struct counting_file *f = MEM_NEW(struct counting_file);
    *f = (struct counting_file){{&counted_file_ops}, file,
                                strstr(path, ".wal")      ? &wal_bytes
                                : strstr(path, "/wal/")   ? &spare_bytes /* zeros, once per segment file */
                                : strstr(path, "/blocks/")                     ? &block_bytes
                                : strstr(path, "/checkpoints/")                ? &checkpoint_bytes
                                                                               : &other_bytes};
    *out = &f->base;
    return ERR_OK;
}
#define BELOW ((struct counting_fs *)fs)->below
static enum err c_mkdir(struct fs *fs, const char *p, struct errmsg *why)
{
    return fs_mkdir(BELOW, p, why);
}
static enum err c_rename(struct fs *fs, const char *a, const char *b, struct errmsg *why)
{
    return fs_rename(BELOW, a, b, why);
}
static enum err c_link(struct fs *fs, const char *a, const char *b, struct errmsg *why)
{
    return fs_link(BELOW, a, b, why);
}
static enum err c_unlink(struct fs *fs, const char *p, struct errmsg *why)
{
    return fs_unlink(BELOW, p, why);
}
static enum err c_rmdir(struct fs *fs, const char *p, struct errmsg *why)
{
    return fs_rmdir(BELOW, p, why);
}
static enum err c_stat(struct fs *fs, const char *p, struct fs_stat *out, struct errmsg *why)
{
    return fs_stat_path(BELOW, p, out, why);
}
static enum err c_list(struct fs *fs, const char *p, bool (*v)(void *, const char *), void *ctx, struct errmsg *why)
{
    return fs_list(BELOW, p, v, ctx, why);
}
static enum err c_sync_dir(struct fs *fs, const char *p, struct errmsg *why)
{
    return fs_sync_dir(BELOW, p, why);
}
static enum err c_space(struct fs *fs, const char *p, struct fs_space *out, struct errmsg *why)
{
    return fs_space_of(BELOW, p, out, why);
}
static const struct fs_ops counted_ops = {c_open,  c_mkdir, c_rename, c_link,     c_unlink,
                                          c_rmdir, c_stat,  c_list,   c_sync_dir, c_space};

/* ---- the store ---- */

struct latency {
    double *list;
    size_t count, capacity;
};

struct bench {
    struct counting_fs fs;
    struct clock_fake clock;
    struct tsdb_options o;
    struct tsdb *db;
    struct ingest *ingest;
    struct buf body;
    uint64_t samples;
    struct latency latency;
};

struct waiter {
    struct wal_ticket ticket;
    struct mutex lock;
    struct cond cond;
    bool done;
};

static double seconds(void)
{
    return (double)clock_mono_ns(clock_system()) * 1e-9;
}

static long rss_now_mb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * sysconf(_SC_PAGESIZE) >> 20;
}

static long rss_peak_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss >> 10;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void must(enum err err, const struct errmsg *why)
{
    if (err != ERR_OK) {
        fprintf(stderr, "%s\n", why->text);
        exit(1);
    }
}

static void open_store(struct bench *b)
{
    struct errmsg why = {0};
    b->fs = (struct counting_fs){{&counted_ops}, fs_posix()};
    must(fs_remove_all(fs_posix(), DIR, &why), &why);
    clock_fake_init(&b->clock, START_MS);
    tsdb_options_default(&b->o);
    b->o.fs = &b->fs.base;
    b->o.clock = &b->clock.base;
    b->o.dir = DIR;
    b->o.retention_ms = 0;
    b->o.manual = true; /* the background's rounds are run when the clock was moved: nothing sleeps in simulated time */
    b->o.io_bytes_per_s = 0;
    b->o.head_bytes_max = setting("HEAD_MB", 1024) << 20;
    if (setting("NOSYNC", 0)) /* the same bytes, sooner */
        b->o.wal.sync = WAL_SYNC_OS;
    must(tsdb_open(&b->o, &b->db, &why), &why);
    struct ingest_options io;
    ingest_options_default(&io);
    io.head = tsdb_head(b->db);
    io.wal = tsdb_wal(b->db);
    io.clock = &b->clock.base;
    io.lanes = 1;
    must(ingest_new(&io, &b->ingest, &why), &why);
}

static void close_store(struct bench *b)
{
    struct errmsg why = {0};
    ingest_free(b->ingest);
    must(tsdb_close(b->db, &why), &why);
    must(fs_remove_all(fs_posix(), DIR, &why), &why);
    buf_deinit(&b->body);
    mem_free(b->latency.list);
}

/* ---- requests ---- */

static void put_pair(struct buf *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    buf_u8(out, 0x0a);
    buf_varint(out, 4 + n + v);
    buf_u8(out, 0x0a);
    buf_varint(out, n);
    buf_append(out, name, n);
    buf_u8(out, 0x12);
    buf_varint(out, v);
    buf_append(out, value, v);
}

static uint64_t mix(uint64_t series, int64_t i)
{
    uint64_t x = (series << 32 ^ (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

static struct corpus real; /* empty without CORPUS */

/* Each copy of the corpus is somewhere else in it. */
static double real_value(uint64_t series, int64_t time_ms)
{
    const struct corpus_series *s = &real.series[series % real.count];
    return s->values[((uint64_t)time_ms / 1000 + series / real.count * 37) % s->count];
}

static double value_of(uint64_t series, int64_t time_ms)
{
    if (real.count)
        return real_value(series, time_ms);
    int64_t i = time_ms / STEP_MS;
    switch (series % 8) {
    case 0:
    case 1:
    case 2:
    case 3:
        return (double)(series % 1000); /* half of what exporters tell never changes */
    case 4:
    case 5:
        return (double)((uint64_t)i % 1000000 * 20 + mix(series, i) % 20); /* counters of uneven pace */
    case 6:
        return (double)(mix(series, i) % 1000) / 10;
    default:
        return (double)(mix(series, i) % 1000003) / 97; /* many digits */
    }
}

/* A series with `count` samples from time_ms on. */
static void put_series(struct bench *b, uint64_t series, uint64_t generation, int64_t time_ms, int64_t step_ms,
                       uint32_t count)
{
    char name[40], instance[48], pod[48];
    static struct buf s;
    buf_reset(&s);
    snprintf(name, sizeof name, "bench_metric_%03u_total", (unsigned)(series % TARGET));
    snprintf(instance, sizeof instance, "host-%05llu.example:9100", (unsigned long long)(series / TARGET));
    snprintf(pod, sizeof pod, "pod-%llu-%05llu", (unsigned long long)generation, (unsigned long long)(series / TARGET));
    put_pair(&s, "__name__", name);
    put_pair(&s, "instance", instance);
    put_pair(&s, "job", "bench");
    put_pair(&s, "pod", pod);
    for (uint32_t i = 0; i < count; i++, time_ms += step_ms) {
        buf_u8(&s, 0x12);
        buf_varint(&s, 10 + wire_varint_bytes((uint64_t)time_ms));
        buf_u8(&s, 0x09);
        buf_le64(&s, f64_bits(value_of(series, time_ms)));
        buf_u8(&s, 0x10);
        buf_varint(&s, (uint64_t)time_ms);
    }
    buf_u8(&b->body, 0x0a);
    buf_varint(&b->body, s.len);
    buf_slice(&b->body, buf_view(&s));
}

static void on_done(struct wal_ticket *t, enum err err, const struct errmsg *why)
{
    must(err, why);
    ((struct waiter *)t)->done = true;
}

static void send_body(struct bench *b, uint64_t stream)
{
    struct waiter w = {.ticket.done = on_done};
    struct ingest_result result;
    struct ingest_request req = {
        .encoding = INGEST_IDENTITY, .body = buf_view(&b->body), .stream = stream, .ticket = &w.ticket};
    double start = seconds();
    bool pending = ingest_write(b->ingest, &req, &result);
    if (ingest_status(&result) != 204 || !pending) {
        fprintf(stderr, "status %d: %s\n", ingest_status(&result), result.why.text);
        exit(1);
    }
    wal_commit_now(tsdb_wal(b->db));
    assert(w.done);
    b->latency.list = mem_grow(b->latency.list, &b->latency.capacity, b->latency.count + 1, sizeof *b->latency.list);
    b->latency.list[b->latency.count++] = seconds() - start;
    b->samples += result.samples;
    buf_reset(&b->body);
}

/* One scrape of all series. */
static void scrape(struct bench *b, uint64_t series, uint64_t generation)
{
    int64_t now = clock_now_ms(&b->clock.base);
    for (uint64_t i = 0; i < series; i++) {
        put_series(b, i, generation, now - (int64_t)(i / TARGET % 1000), STEP_MS, 1);
        if ((i + 1) % REQUEST_SERIES == 0 || i + 1 == series)
            send_body(b, 1 + i / REQUEST_SERIES);
    }
}

static void background(struct bench *b)
{
    while (tsdb_run_once(b->db))
        ;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_latency(struct bench *b)
{
    if (b->latency.count == 0)
        return;
    qsort(b->latency.list, b->latency.count, sizeof(double), by_value);
    printf("request of %d series, acknowledged: p50 %.2f ms, p99 %.2f ms, most %.2f ms (%zu requests)\n", REQUEST_SERIES,
           b->latency.list[b->latency.count / 2] * 1e3, b->latency.list[b->latency.count * 99 / 100] * 1e3,
           b->latency.list[b->latency.count - 1] * 1e3, b->latency.count);
}

struct sizes {
    uint64_t blocks, data, index, samples, series;
};

static bool add_block(void *ctx, const char *name)
{
    struct sizes *s = ctx;
    char path[256];
    struct fs_stat st;
    s->blocks++;
    snprintf(path, sizeof path, DIR "/blocks/%s/data", name);
    if (fs_stat_path(fs_posix(), path, &st, NULL) == ERR_OK)
        s->data += st.bytes;
    snprintf(path, sizeof path, DIR "/blocks/%s/index", name);
    if (fs_stat_path(fs_posix(), path, &st, NULL) == ERR_OK)
        s->index += st.bytes;
    return true;
}

static struct sizes sizes_now(void)
{
    struct sizes s = {0};
    enum err ignored = fs_list(fs_posix(), DIR "/blocks", add_block, &s, NULL);
    (void)ignored; /* figures only */
    return s;
}

static void print_sizes(struct bench *b)
{
    struct sizes s = sizes_now();
    printf("%llu blocks: data %.1f MiB, index %.1f MiB, %.3f bytes per sample\n", (unsigned long long)s.blocks,
           (double)s.data / 1048576, (double)s.index / 1048576, (double)(s.data + s.index) / (double)b->samples);
}

static void print_written(struct bench *b)
{
    double n = (double)b->samples;
    printf("%.0f MiB of zeros for segments; per sample: log %.3f, checkpoints %.3f, blocks %.3f, together %.3f bytes\n",
           (double)spare_bytes / 1048576, (double)wal_bytes / n,
           (double)checkpoint_bytes / n, (double)block_bytes / n,
           (double)(wal_bytes + checkpoint_bytes + block_bytes + other_bytes) / n);
}

static void print_head(struct bench *b, const char *when)
{
    struct head_stats h;
    struct sizes s = sizes_now();
    head_stats(tsdb_head(b->db), &h);
    printf("%-10s head: %llu series, %.0f MiB; blocks %llu: data %.1f MiB, index %.1f MiB; rss %ld MiB\n", when,
           (unsigned long long)h.series, (double)h.bytes / 1048576, (unsigned long long)s.blocks,
           (double)s.data / 1048576, (double)s.index / 1048576, rss_now_mb());
    fflush(stdout);
}

/* ---- what is run ---- */

static void day(struct bench *b)
{
    uint64_t series = setting("SERIES", 20000), hours = setting("HOURS", 24);
    double start = seconds(), cpu = cpu_seconds();
    for (uint64_t i = 0; i < hours * 240; i++) {
        scrape(b, series, 0);
        clock_fake_advance(&b->clock, STEP_MS);
        background(b);
        if (i % 960 == 959) {
            char when[32];
            snprintf(when, sizeof when, "%llu h", (unsigned long long)(i + 1) / 240);
            print_head(b, when);
        }
    }
    printf("%llu samples in %.0f s, %.0f ns CPU each, all work together\n", (unsigned long long)b->samples,
           seconds() - start, (cpu_seconds() - cpu) * 1e9 / (double)b->samples);
    print_written(b);
    print_latency(b);
    print_sizes(b);
}

static void churn(struct bench *b)
{
    uint64_t series = setting("SERIES", 200000), hours = setting("HOURS", 6), each = setting("SAMPLES", 4);
    double start = seconds();
    for (uint64_t generation = 0; generation < hours * 6; generation++) {
        for (uint64_t i = 0; i < each; i++) { /* 10 minutes */
            scrape(b, series, generation);
            clock_fake_advance(&b->clock, 600000 / (int64_t)each);
            background(b);
        }
        if (generation % 3 == 2) {
            char when[32];
            snprintf(when, sizeof when, "%llu min", (unsigned long long)(generation + 1) * 10);
            print_head(b, when);
        }
    }
    printf("%llu series made, %llu samples, %.0f s, peak rss %ld MiB\n", (unsigned long long)(series * hours * 6),
           (unsigned long long)b->samples, seconds() - start, rss_peak_mb());
    print_sizes(b);
}

static void backfill(struct bench *b)
{
    uint64_t series = setting("SERIES", 10000), days = setting("DAYS", 365);
    int64_t step_ms = (int64_t)setting("STEP_S", 600) * 1000, now = clock_now_ms(&b->clock.base);
    bool by_series = getenv("BY") && strcmp(getenv("BY"), "series") == 0;
    int64_t from = now - (int64_t)days * 86400000, until = now - 86400000;
    int64_t piece = by_series ? until - from : 20 * step_ms;
    uint64_t requests = 0, together = by_series ? 1 : REQUEST_SERIES / 20;
    for (int i = 0; i < 960; i++) { /* four hours of a normal life before it */
        scrape(b, series, 0);
        clock_fake_advance(&b->clock, STEP_MS);
        background(b);
    }
    print_head(b, "before");
    uint64_t live = b->samples;
    b->latency.count = 0;
    double start = seconds(), cpu = cpu_seconds();
    for (int64_t at = from; at < until; at += piece)
        for (uint64_t i = 0; i < series; i += together) {
            int64_t left = (until - at < piece ? until - at : piece) / step_ms;
            for (uint64_t k = i; k < i + together && k < series; k++)
                put_series(b, k, 0, at, step_ms, (uint32_t)left);
            send_body(b, 1000000 + i);
            if (++requests % 16 == 0) {
                clock_fake_advance(&b->clock, 1000);
                background(b);
            }
            if (requests % 4000 == 0)
                print_head(b, "backfill");
        }
    uint64_t filled = b->samples - live;
    double wall = seconds() - start;
    printf("%llu samples of %llu days in %.0f s: %.2f million/s, %.0f ns CPU each with blocks and merges\n",
           (unsigned long long)filled, (unsigned long long)days, wall, (double)filled / wall / 1e6,
           (cpu_seconds() - cpu) * 1e9 / (double)filled);
    print_head(b, "after");
    struct errmsg why = {0};
    must(tsdb_flush(b->db, &why), &why);
    clock_fake_advance(&b->clock, 120000);
    background(b);
    print_head(b, "flushed");
    print_written(b);
    printf("peak rss %ld MiB\n", rss_peak_mb());
    print_sizes(b);
}

int main(int argc, char **argv)
{
    static struct bench b;
    log_setup(LOG_WARN, 0);
    if (argc < 2) {
        printf("bench_life day | churn | backfill: minutes each, see bench/README.md\n");
        return 0;
    }
    if (getenv("CORPUS"))
        real = corpus_read(getenv("CORPUS"));
    open_store(&b);
    if (strcmp(argv[1], "day") == 0)
        day(&b);
    else if (strcmp(argv[1], "churn") == 0)
        churn(&b);
    else if (strcmp(argv[1], "backfill") == 0)
        backfill(&b);
    close_store(&b);
    corpus_free(&real);
    return 0;
}
