/*
 * census_internal.h - groups of a census: found by the pairs that stay, remembered by their first series.
 *
 * Threads: a table belongs to one thread at a time.
 */
#ifndef HEAD_CENSUS_INTERNAL_H
#define HEAD_CENSUS_INTERNAL_H

#include "head/head_internal.h"

/* What the request has to say about a pair of labels. */
enum pair_mark {
    MARK_REJECT = 1, /* a matcher refuses it */
    MARK_KEY = 2,    /* it is part of the group's labels */
    MARK_ACCEPT = 4, /* times how many matchers that need a value are satisfied by it: the bits above */
};

struct tally_group {
    uint64_t series;
    uint64_t hash;
    uint32_t *key, *least; /* pair ids in order of their names: of the group, of its first series by labels_cmp */
    uint32_t key_count, least_count, least_capacity;
    uint32_t lost_id; /* the series last compared was later because of this id at this place */
    uint32_t lost_at;
};

struct tally_groups {
    struct head *head;
    struct arena arena;
    struct tally_group *list;
    uint32_t count, capacity;
    uint32_t *table; /* index + 1; 0: free */
    uint32_t size;   /* a power of two */
    uint32_t last;   /* the group found last: the next series is often in it */
    bool one;        /* there is but one group, and nobody asks which series is first */
};

void tally_groups_init(struct tally_groups *g, struct head *h, bool one, struct mem_budget *budget);
void tally_groups_deinit(struct tally_groups *g);
/* Adds series with this key; ids: all pairs of the first of them.  False when memory ends. */
bool tally_groups_add(struct tally_groups *g, const uint32_t *key, uint32_t key_count, const uint32_t *ids,
                      uint32_t count, uint64_t series);
bool tally_groups_merge(struct tally_groups *to, const struct tally_groups *from);
/* Puts them in the order of their first series. */
void tally_groups_sort(struct tally_groups *g);

#endif
