/* Plans: what is expected of each operator before a query runs, and what it did. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine_test.h"

static const char load[] = "load 15s\n"
                           "  m{i=\"0\",j=\"a\"} 1+1x40\n  m{i=\"1\",j=\"a\"} 1+2x40\n  m{i=\"2\",j=\"b\"} 1+3x40\n"
                           "  n{i=\"0\"} 1x40\n  n{i=\"1\"} 2x40\n";

struct planned {
    struct query *q;
    struct result *r;
};

static struct planned plan(struct engine_test *t, const char *expression, int64_t step_ms, enum plan_look look)
{
    struct planned p = {0};
    struct errmsg why = {0};
    struct exec_params params = {
        .start_ms = step_ms ? 300000 : 600000, .end_ms = 600000, .step_ms = step_ms, .look = look};
    cr_assert_eq(promql_parse(t->engine, slice_str(expression), &p.q, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(promql_exec(t->engine, p.q, &params, NULL, &p.r, &why), ERR_OK, "%s: %s", expression, why.text);
    cr_assert_not_null(p.r->plan, "%s", expression);
    return p;
}

static void plan_free(struct planned *p)
{
    promql_result_free(p->r);
    promql_query_free(p->q);
}

static const struct plan_operator *find(const struct planned *p, const char *name)
{
    for (uint32_t i = 0; i < p->r->plan->count; i++)
        if (strcmp(p->r->plan->operators[i].name, name) == 0)
            return &p->r->plan->operators[i];
    cr_assert_fail("no operator %s", name);
    return NULL;
}

Test(explain, tells_series_samples_and_memory_without_an_answer)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    struct planned p = plan(&t, "sum by (j) (rate(m[2m])) / on () group_left count(n)", 15000, PLAN_EXPLAIN);
    cr_expect_eq(p.r->type, VALUE_MATRIX);
    cr_expect_eq(p.r->series_count, 0);
    cr_expect_eq(p.r->stats.total_queryable_samples, 0);
    cr_expect_eq(p.r->plan->steps, 21);
    cr_expect_eq(p.r->plan->expected.series, 5);
    const struct plan_operator *rate = find(&p, "range function"), *sum = find(&p, "aggregate");
    cr_expect_eq(rate->expected.series, 3);
    cr_expect_eq(rate->expected.samples, 3 * 28); /* from 180 s, exclusive, to 600 s */
    cr_expect_eq(sum->expected.series, 1);        /* the plan begins with what comes last: count(n) */
    cr_expect_gt(p.r->plan->expected.bytes, 0);
    cr_expect_not(p.r->plan->analyzed);
    plan_free(&p);
    engine_test_deinit(&t);
}

Test(explain, tells_what_the_optimiser_spares)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    struct planned p = plan(&t, "sum by (j) (rate(m[2m]))", 15000, PLAN_EXPLAIN);
    cr_expect_str_eq(find(&p, "range function")->spared, "labels of the grouping only");
    cr_expect_null(find(&p, "aggregate")->spared);
    plan_free(&p);
    p = plan(&t, "m > 2 * -(3 + 4) ^ 2", 15000, PLAN_ANALYZE);
    cr_expect_eq(p.r->plan->count, 4, "select, number, operator, distinct labels");
    cr_expect_str_eq(find(&p, "number")->spared, "a constant");
    plan_free(&p);
    p = plan(&t, "m * on (i) n", 15000, PLAN_EXPLAIN);
    cr_expect_str_eq(find(&p, "match")->name, "match");
    cr_expect_str_eq(p.r->plan->operators[1].spared, "rows without a partner");
    plan_free(&p);
    p = plan(&t, "sum without (j) (m)", 15000, PLAN_EXPLAIN);
    cr_expect_null(find(&p, "select")->spared, "without() looks at all labels");
    plan_free(&p);
    engine_test_deinit(&t);
}

Test(explain, every_kind_of_expression_has_a_plan)
{
    static const char *const expressions[] = {"1",
                                              "time()",
                                              "m",
                                              "m[2m]",
                                              "m[2m:15s]",
                                              "-m",
                                              "m or n",
                                              "m and on (i) n",
                                              "m * on (i) group_left n",
                                              "quantile(0.5, m)",
                                              "topk(1, m)",
                                              "count_values(\"v\", m)",
                                              "sort(m)",
                                              "absent(nope)",
                                              "scalar(n)",
                                              "vector(1) + m",
                                              "label_replace(m, \"a\", \"b\", \"\", \"\")",
                                              "m + m",
                                              "sum_over_time(m[2m:15s])",
                                              "m @ 300",
                                              "histogram_quantile(0.9, m)",
                                              "count(m)",
                                              "nope",
                                              "timestamp(m)"};
    struct engine_test t;
    engine_test_init(&t, 0, load);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        struct planned p = plan(&t, expressions[i], 0, PLAN_EXPLAIN);
        cr_expect_eq(p.r->series_count, 0, "%s", expressions[i]);
        plan_free(&p);
        p = plan(&t, expressions[i], 0, PLAN_ANALYZE);
        plan_free(&p);
        if (strchr(expressions[i], '[') && expressions[i][0] == 'm')
            continue;
        p = plan(&t, expressions[i], 15000, PLAN_ANALYZE);
        plan_free(&p);
    }
    engine_test_deinit(&t);
}

Test(explain, an_analyzed_query_has_its_answer_and_what_each_operator_did)
{
    struct engine_test t;
    engine_test_init(&t, 0, load);
    const char *plain = engine_test_range(&t, "sum by (j) (rate(m[2m]))", 300000, 600000, 15000);
    cr_expect_str_neq(plain, "");
    struct planned p = plan(&t, "sum by (j) (rate(m[2m]))", 15000, PLAN_ANALYZE);
    const struct plan_operator *rate = find(&p, "range function"), *sum = find(&p, "aggregate");
    cr_expect_eq(p.r->series_count, 2);
    cr_expect(p.r->plan->analyzed);
    cr_expect_eq(rate->rows, 3);
    cr_expect_eq(rate->points, 3 * 21);
    cr_expect_eq(rate->samples, 3 * 21 * 8);
    cr_expect_eq(rate->tiles, 1);
    cr_expect_eq(sum->rows, 2);
    cr_expect_eq(sum->points, 2 * 21);
    cr_expect_eq(sum->expected.series, 2);
    cr_expect_eq(sum->input_count, 1);
    cr_expect_eq(sum->inputs[0], rate->id);
    plan_free(&p);
    engine_test_deinit(&t);
}

Test(explain, a_plan_is_bounded)
{
    struct engine_test t;
    char text[8000] = "m";
    for (int i = 0; i < 900; i++)
        strcat(text, i % 2 ? "*2" : "+n");
    engine_test_init(&t, 0, load);
    struct planned p = plan(&t, text, 0, PLAN_EXPLAIN);
    cr_expect_eq(p.r->plan->count, 500);
    cr_expect_gt(p.r->plan->omitted, 500);
    plan_free(&p);
    engine_test_deinit(&t);
}
