/*
 * top.h - the largest of many things that are told one by one.
 *
 * Ownership: top_deinit frees the list; names and values are borrowed and must live as long.
 * Threads:   one at a time.
 */
#ifndef API_TOP_H
#define API_TOP_H

#include "base/slice.h"

struct top_entry {
    struct slice name, value; /* value: of a pair, else empty */
    uint64_t count;
};
struct top {
    struct top_entry *list; /* a heap, the smallest first, until top_sort */
    size_t count, capacity, most;
};
void top_init(struct top *t, size_t most);
void top_deinit(struct top *t);
void top_offer(struct top *t, struct slice name, struct slice value, uint64_t count);
void top_sort(struct top *t); /* largest first, equals by name and value; nothing can be offered afterwards */

#endif
