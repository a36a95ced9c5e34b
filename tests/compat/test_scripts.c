/*
 * test_scripts.c - Prometheus' conformance scripts, one test for each file.
 *
 * A test fails when an eval fails that is not listed in known.txt, and also when a listed one passes,
 * so the list can only shrink.  `build/debug/e2e_promqltest` prints every failure in full.
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>

#include "base/mem.h"
#include "compat/script.h"
#include "compat/script_files.h"
#include "compat/script_run.h"

struct judgement {
    const char *file;
    const struct script_report *report;
    uint32_t stale;
};

static bool failed_at(const struct script_report *r, uint32_t line)
{
    for (uint32_t i = 0; i < r->failed; i++)
        if (r->failures[i].line == line)
            return true;
    return false;
}

static void look_for_stale(void *ctx, uint32_t line)
{
    struct judgement *j = ctx;
    if (failed_at(j->report, line))
        return;
    j->stale++;
    cr_log_error("%s:%u is in known.txt but does not fail", j->file, line);
}

static void judge(const char *file, const struct script_report *r)
{
    struct errmsg why;
    struct known known;
    cr_assert_eq(known_read(&known, &why), ERR_OK, "%s", why.text);
    struct judgement j = {file, r, 0};
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < r->failed; i++) {
        const struct script_failure *f = &r->failures[i];
        if (known_has(&known, file, f->line))
            continue;
        fresh++;
        cr_log_error("%s:%u: %.*s -- %s", file, f->line, SLICE_ARG(f->expr), f->text);
    }
    known_each(&known, file, look_for_stale, &j);
    known_deinit(&known);
    cr_assert(fresh == 0 && j.stale == 0, "%s: %u passed, %u failed, %u of them new; %u known ones pass", file,
              r->passed, r->failed, fresh, j.stale);
}

static void run_file(const char *folder, const char *file)
{
    struct buf text = {0};
    struct errmsg why;
    struct script script;
    struct script_report report;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    cr_assert_eq(script_read(path, &text, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(script_parse(buf_view(&text), &script, &why), ERR_OK, "%s: %s", file, why.text);
    script_run(&script, &report);
    judge(file, &report);
    script_report_deinit(&report);
    script_deinit(&script);
    buf_deinit(&text);
}

static void run(const char *file)
{
    char *folder = script_folder();
    if (!folder) {
        fprintf(stderr, "SKIP promql_scripts/%s: set GNOMON_PROMQL_TESTS to a folder of Prometheus' scripts\n", file);
        cr_skip_test("no PromQL scripts here: set GNOMON_PROMQL_TESTS to a folder of .test files");
    }
    run_file(folder, file);
    mem_free(folder);
}

#define SCRIPTS(X)                                                                                                     \
    X(aggregators, "aggregators.test")                                                                                 \
    X(at_modifier, "at_modifier.test")                                                                                 \
    X(collision, "collision.test")                                                                                     \
    X(duration_expression, "duration_expression.test")                                                                 \
    X(extended_vectors, "extended_vectors.test")                                                                       \
    X(fill_modifier, "fill-modifier.test")                                                                             \
    X(functions, "functions.test")                                                                                     \
    X(histograms, "histograms.test")                                                                                   \
    X(info, "info.test")                                                                                               \
    X(limit, "limit.test")                                                                                             \
    X(literals, "literals.test")                                                                                       \
    X(name_label_dropping, "name_label_dropping.test")                                                                 \
    X(native_histograms, "native_histograms.test")                                                                     \
    X(operators, "operators.test")                                                                                     \
    X(range_queries, "range_queries.test")                                                                             \
    X(selectors, "selectors.test")                                                                                     \
    X(staleness, "staleness.test")                                                                                     \
    X(start_timestamps, "start_timestamps.test")                                                                       \
    X(subquery, "subquery.test")                                                                                       \
    X(trig_functions, "trig_functions.test")                                                                           \
    X(type_and_unit, "type_and_unit.test")

#define SCRIPT_TEST(name, file)                                                                                        \
    Test(promql_scripts, name)                                                                                         \
    {                                                                                                                  \
        run(file);                                                                                                     \
    }
SCRIPTS(SCRIPT_TEST)
