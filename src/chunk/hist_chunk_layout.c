/* hist_chunk_layout.c - see hist_chunk_layout_internal.h. */
#include "chunk/hist_chunk_layout_internal.h"

#include <stdlib.h>

bool hist_spans_measure(const struct histogram_span *list, uint32_t count, struct hist_spans *out)
{
    int64_t index = 0;
    uint64_t buckets = 0;
    for (uint32_t i = 0; i < count; i++) {
        index += list[i].offset;
        if ((i > 0 && list[i].offset < 0) || list[i].length > HIST_CHUNK_BUCKETS_MAX || index < INT32_MIN)
            return false;
        index += list[i].length;
        buckets += list[i].length;
        if (index > INT32_MAX || buckets > HIST_CHUNK_BUCKETS_MAX)
            return false;
    }
    *out = (struct hist_spans){.list = list, .count = count, .buckets = (uint32_t)buckets};
    return true;
}

bool hist_spans_eq(const struct hist_spans *a, const struct histogram_span *list, uint32_t count)
{
    if (a->count != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (a->list[i].offset != list[i].offset || a->list[i].length != list[i].length)
            return false;
    return true;
}

/* Writes the bucket indexes of one list; returns their number. */
static uint32_t spans_indexes(const struct hist_spans *spans, int32_t *out)
{
    uint32_t n = 0;
    int32_t index = 0;
    for (uint32_t i = 0; i < spans->count; i++) {
        index += spans->list[i].offset;
        for (uint32_t k = 0; k < spans->list[i].length; k++)
            out[n++] = index++;
    }
    return n;
}

static int compare_index(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t sort_unique(int32_t *v, uint32_t n)
{
    qsort(v, n, sizeof *v, compare_index);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || v[kept - 1] != v[i])
            v[kept++] = v[i];
    return kept;
}

bool hist_columns_make(const struct hist_spans *layouts, uint32_t layout_count, struct arena *arena,
                       struct hist_columns *out)
{
    size_t total = 1;
    for (uint32_t l = 0; l < layout_count; l++)
        total += layouts[l].buckets;
    int32_t *index = (int32_t *)arena_try_alloc(arena, total * sizeof *index);
    int32_t *own = (int32_t *)arena_try_alloc(arena, total * sizeof *own);
    if (!index || !own)
        return false;
    uint32_t n = 0;
    for (uint32_t l = 0; l < layout_count; l++)
        n += spans_indexes(&layouts[l], index + n);
    if (layout_count > 1)
        n = sort_unique(index, n);
    uint32_t *place = (uint32_t *)arena_try_alloc(arena, ((size_t)n * layout_count + 1) * sizeof *place);
    if (!place)
        return false;
    for (uint32_t l = 0; l < layout_count; l++) {
        uint32_t have = spans_indexes(&layouts[l], own), k = 0;
        for (uint32_t c = 0; c < n; c++)
            place[(size_t)l * n + c] = k < have && own[k] == index[c] ? k++ : HIST_NO_PLACE;
    }
    *out = (struct hist_columns){.count = n, .index = index, .place = place};
    return true;
}
