/* Matchers on values and label sets; a missing label is the empty value. */
#include <criterion/criterion.h>

#include "regex/regex.h"
#include "storage/querier.h"

static struct matcher matcher_of(struct arena *a, enum match_op op, const char *name, const char *value)
{
    struct matcher m = {.op = op, .name = slice_str(name), .value = slice_str(value)};
    struct errmsg why = {0};
    if (op == MATCH_REGEX || op == MATCH_NOT_REGEX)
        cr_assert_eq(regex_compile(m.value, a, 0, &m.regex, &why), ERR_OK, "%s", why.text);
    return m;
}

Test(matchers, treat_a_missing_label_as_empty)
{
    struct arena a;
    arena_init(&a, NULL);
    struct labels_builder b;
    labels_builder_init(&b, &a, NULL);
    labels_builder_set(&b, slice_str("__name__"), slice_str("up"));
    labels_builder_set(&b, slice_str("job"), slice_str("node"));
    struct labels l = labels_builder_finish(&b);
    const struct {
        enum match_op op;
        const char *name, *value;
        bool want;
    } rows[] = {
        {MATCH_EQUAL, "job", "node", true},      {MATCH_EQUAL, "job", "nod", false},
        {MATCH_EQUAL, "zone", "", true},         {MATCH_NOT_EQUAL, "zone", "", false},
        {MATCH_NOT_EQUAL, "zone", "x", true},    {MATCH_REGEX, "job", "no.*", true},
        {MATCH_REGEX, "job", "od", false},       {MATCH_REGEX, "zone", ".*", true},
        {MATCH_REGEX, "zone", ".+", false},      {MATCH_NOT_REGEX, "job", "a|b", true},
        {MATCH_NOT_REGEX, "zone", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct matcher m = matcher_of(&a, rows[i].op, rows[i].name, rows[i].value);
        cr_expect_eq(matchers_match(&m, 1, &l), rows[i].want, "row %zu", i);
    }
    struct matcher both[] = {matcher_of(&a, MATCH_EQUAL, "job", "node"), matcher_of(&a, MATCH_EQUAL, "job", "x")};
    cr_expect_not(matchers_match(both, 2, &l), "all must hold");
    cr_expect(matchers_match(both, 0, &l), "none always hold");
    arena_deinit(&a);
}
