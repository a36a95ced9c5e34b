/*
 * times.c - timestamp columns: an integer stream that must increase.
 */
#include "base/assert.h"
#include "chunk/chunk.h"
#include "chunk/ints.h"

void times_encode(const int64_t *times_ms, uint32_t count, struct buf *out)
{
    ints_encode(times_ms, count, out);
}

enum err times_decode(struct slice in, uint32_t count, int64_t *out)
{
    size_t used;
    TRY(ints_decode(in, count, out, &used));
    bool increasing = used == in.len;
    for (uint32_t i = 1; i < count; i++)
        increasing &= out[i] > out[i - 1];
    return increasing ? ERR_OK : ERR_CORRUPT;
}
