/*
 * dict.c - the dictionary of label pairs: by id, in order, by value; layout in symbols_internal.h.
 *
 * Ids are global and sorted by (name, value), so a name is a range of ids and a value prefix a range
 * within it.  Finding a value: binary search over the first values of pages (table of contents),
 * over restarts of the page, then at most DICT_RESTART steps.
 */
#include <inttypes.h>

#include "block/block_internal.h"
#include "chunk/ints.h"

enum { RESTART_BYTES = 8 };

static bool fail(struct block *b, struct dict_cursor *c, const char *what)
{
    c->err = err_set(&c->why, ERR_CORRUPT, "block %s: index: offset %" PRId64 ": dictionary page: %s", b->dir,
                     b->toc.sections[SECTION_DICT].offset.v[c->number], what);
    atomic_fetch_add_explicit(&b->stats.corrupt_pages, 1, memory_order_relaxed);
    block_note_damage(b, SECTION_DICT, c->number);
    page_release(c->page);
    c->page = NULL;
    return false;
}

static uint32_t restarts_of(const struct dict_cursor *c)
{
    return (c->page_count + DICT_RESTART - 1) / DICT_RESTART;
}

static bool load_page(struct block *b, struct dict_cursor *c, uint32_t number)
{
    if (c->page && c->number == number)
        return true;
    page_release(c->page);
    c->page = NULL;
    c->number = number;
    c->err = block_index_page(b, SECTION_DICT, number, &c->page, &c->why);
    if (c->err != ERR_OK)
        return false;
    const struct column *first = &b->toc.sections[SECTION_DICT].first;
    uint64_t next = number + 1 < first->count ? (uint64_t)first->v[number + 1] : b->toc.pair_count;
    struct cursor in = cursor_of(slice_of(c->page->data, c->page->bytes));
    c->page_first = (uint32_t)first->v[number];
    c->page_count = (uint32_t)cursor_varint(&in, UINT32_MAX);
    c->page_postings = cursor_varint(&in, INT64_MAX);
    struct slice table = cursor_bytes(&in, (size_t)restarts_of(c) * RESTART_BYTES);
    if (!in.p || c->page_count != next - c->page_first)
        return fail(b, c, "does not have its pairs");
    c->table = table.data;
    c->entries = in.p;
    c->end = in.end;
    return true;
}

/* Reads the entry at c->p; the value before must be in c->value. */
static bool read_entry(struct block *b, struct dict_cursor *c, uint32_t id)
{
    struct cursor in = {c->p, c->end};
    size_t shared = cursor_varint(&in, c->value.len);
    size_t rest = cursor_varint(&in, PAGE_RAW_MAX);
    struct slice tail = cursor_bytes(&in, rest);
    c->count = (uint32_t)cursor_varint(&in, b->toc.meta.series);
    uint64_t place = cursor_varint(&in, c->count == 1 ? b->toc.meta.series - 1 : b->toc.postings_bytes);
    if (!in.p || c->count == 0)
        return fail(b, c, "entry is cut off or impossible");
    c->value.len = shared;
    c->value.own = true; /* at most a page */
    buf_slice(&c->value, tail);
    c->p = in.p;
    c->id = id;
    c->postings = c->next_postings;
    c->ordinal = (uint32_t)place;
    c->postings_bytes = c->count == 1 ? 0 : (uint32_t)place;
    c->next_postings += c->postings_bytes;
    if (c->next_postings > b->toc.postings_bytes)
        return fail(b, c, "postings lie outside");
    return true;
}

/* To the first entry of a restart. */
static bool read_restart(struct block *b, struct dict_cursor *c, uint32_t restart)
{
    const uint8_t *r = c->table + (size_t)restart * RESTART_BYTES;
    if (le32_get(r) >= (size_t)(c->end - c->entries))
        return fail(b, c, "restart lies outside");
    c->p = c->entries + le32_get(r);
    c->next_postings = c->page_postings + le32_get(r + 4);
    c->value.len = 0;
    return read_entry(b, c, c->page_first + restart * DICT_RESTART);
}

bool dict_next(struct block *b, struct dict_cursor *c)
{
    uint32_t id = c->id + 1;
    if (id >= b->toc.pair_count)
        return false;
    if (id < c->page_first + c->page_count && (id - c->page_first) % DICT_RESTART)
        return read_entry(b, c, id);
    return dict_seek(b, c, id);
}

bool dict_seek(struct block *b, struct dict_cursor *c, uint32_t id)
{
    c->err = ERR_OK;
    if (id >= b->toc.pair_count)
        return false;
    if (!load_page(b, c, toc_find_page(&b->toc.sections[SECTION_DICT], id)))
        return false;
    uint32_t in_page = id - c->page_first;
    if (!read_restart(b, c, in_page / DICT_RESTART))
        return false;
    while (c->id < id)
        if (!read_entry(b, c, c->id + 1))
            return false;
    return true;
}

bool dict_skip_page(struct block *b, struct dict_cursor *c)
{
    const struct column *first = &b->toc.sections[SECTION_DICT].first;
    c->err = ERR_OK;
    return c->number + 1 < first->count && dict_seek(b, c, (uint32_t)first->v[c->number + 1]);
}

/* The last page that can begin with a value of the name that is not above. */
static uint32_t find_value_page(const struct block *b, const struct toc_name *name, struct slice value)
{
    const struct toc_section *s = &b->toc.sections[SECTION_DICT];
    uint32_t low = toc_find_page(s, name->first_pair);
    uint32_t high = toc_find_page(s, name->first_pair + name->pair_count - 1) + 1;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (slice_cmp(b->toc.fences[mid], value) <= 0)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The last restart of the page that is before the name or not above the value. */
static bool find_restart(struct block *b, struct dict_cursor *c, const struct toc_name *name, struct slice value,
                         uint32_t *out)
{
    uint32_t low = 0, high = restarts_of(c);
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2, id = c->page_first + mid * DICT_RESTART;
        bool not_above = id < name->first_pair;
        if (!not_above && id < name->first_pair + name->pair_count) {
            if (!read_restart(b, c, mid))
                return false;
            not_above = slice_cmp(buf_view(&c->value), value) <= 0;
        }
        if (not_above)
            low = mid;
        else
            high = mid;
    }
    *out = low;
    return true;
}

bool dict_seek_value(struct block *b, struct dict_cursor *c, const struct toc_name *name, struct slice value)
{
    uint32_t restart, end = name->first_pair + name->pair_count;
    c->err = ERR_OK;
    if (!load_page(b, c, find_value_page(b, name, value)) || !find_restart(b, c, name, value, &restart) ||
        !read_restart(b, c, restart))
        return false;
    while (c->id < name->first_pair || (c->id < end && slice_cmp(buf_view(&c->value), value) < 0))
        if (!dict_next(b, c))
            return false;
    return c->id < end;
}

void dict_cursor_deinit(struct dict_cursor *c)
{
    page_release(c->page);
    buf_deinit(&c->value);
    *c = (struct dict_cursor){0};
}

const struct toc_name *block_find_name(const struct block *b, struct slice text)
{
    uint32_t low = 0, high = b->toc.name_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = slice_cmp(b->toc.names[mid].text, text);
        if (c == 0)
            return &b->toc.names[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
