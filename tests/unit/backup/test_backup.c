/* Backups on a simulated disk: what comes back, what is noticed, what an interruption leaves. */
#include "backup/backup.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "backup/backup_internal.h"
#include "lib/store_sim.h"

static struct store_sim *s;
static struct errmsg why;
static struct buf out;

static void setup(void)
{
    s = store_sim_new(1);
    s->o.wal.segment_bytes = 4096;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
    buf_deinit(&out);
}

TestSuite(backup, .init = setup, .fini = teardown);

static void write_samples(int count)
{
    for (int i = 0; i < count; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
}

static enum err make(struct backup_report *report)
{
    return backup_make(&(struct backup_options){.fs = s->o.fs,
                                                .clock = &s->clock.base,
                                                .random = &s->random.base,
                                                .dir = "data",
                                                .dest = "copies"},
                       report, &why);
}

static struct backup_report must_make(void)
{
    struct backup_report report;
    clock_fake_advance(&s->clock, 1000);
    cr_assert_eq(make(&report), ERR_OK, "%s", why.text);
    return report;
}

static uint64_t restore(const char *name, const char *dir)
{
    uint64_t problems = 0;
    buf_reset(&out);
    cr_assert_eq(backup_restore(s->o.fs, "copies", name, dir, &out, &problems, &why), ERR_OK, "%s", why.text);
    return problems;
}

static uint64_t verify(void)
{
    uint64_t problems = 0;
    buf_reset(&out);
    cr_assert_eq(backup_verify(s->o.fs, "copies", &out, &problems, &why), ERR_OK, "%s", why.text);
    return problems;
}

/* The store at `then` must be what is in `dir`. */
static void expect_store(struct store_sim *then, const char *dir, uint64_t samples)
{
    snprintf(then->dir, sizeof then->dir, "%s", dir);
    cr_assert_eq(store_sim_open(then, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(store_sim_check(then, dir), samples);
    store_sim_free(then);
}

Test(backup, of_a_running_store_comes_back)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    write_samples(20);
    struct backup_report first = must_make();
    cr_expect_gt(first.files, 4);
    cr_expect_eq(first.new_files, first.files);
    struct store_sim *then = store_sim_fork(s, "");
    write_samples(10);
    struct backup_report second = must_make();
    cr_expect_lt(second.new_bytes, second.bytes, "blocks are there already");
    cr_expect_eq(verify(), 0, "%s", buf_cstr(&out));
    struct store_sim *now = store_sim_fork(s, "");
    cr_assert_eq(restore(first.name, "old"), 0);
    expect_store(then, "old", 40 * 20);
    cr_assert_eq(restore(NULL, "new"), 0);
    expect_store(now, "new", 50 * 20);
    store_sim_check(s, "the store itself");
}

Test(backup, of_a_stopped_store_and_of_a_snapshot_comes_back)
{
    char name[TSDB_SNAPSHOT_NAME], dir[128];
    struct backup_report report;
    write_samples(20);
    struct store_sim *then = store_sim_fork(s, "");
    cr_assert_eq(tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, name, &why), ERR_OK, "%s", why.text);
    write_samples(5);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    must_make();
    cr_assert_eq(restore(NULL, "stopped"), 0);
    struct store_sim *now = store_sim_fork(s, "");
    expect_store(now, "stopped", 25 * 20);
    snprintf(dir, sizeof dir, "data/snapshots/%s", name);
    struct backup_options o = {
        .fs = s->o.fs, .clock = &s->clock.base, .random = &s->random.base, .dir = dir, .dest = "others"};
    cr_assert_eq(backup_make(&o, &report, &why), ERR_OK, "%s", why.text);
    uint64_t problems;
    cr_assert_eq(backup_restore(s->o.fs, "others", NULL, "snap", &out, &problems, &why), ERR_OK, "%s", why.text);
    expect_store(then, "snap", 20 * 20);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

Test(backup, every_damaged_or_missing_content_is_named_and_the_restore_is_not_used)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    write_samples(3);
    must_make();
    struct arena arena;
    const char **paths;
    arena_init(&arena, NULL);
    uint32_t count = fs_sim_files(s->sim, &arena, &paths), objects = 0;
    for (uint32_t i = 0; i < count; i++) {
        char dir[32];
        if (strncmp(paths[i], "copies/objects/", 15) != 0)
            continue;
        objects++;
        uint64_t bit = fs_sim_bytes(s->sim, paths[i]).len * 8 / 3;
        fs_sim_flip(s->sim, paths[i], bit);
        cr_expect_eq(verify(), 1, "%s", paths[i]);
        snprintf(dir, sizeof dir, "bad%u", i);
        cr_expect_eq(restore(NULL, dir), 1, "%s", paths[i]);
        cr_expect(strstr(buf_cstr(&out), paths[i]), "%s", buf_cstr(&out));
        struct store_sim *copy = store_sim_fork(s, dir);
        cr_expect_eq(store_sim_open(copy, &why), ERR_INVALID);
        cr_expect(strstr(why.text, "being restored"), "%s", why.text);
        store_sim_free(copy);
        fs_sim_flip(s->sim, paths[i], bit);
        cr_assert_eq(fs_rename(s->o.fs, paths[i], "elsewhere", &why), ERR_OK);
        cr_expect_eq(verify(), 1, "%s", paths[i]);
        snprintf(dir, sizeof dir, "gone%u", i);
        cr_expect_eq(restore(NULL, dir), 1, "%s", paths[i]);
        cr_assert_eq(fs_rename(s->o.fs, "elsewhere", paths[i], &why), ERR_OK);
    }
    cr_expect_gt(objects, 4);
    cr_expect_eq(verify(), 0);
    arena_deinit(&arena);
}

Test(backup, a_full_one_replaces_damaged_contents)
{
    write_samples(20);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    must_make();
    struct arena arena;
    const char **paths, *largest = "";
    arena_init(&arena, NULL);
    uint32_t count = fs_sim_files(s->sim, &arena, &paths);
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(paths[i], "copies/objects/", 15) == 0 &&
            fs_sim_bytes(s->sim, paths[i]).len > fs_sim_bytes(s->sim, largest).len)
            largest = paths[i];
    fs_sim_flip(s->sim, largest, 99);
    must_make();
    cr_expect_eq(verify(), 1, "one that only adds what is new does not look");
    struct backup_report report;
    struct backup_options o = {.fs = s->o.fs,
                               .clock = &s->clock.base,
                               .random = &s->random.base,
                               .dir = "data",
                               .dest = "copies",
                               .full = true};
    clock_fake_advance(&s->clock, 1000);
    cr_assert_eq(backup_make(&o, &report, &why), ERR_OK, "%s", why.text);
    cr_expect_geq(report.new_files, 1);
    cr_expect_eq(verify(), 0, "%s", buf_cstr(&out));
    arena_deinit(&arena);
}

Test(backup, a_damaged_format_file_keeps_nobody_from_a_restore)
{
    static const char *const bad[] = {"", "gnomon backups 1", "gnomon bbckups 1\n", "gnomon backups 0\n", "\377"};
    write_samples(5);
    must_make();
    struct store_sim *then = store_sim_fork(s, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char dir[16];
        fs_sim_put(s->sim, "copies/format", slice_str(bad[i]));
        cr_expect_eq(verify(), 1, "%s", bad[i]);
        snprintf(dir, sizeof dir, "new%zu", i);
        cr_expect_eq(restore(NULL, dir), 0, "%s", bad[i]);
    }
    expect_store(then, "new0", 5 * 20);
    must_make();
    cr_expect_eq(verify(), 0, "it is written anew");
}

Test(backup, any_flipped_bit_of_a_list_is_noticed)
{
    write_samples(3);
    struct backup_report report = must_make();
    char path[128];
    snprintf(path, sizeof path, "copies/backups/%s", report.name);
    uint64_t bits = fs_sim_bytes(s->sim, path).len * 8;
    for (uint64_t bit = 0; bit < bits; bit += 7) {
        fs_sim_flip(s->sim, path, bit);
        cr_expect_eq(verify(), 1, "bit %llu", (unsigned long long)bit);
        fs_sim_flip(s->sim, path, bit);
    }
    cr_expect_eq(verify(), 0);
}

Test(backup, a_list_cannot_name_a_place_outside)
{
    static const char *const bad[] = {"/etc/passwd", "../x", "a/../../x", "a//b", "", ".", "wal/.hidden", "a b", "a\\b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(path_is_safe(bad[i]), "%s", bad[i]);
    cr_expect(path_is_safe("blocks/01ABC/data") && path_is_safe("MANIFEST"));
    cr_expect_not(backup_name_is_safe("a/b"));
    uint64_t problems;
    write_samples(1);
    must_make();
    cr_expect_eq(backup_restore(s->o.fs, "copies", "../format", "x", &out, &problems, &why), ERR_INVALID);
}

Test(backup, is_restored_into_an_empty_directory_only)
{
    uint64_t problems;
    write_samples(1);
    must_make();
    cr_assert_eq(fs_mkdir_all(s->o.fs, "target/lost+found", &why), ERR_OK);
    cr_expect_eq(restore(NULL, "target"), 0);
    cr_expect_eq(backup_restore(s->o.fs, "copies", NULL, "target", &out, &problems, &why), ERR_EXISTS);
    cr_expect_eq(backup_restore(s->o.fs, "nowhere", NULL, "t2", &out, &problems, &why), ERR_NOT_FOUND);
    struct backup_report report;
    cr_assert_eq(fs_mkdir_all(s->o.fs, "mine/photos", &why), ERR_OK);
    struct backup_options o = {
        .fs = s->o.fs, .clock = &s->clock.base, .random = &s->random.base, .dir = "data", .dest = "mine"};
    cr_expect_eq(backup_make(&o, &report, &why), ERR_INVALID, "not among other things");
    fs_sim_put(s->sim, "copies/format", SLICE_LIT("gnomon backups 2\n"));
    cr_expect_eq(make(&report), ERR_UNSUPPORTED);
}

Test(backup, pruning_keeps_what_the_kept_ones_need)
{
    struct backup_report reports[4];
    for (int i = 0; i < 4; i++) {
        write_samples(10);
        cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
        reports[i] = must_make();
    }
    struct store_sim *now = store_sim_fork(s, "");
    cr_assert_eq(backup_prune(s->o.fs, "copies", 2, &out, &why), ERR_OK, "%s", why.text);
    cr_expect(strstr(buf_cstr(&out), reports[1].name) && !strstr(buf_cstr(&out), reports[2].name), "%s",
              buf_cstr(&out));
    cr_expect_eq(verify(), 0);
    cr_expect(strstr(buf_cstr(&out), "2 backups"), "%s", buf_cstr(&out));
    cr_assert_eq(restore(NULL, "new"), 0);
    expect_store(now, "new", 40 * 20);
    cr_expect_eq(backup_prune(s->o.fs, "copies", 0, &out, &why), ERR_INVALID);
}

/* Power fails at the n-th change of the disk while a second backup is made. */
static bool interrupted_at(uint64_t n, enum fs_sim_survival survival)
{
    struct backup_report report;
    write_samples(10);
    struct backup_report first = must_make();
    struct store_sim *then = store_sim_fork(s, "");
    write_samples(10);
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
    clock_fake_advance(&s->clock, 1000);
    fs_sim_power_off_at(s->sim, n);
    enum err err = make(&report);
    bool off = fs_sim_is_off(s->sim);
    store_sim_kill(s);
    fs_sim_restart(s->sim, survival, n);
    cr_expect_eq(verify(), 0, "%llu: %s", (unsigned long long)n, buf_cstr(&out));
    cr_assert_eq(restore(first.name, "old"), 0);
    expect_store(then, "old", 10 * 20);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "the store itself");
    if (err == ERR_OK)
        cr_assert_eq(restore(report.name, "new"), 0);
    must_make();
    cr_expect_eq(verify(), 0, "%llu: %s", (unsigned long long)n, buf_cstr(&out));
    return off;
}

Test(backup, an_interrupted_one_leaves_the_earlier_ones_whole)
{
    bool off = true;
    uint64_t cases = 0;
    for (uint64_t n = 1; off; n += 2, cases++) {
        teardown();
        setup();
        off = interrupted_at(n, (enum fs_sim_survival)(n % FS_SIM_SURVIVALS));
    }
    cr_expect_gt(cases, 20);
}

Test(backup, failing_calls_are_errors_and_nothing_is_lost)
{
    write_samples(10);
    must_make();
    write_samples(10);
    for (uint64_t n = 1; n < 400; n += 3) {
        struct backup_report report;
        clock_fake_advance(&s->clock, 1000);
        fs_sim_fail(s->sim, n, false, FS_SIM_ANY & ~(unsigned)FS_SIM_CLOSE, n % 2 ? ERR_IO : ERR_NO_SPACE);
        enum err err = make(&report);
        fs_sim_fail(s->sim, 0, false, 0, ERR_OK);
        cr_expect_eq(verify(), 0, "call %llu (%s): %s", (unsigned long long)n, err_name(err), buf_cstr(&out));
    }
    store_sim_check(s, "the store itself");
}
