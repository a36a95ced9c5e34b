/*
 * bench_head.c - what the head does beside taking samples: bench_head [CORPUS]
 *
 * A head of many series with one hour of samples 15 s apart is filled directly; then measured:
 *
 *     seal        ns per sample packed into chunks; bytes per series at the end and at most
 *     select      ms for all series of one metric, for all series; sorted
 *     last, read  ns per series (instant query), ns per sample (range query)
 *     checkpoint  ms, bytes per series; load: ms, with all cores
 *     replay      ns per sample of log records, one thread and all cores
 *     cut         ms for freezing, reading everything in order, and freeing
 */
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "corpus.h"
#include "head/appender.h"
#include "head/head.h"

enum { INTERVAL_MS = 15000, TARGET = 250, STEPS = 240, SHIFT = 37, LOGGED_STEPS = 40 };
#define START_MS INT64_C(1700000000000)

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct rig {
    const struct corpus *corpus;
    struct head *head;
    struct head_appender *appender;
    struct head_row *rows;
    struct buf *frames; /* [STEPS + 1] records of each step */
    uint32_t count;
    double seal_seconds, bytes_peak;
};

static void put_label(struct buf *out, struct slice name, struct slice value)
{
    struct buf pair = {0};
    buf_u8(&pair, 0x0a);
    buf_varint(&pair, name.len);
    buf_slice(&pair, name);
    buf_u8(&pair, 0x12);
    buf_varint(&pair, value.len);
    buf_slice(&pair, value);
    buf_u8(out, 0x0a);
    buf_varint(out, pair.len);
    buf_slice(out, buf_view(&pair));
    buf_deinit(&pair);
}

/* Canonical bytes of a series of the corpus on one more host. */
static void canonical_of(struct slice labels, uint32_t replica, struct buf *out)
{
    char host[32];
    const char *p = (const char *)labels.data, *end = p + labels.len;
    bool done = false;
    snprintf(host, sizeof host, "host-%u", replica);
    buf_reset(out);
    while (p < end) {
        struct slice name = slice_str(p), value = slice_str(p + name.len + 1);
        if (!done && slice_cmp(name, SLICE_LIT("replica_host")) > 0) {
            put_label(out, SLICE_LIT("replica_host"), slice_str(host));
            done = true;
        }
        put_label(out, name, value);
        p += name.len + value.len + 2;
    }
    if (!done)
        put_label(out, SLICE_LIT("replica_host"), slice_str(host));
    buf_le64(out, 0);
    buf_le64(out, 0);
    out->len -= SERIES_HASH_SLACK;
}

static struct head *head_make(void)
{
    struct head_options o;
    struct head *head;
    head_options_default(&o);
    enum err err = head_new(&o, &head, NULL);
    assert(err == ERR_OK);
    return head;
}

static int64_t time_of(uint32_t series, uint32_t step)
{
    return START_MS + (int64_t)step * INTERVAL_MS + series / TARGET * 7919 % INTERVAL_MS;
}

static void make_series(struct rig *r)
{
    struct buf canonical = {0};
    head_create_begin(r->appender);
    for (uint32_t i = 0; i < r->count; i++) {
        canonical_of(r->corpus->series[i % r->corpus->count].labels, i / r->corpus->count, &canonical);
        struct hash128 hash = series_hash(head_hash_key(r->head), canonical.data, canonical.len);
        enum err err =
            head_series_get(r->appender, buf_view(&canonical), hash, time_of(i, 0), &r->frames[0], &r->rows[i].ref);
        assert(err == ERR_OK);
    }
    head_create_end(r->appender);
    buf_deinit(&canonical);
}

static double bytes_per_series(struct head *head)
{
    struct head_stats st;
    head_stats(head, &st);
    return (double)st.bytes / (double)st.series;
}

/* As the background thread does it now and then. */
static void measure_seal(struct rig *r)
{
    double start = bench_seconds(), bytes;
    while (head_maintain(r->head, NULL))
        ;
    r->seal_seconds += bench_seconds() - start;
    bytes = bytes_per_series(r->head);
    r->bytes_peak = bytes > r->bytes_peak ? bytes : r->bytes_peak;
}

static void fill(struct rig *r)
{
    double start = bench_seconds();
    head_appender_enter(r->appender, 1);
    make_series(r);
    printf("  make: %.0f ns/series\n", (bench_seconds() - start) * 1e9 / r->count);
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < r->count; i++) {
            const struct corpus_series *s = &r->corpus->series[i % r->corpus->count];
            r->rows[i].time_ms = time_of(i, step);
            r->rows[i].bits = f64_bits(s->values[(step + i / r->corpus->count * SHIFT) % s->count]);
        }
        uint32_t left = head_append(r->appender, r->rows, r->count, step < LOGGED_STEPS ? &r->frames[step + 1] : NULL);
        assert(left == 0);
        if (step % 8 == 7)
            measure_seal(r);
    }
    head_appender_leave(r->appender);
    printf("  seal: %.1f ns/sample; after %d samples %.0f B/series, at most %.0f\n",
           r->seal_seconds * 1e9 / ((double)r->count * STEPS), STEPS, bytes_per_series(r->head), r->bytes_peak);
}

static double select_ms(struct head *head, const struct matcher *m, uint32_t matchers, bool sorted, uint32_t *count)
{
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    struct selector sel = {
        .matchers = m, .matcher_count = matchers, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = sorted};
    arena_init(&arena, NULL);
    double start = bench_seconds();
    enum err err = head_querier(head, INT64_MIN, INT64_MAX, &q, NULL);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, NULL);
    assert(err == ERR_OK);
    double took = bench_seconds() - start;
    *count = set->count;
    q->ops->close(q);
    arena_deinit(&arena);
    return took * 1e3;
}

static void measure_queries(struct rig *r)
{
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct arena arena;
    uint32_t count;
    struct matcher up = {
        .op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("node_cpu_seconds_total")};
    struct matcher both[] = {up, {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("mode"), .value = SLICE_LIT("idle")}};
    double one = select_ms(r->head, &up, 1, false, &count);
    printf("  select: %u series of a metric %.2f ms", count, one);
    one = select_ms(r->head, both, 2, false, &count);
    printf(", %u of them with another matcher %.2f ms", count, one);
    one = select_ms(r->head, NULL, 0, false, &count);
    printf(", all %u %.0f ms, sorted %.0f ms\n", count, one, select_ms(r->head, NULL, 0, true, &count));
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    enum err err = head_querier(r->head, INT64_MIN, INT64_MAX, &q, NULL);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, NULL);
    assert(err == ERR_OK);
    struct series_reader *reader = set->ops->reader(set);
    double start = bench_seconds();
    for (uint32_t i = 0; i < set->count; i++)
        err = reader->ops->last(reader, i, START_MS, INT64_MAX, &s, NULL);
    printf("  last: %.0f ns/series", (bench_seconds() - start) * 1e9 / set->count);
    uint64_t samples = 0;
    start = bench_seconds();
    for (uint32_t i = 0; i < set->count; i++) {
        err = reader->ops->read(reader, i, INT64_MIN, INT64_MAX, &s, NULL);
        samples += s.count;
    }
    printf(", read: %.2f ns/sample", (bench_seconds() - start) * 1e9 / (double)samples);
    start = bench_seconds();
    for (uint32_t i = 0; i < set->count; i++)
        err = reader->ops->read(reader, i, START_MS + (STEPS - 20) * INTERVAL_MS, INT64_MAX, &s, NULL);
    printf(", the last 5 minutes %.0f ns/series\n", (bench_seconds() - start) * 1e9 / set->count);
    reader->ops->close(reader);
    q->ops->close(q);
    arena_deinit(&arena);
}

static enum err keep(void *ctx, struct slice records, struct errmsg *why)
{
    (void)why;
    struct buf *all = ctx;
    buf_le32(all, (uint32_t)records.len);
    buf_slice(all, records);
    return ERR_OK;
}

static void measure_checkpoint(struct rig *r, unsigned cores)
{
    struct buf all = {0};
    struct head_replay_report report;
    double start = bench_seconds();
    enum err err = head_checkpoint(r->head, keep, &all, NULL);
    assert(err == ERR_OK);
    printf("  checkpoint: %.0f ms, %.0f B/series", (bench_seconds() - start) * 1e3, (double)all.len / r->count);
    for (unsigned threads = 1; threads <= cores; threads += cores > 1 ? cores - 1 : 1) {
        struct head *again = head_make();
        start = wall_seconds();
        struct head_replay *replay = head_replay_new(again, threads);
        for (size_t at = 0; at < all.len; at += 4 + le32_get(all.data + at)) {
            err = head_replay_frame(replay, slice_of(all.data + at + 4, le32_get(all.data + at)), NULL);
            assert(err == ERR_OK);
        }
        head_replay_finish(replay, &report);
        printf(", load with %u threads %.0f ms (%.0f B/series)", threads, (wall_seconds() - start) * 1e3,
               bytes_per_series(again));
        head_free(again);
    }
    printf("\n");
    buf_deinit(&all);
}

static void measure_replay(struct rig *r, unsigned cores)
{
    struct head_replay_report report;
    for (unsigned threads = 1; threads <= cores; threads += cores > 1 ? cores - 1 : 1) {
        struct head *again = head_make();
        struct head_replay *replay = head_replay_new(again, threads);
        double start = wall_seconds(), series = 0;
        for (uint32_t i = 0; i <= LOGGED_STEPS; i++) {
            enum err err = head_replay_frame(replay, buf_view(&r->frames[i]), NULL);
            assert(err == ERR_OK);
            if (i == 0)
                series = wall_seconds() - start;
        }
        head_replay_finish(replay, &report);
        printf("  replay with %u threads: %.0f ns/series, %.1f ns/sample\n", threads, series * 1e9 / r->count,
               (wall_seconds() - start - series) * 1e9 / (double)report.samples);
        head_free(again);
    }
}

static void measure_cut(struct rig *r)
{
    struct head_cut *cut;
    struct series_set *set;
    struct samples s;
    int64_t mint, maxt;
    uint64_t samples = 0;
    double start = bench_seconds();
    head_cut_begin(r->head, START_MS + (STEPS - 60) * INTERVAL_MS, &cut);
    printf("  cut: freeze %.0f ms", (bench_seconds() - start) * 1e3);
    start = bench_seconds();
    while (head_cut_window(cut, INT64_C(7200000), &mint, &maxt)) {
        head_cut_select(cut, mint, maxt, labels_cmp);
        while (head_cut_next(cut, &set, NULL) == ERR_OK && set) {
            struct series_reader *reader = set->ops->reader(set);
            for (uint32_t i = 0; i < set->count; i++)
                if (reader->ops->read(reader, i, mint, maxt, &s, NULL) == ERR_OK)
                    samples += s.count;
            reader->ops->close(reader);
        }
    }
    printf(", select and read %llu samples %.0f ms", (unsigned long long)samples, (bench_seconds() - start) * 1e3);
    start = bench_seconds();
    enum err err = head_cut_finish(cut, 3600000, NULL);
    assert(err == ERR_OK);
    printf(", free %.0f ms; %.0f B/series left\n", (bench_seconds() - start) * 1e3, bytes_per_series(r->head));
}

static void run(const struct corpus *c, uint32_t replicas, unsigned cores)
{
    struct rig r = {.corpus = c, .head = head_make(), .count = c->count * replicas};
    r.appender = head_appender_new(r.head);
    r.rows = mem_array(r.count, sizeof *r.rows);
    r.frames = mem_array(STEPS + 1, sizeof *r.frames);
    printf("%u series\n", r.count);
    fill(&r);
    measure_replay(&r, cores);
    for (uint32_t i = 0; i <= STEPS; i++)
        buf_deinit(&r.frames[i]);
    measure_queries(&r);
    measure_checkpoint(&r, cores);
    measure_cut(&r);
    fflush(stdout);
    head_appender_free(r.appender);
    head_free(r.head);
    mem_free(r.rows);
    mem_free(r.frames);
}

int main(int argc, char **argv)
{
    struct corpus c = corpus_load(argc, argv), thin = corpus_thin(&c, 15);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    run(&thin, (104000 + c.count - 1) / c.count, cores > 0 ? (unsigned)cores : 1);
    run(&thin, (1010000 + c.count - 1) / c.count, cores > 0 ? (unsigned)cores : 1);
    corpus_free(&thin);
    corpus_free(&c);
    return 0;
}
