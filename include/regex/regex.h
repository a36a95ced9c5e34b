/*
 * regex.h - regular expressions in RE2 syntax as Prometheus uses them; linear time whatever the pattern.
 *
 * A compiled regex is immutable to its users.  What it learns while matching (states of its automaton)
 * is kept in a fixed part of the arena and published without locks, so any number of threads may
 * match at once; nothing has to be freed but the arena.  Patterns and subjects are bytes: bytes that
 * are not UTF-8 match as U+FFFD one by one, as in Go.
 *
 *     const struct regex *re;
 *     err = regex_compile(pattern, arena, 0, &re, why);  // ERR_INVALID: "error parsing regexp: ..." as Go says it
 *     if (regex_match(re, value)) ...
 *
 * Ownership: the arena owns everything, a copy of the pattern included.
 * Threads:   compile one at a time per arena; all others any.
 */
#ifndef REGEX_REGEX_H
#define REGEX_REGEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct regex;

enum regex_flag {
    /*
     * Compile "^(?s:" pattern ")$" as one text, as label_replace and relabeling do, instead of parsing the
     * pattern by itself and anchoring it, as matchers do.  Error texts show the wrapped pattern.
     */
    REGEX_WRAPPED = 1,
};

/* ERR_INVALID: not a regular expression.  ERR_LIMIT: within the rules, but over the arena's budget. */
MUST_CHECK enum err regex_compile(struct slice pattern, struct arena *arena, unsigned flags, const struct regex **out,
                                  struct errmsg *why);
struct slice regex_pattern(const struct regex *re); /* as given */

/* Whether the whole of s matches; '.' matches newlines too. */
bool regex_match(const struct regex *re, struct slice s);

/*
 * Groups of the leftmost-first match, as Go's FindStringSubmatchIndex; only of a pattern that was compiled
 * with REGEX_WRAPPED.
 */
enum { REGEX_GROUPS_MAX = 100 }; /* no more are reported, group 0 included */
struct regex_groups {
    uint32_t count;                       /* groups reported: min(groups of the pattern + 1, max) */
    struct slice group[REGEX_GROUPS_MAX]; /* data is NULL where a group took no part */
};
bool regex_submatch(const struct regex *re, struct slice s, struct regex_groups *out);
/* Go's Regexp.ExpandString: $1, ${1}, $name, ${name}, $$; unknown names are empty. */
void regex_expand(const struct regex *re, struct slice template, const struct regex_groups *groups, struct buf *out);
bool regex_has_group(const struct regex *re, struct slice name);

/*
 * What an index can use.  All values that match
 *   - are among regex_literals, when count > 0 (then these are exactly the values that match);
 *   - start with regex_prefix (may be empty);
 *   - contain regex_substring (may be empty).
 */
struct regex_literals {
    uint32_t count;           /* 0: not a finite set, or too large a one */
    const struct slice *list; /* sorted bytewise, no duplicates */
};
enum { REGEX_LITERALS_MAX = 65536 };
struct regex_literals regex_literals(const struct regex *re);
struct slice regex_prefix(const struct regex *re);
struct slice regex_substring(const struct regex *re);
bool regex_matches_everything(const struct regex *re); /* ".*" */
bool regex_matches_empty(const struct regex *re);

#endif
