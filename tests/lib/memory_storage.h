/*
 * memory_storage.h - a storage in arrays, for tests of what reads storage/querier.h.
 *
 * Series keep the order in which they appeared unless a selector asks for label order.  Native
 * histograms get their reset hints as a real store would give them: the first of a run without a
 * reset is unknown, the rest say "no reset".
 *
 * Ownership: copies everything; queriers and sets live until their close, before memory_storage_free.
 * Threads:   append by one; then any number of readers.
 */
#ifndef LIB_MEMORY_STORAGE_H
#define LIB_MEMORY_STORAGE_H

#include "storage/querier.h"

struct memory_storage;

struct memory_storage *memory_storage_new(void);
void memory_storage_free(struct memory_storage *m);
struct storage *memory_storage_storage(struct memory_storage *m); /* lives as long as m */

/* One sample; `h` makes it a histogram, start_ms 0 = none.  A sample of the same time is replaced. */
void memory_storage_append(struct memory_storage *m, const struct labels *labels, int64_t t_ms, double value,
                           const struct histogram *h, int64_t start_ms);

#endif
