/*
 * append_internal.h - steps of an append that replay takes too.  The page's lock is held.
 */
#ifndef HEAD_APPEND_INTERNAL_H
#define HEAD_APPEND_INTERNAL_H

#include "head/record_internal.h"
#include "head/tail_internal.h"

/* Where a time stands in the column, plus one; makes the entry when the time is new.  0: nowhere. */
uint32_t place_in_column(struct head *h, struct page *p, int64_t time_ms);

/* Whether the series has exactly this sample already; after: place_in_column of its time. */
bool sample_is_known(struct head *h, const struct series_line *x, uint32_t after, int64_t time_ms, uint64_t bits);
/* A new sample that is not the next one of its series. */
void append_beside(struct head_appender *a, struct page *p, struct series_line *x, uint32_t after, int64_t time_ms,
                   uint64_t bits);
/*
 * Appends samples of one series, at most TRACK_MAX, and their records at `out`, where n * TRACK_EACH_MAX bytes are free;
 * returns their end.  *left grows by n, and the rows lose their refs, when the series is not there any more.
 */
uint8_t *append_track(struct head_appender *a, struct head_row *rows, uint32_t n, struct record_place *log, uint8_t *out,
                      uint32_t *left);

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
