#include <criterion/criterion.h>

#include "unit/promql/parser_test.h"

static const struct parser_case cases[] = {
#include "unit/promql/ast_json.inc"
};

Test(ast_json, trees_are_written_as_parse_query_answers)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct errmsg why;
        struct buf b = {0};
        struct query *q = parse_text(cases[i].query, PROMQL_ALL_FEATURES, &why);
        cr_assert(q, "%s: %s", cases[i].query, why.text);
        promql_ast_json(q, &b);
        cr_expect_str_eq(buf_cstr(&b), cases[i].want, "%s\n want %s\n got  %s", cases[i].query, cases[i].want,
                         buf_cstr(&b));
        buf_deinit(&b);
        promql_query_free(q);
    }
}

Test(ast_json, fill_values_that_json_has_no_numbers_for_are_strings)
{
    struct errmsg why;
    struct buf b = {0};
    struct query *q = parse_text("a + fill_left(NaN) fill_right(-Inf) b", PROMQL_ALL_FEATURES, &why);
    cr_assert(q, "%s", why.text);
    promql_ast_json(q, &b);
    cr_expect(strstr(buf_cstr(&b), "\"fillValues\":{\"lhs\":\"NaN\",\"rhs\":\"-Inf\"}"), "%s", buf_cstr(&b));
    buf_deinit(&b);
    promql_query_free(q);
}

Test(ast_json, bytes_that_are_not_utf8_become_replacement_characters)
{
    struct errmsg why;
    struct buf b = {0};
    struct query *q = parse_text("\"a\\xff\\xe2\\x80\\xa8\\u00e9\\x01\"", 0, &why);
    cr_assert(q, "%s", why.text);
    promql_ast_json(q, &b);
    cr_expect_str_eq(buf_cstr(&b), "{\"type\":\"stringLiteral\",\"val\":\"a\\ufffd\\u2028\xc3\xa9\\u0001\"}");
    buf_deinit(&b);
    promql_query_free(q);
}
