/* parser_test.h - parsing and printing for the tests of the language; texts live in one static buffer each. */
#ifndef UNIT_PROMQL_PARSER_TEST_H
#define UNIT_PROMQL_PARSER_TEST_H

#include "promql/query_internal.h"

struct parser_case {
    const char *query, *want;
};

/* NULL after an error, which is then in `why`. */
static inline struct query *parse_text(const char *text, unsigned features, struct errmsg *why)
{
    struct parse_options o = {.features = features};
    struct query *q;
    return query_parse(slice_str(text), &o, &q, why) == ERR_OK ? q : NULL;
}

#endif
