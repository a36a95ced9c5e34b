/* block_gen.c - see block_gen.h. */
#include "lib/block_gen.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "lib/chunk_gen.h"
#include "model/value.h"

static struct labels make_labels(struct arena *arena, uint32_t target, uint32_t metric, uint32_t variant)
{
    struct labels_builder b;
    labels_builder_init(&b, arena, NULL);
    const struct {
        const char *name;
        char *value;
    } pairs[] = {
        {METRIC_NAME, arena_printf(arena, "metric_%u_total", metric)},
        {"job", arena_printf(arena, "job-%u", target % 3)},
        {"instance", target % 4 == 3 ? NULL : arena_printf(arena, "host-%u:9100", target)},
        {"Zone", variant == 1 ? arena_printf(arena, "z%u", target % 2) : NULL}, /* sorts before __name__ */
        {"mode", variant ? arena_printf(arena, "mode-%u", variant) : NULL},
        {"pod", arena_printf(arena, "pod-%08x-%u-%u", target * 2654435761u, metric, variant)},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].value)
            labels_builder_set(&b, slice_str(pairs[i].name), slice_str(pairs[i].value));
    return labels_builder_finish(&b);
}

/* Which of the target's scrapes the series has. */
static uint32_t pick_times(uint64_t *rng, const int64_t *scrapes, uint32_t n, int64_t *out)
{
    uint64_t kind = chunk_gen_next(rng) % 12;
    uint32_t from = kind == 0 ? (uint32_t)(chunk_gen_next(rng) % n) : 0;
    uint32_t end = kind == 1 ? 1 + (uint32_t)(chunk_gen_next(rng) % n) : n, count = 0;
    for (uint32_t i = from; i < end; i++)
        if (kind != 2 || chunk_gen_next(rng) % 10)
            out[count++] = scrapes[i];
    return count;
}

static void add_kinds(const struct gen_options *o, uint64_t *rng, struct arena *arena, struct samples *s)
{
    uint64_t kind = chunk_gen_next(rng);
    if (o->histograms && kind % 5 == 0) {
        const struct histogram **hists = ARENA_ARRAY(arena, const struct histogram *, s->count);
        chunk_gen_hists(rng, s->count, arena, hists);
        for (uint32_t i = 0; kind % 2 && i < s->count; i++) /* both kinds in one series */
            if (chunk_gen_next(rng) % 40 == 0)
                hists[i] = NULL;
        s->hists = hists;
    }
    if (o->start_times && kind % 7 == 0) {
        int64_t *starts = ARENA_ARRAY(arena, int64_t, s->count);
        for (uint32_t i = 0; i < s->count; i++)
            starts[i] = i % 50 == 0 ? 0 : s->times_ms[0] - 1000;
        s->start_times_ms = starts;
    }
}

static void make_samples(const struct gen_options *o, uint64_t *rng, struct arena *arena, const int64_t *scrapes,
                         struct samples *s)
{
    int64_t *times = ARENA_ARRAY(arena, int64_t, o->scrapes);
    double *values = ARENA_ARRAY(arena, double, o->scrapes);
    s->count = pick_times(rng, scrapes, o->scrapes, times);
    uint32_t kind = chunk_gen_next(rng) % 3 ? 9 : (uint32_t)chunk_gen_next(rng); /* most are constant */
    chunk_gen_values(rng, kind, chunk_gen_next(rng) % 8 ? 0 : 100, s->count, values);
    if (s->count && chunk_gen_next(rng) % 10 == 0)
        values[s->count - 1] = f64_from_bits(STALE_NAN_BITS);
    s->times_ms = times;
    s->values = values;
    add_kinds(o, rng, arena, s);
}

static int compare_series(const void *a, const void *b)
{
    return block_labels_cmp(&((const struct gen_series *)a)->labels, &((const struct gen_series *)b)->labels);
}

void gen_set_make(struct gen_set *set, const struct gen_options *o)
{
    uint64_t rng = o->seed * 2 + 1;
    *set = (struct gen_set){0};
    arena_init(&set->arena, NULL);
    set->series = (struct gen_series *)mem_array((size_t)o->targets * o->metrics * 3, sizeof *set->series);
    for (uint32_t t = 0; t < o->targets; t++) {
        int64_t *scrapes = ARENA_ARRAY(&set->arena, int64_t, o->scrapes);
        chunk_gen_times(&rng, o->start_ms + (int64_t)(chunk_gen_next(&rng) % (uint64_t)o->step_ms), o->step_ms, t % 6,
                        o->scrapes, scrapes);
        for (uint32_t m = 0; m < o->metrics; m++)
            for (uint32_t v = 0; v < 1 + m % 3; v++) {
                struct gen_series *s = &set->series[set->count];
                s->labels = make_labels(&set->arena, t, m, v);
                make_samples(o, &rng, &set->arena, scrapes, &s->samples);
                set->samples += s->samples.count;
                set->count += s->samples.count > 0;
            }
    }
    qsort(set->series, set->count, sizeof *set->series, compare_series);
}

void gen_set_free(struct gen_set *set)
{
    arena_deinit(&set->arena);
    mem_free(set->series);
}

static struct samples part_of(const struct samples *s, int64_t mint_ms, int64_t maxt_ms)
{
    uint32_t from = 0, end = s->count;
    while (from < end && s->times_ms[from] < mint_ms)
        from++;
    while (end > from && s->times_ms[end - 1] > maxt_ms)
        end--;
    return (struct samples){.count = end - from,
                            .times_ms = s->times_ms + from,
                            .values = s->values + from,
                            .hists = s->hists ? s->hists + from : NULL,
                            .start_times_ms = s->start_times_ms ? s->start_times_ms + from : NULL};
}

static void must(enum err err, const struct errmsg *why)
{
    if (err != ERR_OK)
        fprintf(stderr, "block_gen: %s\n", why->text);
    assert(err == ERR_OK);
}

void gen_set_write(const struct gen_set *set, struct fs *fs, const char *dir, const struct block_writer_options *o,
                   int64_t mint_ms, int64_t maxt_ms, struct block_meta *meta)
{
    struct block_writer *w;
    struct errmsg why;
    must(block_writer_new(fs, dir, o, &w, &why), &why);
    for (uint32_t i = 0; i < set->count; i++) {
        must(block_writer_series(w, &set->series[i].labels, &why), &why);
        struct samples s = part_of(&set->series[i].samples, mint_ms, maxt_ms), piece = s;
        for (uint32_t at = 0, n; at < s.count; at += n) { /* in pieces of odd sizes */
            n = s.count - at < 777 ? s.count - at : 777;
            piece = part_of(&s, s.times_ms[at], s.times_ms[at + n - 1]);
            must(block_writer_samples(w, &piece, &why), &why);
        }
    }
    must(block_writer_finish(w, meta, &why), &why);
    block_writer_free(w);
}

static bool same_doubles(const double *a, const double *b, uint32_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static bool same_hist(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->reset_hint == b->reset_hint && f64_bits(a->count) == f64_bits(b->count) &&
           f64_bits(a->sum) == f64_bits(b->sum) && f64_bits(a->zero_count) == f64_bits(b->zero_count) &&
           f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) && a->positive_count == b->positive_count &&
           a->negative_count == b->negative_count && same_doubles(a->positive, b->positive, a->positive_count) &&
           same_doubles(a->negative, b->negative, a->negative_count);
}

const char *gen_samples_differ(const struct samples *want, const struct samples *got, int64_t mint_ms, int64_t maxt_ms)
{
    struct samples w = part_of(want, mint_ms, maxt_ms);
    if (w.count != got->count)
        return "count";
    for (uint32_t i = 0; i < w.count; i++) {
        const struct histogram *h = w.hists ? w.hists[i] : NULL, *g = got->hists ? got->hists[i] : NULL;
        if (w.times_ms[i] != got->times_ms[i])
            return "time";
        if ((h != NULL) != (g != NULL))
            return "kind";
        if (h && !same_hist(h, g))
            return "histogram";
        if (!h && f64_bits(w.values[i]) != f64_bits(got->values[i]))
            return "value";
        if ((w.start_times_ms ? w.start_times_ms[i] : 0) != (got->start_times_ms ? got->start_times_ms[i] : 0))
            return "start time";
    }
    return NULL;
}
