/* tool.c - `gnomon inspect [series|symbols|index|wal] DIR`, `gnomon verify DIR`: looks, changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "promql/promql.h"
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

/* ---- parts ---- */

static enum err print_text(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.data, 1, text.len, stdout) == text.len ? ERR_OK : ERR_IO;
}

struct part {
    const char *dir, *match;
    struct tsdb_inspect_options o;
};

static bool part_flag(struct part *p, const char *arg)
{
    static const char match[] = "--match=", name[] = "--name=", limit[] = "--limit=";
    char none = 0, *end = &none;
    if (strcmp(arg, "--json") == 0)
        p->o.json = true;
    else if (p->o.what == TSDB_INSPECT_SERIES && strncmp(arg, match, sizeof match - 1) == 0)
        p->match = arg + sizeof match - 1;
    else if (p->o.what == TSDB_INSPECT_SYMBOLS && strncmp(arg, name, sizeof name - 1) == 0)
        p->o.name = arg + sizeof name - 1;
    else if (strncmp(arg, limit, sizeof limit - 1) == 0)
        p->o.limit = strtoull(arg + sizeof limit - 1, &end, 10);
    else if (arg[0] != '-' && !p->dir)
        p->dir = arg;
    else
        return false;
    return *end == 0;
}

static int inspect_part(struct part *p)
{
    struct arena arena;
    struct errmsg why = {0};
    struct matcher_set set = {0};
    enum err err = ERR_OK;
    arena_init(&arena, NULL);
    if (p->match)
        err = promql_parse_selector(slice_str(p->match), &arena, &set, &why);
    p->o.selector = (struct tsdb_selector){set.list, set.count};
    p->o.write = print_text;
    if (err == ERR_OK)
        err = tsdb_inspect_part(fs_posix(), p->dir, &p->o, &why);
    if (err != ERR_OK)
        fprintf(stderr, "gnomon inspect: %s\n", why.text);
    arena_deinit(&arena);
    return err == ERR_OK ? 0 : 1;
}

static const char inspect_usage[] = "gnomon inspect [--json] DIR\n"
                                    "       gnomon inspect series [--match=SELECTOR] [--limit=N] [--json] DIR\n"
                                    "       gnomon inspect symbols [--name=LABEL] [--limit=N] [--json] DIR\n"
                                    "       gnomon inspect index [--json] DIR\n"
                                    "       gnomon inspect wal [--limit=N] [--json] DIR";

int command_inspect(int argc, char **argv)
{
    static const char *const parts[] = {[TSDB_INSPECT_SERIES] = "series",
                                        [TSDB_INSPECT_SYMBOLS] = "symbols",
                                        [TSDB_INSPECT_INDEX] = "index",
                                        [TSDB_INSPECT_WAL] = "wal"};
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++) {
        struct part p = {.o.what = (enum tsdb_inspect_what)i};
        bool good = strcmp(argv[0], parts[i]) == 0;
        if (!good)
            continue;
        for (int k = 1; good && k < argc; k++)
            good = part_flag(&p, argv[k]);
        return good && p.dir ? inspect_part(&p) : usage(inspect_usage);
    }
    const char *dir;
    struct tsdb_verify_options o = {0};
    if (!take_flags(argc, argv, &dir, &o))
        return usage(inspect_usage);
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
