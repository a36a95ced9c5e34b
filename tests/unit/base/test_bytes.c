/* Integers in bytes, checksums, slices, error texts. */
#include "base/bytes.h"

#include <criterion/criterion.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/slice.h"

Test(varint, round_trips_and_knows_its_end)
{
    const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t bytes[VARINT_BYTES_MAX];
        uint8_t *end = varint_put(bytes, values[i]);
        uint64_t got = 0;
        cr_expect_eq(varint_get(bytes, end, &got), end);
        cr_expect_eq(got, values[i]);
        for (uint8_t *cut = bytes; cut < end; cut++)
            cr_expect_null(varint_get(bytes, cut, &got), "cut short");
    }
}

Test(varint, refuses_more_than_64_bits)
{
    uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    uint8_t big[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    uint64_t got;
    cr_expect_null(varint_get(eleven, eleven + sizeof eleven, &got));
    cr_expect_null(varint_get(big, big + sizeof big, &got));
}

Test(zigzag, keeps_small_numbers_small)
{
    cr_expect_eq(zigzag_put(0), 0);
    cr_expect_eq(zigzag_put(-1), 1);
    cr_expect_eq(zigzag_put(1), 2);
    cr_expect_eq(zigzag_get(zigzag_put(INT64_MIN)), INT64_MIN);
    cr_expect_eq(zigzag_get(zigzag_put(INT64_MAX)), INT64_MAX);
}

Test(crc32c, gives_the_published_check_values)
{
    cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283u); /* the check value of the CRC catalogue */
    uint8_t zeros[32] = {0};
    cr_expect_eq(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720 B.4 */
    cr_expect_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u, "may be continued");
}

Test(slice, orders_bytewise_with_a_prefix_first)
{
    cr_expect_lt(slice_cmp(slice_str("a"), slice_str("ab")), 0);
    cr_expect_gt(slice_cmp(slice_str("b"), slice_str("ab")), 0);
    cr_expect_eq(slice_cmp(slice_str(""), (struct slice){0}), 0);
    cr_expect_gt(slice_cmp(slice_str("\xff"), slice_str("z")), 0, "unsigned bytes");
}

Test(err, wraps_from_the_outside_in)
{
    struct errmsg why = {0};
    enum err err = err_set(&why, ERR_CORRUPT, "%d bytes short", 12);
    err = err_wrap(&why, err, "read index");
    err = err_wrap(&why, err, "open block %s", "X");
    cr_expect_eq(err, ERR_CORRUPT);
    cr_expect_str_eq(why.text, "open block X: read index: 12 bytes short");
}
