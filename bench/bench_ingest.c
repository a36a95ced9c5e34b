/*
 * bench_ingest.c - what a sample costs between the body of a request and the head: bench_ingest [CORPUS]
 *
 * Requests of 2,000 samples in remote write form, as senders make them: the series of a corpus,
 * repeated as hosts until there are enough, 15 s apart, every target with its own timestamp.
 * Figures are CPU of the process (the committer of the log included), network and HTTP excluded:
 *
 *     new     ns per series in its first request
 *     known   ns per sample afterwards; snappy: how much of it is decompression alone
 *     other   the same series in an order never seen before (each request shuffled in runs of 8)
 *     B/series, B/sample of log
 */
#include <snappy-c.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/random.h"
#include "corpus.h"
#include "head/head.h"
#include "ingest/ingest.h"

enum { PER_REQUEST = 2000, INTERVAL_MS = 15000, TARGET = 250, SHIFT = 37 };
#define START_MS INT64_C(1700000000000)

struct body {
    uint8_t *data;
    size_t len;
    uint32_t samples;
};

struct load {
    const struct corpus *corpus;
    struct slice *labels; /* wire form of every series */
    uint32_t count;
    uint32_t *order;
    struct body *bodies; /* of one step */
    uint32_t body_count;
    struct buf plain;
    uint64_t plain_bytes, packed_bytes;
};

/* ---- making requests ---- */

static void put_label(struct buf *out, struct slice name, struct slice value)
{
    struct buf label = {0};
    buf_u8(&label, 0x0a);
    buf_varint(&label, name.len);
    buf_slice(&label, name);
    buf_u8(&label, 0x12);
    buf_varint(&label, value.len);
    buf_slice(&label, value);
    buf_u8(out, 0x0a);
    buf_varint(out, label.len);
    buf_slice(out, buf_view(&label));
    buf_deinit(&label);
}

static struct slice series_labels_wire(struct slice labels, uint32_t replica)
{
    struct buf out = {0};
    char host[32];
    snprintf(host, sizeof host, "host-%u", replica);
    const char *p = (const char *)labels.data, *end = p + labels.len;
    bool done = false;
    while (p < end) {
        struct slice name = slice_str(p), value = slice_str(p + name.len + 1);
        if (!done && slice_cmp(name, SLICE_LIT("replica_host")) > 0) {
            put_label(&out, SLICE_LIT("replica_host"), slice_str(host));
            done = true;
        }
        put_label(&out, name, value);
        p += name.len + value.len + 2;
    }
    if (!done)
        put_label(&out, SLICE_LIT("replica_host"), slice_str(host));
    size_t len;
    uint8_t *data = buf_detach(&out, &len);
    return slice_of(data, len);
}

static void load_init(struct load *l, const struct corpus *c, uint32_t replicas)
{
    *l = (struct load){.corpus = c, .count = c->count * replicas};
    l->labels = mem_array(l->count, sizeof *l->labels);
    l->order = mem_array(l->count, sizeof *l->order);
    l->body_count = (l->count + PER_REQUEST - 1) / PER_REQUEST;
    l->bodies = mem_array(l->body_count, sizeof *l->bodies);
    for (uint32_t i = 0; i < l->count; i++) {
        l->labels[i] = series_labels_wire(c->series[i % c->count].labels, i / c->count);
        l->order[i] = i;
    }
}

static void load_free(struct load *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        mem_free((void *)(uintptr_t)l->labels[i].data);
    for (uint32_t i = 0; i < l->body_count; i++)
        mem_free(l->bodies[i].data);
    mem_free(l->labels);
    mem_free(l->order);
    mem_free(l->bodies);
    buf_deinit(&l->plain);
}

static void put_sample(struct load *l, uint32_t series, uint32_t step)
{
    const struct corpus_series *s = &l->corpus->series[series % l->corpus->count];
    uint32_t target = series / TARGET, at = (step + series / l->corpus->count * SHIFT) % s->count;
    uint64_t time_ms = (uint64_t)(START_MS + (int64_t)step * INTERVAL_MS + target * 7919 % INTERVAL_MS);
    uint64_t bits = f64_bits(s->values[at]);
    struct slice labels = l->labels[series];
    size_t sample = (bits ? 9 : 0) + 7;
    buf_u8(&l->plain, 0x0a);
    buf_varint(&l->plain, labels.len + 2 + sample);
    buf_slice(&l->plain, labels);
    buf_u8(&l->plain, 0x12);
    buf_u8(&l->plain, (uint8_t)sample);
    if (bits) {
        buf_u8(&l->plain, 0x09);
        buf_le64(&l->plain, bits);
    }
    buf_u8(&l->plain, 0x10);
    buf_varint(&l->plain, time_ms);
}

static void load_step(struct load *l, uint32_t step)
{
    l->plain_bytes = l->packed_bytes = 0;
    for (uint32_t b = 0; b < l->body_count; b++) {
        struct body *body = &l->bodies[b];
        uint32_t first = b * PER_REQUEST, end = first + PER_REQUEST < l->count ? first + PER_REQUEST : l->count;
        buf_reset(&l->plain);
        for (uint32_t i = first; i < end; i++)
            put_sample(l, l->order[i], step);
        size_t len = snappy_max_compressed_length(l->plain.len);
        body->data = mem_realloc(body->data, len);
        snappy_compress((const char *)l->plain.data, l->plain.len, (char *)body->data, &len);
        body->len = len;
        body->samples = end - first;
        l->plain_bytes += l->plain.len;
        l->packed_bytes += len;
    }
}

static void shuffle_runs(struct load *l, uint32_t run)
{
    uint64_t rng = 88172645463325252u;
    uint32_t runs = l->count / run;
    for (uint32_t i = runs - 1; i > 0; i--) {
        uint32_t k = (uint32_t)(corpus_random(&rng) % (i + 1));
        for (uint32_t j = 0; j < run; j++) {
            uint32_t swap = l->order[i * run + j];
            l->order[i * run + j] = l->order[k * run + j];
            l->order[k * run + j] = swap;
        }
    }
}

/* ---- measuring ---- */

struct rig {
    struct clock_fake clock;
    struct head *head;
    struct wal *wal;
    struct ingest *ingest;
};

static void rig_init(struct rig *r, bool with_wal, const char *dir)
{
    struct head_options ho;
    struct ingest_options io;
    struct errmsg why = {{0}};
    *r = (struct rig){0};
    clock_fake_init(&r->clock, START_MS);
    head_options_default(&ho);
    enum err err = head_new(&ho, &r->head, &why);
    if (err == ERR_OK && with_wal) {
        struct wal_options wo;
        wal_options_default(&wo);
        wo.fs = fs_posix();
        wo.clock = clock_system();
        wo.dir = dir;
        wo.id = 1;
        err = fs_mkdir_all(wo.fs, dir, &why);
        if (err == ERR_OK)
            err = wal_open(&wo, &r->wal, &why);
        if (err == ERR_OK)
            err = wal_start(r->wal, 1, NULL, &why);
    }
    ingest_options_default(&io);
    io.head = r->head;
    io.wal = r->wal;
    io.clock = &r->clock.base;
    if (err == ERR_OK)
        err = ingest_new(&io, &r->ingest, &why);
    if (err != ERR_OK) {
        fprintf(stderr, "bench_ingest: %s\n", why.text);
        exit(1);
    }
}

static void rig_free(struct rig *r)
{
    struct errmsg why;
    ingest_free(r->ingest);
    if (wal_close(r->wal, &why) != ERR_OK)
        fprintf(stderr, "bench_ingest: %s\n", why.text);
    head_free(r->head);
}

/* All requests of a step; CPU nanoseconds per sample. */
static double send_step(struct rig *r, const struct load *l, uint32_t step)
{
    struct ingest_result result;
    uint64_t sequence, taken = 0;
    struct errmsg why;
    clock_fake_advance(&r->clock, START_MS + (int64_t)(step + 1) * INTERVAL_MS - clock_now_ms(&r->clock.base));
    double start = bench_seconds();
    for (uint32_t b = 0; b < l->body_count; b++) {
        struct ingest_request req = {.body = slice_of(l->bodies[b].data, l->bodies[b].len), .stream = b % 8 + 1};
        ingest_write(r->ingest, &req, &result);
        if (result.err != ERR_OK || result.samples != l->bodies[b].samples) {
            fprintf(stderr, "bench_ingest: %s\n", result.why.text);
            exit(1);
        }
        taken += result.samples;
    }
    if (r->wal && wal_barrier(r->wal, &sequence, &why) != ERR_OK)
        fprintf(stderr, "bench_ingest: %s\n", why.text);
    return (bench_seconds() - start) * 1e9 / (double)taken;
}

static double snappy_alone(const struct load *l)
{
    size_t capacity = 64 << 20, len;
    char *out = mem_alloc(capacity);
    memset(out, 1, 1 << 20);
    double start = bench_seconds();
    for (uint32_t b = 0; b < l->body_count; b++) {
        len = capacity;
        snappy_uncompress((const char *)l->bodies[b].data, l->bodies[b].len, out, &len);
    }
    double took = bench_seconds() - start;
    mem_free(out);
    return took * 1e9 / l->count;
}

static double best_of(const double *list, uint32_t count)
{
    double best = list[0];
    for (uint32_t i = 1; i < count; i++)
        best = list[i] < best ? list[i] : best;
    return best;
}

static double rss_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void print_memory(const struct rig *r, uint32_t steps, double rss)
{
    struct head_stats st;
    head_stats(r->head, &st);
    double n = (double)st.series;
    printf("  after %u samples: %.0f B/series (lines %.1f index %.1f labels %.1f postings %.1f columns %.1f tails %.1f "
           "chunks %.1f side %.1f), RSS grew by %.0f\n",
           steps, (double)st.bytes / n, (double)st.bytes_lines / n, (double)st.bytes_index / n,
           (double)st.bytes_labels / n, (double)st.bytes_postings / n, (double)st.bytes_columns / n,
           (double)st.bytes_tails / n, (double)st.bytes_chunks / n, (double)st.bytes_side / n, rss / n);
    printf("  out of order %llu, duplicate %llu\n", (unsigned long long)st.samples_out_of_order,
           (unsigned long long)st.samples_duplicate);
}

static void run(const struct corpus *c, uint32_t replicas, uint32_t steps, bool with_wal)
{
    struct load l;
    struct rig r;
    double known[256], before;
    char dir[64];
    snprintf(dir, sizeof dir, "/tmp/bench-ingest-%d", (int)getpid());
    load_init(&l, c, replicas);
    load_step(&l, 0);
    before = rss_bytes();
    rig_init(&r, with_wal, dir);
    double fresh = send_step(&r, &l, 0);
    uint64_t log = with_wal ? atomic_load(&wal_stats(r.wal)->bytes) : 0, log_end;
    for (uint32_t step = 1; step < steps; step++) {
        load_step(&l, step);
        known[step - 1] = send_step(&r, &l, step);
    }
    log_end = with_wal ? atomic_load(&wal_stats(r.wal)->bytes) : 0;
    printf("%u series%s: new %.0f ns, known %.1f ns (snappy alone %.1f; %.0f B plain, %.0f packed)", l.count,
           with_wal ? ", logged" : "", fresh, best_of(known, steps - 1), snappy_alone(&l),
           (double)l.plain_bytes / l.count, (double)l.packed_bytes / l.count);
    if (with_wal)
        printf(", log %.1f B/new, %.2f B/sample", (double)log / l.count,
               (double)(log_end - log) / l.count / (steps - 1));
    double rss = rss_bytes() - before;
    shuffle_runs(&l, 8);
    for (uint32_t k = 0; k < 3; k++) {
        load_step(&l, steps + k);
        known[k] = send_step(&r, &l, steps + k);
    }
    printf(", other order first %.1f then %.1f ns\n", known[0], known[2]);
    print_memory(&r, steps + 3, rss);
    fflush(stdout);
    rig_free(&r);
    load_free(&l);
    struct errmsg why;
    if (with_wal && fs_remove_all(fs_posix(), dir, &why) != ERR_OK)
        fprintf(stderr, "bench_ingest: %s\n", why.text);
}

int main(int argc, char **argv)
{
    struct corpus c = corpus_load(argc, argv), thin = corpus_thin(&c, 15);
    uint32_t small = (104000 + c.count - 1) / c.count, large = (1010000 + c.count - 1) / c.count;
    run(&thin, small, 24, false);
    run(&thin, small, 24, true);
    run(&thin, large, 24, false);
    corpus_free(&thin);
    corpus_free(&c); /* has the labels of both */
    return 0;
}
