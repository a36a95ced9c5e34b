/*
 * segments.c - where series, pages and tail lines live: tables of big blocks that never move.
 *
 * A segment holds 16,384 series: their lines (one OS page per page of series), the hints to their
 * successors and the page heads, in memory that the kernel fills in when it is touched.
 *
 * The first segments are allocated one by one, so that a small head is small.  Later ones come in groups, whose lines are
 * asked for in huge pages: senders whose order is not that of creation, and the first touch of a new page of series, would
 * otherwise wait for the walk through the page tables more than for the line.  Tail lines likewise.
 */
#include "head/head_internal.h"

enum { ALIGN = 4096, ALONE = 8, GROUP = 4 };
_Static_assert(GROUP * SEGMENT_SERIES * sizeof(struct series_line) >= MEM_PAGES_HUGE, "a group fills huge pages");
_Static_assert(ALONE % GROUP == 0, "groups begin at multiples of their size");

struct layout {
    size_t lines, pages, successors; /* bytes */
};

static const struct layout layout = {
    SEGMENT_SERIES * sizeof(struct series_line),
    SEGMENT_PAGES * sizeof(struct page),
    SEGMENT_SERIES * sizeof(uint64_t),
};

static size_t group_bytes(void)
{
    return GROUP * (layout.lines + layout.pages + layout.successors);
}

static void page_deinit(struct head *h, uint32_t page)
{
    struct page *p = page_of(h, page);
    for (uint32_t slot = 0; slot < PAGE_SERIES; slot++) {
        struct series_line *line = line_of(h, page * PAGE_SERIES + slot);
        more_free(h, line->more);
    }
    column_free(h, p);
    mem_free(atomic_load(&p->labels.block));
    mem_free(p->told.ends);
    mutex_deinit(&p->lock);
}

void segments_deinit(struct head *h)
{
    uint32_t pages = get_relaxed(&h->page_count);
    for (uint32_t page = 0; page < pages; page++)
        page_deinit(h, page);
    for (uint32_t i = 0; i * SEGMENT_PAGES < pages; i++) {
        if (i < ALONE)
            mem_free(h->segments[i].memory);
        else if (i % GROUP == 0)
            mem_pages_free(h->segments[i].memory, group_bytes());
    }
    for (uint32_t i = 0; (uint64_t)i * LINE_SEGMENT < h->line_next; i++) {
        if (i < ALONE)
            mem_free(atomic_load(&h->lines.tails[i]));
        else if (i % GROUP == 0)
            mem_pages_free(atomic_load(&h->lines.tails[i]), GROUP * LINE_SEGMENT * sizeof(struct tail_line));
    }
    mem_free(h->segments);
    mem_free((void *)(uintptr_t)h->lines.lines);
    mem_free((void *)(uintptr_t)h->lines.successors);
    mem_free((void *)(uintptr_t)h->lines.tails);
    mem_free(h->free_lines);
}

struct page *page_of(struct head *h, uint32_t page)
{
    return h->segments[page / SEGMENT_PAGES].pages + page % SEGMENT_PAGES;
}

/* Aligned for lines, pages and successors of `count` segments, in this order; *memory: what to free. */
static uint8_t *segments_alloc(uint32_t count, void **memory)
{
    size_t bytes = count * (layout.lines + layout.pages + layout.successors);
    uint8_t *at = *memory = count == GROUP ? mem_pages(bytes) : mem_zalloc(bytes + ALIGN);
    return at + (ALIGN - (uintptr_t)at % ALIGN) % ALIGN;
}

/* Segments are made in the order of their numbers. */
static void segment_make(struct head *h, uint32_t i)
{
    struct head_segment *s = &h->segments[i];
    uint32_t count = i < ALONE ? 1 : GROUP, nth = i % count;
    const struct head_segment *first = s - nth;
    if (nth == 0) {
        uint8_t *at = segments_alloc(count, &s->memory);
        s->lines = (struct series_line *)(void *)at;
        s->pages = (struct page *)(void *)(at + count * layout.lines);
        s->successors = (_Atomic uint64_t *)(void *)(at + count * (layout.lines + layout.pages));
    } else {
        *s = (struct head_segment){first->lines + (size_t)nth * SEGMENT_SERIES,
                                   first->successors + (size_t)nth * SEGMENT_SERIES,
                                   first->pages + (size_t)nth * SEGMENT_PAGES, first->memory};
    }
    atomic_store_explicit(&h->lines.successors[i], s->successors, memory_order_release);
    atomic_store_explicit(&h->lines.lines[i], s->lines, memory_order_release);
}

static void page_init(struct head *h, uint32_t page)
{
    struct page *p = page_of(h, page);
    mutex_lock(&p->lock);
    p->last_ms = NO_TIME;
    p->floor_ms = get_relaxed(&h->floor_ms);
    p->side_min_ms = INT64_MAX;
    p->side_max_ms = INT64_MIN;
    p->start = p->end = 0;
    p->flags = 0;
    p->alive = 0;
    p->told.end = p->told.slots = 0; /* its sequence goes on */
    mem_free(p->told.ends);
    p->told.ends = NULL;
    set_relaxed(&p->slots, 0);
    mutex_unlock(&p->lock);
}

/* Pages up to this one exist afterwards; those that were skipped have no series yet. */
static void pages_reach(struct head *h, uint32_t page)
{
    uint32_t count = get_relaxed(&h->page_count);
    for (uint32_t next = count; next <= page; next++) {
        if (!h->segments[next / SEGMENT_PAGES].memory)
            segment_make(h, next / SEGMENT_PAGES);
        mutex_init(&page_of(h, next)->lock);
        page_init(h, next);
    }
    if (page >= count) {
        bytes_add(&h->bytes_lines, (int64_t)(page + 1 - count) * (PAGE_SERIES * (int64_t)(sizeof(struct series_line) + sizeof(uint64_t)) + (int64_t)sizeof(struct page)));
        atomic_store_explicit(&h->page_count, page + 1, memory_order_release);
    }
}

static void line_segment_make(struct head *h, uint32_t i)
{
    struct tail_line *lines = i < ALONE         ? mem_zalloc(LINE_SEGMENT * sizeof *lines)
                              : i % GROUP == 0 ? mem_pages(GROUP * LINE_SEGMENT * sizeof *lines)
                                               : get_relaxed(&h->lines.tails[i - 1]) + LINE_SEGMENT;
    atomic_store_explicit(&h->lines.tails[i], lines, memory_order_release);
}

void segments_init(struct head *h)
{
    h->lines.lines = mem_array(SEGMENTS_MAX, sizeof *h->lines.lines);
    h->lines.successors = mem_array(SEGMENTS_MAX, sizeof *h->lines.successors);
    h->segments = mem_array(SEGMENTS_MAX, sizeof *h->segments);
    h->lines.tails = mem_array(LINE_SEGMENTS_MAX, sizeof *h->lines.tails);
    h->line_next = 1; /* line 0 means "none" */
    line_segment_make(h, 0);
    pages_reach(h, 0); /* page 0 holds no series, but ref 0 can be looked at: its successor is 0 */
}

uint32_t page_new(struct head *h)
{
    if (h->free_page_count) {
        uint32_t page = h->free_pages[--h->free_page_count];
        page_init(h, page);
        return page;
    }
    uint32_t page = get_relaxed(&h->page_count);
    if (page >= SEGMENTS_MAX * SEGMENT_PAGES)
        return 0;
    pages_reach(h, page);
    return page;
}

void page_begin(struct head *h, uint32_t page)
{
    assert(page > 0 && page < SEGMENTS_MAX * SEGMENT_PAGES);
    pages_reach(h, page);
}

void page_leave(struct head *h, uint32_t page)
{
    struct page *p = page_of(h, page);
    assert(p->alive == 0);
    mutex_lock(&p->lock);
    column_free(h, p);
    p->start = p->end;
    p->flags = PAGE_GONE;
    mutex_unlock(&p->lock);
    h->left_pages = mem_grow(h->left_pages, &h->left_page_capacity, h->left_page_count + 1, sizeof *h->left_pages);
    h->left_pages[h->left_page_count++] = page;
}

void page_forget(struct head *h, uint32_t page)
{
    int64_t bytes = 0;
    vec_drop(&page_of(h, page)->labels, &h->epochs, 1, &bytes);
    bytes_add(&h->bytes_labels, bytes);
}

void page_mark_lost(struct head *h, uint32_t page, uint32_t frame)
{
    page_of(h, page)->flags |= PAGE_LOST;
    for (uint32_t slot = 0; slot < PAGE_SERIES; slot++) {
        struct series_line *line = line_of(h, page * PAGE_SERIES + slot);
        if (line->flags >> LINE_BORN_SHIFT <= frame)
            line->flags |= LINE_LOST;
    }
}

static void stock_fill_locked(struct head_appender *a) REQUIRES(a->head->stock)
{
    struct head *h = a->head;
    while (h->free_line_count && a->line_count < LINE_STOCK)
        a->lines[a->line_count++] = h->free_lines[--h->free_line_count];
    while (a->line_count < LINE_STOCK) {
        uint32_t id = h->line_next++;
        assert(id != UINT32_MAX);
        if (!get_relaxed(&h->lines.tails[id / LINE_SEGMENT]))
            line_segment_make(h, id / LINE_SEGMENT);
        a->lines[a->line_count++] = id;
        bytes_add(&h->bytes_tails, (int64_t)sizeof(struct tail_line));
    }
}

uint32_t tail_line_take(struct head_appender *a)
{
    if (__builtin_expect(a->line_count == 0, 0)) {
        mutex_lock(&a->head->stock);
        stock_fill_locked(a);
        mutex_unlock(&a->head->stock);
    }
    return a->lines[--a->line_count];
}

void tail_lines_give(struct head *h, const uint32_t *ids, size_t count)
{
    if (count == 0)
        return;
    mutex_lock(&h->stock);
    h->free_lines = mem_grow(h->free_lines, &h->free_line_capacity, h->free_line_count + count, sizeof *h->free_lines);
    memcpy(h->free_lines + h->free_line_count, ids, count * sizeof *ids);
    h->free_line_count += count;
    mutex_unlock(&h->stock);
}
