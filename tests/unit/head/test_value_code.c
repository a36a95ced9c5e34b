/* Values as records tell them: every bit pattern comes back, and what has few decimals is short. */
#include "head/tail_internal.h"
#include "head/value_code_internal.h"

#include <criterion/criterion.h>

#include "base/random.h"

struct coded {
    uint8_t bytes[24];
    unsigned len;
    uint8_t hint;
};

static uint64_t decode(const struct coded *c, uint64_t before)
{
    uint64_t bits = 0, payload = code_payload(c->bytes);
    unsigned low = c->bytes[0] & 15;
    cr_assert(code_is_sound(c->bytes[0]));
    cr_assert_eq(1 + code_bytes(c->bytes[0]), c->len);
    if (low >= 1 && low <= 8)
        return before ^ payload << 8 * (c->bytes[0] >> 4);
    cr_assert(decimal_get(c->bytes[0], payload, before, &bits), "%02x", c->bytes[0]);
    return bits;
}

/* Writes the value after `before` and reads it again; bytes that it took. */
static unsigned round_trip(struct coded *c, uint64_t bits, uint64_t before)
{
    uint64_t packed;
    if (bits == before)
        return 0;
    uint8_t control = xor_pack(bits ^ before, &packed);
    memset(c->bytes, 0xee, sizeof c->bytes);
    c->len = (unsigned)(value_put(c->bytes, bits, before, control, packed, &c->hint) - c->bytes);
    cr_assert_leq(c->len, 1 + (control & 15), "never longer than XOR");
    cr_assert_eq(decode(c, before), bits, "%016llx after %016llx", (unsigned long long)bits,
                 (unsigned long long)before);
    return c->len;
}

static const uint64_t special[] = {0,
                                   UINT64_C(1) << 63,
                                   1,
                                   UINT64_C(0x000fffffffffffff),
                                   UINT64_C(0x7ff0000000000000),
                                   UINT64_C(0xfff0000000000000),
                                   UINT64_C(0x7ff0000000000001),
                                   UINT64_C(0x7ff0000000000002),
                                   UINT64_C(0x7ff8000000000001),
                                   UINT64_C(0xffffffffffffffff),
                                   UINT64_C(0x7fefffffffffffff),
                                   UINT64_C(0x4340000000000000),
                                   UINT64_C(0x4340000000000001),
                                   UINT64_C(0x4330000000000000),
                                   UINT64_C(0x4320000000000000),
                                   UINT64_C(0xc320000000000000),
                                   UINT64_C(0x431fffffffffffff),
                                   UINT64_C(0x4320000000000001)};
enum { SPECIAL = sizeof special / sizeof special[0] };

Test(value_code, every_bit_pattern_comes_back_after_every_other_with_every_hint)
{
    struct random_seeded random;
    struct coded c = {0};
    random_seeded_init(&random, 7);
    for (uint32_t i = 0; i < 300000; i++) {
        uint64_t r = random_u64(&random.base), n = random_u64(&random.base);
        double scale = decimal_scale[r >> 5 & 7], whole = (double)((int64_t)n >> (r >> 8 & 63));
        uint64_t near = f64_bits(whole / scale), far = f64_bits((whole + (double)(int64_t)(r >> 40) - 5000) / scale);
        uint64_t bits = r & 1 ? near : r & 2 ? special[n % SPECIAL] : n;
        uint64_t before = r & 4 ? far : r & 8 ? special[(n >> 32) % SPECIAL] : random_u64(&random.base);
        if (r & 16)
            c.hint = (uint8_t)(r >> 16 & 7);
        round_trip(&c, bits, before);
    }
}

Test(value_code, neighbours_of_powers_of_two_and_of_half_units_come_back)
{
    struct coded c = {0};
    for (unsigned exponent = 0x3f0; exponent < 0x440; exponent++)
        for (int64_t d = -3; d <= 3; d++)
            for (uint8_t hint = 0; hint < DECIMAL_SCALES; hint++) {
                uint64_t bits = ((uint64_t)exponent << 52) + (uint64_t)d;
                c.hint = hint;
                round_trip(&c, bits, f64_bits(f64_from_bits(bits) * 0.75 + 0.5));
                c.hint = hint;
                round_trip(&c, bits | UINT64_C(1) << 63, f64_bits(0.1));
            }
}

Test(value_code, few_decimals_are_short)
{
    static const struct {
        double before, value;
        unsigned bytes;
    } of[] = {{1023, 1025, 1},       {1000000.25, 1000000.5, 2},   {12.34, 12.96, 2},
              {99.9, 100.1, 2},      {0.123456789, 0.123456, 3},   {17.25, -17.25, 3},
              {3601.5, 3721.875, 4}, {1234567, 1234567 + 70000, 4}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        struct coded c = {0};
        round_trip(&c, f64_bits(of[i].value), f64_bits(of[i].before)); /* learns */
        unsigned bytes = round_trip(&c, f64_bits(of[i].value), f64_bits(of[i].before));
        cr_assert_leq(bytes, of[i].bytes, "%g after %g: %u bytes", of[i].value, of[i].before, bytes);
    }
}

Test(value_code, values_of_many_digits_are_seldom_tried)
{
    struct random_seeded random;
    struct coded c = {0};
    uint64_t before = f64_bits(0.5);
    unsigned tried = 0;
    random_seeded_init(&random, 3);
    for (int i = 0; i < 3200; i++) {
        uint64_t bits = f64_bits((double)(random_u64(&random.base) >> 11) * 0x1p-53);
        tried += c.hint < SCALE_REST;
        round_trip(&c, bits, before);
        before = bits;
    }
    cr_assert_leq(tried, 3200 / SCALE_REST_VALUES + 2);
}

Test(value_code, a_difference_to_a_value_that_has_no_decimals_is_refused)
{
    uint64_t bits;
    for (size_t i = 0; i < SPECIAL; i++)
        for (unsigned control = 0; control < 256; control++)
            if ((control & 15) == VALUE_STEP || ((control & 15) > 8 && (control & 15) < SAMPLE_WHOLE))
                if (decimal_get((uint8_t)control, UINT32_MAX, special[i], &bits))
                    cr_assert((bits >> 52 & 0x7ff) != 0x7ff);
    cr_assert_not(decimal_get(0, 0, UINT64_C(0x7ff0000000000002), &bits));
    cr_assert_not(decimal_get(9, 1, UINT64_C(0x4340000000000000), &bits));
}
