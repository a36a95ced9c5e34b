/* File systems that lack something, that refuse to reserve space, that are slow, that lie about what they synced. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/store_workload.h"

enum { SEEDS = 4 };

static struct errmsg why;

static void open_store(struct store_sim *s)
{
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void crash_and_check(struct store_sim *s, const char *context)
{
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    open_store(s);
    store_sim_check(s, context);
}

Test(tsdb_odd_fs, without_allocation_links_and_locks_all_is_kept)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct store_sim *s = store_workload_new(seed);
        fs_sim_fail(s->sim, 1, true, FS_SIM_ALLOCATE | FS_SIM_LINK | FS_SIM_LOCK, ERR_UNSUPPORTED);
        open_store(s);
        store_workload_run(s, WORKLOAD_STEPS);
        cr_assert_gt(fs_sim_failures(s->sim), 3);
        store_sim_check(s, "while it runs");
        store_workload_check_snapshots(s, "copied where it cannot be linked");
        crash_and_check(s, "after a crash");
        store_workload_free(s);
    }
}

Test(tsdb_odd_fs, a_disk_that_cannot_reserve_space_refuses_and_takes_again)
{
    struct store_sim *s = store_sim_new(1);
    fs_sim_fail(s->sim, 1, true, FS_SIM_ALLOCATE, ERR_NO_SPACE);
    open_store(s);
    bool taken = store_sim_write(s, 0, 8, clock_now_ms(&s->clock.base));
    store_sim_commit(s);
    cr_assert(!taken || !s->requests[s->request_count - 1].acked);
    cr_assert_gt(fs_sim_failures(s->sim), 0);
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
    clock_fake_advance(&s->clock, 120000);
    store_sim_commit(s);
    cr_assert(store_sim_write(s, 0, 8, clock_now_ms(&s->clock.base)));
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked);
    crash_and_check(s, "after a crash");
    store_sim_free(s);
}

/* ---- a sync that hangs ---- */

struct hang {
    struct store_sim *store;
    uint64_t found;
    unsigned rounds;
};

/* Runs in the middle of a sync of the log: whoever asks now must get what was acknowledged. */
static void ask_meanwhile(void *ctx, struct fs_sim *sim, enum fs_sim_kind kind, const char *path)
{
    (void)path;
    struct hang *h = ctx;
    if (kind != FS_SIM_SYNC)
        return;
    fs_sim_set_hook(sim, NULL, NULL);
    h->found = store_sim_check(h->store, "while a sync hangs");
    h->rounds++;
    fs_sim_set_hook(sim, ask_meanwhile, h);
}

Test(tsdb_odd_fs, queries_need_nothing_of_a_sync_that_hangs)
{
    struct store_sim *s = store_sim_new(1);
    open_store(s);
    struct hang hang = {.store = s};
    fs_sim_set_hook(s->sim, ask_meanwhile, &hang);
    for (int i = 0; i < 5; i++) {
        cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        clock_fake_advance(&s->clock, 15000);
    }
    fs_sim_set_hook(s->sim, NULL, NULL);
    cr_expect_geq(hang.rounds, 5);
    cr_expect_geq(hang.found, 64);
    store_sim_free(s);
}

/* ---- syncs that lied ---- */

static void run(struct store_sim *s, int steps)
{
    for (int i = 0; i < steps; i++) {
        cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        clock_fake_advance(&s->clock, 15000);
        if (i % 10 == 9)
            cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
        tsdb_run_once(s->db);
    }
}

/* The store starts on the disk `sim`, invents nothing and goes on. */
static void starts_on(struct store_sim *s, struct fs_sim *sim, const char *context)
{
    s->sim = sim;
    s->o.fs = fs_sim_fs(sim);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s: %s", context, why.text);
    store_sim_check_damaged(s, context);
    cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)), "%s", context);
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked, "%s", context);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s: %s", context, why.text);
}

/* One file is as it was long ago, or not there, although everything since was synced. */
static void lie(struct fs_sim *sim, struct fs_sim *before, const char *path)
{
    struct slice old = fs_sim_bytes(before, path);
    struct fs_stat st;
    if (fs_stat_path(fs_sim_fs(before), path, &st, NULL) == ERR_OK)
        fs_sim_put(sim, path, old);
    else
        cr_assert_eq(fs_unlink(fs_sim_fs(sim), path, &why), ERR_OK, "%s", why.text);
}

Test(tsdb_odd_fs, a_file_whose_syncs_were_lies_costs_what_was_in_it)
{
    struct store_sim *s = store_sim_new(1);
    s->o.wal.segment_bytes = 8192;
    s->o.checkpoint_bytes = 4000;
    open_store(s);
    run(s, 24);
    struct fs_sim *before = fs_sim_clone(s->sim);
    run(s, 24);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    struct fs_sim *now = s->sim;
    uint32_t requests = s->request_count, lies = 0;
    struct arena arena;
    arena_init(&arena, NULL);
    const char **paths;
    uint32_t count = fs_sim_files(now, &arena, &paths);
    for (uint32_t i = 0; i < count; i++, lies++) {
        struct fs_sim *sim = fs_sim_clone(now);
        lie(sim, before, paths[i]);
        starts_on(s, sim, paths[i]);
        fs_sim_free(sim);
        store_sim_forget(s, requests);
    }
    cr_assert_gt(lies, 8);
    starts_on(s, fs_sim_clone(before), "everything since was a lie");
    fs_sim_free(s->sim);
    s->sim = now;
    arena_deinit(&arena);
    fs_sim_free(before);
    store_sim_free(s);
}
