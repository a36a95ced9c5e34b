/*
 * gosort.h - Go's unstable sort and its binary heap, so that ties end up where Prometheus puts them.
 *
 * PromQL's sort, topk, bottomk, limitk leave equal elements in an order that only the same algorithm
 * gives.  Both work through less(i, j) and swap(i, j) over the indices of something of the caller's.
 *
 * Threads: any; no state but the caller's.
 */
#ifndef NUMERIC_GOSORT_H
#define NUMERIC_GOSORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct gosort_ops {
    bool (*less)(const void *ctx, size_t i, size_t j);
    void (*swap)(void *ctx, size_t i, size_t j);
};

/* sort.Sort: pattern-defeating quicksort; deterministic for a given input. */
void gosort_sort(const struct gosort_ops *ops, void *ctx, size_t count);

/* container/heap over indices 0..count-1; the smallest is at 0. */
void gosort_heap_init(const struct gosort_ops *ops, void *ctx, size_t count);
void gosort_heap_up(const struct gosort_ops *ops, void *ctx, size_t i); /* heap.Push: append, then up(count - 1) */
/* heap.Fix's and heap.Pop's descent; false when i stayed where it was. */
bool gosort_heap_down(const struct gosort_ops *ops, void *ctx, size_t i, size_t count);
void gosort_heap_fix(const struct gosort_ops *ops, void *ctx, size_t i, size_t count); /* after element i changed */

/* Whether a sorts before b in natural order ("m2" before "m10"), as sort_by_label compares. */
bool gosort_natural_less(struct slice a, struct slice b);

#endif
