/*
 * e2e_promqltest.c - runs PromQL conformance scripts in process and prints what fails.
 *
 *     build/debug/e2e_promqltest [-q] [FILE.test...]      -q: only the table; no file: all of the folder
 *
 * Exit status: 0 all passed, 1 something failed, 2 nothing could be run.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "compat/script.h"
#include "compat/script_files.h"
#include "compat/script_run.h"

struct totals {
    uint32_t passed, failed, broken;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_failures(const char *file, const struct script_report *r)
{
    for (uint32_t i = 0; i < r->failed; i++)
        printf("%s:%u: %.*s -- %s\n", file, r->failures[i].line, SLICE_ARG(r->failures[i].expr), r->failures[i].text);
}

static void run_script(const char *path, struct slice text, bool quiet, struct totals *t, struct buf *table)
{
    struct script script;
    struct script_report report;
    struct errmsg why;
    if (script_parse(text, &script, &why) != ERR_OK) {
        printf("%s: %s\n", path, why.text);
        t->broken++;
        return;
    }
    script_run(&script, &report);
    if (!quiet)
        print_failures(base_name(path), &report);
    buf_printf(table, "%-32s %6u %6u\n", base_name(path), report.passed, report.failed);
    t->passed += report.passed;
    t->failed += report.failed;
    script_report_deinit(&report);
    script_deinit(&script);
}

static void run_file(const char *path, bool quiet, struct totals *t, struct buf *table)
{
    struct buf text = {0};
    struct errmsg why;
    if (script_read(path, &text, &why) == ERR_OK) {
        run_script(path, buf_view(&text), quiet, t, table);
    } else {
        printf("%s\n", why.text);
        t->broken++;
    }
    buf_deinit(&text);
    fflush(stdout);
}

static void run_folder(bool quiet, struct totals *t, struct buf *table)
{
    char *folder = script_folder();
    if (!folder)
        return;
    struct buf pattern = {0};
    buf_printf(&pattern, "%s/*.test", folder);
    glob_t found;
    if (glob(buf_cstr(&pattern), 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            run_file(found.gl_pathv[i], quiet, t, table);
        globfree(&found);
    }
    buf_deinit(&pattern);
    mem_free(folder);
}

int main(int argc, char **argv)
{
    struct totals t = {0};
    struct buf table = {0};
    bool quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    int first = quiet ? 2 : 1;
    for (int i = first; i < argc; i++)
        run_file(argv[i], quiet, &t, &table);
    if (first == argc)
        run_folder(quiet, &t, &table);
    printf("\n%-32s passed failed\n%s%u passed, %u failed\n", "file", buf_cstr(&table), t.passed, t.failed);
    buf_deinit(&table);
    if (t.passed + t.failed == 0)
        return 2;
    return t.failed || t.broken ? 1 : 0;
}
