/*
 * matcher.h - one condition on one label: =, !=, =~, !~.
 *
 * A missing label has the empty value.  Regexes are RE2 syntax, fully anchored; compiling one is a
 * matter of folder `regex`, so the compiled form hangs here as an opaque pointer.
 *
 * Ownership: borrows name, value and regex (usually from the query's arena).
 */
#ifndef MODEL_MATCHER_H
#define MODEL_MATCHER_H

#include "base/slice.h"

enum match_op { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct regex;

struct matcher {
    enum match_op op;
    struct slice name, value;
    const struct regex *regex; /* compiled, for the two regex kinds; else NULL */
};

/* What is between the braces of one selector: all of them must hold. */
struct matcher_set {
    const struct matcher *list;
    uint32_t count;
};

#endif
