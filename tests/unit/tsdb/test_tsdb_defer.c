/* Requests that come while the log is replayed: acknowledged, kept over any crash, applied once and in order. */
#include <criterion/criterion.h>

#include "lib/store_workload.h"

static struct store_sim *s;
static struct errmsg why;

static void setup(void)
{
    s = store_sim_new(3);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(tsdb_defer, .init = setup, .fini = teardown);

static void open_store(bool defers)
{
    s->o.defers = defers;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void crash(void)
{
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
}

static uint64_t samples_in_head(void)
{
    struct head_stats stats;
    head_stats(tsdb_head(s->db), &stats);
    return stats.samples;
}

static void write_at(int64_t offset_ms, uint32_t count)
{
    cr_assert(store_sim_write(s, 0, count, clock_now_ms(&s->clock.base) + offset_ms));
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked);
}

Test(tsdb_defer, a_request_during_the_replay_is_acknowledged_and_applied_afterwards)
{
    open_store(true);
    cr_assert(tsdb_accepting(s->db) && tsdb_replayed(s->db) && !tsdb_ready(s->db));
    write_at(0, 8);
    cr_assert_eq(samples_in_head(), 0);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_UNAVAILABLE); /* it would lose the log of what waits */
    cr_assert_eq(store_sim_catch_up(s, &why), ERR_OK, "%s", why.text);
    cr_assert(tsdb_ready(s->db));
    cr_assert_eq(samples_in_head(), 8);
    write_at(1000, 8); /* straight into the head */
    cr_assert_eq(samples_in_head(), 16);
    store_sim_check(s, "applied");
}

Test(tsdb_defer, a_crash_before_it_was_applied_loses_nothing)
{
    open_store(true);
    write_at(0, 8);
    write_at(1000, 4);
    crash();
    open_store(true); /* and once more: two runs have requests that wait */
    write_at(2000, 4);
    crash();
    open_store(false);
    cr_assert(tsdb_ready(s->db));
    cr_assert_eq(samples_in_head(), 16);
    store_sim_check(s, "after two crashes");
}

Test(tsdb_defer, it_is_applied_once_and_newer_values_stay)
{
    open_store(true);
    write_at(0, 8);
    cr_assert_eq(store_sim_catch_up(s, &why), ERR_OK);
    write_at(0, 8); /* the same times: the last write wins */
    crash();
    open_store(false);
    cr_assert_eq(head_deferred_count(tsdb_head(s->db)), 0);
    store_sim_check(s, "the newer values");
}

Test(tsdb_defer, what_breaks_a_rule_is_refused_at_once_and_later_left_out)
{
    open_store(true);
    struct rw_body body = {0};
    int64_t now = clock_now_ms(&s->clock.base);
    rw_series(&body, "__name__=metric_0|id=0|instance=host-0:9100");
    rw_sample(&body, now + 86400000, 1.0); /* too far ahead */
    struct ingest_request request = {.encoding = INGEST_IDENTITY, .body = rw_finish(&body), .stream = 1};
    struct ingest_result result = {0};
    cr_assert(!ingest_write(s->ingest, &request, &result));
    cr_assert_eq(result.rejected[INGEST_TOO_FAR_AHEAD], 1);
    cr_assert_eq(ingest_status(&result), 400);
    clock_fake_advance(&s->clock, 86400000); /* it must not be judged by the time of its application */
    cr_assert_eq(store_sim_catch_up(s, &why), ERR_OK);
    cr_assert_eq(samples_in_head(), 0);
    struct ingest_stats stats;
    ingest_stats(s->ingest, &stats);
    cr_assert_eq(stats.rejected[INGEST_TOO_FAR_AHEAD], 1);
    rw_body_deinit(&body);
}

Test(tsdb_defer, what_waits_is_bounded)
{
    ingest_free(NULL);
    open_store(true);
    ingest_free(s->ingest);
    struct ingest_options o;
    ingest_options_default(&o);
    o.head = tsdb_head(s->db);
    o.wal = tsdb_wal(s->db);
    o.clock = s->o.clock;
    o.lanes = 2;
    o.deferring = true;
    o.deferred_bytes_max = 2000;
    cr_assert_eq(ingest_new(&o, &s->ingest, &why), ERR_OK);
    int64_t now = clock_now_ms(&s->clock.base);
    int taken = 0;
    while (taken < 100 && store_sim_write(s, 0, 8, now + taken))
        taken++;
    cr_assert(taken > 0 && taken < 10, "%d", taken);
    store_sim_commit(s);
    cr_assert_eq(store_sim_catch_up(s, &why), ERR_OK);
    cr_assert(store_sim_write(s, 0, 8, now + 500));
    store_sim_commit(s);
    store_sim_check(s, "what was taken");
}
