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

#include "lib/store_sim.h"
#include "tsdb/snapshot_internal.h"

enum { SERIES = 12, STEP_MS = 15000, STEPS = 40, BUDGET_MS = 3000 };

/*
 * Two snapshots: a name is in the list only when it was handed out, so it must hold what was acknowledged
 * then; one that a crash cut off is there whole under its name, or not at all.
 */
static struct {
    struct store_sim *then; /* what the store had to remember when it was asked for */
    char name[TSDB_SNAPSHOT_NAME];
} taken[2];

static void snapshots_forget(void)
{
    for (int i = 0; i < 2; i++) {
        if (taken[i].then)
            store_sim_free(taken[i].then);
        memset(&taken[i], 0, sizeof taken[i]);
    }
}

static void snapshot_take(struct store_sim *s, int i)
{
    if (taken[i].then || !tsdb_ready(s->db))
        return;
    clock_fake_advance(&s->clock, 1000); /* each has a second of its own, by which it is found again */
    taken[i].then = store_sim_fork(s, "");
    enum err may_fail = tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, taken[i].name, NULL);
    if (may_fail != ERR_OK)
        taken[i].name[0] = 0;
    clock_fake_advance(&s->clock, 1000);
}

static bool snapshot_visit(void *ctx, const char *name)
{
    const char *context = ctx;
    int64_t made_ms;
    struct errmsg why = {0};
    cr_assert(snapshot_name_parse(name, &made_ms), "%s: %s", context, name);
    for (int i = 0; i < 2; i++) {
        struct store_sim *then = taken[i].then;
        if (!then || clock_now_ms(&then->clock.base) / 1000 != made_ms / 1000)
            continue;
        snprintf(then->dir, sizeof then->dir, "data/snapshots/%s", name);
        cr_assert_eq(store_sim_open(then, &why), ERR_OK, "%s: snapshot: %s", context, why.text);
        store_sim_check(then, context);
        cr_assert_eq(store_sim_close(then, &why), ERR_OK, "%s: snapshot: %s", context, why.text);
        taken[i].name[0] = 0;
    }
    return true;
}

/* With the store open. */
static void snapshots_check(struct store_sim *s, const char *context)
{
    struct errmsg why = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", context);
    cr_assert_eq(tsdb_snapshots(s->db, snapshot_visit, copy, &why), ERR_OK, "%s: %s", copy, why.text);
    for (int i = 0; i < 2; i++)
        cr_assert(!taken[i].name[0], "%s: snapshot %s is lost", copy, taken[i].name);
    snapshots_forget();
}

/* A range of some series, all of one, a sample written where one was deleted; now and then the disk follows. */
static void deletes(struct store_sim *s, int i, int64_t now)
{
    if (i % 16 == 6)
        store_sim_delete(s, 2, 3, now - 5400000, now - 20000);
    else
        store_sim_delete(s, SERIES + 1, 1, INT64_MIN, INT64_MAX);
    store_sim_write(s, 2, 2, now - 1800000 - i);
    if (i % 16 != 6)
        return;
    enum err may_fail = tsdb_clean_tombstones(s->db, NULL);
    (void)may_fail;
}

/* Scrapes with new series, late samples, changed values; hours that pass; what the background does. */
static void step(struct store_sim *s, int i)
{
    int64_t now = clock_now_ms(&s->clock.base);
    store_sim_write(s, 0, SERIES / 2 + (uint32_t)(i % 6), now);
    if (i % 3 == 1)
        store_sim_write(s, SERIES, 3, now + 1000); /* another target, in the same frame */
    if (i % 7 == 3)
        store_sim_write(s, 0, 2, now - 7200000 - i); /* late */
    if (i % 7 == 5)
        store_sim_write(s, 1, 2, now); /* the time is known: the last write wins */
    if (i % 8 == 6)
        deletes(s, i, now);
    store_sim_commit(s);
    clock_fake_advance(&s->clock, i % 4 == 3 ? 2400000 : STEP_MS);
    if (i % 4 == 3)
        tsdb_run_once(s->db);
    if (i % 11 == 10) {
        enum err may_fail = tsdb_flush(s->db, NULL);
        (void)may_fail;
    }
    if (i == 9 || i == 29)
        snapshot_take(s, i == 29);
}

static void workload(struct store_sim *s, int steps)
{
    for (int i = 0; i < steps; i++)
        step(s, i);
}

static struct store_sim *new_store(uint64_t seed)
{
    struct store_sim *s = store_sim_new(seed);
    s->o.checkpoint_bytes = 6000;
    s->o.block_range_max_ms = 6 * 3600000;
    s->o.wal.segment_bytes = 8192;
    s->o.retention_ms = seed % 2 ? 3 * 3600000 : 0;
    s->o.snapshots_age_ms = 0;
    return s;
}

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
            workload(s, 4);
        store_sim_kill(s);
        fs_sim_restart(s->sim, (enum fs_sim_survival)((c->change + c->seed + depth) % FS_SIM_SURVIVALS),
                       c->seed + depth);
    }
    must_open(s, c);
    store_sim_check(s, name_of(c));
    workload(s, 6);
    store_sim_check(s, name_of(c));
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s: %s", name_of(c), why.text);
    must_open(s, c);
    store_sim_check(s, name_of(c));
    cr_assert_eq(tsdb_stats(s->db)->replay_lost_frames, 0, "%s", name_of(c));
    snapshots_check(s, name_of(c));
}

static void run_crash(const struct crash *c)
{
    struct errmsg why;
    struct store_sim *s = new_store(c->seed);
    fs_sim_power_off_at(s->sim, c->change);
    if (store_sim_open(s, &why) == ERR_OK)
        workload(s, STEPS);
    bool off = fs_sim_is_off(s->sim);
    store_sim_kill(s);
    if (off)
        recover(s, c);
    snapshots_forget();
    store_sim_free(s);
}

/* How many calls of these kinds the undisturbed workload makes; everything that can crash happens in it. */
static uint64_t calls_of_workload(unsigned kinds)
{
    struct errmsg why = {0};
    struct store_sim *s = new_store(1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    workload(s, STEPS);
    struct tsdb_stats *stats = tsdb_stats(s->db);
    cr_assert(stats->flushes > 2 && stats->checkpoints > 4 && stats->compactions > 1, "%d %d %d", (int)stats->flushes,
              (int)stats->checkpoints, (int)stats->compactions);
    cr_assert_gt(wal_stats(tsdb_wal(s->db))->segments_recycled, 0);
    cr_assert(stats->deletes > 3 && stats->cleanings > 1 && stats->cleaned_blocks > 0, "%d %d %d", (int)stats->deletes,
              (int)stats->cleanings, (int)stats->cleaned_blocks);
    cr_assert_eq(stats->flush_errors + stats->checkpoint_errors + stats->compaction_errors, 0);
    store_sim_check(s, "undisturbed");
    cr_assert(taken[0].name[0] && taken[1].name[0]);
    snapshots_check(s, "undisturbed");
    uint64_t calls = fs_sim_calls(s->sim, kinds);
    store_sim_free(s);
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
    struct store_sim *s = new_store(seed);
    snprintf(name, sizeof name, "SIM_FAILURE=\"%llu %d %d %llu\": call fails with %s%s", (unsigned long long)n, forever,
             err == ERR_NO_SPACE, (unsigned long long)seed, err_name(err), forever ? ", and all after it" : "");
    fs_sim_fail(s->sim, n, forever, FS_SIM_ANY & ~(unsigned)FS_SIM_CLOSE, err);
    if (store_sim_open(s, &why) == ERR_OK)
        workload(s, STEPS);
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
    if (s->db && tsdb_ready(s->db)) { /* it lives on */
        clock_fake_advance(&s->clock, 120000);
        store_sim_commit(s);
        workload(s, 12);
        store_sim_check(s, name);
        cr_assert(s->requests[s->request_count - 1].acked, "%s", name);
    }
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, seed);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s: %s", name, why.text);
    store_sim_check(s, name);
    cr_assert_eq(tsdb_stats(s->db)->replay_lost_frames, 0, "%s", name);
    snapshots_check(s, name);
    store_sim_free(s);
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
