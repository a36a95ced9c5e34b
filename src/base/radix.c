/* radix.c - least significant byte first; `from` and `to` change places. */
#include "base/radix.h"

#include <string.h>

static void pass(const struct radix_item *from, struct radix_item *to, size_t count, unsigned shift)
{
    size_t start[257] = {0};
    for (size_t i = 0; i < count; i++)
        start[(from[i].key >> shift & 0xff) + 1]++;
    for (unsigned i = 0; i < 256; i++)
        start[i + 1] += start[i];
    for (size_t i = 0; i < count; i++)
        to[start[from[i].key >> shift & 0xff]++] = from[i];
}

void radix_sort(struct radix_item *list, struct radix_item *spare, size_t count, uint64_t differing)
{
    struct radix_item *from = list, *to = spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(differing >> shift & 0xff))
            continue;
        pass(from, to, count, shift);
        struct radix_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != list)
        memcpy(list, from, count * sizeof *list);
}
