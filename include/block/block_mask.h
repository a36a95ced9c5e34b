/*
 * block_mask.h - what of a block no longer counts: deleted samples, and samples past the retention of their series.
 *
 * A block is immutable, so what is deleted stands beside it until the block is merged or written anew:
 *
 *     struct block_mask *mask = NULL;
 *     block_mask_extend(b, NULL, cuts, count, cancel, &mask, why);      // deletes, found in the index once
 *     block_classes_find(b, selectors, count, cancel, &classes, why);  // which rule a series belongs to, once
 *     struct block_view view = {.mask = mask, .classes = classes, .floors = {...}};   // of this moment
 *     block_querier_view(b, &view, mint_ms, maxt_ms, &q, why);         // a series without samples left is not there
 *     ... merges take views too (block.h): what does not count is not copied
 *
 * Of series that are deleted whole a mask keeps one bit, of others their intervals; classes are a byte a series.
 *
 * Ownership: counted references; a view borrows, a querier that was given one holds references of its own.
 * Threads:   masks and classes are immutable once made.
 */
#ifndef BLOCK_BLOCK_MASK_H
#define BLOCK_BLOCK_MASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "model/matcher.h"

struct block;
struct block_mask;
struct block_classes;

enum { BLOCK_CLASSES_MAX = 64 }; /* class 0: no rule matches */

/* Series that match all matchers lose the samples with mint <= t <= maxt. */
struct block_cut {
    const struct matcher *matchers;
    uint32_t matcher_count;
    int64_t mint_ms, maxt_ms;
};

/*
 * What `before` (may be NULL) masks and the cuts, together.  *out is NULL when that is nothing.  Series whose samples
 * cannot be looked at because of damage count as having some in the interval.
 */
MUST_CHECK enum err block_mask_extend(struct block *b, const struct block_mask *before, const struct block_cut *cuts,
                                      uint32_t count, struct cancel *cancel, struct block_mask **out,
                                      struct errmsg *why);
struct block_mask *block_mask_acquire(struct block_mask *m); /* accepts NULL */
void block_mask_release(struct block_mask *m);               /* accepts NULL */
uint64_t block_mask_gone(const struct block_mask *m);        /* series of which nothing is left; accepts NULL */

/* The class of a series is the number, from 1, of the last selector that it matches.  *out is NULL when none has any.
 */
struct block_selector {
    const struct matcher *matchers;
    uint32_t matcher_count;
};
MUST_CHECK enum err block_classes_find(struct block *b, const struct block_selector *selectors, uint32_t count,
                                       struct cancel *cancel, struct block_classes **out, struct errmsg *why);
struct block_classes *block_classes_acquire(struct block_classes *c); /* accepts NULL */
void block_classes_release(struct block_classes *c);                  /* accepts NULL */

struct block_view {
    struct block_mask *mask;           /* NULL: nothing is deleted */
    struct block_classes *classes;     /* NULL: all series are of class 0 */
    int64_t floors[BLOCK_CLASSES_MAX]; /* by class: samples before it do not count; INT64_MIN: none */
};
void block_view_init(struct block_view *view); /* everything counts */

/* What a view hides. */
struct block_tally {
    uint64_t series;  /* of which nothing is left */
    uint64_t samples; /* of all series */
    uint64_t bytes;   /* about, of data and index */
};
MUST_CHECK enum err block_view_tally(struct block *b, const struct block_view *view, struct cancel *cancel,
                                     struct block_tally *out, struct errmsg *why);

#endif
