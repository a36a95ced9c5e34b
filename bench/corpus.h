/*
 * corpus.h - series for benches: a corpus file, or made-up ones when there is none.
 *
 * File ("TSC1", plain or zstd): u32 series, then per series u32 labels_len, labels as name NUL value
 * NUL ... sorted by name, u32 n, i64 timestamp_ms[n], f64 value[n]; little-endian.
 * The path is the first argument or the environment variable GNOMON_CORPUS.
 */
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/slice.h"

struct corpus_series {
    struct slice labels; /* name NUL value NUL ... */
    uint32_t count;
    int64_t *times_ms;
    double *values;
};

struct corpus {
    uint32_t count;
    uint64_t samples;
    struct corpus_series *series;
    uint8_t *file; /* holds the labels */
};

static inline double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void corpus_die(const char *what)
{
    fprintf(stderr, "corpus: %s\n", what);
    exit(1);
}

static inline struct buf corpus_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        corpus_die("cannot open the file");
    struct buf in = {0}, out = {0};
    uint8_t *p;
    size_t got;
    while ((p = buf_reserve(&in, 1 << 20)) && (got = fread(p, 1, 1 << 20, f)) > 0)
        in.len += got;
    fclose(f);
    if (in.len < 4 || le32_get(in.data) != ZSTD_MAGICNUMBER)
        return in;
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, 31);
    ZSTD_inBuffer zin = {in.data, in.len, 0};
    for (size_t left = 1; left != 0;) {
        p = buf_reserve(&out, 1 << 22);
        ZSTD_outBuffer zout = {p, 1 << 22, 0};
        left = ZSTD_decompressStream(ctx, &zout, &zin);
        if (ZSTD_isError(left) || (left && zin.pos == zin.size && zout.pos == 0))
            corpus_die("damaged zstd stream");
        out.len += zout.pos;
    }
    ZSTD_freeDCtx(ctx);
    buf_deinit(&in);
    return out;
}

static inline struct corpus corpus_read(const char *path)
{
    struct corpus c = {0};
    struct buf file = corpus_file(path);
    if (file.len < 8 || memcmp(file.data, "TSC1", 4) != 0)
        corpus_die("not a TSC1 file");
    c.file = file.data;
    c.count = le32_get(file.data + 4);
    c.series = (struct corpus_series *)mem_array(c.count, sizeof *c.series);
    const uint8_t *p = file.data + 8;
    for (uint32_t i = 0; i < c.count; i++) {
        struct corpus_series *s = &c.series[i];
        s->labels = slice_of(p + 4, le32_get(p));
        p += 4 + s->labels.len;
        s->count = le32_get(p);
        p += 4;
        s->times_ms = (int64_t *)mem_array(s->count, 8);
        s->values = (double *)mem_array(s->count, 8);
        memcpy(s->times_ms, p, s->count * 8ul);
        memcpy(s->values, p + s->count * 8ul, s->count * 8ul);
        p += s->count * 16ul;
        c.samples += s->count;
    }
    return c;
}

static inline uint64_t corpus_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* What a fleet looks like, roughly: constants, counters that move or rest, gauges, float sums, noise. */
static inline double corpus_step(uint32_t kind, double v, uint64_t *rng)
{
    uint64_t r = corpus_random(rng);
    switch (kind % 20) {
    case 12:
    case 13:
        return v + (double)(r % 50);
    case 14:
        return r % 16 ? v : v + (double)(r % 1000);
    case 15:
        return (double)(r % 10000) / 100;
    case 16:
        return v + (double)(r % 100000) * 1e-9;
    case 17:
        return v + (double)((int64_t)(r % 2001) - 1000) * 4096;
    case 18:
        return (double)(r >> 11) / 9007199254740992.0;
    case 19:
        return (double)(r % 5000) * 0.001;
    default:
        return v;
    }
}

static inline struct corpus corpus_synthetic(void)
{
    enum { SERIES = 2000, SAMPLES = 5760, TARGET = 250 };
    struct corpus c = {.count = SERIES, .samples = (uint64_t)SERIES * SAMPLES};
    c.series = (struct corpus_series *)mem_array(SERIES, sizeof *c.series);
    struct buf labels = {0};
    uint64_t rng = 88172645463325252u;
    size_t starts[SERIES + 1];
    for (uint32_t i = 0; i < SERIES; i++) {
        struct corpus_series *s = &c.series[i];
        starts[i] = labels.len;
        buf_printf(&labels, "__name__%cmetric_%u_total%cinstance%chost-%u:9100%cjob%cnode%cmode%cm%u%c", 0,
                   i % TARGET / 5, 0, 0, i / TARGET, 0, 0, 0, 0, i % 5, 0);
        s->count = SAMPLES;
        s->times_ms = (int64_t *)mem_array(SAMPLES, 8);
        s->values = (double *)mem_array(SAMPLES, 8);
        double v = (double)(corpus_random(&rng) % 1000000);
        uint64_t jitter = 1 + i / TARGET;
        for (uint32_t k = 0; k < SAMPLES; k++) {
            s->times_ms[k] = 1700000000000 + (int64_t)k * 1000 + (int64_t)(corpus_random(&jitter) % 8);
            s->values[k] = v = corpus_step(i, v, &rng);
        }
    }
    starts[SERIES] = labels.len;
    c.file = labels.data;
    for (uint32_t i = 0; i < SERIES; i++)
        c.series[i].labels = slice_of(labels.data + starts[i], starts[i + 1] - starts[i]);
    return c;
}

static inline struct corpus corpus_load(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : getenv("GNOMON_CORPUS");
    printf("corpus: %s\n", path ? path : "synthetic");
    return path ? corpus_read(path) : corpus_synthetic();
}

static inline void corpus_free(struct corpus *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        mem_free(c->series[i].times_ms);
        mem_free(c->series[i].values);
    }
    mem_free(c->series);
    mem_free(c->file);
}

/* Every `every`-th sample: a 15 s corpus from a 1 s one. */
static inline struct corpus corpus_thin(const struct corpus *c, uint32_t every)
{
    struct corpus thin = {.count = c->count};
    thin.series = (struct corpus_series *)mem_array(c->count, sizeof *thin.series);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct corpus_series *from = &c->series[i];
        struct corpus_series *to = &thin.series[i];
        *to = (struct corpus_series){.labels = from->labels, .count = (from->count + every - 1) / every};
        to->times_ms = (int64_t *)mem_array(to->count, 8);
        to->values = (double *)mem_array(to->count, 8);
        for (uint32_t k = 0; k < to->count; k++) {
            to->times_ms[k] = from->times_ms[(size_t)k * every];
            to->values[k] = from->values[(size_t)k * every];
        }
        thin.samples += to->count;
    }
    return thin;
}

#endif
