/*
 * block_pages.c - cached objects of an open block; see block_internal.h.
 *
 * A parsed object is its struct at the start of the page's memory, followed by what it points to.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "block/block_internal.h"
#include "chunk/chunk.h"

enum object {
    OBJECT_INDEX_PAGE,
    OBJECT_DATA_PAGE = SECTION_COUNT,
    OBJECT_GROUP,
    OBJECT_TIMES_PAGE,
    OBJECT_TIMES_COLUMN
};

static struct page_key key_of(const struct block *b, unsigned object, uint64_t number)
{
    return (struct page_key){b->serial, (uint64_t)object << 56 ^ number};
}

/* Memory for one object: a page of the cache with room for a head before what the loader asks for. */
struct taking {
    struct page_cache *cache;
    size_t head_bytes;
    struct page *page;
};

static void *take(void *ctx, size_t bytes)
{
    struct taking *t = (struct taking *)ctx;
    assert(!t->page);
    t->page = page_make(t->cache, t->head_bytes + bytes);
    return t->page ? t->page->data + t->head_bytes : NULL;
}

static uint8_t *take_bytes(void *ctx, size_t bytes)
{
    return (uint8_t *)take(ctx, bytes);
}

/* kind and number: see block_note_damage. */
static enum err count_damage(struct block *b, enum err err, unsigned kind, uint64_t number)
{
    if (err == ERR_CORRUPT)
        atomic_fetch_add_explicit(&b->stats.corrupt_pages, 1, memory_order_relaxed);
    if (err == ERR_CORRUPT || err == ERR_IO)
        block_note_damage(b, kind, number);
    return err;
}

static enum err load_raw(struct block *b, const struct page_file *f, uint64_t offset, uint32_t stored,
                         struct page_key key, struct page **out, struct errmsg *why)
{
    struct taking t = {.cache = b->cache};
    enum err err = page_read(f, offset, stored, take_bytes, &t, NULL, why);
    if (err != ERR_OK) {
        page_discard(b->cache, t.page);
        return err_wrap(why, err, "block %s", b->dir);
    }
    *out = page_cache_put(b->cache, key, t.page);
    return ERR_OK;
}

static enum err read_section_page(struct block *b, enum section section, uint32_t number,
                                  uint8_t *(*take_fn)(void *, size_t), void *ctx, struct errmsg *why)
{
    const struct toc_section *s = &b->toc.sections[section];
    assert(number < s->offset.count);
    return page_read(&b->index, (uint64_t)s->offset.v[number], (uint32_t)s->stored.v[number], take_fn, ctx, NULL, why);
}

enum err block_index_page(struct block *b, enum section section, uint32_t number, struct page **out, struct errmsg *why)
{
    const struct toc_section *s = &b->toc.sections[section];
    struct page_key key = key_of(b, OBJECT_INDEX_PAGE + (unsigned)section, number);
    assert(number < s->offset.count);
    if ((*out = page_cache_find(b->cache, key)))
        return ERR_OK;
    enum err err = load_raw(b, &b->index, (uint64_t)s->offset.v[number], (uint32_t)s->stored.v[number], key, out, why);
    return count_damage(b, err, section, number);
}

enum err block_data_page(struct block *b, uint64_t offset, uint32_t stored, struct page **out, struct errmsg *why)
{
    struct page_key key = key_of(b, OBJECT_DATA_PAGE, offset);
    if ((*out = page_cache_find(b->cache, key)))
        return ERR_OK;
    return count_damage(b, load_raw(b, &b->data, offset, stored, key, out, why), DAMAGE_DATA_PAGE, offset);
}

enum err block_index_page_put(struct block *b, enum section section, uint32_t number, struct slice raw,
                              struct page **out, struct errmsg *why)
{
    struct page *page = page_make(b->cache, raw.len);
    if (!page)
        return err_set(why, ERR_LIMIT, "block %s: index: no memory for a page of %zu bytes", b->dir, raw.len);
    memcpy(page->data, raw.data, raw.len);
    *out = page_cache_put(b->cache, key_of(b, OBJECT_INDEX_PAGE + (unsigned)section, number), page);
    return ERR_OK;
}

static uint8_t *take_heap(void *ctx, size_t bytes)
{
    struct buf *raw = (struct buf *)ctx;
    raw->data = (uint8_t *)mem_try_alloc(bytes + 1);
    raw->len = bytes;
    return raw->data;
}

/* Reads a page of the index, parses it into a page of the cache with a head of head_bytes. */
static enum err load_parsed(struct block *b, enum section section, uint32_t number, size_t head_bytes,
                            enum err (*parse)(struct slice raw, struct taking *t, void *head), void *head,
                            struct page_key key, struct page **out, struct errmsg *why)
{
    struct buf raw = {0};
    struct taking t = {.cache = b->cache, .head_bytes = (head_bytes + 63) / 64 * 64};
    enum err err = read_section_page(b, section, number, take_heap, &raw, why);
    if (err == ERR_OK) {
        err = parse(buf_view(&raw), &t, head);
        if (err != ERR_OK)
            err_set(why, err, "index: offset %" PRId64 ": %s page %s", b->toc.sections[section].offset.v[number],
                    section_names[section], err == ERR_LIMIT ? "is over the memory budget" : "contradicts itself");
    }
    mem_free(raw.data);
    if (err != ERR_OK) {
        page_discard(b->cache, t.page);
        return count_damage(b, err_wrap(why, err, "block %s", b->dir), section, number);
    }
    memcpy(t.page->data, head, head_bytes);
    *out = page_cache_put(b->cache, key, t.page);
    return ERR_OK;
}

static enum err parse_group(struct slice raw, struct taking *t, void *head)
{
    return chunk_group_get(raw, take, t, (struct chunk_group *)head);
}

enum err block_chunk_group(struct block *b, uint32_t number, struct page **out, const struct chunk_group **group,
                           struct errmsg *why)
{
    struct chunk_group head;
    struct page_key key = key_of(b, OBJECT_GROUP, number);
    if (!(*out = page_cache_find(b->cache, key)))
        TRY(load_parsed(b, SECTION_CHUNKS, number, sizeof head, parse_group, &head, key, out, why));
    *group = (const struct chunk_group *)(const void *)(*out)->data;
    return ERR_OK;
}

static enum err parse_times(struct slice raw, struct taking *t, void *head)
{
    return times_page_get(raw, take, t, (struct times_page *)head);
}

enum err block_times_page(struct block *b, uint32_t number, struct page **out, const struct times_page **times,
                          struct errmsg *why)
{
    struct times_page head;
    struct page_key key = key_of(b, OBJECT_TIMES_PAGE, number);
    if (!(*out = page_cache_find(b->cache, key)))
        TRY(load_parsed(b, SECTION_TIMES, number, sizeof head, parse_times, &head, key, out, why));
    *times = (const struct times_page *)(const void *)(*out)->data;
    return ERR_OK;
}

static enum err decode_column(struct block *b, uint32_t id, struct taking *t, struct errmsg *why)
{
    const struct toc_section *s = &b->toc.sections[SECTION_TIMES];
    struct page *page;
    const struct times_page *times;
    uint32_t number = toc_find_page(s, id), at = id - (uint32_t)s->first.v[number];
    TRY(block_times_page(b, number, &page, &times, why));
    enum err err = ERR_CORRUPT;
    if (at < times->count) {
        const struct times_info *info = &times->columns[at];
        int64_t *out = (int64_t *)take(t, info->count * sizeof *out);
        err = out ? times_decode(slice_of(times->payload + info->at, info->bytes), info->count, out) : ERR_LIMIT;
        if (err == ERR_OK && (out[0] != info->first_ms || out[info->count - 1] != info->last_ms))
            err = ERR_CORRUPT;
    }
    page_release(page);
    if (err != ERR_OK)
        err_set(why, err, "block %s: index: offset %" PRId64 ": timestamp column %" PRIu32 " %s", b->dir,
                s->offset.v[number], id, err == ERR_LIMIT ? "is over the memory budget" : "does not decode");
    return err == ERR_CORRUPT ? count_damage(b, err, SECTION_TIMES, number) : err;
}

enum err block_times_column(struct block *b, uint32_t id, struct page **out, struct errmsg *why)
{
    struct page_key key = key_of(b, OBJECT_TIMES_COLUMN, id);
    if ((*out = page_cache_find(b->cache, key)))
        return ERR_OK;
    if (id >= b->toc.times_count)
        return err_set(why, ERR_CORRUPT, "block %s: index: no timestamp column %" PRIu32, b->dir, id);
    struct taking t = {.cache = b->cache};
    enum err err = decode_column(b, id, &t, why);
    if (err != ERR_OK) {
        page_discard(b->cache, t.page);
        return err;
    }
    *out = page_cache_put(b->cache, key, t.page);
    return ERR_OK;
}
