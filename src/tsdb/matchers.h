/*
 * matchers.h - selectors that outlive the request they came from: deep copies, regexes compiled again.
 *
 * Ownership: everything is in the arena.
 * Threads:   plain values.
 */
#ifndef TSDB_MATCHERS_H
#define TSDB_MATCHERS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/matcher.h"
#include "tsdb/tsdb.h"

/* ERR_INVALID: a regex that does not compile (it came from a file). */
MUST_CHECK enum err matcher_copy(const struct matcher *m, struct arena *arena, struct matcher *out, struct errmsg *why);
MUST_CHECK enum err matchers_copy(const struct matcher *list, uint32_t count, struct arena *arena, struct matcher **out,
                                  struct errmsg *why);
/* {a="b",c=~"d"}, values quoted as PromQL reads them. */
void matchers_print(const struct matcher *list, uint32_t count, struct buf *out);

#endif
