/*
 * Bytes that changed on the disk: whatever file, whatever byte, the store starts, invents nothing, and
 * goes on.  ROT_SEED and ROT_CASES in the environment.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store_sim.h"

static struct store_sim *s;
static struct errmsg why;

/* Two blocks, deletions in them, a checkpoint, a log with frames after it. */
static void fill(void)
{
    s->o.wal.segment_bytes = 8192;
    s->o.checkpoint_bytes = 2000;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < 40; i++) {
        cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        clock_fake_advance(&s->clock, 15000);
        if (i % 20 == 10)
            cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
        if (i == 35)
            tsdb_run_once(s->db);
        if (i == 31) /* nothing in the head: the flushed blocks alone */
            cr_assert(store_sim_delete(s, 3, 2, INT64_MIN, clock_now_ms(&s->clock.base) - 10 * 15000));
    }
    store_sim_check(s, "before");
    cr_assert_eq(tsdb_stats(s->db)->blocks, 2);
    cr_assert_gt(tsdb_stats(s->db)->checkpoints, 2);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* One damage; the name of what was done. */
static const char *damage(struct fs_sim *sim, const char *path, struct random_seeded *rnd)
{
    static char text[256];
    static uint8_t copy[1 << 20];
    struct slice bytes = fs_sim_bytes(sim, path);
    uint64_t kind = random_u64(&rnd->base) % 8, at = bytes.len ? random_u64(&rnd->base) % bytes.len : 0;
    cr_assert_leq(bytes.len, sizeof copy);
    memcpy(copy, bytes.data ? bytes.data : copy, bytes.len);
    size_t len = bytes.len;
    const char *what = "a flipped bit";
    if (kind == 0) {
        what = "cut off";
        len = (size_t)at;
    } else if (kind == 1) {
        what = "a page of zeros";
        memset(copy + at, 0, bytes.len - at < 4096 ? bytes.len - (size_t)at : 4096);
    } else if (kind == 2) {
        what = "eight bytes of noise";
        rnd->base.fill(&rnd->base, copy + at, bytes.len - at < 8 ? bytes.len - (size_t)at : 8);
    } else if (kind == 3) {
        what = "removed";
        enum err err = fs_unlink(fs_sim_fs(sim), path, NULL);
        cr_assert_eq(err, ERR_OK);
    } else if (bytes.len) {
        copy[at] ^= (uint8_t)(1u << (random_u64(&rnd->base) % 8));
    }
    if (kind != 3)
        fs_sim_put(sim, path, slice_of(copy, len));
    snprintf(text, sizeof text, "%s at %llu: %s", path, (unsigned long long)at, what);
    return text;
}

static void live_on(const char *context)
{
    enum err err = store_sim_open(s, &why);
    cr_assert_eq(err, ERR_OK, "%s: %s", context, why.text);
    store_sim_check_damaged(s, context);
    cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)), "%s", context);
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked, "%s", context);
    enum err flushed = tsdb_flush(s->db, &why);
    cr_assert_eq(flushed, ERR_OK, "%s: %s", context, why.text);
    while (tsdb_run_once(s->db))
        ;
    store_sim_check_damaged(s, context);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s: %s", context, why.text);
}

Test(sim_rot, starts_whatever_bytes_changed_and_invents_nothing)
{
    uint64_t seed = setting("ROT_SEED", 1), cases = setting("ROT_CASES", 150);
    struct random_seeded rnd;
    random_seeded_init(&rnd, seed);
    s = store_sim_new(seed);
    fill();
    struct fs_sim *sound = s->sim;
    uint32_t requests = s->request_count;
    for (uint64_t i = 0; i < cases; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        s->sim = fs_sim_clone(sound);
        s->o.fs = fs_sim_fs(s->sim);
        const char **paths;
        uint32_t count = fs_sim_files(s->sim, &arena, &paths);
        const char *what = damage(s->sim, paths[random_u64(&rnd.base) % count], &rnd);
        live_on(what);
        fs_sim_free(s->sim);
        store_sim_forget(s, requests);
        arena_deinit(&arena);
    }
    s->sim = sound;
    store_sim_free(s);
}
