/* Deleting: what goes, what stays, what comes back, and that space does. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/store_sim.h"
#include "regex/regex.h"

static struct store_sim *s;
static struct errmsg why;

enum { SERIES = 20, STEP_MS = 15000 };

static void setup(void)
{
    s = store_sim_new(7);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(tsdb_delete, .init = setup, .fini = teardown);

static int64_t now(void)
{
    return clock_now_ms(&s->clock.base);
}

static void reopen(bool crash)
{
    if (crash) {
        store_sim_kill(s);
        fs_sim_restart(s->sim, FS_SIM_NONE, 3);
    } else {
        cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    }
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

/* Scrapes of all series, a commit each. */
static void write_steps(int steps)
{
    for (int i = 0; i < steps; i++) {
        clock_fake_advance(&s->clock, STEP_MS);
        cr_assert(store_sim_write(s, 0, SERIES, now()));
        store_sim_commit(s);
    }
}

static void flush(void)
{
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
}

struct count {
    uint64_t count;
    char names[4096];
};

static bool count_name(void *ctx, struct slice name)
{
    struct count *c = ctx;
    size_t used = strlen(c->names);
    snprintf(c->names + used, sizeof c->names - used, "%.*s ", SLICE_ARG(name));
    c->count++;
    return true;
}

/* Values of a label over the range. */
static struct count values_of(const char *label, int64_t mint_ms, int64_t maxt_ms)
{
    struct count c = {0};
    struct querier *q;
    struct storage *storage = tsdb_storage(s->db);
    struct selector sel = {.mint_ms = mint_ms, .maxt_ms = maxt_ms};
    cr_assert_eq(storage->ops->querier(storage, mint_ms, maxt_ms, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->label_values(q, slice_str(label), &sel, 0, NULL, count_name, &c, &why), ERR_OK);
    q->ops->close(q);
    return c;
}

static uint64_t series_count(int64_t mint_ms, int64_t maxt_ms)
{
    struct querier *q;
    struct arena arena;
    struct series_set *set;
    struct storage *storage = tsdb_storage(s->db);
    struct selector sel = {.mint_ms = mint_ms, .maxt_ms = maxt_ms};
    arena_init(&arena, NULL);
    cr_assert_eq(storage->ops->querier(storage, mint_ms, maxt_ms, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    uint64_t n = set->count;
    q->ops->close(q);
    arena_deinit(&arena);
    return n;
}

Test(tsdb_delete, takes_samples_of_head_and_blocks_at_once_and_for_ever)
{
    write_steps(40);
    flush();
    write_steps(40);
    cr_assert(store_sim_delete(s, 0, SERIES / 2, INT64_MIN, INT64_MAX));
    cr_expect_eq(store_sim_check(s, "at once"), 80 * SERIES / 2);
    cr_expect_eq(series_count(INT64_MIN, INT64_MAX), SERIES / 2);
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES / 2);
    for (int i = 0; i < 4; i++) {
        reopen(i % 2);
        cr_expect_eq(store_sim_check(s, "after a start"), 80 * SERIES / 2);
        cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES / 2);
    }
}

Test(tsdb_delete, honours_the_range_and_what_comes_later)
{
    write_steps(40);
    flush();
    write_steps(40);
    int64_t from = now() - 60 * STEP_MS, to = now() - 20 * STEP_MS;
    cr_assert(store_sim_delete(s, 0, 5, from, to));
    cr_expect_eq(store_sim_check(s, "range"), 80 * SERIES - 41 * 5);
    cr_expect_eq(series_count(INT64_MIN, INT64_MAX), SERIES);
    cr_expect_eq(series_count(from, to), SERIES - 5, "series with nothing left in the range are not there");
    cr_assert(store_sim_write(s, 0, 5, from + 7 * STEP_MS)); /* a time that was deleted */
    cr_assert(store_sim_write(s, 0, 5, from + 7 * STEP_MS + 1));
    store_sim_commit(s);
    cr_expect_eq(store_sim_check(s, "written again"), 80 * SERIES - 41 * 5 + 10);
    flush();
    cr_expect_eq(store_sim_check(s, "flushed"), 80 * SERIES - 41 * 5 + 10);
    reopen(true);
    write_steps(4);
    cr_expect_eq(store_sim_check(s, "later"), 84 * SERIES - 41 * 5 + 10);
    cr_assert_eq(tsdb_clean_tombstones(s->db, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(s, "cleaned"), 84 * SERIES - 41 * 5 + 10);
    cr_expect_eq(tsdb_stats(s->db)->tombstones, 0);
}

Test(tsdb_delete, several_cuts_take_a_series_together)
{
    write_steps(40);
    flush();
    int64_t first = now() - 39 * STEP_MS, middle = now() - 20 * STEP_MS;
    cr_assert(store_sim_delete(s, 3, 1, first, middle));
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES);
    cr_assert(store_sim_delete(s, 3, 1, middle + 1, INT64_MAX));
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES - 1);
    cr_expect_eq(store_sim_check(s, "both"), 40 * (SERIES - 1));
}

static uint64_t block_bytes(void)
{
    return tsdb_stats(s->db)->block_bytes;
}

Test(tsdb_delete, gives_space_back_and_forgets_the_tombstones)
{
    for (int i = 0; i < 3; i++) {
        write_steps(200);
        flush();
    }
    while (tsdb_run_once(s->db))
        ;
    uint64_t before = block_bytes();
    cr_assert(store_sim_delete(s, 2, SERIES - 2, INT64_MIN, INT64_MAX));
    cr_expect_eq(tsdb_stats(s->db)->tombstones, 1);
    cr_assert_eq(tsdb_clean_tombstones(s->db, &why), ERR_OK, "%s", why.text);
    cr_expect_lt(block_bytes(), before / 2, "%llu of %llu", (unsigned long long)block_bytes(),
                 (unsigned long long)before);
    cr_expect_eq(tsdb_stats(s->db)->tombstones, 0);
    cr_expect_eq(store_sim_check(s, "cleaned"), 600 * 2);
    reopen(true);
    cr_expect_eq(store_sim_check(s, "after a start"), 600 * 2);
    cr_assert(store_sim_delete(s, 0, SERIES, INT64_MIN, INT64_MAX));
    cr_assert_eq(tsdb_clean_tombstones(s->db, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_stats(s->db)->blocks, 0, "a block of which nothing is left goes");
}

Test(tsdb_delete, is_carried_out_in_the_background_when_it_is_worth_it)
{
    write_steps(200);
    flush();
    cr_assert(store_sim_delete(s, 0, 5, INT64_MIN, INT64_MAX));
    uint64_t before = block_bytes();
    clock_fake_advance(&s->clock, 1000);
    while (tsdb_run_once(s->db))
        ;
    cr_expect_eq(tsdb_stats(s->db)->cleaned_blocks, 1);
    cr_expect_lt(block_bytes(), before);
    cr_expect_eq(tsdb_stats(s->db)->tombstones, 0);
    cr_expect_eq(store_sim_check(s, "cleaned"), 200 * (SERIES - 5));
    cr_assert(store_sim_delete(s, 5, 1, now() - 5 * STEP_MS, INT64_MAX));
    while (tsdb_run_once(s->db))
        ;
    cr_expect_eq(tsdb_stats(s->db)->cleaned_blocks, 1, "a few samples can wait");
    for (int i = 0; i < 26; i++) {
        clock_fake_advance(&s->clock, 3600000);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_expect_eq(tsdb_stats(s->db)->cleaned_blocks, 2, "but not longer than a day");
}

Test(tsdb_delete, of_nothing_leaves_nothing_behind)
{
    write_steps(40);
    flush();
    cr_assert(store_sim_delete(s, 100, 3, INT64_MIN, INT64_MAX));
    cr_assert(store_sim_delete(s, 0, 3, INT64_MIN, now() - 100 * STEP_MS));
    cr_assert(store_sim_delete(s, 0, 3, now(), now() - 100 * STEP_MS));
    cr_expect_eq(tsdb_stats(s->db)->tombstones, 0);
    cr_expect_eq(store_sim_check(s, "all is there"), 40 * SERIES);
}

Test(tsdb_delete, says_what_it_would_take)
{
    write_steps(40);
    flush();
    write_steps(10);
    struct tsdb_affected a;
    struct matcher m[2] = {{.op = MATCH_EQUAL, .name = SLICE_LIT("id"), .value = SLICE_LIT("3")},
                           {.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("metric_0")}};
    struct tsdb_selector selectors[2] = {{&m[0], 1}, {&m[1], 1}};
    struct tsdb_delete d = {selectors, 2, INT64_MIN, INT64_MAX};
    cr_assert_eq(tsdb_delete_dry_run(s->db, &d, NULL, &a, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(a.series, 8);
    cr_expect_eq(a.blocks, 1);
    cr_expect_geq(a.samples, 8 * 50);
    cr_expect_gt(a.bytes, 0);
    cr_expect_eq(store_sim_check(s, "untouched"), 50 * SERIES);
    cr_assert(store_sim_delete(s, 0, 8, INT64_MIN, INT64_MAX));
    cr_assert_eq(tsdb_delete_dry_run(s->db, &d, NULL, &a, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(a.series + a.samples + a.blocks + a.bytes, 0, "what is deleted is not counted again");
}

Test(tsdb_delete, survives_damage_of_one_copy_and_says_so)
{
    write_steps(40);
    cr_assert(store_sim_delete(s, 0, 5, INT64_MIN, INT64_MAX));
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    fs_sim_put(s->sim, "data/tombstones", SLICE_LIT("GNOMTOMBgarbage"));
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(s, "second copy"), 40 * (SERIES - 5));
    cr_expect_eq(tsdb_stats(s->db)->tombstone_files_damaged, 1);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_stats(s->db)->tombstone_files_damaged, 0, "it was written again");
    cr_expect_eq(store_sim_check(s, "mended"), 40 * (SERIES - 5));
}

Test(tsdb_delete, is_in_snapshots_too)
{
    char name[TSDB_SNAPSHOT_NAME], path[256];
    write_steps(40);
    cr_assert(store_sim_delete(s, 0, 5, INT64_MIN, INT64_MAX));
    write_steps(2);
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, name, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    snprintf(path, sizeof path, "data/snapshots/%s", name);
    s->o.dir = path;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(s, "snapshot"), 40 * (SERIES - 5) + 2 * SERIES);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    s->o.dir = "data";
    cr_assert_eq(store_sim_open(s, &why), ERR_OK);
}

/* ---- rules ---- */

static struct tsdb_rule rule_for(struct matcher *m, const char *label, const char *value, int64_t keep_ms)
{
    *m = (struct matcher){.op = MATCH_EQUAL, .name = slice_str(label), .value = slice_str(value)};
    return (struct tsdb_rule){{m, 1}, keep_ms};
}

static uint64_t samples_of(const char *label, const char *value)
{
    struct querier *q;
    struct arena arena;
    struct series_set *set;
    struct matcher m = {.op = MATCH_EQUAL, .name = slice_str(label), .value = slice_str(value)};
    struct storage *storage = tsdb_storage(s->db);
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    uint64_t n = 0;
    arena_init(&arena, NULL);
    cr_assert_eq(storage->ops->querier(storage, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples found;
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &found, &why), ERR_OK);
        cr_expect_gt(found.count, 0, "a series without samples is not there");
        n += found.count;
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    return n;
}

Test(tsdb_delete, rules_cut_series_off_exactly_in_head_and_blocks)
{
    struct matcher m[3];
    write_steps(40);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct tsdb_rule rules[] = {rule_for(&m[0], "id", "3", 10 * STEP_MS), rule_for(&m[1], "id", "4", 1),
                                    rule_for(&m[2], "id", "3", 20 * STEP_MS)};
        cr_assert_eq(tsdb_set_rules(s->db, rules, 3, &why), ERR_OK, "%s", why.text);
        cr_expect_eq(samples_of("id", "3"), 11, "the shortest counts");
        clock_fake_advance(&s->clock, 1);
        cr_expect_eq(samples_of("id", "3"), 10);
        cr_expect_eq(samples_of("id", "5"), 40);
        clock_fake_advance(&s->clock, 1);
        cr_expect_eq(samples_of("id", "4"), 0);
        cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES - 1);
        cr_assert_eq(tsdb_set_rules(s->db, NULL, 0, &why), ERR_OK);
        cr_expect_eq(samples_of("id", "3"), 40, "nothing is gone yet");
        flush();
        s->clock.ms -= 2;
    }
}

Test(tsdb_delete, what_is_past_the_retention_is_in_no_list_though_its_block_is_there)
{
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    s->o.retention_ms = 3600000;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK);
    cr_assert(store_sim_write(s, 16, 8, now())); /* metric_2, and no more of it */
    write_steps(40);
    flush();
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, 24);
    clock_fake_advance(&s->clock, 3600000 - 40 * STEP_MS + 1);
    cr_expect_eq(tsdb_stats(s->db)->blocks, 1);
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, SERIES, "20 to 23 had one sample, which is too old");
    cr_expect_eq(series_count(INT64_MIN, INT64_MAX), SERIES);
    cr_expect_eq(samples_of("id", "23"), 0);
    cr_expect_eq(samples_of("id", "3"), 40);
}

Test(tsdb_delete, rules_may_keep_longer_than_the_retention)
{
    struct matcher m;
    cr_assert_eq(store_sim_close(s, &why), ERR_OK);
    s->o.retention_ms = 3600000;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK);
    struct tsdb_rule rule = rule_for(&m, "id", "3", 0);
    cr_assert_eq(tsdb_set_rules(s->db, &rule, 1, &why), ERR_OK);
    write_steps(40);
    flush();
    for (int i = 0; i < 9; i++) {
        clock_fake_advance(&s->clock, 1300000);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_expect_eq(samples_of("id", "3"), 40);
    cr_expect_eq(samples_of("id", "5"), 0);
    cr_expect_eq(values_of("id", INT64_MIN, INT64_MAX).count, 1);
    cr_expect_eq(tsdb_stats(s->db)->cleaned_blocks, 1, "the others are not on the disk any more: %d",
                 (int)tsdb_stats(s->db)->cleaned_blocks);
    cr_assert_eq(tsdb_set_rules(s->db, NULL, 0, &why), ERR_OK);
    clock_fake_advance(&s->clock, 1200000);
    while (tsdb_run_once(s->db))
        ;
    cr_expect_eq(tsdb_stats(s->db)->blocks, 0);
}

Test(tsdb_delete, rules_say_what_they_would_free_and_free_it)
{
    struct matcher m[2];
    struct tsdb_affected a[3];
    write_steps(200);
    flush();
    clock_fake_advance(&s->clock, 600000);
    uint64_t before = block_bytes();
    struct tsdb_rule rules[] = {rule_for(&m[0], "__name__", "metric_0", 60000),
                                rule_for(&m[1], "__name__", "metric_1", 600000 + 100 * STEP_MS)};
    cr_assert_eq(tsdb_rules_dry_run(s->db, rules, 2, NULL, a, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(a[0].samples, 8 * 200);
    cr_expect_eq(a[0].series, 8);
    cr_expect_eq(a[1].samples, 8 * 99);
    cr_expect_eq(a[1].series, 0);
    cr_expect_eq(a[2].samples, 0);
    cr_assert_eq(tsdb_set_rules(s->db, rules, 2, &why), ERR_OK);
    while (tsdb_run_once(s->db))
        ;
    cr_expect_eq(tsdb_stats(s->db)->cleaned_blocks, 1);
    cr_expect_lt(block_bytes(), before);
    cr_assert_eq(tsdb_set_rules(s->db, NULL, 0, &why), ERR_OK);
    cr_expect_eq(samples_of("__name__", "metric_0"), 0);
    cr_expect_eq(samples_of("__name__", "metric_1"), 8 * 101);
}

Test(tsdb_delete, series_can_be_expelled_from_the_head_without_losing_anything)
{
    struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("metric_0")};
    struct tsdb_selector selector = {&m, 1};
    struct head_stats stats;
    write_steps(10);
    cr_assert_eq(tsdb_expel(s->db, &selector, 1, &why), ERR_OK, "%s", why.text);
    while (tsdb_run_once(s->db))
        ;
    head_stats(tsdb_head(s->db), &stats);
    cr_expect_eq(stats.series, SERIES - 8);
    cr_expect_eq(store_sim_check(s, "expelled"), 10 * SERIES);
}
