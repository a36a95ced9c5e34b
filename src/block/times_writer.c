/*
 * times_writer.c - see times_internal.h.
 *
 * Series of one scrape have the same times, but some start late, end early or miss a scrape.  Cutting
 * every series after a fixed number of its own samples would put them out of step for ever, so a cut
 * looks for the columns that are there: first for one that begins here, then for one whose end is
 * reached within a chunk's length, and a new column ends where a known one begins.
 */
#include <xxhash.h>

#include "base/assert.h"
#include "block/page_internal.h"
#include "block/times_internal.h"
#include "chunk/chunk.h"

enum { MAP_MIN = 256, SETTLED_REFERENCES = 3 };

void times_writer_init(struct times_writer *w, const struct block_id *id)
{
    *w = (struct times_writer){.seed = le64_get(id->bytes) ^ le64_get(id->bytes + 8), .store.own = true};
    w->scratch = (int64_t *)mem_array(CHUNK_SAMPLES_MAX, sizeof *w->scratch);
}

void times_writer_deinit(struct times_writer *w)
{
    mem_free(w->columns);
    mem_free(w->by_first.slots);
    mem_free(w->by_last.slots);
    mem_free(w->scratch);
    buf_deinit(&w->store);
    *w = (struct times_writer){0};
}

static struct times_slot *map_slot(const struct times_map *m, int64_t key)
{
    size_t i = ((uint64_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
    for (;; i++) {
        struct times_slot *s = &m->slots[i & (m->capacity - 1)];
        if (s->id == TIMES_NONE || s->key == key)
            return s;
    }
}

static uint32_t map_find(const struct times_map *m, int64_t key)
{
    return m->count ? map_slot(m, key)->id : TIMES_NONE;
}

static void map_grow(struct times_map *m)
{
    struct times_map bigger = {.capacity = m->capacity ? m->capacity * 2 : MAP_MIN, .count = m->count};
    bigger.slots = (struct times_slot *)mem_array(bigger.capacity, sizeof *bigger.slots);
    for (size_t i = 0; i < bigger.capacity; i++)
        bigger.slots[i].id = TIMES_NONE;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].id != TIMES_NONE)
            *map_slot(&bigger, m->slots[i].key) = m->slots[i];
    mem_free(m->slots);
    *m = bigger;
}

/* Makes id the newest column with this key; returns the one before it. */
static uint32_t map_put(struct times_map *m, int64_t key, uint32_t id)
{
    if (2 * (m->count + 1) > m->capacity)
        map_grow(m);
    struct times_slot *s = map_slot(m, key);
    uint32_t before = s->id;
    m->count += before == TIMES_NONE;
    *s = (struct times_slot){key, id};
    return before;
}

static struct hash128 hash_of(const struct times_writer *w, const int64_t *times, uint32_t n)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(times, n * sizeof *times, w->seed);
    return (struct hash128){h.low64, h.high64};
}

static uint32_t add_column(struct times_writer *w, const int64_t *times, uint32_t n)
{
    uint32_t id = (uint32_t)w->count;
    w->columns = (struct times_column *)mem_grow(w->columns, &w->capacity, w->count + 1, sizeof *w->columns);
    struct times_column *c = &w->columns[w->count++];
    *c = (struct times_column){.first_ms = times[0], .last_ms = times[n - 1], .count = n, .at = w->store.len};
    c->hash = hash_of(w, times, n);
    times_encode(times, n, &w->store);
    c->bytes = w->store.len - c->at;
    c->next_first = map_put(&w->by_first, c->first_ms, id);
    c->next_last = map_put(&w->by_last, c->last_ms, id);
    return id;
}

/* Whether times [from, from + n) of the column are these. */
static bool part_is(struct times_writer *w, const struct times_column *c, uint32_t from, const int64_t *times,
                    uint32_t n)
{
    if (n == c->count)
        return hash128_eq(c->hash, hash_of(w, times, n));
    enum err err = times_decode(slice_of(w->store.data + c->at, c->bytes), c->count, w->scratch);
    assert(err == ERR_OK); /* our own bytes */
    return memcmp(w->scratch + from, times, n * sizeof *times) == 0;
}

static bool cut_as(struct times_writer *w, uint32_t id, uint32_t first, uint32_t count, struct times_cut *out)
{
    w->columns[id].references++;
    *out = (struct times_cut){id, first, count};
    return true;
}

/* A column that begins with times[0]: all of it, or as much as there is when no more come. */
static bool cut_from_start(struct times_writer *w, const int64_t *times, uint32_t n, bool last, struct times_cut *out)
{
    for (uint32_t id = map_find(&w->by_first, times[0]); id != TIMES_NONE; id = w->columns[id].next_first) {
        const struct times_column *c = &w->columns[id];
        uint32_t count = c->count;
        if (n < count) {
            if (!last || times[n - 1] > c->last_ms)
                continue;
            count = n;
        } else if (times[count - 1] != c->last_ms) {
            continue;
        }
        if (part_is(w, c, 0, times, count))
            return cut_as(w, id, 0, count, out);
    }
    return false;
}

/* A column that ends with one of the next times and has all before it, too: the series starts inside. */
static bool cut_to_end(struct times_writer *w, const int64_t *times, uint32_t n, struct times_cut *out)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t id = map_find(&w->by_last, times[i]); id != TIMES_NONE; id = w->columns[id].next_last) {
            const struct times_column *c = &w->columns[id];
            if (c->count > i + 1 && part_is(w, c, c->count - i - 1, times, i + 1))
                return cut_as(w, id, c->count - i - 1, i + 1, out);
        }
    return false;
}

/* Where a new column should end so that the series gets in step with others: where one begins that many use. */
static uint32_t step_with_others(const struct times_writer *w, const int64_t *times, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t id = map_find(&w->by_first, times[i]); id != TIMES_NONE; id = w->columns[id].next_first)
            if (w->columns[id].references >= SETTLED_REFERENCES || i >= n / 2)
                return i;
    return n;
}

struct times_cut times_cut(struct times_writer *w, const int64_t *times, uint32_t n, uint32_t max, bool last)
{
    assert(n >= 1 && max >= 1 && max <= CHUNK_SAMPLES_MAX);
    struct times_cut cut;
    if (cut_from_start(w, times, n, last, &cut))
        return cut;
    uint32_t most = n < max ? n : max;
    if (cut_to_end(w, times, most, &cut))
        return cut;
    if (last && n > max && n <= 2 * max)
        most = (n + 1) / 2; /* two halves rather than a full chunk and a rest */
    return times_whole(w, times, step_with_others(w, times, most));
}

struct times_cut times_whole(struct times_writer *w, const int64_t *times, uint32_t n)
{
    struct times_cut cut;
    uint32_t id = map_find(&w->by_first, times[0]);
    for (; id != TIMES_NONE; id = w->columns[id].next_first)
        if (w->columns[id].count == n && part_is(w, &w->columns[id], 0, times, n))
            break;
    cut_as(w, id != TIMES_NONE ? id : add_column(w, times, n), 0, n, &cut);
    return cut;
}

void times_page_put(struct times_writer *w, bool all, struct buf *out, uint32_t *first_id)
{
    uint32_t first = w->page_start, n = 0;
    size_t bytes = 0;
    while (first + n < w->count && bytes < PAGE_RAW_TARGET && n < INTS_COUNT_MAX)
        bytes += w->columns[first + n++].bytes + 4;
    if (n == 0 || (!all && bytes < PAGE_RAW_TARGET && n < INTS_COUNT_MAX))
        return;
    const struct times_column *c = w->columns + first;
    struct column counts = {0}, sizes = {0}, firsts = {0}, spans = {0};
    for (uint32_t i = 0; i < n; i++) {
        column_add(&counts, c[i].count);
        column_add(&sizes, (int64_t)c[i].bytes);
        column_add(&firsts, c[i].first_ms);
        column_add(&spans, (int64_t)((uint64_t)c[i].last_ms - (uint64_t)c[i].first_ms));
    }
    buf_varint(out, n);
    column_put(&counts, out);
    column_put(&sizes, out);
    column_put(&firsts, out);
    column_put(&spans, out);
    for (uint32_t i = 0; i < n; i++)
        buf_append(out, w->store.data + c[i].at, c[i].bytes);
    column_deinit(&counts);
    column_deinit(&sizes);
    column_deinit(&firsts);
    column_deinit(&spans);
    *first_id = first;
    w->page_start += n;
}
