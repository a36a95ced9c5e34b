/*
 * postings.c - which series have a pair: zigzag varints of the differences between refs, in the order
 * in which the series were created (mostly ascending; a slot of an older page may come later).
 */
#include "head/head_internal.h"

void postings_put(struct head *h, struct pair *p, series_ref ref, int64_t *bytes)
{
    enum { DELTA_BYTES_MAX = 5 }; /* a difference of refs has 33 bits with its sign */
    struct vec_block *block = atomic_load_explicit(&p->postings.block, memory_order_relaxed);
    uint32_t count = block ? get_relaxed(&block->count) : 0;
    bool fits = __builtin_expect(block && block->capacity - count >= DELTA_BYTES_MAX, 1);
    uint8_t *at = fits ? block->data + count : vec_reserve(&p->postings, &h->epochs, DELTA_BYTES_MAX, 1, bytes);
    vec_commit(&p->postings, (uint32_t)(varint_put(at, zigzag_put((int64_t)ref - p->last)) - at));
    p->last = ref;
    set_relaxed(&p->series, get_relaxed(&p->series) + 1);
}

void postings_add(struct head *h, struct pair *p, series_ref ref)
{
    int64_t bytes = 0;
    postings_put(h, p, ref, &bytes);
    bytes_add(&h->bytes_postings, bytes);
}

void postings_read(const struct pair *p, struct refs *out)
{
    uint32_t len;
    const uint8_t *at = vec_read(&p->postings, &len), *end = at;
    size_t first = out->count;
    bool ascending = true;
    uint32_t ref = 0;
    if (len == 0)
        return; /* a replay asks about pairs that no series had */
    end += len;
    out->list = mem_grow(out->list, &out->capacity, out->count + len + 1, sizeof *out->list); /* >= a byte each */
    while (at < end) {
        uint64_t delta;
        at = varint_get(at, end, &delta);
        assert(at != NULL);
        uint32_t next = (uint32_t)(ref + zigzag_get(delta));
        ascending = ascending && next > ref;
        out->list[out->count++] = ref = next;
    }
    if (!ascending) {
        struct refs part = {.list = out->list + first, .count = out->count - first};
        refs_sort(&part);
    }
}

/* Least significant byte first; bytes in which all agree are passed over. */
void refs_sort(struct refs *r)
{
    uint32_t differing = 0;
    bool ascending = true;
    for (size_t i = 1; i < r->count; i++) {
        differing |= r->list[i] ^ r->list[0];
        ascending = ascending && r->list[i] > r->list[i - 1];
    }
    if (r->count < 2 || ascending)
        return;
    series_ref *from = r->list, *to = mem_alloc(r->count * sizeof *to), *spare = to;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        if (!(differing >> shift & 0xff))
            continue;
        size_t start[257] = {0};
        for (size_t i = 0; i < r->count; i++)
            start[(from[i] >> shift & 0xff) + 1]++;
        for (unsigned i = 0; i < 256; i++)
            start[i + 1] += start[i];
        for (size_t i = 0; i < r->count; i++)
            to[start[from[i] >> shift & 0xff]++] = from[i];
        series_ref *swap = from;
        from = to;
        to = swap;
    }
    if (from != r->list)
        memcpy(r->list, from, r->count * sizeof *from);
    mem_free(spare);
}

void refs_deinit(struct refs *r)
{
    mem_free(r->list);
    *r = (struct refs){0};
}

void postings_filter(struct head *h, struct pair *p)
{
    struct refs all = {0};
    struct buf kept = {.own = true};
    int64_t bytes = 0;
    uint32_t last = 0, series = 0;
    postings_read(p, &all);
    for (size_t i = 0; i < all.count; i++) {
        if (!series_alive(line_of(h, all.list[i])))
            continue;
        buf_varint(&kept, zigzag_put((int64_t)all.list[i] - last));
        last = all.list[i];
        series++;
    }
    assert(!kept.failed);
    vec_replace(&p->postings, &h->epochs, kept.data, (uint32_t)kept.len, 1, &bytes);
    p->last = last;
    set_relaxed(&p->series, series);
    bytes_add(&h->bytes_postings, bytes);
    buf_deinit(&kept);
    refs_deinit(&all);
}
