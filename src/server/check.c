/* check.c - `gnomon check config|web-config|rules|retention|expressions FILE...`: reads files, says what is wrong with
 * them. */
#include <stdio.h>
#include <string.h>

#include "api/rules.h"
#include "rules/rules.h"
#include "server/server_internal.h"

enum { CONFIG_FILE_BYTES_MAX = 1 << 20, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LINT = 3 };

static const char usage_text[] = "usage: gnomon check config FILE\n"
                                 "       gnomon check web-config FILE\n"
                                 "       gnomon check rules [--enable-feature=LIST] [--lint-fatal] FILE...\n"
                                 "       gnomon check retention [--json] [FILE] [--SETTING=VALUE]...\n"
                                 "       gnomon check expressions [--enable-feature=LIST] [--quiet] FILE...\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return EXIT_USAGE;
}

static int check_config(const char *path)
{
    struct buf text = {0};
    struct errmsg why = {0};
    struct config *c = config_new();
    enum err err = fs_read_file(fs_posix(), path, CONFIG_FILE_BYTES_MAX, &text, &why);
    if (err == ERR_OK)
        err = config_load_yaml(c, path, buf_view(&text), &why);
    struct rule_set rules = {0};
    if (err == ERR_OK && (err = rule_set_init(&rules, c, &why)) == ERR_OK)
        rule_set_deinit(&rules);
    if (err == ERR_OK)
        printf("%s is valid\n", path);
    else
        fprintf(stderr, "%s\n", why.text);
    buf_deinit(&text);
    config_free(c);
    return err == ERR_OK ? 0 : EXIT_FAILED;
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

/* ---- Rules and expressions ---- */

struct request {
    struct engine *engine; /* only parses */
    bool lint_fatal, quiet;
    int file_count;
    char **files;
};

static unsigned features_of(const char *list)
{
    unsigned bits = 0;
    while (*list) {
        size_t n = strcspn(list, ",");
        bits |= server_feature(slice_of(list, n));
        list += n + (list[n] == ',');
    }
    return bits;
}

/* Takes the flags off the arguments; false: one is unknown, or no file is named. */
static bool request_read(struct request *r, int argc, char **argv)
{
    static const char feature[] = "--enable-feature=";
    struct engine_options o;
    *r = (struct request){0};
    engine_options_default(&o);
    o.features = PROMQL_DURATION_EXPR;
    for (; argc > 0 && argv[0][0] == '-'; argc--, argv++) {
        if (strncmp(argv[0], feature, sizeof feature - 1) == 0)
            o.features |= features_of(argv[0] + sizeof feature - 1);
        else if (strcmp(argv[0], "--lint-fatal") == 0)
            r->lint_fatal = true;
        else if (strcmp(argv[0], "--quiet") == 0)
            r->quiet = true;
        else
            return false;
    }
    r->file_count = argc;
    r->files = argv;
    r->engine = engine_new(&o);
    return argc > 0;
}

/* The exit status for one file. */
static int rules_file(const struct request *r, const char *path)
{
    struct buf text = {0};
    struct errmsg why;
    printf("Checking %s\n", path);
    if (fs_read_file(fs_posix(), path, RULES_FILE_BYTES_MAX, &text, &why) != ERR_OK) {
        fflush(stdout);
        fprintf(stderr, "  FAILED:\n%s\n", why.text);
        buf_deinit(&text);
        return EXIT_FAILED;
    }
    struct rules_report report;
    rules_check(r->engine, buf_view(&text), path, &report);
    fflush(stdout);
    if (report.errors > 0)
        fprintf(stderr, "  FAILED:\n%s", buf_cstr(&report.text));
    else if (report.duplicates > 0)
        fprintf(stderr,
                "  FAILED:\nlint error %u duplicate rule(s) found.\n%sMight cause inconsistency while recording "
                "expressions\n",
                report.duplicates, buf_cstr(&report.text));
    else
        printf("  SUCCESS: %u rules found\n", report.rules);
    printf("\n");
    int status = report.errors > 0 ? EXIT_FAILED : report.duplicates > 0 && r->lint_fatal ? EXIT_LINT : 0;
    rules_report_deinit(&report);
    buf_deinit(&text);
    return status;
}

static int check_rules(const struct request *r)
{
    int status = 0;
    for (int i = 0; i < r->file_count; i++) {
        int one = rules_file(r, r->files[i]);
        status = one == EXIT_FAILED || status == 0 ? one : status == EXIT_FAILED ? EXIT_FAILED : one ? one : status;
    }
    return status;
}

static int check_expressions(const struct request *r)
{
    struct expressions_report sum = {0};
    uint32_t unread = 0;
    for (int i = 0; i < r->file_count; i++) {
        struct buf text = {0};
        struct errmsg why;
        struct expressions_report report = {0};
        if (fs_read_file(fs_posix(), r->files[i], RULES_FILE_BYTES_MAX, &text, &why) != ERR_OK) {
            fprintf(stderr, "%s\n", why.text);
            unread++;
        } else {
            expressions_check(r->engine, buf_view(&text), r->files[i], &report);
            if (!r->quiet || report.found != report.parsed || report.unstable)
                printf("%s: %u expressions, %u parsed, %u unstable, %u of other data sources\n", r->files[i],
                       report.found, report.parsed, report.unstable, report.foreign);
            fwrite(report.text.data, 1, report.text.len, stdout);
            unread += report.found == 0 && report.text.len > 0;
        }
        sum.found += report.found;
        sum.parsed += report.parsed;
        sum.unstable += report.unstable;
        sum.foreign += report.foreign;
        expressions_report_deinit(&report);
        buf_deinit(&text);
    }
    printf(
        "%d files, %u expressions: %u parsed, %u print as another one, %u of other data sources, %u files not read\n",
        r->file_count, sum.found, sum.parsed, sum.unstable, sum.foreign, unread);
    return sum.found == sum.parsed && sum.unstable == 0 && unread == 0 ? 0 : EXIT_FAILED;
}

int command_check(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "config") == 0)
        return check_config(argv[1]);
    if (argc == 2 && strcmp(argv[0], "web-config") == 0)
        return check_web_config(argv[1]);
    if (argc > 0 && strcmp(argv[0], "retention") == 0)
        return check_retention(argc - 1, argv + 1);
    bool rules = argc > 0 && strcmp(argv[0], "rules") == 0,
         expressions = argc > 0 && strcmp(argv[0], "expressions") == 0;
    struct request r;
    if (!rules && !expressions)
        return usage();
    int status = !request_read(&r, argc - 1, argv + 1) ? usage() : rules ? check_rules(&r) : check_expressions(&r);
    engine_free(r.engine);
    return status;
}
