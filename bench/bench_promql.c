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

#include "promql_data.h"

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
        {"sum(rate(m[5m]))", COUNTER, 1000000, 61},
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
        {"histogram_quantile(0.9, m)", BUCKETS, 100000, 1},
        {"histogram_quantile(0.9, sum by (le) (rate(m[5m])))", BUCKETS, 100000, 61},
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
