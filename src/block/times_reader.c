/* times_reader.c - parses a page of timestamp columns; see times_internal.h. */
#include "block/times_internal.h"
#include "chunk/chunk.h"

static enum err parse(struct cursor *c, int64_t *scratch, struct times_page *page)
{
    int64_t *counts = scratch, *sizes = counts + page->count, *firsts = sizes + page->count;
    int64_t *spans = firsts + page->count;
    cursor_column(c, page->count, 1, CHUNK_SAMPLES_MAX, counts);
    cursor_column(c, page->count, 1, PAGE_RAW_MAX, sizes);
    cursor_column(c, page->count, INT64_MIN, INT64_MAX, firsts);
    cursor_column(c, page->count, INT64_MIN, INT64_MAX, spans);
    if (!c->p)
        return ERR_CORRUPT;
    uint64_t at = 0, left = cursor_left(c);
    for (uint32_t i = 0; i < page->count; i++) {
        struct times_info *t = &page->columns[i];
        *t = (struct times_info){.first_ms = firsts[i], .count = (uint32_t)counts[i]};
        t->last_ms = (int64_t)((uint64_t)firsts[i] + (uint64_t)spans[i]);
        t->at = (uint32_t)at;
        t->bytes = (uint32_t)sizes[i];
        at += t->bytes;
        if (t->last_ms < t->first_ms || at > left)
            return ERR_CORRUPT;
    }
    return at == left ? ERR_OK : ERR_CORRUPT;
}

enum err times_page_get(struct slice raw, void *(*take)(void *ctx, size_t bytes), void *ctx, struct times_page *out)
{
    struct cursor c = cursor_of(raw);
    struct times_page page = {.count = (uint32_t)cursor_varint(&c, INTS_COUNT_MAX)};
    if (page.count == 0)
        return ERR_CORRUPT;
    size_t table = page.count * sizeof *page.columns;
    uint8_t *memory = (uint8_t *)take(ctx, table + raw.len);
    if (!memory)
        return ERR_LIMIT;
    page.columns = (struct times_info *)(void *)memory;
    int64_t *scratch = (int64_t *)mem_array(4 * (size_t)page.count, sizeof *scratch);
    enum err err = parse(&c, scratch, &page);
    mem_free(scratch);
    if (err != ERR_OK)
        return err;
    size_t payload = cursor_left(&c);
    if (payload)
        memcpy(memory + table, c.p, payload);
    page.payload = memory + table;
    *out = page;
    return ERR_OK;
}
