/* Equal elements end up where Go puts them: vectors/gosort.txt, which vectors/gosort.go made. */
#include "numeric/gosort.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { LENGTH_MAX = 5000 };

struct pair {
    int64_t key;
    uint32_t position;
};
static struct pair list[LENGTH_MAX];

static bool pair_less(const void *ctx, size_t i, size_t j)
{
    const struct pair *pairs = ctx;
    return pairs[i].key < pairs[j].key;
}

static void pair_swap(void *ctx, size_t i, size_t j)
{
    struct pair *pairs = ctx, t = pairs[i];
    pairs[i] = pairs[j];
    pairs[j] = t;
}

static const struct gosort_ops ops = {pair_less, pair_swap};

static int64_t key(int64_t i, int64_t length, int64_t kinds, int pattern)
{
    int64_t scattered = (int64_t)((uint32_t)i * 2654435761U >> 7) % kinds;
    switch (pattern) {
    case 0:
        return scattered;
    case 1:
        return i * kinds / length;
    case 2:
        return (length - i) * kinds / length;
    case 3:
        return i % kinds;
    case 4:
        return i < length - i ? i : length - i;
    default:
        return i % 17 == 3 ? scattered : i * kinds / length;
    }
}

static void fill(size_t length, int64_t kinds, int pattern)
{
    for (size_t i = 0; i < length; i++)
        list[i] = (struct pair){key((int64_t)i, (int64_t)length, kinds, pattern), (uint32_t)i};
}

static uint32_t checksum(size_t length)
{
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < length; i++)
        for (unsigned n = 0; n < 32; n += 8)
            sum = (sum ^ (list[i].position >> n & 0xff)) * 16777619U;
    return sum;
}

static uint32_t checksum_of_heap(size_t length, int64_t kinds)
{
    gosort_heap_init(&ops, list, length);
    list[0].key += kinds / 2;
    gosort_heap_fix(&ops, list, 0, length);
    list[length / 2].key -= kinds / 2;
    gosort_heap_fix(&ops, list, length / 2, length);
    return checksum(length);
}

static uint32_t checksum_of_pushes(size_t length)
{
    for (size_t i = 0; i < length; i++)
        gosort_heap_up(&ops, list, i);
    return checksum(length);
}

Test(gosort, leaves_equal_elements_where_go_leaves_them)
{
    FILE *file = fopen("tests/unit/numeric/vectors/gosort.txt", "r");
    cr_assert(file, "run from the top folder");
    char line[100];
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        size_t length;
        long kinds;
        int pattern;
        unsigned first, second = 0;
        cr_assert_geq(sscanf(line + 5, "%zu %ld %d %x %x", &length, &kinds, &pattern, &first, &second), 4);
        fill(length, kinds, pattern);
        if (line[0] == 's') {
            gosort_sort(&ops, list, length);
            cr_expect_eq(checksum(length), first, "%s", line);
        } else {
            cr_expect_eq(checksum_of_heap(length, kinds), first, "%s", line);
            fill(length, kinds, pattern);
            cr_expect_eq(checksum_of_pushes(length), second, "%s", line);
        }
        lines++;
    }
    fclose(file);
    cr_assert_eq(lines, 624);
}

static bool natural(const char *a, const char *b)
{
    return gosort_natural_less(slice_str(a), slice_str(b));
}

Test(gosort, natural_order_compares_runs_of_digits_as_numbers)
{
    cr_expect(natural("m2", "m10"));
    cr_expect_not(natural("m10", "m2"));
    cr_expect(natural("4m5", "4m60"));
    cr_expect(natural("a", "b"));
    cr_expect(natural("1", "a"), "bytewise when one is no number");
    cr_expect(natural("99999999999999999999", "a"));
    cr_expect(natural("99999999999999999998", "99999999999999999999"), "too large for int64: bytewise");
    cr_expect_not(natural("99999999999999999999", "1000000000000000000000"), "bytewise, '9' after '1'");
}

Test(gosort, natural_order_puts_the_left_first_when_equal_and_nothing_before_the_empty)
{
    cr_expect(natural("a1", "a1"));
    cr_expect(natural("01", "1") && natural("1", "01"));
    cr_expect(natural("a", "a1"));
    cr_expect_not(natural("a1", "a"));
    cr_expect_not(natural("", "a"), "an empty text has no run to compare");
    cr_expect_not(natural("a", ""));
}
