/*
 * One bit of one file is wrong: for every file of a data directory and every byte of it.  The store starts, invents
 * nothing and brings back nothing that was deleted; what it has lost it says; it takes samples.
 *
 * The same for the files of a snapshot, opened as a data directory; those that are second names of the store's own files
 * are taken less densely.
 *
 * One bit of each byte, another one in each run of FLIP_SEED; LONG=1: all eight of every byte.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store_sim.h"
#include "tsdb/tsdb_internal.h"

enum { SERIES = 5, STEPS = 12, STEP_MS = 15000 };

static struct store_sim *s;
static struct errmsg why;

static void write_once(void)
{
    cr_assert(store_sim_write(s, 0, SERIES, clock_now_ms(&s->clock.base)));
    store_sim_commit(s);
    clock_fake_advance(&s->clock, STEP_MS);
}

/* A block, a deletion in it, two checkpoints and changes since the second, a log with frames after them. */
static void fill(void)
{
    s->o.wal.segment_bytes = 4096;
    s->o.reserve_bytes = 64;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < STEPS / 2; i++)
        write_once();
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    int64_t flushed = clock_now_ms(&s->clock.base);
    for (int i = 0; i < STEPS; i++) {
        if (i == STEPS / 2)
            cr_assert(store_sim_delete(s, 3, 1, INT64_MIN, flushed - 3 * STEP_MS));
        write_once();
        mutex_lock(&s->db->head_work); /* not the round of the background, which would carry the deletion out */
        if (i == 4 || (i > 7 && i + 1 < STEPS))
            cr_assert_eq(checkpoint_take(s->db, false, &why), ERR_OK, "%s", why.text);
        mutex_unlock(&s->db->head_work);
    }
    cr_assert_gt(tsdb_stats(s->db)->checkpoint_changes, 1);
    cr_assert_gt(wal_stats(tsdb_wal(s->db))->last_sequence, s->db->checkpoint_sequence);
    cr_assert_gt(tsdb_stats(s->db)->tombstones, 0);
}

static void close_store(void)
{
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
}

/* The disk before any flip; what a store on it has. */
struct sweep {
    struct fs_sim *sound;
    struct clock_fake clock;
    uint32_t requests;
    uint64_t whole, seed, cases, costly;
    struct arena arena;
};

static void sweep_begin(struct sweep *w, const char *context)
{
    const char *seed_text = getenv("FLIP_SEED");
    *w = (struct sweep){.sound = s->sim, .clock = s->clock, .requests = s->request_count};
    w->seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    arena_init(&w->arena, NULL);
    s->sim = fs_sim_clone(w->sound);
    s->o.fs = fs_sim_fs(s->sim);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    w->whole = store_sim_check(s, context);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    fs_sim_free(s->sim);
    s->clock = w->clock;
}

static void sweep_end(struct sweep *w)
{
    fprintf(stderr, "sim_flip: %llu flips, %llu cost samples\n", (unsigned long long)w->cases,
            (unsigned long long)w->costly);
    s->sim = w->sound;
    s->o.fs = fs_sim_fs(s->sim);
    arena_deinit(&w->arena);
}

/* Opens the store on a copy of the disk with one bit wrong; how many samples there are. */
static uint64_t flip(struct fs_sim *sound, const char *path, uint64_t bit, uint64_t whole)
{
    char name[256];
    snprintf(name, sizeof name, "%s bit %llu of byte %llu", path, (unsigned long long)bit % 8,
             (unsigned long long)bit / 8);
    s->sim = fs_sim_clone(sound);
    s->o.fs = fs_sim_fs(s->sim);
    fs_sim_flip(s->sim, path, bit);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s: %s", name, why.text);
    uint64_t found = store_sim_check_damaged(s, name);
    cr_assert(found == whole || s->warned, "%s: %llu of %llu samples and no warning", name, (unsigned long long)found,
              (unsigned long long)whole);
    cr_assert(store_sim_write(s, 0, 1, clock_now_ms(&s->clock.base)), "%s", name);
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked, "%s", name);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s: %s", name, why.text);
    fs_sim_free(s->sim);
    return found;
}

/* Every byte_step-th byte of one file. */
static void sweep_file(struct sweep *w, const char *path, uint64_t byte_step)
{
    uint64_t bytes = fs_sim_bytes(w->sound, path).len, lost = 0;
    for (uint64_t at = 0; at < bytes; at += getenv("LONG") ? 1 : byte_step)
        for (unsigned k = 0; k < (getenv("LONG") ? 8 : 1); k++, w->cases++) {
            lost += flip(w->sound, path, at * 8 + (at * 5 + w->seed + k) % 8, w->whole) < w->whole;
            store_sim_forget(s, w->requests);
            s->clock = w->clock;
        }
    fprintf(stderr, "%s: %llu bytes, %llu flips cost samples\n", path, (unsigned long long)bytes,
            (unsigned long long)lost);
    w->costly += lost;
}

Test(sim_flip, every_wrong_bit_is_noticed_or_harmless)
{
    struct sweep w;
    const char **paths;
    s = store_sim_new(1);
    fill();
    close_store();
    sweep_begin(&w, "before");
    uint32_t count = fs_sim_files(w.sound, &w.arena, &paths);
    for (uint32_t i = 0; i < count; i++)
        sweep_file(&w, paths[i], 1);
    sweep_end(&w);
    store_sim_free(s);
}

Test(sim_flip, every_wrong_bit_of_a_snapshot_is_noticed_or_harmless)
{
    struct sweep w;
    char name[TSDB_SNAPSHOT_NAME], dir[128];
    const char **paths;
    s = store_sim_new(1);
    fill();
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, name, &why), ERR_OK, "%s", why.text);
    snprintf(dir, sizeof dir, "data/snapshots/%s", name);
    struct store_sim *store = s, *snapshot = store_sim_fork(s, dir);
    close_store();
    s = snapshot;
    sweep_begin(&w, "before");
    uint32_t count = fs_sim_files(w.sound, &w.arena, &paths);
    for (uint32_t i = 0; i < count; i++) {
        const char *own = strncmp(paths[i], dir, strlen(dir)) == 0 ? paths[i] + strlen(dir) + 1 : NULL;
        bool linked = own && (strncmp(own, "blocks/", 7) == 0 || strncmp(own, "checkpoints/", 12) == 0);
        if (own)
            sweep_file(&w, paths[i], linked ? 7 : 1);
    }
    cr_expect_gt(w.cases, 1000);
    sweep_end(&w);
    store_sim_free(snapshot);
    s = store;
    store_sim_free(s);
}
