/* Background writing gives way when the log's syncs get slow. */
#include <criterion/criterion.h>

#include "lib/store_sim.h"
#include "tsdb/tsdb_internal.h"

static struct store_sim *s;

static void setup(void)
{
    struct errmsg why = {0};
    s = store_sim_new(1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(throttle, .init = setup, .fini = teardown);

static void syncs(uint64_t count, uint64_t each_ns)
{
    struct wal_stats *stats = wal_stats(tsdb_wal(s->db));
    stats->syncs += count;
    stats->sync_ns += count * each_ns;
}

/* How long a MiB takes, in simulated time. */
static int64_t take(struct throttle *t)
{
    int64_t start = clock_mono_ns(&s->clock.base);
    for (int i = 0; i < 16; i++) {
        throttle_take(s->db, t, 64 << 10);
        clock_fake_advance(&s->clock, 1);
    }
    return clock_mono_ns(&s->clock.base) - start;
}

static NO_LOCK_CHECK void quiet(void)
{
    for (int i = 0; i < 20; i++) {
        syncs(10, 500000);
        quiet_look(s->db);
    }
}

Test(throttle, keeps_to_its_rate)
{
    struct throttle t = {.bytes_per_s = 1 << 20};
    quiet();
    for (int i = 0; i < 4; i++) {
        syncs(10, 500000);
        int64_t ns = take(&t);
        cr_expect(ns > 700000000 && ns < 1200000000, "%lld", (long long)ns);
    }
    cr_expect_eq(t.slowed, 0);
    cr_expect_eq(tsdb_stats(s->db)->backoffs, 0);
}

Test(throttle, halves_its_rate_while_syncs_are_slow_and_comes_back)
{
    struct throttle t = {.bytes_per_s = 1 << 20};
    quiet();
    take(&t);
    for (int i = 0; i < 8; i++) {
        syncs(10, 60000000);
        take(&t);
    }
    cr_expect_eq(t.slowed, THROTTLE_SLOWED_MAX);
    syncs(10, 60000000);
    cr_expect_gt(take(&t), INT64_C(20) * 1000000000);
    for (int i = 0; i < 12; i++) {
        syncs(10, 600000);
        take(&t);
    }
    cr_expect_eq(t.slowed, 0);
    cr_expect_geq(tsdb_stats(s->db)->backoffs, THROTTLE_SLOWED_MAX);
}

Test(throttle, a_slow_disk_is_not_a_reason_by_itself)
{
    struct throttle t = {.bytes_per_s = 1 << 20};
    for (int i = 0; i < 20; i++) {
        syncs(10, 15000000);
        tsdb_run_once(s->db);
    }
    for (int i = 0; i < 6; i++) {
        syncs(10, 22000000);
        take(&t);
    }
    cr_expect_eq(t.slowed, 0);
}
