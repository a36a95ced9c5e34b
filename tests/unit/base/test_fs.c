/* The real file system behind the seam, in a temporary directory. */
#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/gnomon-fs-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    struct errmsg why = {0};
    cr_assert_eq(fs_remove_all(fs_posix(), dir, &why), ERR_OK, "%s", why.text);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

TestSuite(fs_posix, .init = setup, .fini = teardown);

Test(fs_posix, writes_in_parts_and_reads_back)
{
    struct file *f;
    struct errmsg why = {0};
    cr_assert_eq(fs_open(fs_posix(), in_dir("a"), FS_WRITE | FS_CREATE, &f, &why), ERR_OK, "%s", why.text);
    char one[] = "hello ", two[] = "world";
    struct iovec parts[] = {{one, 6}, {two, 0}, {two, 5}};
    cr_assert_eq(file_pwritev(f, parts, 3, 3, &why), ERR_OK, "%s", why.text);
    char got[32] = {0};
    size_t n = 0;
    cr_assert_eq(file_pread(f, got, sizeof got, 0, &n, &why), ERR_OK);
    cr_expect_eq(n, 14);
    cr_expect_arr_eq(got, "\0\0\0hello world", 14);
    cr_expect_eq(file_pread_all(f, got, 20, 0, &why), ERR_CORRUPT);
    cr_expect_str_eq(why.text, "6 bytes short at offset 0");
    cr_expect_eq(file_close(f, &why), ERR_OK);
}

Test(fs_posix, names_the_file_and_the_reason)
{
    struct file *f;
    struct errmsg why = {0};
    cr_expect_eq(fs_open(fs_posix(), in_dir("missing"), FS_READ, &f, &why), ERR_NOT_FOUND);
    cr_expect(strstr(why.text, "missing: No such file or directory"), "%s", why.text);
}

Test(fs_posix, replaces_a_file_whole)
{
    struct errmsg why = {0};
    cr_assert_eq(fs_replace_file(fs_posix(), in_dir("m"), SLICE_LIT("one"), &why), ERR_OK, "%s", why.text);
    cr_assert_eq(fs_replace_file(fs_posix(), in_dir("m"), SLICE_LIT("second"), &why), ERR_OK, "%s", why.text);
    struct buf got = {0};
    cr_assert_eq(fs_read_file(fs_posix(), in_dir("m"), 100, &got, &why), ERR_OK, "%s", why.text);
    cr_expect(slice_eq_str(buf_view(&got), "second"));
    cr_expect_eq(fs_read_file(fs_posix(), in_dir("m"), 5, &got, &why), ERR_LIMIT);
    buf_deinit(&got);
}

Test(fs_posix, holds_a_lock_against_a_second_opener)
{
    struct file *a, *b;
    struct errmsg why = {0};
    cr_assert_eq(fs_open(fs_posix(), in_dir("lock"), FS_WRITE | FS_CREATE, &a, &why), ERR_OK);
    cr_assert_eq(fs_open(fs_posix(), in_dir("lock"), FS_WRITE, &b, &why), ERR_OK);
    cr_expect_eq(file_lock(a, &why), ERR_OK);
    cr_expect_eq(file_lock(b, &why), ERR_EXISTS);
    cr_expect_eq(file_close(a, &why), ERR_OK);
    cr_expect_eq(file_lock(b, &why), ERR_OK, "free again");
    cr_expect_eq(file_close(b, &why), ERR_OK);
}

Test(fs_posix, makes_and_removes_trees)
{
    struct errmsg why = {0};
    cr_assert_eq(fs_mkdir_all(fs_posix(), in_dir("x/y/z"), &why), ERR_OK, "%s", why.text);
    cr_assert_eq(fs_mkdir_all(fs_posix(), in_dir("x/y/z"), &why), ERR_OK, "fine when there");
    cr_assert_eq(fs_remove_all(fs_posix(), in_dir("x"), &why), ERR_OK, "%s", why.text);
    struct fs_stat st;
    cr_expect_eq(fs_stat_path(fs_posix(), in_dir("x"), &st, &why), ERR_NOT_FOUND);
}

Test(fs_posix, removing_a_tree_does_not_follow_links)
{
    struct errmsg why = {0};
    char keep[300], tree[300], link[320];
    snprintf(keep, sizeof keep, "%s", in_dir("keep/inside"));
    snprintf(tree, sizeof tree, "%s", in_dir("tree"));
    snprintf(link, sizeof link, "%s/link", tree);
    cr_assert_eq(fs_mkdir_all(fs_posix(), keep, &why), ERR_OK);
    cr_assert_eq(fs_mkdir_all(fs_posix(), tree, &why), ERR_OK);
    cr_assert_eq(symlink(in_dir("keep"), link), 0);
    snprintf(link, sizeof link, "%s/dangling", tree);
    cr_assert_eq(symlink("/nowhere/at/all", link), 0);
    cr_assert_eq(fs_remove_all(fs_posix(), tree, &why), ERR_OK, "%s", why.text);
    struct fs_stat st;
    cr_expect_eq(fs_stat_path(fs_posix(), keep, &st, &why), ERR_OK, "still there");
    cr_expect_eq(fs_stat_path(fs_posix(), tree, &st, &why), ERR_NOT_FOUND);
}

Test(fs_posix, a_directory_that_cannot_be_synced_is_taken_as_it_is)
{
    struct errmsg why = {0};
    cr_expect_eq(fs_sync_dir(fs_posix(), "/proc/self", &why), ERR_OK, "%s",
                 why.text); /* EINVAL, as some network ones */
    cr_expect_eq(fs_sync_dir(fs_posix(), in_dir("missing"), &why), ERR_NOT_FOUND);
}

Test(fs_posix, knows_memory_when_it_sees_it)
{
    struct errmsg why = {0};
    struct fs_space space;
    if (fs_space_of(fs_posix(), "/dev/shm", &space, &why) == ERR_OK && space.kind[0])
        cr_expect(space.volatile_ && !space.shared && !space.layered);
    cr_assert_eq(fs_space_of(fs_posix(), dir, &space, &why), ERR_OK, "%s", why.text);
    cr_expect_geq(space.total_bytes, space.free_bytes);
    cr_expect_not_null(space.kind);
}
