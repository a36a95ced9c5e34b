/*
 * rules.h - how long which series are kept.
 *
 * Rules are in the order of falling keep, so that the last one that matches a series is the shortest, which counts.
 * A series that none matches is of class 0 and kept for the retention of the store; class n is rule n - 1.
 *
 * Ownership: counted and immutable.
 * Threads:   plain values.
 */
#ifndef TSDB_RULES_H
#define TSDB_RULES_H

#include <stdatomic.h>

#include "base/arena.h"
#include "block/block_mask.h"
#include "model/label.h"
#include "tsdb/tsdb.h"

struct rule {
    struct block_selector selector;
    int64_t keep_ms; /* 0: for ever */
};

struct rules {
    _Atomic uint32_t references;
    uint64_t version; /* another one each time they change */
    uint32_t count;
    struct rule list[TSDB_RULES_MAX];
    uint32_t given[TSDB_RULES_MAX]; /* places in the list they were made from */
    struct arena arena;
};
_Static_assert((int)TSDB_RULES_MAX < (int)BLOCK_CLASSES_MAX, "class 0 is for series without a rule");

MUST_CHECK enum err rules_new(const struct tsdb_rule *given, uint32_t count, uint64_t version, struct rules **out,
                              struct errmsg *why);
struct rules *rules_acquire(struct rules *r);
void rules_release(struct rules *r); /* accepts NULL */

/* When samples begin to count. */
struct floors {
    int64_t of[BLOCK_CLASSES_MAX]; /* by class */
    int64_t min_ms, max_ms;        /* of the classes in use */
};
void rules_floors(const struct rules *r, int64_t now_ms, int64_t retention_ms, struct floors *out);
uint32_t rules_class(const struct rules *r, const struct labels *labels);

#endif
