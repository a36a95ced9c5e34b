/* Merging blocks: the same samples as the model, chunks joined, the newest write wins. */
#include "block/block.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/block_gen.h"
#include "lib/fs_sim.h"

enum { BLOCKS_MAX = 6 };

struct fixture {
    struct fs_sim *sim;
    struct page_cache *cache;
    struct block *inputs[BLOCKS_MAX];
    uint32_t count;
    struct block *merged;
    struct warnings warnings;
};

static struct block_id id_of(uint64_t seed)
{
    struct random_seeded r;
    random_seeded_init(&r, seed);
    return block_id_new(1700000000000, &r.base);
}

static void init_fixture(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->sim = fs_sim_new();
    f->cache = page_cache_new(1 << 22, NULL);
}

static void add_input(struct fixture *f, const struct gen_set *set, int64_t mint, int64_t maxt, uint64_t seq)
{
    char dir[16];
    struct errmsg why;
    struct block_meta meta;
    snprintf(dir, sizeof dir, "in%u", f->count);
    struct block_writer_options o = {.id = id_of(100 + f->count), .seq_min = seq, .seq_max = seq};
    gen_set_write(set, fs_sim_fs(f->sim), dir, &o, mint, maxt, &meta);
    cr_assert_eq(block_open(fs_sim_fs(f->sim), dir, f->cache, &f->inputs[f->count++], &why), ERR_OK, "%s", why.text);
}

static struct block_meta merge(struct fixture *f, int64_t mint, int64_t maxt)
{
    struct errmsg why;
    struct block_id sources[BLOCK_SOURCES_MAX];
    struct block_writer_options o = {.id = id_of(7), .zstd_level = 3};
    struct block_writer *w;
    struct block_meta meta;
    struct block_merge_options m = {.mint_ms = mint, .maxt_ms = maxt, .warnings = &f->warnings};
    block_merge_inherit(f->inputs, f->count, sources, &o);
    cr_assert_eq(block_writer_new(fs_sim_fs(f->sim), "out", &o, &w, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(block_merge(f->inputs, f->count, &m, w, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(block_writer_finish(w, &meta, &why), ERR_OK, "%s", why.text);
    block_writer_free(w);
    cr_assert_eq(block_open(fs_sim_fs(f->sim), "out", f->cache, &f->merged, &why), ERR_OK, "%s", why.text);
    return meta;
}

static void deinit_fixture(struct fixture *f)
{
    struct block_verify_result result;
    struct buf report = {0};
    if (f->merged)
        cr_assert_eq(block_verify(fs_sim_fs(f->sim), "out", NULL, &result, &report, NULL), ERR_OK);
    cr_assert_eq(report.len, 0, "%s", buf_cstr(&report));
    for (uint32_t i = 0; i < f->count; i++)
        block_release(f->inputs[i]);
    block_release(f->merged);
    page_cache_free(f->cache);
    fs_sim_free(f->sim);
    buf_deinit(&report);
}

/* The merged block holds exactly the samples of the set in [mint, maxt]. */
static void expect_set(struct fixture *f, const struct gen_set *set, int64_t mint, int64_t maxt)
{
    struct querier *q;
    struct series_set *s;
    struct errmsg why;
    struct arena arena;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    cr_assert_eq(block_querier(f->merged, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &s, &why), ERR_OK, "%s", why.text);
    struct series_reader *r = s->ops->reader(s);
    uint32_t k = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples got, none = {0};
        const struct gen_series *want = &set->series[i];
        if (!gen_samples_differ(&want->samples, &none, mint, maxt))
            continue; /* nothing of it is in the range */
        cr_assert_lt(k, s->count);
        cr_assert_eq(labels_cmp(&s->labels[k], &want->labels), 0);
        cr_assert_eq(r->ops->read(r, k++, INT64_MIN, INT64_MAX, &got, &why), ERR_OK, "%s", why.text);
        const char *differ = gen_samples_differ(&want->samples, &got, mint, maxt);
        cr_assert_null(differ, "series %u: %s", i, differ);
    }
    cr_assert_eq(k, s->count);
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
}

Test(block_merge, blocks_that_follow_each_other_become_one)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct gen_set set;
        struct fixture f;
        struct gen_options o = {.seed = seed,
                                .targets = 3,
                                .metrics = 12,
                                .scrapes = 2900,
                                .step_ms = 1000,
                                .histograms = seed % 2,
                                .start_times = seed % 3 == 0};
        gen_set_make(&set, &o);
        init_fixture(&f);
        for (int64_t i = 0; i < BLOCKS_MAX; i++)
            add_input(&f, &set, i * 490000, i * 490000 + 489999, (uint64_t)i);
        struct block_meta meta = merge(&f, INT64_MIN, INT64_MAX);
        cr_expect_eq(meta.level, 1);
        cr_expect_eq(meta.samples, set.samples);
        cr_expect_eq(meta.seq_min, 0);
        cr_expect_eq(meta.seq_max, BLOCKS_MAX - 1);
        cr_expect_eq(meta.source_count, BLOCKS_MAX);
        if (!o.histograms) /* a change between floats and histograms ends chunks */
            cr_expect_lt(meta.chunks, BLOCKS_MAX * (uint64_t)set.count * 3 / 4, "short chunks are joined");
        expect_set(&f, &set, INT64_MIN, INT64_MAX);
        deinit_fixture(&f);
        gen_set_free(&set);
    }
}

Test(block_merge, samples_outside_the_range_are_left_out)
{
    struct gen_set set;
    struct fixture f;
    gen_set_make(&set, &(struct gen_options){
                           .seed = 9, .targets = 2, .metrics = 9, .scrapes = 900, .step_ms = 1000, .histograms = true});
    init_fixture(&f);
    add_input(&f, &set, 0, 450000, 1);
    add_input(&f, &set, 450001, 900000, 2);
    struct block_meta meta = merge(&f, 100500, 700500);
    cr_expect_geq(meta.mint_ms, 100500);
    cr_expect_leq(meta.maxt_ms, 700500);
    expect_set(&f, &set, 100500, 700500);
    deinit_fixture(&f);
    gen_set_free(&set);
}

Test(block_merge, where_blocks_overlap_the_higher_sequence_wins)
{
    struct gen_set old, new, mixed;
    struct fixture f;
    struct gen_options o = {.seed = 31, .targets = 2, .metrics = 10, .scrapes = 600, .step_ms = 1000};
    gen_set_make(&old, &o);
    gen_set_make(&new, &o);   /* the same series and times, other values */
    gen_set_make(&mixed, &o); /* what must come out */
    for (uint32_t i = 0; i < new.count; i++)
        for (uint32_t k = 0; k < new.series[i].samples.count; k++) {
            double v = (double)(i * 1000 + k);
            memcpy((char *)(uintptr_t) & new.series[i].samples.values[k], &v, sizeof v);
            int64_t t = new.series[i].samples.times_ms[k];
            if (t >= 200000 && t <= 400000)
                memcpy((char *)(uintptr_t)&mixed.series[i].samples.values[k], &v, sizeof v);
        }
    init_fixture(&f);
    add_input(&f, &new, 200000, 400000, 9);
    add_input(&f, &old, INT64_MIN, INT64_MAX, 5);
    struct block_meta meta = merge(&f, INT64_MIN, INT64_MAX);
    cr_expect_eq(meta.samples, old.samples);
    expect_set(&f, &mixed, INT64_MIN, INT64_MAX);
    deinit_fixture(&f);
    gen_set_free(&old);
    gen_set_free(&new);
    gen_set_free(&mixed);
}

Test(block_merge, a_damaged_page_costs_its_chunks_and_is_named)
{
    struct gen_set set;
    struct fixture f;
    gen_set_make(&set, &(struct gen_options){.seed = 12, .targets = 4, .metrics = 20, .scrapes = 900, .step_ms = 1000});
    init_fixture(&f);
    add_input(&f, &set, INT64_MIN, INT64_MAX, 1);
    fs_sim_flip(f.sim, "in0/data", 8 * 500);
    struct block_meta meta = merge(&f, INT64_MIN, INT64_MAX);
    cr_expect_lt(meta.samples, set.samples);
    cr_expect_gt(meta.samples, set.samples / 4);
    cr_expect_gt(atomic_load(&block_stats(f.inputs[0])->corrupt_chunks), 0);
    cr_assert_geq(f.warnings.count, 1);
    cr_expect(strstr(f.warnings.list[0], "in0") && strstr(f.warnings.list[0], "data: offset 64"), "%s",
              f.warnings.list[0]);
    deinit_fixture(&f);
    gen_set_free(&set);
}

Test(block_merge, stops_when_it_is_canceled)
{
    struct gen_set set;
    struct fixture f;
    struct errmsg why;
    struct block_writer *w;
    struct cancel cancel = {0};
    gen_set_make(&set, &(struct gen_options){.seed = 2, .targets = 1, .metrics = 2, .scrapes = 9, .step_ms = 1000});
    init_fixture(&f);
    add_input(&f, &set, INT64_MIN, INT64_MAX, 1);
    cancel_set(&cancel, ERR_CANCELED);
    struct block_writer_options o = {.id = id_of(7)};
    struct block_merge_options m = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .cancel = &cancel};
    cr_assert_eq(block_writer_new(fs_sim_fs(f.sim), "out", &o, &w, &why), ERR_OK);
    cr_expect_eq(block_merge(f.inputs, 1, &m, w, &why), ERR_CANCELED);
    block_writer_free(w);
    deinit_fixture(&f);
    gen_set_free(&set);
}
