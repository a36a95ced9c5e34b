/*
 * One bit of one file of a backup's directory is wrong, for every file and every byte: `verify` notices each, and a
 * restore has everything or says what is missing, and then no server takes the directory.
 *
 * One bit of each byte, restored every seventh time; FLIP_SEED another bit; LONG=1: all bits, restored each time.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/backup.h"
#include "lib/store_sim.h"

enum { SERIES = 5, STEPS = 10, STEP_MS = 15000 };

static struct store_sim *s;
static struct errmsg why;
static uint64_t flips, restores, refused, cases_of_lost;

static void backup(void)
{
    struct backup_report report;
    struct backup_options o = {
        .fs = s->o.fs, .clock = &s->clock.base, .random = &s->random.base, .dir = "data", .dest = "copies"};
    clock_fake_advance(&s->clock, 1000);
    cr_assert_eq(backup_make(&o, &report, &why), ERR_OK, "%s", why.text);
}

static void write_samples(int steps)
{
    for (int i = 0; i < steps; i++) {
        clock_fake_advance(&s->clock, STEP_MS);
        cr_assert(store_sim_write(s, 0, SERIES, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
}

/* Two backups: of a log alone, and with a block, a deletion, a checkpoint, a log. */
static void fill(void)
{
    s->o.wal.segment_bytes = 4096;
    s->o.reserve_bytes = 64;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    write_samples(STEPS);
    backup();
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    cr_assert(store_sim_delete(s, 3, 1, INT64_MIN, clock_now_ms(&s->clock.base) - 3 * STEP_MS));
    write_samples(STEPS);
    backup();
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
}

static uint64_t whole; /* samples of the first restore, before any flip */

/* The newest backup, restored and started. */
static void restore(struct fs *fs, const char *name)
{
    struct buf out = {0};
    uint64_t problems = 0;
    enum err err = backup_restore(fs, "copies", NULL, "restored", &out, &problems, &why);
    struct store_sim *then = store_sim_fork(s, "restored");
    then->o.fs = fs;
    enum err opened = err == ERR_OK ? store_sim_open(then, &why) : ERR_OK;
    restores++;
    if (err != ERR_OK) {
        cr_assert(why.text[0], "%s", name);
        refused++;
    } else if (problems) {
        cr_assert(out.len > 0 && strstr(buf_cstr(&out), "copies/objects/"), "%s: %s", name, buf_cstr(&out));
        cr_assert_eq(opened, ERR_INVALID, "%s: a directory that was not restored whole is taken", name);
        cases_of_lost++;
    } else {
        cr_assert_eq(opened, ERR_OK, "%s: %s", name, why.text);
        uint64_t found = store_sim_check(then, name);
        whole = whole ? whole : found;
        cr_assert_eq(found, whole, "%s", name);
        cr_assert_not(then->warned, "%s", name);
    }
    store_sim_free(then);
    buf_deinit(&out);
}

static void flip(struct fs_sim *sound, const char *path, uint64_t bit, bool also_restore)
{
    char name[256];
    struct buf out = {0};
    uint64_t problems = 0;
    snprintf(name, sizeof name, "%s bit %llu of byte %llu", path, (unsigned long long)bit % 8,
             (unsigned long long)bit / 8);
    fs_sim_flip(sound, path, bit);
    enum err err = backup_verify(fs_sim_fs(sound), "copies", &out, &problems, &why);
    cr_assert(err != ERR_OK || problems == 1, "%s is not noticed: %s", name, buf_cstr(&out));
    buf_deinit(&out);
    if (also_restore) {
        struct fs_sim *copy = fs_sim_clone(sound);
        restore(fs_sim_fs(copy), name);
        fs_sim_free(copy);
    }
    fs_sim_flip(sound, path, bit);
    flips++;
}

static void remove_data(void)
{
    cr_assert_eq(fs_remove_all(s->o.fs, "data", &why), ERR_OK, "%s", why.text);
}

Test(sim_flip, every_wrong_bit_of_a_backup_is_noticed_and_no_part_of_one_is_taken_for_a_whole)
{
    const char *seed_text = getenv("FLIP_SEED"), **paths;
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    unsigned bits = getenv("LONG") ? 8 : 1;
    struct arena arena;
    arena_init(&arena, NULL);
    s = store_sim_new(seed);
    fill();
    remove_data();
    struct fs_sim *copy = fs_sim_clone(s->sim);
    restore(fs_sim_fs(copy), "before");
    fs_sim_free(copy);
    uint32_t count = fs_sim_files(s->sim, &arena, &paths);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = fs_sim_bytes(s->sim, paths[i]).len;
        for (uint64_t at = 0; at < bytes; at++)
            for (unsigned k = 0; k < bits; k++)
                flip(s->sim, paths[i], at * 8 + (at * 5 + seed + k) % 8, bits == 8 || flips % 7 == 0);
    }
    fprintf(stderr, "sim_flip: %llu flips of backups noticed; %llu restores: %llu refused, %llu in part and not taken\n",
            (unsigned long long)flips, (unsigned long long)restores, (unsigned long long)refused,
            (unsigned long long)cases_of_lost);
    cr_expect_gt(flips, 1000);
    cr_expect_gt(cases_of_lost, 100);
    arena_deinit(&arena);
    store_sim_free(s);
}
