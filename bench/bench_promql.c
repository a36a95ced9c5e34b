/*
 * bench_promql.c - evaluation alone: queries over series that lie in memory, 100 targets, one sample in 15 s.
 *
 * Series of a target share their timestamps, as scraped ones do.  Figures are nanoseconds per series and
 * step of processor time, the best of several runs, and bytes of memory per series and step at the peak.
 *
 *     build/release/bench_promql ["part of an expression" [workers]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "promql/promql.h"

enum { TARGETS = 100, SAMPLES = 320, SCRAPE_MS = 15000, START_MS = 1700000000 };

/* ---- A storage that decodes nothing ---- */

struct bench_set {
    struct series_set base;
    struct label **metric;
};

struct bench_storage {
    struct storage base;
    struct querier querier;
    struct series_set set;
    struct arena arena;
    struct labels *labels;
    uint32_t count;
    double **values; /* [count], of which few are different */
    int64_t times[TARGETS][SAMPLES];
};

struct bench_reader {
    struct series_reader base;
    struct bench_storage *storage;
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
    cut(((struct bench_reader *)r)->storage, i, mint_ms, maxt_ms, out);
    return ERR_OK;
}

static enum err bench_last(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                           struct errmsg *why)
{
    (void)why;
    cut(((struct bench_reader *)r)->storage, i, mint_ms, maxt_ms, out);
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
    (void)set;
    struct bench_reader *r = MEM_NEW(struct bench_reader);
    r->base.ops = &reader_ops;
    r->storage = the_storage;
    return &r->base;
}

static const struct series_set_ops set_ops = {bench_reader};

static enum err bench_select(struct querier *q, const struct selector *s, struct arena *arena, struct cancel *cancel,
                             struct series_set **out, struct errmsg *why)
{
    (void)q, (void)s, (void)arena, (void)cancel, (void)why;
    *out = &the_storage->set;
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
    b->labels = mem_array(count, sizeof *b->labels);
    b->values = mem_array(count, sizeof *b->values);
    for (uint32_t i = 0; i < count; i++) {
        b->labels[i] = labels_make(&b->arena, kind, i);
        b->values[i] = columns[i % 64];
    }
    b->set = (struct series_set){&set_ops, count, b->labels};
    return b;
}

static void storage_free(struct bench_storage *b)
{
    for (uint32_t i = 0; i < 64 && i < b->count; i++)
        mem_free(b->values[i]);
    mem_free(b->values);
    mem_free(b->labels);
    arena_deinit(&b->arena);
    mem_free(b);
}

/* ---- Queries ---- */

struct measured {
    const char *expression;
    enum kind kind;
    uint32_t series, steps;
};

/* Processor time, as other load on the machine counts less; with several workers real time. */
static clockid_t clock_id = CLOCK_PROCESS_CPUTIME_ID;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double run_once(struct engine *e, const struct measured *m)
{
    struct errmsg why;
    struct query *q;
    struct result *r;
    int64_t end = START_MS + (int64_t)(SAMPLES - 1) * SCRAPE_MS;
    struct exec_params p = {
        .start_ms = end - (int64_t)(m->steps - 1) * 60000, .end_ms = end, .step_ms = m->steps > 1 ? 60000 : 0};
    if (promql_parse(e, slice_str(m->expression), &q, &why) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", m->expression, why.text);
        exit(1);
    }
    int64_t start = now_ns();
    if (promql_exec(e, q, &p, NULL, &r, &why) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", m->expression, why.text);
        exit(1);
    }
    int64_t ns = now_ns() - start;
    promql_result_free(r);
    promql_query_free(q);
    return (double)ns;
}

static void measure(const struct measured *m, unsigned workers)
{
    struct mem_budget budget = {.name = "bench"};
    struct engine_options o;
    engine_options_default(&o);
    the_storage = storage_make(m->kind, m->series);
    o.storage = &the_storage->base;
    o.samples_max = UINT64_MAX;
    o.budget = &budget;
    o.workers = workers;
    struct engine *e = engine_new(&o);
    double best = 1e18, cells = (double)m->series * m->steps;
    for (int i = 0; i < 5; i++) {
        double ns = run_once(e, m);
        best = ns < best ? ns : best;
    }
    printf("%8u x %4u  %9.2f ms  %8.2f ns/op  %7.2f bytes/op  %s\n", m->series, m->steps, best / 1e6, best / cells,
           (double)atomic_load(&budget.peak) / cells, m->expression);
    fflush(stdout);
    engine_free(e);
    storage_free(the_storage);
}

/* What one core reads from memory: the bound of everything that only looks at samples once. */
static void measure_memory(void)
{
    enum { DOUBLES = 16 << 20 };
    double *v = mem_array(DOUBLES, sizeof *v), sums[8] = {0}, best = 1e18;
    for (uint32_t i = 0; i < DOUBLES; i++)
        v[i] = i;
    for (int round = 0; round < 5; round++) {
        int64_t start = now_ns();
        for (uint32_t i = 0; i < DOUBLES; i += 8)
            for (uint32_t k = 0; k < 8; k++)
                sums[k] += v[i + k];
        double ns = (double)(now_ns() - start);
        best = ns < best ? ns : best;
    }
    volatile double sum = 0; /* so that the reads are made */
    for (uint32_t k = 0; k < 8; k++)
        sum += sums[k];
    printf("memory: %.1f GB/s read by one core, %.2f ns for each sample of 16 bytes\n", DOUBLES * 8 / best,
           best / DOUBLES * 2);
    mem_free(v);
}

int main(int argc, char **argv)
{
    static const struct measured all[] = {
        {"count(m)", COUNTER, 1000000, 1},
        {"sum(m)", COUNTER, 1000000, 1},
        {"count by (job) (m)", COUNTER, 1000000, 1},
        {"sum by (instance, cpu) (m)", COUNTER, 1000000, 1},
        {"topk(5, m)", COUNTER, 1000000, 1},
        {"m", COUNTER, 100000, 61},
        {"sum by (mode) (m)", COUNTER, 100000, 61},
        {"avg by (mode) (m)", GAUGE, 100000, 61},
        {"count(m)", COUNTER, 100000, 61},
        {"sum by (mode) (rate(m[5m]))", COUNTER, 9000, 61},
        {"sum by (mode) (rate(m[1h]))", COUNTER, 9000, 61},
        {"rate(m[5m])", COUNTER, 9000, 61},
        {"irate(m[5m])", COUNTER, 9000, 61},
        {"sum_over_time(m[5m])", COUNTER, 9000, 61},
        {"sum_over_time(m[5m])", GAUGE, 9000, 61},
        {"sum_over_time(m[1h])", GAUGE, 9000, 61},
        {"avg_over_time(m[1h])", COUNTER, 9000, 61},
        {"stddev_over_time(m[1h])", GAUGE, 9000, 61},
        {"max_over_time(m[1h])", GAUGE, 9000, 61},
        {"quantile_over_time(0.9, m[1h])", GAUGE, 2000, 61},
        {"deriv(m[1h])", GAUGE, 2000, 61},
        {"max_over_time(rate(m[5m])[10m:1m])", COUNTER, 9000, 61},
        {"m * 2 > 1", GAUGE, 100000, 61},
        {"exp(m)", GAUGE, 20000, 61},
        {"rate(m[5m]) / m", COUNTER, 9000, 61},
        {"m and on (instance) m", COUNTER, 9000, 61},
        {"topk by (instance) (3, m)", GAUGE, 20000, 61},
        {"quantile by (mode) (0.9, m)", GAUGE, 20000, 61},
        {"count_values(\"v\", m)", COUNTER, 2000, 61},
        {"histogram_quantile(0.9, m)", BUCKETS, 16000, 61},
        {"histogram_quantile(0.9, sum by (le, instance) (rate(m[5m])))", BUCKETS, 16000, 61},
        {"m - on (instance, cpu, mode) m", COUNTER, 9000, 61},
        {"m * on (instance) group_left () group by (instance) (m)", COUNTER, 9000, 61},
        {"label_replace(m, \"k\", \"$1\", \"instance\", \"(.*):.*\")", COUNTER, 100000, 1},
        {"sort(m)", GAUGE, 100000, 1},
    };
    const char *only = argc > 1 && argv[1][0] ? argv[1] : NULL;
    unsigned workers = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (workers > 1)
        clock_id = CLOCK_MONOTONIC;
    if (!only)
        measure_memory();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!only || strstr(all[i].expression, only))
            measure(&all[i], workers);
    return 0;
}
