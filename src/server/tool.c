/* tool.c - `gnomon check config`, `gnomon inspect DIR`, `gnomon verify DIR`: looks, changes nothing. */
#include <stdio.h>
#include <string.h>

#include "api/rules.h"
#include "server/server_internal.h"

enum { CONFIG_FILE_BYTES_MAX = 1 << 20 };

static int usage(const char *text)
{
    fprintf(stderr, "usage: %s\n", text);
    return 2;
}

static int check_web_config(const char *path)
{
    struct errmsg why = {0};
    if (web_check(fs_posix(), path, &why) == ERR_OK) {
        printf("%s is valid\n", path);
        return 0;
    }
    fprintf(stderr, "%s\n", why.text);
    return 1;
}

int command_check(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "web-config") == 0)
        return check_web_config(argv[1]);
    if (argc != 2 || strcmp(argv[0], "config") != 0)
        return usage("gnomon check config FILE | gnomon check web-config FILE");
    struct buf text = {0};
    struct errmsg why = {0};
    struct config *c = config_new();
    enum err err = fs_read_file(fs_posix(), argv[1], CONFIG_FILE_BYTES_MAX, &text, &why);
    if (err == ERR_OK)
        err = config_load_yaml(c, argv[1], buf_view(&text), &why);
    struct rule_set rules = {0};
    if (err == ERR_OK && (err = rule_set_init(&rules, c, &why)) == ERR_OK)
        rule_set_deinit(&rules);
    if (err == ERR_OK)
        printf("%s is valid\n", argv[1]);
    else
        fprintf(stderr, "%s\n", why.text);
    buf_deinit(&text);
    config_free(c);
    return err == ERR_OK ? 0 : 1;
}

/* Takes --json and --quick off the arguments; false: something else is there. */
static bool take_flags(int argc, char **argv, const char **dir, struct tsdb_verify_options *o)
{
    *dir = NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (strcmp(argv[i], "--quick") == 0)
            o->quick = true;
        else if (argv[i][0] != '-' && !*dir)
            *dir = argv[i];
        else
            return false;
    }
    return *dir != NULL;
}

int command_inspect(int argc, char **argv)
{
    const char *dir;
    struct tsdb_verify_options o = {0};
    if (!take_flags(argc, argv, &dir, &o))
        return usage("gnomon inspect [--json] DIR");
    struct buf out = {0};
    struct errmsg why = {0};
    enum err err = tsdb_inspect(fs_posix(), dir, o.json, &out, &why);
    fwrite(out.data, 1, out.len, stdout);
    if (err != ERR_OK)
        fprintf(stderr, "gnomon inspect: %s\n", why.text);
    buf_deinit(&out);
    return err == ERR_OK ? 0 : 1;
}

int command_verify(int argc, char **argv)
{
    const char *dir;
    struct tsdb_verify_options o = {0};
    if (!take_flags(argc, argv, &dir, &o))
        return usage("gnomon verify [--json] [--quick] DIR");
    struct buf out = {0};
    struct errmsg why = {0};
    uint64_t problems = 0;
    enum err err = tsdb_verify(fs_posix(), dir, &o, &out, &problems, &why);
    fwrite(out.data, 1, out.len, stdout);
    if (err != ERR_OK)
        fprintf(stderr, "gnomon verify: %s\n", why.text);
    buf_deinit(&out);
    return err == ERR_OK && problems == 0 ? 0 : 1;
}
