/* The quantile of a set: definition, accidents, and selection against sorting. */
#include "promql/quantile.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/bytes.h"
#include "base/random.h"

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || f64_bits(a) == f64_bits(b);
}

Test(quantile, interpolates_between_neighbours)
{
    double v[] = {0, 1, 2, 3};
    cr_expect_eq(quantile_sorted(0.5, v, 4), 1.5);
    cr_expect_eq(quantile_sorted(0, v, 4), 0);
    cr_expect_eq(quantile_sorted(1, v, 4), 3);
}

Test(quantile, outside_of_zero_to_one_is_infinite_and_nan_is_nan)
{
    double v[] = {1};
    cr_expect_eq(quantile_sorted(-0.1, v, 1), -INFINITY);
    cr_expect_eq(quantile_sorted(1.1, v, 1), INFINITY);
    cr_expect(isnan(quantile_sorted(NAN, v, 1)));
    cr_expect(isnan(quantile_sorted(0.5, v, 0)));
}

Test(quantile, an_infinite_neighbour_of_no_weight_makes_it_nan)
{
    double v[] = {1, 2, INFINITY};
    cr_expect(isnan(quantile_sorted(0.5, v, 3)));
    cr_expect(isnan(quantile_select(0.5, v, 3)));
}

Test(quantile, nan_sorts_first_and_minus_zero_before_zero)
{
    double v[] = {0, 1, NAN, -0.0};
    quantile_sort(v, 4);
    cr_expect(isnan(v[0]) && signbit(v[1]) && v[1] == 0 && !signbit(v[2]) && v[3] == 1);
}

Test(quantile, selecting_gives_what_sorting_gives)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 6);
    for (int round = 0; round < 3000; round++) {
        double v[200], w[200];
        size_t n = 1 + (size_t)(random_u64(&seed.base) % 200);
        for (size_t i = 0; i < n; i++) {
            uint64_t r = random_u64(&seed.base);
            v[i] = r % 37 == 0 ? NAN : r % 41 == 0 ? -0.0 : r % 43 == 0 ? INFINITY : (double)((r >> 20) % 50) - 20;
        }
        memcpy(w, v, sizeof v);
        double phi = (double)(random_u64(&seed.base) % 1001) / 1000;
        quantile_sort(w, n);
        double wanted = quantile_sorted(phi, w, n), got = quantile_select(phi, v, n);
        cr_assert(same(wanted, got), "round %d: %a, wanted %a", round, got, wanted);
    }
}
