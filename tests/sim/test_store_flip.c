/*
 * One bit of one file is wrong: for every file of a data directory and every byte of it.  The store starts, invents
 * nothing and brings back nothing that was deleted; what it has lost it says; it takes samples.
 *
 * One bit of each byte, another one in each run of FLIP_SEED; LONG=1: all eight.
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

/* A block, a deletion in it, two checkpoints, a log with frames after them; closed. */
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
        if (i % 5 == 4)
            cr_assert_eq(checkpoint_take(s->db, false, &why), ERR_OK, "%s", why.text);
        mutex_unlock(&s->db->head_work);
    }
    cr_assert_gt(tsdb_stats(s->db)->checkpoints, 2);
    cr_assert_gt(wal_stats(tsdb_wal(s->db))->last_sequence, s->db->checkpoint_sequence);
    cr_assert_gt(tsdb_stats(s->db)->tombstones, 0);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
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

Test(sim_flip, every_wrong_bit_is_noticed_or_harmless)
{
    const char *seed_text = getenv("FLIP_SEED"), **paths;
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1, cases = 0, costly = 0;
    struct arena arena;
    arena_init(&arena, NULL);
    s = store_sim_new(seed);
    fill();
    struct fs_sim *sound = s->sim;
    uint32_t requests = s->request_count, count = fs_sim_files(sound, &arena, &paths);
    struct clock_fake clock = s->clock;
    s->sim = fs_sim_clone(sound);
    s->o.fs = fs_sim_fs(s->sim);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    uint64_t whole = store_sim_check(s, "before");
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    fs_sim_free(s->sim);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = fs_sim_bytes(sound, paths[i]).len, lost = 0;
        for (uint64_t at = 0; at < bytes; at++)
            for (unsigned k = 0; k < (getenv("LONG") ? 8 : 1); k++, cases++) {
                lost += flip(sound, paths[i], at * 8 + (at * 5 + seed + k) % 8, whole) < whole;
                store_sim_forget(s, requests);
                s->clock = clock;
            }
        fprintf(stderr, "%s: %llu bytes, %llu flips cost samples\n", paths[i], (unsigned long long)bytes,
                (unsigned long long)lost);
        costly += lost;
    }
    fprintf(stderr, "sim_flip: %llu flips, %llu cost samples\n", (unsigned long long)cases, (unsigned long long)costly);
    s->sim = sound;
    store_sim_free(s);
    arena_deinit(&arena);
}
