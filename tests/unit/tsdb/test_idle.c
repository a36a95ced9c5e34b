/* Series of targets that are gone leave the head early, with their samples; nothing is lost by it, whatever happens. */
#include <criterion/criterion.h>

#include "lib/store_sim.h"

static struct store_sim *s;
static struct errmsg why;

enum { STAYS = 32, GOES = 64, STEP_MS = 15000 };

static void setup(void)
{
    s = store_sim_new(3);
    s->o.idle_series_min = 8;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(tsdb_idle, .init = setup, .fini = teardown);

/* Scrapes of one target, or of two until the second one is gone. */
static void run(int steps, bool both)
{
    for (int i = 0; i < steps; i++) {
        clock_fake_advance(&s->clock, STEP_MS);
        int64_t now = clock_now_ms(&s->clock.base);
        cr_assert(store_sim_write(s, 0, STAYS, now));
        if (both)
            cr_assert(store_sim_write(s, 100, GOES, now - 7));
        store_sim_commit(s);
        tsdb_run_once(s->db);
    }
}

static struct head_stats head(void)
{
    struct head_stats stats;
    head_stats(tsdb_head(s->db), &stats);
    return stats;
}

Test(tsdb_idle, a_target_that_is_gone_leaves_and_the_others_stay)
{
    run(10, true);
    cr_assert_eq(head().series, STAYS + GOES);
    uint64_t flushes = tsdb_stats(s->db)->flushes;
    run(60, false);
    cr_expect_eq(head().series, STAYS);
    cr_expect_eq(tsdb_stats(s->db)->flushes, flushes + 1);
    cr_expect_eq(tsdb_stats(s->db)->flushed_samples, GOES * 10, "only its samples");
    store_sim_check(s, "gone");
    head_check(tsdb_head(s->db));
    run(5, true);
    cr_expect_eq(head().series, STAYS + GOES, "it is back");
    store_sim_check(s, "back");
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "started again");
}

Test(tsdb_idle, late_samples_of_it_are_kept)
{
    run(10, true);
    int64_t then = clock_now_ms(&s->clock.base);
    run(60, false);
    cr_assert_eq(head().series, STAYS);
    cr_assert(store_sim_write(s, 100, GOES, then - 5 * STEP_MS + 3));
    cr_assert(store_sim_write(s, 100, GOES / 2, then + 100));
    store_sim_commit(s);
    store_sim_check(s, "late");
    run(60, false);
    store_sim_check(s, "late, and gone again");
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "flushed");
}

Test(tsdb_idle, a_crash_at_any_change_of_the_disk_loses_nothing)
{
    run(10, true);
    for (int i = 0; i < 45; i++) { /* nobody looks meanwhile */
        clock_fake_advance(&s->clock, STEP_MS);
        cr_assert(store_sim_write(s, 0, STAYS, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
    struct fs_sim *before = fs_sim_clone(s->sim);
    cr_assert_eq(head().series, STAYS + GOES, "the next rounds flush it");
    store_sim_kill(s);
    uint32_t requests = s->request_count;
    bool left = false;
    for (uint64_t n = 1; n < 400; n += 3) {
        fs_sim_free(s->sim);
        s->sim = fs_sim_clone(before);
        s->o.fs = fs_sim_fs(s->sim);
        cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
        fs_sim_fail(s->sim, n, true, FS_SIM_ANY, ERR_IO);
        for (int i = 0; i < 8; i++) {
            clock_fake_advance(&s->clock, 2 * STEP_MS);
            tsdb_run_once(s->db);
        }
        bool failed = fs_sim_failures(s->sim) > 0;
        left = left || head().series == STAYS;
        fs_sim_fail(s->sim, 0, false, FS_SIM_ANY, ERR_OK);
        store_sim_kill(s);
        fs_sim_restart(s->sim, n % 2 ? FS_SIM_NONE : FS_SIM_ALL, n);
        cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
        store_sim_check(s, "after a crash");
        store_sim_kill(s);
        store_sim_forget(s, requests);
        if (!failed)
            break;
    }
    cr_expect(left);
    fs_sim_free(before);
}

Test(tsdb_idle, a_deletion_flushes_only_pages_with_its_series)
{
    run(10, true);
    tsdb_run_once(s->db);
    uint64_t flushed = tsdb_stats(s->db)->flushed_samples;
    cr_assert(store_sim_delete(s, 3, 1, INT64_MIN, INT64_MAX));
    cr_expect_eq(tsdb_stats(s->db)->flushed_samples - flushed, STAYS * 10, "its neighbours, not the other target");
    cr_expect_eq(head().series, STAYS + GOES - 1);
    store_sim_check(s, "deleted");
    head_check(tsdb_head(s->db));
    run(3, true);
    store_sim_check(s, "written again");
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "after a crash");
}
