/*
 * tombstones.h - what was deleted and may still be in blocks, and the file that remembers it.
 *
 * A tombstone is a selector, a time range and the number of the newest flush when it was made: it covers the samples
 * in blocks up to that number, which is all that was stored then (the head is flushed before), and nothing that was
 * written later.  It is forgotten when no block has such samples any more.  Format: docs/formats/tombstones.md.
 *
 * Ownership: a struct tombstones is counted and immutable once it is shared; it owns its matchers.
 * Threads:   plain values.
 */
#ifndef TSDB_TOMBSTONES_H
#define TSDB_TOMBSTONES_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/fs.h"
#include "model/matcher.h"

enum {
    TOMBSTONES_MAX = 100000,
    TOMBSTONE_BYTES_MAX = 1 << 20, /* one in the file */
    TOMBSTONES_BYTES_MAX = 64 << 20,
    TOMBSTONES_FILE_BYTES_MAX = TOMBSTONES_BYTES_MAX + (1 << 20), /* what is read */
    TOMBSTONE_MATCHERS_MAX = 1024,
};

struct tombstone {
    _Atomic uint32_t references; /* of lists; immutable but for it */
    struct arena arena;          /* the selector */
    uint64_t number;             /* strictly grows */
    uint64_t sequence;           /* applies to blocks with seq_max up to this */
    int64_t mint_ms, maxt_ms;    /* inclusive */
    int64_t made_ms;
    uint32_t matcher_count;
    const struct matcher *matchers;
};

struct tombstones {
    _Atomic uint32_t references;
    uint64_t next_number;
    struct tombstone **list; /* rising number */
    size_t count, capacity;
    uint64_t bytes; /* of the file */
};

struct tombstones *tombstones_new(void);
struct tombstones *tombstones_copy(const struct tombstones *t); /* a list of its own, to be changed */
void tombstones_remove(struct tombstones *t, size_t index);
struct tombstones *tombstones_acquire(struct tombstones *t);
void tombstones_release(struct tombstones *t); /* accepts NULL */
/*
 * Adds a deep copy; with number 0 it gets the next one.  ERR_LIMIT: there are too many, or the selector is too long.
 * ERR_INVALID: its regex does not compile.
 */
MUST_CHECK enum err tombstones_add(struct tombstones *t, const struct tombstone *stone, struct errmsg *why);

void tombstones_print(const struct tombstones *t, uint64_t dir_id, struct buf *out);
/*
 * Whatever can be read; *damaged counts what could not and why tells of the first.  ERR_UNSUPPORTED: a newer version
 * wrote it.  ERR_CORRUPT: not even a header, or of another directory.  Otherwise *out is new.
 */
MUST_CHECK enum err tombstones_parse(struct slice text, uint64_t dir_id, struct tombstones **out, uint64_t *damaged,
                                     struct errmsg *why);

#endif
