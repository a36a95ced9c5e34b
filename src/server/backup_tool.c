/* backup_tool.c - `gnomon backup ...` and `gnomon restore ...`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup.h"
#include "server/server_internal.h"

static int usage(void)
{
    fprintf(stderr, "usage: gnomon backup [--full] DIR DEST | gnomon backup verify DEST | gnomon backup list DEST |\n"
                    "       gnomon backup prune --keep N DEST | gnomon restore [--backup NAME] DEST DIR\n");
    return 2;
}

static int failed(const char *what, const struct errmsg *why)
{
    fprintf(stderr, "gnomon %s: %s\n", what, why->text);
    return 1;
}

static int print(struct buf *out, int status)
{
    fwrite(out->data, 1, out->len, stdout);
    buf_deinit(out);
    return status;
}

static int backup_new(const char *dir, const char *dest, bool full)
{
    struct backup_options o = {
        .fs = fs_posix(), .clock = clock_system(), .random = random_system(), .dir = dir, .dest = dest, .full = full};
    struct backup_report report;
    struct errmsg why = {0};
    if (backup_make(&o, &report, &why) != ERR_OK)
        return failed("backup", &why);
    printf("%s: %llu files, %llu bytes; new: %llu files, %llu bytes\n", report.name, (unsigned long long)report.files,
           (unsigned long long)report.bytes, (unsigned long long)report.new_files,
           (unsigned long long)report.new_bytes);
    return 0;
}

static int backup_check(const char *dest)
{
    struct buf out = {0};
    struct errmsg why = {0};
    uint64_t problems = 0;
    enum err err = backup_verify(fs_posix(), dest, &out, &problems, &why);
    int status = print(&out, problems > 0);
    return err == ERR_OK ? status : failed("backup verify", &why);
}

static int backup_names(const char *dest)
{
    struct buf out = {0};
    struct errmsg why = {0};
    enum err err = backup_list(fs_posix(), dest, &out, &why);
    print(&out, 0);
    return err == ERR_OK ? 0 : failed("backup list", &why);
}

static int backup_remove_old(const char *keep, const char *dest)
{
    struct buf out = {0};
    struct errmsg why = {0};
    char *end;
    unsigned long n = strtoul(keep, &end, 10);
    if (!*keep || *end || n == 0 || n > 1000000)
        return usage();
    enum err err = backup_prune(fs_posix(), dest, (uint32_t)n, &out, &why);
    print(&out, 0);
    return err == ERR_OK ? 0 : failed("backup prune", &why);
}

int command_backup(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "verify") == 0)
        return backup_check(argv[1]);
    if (argc == 2 && strcmp(argv[0], "list") == 0)
        return backup_names(argv[1]);
    if (argc == 4 && strcmp(argv[0], "prune") == 0 && strcmp(argv[1], "--keep") == 0)
        return backup_remove_old(argv[2], argv[3]);
    bool full = argc == 3 && strcmp(argv[0], "--full") == 0;
    if (argc - full != 2 || argv[full][0] == '-' || argv[1 + full][0] == '-')
        return usage();
    return backup_new(argv[full], argv[1 + full], full);
}

int command_restore(int argc, char **argv)
{
    const char *name = NULL;
    if (argc == 4 && strcmp(argv[0], "--backup") == 0) {
        name = argv[1];
        argc -= 2;
        argv += 2;
    }
    if (argc != 2 || argv[0][0] == '-' || argv[1][0] == '-')
        return usage();
    struct buf out = {0};
    struct errmsg why = {0};
    uint64_t problems = 0;
    enum err err = backup_restore(fs_posix(), argv[0], name, argv[1], &out, &problems, &why);
    print(&out, 0);
    if (err != ERR_OK)
        return failed("restore", &why);
    if (problems == 0) {
        printf("%s is restored\n", argv[1]);
        return 0;
    }
    fprintf(stderr, "gnomon restore: %llu files are missing or damaged; %s must not be used\n",
            (unsigned long long)problems, argv[1]);
    return 1;
}
