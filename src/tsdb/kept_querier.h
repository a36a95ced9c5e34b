/*
 * kept_querier.h - a querier without the samples that are past the retention of their series.
 *
 * For the head, whose samples are rarely that old: it looks at the labels of every series that is selected, and at
 * its newest sample when it may have only old ones.  Blocks know their classes from the index (block_mask.h).
 *
 * Ownership: takes the querier; holds a reference of the rules.
 * Threads:   as storage/querier.h.
 */
#ifndef TSDB_KEPT_QUERIER_H
#define TSDB_KEPT_QUERIER_H

#include "storage/querier.h"
#include "tsdb/rules.h"

struct querier *kept_querier_new(struct querier *inner, struct rules *rules, const struct floors *floors);

#endif
