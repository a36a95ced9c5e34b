/*
 * radix.h - sorting by a 64-bit key, a byte at a time (LSD radix sort, Knuth TAOCP 5.2.5).
 *
 * O(count) for each byte in which keys differ; stable.  Nothing is allocated.
 */
#ifndef BASE_RADIX_H
#define BASE_RADIX_H

#include <stddef.h>
#include <stdint.h>

struct radix_item {
    uint64_t key;
    uint32_t id; /* the caller's */
};

/* Ascending by key.  spare: room for as many.  differing: bits in which some keys differ; bytes without one are passed
 * over. */
void radix_sort(struct radix_item *list, struct radix_item *spare, size_t count, uint64_t differing);

#endif
