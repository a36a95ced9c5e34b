/*
 * hist_chunk_layout_internal.h - span lists of the histograms in a chunk, and the bucket columns they make.
 *
 * One side (positive or negative) of a chunk has up to HIST_CHUNK_LAYOUTS_MAX distinct span lists.  Its
 * columns are the union of their bucket indexes, ascending; a list says at which place a column's
 * bucket stands in the histogram's array, or that it has none.
 */
#ifndef CHUNK_HIST_CHUNK_LAYOUT_INTERNAL_H
#define CHUNK_HIST_CHUNK_LAYOUT_INTERNAL_H

#include <stdbool.h>

#include "chunk/hist_chunk.h"

struct hist_spans {
    const struct histogram_span *list;
    uint32_t count;
    uint32_t buckets; /* sum of the lengths */
};

/* False when bucket indexes leave int32 or there are too many buckets. */
bool hist_spans_measure(const struct histogram_span *list, uint32_t count, struct hist_spans *out);
bool hist_spans_eq(const struct hist_spans *a, const struct histogram_span *list, uint32_t count);

struct hist_columns {
    uint32_t count;  /* of columns */
    int32_t *index;  /* [count] bucket index, ascending */
    uint32_t *place; /* [layout * count + column]: place in the histogram's array; HIST_NO_PLACE = none */
};
#define HIST_NO_PLACE UINT32_MAX

/* Memory from the arena; false when its budget ends. */
bool hist_columns_make(const struct hist_spans *layouts, uint32_t layout_count, struct arena *arena,
                       struct hist_columns *out);

#endif
