/*
 * chunk_group_reader.c - parses a page of SECTION_CHUNKS; see chunk_group_internal.h.
 *
 * Everything is checked here against itself; column ids, page offsets and the payloads are checked by
 * whoever follows them.
 */
#include "block/chunk_group_internal.h"
#include "chunk/chunk.h"

enum { SHAPE_CHUNKS_MAX = 1 << 20, GROUP_CHUNKS_MAX = 1 << 20 };

struct group_reader {
    struct cursor c;
    uint32_t series, shapes, shape_chunks, chunks, paged, shared, remote, pages;
    int64_t *lengths, *ids, *firsts, *counts, *shape_of, *flags, *bytes, *page_chunks, *page_stored, *shared_back,
        *shared_page, *shared_stored, *shared_offset, *shared_bytes;
    uint64_t first_page;
    int64_t *paged_entry; /* [paged] number of the entry, filled while placing */
};

/* Each stream is at least a byte per INTS_COUNT_MAX numbers, so hostile counts stay within reason. */
static int64_t *stream(struct group_reader *r, size_t count, int64_t min, int64_t max)
{
    int64_t *v = (int64_t *)mem_try_alloc((count + 1) * sizeof *v);
    if (!v) {
        r->c.p = NULL;
        return NULL;
    }
    cursor_column(&r->c, count, min, max, v);
    return v;
}

static void free_streams(struct group_reader *r)
{
    int64_t *all[] = {r->lengths,     r->ids,           r->firsts,        r->counts,       r->shape_of,
                      r->flags,       r->bytes,         r->page_chunks,   r->page_stored,  r->shared_back,
                      r->shared_page, r->shared_stored, r->shared_offset, r->shared_bytes, r->paged_entry};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
}

static void read_shapes(struct group_reader *r)
{
    r->series = (uint32_t)cursor_varint(&r->c, CHUNK_GROUP_SERIES);
    r->shapes = (uint32_t)cursor_varint(&r->c, CHUNK_GROUP_SERIES);
    r->shape_chunks = (uint32_t)cursor_varint(&r->c, SHAPE_CHUNKS_MAX);
    if (r->series == 0 || r->shapes == 0 || r->shapes > r->series)
        r->c.p = NULL;
    r->lengths = stream(r, r->shapes, 1, SHAPE_CHUNKS_MAX);
    r->ids = stream(r, r->shape_chunks, 0, UINT32_MAX - 1);
    r->firsts = stream(r, r->shape_chunks, 0, CHUNK_SAMPLES_MAX - 1);
    r->counts = stream(r, r->shape_chunks, 1, CHUNK_SAMPLES_MAX);
    r->shape_of = stream(r, r->series, 0, (int64_t)r->shapes - 1);
    uint64_t sum = 0;
    for (uint32_t i = 0; r->c.p && i < r->shapes; i++)
        sum += (uint64_t)r->lengths[i];
    if (sum != r->shape_chunks)
        r->c.p = NULL;
}

static void count_kinds(struct group_reader *r)
{
    for (uint32_t i = 0; r->c.p && i < r->chunks; i++) {
        bool in_index = r->flags[i] & ENTRY_INLINE, shared = r->flags[i] & ENTRY_SHARED;
        r->shared += shared;
        r->paged += !in_index && !shared;
        if (in_index && (r->flags[i] & (ENTRY_SHARED | ENTRY_HISTOGRAM | ENTRY_STARTS)))
            r->c.p = NULL;
    }
}

static void read_places(struct group_reader *r)
{
    uint64_t sum = 0;
    if (r->paged) {
        r->bytes = stream(r, r->paged, 1, PAGE_RAW_MAX);
        r->pages = (uint32_t)cursor_varint(&r->c, r->paged);
        if (r->pages == 0)
            r->c.p = NULL;
        r->page_chunks = stream(r, r->pages, 1, r->paged);
        r->page_stored = stream(r, r->pages, 1, PAGE_RAW_MAX);
        r->first_page = cursor_varint(&r->c, INT64_MAX);
        for (uint32_t i = 0; r->c.p && i < r->pages; i++)
            sum += (uint64_t)r->page_chunks[i];
    }
    if (sum != r->paged)
        r->c.p = NULL;
    r->shared_back = stream(r, r->shared, 0, r->paged);
    for (uint32_t i = 0; r->c.p && i < r->shared; i++)
        r->remote += r->shared_back[i] == 0;
    r->shared_page = stream(r, r->remote, FILE_HEADER_BYTES, INT64_MAX);
    r->shared_stored = stream(r, r->remote, 1, PAGE_RAW_MAX);
    r->shared_offset = stream(r, r->remote, 0, PAGE_RAW_MAX);
    r->shared_bytes = stream(r, r->remote, 1, PAGE_RAW_MAX);
    r->paged_entry = (int64_t *)mem_array(r->paged + 1, sizeof *r->paged_entry);
}

static void read_streams(struct group_reader *r)
{
    read_shapes(r);
    uint64_t chunks = 0;
    for (uint32_t i = 0; r->c.p && i < r->series; i++)
        chunks += (uint64_t)r->lengths[r->shape_of[i]];
    if (chunks > GROUP_CHUNKS_MAX)
        r->c.p = NULL;
    r->chunks = r->c.p ? (uint32_t)chunks : 0;
    r->flags = stream(r, r->chunks, 0, ENTRY_FLAGS);
    count_kinds(r);
    if (r->c.p)
        read_places(r);
}

/* Where the next chunk of each kind is. */
struct place_walk {
    uint32_t paged, page, page_left, offset, shared, remote, inline_offset;
    uint64_t page_offset;
};

static void place_paged(const struct group_reader *r, struct place_walk *w, uint32_t entry, struct chunk_entry *e)
{
    r->paged_entry[w->paged] = entry;
    while (w->page_left == 0) {
        if (w->paged)
            w->page_offset += PAGE_HEADER_BYTES + (uint64_t)r->page_stored[w->page++];
        w->page_left = (uint32_t)r->page_chunks[w->page];
        w->offset = 0;
    }
    e->page = w->page_offset;
    e->stored = (uint32_t)r->page_stored[w->page];
    e->offset = w->offset;
    e->bytes = (uint32_t)r->bytes[w->paged++];
    w->offset += e->bytes;
    w->page_left--;
}

static bool place_shared(const struct group_reader *r, struct place_walk *w, const struct chunk_entry *entries,
                         struct chunk_entry *e)
{
    uint32_t back = (uint32_t)r->shared_back[w->shared++];
    if (back > w->paged)
        return false;
    if (back) {
        const struct chunk_entry *of = &entries[r->paged_entry[w->paged - back]];
        e->page = of->page;
        e->stored = of->stored;
        e->offset = of->offset;
        e->bytes = of->bytes;
        return true;
    }
    e->page = (uint64_t)r->shared_page[w->remote];
    e->stored = (uint32_t)r->shared_stored[w->remote];
    e->offset = (uint32_t)r->shared_offset[w->remote];
    e->bytes = (uint32_t)r->shared_bytes[w->remote++];
    return true;
}

/* Inline payloads end where constants end. */
static bool place_inline(struct slice inlined, struct place_walk *w, struct chunk_entry *e)
{
    e->offset = w->inline_offset;
    e->bytes = (uint32_t)chunk_constant_bytes(slice_from(inlined, w->inline_offset));
    w->inline_offset += e->bytes;
    return e->bytes > 0;
}

static enum err fill(const struct group_reader *r, struct chunk_group *g)
{
    struct place_walk w = {.page_offset = r->first_page};
    struct slice inlined = slice_of(g->inline_bytes, cursor_left(&r->c));
    uint32_t shape_start[CHUNK_GROUP_SERIES + 1];
    shape_start[0] = 0;
    for (uint32_t i = 0; i < r->shapes; i++)
        shape_start[i + 1] = shape_start[i] + (uint32_t)r->lengths[i];
    uint32_t n = 0;
    for (uint32_t s = 0; s < r->series; s++) {
        g->starts[s] = n;
        uint32_t shape = (uint32_t)r->shape_of[s];
        for (uint32_t k = shape_start[shape]; k < shape_start[shape + 1]; k++, n++) {
            struct chunk_entry *e = &g->entries[n];
            *e = (struct chunk_entry){.times_id = (uint32_t)r->ids[k],
                                      .first = (uint16_t)r->firsts[k],
                                      .count = (uint16_t)r->counts[k],
                                      .flags = (uint32_t)r->flags[n]};
            bool placed = true;
            if (e->flags & ENTRY_SHARED)
                placed = place_shared(r, &w, g->entries, e);
            else if (e->flags & ENTRY_INLINE)
                placed = place_inline(inlined, &w, e);
            else
                place_paged(r, &w, n, e);
            if (!placed)
                return ERR_CORRUPT;
        }
    }
    g->starts[r->series] = n;
    return w.inline_offset == inlined.len ? ERR_OK : ERR_CORRUPT;
}

enum err chunk_group_get(struct slice raw, void *(*take)(void *ctx, size_t bytes), void *ctx, struct chunk_group *out)
{
    struct group_reader r = {.c = cursor_of(raw)};
    struct chunk_group g = {0};
    enum err err = ERR_CORRUPT;
    read_streams(&r);
    if (!r.c.p)
        goto done;
    size_t entries = r.chunks * sizeof *g.entries, starts = (r.series + 1) * sizeof *g.starts;
    uint8_t *memory = (uint8_t *)take(ctx, entries + starts + cursor_left(&r.c));
    if (!memory) {
        err = ERR_LIMIT;
        goto done;
    }
    if (cursor_left(&r.c))
        memcpy(memory + entries + starts, r.c.p, cursor_left(&r.c));
    g = (struct chunk_group){.series_count = r.series,
                             .chunk_count = r.chunks,
                             .entries = (struct chunk_entry *)(void *)memory,
                             .starts = (uint32_t *)(void *)(memory + entries),
                             .inline_bytes = memory + entries + starts};
    err = fill(&r, &g);
done:
    free_streams(&r);
    if (err == ERR_OK)
        *out = g;
    return err;
}
