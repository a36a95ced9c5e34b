/*
 * The whole store under power loss at changes of the disk, with crashes in recovery, and under failing
 * calls: ingest, checkpoints, flushes, merges, retention, deletes.
 *
 * Without settings as many cases as fit into a few seconds, spread over all changes and policies.
 * SIM_FULL=1 runs all; SIM_BUDGET_MS=n more of them; SIM_SEED=n another run; SIM_CASE="change survival seed" or
 * SIM_FAILURE="call forever full seed" one case again.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store_workload.h"

enum { STEPS = WORKLOAD_STEPS, BUDGET_MS = 2000 };

static int64_t real_ms(void)
{
    return clock_mono_ns(clock_system()) / 1000000;
}

struct crash {
    uint64_t change;
    enum fs_sim_survival survival;
    uint64_t seed;
};

static const char *name_of(const struct crash *c)
{
    static char text[128];
    snprintf(text, sizeof text, "SIM_CASE=\"%llu %d %llu\" (%s)", (unsigned long long)c->change, (int)c->survival,
             (unsigned long long)c->seed, fs_sim_survival_name(c->survival));
    return text;
}

static void must_open(struct store_sim *s, const struct crash *c)
{
    struct errmsg why = {0};
    enum err err = store_sim_open(s, &why);
    cr_assert_eq(err, ERR_OK, "%s: %s", name_of(c), why.text);
    cr_assert(tsdb_ready(s->db), "%s", name_of(c));
}

/* Recovery that is cut off up to three times, recovery, and a second life on top of it. */
static void recover(struct store_sim *s, const struct crash *c)
{
    struct errmsg why = {0};
    fs_sim_restart(s->sim, c->survival, c->seed);
    for (uint64_t depth = 1; depth <= 1 + c->seed % 3; depth++) {
        fs_sim_power_off_at(s->sim, 1 + (c->change * 7 + c->seed) % (9 * depth));
        if (store_sim_open(s, &why) == ERR_OK)
            store_workload_run(s, 4);
        store_sim_kill(s);
        fs_sim_restart(s->sim, (enum fs_sim_survival)((c->change + c->seed + depth) % FS_SIM_SURVIVALS),
                       c->seed + depth);
    }
    must_open(s, c);
    store_sim_check(s, name_of(c));
    store_workload_run(s, 6);
    store_sim_check(s, name_of(c));
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s: %s", name_of(c), why.text);
    must_open(s, c);
    store_sim_check(s, name_of(c));
    cr_assert_eq(tsdb_stats(s->db)->replay_lost_frames, 0, "%s", name_of(c));
    store_workload_check_snapshots(s, name_of(c));
}

static void run_crash(const struct crash *c)
{
    struct errmsg why;
    struct store_sim *s = store_workload_new(c->seed);
    fs_sim_power_off_at(s->sim, c->change);
    if (store_sim_open(s, &why) == ERR_OK)
        store_workload_run(s, STEPS);
    bool off = fs_sim_is_off(s->sim);
    store_sim_kill(s);
    if (off)
        recover(s, c);
    store_workload_free(s);
}

/* How many calls of these kinds the undisturbed workload makes; everything that can crash happens in it. */
static uint64_t calls_of_workload(unsigned kinds)
{
    struct errmsg why = {0};
    struct store_sim *s = store_workload_new(1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_workload_run(s, STEPS);
    struct tsdb_stats *stats = tsdb_stats(s->db);
    cr_assert(stats->flushes > 2 && stats->checkpoints > 4 && stats->compactions > 1, "%d %d %d", (int)stats->flushes,
              (int)stats->checkpoints, (int)stats->compactions);
    cr_assert_gt(stats->checkpoint_changes, 6);
    cr_assert_gt(wal_stats(tsdb_wal(s->db))->segments_recycled, 0);
    cr_assert(stats->deletes > 3 && stats->cleanings > 1 && stats->cleaned_blocks > 0, "%d %d %d", (int)stats->deletes,
              (int)stats->cleanings, (int)stats->cleaned_blocks);
    cr_assert_eq(stats->flush_errors + stats->checkpoint_errors + stats->compaction_errors, 0);
    store_sim_check(s, "undisturbed");
    cr_assert_eq(store_workload_check_snapshots(s, "undisturbed"), 2);
    cr_assert_eq(store_workload_check_backups(s, "undisturbed"), 2);
    uint64_t calls = fs_sim_calls(s->sim, kinds);
    store_workload_free(s);
    return calls;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* Visits 1..count, each once, in an order that leaves no part out when time ends early. */
static uint64_t scattered(uint64_t i, uint64_t count)
{
    uint64_t stride = count * 5 / 8 + 1;
    while (common_divisor(stride, count) != 1)
        stride++;
    return 1 + i * stride % count;
}

Test(sim_store, loses_nothing_acknowledged_at_any_change_of_the_disk)
{
    uint64_t changes = calls_of_workload(FS_SIM_CHANGES), seed = setting("SIM_SEED", 1), cases = 0;
    int64_t start = real_ms();
    int64_t budget_ms = (int64_t)setting("SIM_BUDGET_MS", setting("SIM_FULL", 0) ? 100000000 : BUDGET_MS);
    struct crash one;
    unsigned long long change, one_seed;
    int survival;
    if (getenv("SIM_CASE") && sscanf(getenv("SIM_CASE"), "%llu %d %llu", &change, &survival, &one_seed) == 3) {
        one = (struct crash){change, (enum fs_sim_survival)survival, one_seed};
        run_crash(&one);
        return;
    }
    for (; cases < changes * FS_SIM_SURVIVALS && real_ms() - start < budget_ms; cases++) {
        uint64_t round = cases / changes;
        uint64_t n = scattered(cases % changes, changes);
        run_crash(&(struct crash){n, (enum fs_sim_survival)((n + round) % FS_SIM_SURVIVALS), seed + cases});
    }
    fprintf(stderr, "sim_store: %llu crashes, %llu changes of the disk, seed %llu, %lld ms\n",
            (unsigned long long)cases, (unsigned long long)changes, (unsigned long long)seed,
            (long long)(real_ms() - start));
}

/* The n-th call fails once or from then on; afterwards the disk is whole, and so must the store be. */
static void run_failure(uint64_t n, bool forever, enum err err, uint64_t seed)
{
    char name[128];
    struct errmsg why = {0};
    struct store_sim *s = store_workload_new(seed);
    snprintf(name, sizeof name, "call %llu fails with %s%s", (unsigned long long)n, err_name(err),
             forever ? " and all after it" : "");
    fs_sim_fail(s->sim, n, forever, FS_SIM_ANY & ~(unsigned)FS_SIM_CLOSE, err);
    if (store_sim_open(s, &why) == ERR_OK)
        store_workload_run(s, STEPS);
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
    if (s->db && tsdb_ready(s->db)) { /* it lives on */
        clock_fake_advance(&s->clock, 120000);
        store_sim_commit(s);
        store_workload_run(s, 12);
        store_sim_check(s, name);
        cr_assert(s->requests[s->request_count - 1].acked, "%s", name);
    }
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, seed);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s: %s", name, why.text);
    store_sim_check(s, name);
    cr_assert_eq(tsdb_stats(s->db)->replay_lost_frames, 0, "%s", name);
    store_workload_check_snapshots(s, name);
    store_workload_check_backups(s, name);
    store_workload_free(s);
}

Test(sim_store, survives_failing_calls)
{
    uint64_t calls = calls_of_workload(FS_SIM_ANY & ~(unsigned)FS_SIM_CLOSE), seed = setting("SIM_SEED", 1), cases = 0;
    int64_t start = real_ms();
    int64_t budget_ms = (int64_t)setting("SIM_BUDGET_MS", setting("SIM_FULL", 0) ? 100000000 : BUDGET_MS);
    unsigned long long one, one_seed;
    int forever, no_space;
    if (getenv("SIM_FAILURE") &&
        sscanf(getenv("SIM_FAILURE"), "%llu %d %d %llu", &one, &forever, &no_space, &one_seed) == 4) {
        run_failure(one, forever, no_space ? ERR_NO_SPACE : ERR_IO, one_seed);
        return;
    }
    for (; cases < calls * 4 && real_ms() - start < budget_ms; cases++) {
        uint64_t round = cases / calls;
        run_failure(scattered(cases % calls, calls), (cases + round) & 1, (cases + round) & 2 ? ERR_NO_SPACE : ERR_IO,
                    seed + cases);
    }
    fprintf(stderr, "sim_store: %llu failures, %llu calls, seed %llu, %lld ms\n", (unsigned long long)cases,
            (unsigned long long)calls, (unsigned long long)seed, (long long)(real_ms() - start));
}
