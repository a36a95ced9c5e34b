/*
 * promql_data.h - series in memory for benches of the engine: 100 targets, one sample in 15 s.
 *
 * Series of a target share their timestamps, as scraped ones do.  A selector of target_info gets one series per target,
 * any other one all of the rest.
 */
#ifndef BENCH_PROMQL_DATA_H
#define BENCH_PROMQL_DATA_H

#include <stdio.h>

#include "base/mem.h"
#include "promql/promql.h"

enum { TARGETS = 100, SAMPLES = 320, SCRAPE_MS = 15000, START_MS = 1700000000 };

/* ---- A storage that decodes nothing ---- */

struct bench_storage {
    struct storage base;
    struct querier querier;
    struct series_set set, infos; /* infos: the last of all series */
    struct arena arena;
    struct labels *labels;
    uint32_t count;  /* without the infos */
    double **values; /* [count + TARGETS], of which few are different */
    int64_t times[TARGETS][SAMPLES];
};

struct bench_reader {
    struct series_reader base;
    struct bench_storage *storage;
    uint32_t first; /* of its set */
};

static struct bench_storage *the_storage;

static void cut(const struct bench_storage *b, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out)
{
    const int64_t *times = b->times[i % TARGETS];
    int64_t first = (mint_ms - times[0] + SCRAPE_MS - 1) / SCRAPE_MS, last = (maxt_ms - times[0]) / SCRAPE_MS;
    first = first < 0 ? 0 : first;
    last = maxt_ms < times[0] ? -1 : last >= SAMPLES ? SAMPLES - 1 : last;
    *out = (struct samples){.count = last < first ? 0 : (uint32_t)(last - first + 1),
                            .times_ms = times + first,
                            .values = b->values[i] + first,
                            .times_id = i % TARGETS + 1};
}

static enum err bench_read(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                           struct errmsg *why)
{
    (void)why;
    struct bench_reader *b = (struct bench_reader *)r;
    cut(b->storage, b->first + i, mint_ms, maxt_ms, out);
    return ERR_OK;
}

static enum err bench_last(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                           struct errmsg *why)
{
    (void)why;
    struct bench_reader *b = (struct bench_reader *)r;
    cut(b->storage, b->first + i, mint_ms, maxt_ms, out);
    if (out->count > 1) {
        out->times_ms += out->count - 1;
        out->values += out->count - 1;
        out->count = 1;
    }
    return ERR_OK;
}

static void reader_close(struct series_reader *r)
{
    mem_free(r);
}

static const struct series_reader_ops reader_ops = {bench_read, bench_last, reader_close};

static struct series_reader *bench_reader(struct series_set *set)
{
    struct bench_reader *r = MEM_NEW(struct bench_reader);
    r->base.ops = &reader_ops;
    r->storage = the_storage;
    r->first = set == &the_storage->infos ? the_storage->count : 0;
    return &r->base;
}

static const struct series_set_ops set_ops = {bench_reader};

static enum err bench_select(struct querier *q, const struct selector *s, struct arena *arena, struct cancel *cancel,
                             struct series_set **out, struct errmsg *why)
{
    (void)q, (void)arena, (void)cancel, (void)why;
    *out = &the_storage->set;
    for (uint32_t i = 0; i < s->matcher_count; i++)
        if (slice_eq(s->matchers[i].value, SLICE_LIT("target_info")))
            *out = &the_storage->infos;
    return ERR_OK;
}

static void querier_close(struct querier *q)
{
    (void)q;
}

static const struct querier_ops querier_ops = {.select = bench_select, .close = querier_close};

static enum err bench_querier(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                              struct errmsg *why)
{
    (void)s, (void)mint_ms, (void)maxt_ms, (void)why;
    *out = &the_storage->querier;
    return ERR_OK;
}

static const struct storage_ops storage_ops = {bench_querier};

/* ---- Data ---- */

enum kind { COUNTER, GAUGE, BUCKETS }; /* BUCKETS: counters with le in place of mode */

static double *column(enum kind kind, uint32_t seed)
{
    double *v = mem_array(SAMPLES, sizeof *v), at = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        seed = seed * 1664525 + 1013904223;
        double noise = (double)(seed >> 8) / (1 << 24);
        at += noise * 10;
        v[i] = kind != GAUGE ? (i == SAMPLES / 2 &&seed % 8 == 0 ? at = 0 : (double)(int64_t)(at * 8)) : noise;
    }
    return v;
}

static struct labels labels_make(struct arena *arena, enum kind kind, uint32_t i)
{
    static const char *const bounds[] = {"0.1", "0.5", "1", "2", "5", "10", "30", "+Inf"};
    static const char *const modes[] = {"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"};
    struct labels_builder b;
    char text[64];
    labels_builder_init(&b, arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("node_cpu_seconds_total"));
    labels_builder_set(&b, SLICE_LIT("job"), SLICE_LIT("node"));
    if (kind == BUCKETS)
        labels_builder_set(&b, SLICE_LIT("le"), slice_str(bounds[i / TARGETS % 8]));
    else
        labels_builder_set(&b, SLICE_LIT("mode"), slice_str(modes[i / TARGETS % 8]));
    labels_builder_set(&b, SLICE_LIT("instance"),
                       slice_of(text, (size_t)snprintf(text, sizeof text, "host-%u:9100", i % TARGETS)));
    labels_builder_set(&b, SLICE_LIT("cpu"),
                       slice_of(text, (size_t)snprintf(text, sizeof text, "%u", i / TARGETS / 8)));
    return labels_builder_finish(&b);
}

static struct labels info_labels(struct arena *arena, uint32_t target)
{
    struct labels_builder b;
    char text[64];
    labels_builder_init(&b, arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("target_info"));
    labels_builder_set(&b, SLICE_LIT("job"), SLICE_LIT("node"));
    labels_builder_set(&b, SLICE_LIT("instance"),
                       slice_of(text, (size_t)snprintf(text, sizeof text, "host-%u:9100", target)));
    labels_builder_set(&b, SLICE_LIT("version"),
                       slice_of(text, (size_t)snprintf(text, sizeof text, "1.%u", target % 7)));
    return labels_builder_finish(&b);
}

static struct bench_storage *storage_make(enum kind kind, uint32_t count)
{
    struct bench_storage *b = MEM_NEW(struct bench_storage);
    double *columns[64];
    b->base.ops = &storage_ops;
    b->querier.ops = &querier_ops;
    arena_init(&b->arena, NULL);
    for (uint32_t t = 0; t < TARGETS; t++)
        for (uint32_t i = 0; i < SAMPLES; i++)
            b->times[t][i] = START_MS + (int64_t)t * 149 + (int64_t)i * SCRAPE_MS;
    for (uint32_t i = 0; i < 64; i++)
        columns[i] = column(kind, i * 7919 + 1);
    b->count = count;
    b->labels = mem_array(count + TARGETS, sizeof *b->labels);
    b->values = mem_array(count + TARGETS, sizeof *b->values);
    for (uint32_t i = 0; i < count + TARGETS; i++) {
        b->labels[i] = i < count ? labels_make(&b->arena, kind, i) : info_labels(&b->arena, i - count);
        b->values[i] = columns[i % 64];
    }
    b->set = (struct series_set){&set_ops, count, b->labels};
    b->infos = (struct series_set){&set_ops, TARGETS, b->labels + count};
    return b;
}

static void storage_free(struct bench_storage *b)
{
    for (uint32_t i = 0; i < 64; i++)
        mem_free(b->values[i]);
    mem_free(b->values);
    mem_free(b->labels);
    arena_deinit(&b->arena);
    mem_free(b);
}

#endif
