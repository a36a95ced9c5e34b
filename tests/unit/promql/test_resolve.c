#include <criterion/criterion.h>

#include "promql/info_reference.h"
#include "unit/promql/parser_test.h"

static const struct resolve_params range = {
    .start_ms = 60000, .end_ms = 3660000, .step_ms = 15000, .default_interval_ms = 60000};
static const struct resolve_params instant = {.start_ms = 5500, .end_ms = 5500, .default_interval_ms = 60000};

/* The resolved tree as text: wrapped parts in < >, times and durations in ms. */
static void show(const struct node *n, struct buf *out);

static void show_modifiers(const struct modifiers *mod, struct buf *out)
{
    if (mod->at == AT_TIME)
        buf_printf(out, "@%lld", (long long)mod->at_ms);
    if (mod->offset_ms)
        buf_printf(out, "-%lld", (long long)mod->offset_ms);
    cr_assert(mod->at == AT_NONE || mod->at == AT_TIME);
    cr_assert_null(mod->offset_expr);
}

static void show_children(const struct node *n, struct buf *out)
{
    buf_str(out, "(");
    for (uint32_t i = 0; i < node_child_count(n); i++) {
        buf_str(out, i ? "," : "");
        show(node_child(n, i), out);
    }
    buf_str(out, ")");
}

static void show(const struct node *n, struct buf *out)
{
    switch (n->kind) {
    case NODE_NUMBER:
        return buf_printf(out, "%g", n->number.value);
    case NODE_STRING:
        return buf_str(out, "\"\"");
    case NODE_VECTOR_SELECTOR:
        buf_printf(out, "%.*s%s", SLICE_ARG(n->vector.name), n->vector.stats_only ? "!" : "");
        return show_modifiers(&n->vector.mod, out);
    case NODE_MATRIX_SELECTOR:
        show(n->matrix.selector, out);
        return buf_printf(out, "[%lld]", (long long)n->matrix.range_ms);
    case NODE_SUBQUERY:
        show(n->subquery.expr, out);
        buf_printf(out, "[%lld:%lld]", (long long)n->subquery.range_ms, (long long)n->subquery.step_ms);
        return show_modifiers(&n->subquery.mod, out);
    case NODE_STEP_INVARIANT:
        buf_str(out, "<");
        show(n->invariant.expr, out);
        return buf_str(out, ">");
    case NODE_CALL:
        buf_str(out, n->call.function->name);
        break;
    case NODE_AGGREGATE:
        buf_str(out, aggregate_op_text(n->aggregate.op));
        break;
    case NODE_BINARY:
        buf_str(out, op_text(n->binary.op));
        break;
    case NODE_UNARY:
        buf_str(out, op_text(n->unary.op));
        break;
    default:
        cr_assert_eq(n->kind, NODE_PAREN);
        break;
    }
    show_children(n, out);
}

static void expect_on(const struct resolve_params *p, const char *text, const char *want)
{
    struct errmsg why = {""};
    struct arena arena;
    struct node *root = NULL;
    struct buf b = {0};
    struct query *q = parse_text(text, PROMQL_ALL_FEATURES, &why);
    cr_assert(q, "%s: %s", text, why.text);
    arena_init(&arena, NULL);
    if (query_resolve(q, p, &arena, &root, &why) == ERR_OK)
        show(root, &b);
    else
        buf_str(&b, why.text);
    cr_expect_str_eq(buf_cstr(&b), want, "%s\n want %s\n got  %s", text, want, buf_cstr(&b));
    buf_deinit(&b);
    arena_deinit(&arena);
    promql_query_free(q);
}

Test(resolve, calls_that_ask_for_the_grid_become_numbers)
{
    expect_on(&range, "start() + end()", "<+(60,3660)>");
    expect_on(&range, "step()", "15");
    expect_on(&range, "range()", "3600");
    expect_on(&instant, "start()", "5.5");
    expect_on(&instant, "step()", "0");
    expect_on(&range, "sum(foo > bool end())", "sum(>(foo,3660))");
    expect_on(&range, "topk(step(), foo)", "topk(foo,15)");
}

Test(resolve, at_start_and_end_become_times)
{
    expect_on(&range, "foo @ start()", "<foo@60000>");
    expect_on(&range, "rate(foo[5m] @ end() offset 1m)", "<rate(foo@3660000-60000[300000])>");
    expect_on(&range, "sum_over_time(foo[5m:] @ end())", "<sum_over_time(foo[300000:60000]@3660000)>");
    expect_on(&range, "foo @ 1.5", "<foo@1500>");
}

Test(resolve, durations_are_computed_on_the_grid)
{
    expect_on(&range, "rate(foo[step() * 4])", "rate(foo[60000])");
    expect_on(&range, "rate(foo[range() / 2])", "rate(foo[1800000])");
    expect_on(&range, "foo offset (1h / 2)", "foo-1800000");
    expect_on(&range, "foo offset -step()", "foo--15000");
    expect_on(&range, "max_over_time(foo[min_of(1h, step()):max_of(5, 0.0015)])", "max_over_time(foo[15000:5000])");
    expect_on(&range, "rate(foo[2 ^ 3 % 5])", "rate(foo[3000])");
    expect_on(&range, "rate(foo[1.0015 + 0])", "rate(foo[1001])");
    expect_on(&range, "rate(foo[1.0015])", "rate(foo[1001])");
}

Test(resolve, durations_that_make_no_sense_are_refused_with_byte_offsets)
{
    expect_on(&instant, "foo[step()]", "4:10: duration must be greater than 0");
    expect_on(&range, "foo[5m - 10m]", "4:12: duration must be greater than 0");
    expect_on(&range, "foo[5m / (step() - 15)]", "4:21: division by zero");
    expect_on(&range, "foo[5m % (step() - 15)]", "4:21: modulo by zero");
    expect_on(&range, "foo[(0 - 2) ^ 0.5]", "5:17: duration is NaN or infinite");
    expect_on(&range, "foo offset (10 ^ 10)", "12:19: duration is out of range");
    expect_on(&range, "foo[5m:1m - step() * 4]", "7:22: duration must be greater than 0");
}

Test(resolve, the_highest_trees_that_do_not_depend_on_the_step_are_wrapped)
{
    expect_on(&range, "foo + bar @ 5", "+(foo,<bar@5000>)");
    expect_on(&range, "foo @ 5 + bar @ 6", "<+(foo@5000,bar@6000)>");
    expect_on(&range, "1 + 2", "<+(1,2)>");
    expect_on(&range, "1", "1");
    expect_on(&range, "\"a\"", "\"\"");
    expect_on(&range, "foo + 1", "+(foo,1)");
    expect_on(&range, "sum(foo @ 5)", "<sum(foo@5000)>");
    expect_on(&range, "-(foo @ 5)", "<-((foo@5000))>");
    expect_on(&range, "clamp(foo, 1 + 1, 3)", "clamp(foo,<+(1,1)>,3)");
    expect_on(&range, "pi()", "<pi()>");
    expect_on(&range, "vector(1)", "<vector(1)>");
    expect_on(&range, "foo[5m] @ 5", "foo@5000[300000]");
}

Test(resolve, functions_of_the_evaluation_time_are_not_wrapped)
{
    expect_on(&range, "time()", "time()");
    expect_on(&range, "timestamp(foo @ 5)", "<timestamp(foo@5000)>");
    expect_on(&range, "timestamp((foo @ 5))", "<timestamp(foo@5000)>");
    expect_on(&range, "timestamp(abs(foo @ 5))", "timestamp(<abs(foo@5000)>)");
    expect_on(&range, "predict_linear(foo[5m] @ 5, 60)", "predict_linear(foo@5000[300000],60)");
    expect_on(&range, "hour(foo @ 5)", "hour(<foo@5000>)");
    expect_on(&range, "minute()", "minute()");
}

Test(resolve, the_inside_of_a_subquery_is_wrapped_even_below_at)
{
    expect_on(&range, "max_over_time((foo @ 5)[5m:1m])", "max_over_time(<(foo@5000)>[300000:60000])");
    expect_on(&range, "max_over_time(foo[5m:1m] @ 5)", "<max_over_time(foo[300000:60000]@5000)>");
    expect_on(&range, "max_over_time((foo @ 5)[5m:1m] @ 6)", "<max_over_time(<(foo@5000)>[300000:60000]@6000)>");
}

Test(resolve, the_parameter_of_an_aggregation_knows_no_start_and_end)
{
    expect_on(&range, "topk(scalar(k @ start()), foo)", "topk(foo,scalar(k))");
    expect_on(&range, "topk(scalar(k @ 5), foo)", "topk(foo,scalar(k-55000))"); /* 55 s before the step, and nothing newer */
    expect_on(&range, "topk(scalar(k), foo @ 5)", "<topk(foo@5000,scalar(k))>");
    expect_on(&range, "topk(scalar(sum(rate((k[1m])))), foo)", "topk(foo,scalar(sum(rate(k[60000]))))");
}

Test(resolve, parentheses_around_arguments_go_away)
{
    expect_on(&range, "rate(((foo[5m])))", "rate(foo[300000])");
    expect_on(&range, "sum((foo))", "sum(foo)");
    expect_on(&range, "topk((1), ((foo)))", "topk(foo,1)");
    expect_on(&range, "(foo) + (bar)", "+((foo),(bar))");
}

Test(resolve, histograms_need_only_their_stats_below_count_sum_and_avg)
{
    expect_on(&range, "histogram_count(foo)", "histogram_count(foo!)");
    expect_on(&range, "histogram_sum(sum(rate(foo[5m])))", "histogram_sum(sum(rate(foo![300000])))");
    expect_on(&range, "histogram_avg(foo + bar)", "histogram_avg(+(foo!,bar!))");
    expect_on(&range, "histogram_count(foo </ 5)", "histogram_count(</(foo,5))");
    expect_on(&range, "histogram_count(histogram_quantile(0.5, foo))", "histogram_count(histogram_quantile(0.5,foo))");
    expect_on(&range, "histogram_quantile(0.5, histogram_count(foo))", "histogram_quantile(0.5,histogram_count(foo))");
    expect_on(&range, "max_over_time(histogram_count(foo)[5m:1m])",
              "max_over_time(histogram_count(foo)[300000:60000])");
    expect_on(&range, "foo", "foo");
}

Test(resolve, a_query_can_be_resolved_many_times)
{
    struct errmsg why;
    struct query *q = parse_text("foo[step() * 2] offset (step() + 1) @ start()", PROMQL_ALL_FEATURES, &why);
    cr_assert(q, "%s", why.text);
    struct buf before = {0}, after = {0};
    promql_print(q, &before);
    for (int i = 1; i < 4; i++) {
        struct arena arena;
        struct node *root;
        struct resolve_params p = {.start_ms = i, .end_ms = 1000000, .step_ms = i * 1000};
        arena_init(&arena, NULL);
        cr_assert_eq(query_resolve(q, &p, &arena, &root, &why), ERR_OK);
        cr_expect_eq(root->matrix.range_ms, i * 2000);
        cr_expect_eq(root->matrix.selector->vector.mod.at_ms, i);
        arena_deinit(&arena);
    }
    promql_print(q, &after);
    cr_expect(slice_eq(buf_view(&before), buf_view(&after)));
    buf_deinit(&before);
    buf_deinit(&after);
    promql_query_free(q);
}

static struct info_reference reference_of(const char *text, const struct resolve_params *p)
{
    struct errmsg why;
    struct arena arena;
    struct node *root;
    struct query *q = parse_text(text, PROMQL_ALL_FEATURES, &why);
    cr_assert(q, "%s: %s", text, why.text);
    arena_init(&arena, NULL);
    cr_assert_eq(query_resolve(q, p, &arena, &root, &why), ERR_OK);
    struct info_reference r = info_reference_of(root);
    arena_deinit(&arena);
    promql_query_free(q);
    return r;
}

Test(resolve, info_follows_the_time_that_all_selectors_share)
{
    cr_expect(reference_of("foo", &range).uniform);
    cr_expect(reference_of("foo + bar", &range).uniform);
    cr_expect(!reference_of("foo + bar offset 5m", &range).uniform);
    cr_expect(!reference_of("foo + vector(1)", &range).uniform);
    cr_expect(!reference_of("vector(1)", &range).uniform);
    struct info_reference r = reference_of("rate(foo[5m] offset 1m)", &range);
    cr_expect(r.uniform && !r.fixed && r.offset_ns == INT64_C(60000000000));
    r = reference_of("max_over_time((foo offset 1m)[5m:1m] @ 100 offset 2m)", &range);
    cr_expect(r.uniform && r.fixed && r.at_ms == 100000 && r.offset_ns == INT64_C(180000000000));
    r = reference_of("max_over_time((foo @ 50)[5m:1m] @ 100 offset 2m)", &range);
    cr_expect(r.uniform && r.fixed && r.at_ms == 50000 && r.offset_ns == 0);
}
