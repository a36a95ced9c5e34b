#include <criterion/criterion.h>

#include "lib/promql_text.h"
#include "unit/promql/parser_test.h"

static const struct parser_case good[] = {
#include "unit/promql/parser_good.inc"
};
static const struct parser_case bad[] = {
#include "unit/promql/parser_bad.inc"
};
static const struct parser_case gated[] = {
#include "unit/promql/parser_gated.inc"
};

#define COUNT(table) (sizeof table / sizeof table[0])

static char *formatted(const struct query *q, void (*print)(const struct query *, struct buf *))
{
    struct buf b = {0};
    print(q, &b);
    char *text = mem_strdup(buf_cstr(&b));
    buf_deinit(&b);
    return text;
}

Test(parser, good_expressions_print_as_prometheus_formats_them)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct errmsg why;
        struct query *q = parse_text(good[i].query, PROMQL_ALL_FEATURES, &why);
        cr_assert(q, "%s: %s", good[i].query, why.text);
        char *text = formatted(q, promql_format);
        cr_expect_str_eq(text, good[i].want, "%s\n want %s\n got  %s", good[i].query, good[i].want, text);
        mem_free(text);
        promql_query_free(q);
    }
}

static void expect_fixpoint(const char *text, void (*print)(const struct query *, struct buf *))
{
    struct errmsg why;
    struct query *q = parse_text(text, PROMQL_ALL_FEATURES, &why);
    cr_assert(q, "%s: %s", text, why.text);
    if (!promql_text_is_exact(q))
        return promql_query_free(q);
    char *once = formatted(q, print);
    struct query *again = parse_text(once, PROMQL_ALL_FEATURES, &why);
    cr_assert(again, "%s printed as %s: %s", text, once, why.text);
    char *twice = formatted(again, print);
    cr_expect_str_eq(once, twice);
    mem_free(once);
    mem_free(twice);
    promql_query_free(q);
    promql_query_free(again);
}

Test(parser, what_is_printed_parses_and_prints_the_same)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        expect_fixpoint(good[i].query, promql_print);
        expect_fixpoint(good[i].query, promql_format);
    }
}

Test(parser, broken_expressions_get_the_errors_of_prometheus)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct errmsg why = {""};
        struct query *q = parse_text(bad[i].query, PROMQL_ALL_FEATURES, &why);
        cr_assert_null(q, "%s is refused by Prometheus: %s", bad[i].query, bad[i].want);
        cr_expect_str_eq(why.text, bad[i].want, "%s\n want %s\n got  %s", bad[i].query, bad[i].want, why.text);
    }
}

Test(parser, features_that_are_off_are_refused_as_prometheus_does)
{
    for (size_t i = 0; i < COUNT(gated); i++) {
        struct errmsg why = {""};
        struct query *q = parse_text(gated[i].query, PROMQL_DURATION_EXPR, &why);
        char *text = q ? formatted(q, promql_format) : mem_strdup(why.text);
        cr_expect_str_eq(text, gated[i].want, "%s\n want %s\n got  %s", gated[i].query, gated[i].want, text);
        mem_free(text);
        promql_query_free(q);
    }
}

Test(parser, duration_expressions_have_a_gate_of_their_own)
{
    struct errmsg why;
    struct query *q = parse_text("foo[5m]", 0, &why);
    cr_assert(q, "%s", why.text);
    promql_query_free(q);
    cr_assert_null(parse_text("foo[5m + 1m]", 0, &why));
    cr_assert_str_eq(why.text, "1:5: parse error: experimental duration expression is not enabled");
}

Test(parser, an_empty_text_has_no_position)
{
    struct errmsg why;
    cr_assert_null(parse_text("", 0, &why));
    cr_assert_str_eq(why.text, "unknown position: parse error: no expression found in input");
}

Test(parser, bytes_that_are_not_utf8_are_refused_where_they_stand)
{
    struct errmsg why;
    cr_assert_null(parse_text("foo{a=\"\xff\"}", 0, &why));
    cr_assert_str_eq(why.text, "1:7: parse error: invalid UTF-8 rune");
    cr_assert_null(parse_text("foo \xc3", 0, &why));
    cr_assert_str_eq(why.text, "1:5: parse error: unexpected character: '\xef\xbf\xbd'");
}

Test(parser, a_zero_byte_is_a_character_like_any_other)
{
    struct parse_options o = {0};
    struct errmsg why;
    struct query *q;
    cr_assert_eq(query_parse(SLICE_LIT("foo\0"), &o, &q, &why), ERR_INVALID);
    cr_assert_str_eq(why.text, "1:4: parse error: unexpected character: '\\x00'");
}

static struct buf nested(const char *open, const char *core, const char *close, unsigned levels)
{
    struct buf b = {0};
    for (unsigned i = 0; i < levels; i++)
        buf_str(&b, open);
    buf_str(&b, core);
    for (unsigned i = 0; i < levels; i++)
        buf_str(&b, close);
    return b;
}

static void expect_depth_limit(const char *open, const char *core, const char *close, unsigned levels)
{
    struct parse_options o = {.features = PROMQL_ALL_FEATURES, .depth_max = 200};
    struct errmsg why = {""};
    struct query *q;
    struct buf b = nested(open, core, close, levels);
    cr_expect_eq(query_parse(buf_view(&b), &o, &q, &why), ERR_LIMIT, "%s%s%s: %s", open, core, close, why.text);
    cr_expect(strstr(why.text, "nested more than 200 levels deep"), "%s", why.text);
    buf_deinit(&b);
}

Test(parser, nesting_of_every_kind_is_bounded)
{
    expect_depth_limit("(", "1", ")", 100000);
    expect_depth_limit("-", "foo", "", 100000);
    expect_depth_limit("abs(", "foo", ")", 100000);
    expect_depth_limit("sum(", "foo", ")", 100000);
    expect_depth_limit("foo + ", "foo", "", 100000);
    expect_depth_limit("2 ^ ", "2", "", 100000);
    expect_depth_limit("", "foo", "[5m:]", 100000);
    expect_depth_limit("", "foo", " + foo", 100000);
}

Test(parser, nesting_of_durations_is_bounded)
{
    struct parse_options o = {.features = PROMQL_ALL_FEATURES, .depth_max = 200};
    const char *const opens[] = {"(", "-", "min_of(", "2 ^ ", "1m + "};
    for (size_t i = 0; i < COUNT(opens); i++) {
        struct errmsg why = {""};
        struct query *q;
        struct buf b = nested(opens[i], "1m", "", 100000), whole = {0};
        buf_printf(&whole, "foo[%.*s]", SLICE_ARG(buf_view(&b)));
        cr_expect_eq(query_parse(buf_view(&whole), &o, &q, &why), ERR_LIMIT, "%s: %s", opens[i], why.text);
        buf_deinit(&b);
        buf_deinit(&whole);
    }
}

Test(parser, the_length_is_bounded)
{
    struct parse_options o = {.length_max = 10};
    struct errmsg why;
    struct query *q;
    cr_assert_eq(query_parse(SLICE_LIT("12345678901"), &o, &q, &why), ERR_LIMIT);
    cr_assert_str_eq(why.text, "expression has 11 bytes; the limit is 10");
}

Test(parser, long_lists_of_labels_take_no_quadratic_time)
{
    struct buf b = {0};
    buf_str(&b, "foo + on(");
    for (int i = 0; i < 60000; i++)
        buf_printf(&b, "%sa%d", i ? "," : "", i);
    buf_str(&b, ") group_left(");
    for (int i = 0; i < 60000; i++)
        buf_printf(&b, "%sb%d", i ? "," : "", i);
    buf_str(&b, ") bar");
    struct parse_options o = {0};
    struct errmsg why = {""};
    struct query *q = NULL;
    cr_assert_eq(query_parse(buf_view(&b), &o, &q, &why), ERR_OK, "%s", why.text);
    promql_query_free(q);
    buf_deinit(&b);
}

Test(parser, positions_span_the_text_of_a_node)
{
    struct errmsg why;
    struct query *q = parse_text("sum by (a) (rate(foo{b=\"c\"}[5m] offset 1m)) / 2", 0, &why);
    cr_assert(q, "%s", why.text);
    const struct node *sum = q->root->binary.lhs, *rate = sum->aggregate.expr, *range = rate->call.args[0];
    cr_assert(q->root->start == 0 && q->root->end == 47);
    cr_assert(sum->start == 0 && sum->end == 43);
    cr_assert(rate->start == 12 && rate->end == 42);
    cr_assert(range->start == 17 && range->end == 41);
    cr_assert(range->matrix.selector->start == 17 && range->matrix.selector->end == 27);
    cr_assert(q->root->binary.rhs->start == 46);
    promql_query_free(q);
}

Test(parser, a_selector_keeps_its_matchers_in_order_and_its_name_last)
{
    struct arena arena;
    struct matcher_set set;
    struct errmsg why;
    arena_init(&arena, NULL);
    cr_assert_eq(promql_parse_selector(SLICE_LIT("foo{b=\"1\",a!=\"2\",\"c.d\"=\"\\u00e9\"}"), &arena, &set, &why),
                 ERR_OK, "%s", why.text);
    cr_assert_eq(set.count, 4);
    cr_assert(slice_eq_str(set.list[0].name, "b") && set.list[0].op == MATCH_EQUAL);
    cr_assert(slice_eq_str(set.list[1].name, "a") && set.list[1].op == MATCH_NOT_EQUAL);
    cr_assert(slice_eq_str(set.list[2].name, "c.d") && slice_eq_str(set.list[2].value, "\xc3\xa9"));
    cr_assert(slice_eq_str(set.list[3].name, "__name__") && slice_eq_str(set.list[3].value, "foo"));
    arena_deinit(&arena);
}

Test(parser, a_selector_is_all_that_match_takes)
{
    static const struct parser_case cases[] = {
        {"", "unknown position: parse error: unexpected end of input"},
        {"5", "1:1: parse error: unexpected number \"5\""},
        {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
        {"foo[5m]", "1:4: parse error: unexpected \"[\""},
        {"foo + bar", "1:5: parse error: unexpected <op:+>"},
        {"sum(foo)", "1:4: parse error: unexpected \"(\""},
        {"{a=~\"(\"}", "1:2: parse error: error parsing regexp: missing closing ): `(`"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct matcher_set set;
        struct errmsg why = {""};
        arena_init(&arena, NULL);
        cr_assert_eq(promql_parse_selector(slice_str(cases[i].query), &arena, &set, &why), ERR_INVALID);
        cr_expect_str_eq(why.text, cases[i].want);
        arena_deinit(&arena);
    }
}
