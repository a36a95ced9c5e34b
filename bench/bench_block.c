/*
 * bench_block.c - size of a block and speed of writing and reading it: bench_block [CORPUS]
 *
 * Writes the corpus (at its own interval and at 15 times it) as a level-0 block (plain pages) and as a
 * compacted one (zstd), and prints bytes per sample of data and index, CPU nanoseconds per sample of
 * writing, and of reading everything back through the querier, with an empty and a warm page cache
 * (after a first pass that compares every value).
 */
#include <inttypes.h>
#include <unistd.h>

#include "block/block.h"
#include "block/block_internal.h"
#include "corpus.h"
#include "regex/regex.h"

struct named {
    struct labels labels;
    const struct corpus_series *series;
};

static int compare_named(const void *a, const void *b)
{
    return block_labels_cmp(&((const struct named *)a)->labels, &((const struct named *)b)->labels);
}

static struct labels labels_of(struct arena *arena, struct slice pairs)
{
    struct labels_builder builder;
    labels_builder_init(&builder, arena, NULL);
    while (pairs.len) {
        struct slice name = slice_str((const char *)pairs.data);
        struct slice value = slice_str((const char *)pairs.data + name.len + 1);
        labels_builder_set(&builder, name, value);
        pairs = slice_from(pairs, name.len + value.len + 2);
    }
    return labels_builder_finish(&builder);
}

static struct named *sorted(const struct corpus *c, struct arena *arena)
{
    struct named *list = ARENA_ARRAY(arena, struct named, c->count);
    for (uint32_t i = 0; i < c->count; i++)
        list[i] = (struct named){labels_of(arena, c->series[i].labels), &c->series[i]};
    qsort(list, c->count, sizeof *list, compare_named);
    return list;
}

static void check(enum err err, const struct errmsg *why)
{
    if (err != ERR_OK)
        corpus_die(why->text);
}

static void write_block(const char *dir, const struct named *list, uint32_t count, uint32_t level, int zstd,
                        struct block_meta *meta)
{
    struct errmsg why;
    struct block_writer_options o = {.level = level, .zstd_level = zstd, .id = block_id_new(1, random_system())};
    struct block_writer *w;
    check(block_writer_new(fs_posix(), dir, &o, &w, &why), &why);
    for (uint32_t i = 0; i < count; i++) {
        struct samples s = {
            .count = list[i].series->count, .times_ms = list[i].series->times_ms, .values = list[i].series->values};
        check(block_writer_series(w, &list[i].labels, &why), &why);
        check(block_writer_samples(w, &s, &why), &why);
    }
    check(block_writer_finish(w, meta, &why), &why);
    block_writer_free(w);
}

static void read_all(struct block *b, const struct named *list, uint32_t count, bool compare)
{
    struct errmsg why;
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    check(block_querier(b, INT64_MIN, INT64_MAX, &q, &why), &why);
    check(q->ops->select(q, &sel, &arena, NULL, &set, &why), &why);
    if (set->count != count)
        corpus_die("series are missing");
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples s;
        check(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, &why), &why);
        const struct corpus_series *c = list[i].series;
        if (s.count != c->count ||
            (compare && (memcmp(s.values, c->values, s.count * 8ul) || memcmp(s.times_ms, c->times_ms, s.count * 8ul))))
            corpus_die("samples come back different");
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
}

static void print_sections(const struct block *b)
{
    printf("    index:");
    for (int s = 0; s < SECTION_COUNT; s++) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < b->toc.sections[s].stored.count; i++)
            bytes += (uint64_t)b->toc.sections[s].stored.v[i] + PAGE_HEADER_BYTES;
        printf(" %s %" PRIu64 " (%.1f/series)", section_names[s], bytes, (double)bytes / (double)b->toc.meta.series);
    }
    printf(" bytes, %" PRIu32 " columns\n", b->toc.times_count);
}

static void run(const struct named *list, uint32_t count, const char *interval, uint32_t level, int zstd)
{
    char dir[64];
    struct errmsg why;
    struct block_meta m;
    struct block *b;
    snprintf(dir, sizeof dir, "/tmp/bench-block-%ld", (long)getpid());
    double start = bench_seconds();
    write_block(dir, list, count, level, zstd, &m);
    double wrote = bench_seconds() - start, n = (double)m.samples;
    struct page_cache *cache = page_cache_new(1 << 28, NULL);
    check(block_open(fs_posix(), dir, cache, &b, &why), &why);
    read_all(b, list, count, true);
    block_release(b);
    start = bench_seconds();
    check(block_open(fs_posix(), dir, cache, &b, &why), &why);
    read_all(b, list, count, false);
    double cold = bench_seconds() - start;
    start = bench_seconds();
    read_all(b, list, count, false);
    double warm = bench_seconds() - start;
    printf("%s level %u zstd %d: data %.4f + index %.4f = %.4f B/sample, index %.1f B/series; "
           "write %.1f, read cold %.2f warm %.2f ns/sample\n",
           interval, level, zstd, (double)m.data.bytes / n, (double)m.index.bytes / n,
           (double)(m.data.bytes + m.index.bytes) / n, (double)m.index.bytes / (double)m.series, wrote * 1e9 / n,
           cold * 1e9 / n, warm * 1e9 / n);
    print_sections(b);
    block_release(b);
    page_cache_free(cache);
    check(fs_remove_all(fs_posix(), dir, &why), &why);
}

static void run_all(const struct corpus *c, const char *interval)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct named *list = sorted(c, &arena);
    run(list, c->count, interval, 0, 0);
    run(list, c->count, interval, 1, 3);
    run(list, c->count, interval, 2, 9);
    arena_deinit(&arena);
}

enum { REPLICAS = 100, FLEET_SAMPLES = 120 };

/* The corpus' series once per host, with the first samples of each. */
static struct named *fleet(const struct corpus *c, struct arena *arena, uint32_t *count)
{
    struct named *list = ARENA_ARRAY(arena, struct named, (size_t)c->count * REPLICAS);
    for (uint32_t host = 0; host < REPLICAS; host++)
        for (uint32_t i = 0; i < c->count; i++) {
            struct labels_builder b;
            struct labels base = labels_of(arena, c->series[i].labels);
            labels_builder_init(&b, arena, &base);
            labels_builder_set(&b, SLICE_LIT("replica_host"), slice_str(arena_printf(arena, "host-%u", host)));
            struct corpus_series *s = ARENA_NEW(arena, struct corpus_series);
            *s = c->series[i];
            s->count = s->count < FLEET_SAMPLES ? s->count : FLEET_SAMPLES;
            list[(*count)++] = (struct named){labels_builder_finish(&b), s};
        }
    qsort(list, *count, sizeof *list, compare_named);
    return list;
}

static void time_select(struct block *b, const char *what, const struct matcher *m, uint32_t n)
{
    struct errmsg why;
    struct querier *q;
    struct series_set *set;
    struct selector sel = {.matchers = m, .matcher_count = n, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    double best = 1e9;
    for (int r = 0; r < 5; r++) {
        struct arena arena;
        arena_init(&arena, NULL);
        check(block_querier(b, INT64_MIN, INT64_MAX, &q, &why), &why);
        double start = bench_seconds();
        check(q->ops->select(q, &sel, &arena, NULL, &set, &why), &why);
        double took = bench_seconds() - start;
        best = took < best ? took : best;
        if (r == 4)
            printf("    select %-44s %7u series %9.1f us (%.0f ns/series)\n", what, set->count, best * 1e6,
                   best * 1e9 / (set->count ? set->count : 1));
        q->ops->close(q);
        arena_deinit(&arena);
    }
}

static struct matcher matcher(enum match_op op, const char *name, const char *value, struct arena *arena)
{
    struct errmsg why;
    struct matcher m = {.op = op, .name = slice_str(name), .value = slice_str(value)};
    if (op >= MATCH_REGEX)
        check(regex_compile(m.value, arena, 0, &m.regex, &why), &why);
    return m;
}

static void time_last(struct block *b, uint32_t count)
{
    struct errmsg why;
    struct sample_reader r;
    struct samples s;
    sample_reader_init(&r, b, NULL, NULL);
    double start = bench_seconds();
    for (uint32_t i = 0; i < count; i++)
        check(sample_reader_last(&r, i, INT64_MIN, INT64_MAX, &s, &why), &why);
    printf("    last sample of every series: %.0f ns/series\n", (bench_seconds() - start) * 1e9 / count);
    sample_reader_deinit(&r);
}

static void run_fleet(const struct corpus *c)
{
    char dir[64];
    struct errmsg why;
    struct block_meta m;
    struct block *b;
    struct arena arena;
    uint32_t count = 0;
    arena_init(&arena, NULL);
    struct named *list = fleet(c, &arena, &count);
    snprintf(dir, sizeof dir, "/tmp/bench-block-%ld", (long)getpid());
    double start = bench_seconds();
    write_block(dir, list, count, 0, 0, &m);
    double wrote = bench_seconds() - start;
    struct page_cache *cache = page_cache_new(1 << 28, NULL);
    check(block_open(fs_posix(), dir, cache, &b, &why), &why);
    printf("fleet of %d hosts, %u series x %d samples: index %.1f B/series, data %.4f B/sample, write %.2f us/series\n",
           REPLICAS, count, FLEET_SAMPLES, (double)m.index.bytes / count, (double)m.data.bytes / (double)m.samples,
           wrote * 1e6 / count);
    print_sections(b);
    struct slice name = labels_name(&list[count / 2].labels);
    struct matcher by_name = {.op = MATCH_EQUAL, .name = SLICE_LIT(METRIC_NAME), .value = name};
    struct matcher hosts = matcher(MATCH_REGEX, "replica_host", "host-(1|2|3)", &arena);
    struct matcher host = matcher(MATCH_EQUAL, "replica_host", "host-7", &arena);
    struct matcher scan = matcher(MATCH_REGEX, METRIC_NAME, ".*_total", &arena);
    struct matcher not = matcher(MATCH_NOT_EQUAL, "job", "x", &arena);
    time_select(b, "{}", NULL, 0);
    time_select(b, "one metric", &by_name, 1);
    time_select(b, "one metric, host =~ 3", (struct matcher[]){by_name, hosts}, 2);
    time_select(b, "one metric, job != x", (struct matcher[]){by_name, not }, 2);
    time_select(b, "one host", &host, 1);
    time_select(b, "__name__=~\".*_total\"", &scan, 1);
    time_select(b, "__name__=~\".*_total\", one host", (struct matcher[]){scan, host}, 2);
    time_last(b, count);
    block_release(b);
    page_cache_free(cache);
    check(fs_remove_all(fs_posix(), dir, &why), &why);
    arena_deinit(&arena);
}

int main(int argc, char **argv)
{
    struct corpus c = corpus_load(argc, argv), thin = corpus_thin(&c, 15);
    run_all(&c, " 1 s");
    run_all(&thin, "15 s");
    run_fleet(&thin);
    corpus_free(&thin);
    corpus_free(&c);
    return 0;
}
