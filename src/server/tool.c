/* tool.c - `gnomon inspect DIR`, `gnomon verify DIR`: looks, changes nothing. */
#include <stdio.h>
#include <string.h>

#include "server/server_internal.h"

static int usage(const char *text)
{
    fprintf(stderr, "usage: %s\n", text);
    return 2;
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
