/* Rows that can have no partner are not read: nothing of the answer may change, and nothing of what is counted. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine_test.h"

static const char load[] = "load 15s\n"
                           "  a{i=\"0\",j=\"x\"} 1+1x40\n  a{i=\"1\",j=\"x\"} 2+1x40\n  a{i=\"2\",j=\"y\"} 3+1x40\n"
                           "  b{i=\"0\",j=\"x\"} 2x40\n  b{i=\"1\",j=\"x\"} 3x40\n  b{i=\"2\",j=\"y\"} 4x40\n"
                           "  b{i=\"3\",j=\"y\"} 5x40\n"
                           "  c{j=\"x\",k=\"1\"} 7x40\n"
                           "  dup{j=\"x\",k=\"1\"} 1x40\n  dup{j=\"y\",k=\"1\"} 1x40\n  dup{j=\"y\",k=\"2\"} 1x40\n";

/* Samples that a selector of the query looked at. */
static uint64_t looked_at(struct engine_test *t, const char *expression, const char *selector, bool stats)
{
    struct exec_params p = {
        .start_ms = 300000, .end_ms = 600000, .step_ms = 15000, .look = PLAN_ANALYZE, .stats = stats};
    struct query *q;
    struct result *r;
    struct errmsg why = {0};
    uint64_t samples = UINT64_MAX;
    cr_assert_eq(promql_parse(t->engine, slice_str(expression), &q, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(promql_exec(t->engine, q, &p, NULL, &r, &why), ERR_OK, "%s: %s", expression, why.text);
    for (uint32_t i = 0; i < r->plan->count; i++)
        if (strcmp(r->plan->operators[i].name, "select") == 0 &&
            slice_eq(r->plan->operators[i].expression, slice_str(selector)))
            samples = r->plan->operators[i].samples;
    promql_result_free(r);
    promql_query_free(q);
    return samples;
}

struct spared {
    const char *expression, *selector;
    uint64_t rows; /* that are read */
};

static const struct spared spared[] = {
    {"a{i=\"0\"} / b", "b", 1},
    {"a / b{i=\"0\"}", "a", 1},
    {"a / b{i=\"0\"}", "b{i=\"0\"}", 1},
    {"a{i=\"0\"} / -b", "b", 1},
    {"a{i=\"0\"} > bool abs(b)", "b", 1},
    {"a * on (j) group_left c", "a", 2},
    {"c * on (j) group_right a", "a", 2},
    {"a{i=\"0\"} / (b offset 1m)", "b offset 1m", 1},
    {"a{j=\"y\"} and on (j) b", "b", 2},
    {"a and on (j) c", "a", 2},
    {"a{i=\"0\"} unless b", "b", 1},
    /* all rows: */
    {"a unless on (j) c", "a", 3},
    {"a{i=\"0\"} or b", "b", 4},
    {"a{i=\"0\"} / (b * 2)", "b", 4},             /* an operator has notes about histograms */
    {"a{i=\"0\"} / on (i) b / on (i) b", "b", 4}, /* evaluated once for both */
    {"a{i=\"0\"} + on (i) fill(0) b", "b", 4},
};

Test(skip, reads_rows_that_have_a_partner)
{
    struct engine_test t;
    engine_test_init(&t, PROMQL_BINOP_FILL_MODIFIERS, load);
    for (size_t i = 0; i < sizeof spared / sizeof spared[0]; i++)
        cr_expect_eq(looked_at(&t, spared[i].expression, spared[i].selector, false), spared[i].rows * 21,
                     "%s: %s: %llu", spared[i].expression, spared[i].selector,
                     (unsigned long long)looked_at(&t, spared[i].expression, spared[i].selector, false));
    engine_test_deinit(&t);
}

Test(skip, reads_all_rows_for_those_who_count_samples)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    cr_expect_eq(looked_at(&t, "a{i=\"0\"} / b", "b", true), 4 * 21);
    engine_test_deinit(&t);
}

Test(skip, reads_all_rows_near_the_limit_of_samples)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    t.options.samples_max = 300;
    engine_test_restart(&t);
    cr_expect_eq(looked_at(&t, "a{i=\"0\"} / b", "b", false), 4 * 21, "it could decide whether the query fails");
    engine_test_deinit(&t);
}

struct answer {
    const char *expression, *answer;
};

static const struct answer answers[] = {
    {"a{i=\"0\"} / b", "{i=\"0\", j=\"x\"} 10.5"},
    {"b / a{i=\"1\"}", "{i=\"1\", j=\"x\"} 0.13636363636363635"},
    {"a{i=\"0\"} and b", "a{i=\"0\", j=\"x\"} 21"},
    {"a{i=\"0\"} unless on (i) b{j=\"y\"}", "a{i=\"0\", j=\"x\"} 21"},
    /* y has no partner on the left, but is twice on the right */
    {"a{j=\"x\",i=\"0\"} / on (j) dup",
     "error: found duplicate series for the match group {j=\"y\"} on the right hand-side of the operation: "
     "[{__name__=\"dup\", j=\"y\", k=\"1\"}, {__name__=\"dup\", j=\"y\", k=\"2\"}];many-to-many matching not allowed: "
     "matching labels must be unique on one side"},
    /* ... which nobody notices when there is nothing on the left */
    {"nope / on (j) dup", ""},
    {"a{j=\"x\"} / on (j) c", "error: multiple matches for labels: many-to-one matching must be explicit "
                              "(group_left/group_right)"},
    {"a{j=\"y\"} / on (j) c", ""},
};

Test(skip, answers_and_errors_are_those_of_all_rows)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        cr_expect_str_eq(engine_test_ask(&t, answers[i].expression, 300000), answers[i].answer, "%s: %s",
                         answers[i].expression, engine_test_ask(&t, answers[i].expression, 300000));
    engine_test_deinit(&t);
}
