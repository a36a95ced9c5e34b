/*
 * stress_promql.c - one engine, several queries at once, each on several workers: answers are those of one thread.
 *
 * Every query is answered by an engine without helpers first; then threads ask an engine with helpers for all of
 * them, again and again, and compare bit by bit, notes and errors included.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "lib/memory_storage.h"
#include "promql/promql.h"

enum { SERIES = 900, SAMPLES = 50, STEP_MS = 15000, THREADS = 2, ROUNDS = 1, WORKERS = 3 };

static const char *const queries[] = {
    "sum by (job) (rate(m_total[2m]))",
    "avg by (job) (m)",
    "stddev(m * 1.1)",
    "rate(m[1m])",
    "m_total / on (instance) m",
    "m and on (job) m_total > 100",
    "m_total or m",
    "topk by (job) (3, m)",
    "quantile(0.9, m)",
    "max_over_time(rate(m_total[1m])[3m:30s])",
    "sum_over_time(m[2m])",
    "sum(h)",
    "histogram_quantile(0.9, rate(h[2m]))",
    "h + on (instance) h",
    "rate({__name__=~\"m.*\"}[1m])",
    "double_exponential_smoothing(m[2m], 0.5, 2)",
    "-{job=\"1\"}",
    "count_values(\"v\", m > 3)",
};
enum { QUERIES = sizeof queries / sizeof queries[0] };

static struct engine *helped;
static char *wanted[QUERIES];
static _Atomic unsigned failures;

static void print_result(struct buf *out, const struct result *r)
{
    for (uint64_t i = 0; i < r->series_count; i++) {
        const struct result_series *s = &r->series[i];
        labels_print(&s->labels, out);
        for (uint32_t k = 0; k < s->point_count; k++) {
            const struct point *p = &s->points[k];
            buf_printf(out, " %lld:%a", (long long)p->t_ms, p->h ? p->h->count + 1e9 * p->h->sum : p->v);
        }
        buf_str(out, "\n");
    }
    for (uint32_t i = 0; i < r->warning_count; i++)
        buf_printf(out, "W %s\n", r->warnings[i]);
    for (uint32_t i = 0; i < r->info_count; i++)
        buf_printf(out, "I %s\n", r->infos[i]);
    buf_printf(out, "%llu %llu %llu\n", (unsigned long long)r->stats.total_queryable_samples,
               (unsigned long long)r->stats.samples_read, (unsigned long long)r->stats.peak_samples);
}

/* The answer as text, to be freed. */
static char *ask(struct engine *e, const char *expression, enum plan_look look)
{
    struct exec_params p = {.start_ms = 120000, .end_ms = 120000 + 40 * STEP_MS, .step_ms = STEP_MS, .look = look};
    struct errmsg why;
    struct query *q = NULL;
    struct result *r = NULL;
    struct buf out = {0};
    if (promql_parse(e, slice_str(expression), &q, &why) == ERR_OK && promql_exec(e, q, &p, NULL, &r, &why) == ERR_OK)
        print_result(&out, r);
    else
        buf_printf(&out, "error %s", why.text);
    promql_result_free(r);
    promql_query_free(q);
    char *text = mem_strdup(buf_cstr(&out));
    buf_deinit(&out);
    return text;
}

static void *asker(void *arg)
{
    size_t at = (size_t)(uintptr_t)arg;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < QUERIES; i++) {
            size_t q = (i + at * 5) % QUERIES;
            char *got = ask(helped, queries[q], (i + (size_t)round) % 2 ? PLAN_ANALYZE : PLAN_NONE);
            if (strcmp(got, wanted[q]) != 0) {
                fprintf(stderr, "%s: another answer with workers\n", queries[q]);
                failures++;
            }
            mem_free(got);
        }
    return NULL;
}

static void append(struct memory_storage *m, const char *name, uint32_t i, struct arena *arena)
{
    static const double counts[] = {1, 2, 3};
    struct labels_builder b;
    char text[32];
    labels_builder_init(&b, arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), slice_str(name));
    labels_builder_set(&b, SLICE_LIT("instance"), slice_of(text, (size_t)snprintf(text, sizeof text, "%06u", i)));
    labels_builder_set(&b, SLICE_LIT("job"), slice_of(text, (size_t)snprintf(text, sizeof text, "%u", i % 7)));
    struct labels labels = labels_builder_finish(&b);
    struct histogram_span span = {0, 3};
    for (uint32_t k = 0; k < SAMPLES; k++) {
        double v = name[1] ? k * (i % 13) : 0.1 * ((i * 31 + k * 17) % 101);
        struct histogram h = {.count = 6.0 * k,
                              .sum = k,
                              .positive_span_count = 1,
                              .positive_count = 3,
                              .positive_spans = &span,
                              .positive = counts};
        if ((i + k) % 29 != 0)
            memory_storage_append(m, &labels, (int64_t)k * STEP_MS, v, name[0] == 'h' ? &h : NULL, 0);
    }
}

int main(void)
{
    struct memory_storage *m = memory_storage_new();
    struct arena arena;
    arena_init(&arena, NULL);
    for (uint32_t i = 0; i < SERIES; i++) {
        append(m, "m", i, &arena);
        append(m, "m_total", i, &arena);
        if (i % 4 == 0)
            append(m, "h", i, &arena);
    }
    struct engine_options o;
    engine_options_default(&o);
    o.storage = memory_storage_storage(m);
    o.features = PROMQL_ALL_FEATURES & ~(unsigned)PROMQL_DELAYED_NAME_REMOVAL;
    struct engine *alone = engine_new(&o);
    o.workers = WORKERS;
    helped = engine_new(&o);
    for (size_t i = 0; i < QUERIES; i++)
        wanted[i] = ask(alone, queries[i], PLAN_NONE);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, asker, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < QUERIES; i++)
        mem_free(wanted[i]);
    engine_free(alone);
    engine_free(helped);
    memory_storage_free(m);
    arena_deinit(&arena);
    printf("stress_promql: %u wrong answers\n", failures);
    return failures != 0;
}
