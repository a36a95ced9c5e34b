/*
 * bench_promql_stop.c - how soon a query that nobody wants any more stops: one query of each family of operators.
 *
 * The clock that deadlines are read from is ours, so it sees each time that the engine asks whether to go on.  Per
 * query: the most processor time that any thread spent between two such questions (with PLACES=1 in the environment
 * also who asked then, for addr2line), what the query's thread spent behind the last one, and what freeing costs.  Then
 * the deadline is put at several moments of the query: processor time of all threads from there to the return of
 * promql_exec, and of freeing, which a server does when the error has been told.  The most of all moments, in
 * milliseconds.
 *
 *     build/release/bench_promql_stop ["part of an expression" [workers [size in percent]]]
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "promql_data.h"

enum { PLACES = 8, MOMENTS = 9 };

/* ---- The clock that sees who asks ---- */

struct watch {
    struct clock base;
    _Atomic int64_t questions, most_ns;
    _Atomic int64_t fires_at; /* the question from which on the time has passed; 0: never */
    _Atomic int64_t fired_cpu_ns;
    void *places[PLACES]; /* who asked at the end of the longest silence */
};

static _Thread_local int64_t asked_ns;

static int64_t cpu_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t watch_mono(struct clock *clock)
{
    struct watch *w = (struct watch *)clock;
    int64_t now = cpu_ns(CLOCK_THREAD_CPUTIME_ID), silent = asked_ns ? now - asked_ns : 0;
    int64_t n = atomic_fetch_add(&w->questions, 1) + 1, at = atomic_load(&w->fires_at);
    if (silent > atomic_load(&w->most_ns)) {
        atomic_store(&w->most_ns, silent);
        backtrace(w->places, PLACES);
    }
    int64_t before = 0;
    if (at && n >= at)
        atomic_compare_exchange_strong(&w->fired_cpu_ns, &before, cpu_ns(CLOCK_PROCESS_CPUTIME_ID));
    asked_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    return at && n >= at ? 2 : 0;
}

static int64_t watch_now(struct clock *clock)
{
    (void)clock;
    return START_MS;
}

/* ---- Queries ---- */

struct stopped {
    const char *expression;
    enum kind kind;
    uint32_t series, steps;
};

struct figures {
    int64_t questions, most_ns, behind_ns, stop_ns, free_ns, all_ns;
};

static void exec_once(struct engine *e, const struct stopped *m, struct watch *w, struct figures *f)
{
    struct errmsg why;
    struct query *q;
    struct result *r = NULL;
    struct cancel cancel;
    int64_t end = START_MS + (int64_t)(SAMPLES - 1) * SCRAPE_MS, span = (int64_t)(SAMPLES - 80) * SCRAPE_MS;
    struct exec_params p = {.start_ms = m->steps > 1 ? end - span : end,
                            .end_ms = end,
                            .step_ms = m->steps > 1 ? span / m->steps : 0,
                            .packed = true,
                            .keep_failed = true};
    cancel_init(&cancel, &w->base, 1);
    if (promql_parse(e, slice_str(m->expression), &q, &why) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", m->expression, why.text);
        exit(1);
    }
    int64_t began = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    asked_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    enum err err = promql_exec(e, q, &p, &cancel, &r, &why);
    f->behind_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - asked_ns;
    int64_t over = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), fired = atomic_load(&w->fired_cpu_ns);
    f->all_ns = over - began;
    f->stop_ns = fired ? over - fired : 0;
    if (err != ERR_OK && err != ERR_TIMEOUT) {
        fprintf(stderr, "%s: %s\n", m->expression, why.text);
        exit(1);
    }
    int64_t freeing = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    promql_result_free(r);
    f->free_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - freeing;
    f->questions = atomic_load(&w->questions);
    f->most_ns = atomic_load(&w->most_ns);
    promql_query_free(q);
}

static struct watch watch_make(int64_t fires_at)
{
    struct watch w = {.base = {.now_ms = watch_now, .mono_ns = watch_mono}};
    atomic_store(&w.fires_at, fires_at);
    return w;
}

static char *program_start(void);

static void measure(const struct stopped *m, unsigned workers, uint32_t percent)
{
    struct mem_budget budget = {.name = "bench"};
    struct engine_options o;
    engine_options_default(&o);
    the_storage = storage_make(m->kind, m->series / 100 * percent);
    o.storage = &the_storage->base;
    o.features = PROMQL_ALL_FEATURES & ~PROMQL_DELAYED_NAME_REMOVAL;
    o.samples_max = UINT64_MAX;
    o.budget = &budget;
    o.workers = workers;
    struct engine *e = engine_new(&o);
    struct watch w = watch_make(0);
    struct figures f, late;
    int64_t late_ns = 0, late_free_ns = 0;
    exec_once(e, m, &w, &f);
    for (int64_t i = 1; i <= MOMENTS; i++) {
        struct watch again = watch_make(f.questions * i / (MOMENTS + 1) + 1);
        exec_once(e, m, &again, &late);
        late_ns = late.stop_ns > late_ns ? late.stop_ns : late_ns;
        late_free_ns = late.free_ns > late_free_ns ? late.free_ns : late_free_ns;
    }
    printf("%7u x %5u %8.0f all %8.2f most %8.2f behind %8.2f free %8.2f stop %8.2f freed  %s", the_storage->count,
           m->steps, (double)f.all_ns / 1e6, (double)f.most_ns / 1e6, (double)f.behind_ns / 1e6,
           (double)f.free_ns / 1e6, (double)late_ns / 1e6, (double)late_free_ns / 1e6, m->expression);
    if (getenv("PLACES"))
        for (int i = 0; i < PLACES; i++)
            printf(" %#tx", (char *)w.places[i] - program_start());
    printf("\n");
    fflush(stdout);
    engine_free(e);
    storage_free(the_storage);
}

/* Where the program lies, so that places are what addr2line takes. */
static char *program_start(void)
{
    Dl_info info;
    return dladdr((void *)(uintptr_t)measure, &info) ? info.dli_fbase : NULL;
}

int main(int argc, char **argv)
{
    static const struct stopped all[] = {
        {"m", COUNTER, 200000, 60},
        {"m", COUNTER, 1000000, 1},
        {"rate(m[30m])", COUNTER, 20000, 300},
        {"sum_over_time(m[1h])", GAUGE, 20000, 300},
        {"quantile_over_time(0.4, m[1h])", GAUGE, 5000, 300},
        {"mad_over_time(m[1h])", GAUGE, 5000, 300},
        {"deriv(m[1h])", GAUGE, 5000, 300},
        {"m smoothed", COUNTER, 20000, 300},
        {"increase(m[1h] anchored)", COUNTER, 5000, 300},
        {"double_exponential_smoothing(m[1h], 0.5, 0.5)", GAUGE, 5000, 300},
        {"sum(m)", COUNTER, 1000000, 1},
        {"sum by (instance, cpu, mode) (m)", COUNTER, 1000000, 1},
        {"sum by (instance, cpu, mode) (m)", COUNTER, 100000, 100},
        {"sum without (mode) (m)", COUNTER, 1000000, 1},
        {"stddev by (mode) (m)", GAUGE, 100000, 100},
        {"topk(500000, m)", GAUGE, 1000000, 1},
        {"topk by (mode) (100, m)", GAUGE, 20000, 300},
        {"topk by (instance, cpu) (100, m)", GAUGE, 1000000, 1},
        {"quantile(0.5, m)", GAUGE, 1000000, 1},
        {"quantile by (instance, cpu) (0.5, m)", GAUGE, 100000, 100},
        {"count_values(\"v\", m)", GAUGE, 100000, 50},
        {"count_values(\"v\", m)", GAUGE, 1000000, 1},
        {"limitk(500000, m)", GAUGE, 1000000, 1},
        {"limit_ratio(0.5, m)", GAUGE, 1000000, 1},
        {"m + m * 2", GAUGE, 200000, 50},
        {"m + m * 2", GAUGE, 1000000, 1},
        {"m + on (instance, cpu, mode) m", GAUGE, 1000000, 1},
        {"m + fill (0) m", GAUGE, 1000000, 1},
        {"m + fill (0) m", GAUGE, 100000, 50},
        {"m * on (instance) group_left (version) target_info", GAUGE, 1000000, 1},
        {"m * on (instance) group_left (version) target_info", GAUGE, 100000, 50},
        {"m and on (instance) m", GAUGE, 1000000, 1},
        {"m or on (instance) m * 2", GAUGE, 1000000, 1},
        {"m unless on (instance) m offset 2h", GAUGE, 1000000, 1},
        {"exp(m) ^ 1.7", GAUGE, 100000, 50},
        {"-m", GAUGE, 1000000, 1},
        {"abs({__name__=~\"a|b\"})", GAUGE, 1000000, 1},
        {"label_replace(m, \"k\", \"$1-$2\", \"instance\", \"(.*):(.*)\")", GAUGE, 1000000, 1},
        {"label_replace(m, \"cpu\", \"1\", \"cpu\", \".*\")", GAUGE, 800, 300},
        {"label_join(m, \"k\", \"-\", \"instance\", \"mode\", \"cpu\")", GAUGE, 1000000, 1},
        {"sort(m)", GAUGE, 1000000, 1},
        {"sort_by_label(m, \"instance\", \"cpu\")", GAUGE, 1000000, 1},
        {"sort_by_label_desc(m, \"cpu\")", GAUGE, 1000000, 1},
        {"info(m)", GAUGE, 1000000, 1},
        {"info(m)", GAUGE, 100000, 50},
        {"absent(m)", GAUGE, 1000000, 1},
        {"scalar(m) + vector(1)", GAUGE, 1000000, 1},
        {"histogram_quantile(0.9, m)", BUCKETS, 1000000, 1},
        {"histogram_quantile(0.9, m)", BUCKETS, 200000, 50},
        {"histogram_fraction(0, 1, m)", BUCKETS, 1000000, 1},
        {"histogram_quantiles(m, \"q\", 0.1, 0.5, 0.9)", BUCKETS, 200000, 50},
        {"max_over_time(sum by (mode) (m)[40m:1s])", GAUGE, 2000, 300},
        {"quantile_over_time(0.4, (m)[40m:1s])", GAUGE, 200, 300},
        {"sum_over_time(max_over_time(m[20m:10s])[20m:10s])", GAUGE, 200, 300},
        {"m @ 1700000.000 + m", GAUGE, 200000, 50},
        {"sum_over_time(vector(1)[4h:1ms])", GAUGE, 100, 1},
        {"m[1h]", GAUGE, 100000, 1},
    };
    const char *only = argc > 1 && argv[1][0] ? argv[1] : NULL;
    unsigned workers = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    uint32_t percent = argc > 3 ? (uint32_t)atoi(argv[3]) : 100;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!only || strstr(all[i].expression, only))
            measure(&all[i], workers, percent);
    return 0;
}
