/* bench_histogram.c - ns per histogram for what dashboards do with native histograms; bytes are of the arena. */
#include <stdio.h>

#include "base/clock.h"
#include "histogram/histogram.h"

enum { BUCKETS = 80, HISTOGRAMS = 1000, ROUNDS = 20 };

static double counts[HISTOGRAMS][BUCKETS];
static struct histogram list[HISTOGRAMS];
static const struct histogram_span same[] = {{-20, 30}, {3, 50}};
static struct histogram_span moved[HISTOGRAMS][2];

/* Layouts differ by a few buckets when `differ`, as those of several servers do. */
static void fill(bool differ)
{
    for (int i = 0; i < HISTOGRAMS; i++) {
        moved[i][0] = (struct histogram_span){-20 + i % 5, 30};
        moved[i][1] = (struct histogram_span){3 - i % 3, 50};
        double total = 0;
        for (int b = 0; b < BUCKETS; b++)
            total += counts[i][b] = (double)((i * 7 + b * 13) % 1000);
        list[i] = (struct histogram){.schema = 3,
                                     .zero_threshold = 1e-128,
                                     .zero_count = 3,
                                     .count = total + 3,
                                     .sum = total * 0.7,
                                     .positive_span_count = 2,
                                     .positive_spans = differ ? moved[i] : same,
                                     .positive_count = BUCKETS,
                                     .positive = counts[i]};
    }
}

/* The best of several rounds, because the machine may do other things as well. */
struct stopwatch {
    int64_t start_ns, best_ns;
};

static void begin(struct stopwatch *w)
{
    w->start_ns = clock_mono_ns(clock_system());
}

static void end(struct stopwatch *w)
{
    int64_t ns = clock_mono_ns(clock_system()) - w->start_ns;
    if (w->best_ns == 0 || ns < w->best_ns)
        w->best_ns = ns;
}

static void report(const char *what, const struct stopwatch *w, size_t bytes)
{
    printf("%-36s %8.0f ns/histogram %8.1f bytes/histogram\n", what, (double)w->best_ns / HISTOGRAMS,
           (double)bytes / HISTOGRAMS / ROUNDS);
}

static void bench_total(const char *what, bool differ, bool mean)
{
    size_t bytes = 0;
    fill(differ);
    struct stopwatch watch = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct arena arena;
        arena_init(&arena, NULL);
        begin(&watch);
        struct histogram_total *t = histogram_total_new(&arena, &list[0]);
        for (int i = 1; i < HISTOGRAMS; i++) {
            enum err err = mean ? histogram_total_add_mean(t, &list[i], NULL) : histogram_total_add(t, &list[i], NULL);
            if (err != ERR_OK)
                return;
        }
        (void)(mean ? histogram_total_mean(t) : histogram_total_sum(t));
        end(&watch);
        bytes += arena.bytes;
        arena_deinit(&arena);
    }
    report(what, &watch, bytes);
}

static void bench_each(const char *what, int operation)
{
    size_t bytes = 0;
    double sink = 0;
    fill(false);
    struct stopwatch watch = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct arena arena;
        const struct histogram *res = NULL;
        arena_init(&arena, NULL);
        begin(&watch);
        for (int i = 1; i < HISTOGRAMS; i++) {
            if (operation == 0)
                sink += histogram_quantile(0.99, &list[i], NULL);
            else if (operation == 1)
                sink += histogram_fraction(0, 100, &list[i], NULL);
            else if (operation == 2)
                sink += histogram_sub(&arena, &list[i], &list[i - 1], &res, NULL) == ERR_OK;
            else
                sink += histogram_detect_reset(&list[i], &list[i - 1]);
        }
        end(&watch);
        bytes += arena.bytes;
        arena_deinit(&arena);
    }
    report(what, &watch, bytes + (sink == 0.5));
}

int main(void)
{
    printf("%d buckets each\n", BUCKETS);
    bench_total("sum, same layout", false, false);
    bench_total("sum, layouts differ", true, false);
    bench_total("avg, same layout", false, true);
    bench_each("quantile(0.99)", 0);
    bench_each("fraction(0, 100)", 1);
    bench_each("sub", 2);
    bench_each("detect reset", 3);
    return 0;
}
