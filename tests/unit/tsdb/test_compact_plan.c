/* Which blocks are merged when. */
#include "tsdb/compact_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { H = 10 }; /* an hour, so that times are easy to read */

static struct compact_plan plan;
static const struct compact_ranges ranges = {.count = 3, .ms = {2 * H, 12 * H, 24 * H}};

static const char *next(const struct compact_block *blocks, uint32_t count, int64_t complete)
{
    static char text[256];
    text[0] = 0;
    if (!compact_plan_next(blocks, count, &ranges, complete, &plan))
        return "none";
    size_t n = (size_t)snprintf(text, sizeof text, "%u:", plan.range);
    for (uint32_t i = 0; i < plan.count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %u", plan.picked[i]);
    return text;
}

/* Hours from and to (exclusive), sequence, bytes. */
#define B(from, to, seq, size)                                                                                         \
    {                                                                                                                  \
        (from) * H, (to)*H - 1, seq, size, false                                                                       \
    }

Test(compact_plan, ranges_grow_by_six_and_end_at_the_largest)
{
    struct compact_ranges r = compact_ranges_of(2, 168);
    cr_expect(r.count == 3 && r.ms[0] == 2 && r.ms[1] == 12 && r.ms[2] == 168);
    r = compact_ranges_of(2, 72);
    cr_expect(r.count == 3 && r.ms[2] == 72);
    r = compact_ranges_of(2, 12);
    cr_expect(r.count == 2 && r.ms[1] == 12);
    r = compact_ranges_of(2, 7);
    cr_expect(r.count == 2 && r.ms[1] == 6);
    r = compact_ranges_of(2, 3);
    cr_expect_eq(r.count, 1);
}

Test(compact_plan, waits_until_a_window_is_complete)
{
    struct compact_block b[] = {B(0, 2, 1, 10), B(2, 4, 2, 10),  B(4, 6, 3, 10),
                                B(6, 8, 4, 10), B(8, 10, 5, 10), B(10, 12, 6, 10)};
    cr_expect_str_eq(next(b, 5, 10 * H), "none");
    cr_expect_str_eq(next(b, 6, 12 * H - 1), "none");
    cr_expect_str_eq(next(b, 6, 12 * H), "1: 0 1 2 3 4 5");
}

Test(compact_plan, merges_blocks_of_one_window_first_and_the_oldest_before_others)
{
    struct compact_block b[] = {B(12, 14, 1, 10), B(12, 13, 2, 10), B(2, 4, 3, 10), B(2, 3, 4, 10)};
    cr_expect_str_eq(next(b, 4, 24 * H), "0: 2 3");
    struct compact_block negative[] = {B(-2, -1, 1, 10), B(-1, 0, 2, 10)};
    cr_expect_str_eq(next(negative, 2, 0), "0: 0 1");
}

Test(compact_plan, does_not_rewrite_a_large_block_for_a_few_late_samples)
{
    struct compact_block b[] = {B(0, 24, 1, 1000), B(2, 4, 2, 10), B(2, 4, 3, 10)};
    cr_expect_str_eq(next(b, 2, 24 * H), "none");
    cr_expect_str_eq(next(b, 3, 24 * H), "0: 1 2", "the small ones among themselves");
    struct compact_block heavy[] = {B(0, 24, 1, 1000), B(2, 4, 2, 200)};
    cr_expect_str_eq(next(heavy, 2, 24 * H), "2: 0 1");
}

Test(compact_plan, takes_what_lies_between_in_sequence)
{
    struct compact_block b[] = {B(2, 4, 1, 10), B(1, 9, 2, 10), B(2, 4, 3, 10)};
    cr_expect_str_eq(next(b, 3, 4 * H), "0: 0 1 2", "else block 1 would win over block 2");
    struct compact_block apart[] = {B(2, 4, 1, 10), B(5, 9, 2, 10), B(2, 4, 3, 10)};
    cr_expect_str_eq(next(apart, 3, 4 * H), "0: 0 2");
}

Test(compact_plan, has_nothing_to_do_for_merged_blocks)
{
    struct compact_block b[] = {B(0, 12, 1, 10), B(24, 36, 2, 10)};
    cr_expect_str_eq(next(b, 2, 100 * H), "none");
    cr_expect_str_eq(next(b, 0, 100 * H), "none");
}

Test(compact_plan, leaves_blocks_alone_that_cannot_be_merged)
{
    struct compact_block b[] = {B(2, 4, 1, 10), B(2, 4, 2, 10), B(2, 4, 3, 10)};
    b[2].stuck = true;
    cr_expect_str_eq(next(b, 3, 4 * H), "0: 0 1");
    b[2].stuck = false;
    b[1].stuck = true;
    cr_expect_str_eq(next(b, 3, 4 * H), "none", "it would lose its place between them");
}

Test(compact_plan, does_not_let_an_unfinished_window_pile_up)
{
    struct compact_block b[16];
    for (uint32_t i = 0; i < 16; i++)
        b[i] = (struct compact_block){
            .mint_ms = 2 * H, .maxt_ms = 3 * H, .seq_max = i + 1, .bytes = i < 8 ? 800 : 100 + i};
    cr_expect_str_eq(next(b, 7, 3 * H), "none");
    cr_expect_str_eq(next(b, 8, 3 * H), "0: 0 1 2 3 4 5 6 7");
    b[0].bytes = 6400;
    cr_expect_str_eq(next(b, 8, 3 * H), "none", "seven of one size");
    cr_expect_str_eq(next(b, 16, 3 * H), "0: 8 9 10 11 12 13 14 15");
}

Test(compact_plan, merges_as_many_neighbours_as_fit)
{
    struct compact_block b[] = {B(0, 2, 1, 10), B(2, 4, 2, 10),  B(4, 6, 3, 10),
                                B(6, 8, 4, 10), B(8, 10, 5, 10), B(10, 12, 6, 10)};
    struct compact_ranges bounded = ranges;
    bounded.bytes_max = 59;
    cr_expect(compact_plan_next(b, 6, &bounded, 12 * H, &plan));
    cr_expect(plan.count == 5 && plan.picked[0] == 0 && plan.picked[4] == 4);
    struct compact_block then[] = {B(0, 10, 5, 50), B(10, 12, 6, 10)};
    cr_expect_not(compact_plan_next(then, 2, &bounded, 12 * H, &plan), "that is as good as it gets");
    struct compact_block mixed[] = {B(0, 2, 1, 50), B(2, 4, 2, 10), B(4, 6, 3, 20), B(6, 8, 4, 29), B(8, 10, 5, 40)};
    cr_expect(compact_plan_next(mixed, 5, &bounded, 12 * H, &plan));
    cr_expect(plan.count == 3 && plan.picked[0] == 1 && plan.picked[2] == 3);
    bounded.bytes_max = 19;
    cr_expect_not(compact_plan_next(b, 6, &bounded, 12 * H, &plan), "no two fit");
    bounded.bytes_max = 60;
    cr_expect(compact_plan_next(b, 6, &bounded, 12 * H, &plan));
    struct compact_block late[] = {B(0, 12, 1, 60), B(0, 2, 2, 5), B(1, 2, 3, 5)};
    cr_expect(compact_plan_next(late, 3, &bounded, 12 * H, &plan));
    cr_expect_eq(plan.count, 2, "the small ones of one window");
}
