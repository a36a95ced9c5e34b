/*
 * append_internal.h - steps of an append that replay takes too.  The page's lock is held.
 */
#ifndef HEAD_APPEND_INTERNAL_H
#define HEAD_APPEND_INTERNAL_H

#include "head/tail_internal.h"

/* Where a time stands in the column, plus one; makes the entry when the time is new.  0: nowhere. */
uint32_t place_in_column(struct head *h, struct page *p, int64_t time_ms);

/* The sample at x->end - 1, which is accounted for already, has this value. */
static inline void append_value(struct head_appender *a, struct series_line *x, uint64_t bits)
{
    uint64_t packed, diff = bits ^ x->last;
    if (diff == 0) {
        x->run++;
    } else {
        uint8_t control = xor_pack(diff, &packed);
        tail_append_changed(a, x, bits, control, packed);
    }
}

#endif
