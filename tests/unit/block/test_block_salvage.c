/*
 * Exactly what is broken is lost: one bit in each page of each section, and in what stands around them.  Everything
 * else answers as before, and block_damage_find tells whom the damage concerns.
 */
#include <criterion/criterion.h>

#include "block/block_internal.h"
#include "lib/block_gen.h"
#include "lib/fs_sim.h"

struct fixture {
    struct fs_sim *sim;
    struct gen_set set;
    struct page_cache *cache;
    struct block *b;
    struct errmsg why;
    struct matcher any; /* of a selection that looks at the postings; `by_value` */
    bool by_value;
};

/* Enough series for several pages in every section. */
static void init_fixture(struct fixture *f)
{
    struct random_seeded r;
    struct block_meta meta;
    random_seeded_init(&r, 11);
    struct block_writer_options o = {.id = block_id_new(1700000000000, &r.base), .zstd_level = 1};
    *f = (struct fixture){.sim = fs_sim_new(), .cache = page_cache_new(8 << 20, NULL)};
    gen_set_make(&f->set,
                 &(struct gen_options){.seed = 11, .targets = 5, .metrics = 700, .scrapes = 12, .step_ms = 1000});
    gen_set_write(&f->set, fs_sim_fs(f->sim), "b", &o, INT64_MIN, INT64_MAX, &meta);
    cr_assert_gt(f->set.count, 4096);
}

static void deinit_fixture(struct fixture *f)
{
    gen_set_free(&f->set);
    page_cache_free(f->cache);
    fs_sim_free(f->sim);
}

static void open_block(struct fixture *f)
{
    enum err err = block_open(fs_sim_fs(f->sim), "b", f->cache, &f->b, &f->why);
    cr_assert_eq(err, ERR_OK, "%s", f->why.text);
}

/* What a selection of everything lacks. */
struct loss {
    uint64_t series; /* of which something is missing */
    uint64_t absent; /* of these: the series themselves */
    uint32_t warnings;
    uint32_t places; /* that block_damage_find knows */
};

/* Reads everything; what came must be right. */
static struct loss read_all(struct fixture *f)
{
    struct querier *q;
    struct series_set *s;
    struct arena arena;
    struct warnings warnings = {0};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
    sel.matchers = &f->any;
    sel.matcher_count = f->by_value;
    struct loss loss = {0};
    arena_init(&arena, NULL);
    cr_assert_eq(block_querier(f->b, INT64_MIN, INT64_MAX, &q, &f->why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &s, &f->why), ERR_OK, "%s", f->why.text);
    struct series_reader *r = s->ops->reader(s);
    uint32_t k = 0; /* both lists are in the order of the block */
    for (uint32_t i = 0; i < f->set.count; i++) {
        const struct gen_series *want = &f->set.series[i];
        struct samples got;
        if (k == s->count || labels_cmp(&s->labels[k], &want->labels) != 0) {
            loss.absent++;
            loss.series++;
            continue;
        }
        cr_assert_eq(r->ops->read(r, k++, INT64_MIN, INT64_MAX, &got, &f->why), ERR_OK, "%s", f->why.text);
        loss.series += got.count != want->samples.count;
        cr_assert(got.count != want->samples.count || !gen_samples_differ(&want->samples, &got, INT64_MIN, INT64_MAX));
    }
    cr_assert_eq(k, s->count, "a series that was never written, or one in the wrong place");
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    loss.warnings = warnings.count;
    return loss;
}

static struct block_damage damage_of(struct fixture *f, struct arena *arena)
{
    struct block_damage d;
    cr_assert_eq(block_damage_find(f->b, NULL, arena, &d, &f->why), ERR_OK, "%s", f->why.text);
    return d;
}

/* Flips the bit, reads everything, tells the loss; `most` series may be concerned.  The same by block_damage_find. */
static struct loss flip(struct fixture *f, const char *file, uint64_t byte, uint64_t most)
{
    struct arena arena;
    arena_init(&arena, NULL);
    fs_sim_flip(f->sim, file, byte * 8 + 3);
    open_block(f);
    struct loss loss = read_all(f);
    struct block_damage d = damage_of(f, &arena);
    loss.places = d.places;
    cr_expect(d.places > 0 || f->by_value, "%s byte %llu", file, (unsigned long long)byte);
    cr_expect_eq(d.series, loss.series, "%s byte %llu: %s: %llu named, %llu lost", file, (unsigned long long)byte,
                 d.text, (unsigned long long)d.series, (unsigned long long)loss.series);
    cr_expect_leq(loss.series, most, "%s byte %llu: %s", file, (unsigned long long)byte, d.text);
    cr_expect_eq(loss.series > 0, loss.warnings > 0, "%s", d.text);
    cr_expect_eq(d.mint_ms <= d.maxt_ms, loss.series > 0, "%s", d.text);
    cr_expect(d.named > 0 || loss.series == loss.absent, "%s", d.text);
    block_release(f->b);
    fs_sim_flip(f->sim, file, byte * 8 + 3);
    arena_deinit(&arena);
    return loss;
}

static uint64_t page_middle(const struct block *b, enum section section, size_t page)
{
    const struct toc_section *s = &b->toc.sections[section];
    return (uint64_t)s->offset.v[page] + PAGE_HEADER_BYTES + (uint64_t)s->stored.v[page] / 2;
}

/* Flips a bit in each page of a section; the sum of what was lost. */
static struct loss flip_pages(struct fixture *f, enum section section, uint64_t most)
{
    struct loss sum = {0};
    open_block(f);
    size_t pages = f->b->toc.sections[section].offset.count;
    block_release(f->b);
    for (size_t i = 0; i < pages; i++) {
        open_block(f);
        uint64_t at = page_middle(f->b, section, i);
        block_release(f->b);
        struct loss loss = flip(f, "b/index", at, most);
        sum.series += loss.series;
        sum.absent += loss.absent;
        sum.places += loss.places;
    }
    return sum;
}

Test(block_salvage, a_chunk_page_costs_its_series)
{
    struct fixture f;
    init_fixture(&f);
    struct loss loss = flip_pages(&f, SECTION_CHUNKS, CHUNK_GROUP_SERIES);
    cr_expect_eq(loss.series, f.set.count);
    cr_expect_eq(loss.absent, 0, "labels are not concerned");
    deinit_fixture(&f);
}

Test(block_salvage, a_label_page_is_made_from_the_postings)
{
    struct fixture f;
    init_fixture(&f);
    struct loss loss = flip_pages(&f, SECTION_LABELS, 0);
    cr_expect_eq(loss.series, 0);
    deinit_fixture(&f);
}

Test(block_salvage, a_postings_page_is_made_from_the_labels)
{
    struct fixture f;
    init_fixture(&f);
    f.by_value = true;
    f.any = (struct matcher){.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("")};
    struct loss loss = flip_pages(&f, SECTION_POSTINGS, 0);
    cr_expect_eq(loss.series, 0);
    cr_expect_gt(loss.places, 0);
    deinit_fixture(&f);
}

Test(block_salvage, a_dictionary_page_costs_the_series_with_its_values)
{
    struct fixture f;
    init_fixture(&f);
    struct loss loss = flip_pages(&f, SECTION_DICT, f.set.count);
    cr_expect_gt(loss.series, 0);
    cr_expect_eq(loss.series, loss.absent, "a series with half of its labels would be another one");
    deinit_fixture(&f);
}

Test(block_salvage, a_page_of_times_costs_the_chunks_that_use_it)
{
    struct fixture f;
    init_fixture(&f);
    cr_expect_gt(flip_pages(&f, SECTION_TIMES, f.set.count).series, 0);
    deinit_fixture(&f);
}

Test(block_salvage, a_data_page_costs_the_chunks_on_it)
{
    struct fixture f;
    uint64_t concerned = 0;
    init_fixture(&f);
    uint64_t bytes = fs_sim_bytes(f.sim, "b/data").len;
    for (uint64_t at = FILE_HEADER_BYTES; at < bytes; at += 1 + bytes / 20)
        concerned += flip(&f, "b/data", at, 2 * CHUNK_GROUP_SERIES).series;
    cr_expect_gt(concerned, 0);
    deinit_fixture(&f);
}

Test(block_salvage, headers_and_one_table_of_contents_cost_nothing)
{
    struct fixture f;
    init_fixture(&f);
    uint64_t end = fs_sim_bytes(f.sim, "b/index").len;
    open_block(&f);
    const struct toc_section *postings = &f.b->toc.sections[SECTION_POSTINGS];
    size_t last = postings->offset.count - 1;
    uint64_t toc = (uint64_t)postings->offset.v[last] + PAGE_HEADER_BYTES + (uint64_t)postings->stored.v[last];
    block_release(f.b);
    const uint64_t places[] = {0, 9, 20, 61, end - 1, end - 10, end - 20, end - 30, end - FILE_TRAILER_BYTES - 5};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        cr_expect_eq(flip(&f, "b/index", places[i], 0).series, 0);
    for (uint64_t at = 0; at < FILE_HEADER_BYTES; at += 3)
        cr_expect_eq(flip(&f, "b/data", at, 0).series, 0);
    /* the first of the two: nobody meets it, verify finds it by the digest of the file */
    fs_sim_flip(f.sim, "b/index", (toc + 20) * 8);
    open_block(&f);
    cr_expect_eq(read_all(&f).series, 0);
    block_release(f.b);
    struct block_verify_result result;
    cr_assert_eq(block_verify(fs_sim_fs(f.sim), "b", NULL, &result, NULL, NULL), ERR_OK);
    cr_expect_gt(result.errors, 0);
    cr_expect_eq(result.damaged_series, 0);
    deinit_fixture(&f);
}

Test(block_salvage, what_stands_before_the_place_where_the_data_end_is_read)
{
    struct fixture f;
    struct arena arena;
    init_fixture(&f);
    struct buf copy = {0};
    buf_slice(&copy, fs_sim_bytes(f.sim, "b/data"));
    uint64_t before = UINT64_MAX;
    for (int i = 0; i <= 4; i++) {
        arena_init(&arena, NULL);
        fs_sim_put(f.sim, "b/data", slice_of(copy.data, copy.len * (size_t)i / 4));
        open_block(&f);
        struct loss loss = read_all(&f);
        struct block_damage d = damage_of(&f, &arena);
        cr_expect_eq(d.series, loss.series, "%s", d.text);
        cr_expect_lt(loss.series, before);
        cr_expect_eq(loss.absent, 0);
        before = loss.series;
        block_release(f.b);
        arena_deinit(&arena);
    }
    cr_expect_eq(before, 0);
    buf_deinit(&copy);
    deinit_fixture(&f);
}

Test(block_salvage, verification_names_the_series)
{
    struct fixture f;
    struct buf report = {0};
    struct block_verify_result result;
    init_fixture(&f);
    open_block(&f);
    fs_sim_flip(f.sim, "b/index", 8 * page_middle(f.b, SECTION_CHUNKS, 0));
    block_release(f.b);
    cr_assert_eq(block_verify(fs_sim_fs(f.sim), "b", NULL, &result, &report, NULL), ERR_OK);
    cr_expect_eq(result.damaged_series, CHUNK_GROUP_SERIES);
    cr_expect(strstr(buf_cstr(&report), "1024 series may lack samples from "), "%s", buf_cstr(&report));
    cr_expect(strstr(buf_cstr(&report), "instance=\"host-"), "%s", buf_cstr(&report));
    buf_deinit(&report);
    deinit_fixture(&f);
}
