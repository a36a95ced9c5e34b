/* shortcut.c - matching without an automaton: literals with gaps, and sets of literals. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "regex/regex_internal.h"

bool glob_match(const struct glob *g, struct slice s)
{
    if (s.len < g->bytes_min)
        return false;
    struct slice first = g->literal[0];
    if (!slice_starts_with(s, first))
        return false;
    if (g->part_count == 1)
        return s.len == first.len;
    struct slice last = g->literal[g->part_count - 1];
    if (last.len && memcmp(s.data + s.len - last.len, last.data, last.len) != 0)
        return false;
    const uint8_t *p = s.data + first.len, *end = s.data + s.len - last.len;
    for (uint32_t i = 1; i + 1 < g->part_count; i++) {
        p += g->gap_min[i];
        if (p > end)
            return false;
        p = memmem(p, (size_t)(end - p), g->literal[i].data, g->literal[i].len);
        if (!p)
            return false;
        p += g->literal[i].len;
    }
    return end - p >= g->gap_min[g->part_count - 1];
}

static uint32_t hash_of(struct slice s)
{
    uint64_t h = s.len * UINT64_C(0x9e3779b97f4a7c15);
    const uint8_t *p = s.data;
    size_t len = s.len;
    for (; len >= 8; len -= 8, p += 8)
        h = (h ^ le64_get(p)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 32;
    uint64_t tail = 0;
    memcpy(&tail, p ? p : (const uint8_t *)"", len);
    h = (h ^ tail) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(h >> 32);
}

bool literal_set_has(const struct literal_set *set, struct slice s)
{
    if (s.len < set->bytes_min || s.len > set->bytes_max)
        return false;
    if (!set->buckets) {
        for (uint32_t i = 0; i < set->count; i++)
            if (slice_eq(set->list[i], s))
                return true;
        return false;
    }
    for (uint32_t b = hash_of(s) & set->bucket_mask; set->buckets[b]; b = (b + 1) & set->bucket_mask)
        if (slice_eq(set->list[set->buckets[b] - 1], s))
            return true;
    return false;
}

static int literal_cmp(const void *a, const void *b)
{
    struct slice x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return slice_cmp(x, y);
}

enum { COMPARE_EACH_MAX = 6 };

bool literal_set_build(struct literal_set *set, struct slice *list, uint32_t count, struct arena *arena)
{
    uint32_t kept = 0;
    qsort(list, count, sizeof *list, literal_cmp);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || !slice_eq(list[i], list[kept - 1]))
            list[kept++] = list[i];
    *set = (struct literal_set){.list = list, .count = kept, .bytes_min = SIZE_MAX};
    for (uint32_t i = 0; i < kept; i++) {
        set->bytes_min = list[i].len < set->bytes_min ? list[i].len : set->bytes_min;
        set->bytes_max = list[i].len > set->bytes_max ? list[i].len : set->bytes_max;
    }
    if (kept <= COMPARE_EACH_MAX)
        return true;
    uint32_t size = 16;
    while (size < kept * 2)
        size *= 2;
    uint32_t *buckets = arena_try_alloc(arena, size * sizeof *buckets);
    if (!buckets)
        return false;
    memset(buckets, 0, size * sizeof *buckets);
    for (uint32_t i = 0; i < kept; i++) {
        uint32_t b = hash_of(list[i]) & (size - 1);
        while (buckets[b])
            b = (b + 1) & (size - 1);
        buckets[b] = i + 1;
    }
    set->buckets = buckets;
    set->bucket_mask = size - 1;
    return true;
}
