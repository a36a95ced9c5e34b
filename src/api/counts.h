/*
 * counts.h - counts how often things occur.
 *
 * Ownership: counts_deinit frees the table; keys are borrowed and must live as long.
 * Threads:   one at a time.
 */
#ifndef API_COUNTS_H
#define API_COUNTS_H

#include "model/label.h"

struct counts_entry {
    struct hash128 hash;      /* of what is counted; 0, 0 = free */
    struct slice name, value; /* value: of a pair, else empty */
    uint64_t count;
};

struct counts {
    struct counts_entry *entries; /* open addressing, capacity is a power of two */
    size_t count, capacity;
};
void counts_deinit(struct counts *t);
/* more > 0.  True: it is the first time. */
bool counts_add(struct counts *t, struct hash128 hash, struct slice name, struct slice value, uint64_t more);

#endif
