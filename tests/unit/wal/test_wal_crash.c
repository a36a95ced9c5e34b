/* The log under power loss at every change of the disk, and under every failing call. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lib/wal_fixture.h"

enum { SEEDS = 12 };

/* Requests on all lanes, now and then several in a frame, truncation, larger than a segment. */
static void workload(struct wal_fixture *f, int steps)
{
    for (int i = 0; i < steps; i++) {
        for (unsigned lane = 0; lane <= (unsigned)i % 3; lane++)
            (void)wal_fixture_send(f, lane, i % 9 == 8 ? 5000 : 300 * (size_t)(1 + i % 3));
        wal_commit_now(f->wal);
        clock_fake_advance(&f->clock, 60);
    }
}

static const char *context_of(uint64_t n, int policy, uint64_t seed)
{
    static char text[128];
    snprintf(text, sizeof text, "crash at change %llu, %s, seed %llu", (unsigned long long)n,
             fs_sim_survival_name((enum fs_sim_survival)policy), (unsigned long long)seed);
    return text;
}

/* What the disk keeps; recovery, once with another crash in it; then a second life that must add to the first. */
static void recover(struct wal_fixture *f, uint64_t n, int policy, uint64_t seed)
{
    const char *context = context_of(n, policy, seed);
    struct errmsg why;
    fs_sim_restart(f->sim, (enum fs_sim_survival)policy, seed);
    wal_fixture_check(f, context);
    fs_sim_power_off_at(f->sim, 1 + seed % 7);
    enum err err = wal_fixture_open(f, &why);
    if (err == ERR_OK)
        workload(f, 1);
    (void)wal_fixture_close(f, NULL);
    fs_sim_restart(f->sim, (enum fs_sim_survival)((policy + 1) % FS_SIM_SURVIVALS), seed + 1);
    wal_fixture_check(f, context);
    cr_assert_eq(wal_fixture_open(f, &why), ERR_OK, "%s: %s", context, why.text);
    workload(f, 2);
    cr_assert(f->acked[f->sent - 1], "%s", context);
    cr_assert_eq(wal_fixture_close(f, &why), ERR_OK, "%s: %s", context, why.text);
    struct wal_report report = wal_fixture_check(f, context);
    cr_assert_eq(report.lost_frames, 0, "%s", context);
}

/* True: the workload ended before change n. */
static bool crash_at(uint64_t n, int policy, uint64_t seed, enum wal_sync sync)
{
    struct wal_fixture *f = wal_fixture_new();
    f->o.sync = sync;
    fs_sim_power_off_at(f->sim, n);
    struct errmsg why;
    if (wal_fixture_open(f, &why) == ERR_OK || f->wal)
        workload(f, 8);
    bool ended = !fs_sim_is_off(f->sim);
    (void)wal_fixture_close(f, NULL);
    if (!ended)
        recover(f, n, policy, seed);
    wal_fixture_free(f);
    return ended;
}

Test(wal_crash, loses_nothing_acknowledged_at_any_change_of_the_disk)
{
    int cases = 0;
    for (int policy = 0; policy < FS_SIM_SURVIVALS; policy++)
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            for (uint64_t n = 1; !crash_at(n, policy, seed, WAL_SYNC_COMMIT); n++)
                cases++;
    cr_expect_gt(cases, 1000, "%d", cases);
}

Test(wal_crash, a_dead_process_loses_nothing_in_any_mode)
{
    for (int mode = WAL_SYNC_COMMIT; mode <= WAL_SYNC_OS; mode++)
        for (uint64_t n = 1; !crash_at(n, FS_SIM_ALL, 1, (enum wal_sync)mode); n++)
            ;
}

/* The n-th call fails, once or from then on; the log may refuse, but what it acknowledged survives power loss. */
static bool fail_at(uint64_t n, bool forever, enum err err, enum wal_sync sync)
{
    struct wal_fixture *f = wal_fixture_new();
    struct errmsg why;
    f->o.sync = sync;
    fs_sim_fail(f->sim, n, forever, FS_SIM_ANY & ~(unsigned)FS_SIM_CLOSE, err);
    if (wal_fixture_open(f, &why) == ERR_OK || f->wal)
        workload(f, 6);
    bool hit = fs_sim_failures(f->sim) > 0;
    fs_sim_fail(f->sim, 0, false, 0, ERR_OK);
    if (f->wal) { /* the disk is whole again: the log must be, too */
        clock_fake_advance(&f->clock, 100000);
        wal_commit_now(f->wal); /* probes */
        workload(f, 1);
        cr_assert(f->sent > 0 && f->acked[f->sent - 1], "call %llu", (unsigned long long)n);
        if (sync == WAL_SYNC_COMMIT)
            fs_sim_power_off_at(f->sim, 1);
        (void)wal_fixture_close(f, NULL);
    }
    fs_sim_restart(f->sim, FS_SIM_NONE, 1);
    char context[64];
    snprintf(context, sizeof context, "failed call %llu", (unsigned long long)n);
    struct wal_report report = wal_fixture_check(f, context);
    cr_assert_eq(report.lost_frames, 0, "%s", context);
    wal_fixture_free(f);
    return hit;
}

Test(wal_crash, survives_every_failing_call)
{
    for (int err = 0; err < 2; err++)
        for (int forever = 0; forever < 2; forever++)
            for (int mode = WAL_SYNC_COMMIT; mode <= WAL_SYNC_INTERVAL; mode++)
                for (uint64_t n = 1; fail_at(n, forever, err ? ERR_NO_SPACE : ERR_IO, (enum wal_sync)mode); n++)
                    ;
}
