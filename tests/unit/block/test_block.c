/* Whole blocks against the model: what is written is read, selected, refused. */
#include "block/block.h"

#include <criterion/criterion.h>

#include "lib/block_gen.h"
#include "lib/fs_sim.h"
#include "regex/regex.h"

/* A block over a set, on a disk in memory. */
struct fixture {
    struct fs_sim *sim;
    struct gen_set set;
    struct block_meta meta;
    struct page_cache *cache;
    struct block *block;
    struct querier *querier;
    struct arena arena;
};

static struct block_id id_of(uint64_t seed)
{
    struct random_seeded r;
    random_seeded_init(&r, seed);
    return block_id_new(1700000000000, &r.base);
}

static void open_fixture(struct fixture *f, const struct gen_options *o, int zstd_level, uint32_t chunk_max)
{
    struct errmsg why;
    struct block_writer_options w = {
        .id = id_of(o->seed), .zstd_level = zstd_level, .chunk_samples_max = chunk_max, .seq_min = 3, .seq_max = 9};
    *f = (struct fixture){.sim = fs_sim_new(), .cache = page_cache_new(1 << 20, NULL)};
    arena_init(&f->arena, NULL);
    gen_set_make(&f->set, o);
    gen_set_write(&f->set, fs_sim_fs(f->sim), "b", &w, INT64_MIN, INT64_MAX, &f->meta);
    cr_assert_eq(block_open(fs_sim_fs(f->sim), "b", f->cache, &f->block, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(block_querier(f->block, INT64_MIN, INT64_MAX, &f->querier, &why), ERR_OK);
}

static void close_fixture(struct fixture *f)
{
    f->querier->ops->close(f->querier);
    block_release(f->block);
    page_cache_free(f->cache);
    gen_set_free(&f->set);
    arena_deinit(&f->arena);
    fs_sim_free(f->sim);
}

static struct series_set *select_all(struct fixture *f, const struct matcher *m, uint32_t n, bool sorted)
{
    struct errmsg why;
    struct series_set *set;
    struct selector sel = {
        .matchers = m, .matcher_count = n, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = sorted};
    cr_assert_eq(f->querier->ops->select(f->querier, &sel, &f->arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    return set;
}

static void expect_samples(struct fixture *f, struct series_reader *r, uint32_t i, const struct gen_series *want,
                           int64_t mint, int64_t maxt)
{
    struct samples got, last;
    struct errmsg why;
    cr_assert_eq(r->ops->read(r, i, mint, maxt, &got, &why), ERR_OK, "%s", why.text);
    const char *differ = gen_samples_differ(&want->samples, &got, mint, maxt);
    cr_assert_null(differ, "series %u of %u: %s", i, f->set.count, differ);
    uint32_t n = got.count;
    int64_t newest = n ? got.times_ms[n - 1] : 0;
    cr_assert_eq(r->ops->last(r, i, mint, maxt, &last, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(last.count, n > 0);
    if (n)
        cr_assert_null(gen_samples_differ(&want->samples, &last, newest, newest), "last of series %u", i);
}

static void expect_everything(struct fixture *f)
{
    struct series_set *set = select_all(f, NULL, 0, false);
    cr_assert_eq(set->count, f->set.count);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct gen_series *want = &f->set.series[i];
        cr_assert_eq(labels_cmp(&set->labels[i], &want->labels), 0);
        cr_assert(hash128_eq(set->labels[i].hash, want->labels.hash));
        int64_t first = want->samples.times_ms[0], last = want->samples.times_ms[want->samples.count - 1];
        expect_samples(f, r, i, want, INT64_MIN, INT64_MAX);
        expect_samples(f, r, i, want, first + (last - first) / 3, last - (last - first) / 3);
        expect_samples(f, r, i, want, last + 1, last + 1000);
    }
    r->ops->close(r);
}

Test(block, random_series_sets_come_back_bit_by_bit)
{
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct gen_options o = {.seed = seed,
                                .targets = 1 + (uint32_t)seed % 7,
                                .metrics = 1 + (uint32_t)seed * 5 % 23,
                                .scrapes = seed % 4 ? 40 + (uint32_t)seed * 13 : 2500,
                                .start_ms = 1700000000000,
                                .step_ms = 1000,
                                .histograms = seed % 2,
                                .start_times = seed % 3 == 0};
        struct fixture f;
        open_fixture(&f, &o, seed % 3 ? 0 : 3, seed % 5 ? 0 : 120);
        cr_assert_eq(f.meta.samples, f.set.samples, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(f.meta.series, f.set.count);
        cr_assert_eq(memcmp(&f.meta, block_meta(f.block), offsetof(struct block_meta, index)), 0);
        expect_everything(&f);
        close_fixture(&f);
    }
}

Test(block, series_of_one_scrape_share_their_times)
{
    struct gen_options o = {
        .seed = 3, .targets = 2, .metrics = 30, .scrapes = 3000, .start_ms = 1700000000000, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    struct series_set *set = select_all(&f, NULL, 0, false);
    struct series_reader *r = set->ops->reader(set);
    struct samples a;
    uint64_t ids[200];
    uint32_t distinct = 0;
    cr_assert_leq(set->count, 200);
    for (uint32_t i = 0; i < set->count; i++) {
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &a, NULL), ERR_OK);
        cr_assert_neq(a.times_id, 0);
        cr_assert_eq(a.times_id >> 63, 0, "bit 63 is the head's");
        uint32_t k = 0;
        while (k < distinct && ids[k] != a.times_id)
            k++;
        if (k == distinct)
            ids[distinct++] = a.times_id;
    }
    cr_expect_lt(distinct, set->count / 2, "%u of %u", distinct, set->count); /* a quarter has times of its own */
    r->ops->close(r);
    close_fixture(&f);
}

/* What a reader keeps of the series before must not show in the next one: ranges cut runs of times anywhere. */
Test(block, one_reader_reads_any_series_and_range_after_any_other)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct gen_options o = {.seed = seed,
                                .targets = 1 + (uint32_t)seed % 3,
                                .metrics = 9,
                                .scrapes = 1500,
                                .start_ms = 1700000000000,
                                .step_ms = 1000,
                                .histograms = seed % 2,
                                .start_times = seed % 3 == 0};
        struct fixture f;
        struct random_seeded random;
        open_fixture(&f, &o, 0, seed % 2 ? 40 : 300); /* up to 38 chunks: more runs than are kept */
        random_seeded_init(&random, seed);
        struct series_set *set = select_all(&f, NULL, 0, false);
        struct series_reader *r = set->ops->reader(set);
        int64_t mint = INT64_MIN, maxt = INT64_MAX;
        for (int round = 0; round < 1500; round++) {
            uint64_t x = random_u64(&random.base);
            if (x % 4 == 0) { /* else the same range as before, as a query asks */
                mint = o.start_ms + (int64_t)(x >> 8 & 0xffff) % (o.scrapes * o.step_ms);
                maxt = x % 8 ? INT64_MAX : mint + (int64_t)(x >> 24) % (o.scrapes * o.step_ms);
            }
            uint32_t i = (uint32_t)(x >> 40) % set->count;
            struct samples got;
            struct errmsg why;
            cr_assert_eq(r->ops->read(r, i, mint, maxt, &got, &why), ERR_OK, "%s", why.text);
            const char *differ = gen_samples_differ(&f.set.series[i].samples, &got, mint, maxt);
            cr_assert_null(differ, "seed %llu round %d: %s", (unsigned long long)seed, round, differ);
            if (x % 64 == 1)
                expect_samples(&f, r, i, &f.set.series[i], mint, maxt); /* the newest sample between two reads */
        }
        r->ops->close(r);
        close_fixture(&f);
    }
}

static struct matcher matcher_of(enum match_op op, const char *name, const char *value, struct arena *arena)
{
    struct matcher m = {.op = op, .name = slice_str(name), .value = slice_str(value)};
    if (op == MATCH_REGEX || op == MATCH_NOT_REGEX)
        cr_assert_eq(regex_compile(m.value, arena, 0, &m.regex, NULL), ERR_OK);
    return m;
}

Test(block, selection_agrees_with_matching_every_series)
{
    struct gen_options o = {.seed = 11, .targets = 9, .metrics = 40, .scrapes = 3, .start_ms = 1000, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    const char *names[] = {"__name__", "job", "instance", "mode", "pod", "Zone", "nowhere"};
    const char *values[] = {"", "job-1", "mode-2", "metric_7_total", "host-5:9100", "z1", "no such value"};
    const char *regexes[] = {"",        ".*",         ".+",   "job-.*",          "job-(1|2)", "metric_1.*",
                             "mode-2|", "pod-.*-3-.", ".*-1", "host-(2|5):9100", "z1|z0",     "[^0-9]+"};
    uint64_t rng = 77;
    for (int round = 0; round < 1500; round++) {
        struct matcher m[3];
        uint32_t n = 1 + (uint32_t)round % 3;
        for (uint32_t i = 0; i < n; i++) {
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            enum match_op op = (enum match_op)(rng >> 33 & 3);
            bool regex = op == MATCH_REGEX || op == MATCH_NOT_REGEX;
            const char *value = regex ? regexes[(rng >> 40) % 12] : values[(rng >> 40) % 7];
            m[i] = matcher_of(op, names[(rng >> 50) % 7], value, &f.arena);
        }
        struct series_set *set = select_all(&f, m, n, round % 2);
        uint32_t k = 0;
        for (uint32_t i = 0; i < f.set.count; i++) {
            if (!matchers_match(m, n, &f.set.series[i].labels))
                continue;
            cr_assert_lt(k, set->count, "round %d", round);
            if (round % 2 == 0)
                cr_assert_eq(labels_cmp(&set->labels[k], &f.set.series[i].labels), 0, "round %d", round);
            k++;
        }
        cr_assert_eq(k, set->count, "round %d: %u of %u", round, set->count, k);
        for (uint32_t i = 1; round % 2 && i < set->count; i++)
            cr_assert_lt(labels_cmp(&set->labels[i - 1], &set->labels[i]), 0);
    }
    close_fixture(&f);
}

Test(block, selection_leaves_out_series_without_samples_in_the_range)
{
    struct gen_options o = {.seed = 5, .targets = 4, .metrics = 12, .scrapes = 400, .start_ms = 0, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 120);
    struct series_set *set;
    struct errmsg why;
    struct selector sel = {.mint_ms = 0, .maxt_ms = 30000};
    cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    uint32_t have = 0;
    for (uint32_t i = 0; i < f.set.count; i++)
        have += f.set.series[i].samples.times_ms[0] <= 30000;
    cr_expect_geq(set->count, have);
    cr_expect_lt(set->count, f.set.count);
    sel = (struct selector){.mint_ms = 500000, .maxt_ms = 600000};
    cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, NULL, &set, &why), ERR_OK);
    cr_expect_eq(set->count, 0);
    close_fixture(&f);
}

Test(block, a_selection_past_its_limit_names_the_selector)
{
    struct gen_options o = {.seed = 6, .targets = 4, .metrics = 12, .scrapes = 4, .start_ms = 0, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    struct series_set *set;
    struct errmsg why;
    struct matcher m = matcher_of(MATCH_REGEX, "job", "job-.*", &f.arena);
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = 0, .maxt_ms = 30000, .series_max = 10};
    cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, NULL, &set, &why), ERR_LIMIT);
    cr_expect_str_eq(why.text, "selector {job=~\"job-.*\"} matches 96 series, more than the limit of 10");
    struct mem_budget budget = {.name = "query", .limit = 5000};
    struct arena small;
    arena_init(&small, &budget);
    sel.series_max = 0;
    cr_assert_eq(f.querier->ops->select(f.querier, &sel, &small, NULL, &set, &why), ERR_LIMIT);
    arena_deinit(&small);
    struct cancel cancel = {0};
    cancel_set(&cancel, ERR_CANCELED);
    cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, &cancel, &set, &why), ERR_CANCELED);
    close_fixture(&f);
}

Test(block, a_selection_with_a_hint_gives_so_many_and_labels_of_so_many)
{
    struct gen_options o = {.seed = 6, .targets = 4, .metrics = 12, .scrapes = 40, .start_ms = 0, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    struct series_set *set;
    struct matcher m = matcher_of(MATCH_REGEX, "job", "job-.*", &f.arena);
    for (int range = 0; range < 2; range++) { /* all of the block, and a part of its time */
        struct selector sel = {.matchers = &m,
                               .matcher_count = 1,
                               .mint_ms = range * 10000,
                               .maxt_ms = 60000 - range * 30000,
                               .sorted = true,
                               .series_limit = 7};
        cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, NULL, &set, NULL), ERR_OK);
        cr_expect_eq(set->count, 7);
        sel.series_limit = 1000;
        cr_assert_eq(f.querier->ops->select(f.querier, &sel, &f.arena, NULL, &set, NULL), ERR_OK);
        cr_expect_eq(set->count, 96);
    }
    close_fixture(&f);
}

struct listing {
    struct buf text;
};

static bool list(void *ctx, struct slice name)
{
    struct listing *l = (struct listing *)ctx;
    buf_slice(&l->text, name);
    buf_u8(&l->text, ' ');
    return true;
}

static void expect_listing(struct listing *l, const char *want)
{
    cr_expect_str_eq(buf_cstr(&l->text), want);
    buf_reset(&l->text);
}

Test(block, label_names_and_values_are_sorted_and_limited)
{
    struct gen_options o = {.seed = 8, .targets = 4, .metrics = 3, .scrapes = 4, .start_ms = 0, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    struct listing l = {{0}};
    struct selector all = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX}, some = all;
    struct matcher m[] = {matcher_of(MATCH_EQUAL, "mode", "", &f.arena),
                          matcher_of(MATCH_EQUAL, "instance", "", &f.arena)};
    some.matchers = m;
    some.matcher_count = 2;
    const struct querier_ops *ops = f.querier->ops;
    cr_assert_eq(ops->label_names(f.querier, &all, 0, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "Zone __name__ instance job mode pod ");
    cr_assert_eq(ops->label_names(f.querier, &all, 3, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "Zone __name__ instance ");
    cr_assert_eq(ops->label_names(f.querier, &some, 0, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "__name__ job pod ");
    cr_assert_eq(ops->label_names(f.querier, &some, 2, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "__name__ job ");
    some.matchers = &(struct matcher){MATCH_NOT_EQUAL, SLICE_LIT("pod"), SLICE_LIT("nothing"), NULL};
    some.matcher_count = 1;
    cr_assert_eq(ops->label_values(f.querier, SLICE_LIT("instance"), &some, 1, NULL, list, &l, NULL), ERR_OK);
    cr_expect_eq(l.text.len, strlen("host-0:9100 "), "one of them: %s", buf_cstr(&l.text));
    buf_reset(&l.text);
    some.matchers = m;
    some.matcher_count = 2;
    cr_assert_eq(ops->label_values(f.querier, SLICE_LIT("job"), &all, 0, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "job-0 job-1 job-2 ");
    cr_assert_eq(ops->label_values(f.querier, SLICE_LIT("job"), &some, 0, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "job-0 ");
    cr_assert_eq(ops->label_values(f.querier, SLICE_LIT("instance"), &all, 2, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "host-0:9100 host-1:9100 ");
    cr_assert_eq(ops->label_values(f.querier, SLICE_LIT("nowhere"), &all, 0, NULL, list, &l, NULL), ERR_OK);
    expect_listing(&l, "");
    buf_deinit(&l.text);
    close_fixture(&f);
}

Test(block, many_values_spread_over_dictionary_pages_are_found)
{
    struct gen_options o = {.seed = 21, .targets = 120, .metrics = 25, .scrapes = 2, .start_ms = 0, .step_ms = 1000};
    struct fixture f;
    open_fixture(&f, &o, 0, 0);
    for (uint32_t i = 0; i < f.set.count; i += 37) {
        struct slice pod = labels_get(&f.set.series[i].labels, SLICE_LIT("pod"));
        struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("pod"), .value = pod};
        struct series_set *set = select_all(&f, &m, 1, false);
        cr_assert_eq(set->count, 1, "%.*s", SLICE_ARG(pod));
        cr_assert_eq(labels_cmp(&set->labels[0], &f.set.series[i].labels), 0);
    }
    close_fixture(&f);
}

Test(block_writer, refuses_what_is_out_of_order)
{
    struct fs_sim *sim = fs_sim_new();
    struct errmsg why;
    struct block_writer *w;
    struct block_meta meta;
    struct block_writer_options o = {.id = id_of(1)};
    struct gen_set set;
    gen_set_make(&set, &(struct gen_options){.seed = 1, .targets = 1, .metrics = 2, .scrapes = 5, .step_ms = 10});
    cr_assert_eq(block_writer_new(fs_sim_fs(sim), "x", &o, &w, &why), ERR_OK);
    cr_assert_eq(block_writer_series(w, &set.series[1].labels, &why), ERR_OK);
    int64_t times[] = {5, 5}, later[] = {6, 7};
    double values[] = {1, 2};
    struct samples s = {.count = 2, .times_ms = times, .values = values},
                   t = {.count = 2, .times_ms = later, .values = values};
    cr_expect_eq(block_writer_samples(w, &s, &why), ERR_INVALID, "equal times");
    cr_expect_eq(block_writer_samples(w, &t, &why), ERR_OK);
    cr_expect_eq(block_writer_samples(w, &t, &why), ERR_INVALID, "the same times again");
    cr_expect_eq(block_writer_series(w, &set.series[0].labels, &why), ERR_INVALID, "series out of order");
    block_writer_free(w);
    cr_assert_eq(block_writer_new(fs_sim_fs(sim), "y", &o, &w, &why), ERR_OK);
    cr_assert_eq(block_writer_series(w, &set.series[0].labels, &why), ERR_OK);
    cr_expect_eq(block_writer_finish(w, &meta, &why), ERR_NOT_FOUND, "no samples at all");
    block_writer_free(w);
    cr_expect_eq(block_writer_new(fs_sim_fs(sim), "y", &o, &w, &why), ERR_EXISTS);
    gen_set_free(&set);
    fs_sim_free(sim);
}

Test(block_writer, survives_every_failing_file_operation)
{
    struct gen_set set;
    gen_set_make(&set, &(struct gen_options){.seed = 4, .targets = 2, .metrics = 9, .scrapes = 300, .step_ms = 10});
    for (uint64_t n = 1;; n++) {
        struct fs_sim *sim = fs_sim_new();
        struct errmsg why;
        struct block_writer *w = NULL;
        struct block_meta meta;
        struct block_writer_options o = {.id = id_of(1)};
        fs_sim_fail(sim, n, false, FS_SIM_ANY, n % 2 ? ERR_IO : ERR_NO_SPACE);
        enum err err = block_writer_new(fs_sim_fs(sim), "x", &o, &w, &why);
        for (uint32_t i = 0; err == ERR_OK && i < set.count; i++) {
            err = block_writer_series(w, &set.series[i].labels, &why);
            if (err == ERR_OK)
                err = block_writer_samples(w, &set.series[i].samples, &why);
        }
        if (err == ERR_OK)
            err = block_writer_finish(w, &meta, &why);
        if (w)
            block_writer_free(w);
        bool failed = fs_sim_failures(sim) > 0;
        cr_assert_eq(err,
                     !failed ? ERR_OK
                     : n % 2 ? ERR_IO
                             : ERR_NO_SPACE,
                     "operation %llu: %s", (unsigned long long)n, why.text);
        fs_sim_free(sim);
        if (!failed)
            break;
    }
    gen_set_free(&set);
}

Test(block_writer, leaves_out_histograms_that_contradict_themselves)
{
    struct fs_sim *sim = fs_sim_new();
    struct errmsg why;
    struct block_writer *w;
    struct block_meta meta;
    struct block_writer_options o = {.id = id_of(1)};
    struct gen_set set;
    gen_set_make(&set, &(struct gen_options){.seed = 1, .targets = 1, .metrics = 1, .scrapes = 5, .step_ms = 10});
    const double counts[] = {1, 2};
    struct histogram good = {.count = 3}, bad = {.count = 3, .positive = counts, .positive_count = 2};
    const struct histogram *hists[] = {&good, &bad, &good, NULL};
    struct samples s = {
        .count = 4, .times_ms = (int64_t[]){1, 2, 3, 4}, .values = (double[]){0, 0, 0, 7}, .hists = hists};
    cr_assert_eq(block_writer_new(fs_sim_fs(sim), "x", &o, &w, &why), ERR_OK);
    cr_assert_eq(block_writer_series(w, &set.series[0].labels, &why), ERR_OK);
    cr_assert_eq(block_writer_samples(w, &s, &why), ERR_OK);
    cr_assert_eq(block_writer_finish(w, &meta, &why), ERR_OK);
    cr_expect_eq(meta.samples, 3);
    cr_expect_eq(meta.histogram_samples, 2);
    cr_expect_eq(block_writer_left_out(w), 1);
    block_writer_free(w);
    gen_set_free(&set);
    fs_sim_free(sim);
}
