/*
 * fuzz_http.c - the request parser: what is understood must not depend on how the bytes were cut.
 *
 * Input: one byte that seeds the cuts, then the stream.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/random.h"
#include "lib/http_transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS_MAX = 8 };

/* Ascending cuts, crowded towards the front where the heads are. */
static size_t cuts_choose(uint64_t seed, size_t len, size_t *cuts)
{
    struct random_seeded random;
    random_seeded_init(&random, seed);
    size_t count = 0, at = 0;
    while (count < CUTS_MAX && at < len) {
        at += 1 + (size_t)(random_u64(&random.base) % (1 + len / 4));
        cuts[count++] = at;
    }
    return count;
}

static void expect_same(const struct buf *whole, struct slice in, const size_t *cuts, size_t count)
{
    struct buf cut = {0};
    http_transcript(in, cuts, count, &cut);
    assert(slice_eq(buf_view(whole), buf_view(&cut)));
    buf_deinit(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 8192)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    struct buf whole = {0};
    http_transcript(in, NULL, 0, &whole);
    for (uint64_t i = 0; i < 3; i++) {
        size_t cuts[CUTS_MAX];
        size_t count = cuts_choose(data[0] + i * 256, in.len, cuts);
        expect_same(&whole, in, cuts, count);
    }
    if (in.len < 600) { /* byte by byte */
        size_t all[600];
        for (size_t i = 0; i < in.len; i++)
            all[i] = i + 1;
        expect_same(&whole, in, all, in.len);
    }
    buf_deinit(&whole);
    return 0;
}
