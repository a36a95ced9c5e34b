/* Damaged blocks: never a crash, never a wrong value, the message names file and offset. */
#include "block/block.h"

#include <criterion/criterion.h>

#include "lib/block_gen.h"
#include "lib/chunk_gen.h"
#include "lib/fs_sim.h"

struct fixture {
    struct fs_sim *sim;
    struct gen_set set;
    struct block_meta meta;
};

static void init_fixture(struct fixture *f, uint64_t seed, uint32_t metrics)
{
    struct random_seeded r;
    random_seeded_init(&r, seed);
    struct block_writer_options o = {.id = block_id_new(1700000000000, &r.base), .zstd_level = seed % 2 ? 3 : 0};
    f->sim = fs_sim_new();
    gen_set_make(&f->set, &(struct gen_options){.seed = seed,
                                                .targets = 3,
                                                .metrics = metrics,
                                                .scrapes = 60,
                                                .step_ms = 1000,
                                                .histograms = true,
                                                .start_times = true});
    gen_set_write(&f->set, fs_sim_fs(f->sim), "b", &o, INT64_MIN, INT64_MAX, &f->meta);
}

static void deinit_fixture(struct fixture *f)
{
    gen_set_free(&f->set);
    fs_sim_free(f->sim);
}

/* Every sample that came is one that was written. */
static void expect_subset(const struct samples *want, const struct samples *got)
{
    for (uint32_t i = 0; i < got->count; i++) {
        struct samples one = {.count = 1,
                              .times_ms = got->times_ms + i,
                              .values = got->values + i,
                              .hists = got->hists ? got->hists + i : NULL,
                              .start_times_ms = got->start_times_ms ? got->start_times_ms + i : NULL};
        cr_assert_null(gen_samples_differ(want, &one, got->times_ms[i], got->times_ms[i]));
    }
}

/* The series of the set with these labels. */
static const struct gen_series *series_of(const struct fixture *f, const struct labels *labels)
{
    for (uint32_t i = 0; i < f->set.count; i++)
        if (labels_cmp(&f->set.series[i].labels, labels) == 0)
            return &f->set.series[i];
    cr_assert_fail("a series that was never written");
    return NULL;
}

/* Reads everything; whatever comes back must be what was written.  Returns how many samples came. */
static uint64_t read_all(struct fixture *f, struct block *b)
{
    struct querier *q;
    struct series_set *s;
    struct errmsg why;
    struct arena arena;
    struct warnings warnings = {0};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
    uint64_t samples = 0;
    arena_init(&arena, NULL);
    cr_assert_eq(block_querier(b, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &s, &why), ERR_OK, "%s", why.text);
    struct series_reader *r = s->ops->reader(s);
    for (uint32_t i = 0; i < s->count; i++) {
        struct samples got;
        const struct gen_series *want = series_of(f, &s->labels[i]);
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &got, &why), ERR_OK, "%s", why.text);
        samples += got.count;
        expect_subset(&want->samples, &got);
    }
    r->ops->close(r);
    cr_assert(samples == f->set.samples || (warnings.count > 0 && strstr(warnings.list[0], "offset")),
              "missing samples are named");
    q->ops->close(q);
    arena_deinit(&arena);
    return samples;
}

/* Selections give only series that match, and all of them unless there is a warning. */
static void check_selections(struct fixture *f, struct block *b)
{
    const struct matcher m[] = {
        {.op = MATCH_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("job-1")},
        {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("job-1")},
        {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("mode"), .value = SLICE_LIT("")},
        {.op = MATCH_EQUAL, .name = SLICE_LIT("mode"), .value = SLICE_LIT("")},
        {.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("metric_2_total")},
    };
    for (uint32_t i = 0; i < sizeof m / sizeof *m; i++) {
        struct querier *q;
        struct series_set *s;
        struct errmsg why;
        struct arena arena;
        struct warnings warnings = {0};
        struct selector sel = {
            .matchers = &m[i], .matcher_count = 1, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
        uint32_t expected = 0;
        for (uint32_t k = 0; k < f->set.count; k++)
            expected += matchers_match(&m[i], 1, &f->set.series[k].labels);
        arena_init(&arena, NULL);
        cr_assert_eq(block_querier(b, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
        cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &s, &why), ERR_OK, "%s", why.text);
        for (uint32_t k = 0; k < s->count; k++)
            cr_assert(matchers_match(&m[i], 1, &series_of(f, &s->labels[k])->labels));
        cr_assert(s->count == expected || (s->count < expected && warnings.count > 0));
        q->ops->close(q);
        arena_deinit(&arena);
    }
}

static uint64_t verify(struct fixture *f, struct buf *report)
{
    struct block_verify_result result;
    buf_reset(report);
    cr_assert_eq(block_verify(fs_sim_fs(f->sim), "b", NULL, &result, report, NULL), ERR_OK);
    return result.errors;
}

Test(block_damage, verification_of_a_good_block_finds_nothing)
{
    struct fixture f;
    struct buf report = {0};
    init_fixture(&f, 3, 40);
    cr_expect_eq(verify(&f, &report), 0, "%s", buf_cstr(&report));
    buf_deinit(&report);
    deinit_fixture(&f);
}

Test(block_damage, every_flipped_bit_is_found_or_harmless)
{
    struct buf report = {0};
    const char *files[] = {"b/index", "b/data", "b/meta.json"};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct fixture f;
        init_fixture(&f, seed, 6);
        for (int file = 0; file < 3; file++) {
            uint64_t bits = fs_sim_bytes(f.sim, files[file]).len * 8;
            for (uint64_t bit = seed; bit < bits; bit += file == 2 ? 7 : 61) {
                struct page_cache *cache = page_cache_new(1 << 20, NULL);
                struct block *b;
                struct errmsg why;
                fs_sim_flip(f.sim, files[file], bit);
                enum err err = block_open(fs_sim_fs(f.sim), "b", cache, &b, &why);
                cr_assert(err == ERR_OK || err == ERR_CORRUPT || err == ERR_UNSUPPORTED, "bit %llu",
                          (unsigned long long)bit);
                if (err == ERR_OK) {
                    read_all(&f, b);
                    if (file == 0)
                        check_selections(&f, b);
                    block_release(b);
                } else {
                    cr_assert(strstr(why.text, file ? "data" : "index"), "%s", why.text);
                }
                page_cache_free(cache);
                if (bit % 5 == 0)
                    cr_assert_gt(verify(&f, &report), 0, "%s bit %llu", files[file], (unsigned long long)bit);
                fs_sim_flip(f.sim, files[file], bit);
            }
        }
        cr_assert_eq(verify(&f, &report), 0, "all bits are back: %s", buf_cstr(&report));
        deinit_fixture(&f);
    }
    buf_deinit(&report);
}

Test(block_damage, what_is_left_of_a_file_that_was_cut_off_is_read)
{
    struct fixture f;
    struct buf copy = {0}, report = {0};
    const char *files[] = {"b/index", "b/data"};
    init_fixture(&f, 5, 6);
    for (int file = 0; file < 2; file++) {
        uint64_t last = 0;
        buf_reset(&copy);
        buf_slice(&copy, fs_sim_bytes(f.sim, files[file]));
        for (size_t len = 0; len < copy.len; len += 1 + copy.len / 300) {
            struct page_cache *cache = page_cache_new(1 << 20, NULL);
            struct block *b;
            struct errmsg why;
            fs_sim_put(f.sim, files[file], slice_of(copy.data, len));
            enum err err = block_open(fs_sim_fs(f.sim), "b", cache, &b, &why);
            if (err == ERR_OK) {
                last = read_all(&f, b);
                block_release(b);
            }
            cr_assert(err == ERR_OK || (err == ERR_CORRUPT && file == 0 && strstr(why.text, "index")), "%s", why.text);
            cr_assert_gt(verify(&f, &report), 0);
            page_cache_free(cache);
        }
        cr_assert_gt(last, 0, "hardly anything of %s is missing", files[file]);
        fs_sim_put(f.sim, files[file], buf_view(&copy));
    }
    cr_assert_eq(verify(&f, &report), 0);
    buf_deinit(&copy);
    buf_deinit(&report);
    deinit_fixture(&f);
}

Test(block_damage, files_of_another_block_are_refused)
{
    struct fixture a, b;
    struct buf report = {0};
    struct page_cache *cache = page_cache_new(1 << 20, NULL);
    struct block *block;
    struct errmsg why;
    init_fixture(&a, 7, 6);
    init_fixture(&b, 9, 6);
    fs_sim_put(a.sim, "b/data", fs_sim_bytes(b.sim, "b/data"));
    cr_expect_eq(block_open(fs_sim_fs(a.sim), "b", cache, &block, &why), ERR_CORRUPT);
    cr_expect(strstr(why.text, "data: belongs to another block"), "%s", why.text);
    cr_expect_gt(verify(&a, &report), 0);
    page_cache_free(cache);
    buf_deinit(&report);
    deinit_fixture(&a);
    deinit_fixture(&b);
}

/* Opens and reads with the n-th call failing; returns whether anything failed.  Never a crash or a wrong value. */
static bool read_with_failure(struct fixture *f, uint64_t n, bool memory)
{
    struct page_cache *cache = page_cache_new(1 << 20, NULL);
    struct block *b;
    struct errmsg why;
    if (memory)
        mem_fail_after(n, false);
    else
        fs_sim_fail(f->sim, n, false, FS_SIM_ANY, ERR_IO);
    enum err err = block_open(fs_sim_fs(f->sim), "b", cache, &b, &why);
    if (err == ERR_OK) {
        struct querier *q;
        struct series_set *s;
        struct arena arena;
        struct warnings warnings = {0};
        struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
        arena_init(&arena, NULL);
        cr_assert_eq(block_querier(b, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
        err = q->ops->select(q, &sel, &arena, NULL, &s, &why);
        struct series_reader *r = err == ERR_OK ? s->ops->reader(s) : NULL;
        for (uint32_t i = 0; err == ERR_OK && i < s->count; i++) {
            struct samples got;
            err = r->ops->read(r, i, INT64_MIN, INT64_MAX, &got, &why);
            if (err == ERR_OK)
                expect_subset(&series_of(f, &s->labels[i])->samples, &got);
        }
        if (r)
            r->ops->close(r);
        q->ops->close(q);
        arena_deinit(&arena);
        block_release(b);
    }
    uint64_t calls = memory ? mem_fail_after(0, false) : 0;
    bool failed = memory ? calls >= n : fs_sim_failures(f->sim) > 0;
    cr_assert(err == ERR_OK || err == ERR_IO || err == ERR_LIMIT || err == ERR_NO_MEMORY || err == ERR_CORRUPT, "%s",
              why.text);
    cr_assert(failed || err == ERR_OK, "%s", why.text);
    fs_sim_fail(f->sim, 0, false, FS_SIM_ANY, ERR_OK);
    page_cache_free(cache);
    return failed;
}

Test(block_damage, every_failing_read_and_allocation_is_survived)
{
    struct fixture f;
    init_fixture(&f, 5, 12);
    uint64_t n = 1;
    while (read_with_failure(&f, n, false))
        n++;
    cr_expect_gt(n, 8);
    n = 1;
    while (read_with_failure(&f, n, true))
        n++;
    cr_expect_gt(n, 20);
    deinit_fixture(&f);
}

static enum err collect(void *ctx, struct slice text)
{
    buf_slice((struct buf *)ctx, text);
    return ERR_OK;
}

Test(block_dump, prints_sections_series_chunks_and_samples)
{
    struct fixture f;
    struct page_cache *cache = page_cache_new(1 << 20, NULL);
    struct block *b;
    struct errmsg why;
    struct buf text = {0};
    init_fixture(&f, 4, 6);
    cr_assert_eq(block_open(fs_sim_fs(f.sim), "b", cache, &b, &why), ERR_OK);
    cr_assert_eq(block_dump(b, BLOCK_DUMP_SERIES | BLOCK_DUMP_CHUNKS | BLOCK_DUMP_SAMPLES, collect, &text, &why),
                 ERR_OK);
    const char *t = buf_cstr(&text);
    cr_expect(strstr(t, "section postings: "));
    cr_expect(strstr(t, "label job: 3 values"));
    cr_expect(strstr(t, "series 0 metric_0_total{instance=\"host-0:9100\", job=\"job-0\""), "%.2000s", t);
    cr_expect(strstr(t, "histogram schema="));
    block_release(b);
    page_cache_free(cache);
    buf_deinit(&text);
    deinit_fixture(&f);
}
