/* hist_read.c - histograms of a range: copied under the lock, decoded and merged without it. */
#include <stdlib.h>

#include "chunk/hist_chunk.h"
#include "head/hist_internal.h"

static size_t copy_bytes(struct hist_copy *out, const uint8_t *data, size_t bytes)
{
    size_t at = out->bytes.len;
    buf_append(&out->bytes, data, bytes);
    assert(!out->bytes.failed);
    return at;
}

void hist_copy_take(const struct series_line *x, bool frozen, int64_t mint_ms, int64_t maxt_ms, struct hist_copy *out)
{
    const struct hist_store *s = x->more ? x->more->hists : NULL;
    out->part_count = out->item_count = 0;
    buf_reset(&out->bytes);
    for (uint32_t i = 0; s && i < s->part_count; i++) {
        const struct hist_part *p = &s->parts[i];
        if ((frozen && !p->frozen) || p->first_ms > maxt_ms || p->last_ms < mint_ms)
            continue;
        out->parts = mem_grow(out->parts, &out->part_capacity, out->part_count + 1, sizeof *out->parts);
        out->parts[out->part_count++] = *p;
        copy_bytes(out, p->data, p->bytes);
    }
    for (uint32_t i = 0; s && !frozen && i < s->recent_count; i++) {
        const struct hist_item *item = &s->recent[i];
        if (item->time_ms < mint_ms || item->time_ms > maxt_ms)
            continue;
        out->items = mem_grow(out->items, &out->item_capacity, out->item_count + 1, sizeof *out->items);
        out->items[out->item_count++] = *item;
        copy_bytes(out, item->data, item->bytes);
    }
    /* The bytes have their final place now. */
    uint8_t *at = out->bytes.data;
    for (size_t i = 0; i < out->part_count; at += out->parts[i++].bytes)
        out->parts[i].data = at;
    for (size_t i = 0; i < out->item_count; at += out->items[i++].bytes)
        out->items[i].data = at;
}

void hist_copy_deinit(struct hist_copy *c)
{
    mem_free(c->parts);
    mem_free(c->items);
    buf_deinit(&c->bytes);
}

static bool part_decode(const struct hist_part *p, int64_t *times, const struct histogram **hists, struct arena *arena)
{
    return times_decode(slice_of(p->data, p->times_bytes), p->count, times) == ERR_OK &&
           hist_chunk_decode(slice_of(p->data + p->times_bytes, p->bytes - p->times_bytes), p->count, arena, hists) ==
               ERR_OK;
}

bool hist_part_is_sound(const struct hist_part *p)
{
    struct arena arena;
    if (p->count < 1 || p->count > HIST_CHUNK_SAMPLES_MAX || p->times_bytes > p->bytes)
        return false;
    int64_t *times = mem_array(p->count, sizeof *times);
    const struct histogram **hists = mem_array(p->count, sizeof *hists);
    arena_init(&arena, NULL);
    bool fine = part_decode(p, times, hists, &arena) && times[0] == p->first_ms && times[p->count - 1] == p->last_ms;
    arena_deinit(&arena);
    mem_free(times);
    mem_free(hists);
    return fine;
}

struct ordered {
    struct hist_sample sample;
    uint32_t order;
};

static int by_time_and_order(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->sample.time_ms != y->sample.time_ms)
        return x->sample.time_ms < y->sample.time_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* All copies decoded, in the order in which they came; UINT32_MAX: no memory. */
static uint32_t decode_all(const struct hist_copy *c, struct arena *arena, struct ordered *list)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->part_count; i++) {
        const struct hist_part *p = &c->parts[i];
        int64_t *times = arena_try_alloc(arena, p->count * sizeof *times);
        const struct histogram **hists = arena_try_alloc(arena, p->count * sizeof *hists);
        if (!times || !hists || !part_decode(p, times, hists, arena))
            return UINT32_MAX;
        for (uint32_t k = 0; k < p->count; k++, n++)
            list[n] = (struct ordered){{times[k], hists[k]}, n};
    }
    for (size_t i = 0; i < c->item_count; i++, n++) {
        const struct histogram *h = hist_decode(slice_of(c->items[i].data, c->items[i].bytes), arena);
        if (!h)
            return UINT32_MAX;
        list[n] = (struct ordered){{c->items[i].time_ms, h}, n};
    }
    return n;
}

uint32_t hist_copy_decode(const struct hist_copy *c, int64_t mint_ms, int64_t maxt_ms, struct arena *arena,
                          struct hist_sample **out)
{
    size_t most = c->item_count;
    for (size_t i = 0; i < c->part_count; i++)
        most += c->parts[i].count;
    struct ordered *list = arena_try_alloc(arena, (most + 1) * sizeof *list);
    *out = arena_try_alloc(arena, (most + 1) * sizeof **out);
    uint32_t count = list && *out ? decode_all(c, arena, list) : UINT32_MAX, n = 0;
    if (count == UINT32_MAX)
        return count;
    bool sorted = true;
    for (uint32_t i = 1; i < count; i++)
        sorted = sorted && list[i].sample.time_ms > list[i - 1].sample.time_ms;
    if (!sorted)
        qsort(list, count, sizeof *list, by_time_and_order);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].sample.time_ms < mint_ms || list[i].sample.time_ms > maxt_ms)
            continue;
        if (n && (*out)[n - 1].time_ms == list[i].sample.time_ms)
            n--;
        (*out)[n++] = list[i].sample;
    }
    return n;
}
