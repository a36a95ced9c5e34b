/*
 * tally.h - counts how often things occur, and names the most frequent ones.
 *
 * Ownership: tally_deinit frees the table; keys are borrowed and must live as long.
 * Threads:   one at a time.
 */
#ifndef API_TALLY_H
#define API_TALLY_H

#include "model/label.h"

struct tally_entry {
    struct hash128 hash; /* of what is counted; 0, 0 = free */
    struct slice name, value; /* value: of a pair, else empty */
    uint64_t count;
};

struct tally {
    struct tally_entry *entries; /* open addressing, capacity is a power of two */
    size_t count, capacity;
};
void tally_deinit(struct tally *t);
void tally_add(struct tally *t, struct hash128 hash, struct slice name, struct slice value, uint64_t more);
/* The `count` largest entries, largest first, equals by name and value; returns how many there are. */
size_t tally_top(const struct tally *t, struct tally_entry *out, size_t count);

#endif
