/* column.c - the timestamps of a page: entries that only grow, numbered for the life of the page. */
#include "head/head_internal.h"

enum { CAPACITY_MIN = 8 };

static size_t entry_bytes(const struct page *p)
{
    return p->flags & PAGE_WIDE ? sizeof(int64_t) : sizeof(uint32_t);
}

static void column_resize(struct head *h, struct page *p, uint32_t capacity)
{
    bytes_add(&h->bytes_columns, ((int64_t)capacity - p->capacity) * (int64_t)entry_bytes(p));
    p->column = mem_realloc(p->column, capacity * entry_bytes(p));
    p->capacity = capacity;
}

/* A time more than 49 days after the base: whole times from now on. */
static void column_widen(struct head *h, struct page *p)
{
    uint32_t count = p->end - p->start;
    int64_t *wide = mem_array(p->capacity, sizeof *wide);
    for (uint32_t i = 0; i < count; i++)
        wide[i] = column_at(p, p->start + i);
    mem_free(p->column);
    p->column = wide;
    p->flags |= PAGE_WIDE;
    bytes_add(&h->bytes_columns, (int64_t)p->capacity * 4);
}

void column_push(struct head *h, struct page *p, int64_t time_ms)
{
    uint32_t count = p->end - p->start;
    assert(time_ms > p->last_ms);
    if (count == 0)
        p->base_ms = time_ms;
    if (!(p->flags & PAGE_WIDE) && (uint64_t)time_ms - (uint64_t)p->base_ms > UINT32_MAX)
        column_widen(h, p);
    if (count == p->capacity)
        column_resize(h, p, count < CAPACITY_MIN ? CAPACITY_MIN : count + count / 2);
    if (p->flags & PAGE_WIDE)
        ((int64_t *)p->column)[count] = time_ms;
    else
        ((uint32_t *)p->column)[count] = (uint32_t)(time_ms - p->base_ms);
    p->end++;
    p->last_ms = time_ms;
}

uint32_t column_find(const struct page *p, int64_t time_ms)
{
    uint32_t low = p->start, high = p->end; /* below low: before; from high on: not before */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (column_at(p, mid) < time_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void column_drop(struct head *h, struct page *p, uint32_t start)
{
    assert(start >= p->start && start <= p->end);
    uint32_t left = p->end - start;
    if (left)
        memmove(p->column, (uint8_t *)p->column + (start - p->start) * entry_bytes(p), left * entry_bytes(p));
    p->start = start;
    if (left == 0) {
        column_free(h, p);
    } else if (left + CAPACITY_MIN < p->capacity / 2) {
        column_resize(h, p, left + CAPACITY_MIN);
    }
}

void column_free(struct head *h, struct page *p)
{
    bytes_add(&h->bytes_columns, -(int64_t)(p->capacity * entry_bytes(p)));
    mem_free(p->column);
    p->column = NULL;
    p->capacity = 0;
    p->flags = (uint16_t)(p->flags & ~PAGE_WIDE);
}

void column_copy(const struct page *p, uint32_t first, uint32_t end, int64_t *out)
{
    assert(first >= p->start && end <= p->end);
    if (p->flags & PAGE_WIDE) {
        memcpy(out, (const int64_t *)p->column + (first - p->start), (end - first) * sizeof *out);
        return;
    }
    const uint32_t *offset = (const uint32_t *)p->column + (first - p->start);
    for (uint32_t i = 0; i < end - first; i++)
        out[i] = p->base_ms + offset[i];
}
