/*
 * bench_block.c - size of a block and speed of writing and reading it: bench_block [CORPUS]
 *
 * Writes the corpus (at its own interval and at 15 times it) as a level-0 block (plain pages) and as a
 * compacted one (zstd), and prints bytes per sample of data and index, CPU nanoseconds per sample of
 * writing, and of reading everything back through the querier (every value is compared).
 */
#include <inttypes.h>
#include <unistd.h>

#include "block/block.h"
#include "block/block_internal.h"
#include "corpus.h"

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
        struct samples s = {.count = list[i].series->count, .times_ms = list[i].series->times_ms,
                            .values = list[i].series->values};
        check(block_writer_series(w, &list[i].labels, &why), &why);
        check(block_writer_samples(w, &s, &why), &why);
    }
    check(block_writer_finish(w, meta, &why), &why);
    block_writer_free(w);
}

static uint64_t read_all(struct block *b, const struct named *list, uint32_t count)
{
    struct errmsg why;
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    uint64_t samples = 0;
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
        if (s.count != c->count || memcmp(s.values, c->values, s.count * 8ul) || memcmp(s.times_ms, c->times_ms, s.count * 8ul))
            corpus_die("samples come back different");
        samples += s.count;
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    return samples;
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
    start = bench_seconds();
    read_all(b, list, count);
    double cold = bench_seconds() - start;
    start = bench_seconds();
    read_all(b, list, count);
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

int main(int argc, char **argv)
{
    struct corpus c = corpus_load(argc, argv), thin = corpus_thin(&c, 15);
    run_all(&c, " 1 s");
    run_all(&thin, "15 s");
    corpus_free(&thin);
    corpus_free(&c);
    return 0;
}
