/* matcher.c - whether a value or a label set satisfies matchers; the contract is in querier.h. */
#include "base/assert.h"
#include "regex/regex.h"
#include "storage/querier.h"

bool matcher_matches(const struct matcher *m, struct slice value)
{
    switch (m->op) {
    case MATCH_EQUAL:
        return slice_eq(m->value, value);
    case MATCH_NOT_EQUAL:
        return !slice_eq(m->value, value);
    case MATCH_REGEX:
        return regex_match(m->regex, value);
    case MATCH_NOT_REGEX:
        return !regex_match(m->regex, value);
    }
    assert(0 && "a matcher has one of four kinds");
    return false;
}

bool selector_shows_always(struct slice name)
{
    return slice_eq(name, SLICE_LIT("__name__")) || slice_eq(name, SLICE_LIT("__type__")) ||
           slice_eq(name, SLICE_LIT("__unit__"));
}

bool matchers_match(const struct matcher *matchers, uint32_t count, const struct labels *labels)
{
    for (uint32_t i = 0; i < count; i++)
        if (!matcher_matches(&matchers[i], labels_get(labels, matchers[i].name)))
            return false;
    return true;
}
