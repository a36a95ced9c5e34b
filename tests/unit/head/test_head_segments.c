/* More series than the first segments hold: later ones share the memory of a group. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "base/mem.h"
#include "head/appender.h"

enum { SERIES = 13 * SEGMENT_SERIES + 100, BATCH = 1000, LABEL_BYTES = 22 };
#define START INT64_C(1700000000000)

/* {__name__="m0000000"} */
static void label_of(uint32_t i, uint8_t out[LABEL_BYTES + SERIES_HASH_SLACK + 1])
{
    int n = snprintf((char *)out, LABEL_BYTES + 1, "\x0a%c\x0a\x08__name__\x12\x08m%07u", LABEL_BYTES - 2, i);
    cr_assert_eq(n, LABEL_BYTES);
}

static series_ref make(struct head *head, struct head_appender *a, uint32_t i)
{
    uint8_t label[LABEL_BYTES + SERIES_HASH_SLACK + 1] = {0};
    series_ref ref = 0;
    label_of(i, label);
    struct hash128 hash = series_hash(head_hash_key(head), label, LABEL_BYTES);
    cr_assert_eq(head_lookup(a, hash), 0);
    cr_assert_eq(head_series_get(a, slice_of(label, LABEL_BYTES), hash, START, NULL, &ref), ERR_OK);
    cr_assert_eq(head_lookup(a, hash), ref);
    return ref;
}

/* Every series gets a value at a time, `stride` numbers apart from the one before it. */
static void append(struct head_appender *a, const series_ref *refs, int64_t time_ms, uint64_t stride)
{
    struct head_row rows[BATCH];
    for (uint64_t i = 0, count = 0; i < SERIES; i++) {
        uint64_t which = i * stride % SERIES;
        rows[count++] = (struct head_row){.ref = refs[which], .time_ms = time_ms, .bits = which * 3 + (uint64_t)time_ms};
        if (count < BATCH && i + 1 < SERIES)
            continue;
        head_appender_enter(a, 1);
        cr_assert_eq(head_append(a, rows, (uint32_t)count, NULL), 0);
        head_appender_leave(a);
        count = 0;
    }
}

Test(head_segments, many_series_keep_their_own_samples_in_any_order_of_writing)
{
    struct head_options o;
    struct errmsg why;
    struct head *head;
    head_options_default(&o);
    cr_assert_eq(head_new(&o, &head, &why), ERR_OK);
    struct head_appender *a = head_appender_new(head);
    series_ref *refs = mem_array(SERIES, sizeof *refs);
    for (uint32_t i = 0; i < SERIES; i++) {
        head_appender_enter(a, 1);
        head_create_begin(a);
        refs[i] = make(head, a, i);
        head_create_end(a);
        head_appender_leave(a);
    }
    append(a, refs, START, 1);
    append(a, refs, START + 15000, 7919);
    append(a, refs, START + 30000, SERIES - 1);
    for (uint32_t i = 0; i < SERIES; i++) {
        struct head_newest newest;
        cr_assert(head_newest(a, refs[i], &newest));
        cr_assert_eq(newest.time_ms, START + 30000);
        cr_assert_eq(newest.bits, i * UINT64_C(3) + START + 30000);
    }
    head_check(head);
    mem_free(refs);
    head_appender_free(a);
    head_free(head);
}
