/* The simulated disk forgets what POSIX allows to be forgotten, and nothing else. */
#include "lib/fs_sim.h"

#include <criterion/criterion.h>

static struct fs_sim *sim;
static struct errmsg why;

static void setup(void)
{
    sim = fs_sim_new();
    cr_assert_eq(fs_mkdir(fs_sim_fs(sim), "d", &why), ERR_OK);
    cr_assert_eq(fs_sync_dir(fs_sim_fs(sim), ".", &why), ERR_OK);
}

static void teardown(void)
{
    fs_sim_free(sim);
}

TestSuite(fs_sim, .init = setup, .fini = teardown);

static struct file *open_new(const char *path)
{
    struct file *f = NULL;
    cr_assert_eq(fs_open(fs_sim_fs(sim), path, FS_WRITE | FS_CREATE, &f, &why), ERR_OK, "%s", why.text);
    return f;
}

static void close_it(struct file *f)
{
    cr_assert_eq(file_close(f, &why), ERR_OK, "%s", why.text);
}

static void put(struct file *f, const char *text, uint64_t offset)
{
    cr_assert_eq(file_pwrite(f, text, strlen(text), offset, &why), ERR_OK, "%s", why.text);
}

static bool exists(const char *path)
{
    struct fs_stat st;
    return fs_stat_path(fs_sim_fs(sim), path, &st, NULL) == ERR_OK;
}

Test(fs_sim, keeps_what_was_synced_under_every_policy)
{
    struct file *f = open_new("d/a");
    put(f, "kept", 0);
    cr_assert_eq(file_sync(f, true, &why), ERR_OK);
    cr_assert_eq(fs_sync_dir(fs_sim_fs(sim), "d", &why), ERR_OK);
    close_it(f);
    for (int policy = 0; policy < FS_SIM_SURVIVALS; policy++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            fs_sim_restart(sim, (enum fs_sim_survival)policy, seed);
            cr_assert(slice_eq_str(fs_sim_bytes(sim, "d/a"), "kept"), "%d %d", policy, (int)seed);
        }
}

Test(fs_sim, forgets_names_that_only_the_file_sync_covers)
{
    struct file *f = open_new("d/a");
    put(f, "data", 0);
    cr_assert_eq(file_sync(f, false, &why), ERR_OK);
    close_it(f);
    fs_sim_restart(sim, FS_SIM_NONE, 1);
    cr_expect_not(exists("d/a"));
}

Test(fs_sim, forgets_data_but_not_names_when_asked)
{
    struct file *f = open_new("d/a");
    put(f, "data", 0);
    close_it(f);
    fs_sim_restart(sim, FS_SIM_NAMES, 1);
    cr_expect(exists("d/a"));
    cr_expect_eq(fs_sim_bytes(sim, "d/a").len, 0);
}

Test(fs_sim, tears_a_write_at_pages_and_only_the_last_one)
{
    static char page[3 * 4096];
    memset(page, 'x', sizeof page);
    bool seen[4] = {0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct file *f = open_new("d/t");
        cr_assert_eq(fs_sync_dir(fs_sim_fs(sim), "d", &why), ERR_OK);
        cr_assert_eq(file_truncate(f, 0, &why), ERR_OK);
        cr_assert_eq(file_sync(f, true, &why), ERR_OK);
        cr_assert_eq(file_pwrite(f, page, sizeof page, 0, &why), ERR_OK);
        close_it(f);
        fs_sim_restart(sim, FS_SIM_TORN, seed);
        size_t len = fs_sim_bytes(sim, "d/t").len;
        cr_assert_eq(len % 4096, 0);
        seen[len / 4096] = true;
    }
    cr_expect(seen[0] && seen[1] && seen[2] && seen[3]);
}

Test(fs_sim, a_rename_is_lost_or_done_but_never_half)
{
    fs_sim_put(sim, "d/old", SLICE_LIT("old"));
    for (uint64_t seed = 0; seed < 40; seed++) {
        fs_sim_put(sim, "d/new", SLICE_LIT("new"));
        fs_sim_put(sim, "d/old", SLICE_LIT("old"));
        cr_assert_eq(fs_rename(fs_sim_fs(sim), "d/new", "d/old", &why), ERR_OK);
        fs_sim_restart(sim, FS_SIM_SECTORS, seed);
        bool done = slice_eq_str(fs_sim_bytes(sim, "d/old"), "new");
        cr_expect_neq(done, exists("d/new"));
        cr_expect(done || slice_eq_str(fs_sim_bytes(sim, "d/old"), "old"));
    }
}

Test(fs_sim, unlinks_may_come_before_the_rename_that_replaces_them)
{
    fs_sim_put(sim, "d/new.tmp", SLICE_LIT("new"));
    fs_sim_put(sim, "d/old", SLICE_LIT("old"));
    cr_assert_eq(fs_rename(fs_sim_fs(sim), "d/new.tmp", "d/new", &why), ERR_OK);
    cr_assert_eq(fs_unlink(fs_sim_fs(sim), "d/old", &why), ERR_OK);
    fs_sim_restart(sim, FS_SIM_UNLINKS, 1);
    cr_expect(!exists("d/new") && !exists("d/old") && exists("d/new.tmp"));
}

Test(fs_sim, a_failed_sync_loses_the_data_even_if_a_later_one_succeeds)
{
    struct file *f = open_new("d/a");
    cr_assert_eq(fs_sync_dir(fs_sim_fs(sim), "d", &why), ERR_OK);
    put(f, "data", 0);
    fs_sim_fail(sim, 1, false, FS_SIM_SYNC, ERR_IO);
    cr_expect_eq(file_sync(f, true, &why), ERR_IO);
    cr_expect_eq(file_sync(f, true, &why), ERR_OK);
    close_it(f);
    fs_sim_restart(sim, FS_SIM_NONE, 1);
    cr_expect_eq(fs_sim_bytes(sim, "d/a").len, 0);
}

Test(fs_sim, fails_the_nth_call_once_or_for_ever)
{
    struct file *f = open_new("d/a");
    fs_sim_fail(sim, 2, false, FS_SIM_WRITE, ERR_NO_SPACE);
    put(f, "1", 0);
    cr_expect_eq(file_pwrite(f, "2222", 4, 0, &why), ERR_NO_SPACE);
    cr_expect(slice_eq_str(fs_sim_bytes(sim, "d/a"), "22"), "the first half was written");
    put(f, "3", 0);
    fs_sim_fail(sim, 1, true, FS_SIM_WRITE, ERR_IO);
    cr_expect_eq(file_pwrite(f, "4", 1, 0, &why), ERR_IO);
    cr_expect_eq(file_pwrite(f, "4", 1, 0, &why), ERR_IO);
    cr_expect_eq(fs_sim_failures(sim), 2);
    fs_sim_fail(sim, 0, false, 0, ERR_OK);
    close_it(f);
}

Test(fs_sim, goes_off_and_clones_keep_their_own_fate)
{
    struct file *f = open_new("d/a");
    cr_assert_eq(fs_sync_dir(fs_sim_fs(sim), "d", &why), ERR_OK);
    fs_sim_power_off_at(sim, 2);
    put(f, "one", 0);
    struct fs_sim *copy = fs_sim_clone(sim);
    cr_expect_eq(file_sync(f, true, &why), ERR_IO);
    cr_expect_eq(file_close(f, &why), ERR_IO);
    cr_expect_eq(fs_mkdir(fs_sim_fs(sim), "x", &why), ERR_IO);
    fs_sim_restart(sim, FS_SIM_NONE, 1);
    fs_sim_restart(copy, FS_SIM_ALL, 1);
    cr_expect_eq(fs_sim_bytes(sim, "d/a").len, 0);
    cr_expect(slice_eq_str(fs_sim_bytes(copy, "d/a"), "one"));
    fs_sim_free(copy);
}

Test(fs_sim, runs_out_of_space)
{
    fs_sim_capacity(sim, 8);
    struct file *f = open_new("d/a");
    put(f, "12345678", 0);
    put(f, "overwrit", 0);
    cr_expect_eq(file_pwrite(f, "9", 1, 8, &why), ERR_NO_SPACE);
    cr_assert_eq(file_truncate(f, 4, &why), ERR_OK);
    put(f, "5678", 4);
    close_it(f);
    f = open_new("d/b");
    cr_expect_eq(file_pwrite(f, "9", 1, 0, &why), ERR_NO_SPACE);
    cr_assert_eq(fs_unlink(fs_sim_fs(sim), "d/a", &why), ERR_OK);
    put(f, "9", 0);
    close_it(f);
}

Test(fs_sim, lists_files_and_holds_locks)
{
    fs_sim_put(sim, "d/b", SLICE_LIT("1"));
    fs_sim_put(sim, "d/a", SLICE_LIT("1"));
    struct arena arena;
    arena_init(&arena, NULL);
    const char **paths;
    cr_assert_eq(fs_sim_files(sim, &arena, &paths), 2);
    cr_expect_str_eq(paths[0], "d/a");
    arena_deinit(&arena);
    struct file *one = open_new("d/a"), *two = open_new("d/a");
    cr_expect_eq(file_lock(one, &why), ERR_OK);
    cr_expect_eq(file_lock(two, &why), ERR_EXISTS);
    close_it(one);
    cr_expect_eq(file_lock(two, &why), ERR_OK);
    close_it(two);
}
