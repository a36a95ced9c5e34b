/* chunk_group_writer.c - see chunk_group_internal.h. */
#include <xxhash.h>

#include "base/assert.h"
#include "block/chunk_group_internal.h"

enum { SHARED_BYTES_MIN = 24 }; /* below, the reference costs more than the payload */

void chunk_group_init(struct chunk_group_writer *g, struct page_writer *data, int zstd_level)
{
    *g = (struct chunk_group_writer){
        .data = data, .zstd_level = zstd_level, .group = 1, .inline_bytes.own = true, .page.own = true};
    g->places = (struct payload_place *)mem_array(PAYLOADS_REMEMBERED, sizeof *g->places);
}

void chunk_group_deinit(struct chunk_group_writer *g)
{
    struct column *all[] = {
        &g->shape_lengths, &g->shape_ids,    &g->shape_firsts, &g->shape_counts,  &g->series_shapes, &g->flags,
        &g->bytes,         &g->page_chunks,  &g->page_stored,  &g->shared_back,   &g->shared_page,   &g->shared_stored,
        &g->shared_offset, &g->shared_bytes, &g->series_ids,   &g->series_firsts, &g->series_counts, &g->open_places};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        column_deinit(all[i]);
    buf_deinit(&g->inline_bytes);
    buf_deinit(&g->page);
    mem_free(g->places);
    *g = (struct chunk_group_writer){0};
}

/* Writes the open page and remembers where its payloads are. */
static enum err end_page(struct chunk_group_writer *g, struct errmsg *why)
{
    if (g->page_chunk_count == 0)
        return ERR_OK;
    uint64_t offset;
    uint32_t stored;
    TRY(page_append(g->data, buf_view(&g->page), g->zstd_level, &offset, &stored, why));
    if (g->page_chunks.count == 0)
        g->first_page = offset;
    column_add(&g->page_chunks, g->page_chunk_count);
    column_add(&g->page_stored, stored);
    for (size_t i = 0; i < g->open_places.count; i++) {
        struct payload_place *p = &g->places[g->open_places.v[i]];
        p->page = offset;
        p->stored = stored;
    }
    column_reset(&g->open_places);
    g->page_chunk_count = 0;
    buf_reset(&g->page);
    return ERR_OK;
}

static enum err add_to_page(struct chunk_group_writer *g, struct slice payload, struct hash128 hash, struct errmsg *why)
{
    if (g->page.len && g->page.len + payload.len > PAGE_RAW_TARGET)
        TRY(end_page(g, why));
    if (payload.len >= SHARED_BYTES_MIN) {
        uint32_t slot = (uint32_t)(hash.lo % PAYLOADS_REMEMBERED);
        g->places[slot] = (struct payload_place){.hash = hash,
                                                 .group = g->group,
                                                 .index = (uint32_t)g->bytes.count,
                                                 .offset = (uint32_t)g->page.len,
                                                 .bytes = (uint32_t)payload.len};
        column_add(&g->open_places, slot);
    }
    buf_slice(&g->page, payload);
    g->page_chunk_count++;
    column_add(&g->bytes, (int64_t)payload.len);
    return ERR_OK;
}

/* An equal payload seen before; equal 128-bit hashes, seeded with the block's random id, are equal bytes. */
static const struct payload_place *find_place(const struct chunk_group_writer *g, struct slice payload,
                                              struct hash128 *hash)
{
    if (payload.len < SHARED_BYTES_MIN)
        return NULL;
    XXH128_hash_t h = XXH3_128bits_withSeed(payload.data, payload.len, le64_get(g->data->id.bytes + 8));
    *hash = (struct hash128){h.low64, h.high64};
    const struct payload_place *p = &g->places[hash->lo % PAYLOADS_REMEMBERED];
    return p->group && p->bytes == payload.len && hash128_eq(p->hash, *hash) ? p : NULL;
}

enum err chunk_group_add(struct chunk_group_writer *g, struct times_cut times, unsigned flags, struct slice payload,
                         struct errmsg *why)
{
    struct hash128 hash = {0};
    const struct payload_place *place = flags & ENTRY_INLINE ? NULL : find_place(g, payload, &hash);
    column_add(&g->series_ids, times.id);
    column_add(&g->series_firsts, times.first);
    column_add(&g->series_counts, times.count);
    column_add(&g->flags, flags | (place ? ENTRY_SHARED : 0));
    g->chunks_total++;
    if (flags & ENTRY_INLINE) {
        buf_slice(&g->inline_bytes, payload);
        return ERR_OK;
    }
    if (!place)
        return add_to_page(g, payload, hash, why);
    g->shared_total++;
    bool same_group = place->group == g->group;
    column_add(&g->shared_back, same_group ? (int64_t)(g->bytes.count - place->index) : 0);
    if (same_group)
        return ERR_OK;
    column_add(&g->shared_page, (int64_t)place->page);
    column_add(&g->shared_stored, place->stored);
    column_add(&g->shared_offset, place->offset);
    column_add(&g->shared_bytes, place->bytes);
    return ERR_OK;
}

static bool shape_is(const struct chunk_group_writer *g, size_t at, size_t length)
{
    size_t bytes = length * sizeof(int64_t);
    return length == g->series_ids.count && memcmp(g->shape_ids.v + at, g->series_ids.v, bytes) == 0 &&
           memcmp(g->shape_firsts.v + at, g->series_firsts.v, bytes) == 0 &&
           memcmp(g->shape_counts.v + at, g->series_counts.v, bytes) == 0;
}

void chunk_group_end_series(struct chunk_group_writer *g)
{
    enum { LOOK_BACK = 64 }; /* shapes compared: scrapes alternate, but not more than so many in a metric's run */
    size_t shape = g->shape_lengths.count, at = g->shape_ids.count, found = shape;
    for (size_t steps = 0; shape > 0 && steps < LOOK_BACK && found == g->shape_lengths.count; steps++) {
        shape--;
        at -= (size_t)g->shape_lengths.v[shape];
        if (shape_is(g, at, (size_t)g->shape_lengths.v[shape]))
            found = shape;
    }
    if (found == g->shape_lengths.count) {
        column_add(&g->shape_lengths, (int64_t)g->series_ids.count);
        for (size_t i = 0; i < g->series_ids.count; i++) {
            column_add(&g->shape_ids, g->series_ids.v[i]);
            column_add(&g->shape_firsts, g->series_firsts.v[i]);
            column_add(&g->shape_counts, g->series_counts.v[i]);
        }
    }
    column_add(&g->series_shapes, (int64_t)found);
    column_reset(&g->series_ids);
    column_reset(&g->series_firsts);
    column_reset(&g->series_counts);
    g->series_count++;
}

bool chunk_group_full(const struct chunk_group_writer *g)
{
    return g->series_count >= CHUNK_GROUP_SERIES || g->flags.count >= CHUNK_GROUP_CHUNKS;
}

enum err chunk_group_put(struct chunk_group_writer *g, struct buf *out, struct errmsg *why)
{
    TRY(end_page(g, why));
    buf_varint(out, g->series_count);
    buf_varint(out, g->shape_lengths.count);
    buf_varint(out, g->shape_ids.count);
    column_put(&g->shape_lengths, out);
    column_put(&g->shape_ids, out);
    column_put(&g->shape_firsts, out);
    column_put(&g->shape_counts, out);
    column_put(&g->series_shapes, out);
    column_put(&g->flags, out);
    if (g->bytes.count) {
        column_put(&g->bytes, out);
        buf_varint(out, g->page_chunks.count);
        column_put(&g->page_chunks, out);
        column_put(&g->page_stored, out);
        buf_varint(out, g->first_page);
    }
    column_put(&g->shared_back, out);
    column_put(&g->shared_page, out);
    column_put(&g->shared_stored, out);
    column_put(&g->shared_offset, out);
    column_put(&g->shared_bytes, out);
    buf_append(out, g->inline_bytes.data, g->inline_bytes.len);
    struct column *all[] = {&g->shape_lengths, &g->shape_ids,   &g->shape_firsts, &g->shape_counts,
                            &g->series_shapes, &g->flags,       &g->bytes,        &g->page_chunks,
                            &g->page_stored,   &g->shared_back, &g->shared_page,  &g->shared_stored,
                            &g->shared_offset, &g->shared_bytes};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        column_reset(all[i]);
    buf_reset(&g->inline_bytes);
    g->series_count = 0;
    g->group++;
    return ERR_OK;
}
