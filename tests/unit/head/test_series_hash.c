/* The keyed hash: one result on every CPU, no collisions where they would be likely. */
#include "head/series_hash.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static struct series_hash_key key_of(enum series_hash_kind kind, uint64_t seed)
{
    struct random_seeded random;
    struct series_hash_key key;
    random_seeded_init(&random, seed);
    series_hash_key_init(&key, kind, &random.base);
    return key;
}

Test(series_hash, is_what_the_definition_says_bit_by_bit)
{
    if (series_hash_best() != SERIES_HASH_CLMUL)
        cr_skip_test("this CPU multiplies without carries only in software");
    struct series_hash_key key = key_of(SERIES_HASH_CLMUL, 1);
    struct random_seeded random;
    random_seeded_init(&random, 2);
    size_t room = SERIES_HASH_BYTES_MAX + SERIES_HASH_SLACK;
    uint8_t *bytes = mem_alloc(room);
    random.base.fill(&random.base, bytes, room);
    do {
        for (size_t len = 0; len <= 300; len++) {
            struct hash128 a = series_hash(&key, bytes, len), b = series_hash_clmul_reference(&key, bytes, len);
            cr_assert(hash128_eq(a, b), "length %zu", len);
        }
        for (size_t len = SERIES_HASH_BYTES_MAX - 5; len <= SERIES_HASH_BYTES_MAX; len++)
            cr_assert(hash128_eq(series_hash(&key, bytes, len), series_hash_clmul_reference(&key, bytes, len)), "%zu",
                      len);
    } while (series_hash_narrow(&key));
    mem_free(bytes);
    series_hash_key_deinit(&key);
}

Test(series_hash, does_not_look_at_the_bytes_behind_the_input)
{
    for (int kind = SERIES_HASH_CLMUL; kind <= SERIES_HASH_XXH3; kind++) {
        if (kind == SERIES_HASH_CLMUL && series_hash_best() != SERIES_HASH_CLMUL)
            continue;
        struct series_hash_key key = key_of((enum series_hash_kind)kind, 3);
        uint8_t bytes[128];
        for (size_t len = 0; len + SERIES_HASH_SLACK < sizeof bytes; len++) {
            memset(bytes, 0x55, sizeof bytes);
            struct hash128 a = series_hash(&key, bytes, len);
            memset(bytes + len, 0xaa, sizeof bytes - len);
            cr_assert(hash128_eq(a, series_hash(&key, bytes, len)), "length %zu", len);
        }
        series_hash_key_deinit(&key);
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct hash128 *x = a, *y = b;
    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    return (x->hi > y->hi) - (x->hi < y->hi);
}

static void expect_distinct(struct hash128 *list, size_t count)
{
    qsort(list, count, sizeof *list, by_hash);
    for (size_t i = 1; i < count; i++) {
        cr_assert_neq(list[i].lo, list[i - 1].lo, "two inputs share half a hash");
        cr_assert_not(hash128_eq(list[i], list[i - 1]));
    }
}

Test(series_hash, tells_inputs_apart_that_differ_in_one_bit_or_in_length)
{
    for (int kind = SERIES_HASH_CLMUL; kind <= SERIES_HASH_XXH3; kind++) {
        if (kind == SERIES_HASH_CLMUL && series_hash_best() != SERIES_HASH_CLMUL)
            continue;
        enum { LEN = 160, MAX = LEN * 8 * 2 + 1000 };
        struct series_hash_key key = key_of((enum series_hash_kind)kind, 4);
        struct hash128 *list = mem_array(MAX, sizeof *list);
        uint8_t bytes[1024 + SERIES_HASH_SLACK] = {0};
        size_t n = 0;
        for (size_t bit = 0; bit < LEN * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            list[n++] = series_hash(&key, bytes, LEN);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 0; len < 1000; len++) /* zeros only: the length alone tells them apart */
            list[n++] = series_hash(&key, bytes, len);
        expect_distinct(list, n);
        mem_free(list);
        series_hash_key_deinit(&key);
    }
}

Test(series_hash, is_another_one_with_another_key)
{
    struct series_hash_key a = key_of(series_hash_best(), 5), b = key_of(series_hash_best(), 6);
    uint8_t bytes[64 + SERIES_HASH_SLACK] = "the same input";
    cr_expect_not(hash128_eq(series_hash(&a, bytes, 14), series_hash(&b, bytes, 14)));
    series_hash_key_deinit(&a);
    series_hash_key_deinit(&b);
}
