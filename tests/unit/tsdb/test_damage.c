/* What is damaged is named: series, times, in status and manifest; a check beside the work of the store finds it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/store_sim.h"

static struct store_sim *s;
static struct errmsg why;
static struct arena arena;

static void setup(void)
{
    s = store_sim_new(5);
    s->o.io_bytes_per_s = 0;
    arena_init(&arena, NULL);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
    arena_deinit(&arena);
}

TestSuite(tsdb_damage, .init = setup, .fini = teardown);

/* A block of 20 series. */
static void make_block(void)
{
    for (int i = 0; i < 40; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
}

static const char *path_of(const char *part)
{
    const char **paths;
    uint32_t n = fs_sim_files(s->sim, &arena, &paths);
    for (uint32_t i = 0; i < n; i++)
        if (strstr(paths[i], part))
            return paths[i];
    cr_assert_fail("no %s", part);
    return NULL;
}

/* The first page of the index behind its header: chunk lists or times. */
static void break_index(void)
{
    fs_sim_flip(s->sim, path_of("/index"), 8 * 90);
}

struct found {
    uint32_t count;
    struct tsdb_damage_info info;
    char name[256], what[512];
};

static bool keep(void *ctx, const struct tsdb_damage_info *info)
{
    struct found *f = ctx;
    f->count++;
    f->info = *info;
    snprintf(f->name, sizeof f->name, "%s", info->named ? info->names[0] : "");
    snprintf(f->what, sizeof f->what, "%s", info->what);
    return true;
}

static struct found damage(void)
{
    struct found f = {0};
    tsdb_damage(s->db, keep, &f);
    return f;
}

/* Warnings of a query over everything, the first in `text`. */
static uint32_t warnings_of_query(char text[256])
{
    struct querier *q;
    struct series_set *set;
    struct warnings warnings = {.arena = &arena};
    struct storage *storage = tsdb_storage(s->db);
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
    cr_assert_eq(storage->ops->querier(storage, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &samples, &why), ERR_OK, "%s", why.text);
    }
    r->ops->close(r);
    q->ops->close(q);
    snprintf(text, 256, "%s", warnings.count ? warnings.list[0] : "");
    return warnings.count;
}

static void reopen(void)
{
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

Test(tsdb_damage, a_damaged_page_that_a_query_meets_is_told_with_its_series)
{
    char text[256];
    make_block();
    cr_expect_eq(damage().count, 0);
    break_index();
    reopen();
    cr_expect_gt(warnings_of_query(text), 0);
    tsdb_run_once(s->db);
    struct found f = damage();
    cr_assert_eq(f.count, 1);
    cr_expect_str_eq(f.info.state, "damaged");
    cr_expect_eq(f.info.series, 20);
    cr_expect(strstr(f.name, "{"), "%s", f.name);
    cr_expect(strstr(f.what, "page at offset 64"), "%s", f.what);
    cr_expect_lt(f.info.mint_ms, f.info.maxt_ms);
    cr_expect_eq(tsdb_stats(s->db)->damaged_series, 20);
    store_sim_check_damaged(s, "damaged");
}

Test(tsdb_damage, a_check_beside_the_store_finds_what_nobody_read)
{
    struct tsdb_verify_state state;
    make_block();
    cr_assert_eq(tsdb_verify_start(s->db, false, &why), ERR_OK, "%s", why.text);
    tsdb_verify_state(s->db, &arena, &state);
    cr_expect_str_eq(state.state, "done");
    cr_expect_eq(state.problems, 0, "%.*s", SLICE_ARG(state.report));
    cr_expect_eq(state.blocks_done, 1);
    cr_expect_gt(state.bytes, 1000);
    break_index();
    cr_assert_eq(tsdb_verify_start(s->db, false, &why), ERR_OK, "%s", why.text);
    tsdb_verify_state(s->db, &arena, &state);
    cr_expect_gt(state.problems, 0);
    cr_expect(strstr(arena_strdup(&arena, state.report), "20 series may lack samples"), "%.*s",
              SLICE_ARG(state.report));
    tsdb_run_once(s->db);
    cr_expect_eq(damage().info.series, 20, "the block in use knows it, too");
}

Test(tsdb_damage, what_a_merge_left_out_stays_told)
{
    char text[256];
    s->o.block_range_ms = 3600000;
    reopen();
    make_block();
    break_index();
    clock_fake_advance(&s->clock, 3600000);
    make_block();
    clock_fake_advance(&s->clock, 24 * INT64_C(3600000));
    reopen();
    for (int i = 0; i < 30; i++) {
        clock_fake_advance(&s->clock, 3600000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_assert_gt(tsdb_stats(s->db)->compactions, 0);
    struct found f = damage();
    cr_assert_eq(f.count, 1, "%u", f.count);
    cr_expect_str_eq(f.info.state, "quarantined");
    cr_expect(strstr(f.what, "20 series lack samples: metric_0{"), "%s", f.what);
    cr_expect_gt(warnings_of_query(text), 0);
    cr_expect(strstr(text, "lack samples"), "%s", text);
    reopen();
    cr_expect_eq(damage().count, 1, "the manifest has it");
    store_sim_check_damaged(s, "merged");
}
