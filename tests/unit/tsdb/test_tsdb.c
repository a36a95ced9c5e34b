/* A data directory as its users see it: what survives, what is refused, what is said. */
#include "tsdb/tsdb.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "lib/store_sim.h"

static struct store_sim *s;
static struct errmsg why;

static void setup(void)
{
    s = store_sim_new(1);
}

static void teardown(void)
{
    store_sim_free(s);
}

TestSuite(tsdb, .init = setup, .fini = teardown);

static void open_store(void)
{
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_assert(tsdb_ready(s->db));
}

static void close_store(void)
{
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
}

/* Minutes of samples of 20 series, every 15 s, a commit each. */
static void write_minutes(int minutes)
{
    for (int i = 0; i < minutes * 4; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
}

Test(tsdb, finds_after_a_restart_what_was_written)
{
    open_store();
    write_minutes(2);
    cr_expect_eq(store_sim_check(s, "before"), 8 * 20);
    close_store();
    open_store();
    cr_expect_eq(store_sim_check(s, "after"), 8 * 20);
    write_minutes(1);
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    open_store();
    cr_expect_eq(store_sim_check(s, "after power loss"), 12 * 20);
    cr_expect_eq(tsdb_stats(s->db)->replay_lost_frames, 0);
}

Test(tsdb, is_held_by_one_process)
{
    open_store();
    struct tsdb *second;
    cr_expect_eq(tsdb_open(&s->o, &second, &why), ERR_EXISTS);
    char want[128];
    snprintf(want, sizeof want, "data directory data is used by pid %d", (int)getpid());
    cr_expect_str_eq(why.text, want);
}

Test(tsdb, refuses_a_directory_of_a_newer_version)
{
    open_store();
    close_store();
    struct buf text = {0};
    buf_str(&text, "gnomon data directory 2\nwhatever\n");
    buf_printf(&text, "end %08x\n", crc32c(0, text.data, text.len));
    fs_sim_put(s->sim, "data/format", buf_view(&text));
    cr_expect_eq(store_sim_open(s, &why), ERR_UNSUPPORTED);
    cr_expect(strstr(why.text, "newer version"), "%s", why.text);
    text.data[22] = '3'; /* not a newer version, but damage */
    fs_sim_put(s->sim, "data/format", buf_view(&text));
    open_store();
    buf_deinit(&text);
}

Test(tsdb, mends_a_lost_format_file_and_manifest)
{
    open_store();
    write_minutes(1);
    close_store();
    for (int i = 0; i < 3; i++) {
        if (i != 1)
            cr_assert_eq(fs_unlink(s->o.fs, "data/format", &why), ERR_OK);
        if (i != 0)
            fs_sim_put(s->sim, "data/MANIFEST", SLICE_LIT("garbage"));
        open_store();
        cr_expect_eq(store_sim_check(s, "mended"), 4 * 20);
        close_store();
    }
}

Test(tsdb, starts_read_only_when_the_disk_is_full)
{
    open_store();
    write_minutes(1);
    close_store();
    fs_sim_capacity(s->sim, 1);
    open_store();
    cr_expect_eq(store_sim_check(s, "full"), 4 * 20);
    int accepted = 0;
    while (accepted < 1000 && store_sim_write(s, 0, 200, clock_now_ms(&s->clock.base) + accepted)) {
        store_sim_commit(s);
        accepted++;
    }
    cr_expect_lt(accepted, 1000, "in the end the log is full");
    cr_expect_geq(store_sim_check(s, "refusing"), 4 * 20);
    fs_sim_capacity(s->sim, 0);
    clock_fake_advance(&s->clock, 5000);
    store_sim_commit(s);
    cr_expect(store_sim_write(s, 0, 200, clock_now_ms(&s->clock.base)));
    store_sim_commit(s);
    store_sim_check(s, "after");
}

Test(tsdb, answers_from_blocks_and_refuses_writes_when_the_log_cannot_be_opened)
{
    open_store();
    write_minutes(1);
    close_store();
    fs_sim_fail(s->sim, 1, true, FS_SIM_CREATE | FS_SIM_SYNC, ERR_IO);
    enum err err = store_sim_open(s, &why);
    if (err == ERR_OK) {
        cr_expect_not(store_sim_write(s, 0, 1, clock_now_ms(&s->clock.base)));
        store_sim_check(s, "no log");
    }
    fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
}

/* ---- blocks ---- */

static uint64_t blocks_count(void)
{
    return tsdb_stats(s->db)->blocks;
}

static void flush_store(void)
{
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
}

Test(tsdb, answers_from_head_and_blocks_as_one)
{
    open_store();
    write_minutes(2);
    flush_store();
    cr_expect_eq(blocks_count(), 1);
    struct head_stats head;
    head_stats(tsdb_head(s->db), &head);
    cr_expect_gt(head.mint_ms, head.maxt_ms, "the head is empty");
    cr_expect_eq(store_sim_check(s, "from the block"), 8 * 20);
    write_minutes(2);
    cr_expect_eq(store_sim_check(s, "from both"), 16 * 20);
    close_store();
    open_store();
    cr_expect_eq(blocks_count(), 1);
    cr_expect_eq(store_sim_check(s, "after a restart"), 16 * 20);
    cr_expect_leq(tsdb_stats(s->db)->replay_frames, 10, "the log before the flush is not replayed");
}

static void acknowledged(struct wal_ticket *ticket, enum err err, const struct errmsg *unused)
{
    (void)ticket;
    (void)unused;
    cr_assert_eq(err, ERR_OK);
}

/* Past the model of store_sim: only there. */
static void write_series(uint32_t count)
{
    struct wal_ticket ticket = {.done = acknowledged};
    for (uint32_t i = 0; i < count; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "__name__=many|id=%u", i);
        rw_series(&s->body, labels);
        rw_sample(&s->body, clock_now_ms(&s->clock.base), i);
    }
    struct ingest_result result = {0};
    struct ingest_request request = {
        .encoding = INGEST_IDENTITY, .body = rw_finish(&s->body), .stream = 1, .ticket = &ticket};
    cr_assert(ingest_write(s->ingest, &request, &result));
    store_sim_commit(s);
}

Test(tsdb, rests_when_there_is_nothing_to_do_however_many_series_there_are)
{
    open_store();
    write_series(20000);
    for (int i = 0; i < 10; i++)
        tsdb_run_once(s->db);
    cr_expect_not(tsdb_run_once(s->db));
}

Test(tsdb, flushes_by_itself_when_a_range_is_over)
{
    open_store();
    for (int i = 0; i < 40; i++) {
        write_minutes(1);
        clock_fake_advance(&s->clock, 540000);
        tsdb_run_once(s->db);
    }
    cr_expect_geq(tsdb_stats(s->db)->flushes, 2, "%d", (int)tsdb_stats(s->db)->flushes);
    cr_expect_eq(tsdb_stats(s->db)->flush_errors, 0);
    store_sim_check(s, "after flushes");
    close_store();
    open_store();
    store_sim_check(s, "after a restart");
}

Test(tsdb, takes_checkpoints_when_the_log_grows_and_replays_from_them)
{
    s->o.checkpoint_bytes = 40000;
    open_store();
    for (int i = 0; i < 30; i++) {
        write_minutes(2);
        tsdb_run_once(s->db);
    }
    cr_expect_gt(tsdb_stats(s->db)->checkpoints, 2);
    cr_expect_eq(tsdb_stats(s->db)->checkpoint_errors, 0);
    cr_expect_gt(tsdb_stats(s->db)->checkpoint_changes, 0);
    cr_expect_lt(wal_kept_bytes(tsdb_wal(s->db), tsdb_stats(s->db)->checkpoint_frame + 1), 100000);
    store_sim_check(s, "before");
    close_store();
    open_store();
    store_sim_check(s, "after");
    write_minutes(2);
    store_sim_check(s, "on top");
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    open_store();
    store_sim_check(s, "again");
    cr_expect_eq(tsdb_stats(s->db)->replay_damage, 0);
}

Test(tsdb, merges_small_blocks_and_keeps_every_sample)
{
    open_store();
    for (int i = 0; i < 30; i++) {
        write_minutes(1);
        clock_fake_advance(&s->clock, 1740000);
        store_sim_write(s, 0, 5, clock_now_ms(&s->clock.base) - 20000000); /* late, into older blocks */
        store_sim_commit(s);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_expect_gt(tsdb_stats(s->db)->compactions, 0);
    cr_expect_eq(tsdb_stats(s->db)->compaction_errors, 0);
    cr_expect_lt(blocks_count(), tsdb_stats(s->db)->flushes);
    store_sim_check(s, "merged");
    close_store();
    open_store();
    store_sim_check(s, "after a restart");
}

Test(tsdb, hides_and_drops_what_is_past_retention)
{
    s->o.retention_ms = 6 * 3600000;
    open_store();
    write_minutes(2);
    flush_store();
    clock_fake_advance(&s->clock, 3 * 3600000);
    write_minutes(2);
    tsdb_run_once(s->db); /* looks at the clock: the jump is noticed */
    cr_expect_eq(blocks_count(), 1);
    clock_fake_advance(&s->clock, 3 * 3600000);
    tsdb_run_once(s->db);
    struct querier *q;
    cr_assert_eq(tsdb_storage(s->db)->ops->querier(tsdb_storage(s->db), INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_expect_eq(q->mint_ms, clock_now_ms(&s->clock.base) - s->o.retention_ms, "exactly, whatever blocks there are");
    q->ops->close(q);
    for (int i = 0; i < 20; i++) { /* the clock goes on steadily */
        clock_fake_advance(&s->clock, 60000);
        tsdb_run_once(s->db);
    }
    cr_expect_eq(tsdb_stats(s->db)->blocks_dropped_by_time, 1);
}

Test(tsdb, drops_the_oldest_blocks_when_there_is_no_room)
{
    s->o.retention_bytes = 1;
    open_store();
    write_minutes(2);
    flush_store();
    tsdb_run_once(s->db);
    cr_expect_eq(tsdb_stats(s->db)->blocks_dropped_by_size, 1);
    cr_expect_eq(blocks_count(), 0);
}

static bool first_path(struct arena *arena, const char *part, const char **path)
{
    const char **paths;
    uint32_t n = fs_sim_files(s->sim, arena, &paths);
    for (uint32_t i = 0; i < n; i++)
        if (strstr(paths[i], part)) {
            *path = paths[i];
            return true;
        }
    return false;
}

Test(tsdb, sets_a_damaged_block_aside_and_says_so)
{
    struct arena arena;
    arena_init(&arena, NULL);
    open_store();
    write_minutes(2);
    flush_store();
    clock_fake_advance(&s->clock, 60000);
    write_minutes(1);
    close_store();
    const char *path;
    cr_assert(first_path(&arena, "/index", &path));
    fs_sim_put(s->sim, path, SLICE_LIT("no index at all"));
    open_store();
    cr_expect_eq(blocks_count(), 0);
    cr_expect_eq(tsdb_stats(s->db)->blocks_quarantined, 1);
    cr_expect(first_path(&arena, "data/quarantine/", &path));
    struct querier *q;
    struct series_set *set;
    struct warnings warnings = {.arena = &arena};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
    cr_assert_eq(tsdb_storage(s->db)->ops->querier(tsdb_storage(s->db), INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    cr_expect_eq(set->count, 20, "the head answers");
    cr_assert_eq(warnings.count, 1);
    cr_expect(strstr(warnings.list[0], "is not used"), "%s", warnings.list[0]);
    q->ops->close(q);
    close_store();
    open_store();
    cr_expect_eq(tsdb_stats(s->db)->blocks_missing, 0, "the manifest knows that it is in quarantine");
    arena_deinit(&arena);
}

Test(tsdb, reports_a_missing_block_and_starts)
{
    open_store();
    write_minutes(2);
    flush_store();
    close_store();
    struct arena arena;
    arena_init(&arena, NULL);
    const char *path;
    cr_assert(first_path(&arena, "/index", &path));
    char dir[256];
    snprintf(dir, sizeof dir, "%.*s", (int)(strlen(path) - 6), path);
    cr_assert_eq(fs_remove_all(s->o.fs, dir, &why), ERR_OK);
    open_store();
    cr_expect_eq(tsdb_stats(s->db)->blocks_missing, 1);
    write_minutes(1);
    arena_deinit(&arena);
}

Test(tsdb, rebuilds_the_manifest_from_the_blocks)
{
    open_store();
    write_minutes(2);
    flush_store();
    write_minutes(1);
    close_store();
    cr_assert_eq(fs_unlink(s->o.fs, "data/MANIFEST", &why), ERR_OK);
    open_store();
    cr_expect_eq(blocks_count(), 1);
    cr_expect_eq(store_sim_check(s, "rebuilt"), 12 * 20);
}

Test(tsdb, removes_what_a_crash_left_behind)
{
    open_store();
    close_store();
    cr_assert_eq(fs_mkdir_all(s->o.fs, "data/blocks/01HF7YAT00TTTTTTTTTTTTTTTT.tmp", &why), ERR_OK);
    cr_assert_eq(fs_mkdir_all(s->o.fs, "data/blocks/01HF7YAT00TTTTTTTTTTTTTTTT", &why), ERR_OK);
    cr_assert_eq(fs_mkdir_all(s->o.fs, "data/blocks/lost+found", &why), ERR_OK);
    fs_sim_put(s->sim, "data/checkpoints/0000000000000009.checkpoint", SLICE_LIT("x"));
    open_store();
    struct fs_stat st;
    cr_expect_eq(fs_stat_path(s->o.fs, "data/blocks/01HF7YAT00TTTTTTTTTTTTTTTT.tmp", &st, NULL), ERR_NOT_FOUND);
    cr_expect_eq(fs_stat_path(s->o.fs, "data/blocks/01HF7YAT00TTTTTTTTTTTTTTTT", &st, NULL), ERR_NOT_FOUND);
    cr_expect_eq(fs_stat_path(s->o.fs, "data/checkpoints/0000000000000009.checkpoint", &st, NULL), ERR_NOT_FOUND);
    cr_expect_eq(fs_stat_path(s->o.fs, "data/blocks/lost+found", &st, NULL), ERR_OK, "not ours");
}

Test(tsdb, verify_finds_nothing_in_a_sound_directory_and_every_damage)
{
    struct tsdb_verify_options o = {0};
    struct buf out = {0};
    uint64_t problems;
    open_store();
    write_minutes(2);
    flush_store();
    write_minutes(1);
    cr_assert_eq(tsdb_verify(s->o.fs, "data", &o, &out, &problems, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(problems, 0, "beside a running server: %s", buf_cstr(&out));
    close_store();
    struct arena arena;
    arena_init(&arena, NULL);
    const char **paths;
    uint32_t count = fs_sim_files(s->sim, &arena, &paths);
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = fs_sim_bytes(s->sim, paths[i]).len;
        if (strstr(paths[i], "lock") || strstr(paths[i], "reserve") || strstr(paths[i], ".spare") || bytes == 0)
            continue;
        uint64_t bit = strstr(paths[i], ".wal") ? 8 * 600 : bytes * 4; /* in a frame; in the middle */
        fs_sim_flip(s->sim, paths[i], bit);
        buf_reset(&out);
        cr_assert_eq(tsdb_verify(s->o.fs, "data", &o, &out, &problems, &why), ERR_OK, "%s", why.text);
        bool in_use = !strstr(paths[i], ".wal") || strstr(buf_cstr(&out), "missing") || problems == 0;
        cr_expect(problems > 0 || in_use, "%s: %s", paths[i], buf_cstr(&out));
        if (!strstr(paths[i], ".wal"))
            cr_expect_gt(problems, 0, "%s: %s", paths[i], buf_cstr(&out));
        fs_sim_flip(s->sim, paths[i], bit);
    }
    o.json = true;
    buf_reset(&out);
    cr_assert_eq(tsdb_verify(s->o.fs, "data", &o, &out, &problems, &why), ERR_OK);
    cr_expect(strstr(buf_cstr(&out), "{\"problems\":[],\"checked\":[{\"blocks\":1,"), "%s", buf_cstr(&out));
    buf_reset(&out);
    cr_assert_eq(tsdb_inspect(s->o.fs, "data", false, &out, &why), ERR_OK);
    cr_expect(strstr(buf_cstr(&out), "blocks: id="), "%s", buf_cstr(&out));
    cr_expect_eq(tsdb_verify(s->o.fs, "nowhere", &o, &out, &problems, &why), ERR_NOT_FOUND);
    buf_deinit(&out);
    arena_deinit(&arena);
}

Test(tsdb, flushes_right_after_a_checkpoint)
{
    s->o.checkpoint_bytes = 1;
    open_store();
    write_minutes(2);
    tsdb_run_once(s->db);
    cr_assert_eq(tsdb_stats(s->db)->checkpoints, 1);
    flush_store(); /* not a frame was written in between */
    cr_expect_eq(blocks_count(), 1);
    cr_expect_eq(store_sim_check(s, "flushed"), 8 * 20);
}

Test(tsdb, drops_blocks_on_a_full_disk)
{
    s->o.retention_bytes = 1;
    open_store();
    write_minutes(2);
    flush_store();
    struct fs_space space;
    fs_sim_capacity(s->sim, UINT64_C(1) << 40);
    cr_assert_eq(fs_space_of(s->o.fs, "data", &space, &why), ERR_OK);
    fs_sim_capacity(s->sim, space.total_bytes - space.free_bytes);
    tsdb_run_once(s->db);
    cr_expect_eq(tsdb_stats(s->db)->blocks_dropped_by_size, 1, "the reserve makes room for the manifest");
    fs_sim_capacity(s->sim, 0);
    clock_fake_advance(&s->clock, 120000);
    tsdb_run_once(s->db);
    struct fs_stat st;
    cr_expect_eq(fs_stat_path(s->o.fs, "data/reserve", &st, NULL), ERR_OK, "made again");
}

Test(tsdb, flushes_early_when_the_head_takes_too_much_memory)
{
    s->o.head_bytes_max = 60000;
    open_store();
    for (int i = 0; i < 60; i++) {
        for (uint32_t k = 0; k < 4; k++)
            cr_assert(store_sim_write(s, k * 60, 60, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        clock_fake_advance(&s->clock, 1000);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_expect_gt(tsdb_stats(s->db)->flushes, 1);
    cr_expect_gt(tsdb_stats(s->db)->compactions, 0, "of %d flushes", (int)tsdb_stats(s->db)->flushes);
    cr_expect_lt(blocks_count(), 16);
    store_sim_check(s, "after early flushes");
}

static bool count_block(void *ctx, const struct tsdb_block_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return true;
}

Test(tsdb, writes_a_backfill_of_months_into_few_blocks_and_leaves_recent_samples_in_the_head)
{
    const int64_t day = INT64_C(86400000);
    open_store();
    write_minutes(240);
    cr_assert(tsdb_run_once(s->db));
    int64_t now = clock_now_ms(&s->clock.base);
    struct head_stats before, after;
    head_stats(tsdb_head(s->db), &before);
    for (int64_t t = now - 90 * day; t < now - day; t += day / 8) {
        cr_assert(store_sim_write(s, 0, 20, t));
        store_sim_commit(s);
    }
    while (tsdb_run_once(s->db))
        ;
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    int blocks = 0;
    tsdb_blocks(s->db, count_block, &blocks);
    cr_expect_lt(blocks, 90 / 7 + 2 * 7 + 8, "%d blocks", blocks);
    store_sim_check(s, "backfilled");
    while (tsdb_run_once(s->db))
        clock_fake_advance(&s->clock, 1000);
    store_sim_check(s, "merged");
    head_stats(tsdb_head(s->db), &after);
    cr_expect_eq(after.series, before.series);
}
