/* script_test.h - a script inside a test: all of its evals must pass. */
#ifndef UNIT_PROMQL_SCRIPT_TEST_H
#define UNIT_PROMQL_SCRIPT_TEST_H

#include <criterion/criterion.h>

#include "compat/script_run.h"

static inline void expect_script_passes(const char *text)
{
    struct script script;
    struct script_report report;
    struct errmsg why = {""};
    cr_assert_eq(script_parse(slice_str(text), &script, &why), ERR_OK, "%s", why.text);
    script_run(&script, &report);
    for (uint32_t i = 0; i < report.failed; i++)
        cr_expect(false, "line %u: %s", report.failures[i].line, report.failures[i].text);
    cr_expect(report.passed > 0);
    script_report_deinit(&report);
    script_deinit(&script);
}

#endif
