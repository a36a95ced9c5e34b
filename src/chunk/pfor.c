/*
 * pfor.c - bit packing with patches; the layout is in pfor_internal.h.
 *
 * Distances of patches instead of positions, because outliers that come at a beat (a counter that
 * moves at every fifth scrape) then are equal bytes, which zstd over a page of chunks removes.
 */
#include "chunk/pfor_internal.h"

#include "base/assert.h"

enum { PATCHED = 0x80, PATCHES_MAX = 255 };

void bits_pack(const uint64_t *x, uint32_t n, unsigned width, struct buf *out)
{
    size_t bytes = packed_bytes(n, width);
    uint8_t *p = buf_reserve(out, bytes + 8); /* whole words are written */
    if (!p || width == 0)
        return;
    uint64_t word = 0;
    unsigned used = 0;
    for (uint32_t i = 0; i < n; i++) {
        word |= x[i] << used;
        used += width;
        if (used >= 64) {
            le64_put(p, word);
            p += 8;
            used -= 64;
            word = used ? x[i] >> (width - used) : 0;
        }
    }
    le64_put(p, word);
    out->len += bytes;
}

bool bits_unpack(const uint8_t *p, const uint8_t *end, uint32_t n, unsigned width, uint64_t *out)
{
    size_t bytes = packed_bytes(n, width);
    if ((size_t)(end - p) < bytes)
        return false;
    const struct kernels *k = kernels_get();
    if ((size_t)(end - p) >= bytes + UNPACK_SLACK) {
        k->unpack(p, n, width, out);
        return true;
    }
    /* Near the end of the slice: through a padded copy, a sub-block at a time. */
    uint8_t copy[PFOR_SUB * 8 + UNPACK_SLACK];
    while (n) {
        uint32_t part = n < PFOR_SUB ? n : PFOR_SUB;
        size_t part_bytes = packed_bytes(part, width);
        memcpy(copy, p, part_bytes);
        memset(copy + part_bytes, 0, UNPACK_SLACK);
        k->unpack(copy, part, width, out);
        p += part_bytes;
        out += part;
        n -= part;
    }
    return true;
}

/* Bytes of a sub-block with this width, patches of which the longest value has `longest` bits. */
static size_t sub_bytes(uint32_t n, unsigned width, uint32_t patches, unsigned longest)
{
    size_t bytes = 1 + packed_bytes(n, width);
    return patches ? bytes + 2 + patches + packed_bytes(patches, longest - width) : bytes;
}

static size_t plan_sub(const uint64_t *x, uint32_t n, uint8_t *width)
{
    uint16_t histogram[WIDTHS] = {0};
    kernels_get()->widths(x, n, histogram);
    unsigned longest = 64;
    while (longest && !histogram[longest])
        longest--;
    size_t best = sub_bytes(n, longest, 0, longest);
    *width = (uint8_t)longest;
    uint32_t patches = 0;
    for (unsigned w = longest; w-- > 0;) {
        patches += histogram[w + 1];
        if (patches > PATCHES_MAX)
            break;
        size_t bytes = sub_bytes(n, w, patches, longest);
        if (bytes < best) {
            best = bytes;
            *width = (uint8_t)w;
        }
    }
    return best;
}

void pfor_plan(const uint64_t *x, uint32_t n, struct pfor_plan *plan)
{
    assert(n <= INTS_COUNT_MAX);
    plan->bytes = 0;
    for (uint32_t i = 0; i < n; i += PFOR_SUB)
        plan->bytes += plan_sub(x + i, n - i < PFOR_SUB ? n - i : PFOR_SUB, &plan->width[i / PFOR_SUB]);
}

static void put_sub(const uint64_t *x, uint32_t n, unsigned width, struct buf *out)
{
    uint64_t low[PFOR_SUB], high[PATCHES_MAX];
    uint8_t distance[PATCHES_MAX];
    uint64_t mask = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
    uint64_t longest = 0;
    uint32_t patches = 0, after = 0;
    for (uint32_t i = 0; i < n; i++) {
        low[i] = x[i] & mask;
        if (x[i] == low[i])
            continue;
        high[patches] = x[i] >> width; /* width < 64 here */
        longest |= high[patches];
        distance[patches++] = (uint8_t)(i - after);
        after = i + 1;
    }
    buf_u8(out, (uint8_t)(width | (patches ? PATCHED : 0)));
    if (patches) {
        buf_u8(out, (uint8_t)patches);
        buf_u8(out, (uint8_t)bit_length(longest));
    }
    bits_pack(low, n, width, out);
    if (patches) {
        buf_append(out, distance, patches);
        bits_pack(high, patches, bit_length(longest), out);
    }
}

void pfor_put(const uint64_t *x, uint32_t n, const struct pfor_plan *plan, struct buf *out)
{
    size_t start = out->len;
    for (uint32_t i = 0; i < n; i += PFOR_SUB)
        put_sub(x + i, n - i < PFOR_SUB ? n - i : PFOR_SUB, plan->width[i / PFOR_SUB], out);
    assert(out->failed || out->len - start == plan->bytes);
}

static const uint8_t *get_patches(const uint8_t *p, const uint8_t *end, uint32_t n, unsigned width, uint32_t patches,
                                  unsigned patch_width, uint64_t *out)
{
    uint64_t high[PATCHES_MAX];
    if ((size_t)(end - p) < patches || !bits_unpack(p + patches, end, patches, patch_width, high))
        return NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < patches; i++, at++) {
        at += p[i];
        if (at >= n)
            return NULL;
        out[at] |= high[i] << width;
    }
    return p + patches + packed_bytes(patches, patch_width);
}

static const uint8_t *get_sub(const uint8_t *p, const uint8_t *end, uint32_t n, uint64_t *out)
{
    if (p == end)
        return NULL;
    unsigned width = *p & (PATCHED - 1);
    bool patched = *p++ & PATCHED;
    uint32_t patches = 0;
    unsigned patch_width = 0;
    if (patched) {
        if (end - p < 2)
            return NULL;
        patches = p[0];
        patch_width = p[1];
        p += 2;
        if (patches == 0 || patch_width == 0 || patch_width > 64)
            return NULL;
    }
    if (width + patch_width > 64 || !bits_unpack(p, end, n, width, out))
        return NULL;
    p += packed_bytes(n, width);
    return patched ? get_patches(p, end, n, width, patches, patch_width, out) : p;
}

const uint8_t *pfor_get(const uint8_t *p, const uint8_t *end, uint32_t n, uint64_t *out)
{
    for (uint32_t i = 0; p && i < n; i += PFOR_SUB)
        p = get_sub(p, end, n - i < PFOR_SUB ? n - i : PFOR_SUB, out + i);
    return p;
}
