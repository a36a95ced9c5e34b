/*
 * label.h - labels of a series: a sorted list of interned name=value pairs.
 *
 * A `struct label` is one immutable pair with its hash; it lives in the symbol table of the head, of
 * an open block, or in a query's arena.  A label set is an array of pointers to such pairs, sorted by
 * name, names unique, no empty values.  Equal pointers mean equal pairs; different pointers may still
 * be equal, so compare with label_eq (hash first).  The hash of a set is the wrapping sum of the
 * hashes of its pairs: dropping, adding or replacing one label is O(1) on the hash, and equal 128-bit
 * hashes mean equal sets (asserted byte by byte in ASSERT_SLOW builds).
 *
 * Ownership: labels borrow the pairs; whoever hands them out says how long they live.
 * Threads:   immutable, any.
 */
#ifndef MODEL_LABEL_H
#define MODEL_LABEL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct hash128 {
    uint64_t lo, hi;
};

struct label {
    struct slice name, value;
    struct hash128 hash; /* label_hash(name, value) */
};

struct labels {
    uint32_t count;
    const struct label *const *list; /* sorted by name, bytewise */
    struct hash128 hash;             /* sum of the pairs' hashes */
};

#define METRIC_NAME "__name__"

/* XXH3 128 over name, one 0xff byte, value: the same in every process (not the ingest identity, which is keyed). */
struct hash128 label_hash(struct slice name, struct slice value);

static inline struct hash128 hash128_add(struct hash128 a, struct hash128 b)
{
    return (struct hash128){a.lo + b.lo, a.hi + b.hi};
}

static inline struct hash128 hash128_sub(struct hash128 a, struct hash128 b)
{
    return (struct hash128){a.lo - b.lo, a.hi - b.hi};
}

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static inline bool label_eq(const struct label *a, const struct label *b)
{
    return a == b || hash128_eq(a->hash, b->hash);
}

bool labels_eq(const struct labels *a, const struct labels *b);
/* Prometheus' order: pair by pair, name then value bytewise; a prefix is smaller. */
int labels_cmp(const struct labels *a, const struct labels *b);
/* The value, or an empty slice when there is no such label. */
struct slice labels_get(const struct labels *l, struct slice name);
const struct label *labels_find(const struct labels *l, struct slice name); /* NULL when missing */
struct slice labels_name(const struct labels *l);                          /* value of __name__ */
void labels_print(const struct labels *l, struct buf *out); /* name{a="b", c="d"} as Prometheus prints it */
/* Labels without the pairs for which drop() is true; arena copies of the list only. */
struct labels labels_filter(const struct labels *l, struct arena *arena, bool (*drop)(const struct label *, void *ctx),
                            void *ctx);
struct labels labels_copy(const struct labels *l, struct arena *arena); /* deep: pairs and bytes too */

/*
 * Prometheus' own hash of a label set: xxHash64 over its in-memory form.  limit_ratio() chooses series by it,
 * so it is part of PromQL's answers; nothing else should use it.
 */
uint64_t labels_prometheus_hash(const struct labels *l);

/* Builds a label set by setting and deleting names, in any order (Prometheus' labels.Builder). */
struct labels_builder {
    struct arena *arena; /* borrowed; holds new pairs and the result */
    const struct label **list;
    uint32_t count, capacity;
};
void labels_builder_init(struct labels_builder *b, struct arena *arena, const struct labels *base); /* base may be NULL */
void labels_builder_set(struct labels_builder *b, struct slice name, struct slice value); /* empty value deletes; copies */
void labels_builder_set_pair(struct labels_builder *b, const struct label *pair);         /* borrows the pair */
void labels_builder_del(struct labels_builder *b, struct slice name);
struct labels labels_builder_finish(struct labels_builder *b);

const struct label *label_new(struct arena *arena, struct slice name, struct slice value); /* copies */

bool label_name_valid_legacy(struct slice name); /* [a-zA-Z_][a-zA-Z0-9_]* */
bool metric_name_valid_legacy(struct slice name); /* the same with ':' */
bool utf8_valid(struct slice s);

#endif
