/*
 * side.c - samples beside the column: old ones, other values for a known time, times nobody else has.
 *
 * They come in any order and in any number, so a series keeps a sorted part and an unsorted end; the
 * end is sorted in when it has grown to an eighth of the whole, which keeps the work per sample
 * logarithmic even when a year arrives backwards.  For one time the later sample wins.
 */
#include "head/head_internal.h"

enum { UNSORTED_MIN = 32 };

/* Stable: equal times keep their order.  Insertion when nearly in order or short, else merge sort by halves. */
static void sort_end(struct side_sample *list, uint32_t count, struct side_sample *spare)
{
    if (count <= UNSORTED_MIN) {
        for (uint32_t i = 1; i < count; i++) {
            struct side_sample s = list[i];
            uint32_t k = i;
            for (; k > 0 && list[k - 1].time_ms > s.time_ms; k--)
                list[k] = list[k - 1];
            list[k] = s;
        }
        return;
    }
    uint32_t half = count / 2, a = 0, b = half, n = 0;
    sort_end(list, half, spare);
    sort_end(list + half, count - half, spare);
    while (a < half && b < count)
        spare[n++] = list[a].time_ms <= list[b].time_ms ? list[a++] : list[b++];
    while (a < half)
        spare[n++] = list[a++];
    while (b < count)
        spare[n++] = list[b++];
    memcpy(list, spare, count * sizeof *list);
}

void side_settle(struct side *s)
{
    if (s->sorted == s->count)
        return;
    struct side_sample *merged = mem_alloc(s->count * sizeof *merged);
    sort_end(s->list + s->sorted, s->count - s->sorted, merged);
    uint32_t a = 0, b = s->sorted, n = 0;
    while (a < s->sorted || b < s->count) {
        bool old = b == s->count || (a < s->sorted && s->list[a].time_ms <= s->list[b].time_ms);
        struct side_sample next = old ? s->list[a++] : s->list[b++];
        if (n && merged[n - 1].time_ms == next.time_ms)
            n--;
        merged[n++] = next;
    }
    memcpy(s->list, merged, n * sizeof *merged);
    mem_free(merged);
    s->count = s->sorted = n;
}

bool side_find(const struct side *s, int64_t time_ms, uint64_t *bits)
{
    uint32_t low = 0, high = s->sorted,
             newest = s->count - s->sorted < UNSORTED_MIN ? s->sorted : s->count - UNSORTED_MIN;
    for (uint32_t i = s->count; i > newest; i--)
        if (s->list[i - 1].time_ms == time_ms) {
            *bits = s->list[i - 1].bits;
            return true;
        }
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->list[mid].time_ms < time_ms)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->sorted || s->list[low].time_ms != time_ms)
        return false;
    *bits = s->list[low].bits;
    return true;
}

uint32_t side_first(const struct side_sample *list, uint32_t count, int64_t time_ms)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (list[mid].time_ms < time_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void side_add(struct head *h, struct page *p, struct series_line *line, int64_t time_ms, uint64_t bits)
{
    struct side *s = &series_more(h, line)->side;
    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity + s->capacity / 2 : 4;
        assert(capacity > s->capacity);
        s->list = mem_realloc(s->list, capacity * sizeof *s->list);
        bytes_add(&h->bytes_side, (int64_t)((capacity - s->capacity) * sizeof *s->list));
        s->capacity = capacity;
    }
    s->list[s->count++] = (struct side_sample){time_ms, bits};
    s->changed = true;
    if (s->count - s->sorted > UNSORTED_MIN + s->sorted / 8)
        side_settle(s);
    if (time_ms < p->side_min_ms)
        p->side_min_ms = time_ms;
    if (time_ms > p->side_max_ms)
        p->side_max_ms = time_ms;
}

void side_clear(struct head *h, struct side *s)
{
    bytes_add(&h->bytes_side, -(int64_t)(s->capacity * sizeof *s->list));
    mem_free(s->list);
    s->list = NULL;
    s->count = s->sorted = s->capacity = 0;
}

void side_free(struct head *h, struct side *s)
{
    bytes_add(&h->bytes_side, -(int64_t)((s->capacity + s->frozen_count) * sizeof *s->list));
    mem_free(s->list);
    mem_free(s->frozen);
    *s = (struct side){0};
}
