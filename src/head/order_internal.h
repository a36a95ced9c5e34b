/*
 * order_internal.h - label sets of many series at once, in the order of labels_cmp when wanted.
 *
 * Threads: inside an epoch; any number side by side.
 */
#ifndef HEAD_ORDER_INTERNAL_H
#define HEAD_ORDER_INTERNAL_H

#include "head/head_internal.h"

/*
 * Fills labels[count] and out[count], the refs they belong to; label lists are in the arena, working memory is charged
 * to its budget and given back.  `sel` tells which pairs are to be listed; NULL: all.  ERR_LIMIT when memory ends,
 * ERR_CANCELED, ERR_TIMEOUT.
 */
enum err series_labels_all(struct head *h, const struct refs *refs, const struct selector *sel, bool sorted,
                           struct arena *arena, struct cancel *cancel, struct labels *labels, series_ref *out);

#endif
