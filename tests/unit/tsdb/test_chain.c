/* Checkpoints of changes: a chain of files of which each may be lost, in the store, its copies and reports. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/store_sim.h"
#include "tsdb/checkpoint.h"
#include "tsdb/tsdb_internal.h"

enum { SERIES = 20 };

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

TestSuite(chain, .init = setup, .fini = teardown);

static void write_samples(int count)
{
    for (int i = 0; i < count; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, SERIES, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
}

static void checkpoint(void)
{
    mutex_lock(&s->db->head_work);
    cr_assert_eq(checkpoint_take(s->db, false, &why), ERR_OK, "%s", why.text);
    mutex_unlock(&s->db->head_work);
}

/* How many changes the manifest lists, from its newest chain alone. */
static size_t links(void)
{
    const struct manifest *m = &s->db->manifest;
    return m->checkpoint_count - manifest_chain(m, m->checkpoint_count - 1) - 1;
}

/* A block, a chain before it, a whole checkpoint, three of changes, a log after them; closed. */
static void fill(void)
{
    write_samples(10);
    checkpoint();
    write_samples(10);
    checkpoint();
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(links(), 0, "after a flush a whole one");
    for (int i = 0; i < 3; i++) {
        write_samples(10);
        clock_fake_advance(&s->clock, 60000);
        cr_assert(store_sim_write(s, SERIES + (uint32_t)i, 1, clock_now_ms(&s->clock.base))); /* new series as well */
        store_sim_commit(s);
        checkpoint();
    }
    cr_assert_eq(links(), 3);
    write_samples(5);
}

static void verify(const char *dir, bool sound)
{
    struct buf out = {0};
    uint64_t problems = 0;
    cr_assert_eq(tsdb_verify(s->o.fs, dir, &(struct tsdb_verify_options){0}, &out, &problems, &why), ERR_OK, "%s",
                 why.text);
    cr_assert_eq(problems == 0, sound, "%s", buf_cstr(&out));
    buf_deinit(&out);
}

Test(chain, each_file_of_it_may_be_lost)
{
    const char **paths;
    struct arena arena;
    fill();
    uint64_t whole = store_sim_check(s, "before");
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    verify("data", true);
    struct fs_sim *sound = s->sim;
    struct clock_fake clock = s->clock;
    arena_init(&arena, NULL);
    uint32_t count = fs_sim_files(sound, &arena, &paths), tried = 0, kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!strstr(paths[i], "/checkpoints/"))
            continue;
        for (int kind = 0; kind < 2; kind++, tried++) {
            s->sim = fs_sim_clone(sound);
            s->o.fs = fs_sim_fs(s->sim);
            s->clock = clock;
            if (kind == 0)
                cr_assert_eq(fs_unlink(s->o.fs, paths[i], &why), ERR_OK, "%s", why.text);
            else
                fs_sim_flip(s->sim, paths[i], 8 * (fs_sim_bytes(s->sim, paths[i]).len / 2));
            verify("data", false);
            cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s: %s", paths[i], why.text);
            cr_assert_eq(store_sim_check(s, paths[i]), whole, "%s", paths[i]);
            cr_assert(!s->warned, "%s", paths[i]);
            char aside[256];
            struct fs_stat st;
            snprintf(aside, sizeof aside, "data/quarantine/%s", strrchr(paths[i], '/') + 1);
            kept += fs_stat_path(s->o.fs, aside, &st, NULL) == ERR_OK;
            tsdb_run_once(s->db);
            cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
            fs_sim_free(s->sim);
        }
    }
    cr_assert_geq(tried, 10);
    cr_assert_eq(kept, 4, "of the newest chain, for people to look at");
    s->sim = sound;
    s->o.fs = fs_sim_fs(sound);
    arena_deinit(&arena);
}

Test(chain, is_found_again_when_the_manifest_is_lost)
{
    fill();
    uint64_t whole = store_sim_check(s, "before");
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(fs_unlink(s->o.fs, "data/MANIFEST", &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(links(), 3);
    cr_expect_eq(store_sim_check(s, "without a manifest"), whole);
    cr_expect(!s->warned);
}

Test(chain, is_in_a_snapshot_as_a_whole)
{
    char name[TSDB_SNAPSHOT_NAME], dir[TSDB_SNAPSHOT_NAME + 32];
    fill();
    uint64_t whole = store_sim_check(s, "before");
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, name, &why), ERR_OK, "%s", why.text);
    snprintf(dir, sizeof dir, "data/snapshots/%s", name);
    struct store_sim *copy = store_sim_fork(s, dir);
    write_samples(5);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    checkpoint();
    verify(dir, true);
    cr_assert_eq(store_sim_open(copy, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(copy, "snapshot"), whole);
    cr_expect_eq(tsdb_stats(copy->db)->replay_damage, 0);
    store_sim_free(copy);
}

Test(chain, ends_with_what_is_deleted)
{
    fill();
    cr_assert(store_sim_delete(s, 3, 2, INT64_MIN, INT64_MAX));
    cr_expect_eq(s->db->manifest.checkpoint_count, 1, "nothing that has it stands in");
    write_samples(3);
    checkpoint();
    cr_expect_eq(links(), 0, "a whole one must come first that something stands in for");
    write_samples(3);
    checkpoint();
    cr_expect_eq(links(), 1);
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "after a crash");
}

Test(chain, is_bounded)
{
    size_t most = 0;
    for (int i = 0; i < 60; i++) {
        write_samples(1);
        checkpoint();
        most = links() > most ? links() : most;
    }
    cr_expect_gt(most, 3);
    cr_expect_lt(most, 16);
    cr_expect_gt(tsdb_stats(s->db)->checkpoints, tsdb_stats(s->db)->checkpoint_changes + 3);
    store_sim_check(s, "before");
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "after a crash");
}
