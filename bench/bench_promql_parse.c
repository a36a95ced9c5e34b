/* bench_promql_parse.c - what it costs to parse, resolve and print an expression. */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "promql/query_internal.h"

static const char *const queries[] = {
    "up",
    "rate(http_requests_total{job=\"api\",code!=\"500\"}[5m])",
    "histogram_quantile(0.99, sum by (le, job) (rate(http_request_duration_seconds_bucket{env=\"prod\"}[5m])))",
    "sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\",instance=~\"web-.*\"}[5m])) / on (instance) "
    "group_left (nodename) count by (instance, nodename) (node_uname_info offset 1h) > bool 0.8",
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct query *parse(const char *text)
{
    struct parse_options o = {.features = PROMQL_DURATION_EXPR};
    struct query *q = NULL;
    enum err err = query_parse(slice_str(text), &o, &q, NULL);
    assert(err == ERR_OK);
    return q;
}

static double resolve_once(const struct query *q)
{
    struct resolve_params p = {.end_ms = 3600000, .step_ms = 15000, .default_interval_ms = 60000};
    struct arena arena;
    struct node *root;
    arena_init(&arena, NULL);
    enum err err = query_resolve(q, &p, &arena, &root, NULL);
    assert(err == ERR_OK);
    double depth = root->depth;
    arena_deinit(&arena);
    return depth;
}

static void measure(const char *text)
{
    enum { ROUNDS = 20000 };
    double sum = 0, start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct query *q = parse(text);
        sum += q->root->depth;
        promql_query_free(q);
    }
    double parsed = now_ns();
    struct query *q = parse(text);
    for (int i = 0; i < ROUNDS; i++)
        sum += resolve_once(q);
    double resolved = now_ns();
    printf("%6.0f ns/parse %6.0f ns/resolve %6zu bytes/query  %.60s%s\n", (parsed - start) / ROUNDS,
           (resolved - parsed) / ROUNDS, q->arena.bytes, text, sum > 0 ? "" : "!");
    promql_query_free(q);
}

int main(void)
{
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        measure(queries[i]);
    return 0;
}
