/* test_radix.c - sorting by 64-bit keys. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "base/radix.h"
#include "base/random.h"

enum { COUNT = 1000 };

static void check(uint64_t mask)
{
    struct radix_item list[COUNT], spare[COUNT];
    struct random_seeded random;
    uint64_t keys[COUNT], differing = 0;
    random_seeded_init(&random, mask);
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = random_u64(&random.base) & mask;
        list[i] = (struct radix_item){keys[i], i};
        differing |= keys[i] ^ keys[0];
    }
    radix_sort(list, spare, COUNT, differing);
    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert_eq(list[i].key, keys[list[i].id]);
        if (i)
            cr_assert(list[i - 1].key < list[i].key || (list[i - 1].key == list[i].key && list[i - 1].id < list[i].id));
    }
}

Test(radix, keys_ascend_and_equal_ones_keep_their_order)
{
    check(UINT64_MAX);
    check(0xff);               /* many equal ones */
    check(0xff00000000000000); /* one byte: the result is where the spare was */
    check(0x0f0000000000f000);
    check(0);
}

Test(radix, nothing_and_one_item_are_in_order)
{
    struct radix_item one = {7, 3}, spare;
    radix_sort(&one, &spare, 0, 0);
    radix_sort(&one, &spare, 1, 0);
    cr_expect(one.key == 7 && one.id == 3);
}
