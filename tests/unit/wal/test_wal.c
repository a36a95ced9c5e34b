/* The log as writers see it: who is told what when, and what a replay finds afterwards. */
#include "wal/wal.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/lock.h"
#include "lib/wal_fixture.h"

static struct wal_fixture *f;
static struct errmsg why;

static void setup(void)
{
    f = wal_fixture_new();
}

static void teardown(void)
{
    wal_fixture_free(f);
}

static void open_log(void)
{
    cr_assert_eq(wal_fixture_open(f, &why), ERR_OK, "%s", why.text);
}

static void close_log(void)
{
    cr_assert_eq(wal_fixture_close(f, &why), ERR_OK, "%s", why.text);
}

TestSuite(wal, .init = setup, .fini = teardown);

Test(wal, one_frame_and_one_sync_serve_all_lanes)
{
    open_log();
    uint64_t syncs = fs_sim_calls(f->sim, FS_SIM_SYNC);
    for (unsigned lane = 0; lane < 3; lane++)
        cr_assert(wal_fixture_send(f, lane, 10));
    cr_expect_not(f->answered[0], "nothing is durable yet");
    wal_commit_now(f->wal);
    cr_expect(f->acked[0] && f->acked[1] && f->acked[2]);
    cr_expect_eq(wal_stats(f->wal)->frames, 1);
    cr_expect_eq(wal_stats(f->wal)->tickets, 3);
    cr_expect_eq(wal_stats(f->wal)->pending_bytes, 0);
    cr_expect_leq(fs_sim_calls(f->sim, FS_SIM_SYNC) - syncs, 4, "one of the frame, the rest made spare segments");
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    cr_expect_eq(wal_fixture_check(f, "after power loss").frames, 1);
}

Test(wal, a_request_without_records_waits_for_those_before_it)
{
    open_log();
    cr_assert(wal_fixture_send(f, 0, 10));
    struct buf *records;
    cr_assert_eq(wal_lane_begin(f->lanes[1], 100, &records, &why), ERR_OK);
    struct fixture_ticket *t = &f->tickets[f->sent];
    *t = (struct fixture_ticket){.ticket.done = f->tickets[0].ticket.done, .fixture = f, .request = f->sent++};
    wal_lane_commit(f->lanes[1], &t->ticket);
    cr_expect_not(f->answered[1]);
    wal_commit_now(f->wal);
    cr_expect(f->acked[1]);
}

Test(wal, refuses_before_it_is_started_and_after_it_is_closed)
{
    cr_assert_eq(wal_open(&f->o, &f->wal, &why), ERR_OK);
    struct wal_lane *lane = wal_lane_new(f->wal);
    struct buf *records;
    cr_expect_eq(wal_lane_begin(lane, 1, &records, &why), ERR_UNAVAILABLE);
    cr_expect_str_eq(why.text, "the log is being read");
}

Test(wal, goes_on_after_a_restart_with_the_next_number)
{
    for (int life = 0; life < 5; life++) {
        open_log();
        cr_assert(wal_fixture_send(f, 0, 100));
        wal_commit_now(f->wal);
        close_log();
    }
    struct wal_report report = wal_fixture_check(f, "five lives");
    cr_expect_eq(report.frames, 5);
    cr_expect_eq(report.last_sequence, 5);
    cr_expect_eq(report.damage_count, 0);
    cr_expect_not(report.torn_tail);
}

Test(wal, fills_segment_after_segment_and_takes_frames_larger_than_one)
{
    open_log();
    for (int i = 0; i < 40; i++) {
        cr_assert(wal_fixture_send(f, 0, i % 7 == 0 ? 6000 : 700));
        wal_commit_now(f->wal);
    }
    close_log();
    struct wal_report report = wal_fixture_check(f, "many segments");
    cr_expect_eq(report.frames, 40);
    cr_expect_gt(report.segments, 10);
    cr_expect_eq(report.damage_count, 0);
}

Test(wal, recycles_what_is_not_needed_and_never_reads_stale_frames)
{
    open_log();
    for (int i = 0; i < 200; i++) {
        cr_assert(wal_fixture_send(f, 0, 700));
        wal_commit_now(f->wal);
        if (i % 10 == 9)
            wal_truncate(f->wal, wal_stats(f->wal)->last_sequence - 2);
    }
    struct wal_stats *s = wal_stats(f->wal);
    cr_expect_gt(s->segments_recycled, 10);
    cr_expect_lt(s->segments, 10);
    uint64_t last = s->last_sequence;
    close_log();
    memset(f->acked, 0, sizeof f->acked);
    for (uint32_t i = (uint32_t)last - 3; i < last; i++)
        f->acked[i] = true; /* requests count from 0, frames from 1: at least these must be there */
    struct wal_report report = wal_fixture_check(f, "recycled");
    cr_expect_eq(report.last_sequence, last);
    cr_expect_lt(report.frames, 16);
    cr_expect_leq(report.damage_count, 1, "only the truncated beginning is missing");
}

Test(wal, writes_the_frame_elsewhere_when_its_sync_fails)
{
    open_log();
    cr_assert(wal_fixture_send(f, 0, 10));
    wal_commit_now(f->wal);
    cr_assert(wal_fixture_send(f, 1, 10));
    fs_sim_fail(f->sim, 1, false, FS_SIM_SYNC, ERR_IO);
    wal_commit_now(f->wal);
    cr_expect(f->acked[1], "nobody notices");
    cr_expect_eq(wal_stats(f->wal)->rewrites, 1);
    cr_expect_eq(wal_stats(f->wal)->poisoned_segments, 1);
    cr_assert(wal_fixture_send(f, 1, 10));
    wal_commit_now(f->wal);
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    struct wal_report report = wal_fixture_check(f, "after a failed sync");
    cr_expect_eq(report.frames, 3);
    cr_expect_eq(report.lost_frames, 0);
}

Test(wal, drops_the_copy_when_both_segments_kept_the_frame)
{
    open_log();
    wal_commit_now(f->wal); /* makes the spares */
    cr_assert(wal_fixture_send(f, 0, 10));
    fs_sim_fail(f->sim, 1, false, FS_SIM_SYNC, ERR_IO);
    wal_commit_now(f->wal);
    fs_sim_restart(f->sim, FS_SIM_ALL, 1);
    struct wal_report report = wal_fixture_check(f, "two copies");
    cr_expect_eq(report.frames, 1);
    cr_expect_eq(report.passed, 1);
}

Test(wal, refuses_while_the_disk_is_broken_and_keeps_the_frame_for_later)
{
    open_log();
    cr_assert(wal_fixture_send(f, 0, 10));
    fs_sim_fail(f->sim, 1, true, FS_SIM_SYNC | FS_SIM_WRITE | FS_SIM_CREATE, ERR_IO);
    wal_commit_now(f->wal);
    cr_expect(f->answered[0] && !f->acked[0]);
    cr_expect_eq(f->done[0], ERR_UNAVAILABLE);
    struct buf *records;
    cr_expect_eq(wal_lane_begin(f->lanes[1], 10, &records, &why), ERR_UNAVAILABLE);
    cr_expect(strstr(why.text, "injected failure"), "%s", why.text);
    clock_fake_advance(&f->clock, 5000);
    wal_commit_now(f->wal);
    cr_expect_neq(wal_stats(f->wal)->refusing, ERR_OK, "the probe failed, too");
    fs_sim_fail(f->sim, 0, false, 0, ERR_OK);
    wal_commit_now(f->wal);
    cr_expect_neq(wal_stats(f->wal)->refusing, ERR_OK, "not probed before its time");
    clock_fake_advance(&f->clock, 5000);
    wal_commit_now(f->wal);
    cr_expect_eq(wal_stats(f->wal)->refusing, ERR_OK);
    cr_assert(wal_fixture_send(f, 1, 10));
    wal_commit_now(f->wal);
    cr_expect(f->acked[1]);
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    struct wal_report report = wal_fixture_check(f, "after refusing");
    cr_expect_eq(report.frames, 2, "the head has the first request: so must the log");
    cr_expect_eq(report.lost_frames, 0);
}

Test(wal, a_full_disk_refuses_with_its_own_code_and_uses_the_spares_first)
{
    open_log();
    wal_commit_now(f->wal); /* makes the spares */
    fs_sim_capacity(f->sim, 1);
    int accepted = 0;
    while (accepted < 100 && wal_fixture_send(f, 0, 1500)) {
        wal_commit_now(f->wal);
        accepted++;
    }
    cr_expect_gt(accepted, 4, "active segment and spares still take frames");
    cr_expect_lt(accepted, 100);
    cr_expect_eq(wal_stats(f->wal)->refusing, ERR_NO_SPACE);
    fs_sim_capacity(f->sim, 0);
    clock_fake_advance(&f->clock, 2000);
    wal_commit_now(f->wal);
    cr_expect_eq(wal_stats(f->wal)->refusing, ERR_OK);
    close_log();
    wal_fixture_check(f, "after a full disk");
}

Test(wal, pushes_back_when_too_much_waits)
{
    f->o.pending_bytes_max = 10000;
    open_log();
    cr_assert(wal_fixture_send(f, 0, 20000), "a single large request is let in");
    cr_expect_not(wal_fixture_send(f, 1, 10));
    wal_commit_now(f->wal);
    cr_expect(f->acked[0]);
    int n = 0;
    while (n < 100 && wal_fixture_send(f, 1, 950))
        n++;
    cr_expect_eq(n, 10);
    wal_commit_now(f->wal);
    cr_expect(f->acked[5]);
    struct buf *records;
    cr_expect_eq(wal_lane_begin(f->lanes[0], (size_t)1 << 40, &records, &why), ERR_LIMIT);
}

Test(wal, interval_mode_answers_before_it_syncs)
{
    f->o.sync = WAL_SYNC_INTERVAL;
    open_log();
    wal_commit_now(f->wal);
    uint64_t syncs = wal_stats(f->wal)->syncs;
    cr_assert(wal_fixture_send(f, 0, 10));
    wal_commit_now(f->wal);
    cr_expect(f->acked[0]);
    cr_expect_eq(wal_stats(f->wal)->syncs, syncs);
    clock_fake_advance(&f->clock, 200);
    wal_commit_now(f->wal);
    cr_expect_eq(wal_stats(f->wal)->syncs, syncs + 1);
    cr_assert(wal_fixture_send(f, 0, 10));
    cr_assert(wal_fixture_send(f, 1, 10));
    uint64_t sequence = 0;
    cr_assert_eq(wal_barrier(f->wal, &sequence, &why), ERR_OK);
    cr_expect_eq(sequence, 2);
    cr_expect_eq(wal_stats(f->wal)->syncs, syncs + 2, "a barrier syncs in every mode");
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    wal_fixture_check(f, "interval");
}

Test(wal, interval_mode_rewrites_all_that_a_failed_sync_covered)
{
    f->o.sync = WAL_SYNC_INTERVAL;
    open_log();
    for (int i = 0; i < 3; i++) {
        cr_assert(wal_fixture_send(f, 0, 10));
        wal_commit_now(f->wal);
    }
    fs_sim_fail(f->sim, 1, false, FS_SIM_SYNC, ERR_IO);
    clock_fake_advance(&f->clock, 200);
    wal_commit_now(f->wal);
    cr_expect_eq(wal_stats(f->wal)->rewrites, 1);
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    cr_expect_eq(wal_fixture_check(f, "interval, failed sync").frames, 3);
}

Test(wal, os_mode_never_syncs_but_for_barriers_and_the_end)
{
    f->o.sync = WAL_SYNC_OS;
    open_log();
    wal_commit_now(f->wal);
    uint64_t syncs = wal_stats(f->wal)->syncs;
    cr_assert(wal_fixture_send(f, 0, 10));
    wal_commit_now(f->wal);
    cr_expect(f->acked[0]);
    cr_expect_eq(wal_stats(f->wal)->syncs, syncs);
    close_log();
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    cr_expect_eq(wal_fixture_check(f, "os").frames, 1, "a clean end syncs");
}

Test(wal, records_of_a_freed_lane_are_kept)
{
    open_log();
    cr_assert(wal_fixture_send(f, 0, 10));
    wal_lane_free(f->lanes[0]);
    wal_commit_now(f->wal);
    cr_expect(f->acked[0]);
    wal_commit_now(f->wal);
    cr_assert(wal_fixture_send(f, 1, 10));
    close_log();
    cr_expect_eq(wal_fixture_check(f, "freed lane").frames, 2);
}

/* ---- with its threads ---- */

struct writer {
    struct wal *wal;
    struct wal_lane *lane;
    _Atomic int acked;
    int sent;
};

struct writer_ticket {
    struct wal_ticket ticket; /* first */
    struct writer *writer;
};

static void writer_done(struct wal_ticket *ticket, enum err err, const struct errmsg *text)
{
    (void)text;
    if (err == ERR_OK)
        ((struct writer_ticket *)ticket)->writer->acked++;
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    static struct writer_ticket tickets[4][300];
    static _Atomic int next;
    struct writer_ticket *mine = tickets[next++];
    for (int i = 0; i < 300; i++) {
        struct buf *records;
        if (wal_lane_begin(w->lane, 100, &records, NULL) != ERR_OK)
            continue;
        buf_str(records, "x");
        mine[i] = (struct writer_ticket){.ticket.done = writer_done, .writer = w};
        w->sent++;
        wal_lane_commit(w->lane, &mine[i].ticket);
        while (i % 50 == 49 && w->acked < w->sent)
            clock_sleep_ns(clock_system(), 10000);
    }
    return NULL;
}

static void count_batch(void *ctx)
{
    (*(_Atomic int *)ctx)++;
}

Test(wal, threads_acknowledge_everything)
{
    static _Atomic int batches;
    f->o.manual = false;
    f->o.clock = clock_system();
    f->o.segment_bytes = 16384;
    f->o.on_batch = count_batch;
    f->o.on_batch_ctx = &batches;
    open_log();
    struct writer writers[4] = {0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        writers[i] = (struct writer){.wal = f->wal, .lane = wal_lane_new(f->wal)};
        threads[i] = thread_start("writer", writer_run, &writers[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    uint64_t sequence;
    cr_assert_eq(wal_barrier(f->wal, &sequence, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(writers[i].acked, writers[i].sent);
    cr_expect_gt(batches, 0);
    cr_expect_eq(wal_stats(f->wal)->pending_bytes, 0);
    close_log();
}
