/* Series from records: many at once, by several threads, and what is out of the ordinary among them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/random.h"
#include "head/record_internal.h"

enum { HOSTS = 300, METRICS = 130, SERIES = HOSTS * METRICS, FRAMES = 20 };

static struct head *head_make(void)
{
    struct head_options o;
    struct head *head;
    struct errmsg why;
    struct random_seeded random;
    random_seeded_init(&random, 7);
    head_options_default(&o);
    o.random = &random.base;
    cr_assert_eq(head_new(&o, &head, &why), ERR_OK, "%s", why.text);
    return head;
}

static void put_pair(struct buf *records, uint32_t id, const char *name, const char *value)
{
    struct buf wire = {0};
    buf_u8(&wire, 0x0a);
    buf_varint(&wire, strlen(name));
    buf_str(&wire, name);
    buf_u8(&wire, 0x12);
    buf_varint(&wire, strlen(value));
    buf_str(&wire, value);
    record_pair(records, id, buf_view(&wire));
    buf_deinit(&wire);
}

static void put_series(struct buf *records, uint32_t ref, uint32_t a, uint32_t b)
{
    record_series(records, ref, (const uint32_t[]){a, b}, b ? 2 : 1);
}

/* Metrics have the pairs 1.., hosts those behind them. */
static void put_pairs(struct buf *records)
{
    char value[32];
    for (uint32_t i = 0; i < METRICS + HOSTS; i++) {
        snprintf(value, sizeof value, "%s%u", i < METRICS ? "m" : "host", i);
        put_pair(records, i + 1, i < METRICS ? "__name__" : "host", value);
    }
}

static uint32_t ref_of(uint32_t host, uint32_t metric)
{
    return PAGE_SERIES + host * METRICS + metric;
}

/* Frames as several senders write them: each has a part of all hosts, in no order. */
static void put_frame(struct buf *records, uint32_t frame)
{
    for (uint32_t host = 0; host < HOSTS; host++)
        if (host * 7 % FRAMES == frame)
            for (uint32_t metric = 0; metric < METRICS; metric++)
                put_series(records, ref_of(host, metric), metric + 1, METRICS + host + 1);
}

static void feed(struct head_replay *r, struct buf *records)
{
    struct errmsg why = {0};
    cr_assert_eq(head_replay_frame(r, buf_view(records), &why), ERR_OK, "%s", why.text);
    buf_reset(records);
}

static void check_all(struct head *head, unsigned threads)
{
    struct buf text = {0};
    struct head_stats s;
    char want[96];
    head_check(head);
    head_stats(head, &s);
    cr_assert_eq(s.series, SERIES, "%u threads: %llu series", threads, (unsigned long long)s.series);
    for (uint32_t i = 0; i < SERIES; i += 97) {
        buf_reset(&text);
        head_series_print(head, ref_of(i / METRICS, i % METRICS), &text);
        snprintf(want, sizeof want, "m%u{host=\"host%u\"}", i % METRICS, METRICS + i / METRICS);
        cr_assert_str_eq(buf_cstr(&text), want);
    }
    buf_deinit(&text);
}

Test(head_replay, series_of_many_frames_are_the_same_on_any_number_of_threads)
{
    for (unsigned threads = 1; threads < 6; threads++) {
        struct head *head = head_make();
        struct head_replay *r = head_replay_new(head, threads);
        struct head_replay_report report;
        struct buf records = {0};
        put_pairs(&records);
        for (uint32_t frame = 0; frame < FRAMES; frame++) {
            put_frame(&records, frame);
            feed(r, &records);
        }
        put_frame(&records, 3); /* once more: they are known */
        feed(r, &records);
        head_replay_finish(r, &report);
        cr_assert_eq(report.damaged, 0);
        cr_assert_eq(report.series, SERIES);
        check_all(head, threads);
        buf_deinit(&records);
        head_free(head);
    }
}

/* What a few records make: labels of the refs 64 to 67, "" where there is none; how many were damaged. */
static uint64_t replay_few(struct buf *records, uint32_t settle_at, char out[4][32])
{
    struct head *head = head_make();
    struct head_replay *r = head_replay_new(head, 2);
    struct head_replay_report report;
    struct errmsg why;
    struct slice all = buf_view(records);
    enum err ignored = head_replay_frame(r, slice_of(all.data, settle_at), &why);
    if (settle_at)
        head_replay_settle(r); /* else all of it is made together */
    ignored = head_replay_frame(r, slice_from(all, settle_at), &why);
    (void)ignored; /* it is in the report */
    head_replay_finish(r, &report);
    for (uint32_t i = 0; i < 4; i++) {
        struct buf text = {0};
        bool there = atomic_load(&line_of(head, 64 + i)->hash_lo) != 0;
        if (there)
            head_series_print(head, 64 + i, &text);
        snprintf(out[i], 32, "%s", there ? buf_cstr(&text) : "");
        buf_deinit(&text);
    }
    head_check(head);
    head_free(head);
    return report.damaged;
}

/* Two metrics, one of them at `first`. */
static uint32_t begin_few(struct buf *records)
{
    buf_reset(records);
    put_pair(records, 1, "__name__", "a");
    put_pair(records, 2, "__name__", "b");
    put_series(records, 64, 1, 0);
    return (uint32_t)records->len;
}

Test(head_replay, a_series_that_is_told_under_another_number_had_left_its_old_one)
{
    struct buf records = {0};
    char is[4][32];
    for (int together = 0; together < 2; together++) {
        uint32_t first = begin_few(&records);
        put_series(&records, 66, 1, 0);
        cr_assert_eq(replay_few(&records, together ? 0 : first, is), 0);
        cr_assert_str_eq(is[0], "");
        cr_assert_str_eq(is[2], "a");
        first = begin_few(&records);
        put_series(&records, 66, 1, 0);
        put_series(&records, 64, 2, 0); /* nobody gets its number as long as the older record is there */
        cr_assert_gt(replay_few(&records, together ? 0 : first, is), 0);
        cr_assert_str_eq(is[0], "");
        cr_assert_str_eq(is[2], "a");
    }
    buf_deinit(&records);
}

Test(head_replay, a_pair_that_is_told_under_another_number_takes_its_old_series_along)
{
    struct buf records = {0};
    char is[4][32];
    for (int together = 0; together < 2; together++) {
        uint32_t first = begin_few(&records);
        put_pair(&records, 3, "__name__", "a");
        put_series(&records, 65, 3, 0);
        cr_assert_eq(replay_few(&records, first, is), 0);
        cr_assert_str_eq(is[0], "");
        cr_assert_str_eq(is[1], "a");
    }
    buf_deinit(&records);
}

Test(head_replay, a_number_with_two_series_and_labels_that_cannot_be_are_damage_and_cost_nothing_else)
{
    struct buf records = {0};
    char is[4][32];
    for (int together = 0; together < 2; together++) {
        uint32_t first = begin_few(&records);
        put_series(&records, 64, 2, 0);
        put_series(&records, 65, 2, 0);
        cr_assert_gt(replay_few(&records, together ? 0 : first, is), 0);
        cr_assert_str_eq(is[0], "a");
        cr_assert_str_eq(is[1], "b");
        first = begin_few(&records);
        put_series(&records, 65, 1, 2); /* one name twice */
        put_series(&records, 66, 9, 0); /* no such pair */
        put_series(&records, 67, 2, 0);
        cr_assert_gt(replay_few(&records, together ? 0 : first, is), 0);
        cr_assert_str_eq(is[0], "a");
        cr_assert_str_eq(is[1], "");
        cr_assert_str_eq(is[2], "");
        cr_assert_str_eq(is[3], "b");
    }
    buf_deinit(&records);
}

Test(head_replay, a_frame_that_tells_nothing_sensible_takes_no_memory_for_far_numbers)
{
    struct buf records = {0};
    char is[4][32];
    uint32_t first = begin_few(&records);
    put_series(&records, 64 + 60000 * PAGE_SERIES, 2, 0); /* near enough, but not beside the other */
    put_series(&records, UINT32_MAX, 2, 0);
    cr_assert_gt(replay_few(&records, first, is), 0);
    cr_assert_str_eq(is[0], "a");
    buf_deinit(&records);
}
