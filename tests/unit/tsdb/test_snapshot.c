/* Snapshots: a data directory inside the data directory. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/store_sim.h"
#include "tsdb/snapshot_internal.h"

static struct store_sim *s;
static struct errmsg why;

static void setup(void)
{
    s = store_sim_new(1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(snapshot, .init = setup, .fini = teardown);

static void write_samples(int count)
{
    for (int i = 0; i < count; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
}

static struct store_sim *take(bool skip_head)
{
    char name[TSDB_SNAPSHOT_NAME], dir[TSDB_SNAPSHOT_NAME + 32];
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, skip_head, name, &why), ERR_OK, "%s", why.text);
    snprintf(dir, sizeof dir, "data/snapshots/%s", name);
    return store_sim_fork(s, dir);
}

static uint64_t verified(const char *dir)
{
    struct buf out = {0};
    uint64_t problems = 0;
    cr_assert_eq(tsdb_verify(s->o.fs, dir, &(struct tsdb_verify_options){0}, &out, &problems, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(problems, 0, "%s", buf_cstr(&out));
    buf_deinit(&out);
    return problems;
}

Test(snapshot, is_a_data_directory_with_everything_acknowledged_before_it)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    write_samples(20);
    struct store_sim *copy = take(false);
    write_samples(20);
    verified(copy->dir);
    cr_assert_eq(store_sim_open(copy, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(copy, "snapshot"), 40 * 20);
    cr_expect_eq(store_sim_check(s, "beside it"), 60 * 20);
    cr_expect_eq(tsdb_stats(copy->db)->replay_lost_frames + tsdb_stats(copy->db)->replay_damage, 0);
    store_sim_free(copy);
}

Test(snapshot, and_the_store_can_both_go_on_without_touching_each_other)
{
    write_samples(30);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    write_samples(10);
    struct store_sim *copy = take(false);
    cr_assert_eq(store_sim_open(copy, &why), ERR_OK, "%s", why.text);
    for (int round = 0; round < 3; round++) {
        write_samples(30);
        cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
        for (int i = 0; i < 30; i++) {
            clock_fake_advance(&copy->clock, 15000);
            cr_assert(store_sim_write(copy, 5, 30, clock_now_ms(&copy->clock.base)));
            store_sim_commit(copy);
        }
        cr_assert_eq(tsdb_flush(copy->db, &why), ERR_OK, "%s", why.text);
    }
    store_sim_check(s, "store");
    store_sim_check(copy, "snapshot");
    cr_assert_eq(store_sim_close(copy, &why), ERR_OK, "%s", why.text);
    verified(copy->dir);
    store_sim_free(copy);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    verified("data");
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "store");
}

Test(snapshot, without_the_head_holds_the_blocks)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    struct store_sim *copy = store_sim_fork(s, "");
    write_samples(20);
    char name[TSDB_SNAPSHOT_NAME];
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, true, name, &why), ERR_OK, "%s", why.text);
    snprintf(copy->dir, sizeof copy->dir, "data/snapshots/%s", name);
    cr_assert_eq(store_sim_open(copy, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(copy, "blocks only"), 20 * 20);
    store_sim_free(copy);
}

Test(snapshot, is_copied_where_there_are_no_hard_links)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    write_samples(5);
    fs_sim_fail(s->sim, 1, true, FS_SIM_LINK, ERR_UNSUPPORTED);
    struct store_sim *copy = take(false);
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
    cr_assert_eq(store_sim_open(copy, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(copy, "copied"), 25 * 20);
    store_sim_free(copy);
}

Test(snapshot, holds_the_log_only_while_it_is_made)
{
    write_samples(20);
    struct wal_pin pin;
    wal_pin(tsdb_wal(s->db), &pin);
    uint64_t before = wal_stats(tsdb_wal(s->db))->segments;
    for (int i = 0; i < 4; i++) {
        write_samples(30);
        cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    }
    char first[64];
    snprintf(first, sizeof first, "data/wal/%016llx.wal", (unsigned long long)pin.list[0].number);
    struct fs_stat st;
    cr_expect_eq(fs_stat_path(s->o.fs, first, &st, &why), ERR_OK, "%s", why.text);
    cr_expect_gt(wal_stats(tsdb_wal(s->db))->segments, before);
    wal_unpin(tsdb_wal(s->db), &pin);
    cr_expect_eq(fs_stat_path(s->o.fs, first, &st, &why), ERR_NOT_FOUND);
    store_sim_check(s, "after");
}

static bool count_names(void *ctx, const char *name)
{
    (void)name;
    (*(int *)ctx)++;
    return true;
}

static int count(void)
{
    int n = 0;
    cr_assert_eq(tsdb_snapshots(s->db, count_names, &n, &why), ERR_OK, "%s", why.text);
    return n;
}

Test(snapshot, half_made_ones_are_swept_at_the_next_start)
{
    struct fs_stat st;
    write_samples(5);
    store_sim_free(take(false));
    cr_assert_eq(fs_mkdir_all(s->o.fs, "data/snapshots/20250102T030405Z-0123456789abcdef.tmp/wal", &why), ERR_OK);
    cr_assert_eq(fs_mkdir_all(s->o.fs, "data/snapshots/mine", &why), ERR_OK);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(count(), 1);
    cr_expect_eq(fs_stat_path(s->o.fs, "data/snapshots/20250102T030405Z-0123456789abcdef.tmp", &st, &why),
                 ERR_NOT_FOUND);
    cr_expect_eq(fs_stat_path(s->o.fs, "data/snapshots/mine", &st, &why), ERR_OK, "not ours");
}

Test(snapshot, old_ones_go_and_too_many_are_refused)
{
    char name[TSDB_SNAPSHOT_NAME];
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    s->o.snapshots_max = 3;
    s->o.snapshots_age_ms = 24 * 3600000;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_VICTORIAMETRICS, false, name, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_VICTORIAMETRICS, false, name, &why), ERR_LIMIT);
    clock_fake_advance(&s->clock, INT64_C(25) * 3600000);
    tsdb_run_once(s->db);
    cr_expect_eq(count(), 0);
    cr_expect_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_VICTORIAMETRICS, false, name, &why), ERR_OK, "%s", why.text);
}

Test(snapshot, names_of_both_peers_are_known_and_nothing_else_can_be_deleted)
{
    static const char *const bad[] = {"",
                                      "..",
                                      "../../etc",
                                      "a/b",
                                      "20250102T030405Z-0123456789abcdef/..",
                                      "20250102T030405Z-0123456789abcdeg",
                                      "20250102T030405-0123456789abcdef",
                                      "2025"};
    char name[TSDB_SNAPSHOT_NAME];
    int64_t made;
    snapshot_name_make(TSDB_SNAPSHOT_PROMETHEUS, INT64_C(1735787045000), 0xabc, name);
    cr_expect_str_eq(name, "20250102T030405Z-0000000000000abc");
    cr_expect(snapshot_name_parse(name, &made));
    cr_expect_eq(made, INT64_C(1735787045000));
    snapshot_name_make(TSDB_SNAPSHOT_VICTORIAMETRICS, INT64_C(1735787045000), 0xabc, name);
    cr_expect_str_eq(name, "20250102030405-0000000000000ABC");
    cr_expect(snapshot_name_parse(name, &made));
    cr_expect_eq(made, INT64_C(1735787045000));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(tsdb_snapshot_delete(s->db, bad[i], &why), ERR_NOT_FOUND, "%s", bad[i]);
    cr_expect_eq(tsdb_snapshot_delete(s->db, name, &why), ERR_NOT_FOUND, "%s", why.text);
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, name, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_snapshot_delete(s->db, name, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(count(), 0);
}
