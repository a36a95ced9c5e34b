/* Our functions against Go's answers: vectors/gomath.bin, which vectors/gomath.go made. */
#include "numeric/gomath.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/bytes.h"

enum { SHOWN = 256, BLOCKS = 200, PER_BLOCK = 1000, RECORD = SHOWN + BLOCKS };

static const double specials[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  0.5,
                                  -0.5,
                                  2,
                                  -2,
                                  3,
                                  -3,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  5e-324,
                                  -5e-324,
                                  2.2250738585072014e-308,
                                  -2.2250738585072014e-308,
                                  1.1125369292536007e-308,
                                  DBL_MAX,
                                  -DBL_MAX,
                                  0.7,
                                  0.66,
                                  2.414213562373095,
                                  0.785398163397448,
                                  1.5707963267948966,
                                  3.141592653589793,
                                  536870911,
                                  536870912,
                                  709.78271289338397,
                                  709.8,
                                  -708.4,
                                  -745.13,
                                  -745.2,
                                  1023.9999999999999,
                                  1024,
                                  -1074,
                                  -1074.5,
                                  9007199254740992,
                                  1e22,
                                  1e300};
enum { SPECIALS = sizeof specials / sizeof specials[0] };

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* As argument() in gomath.go. */
static double argument(uint64_t *state, int i, double limit)
{
    uint64_t kind = next(state), bits = next(state);
    if (i < SPECIALS)
        return specials[i];
    double uniform = (double)(bits >> 11) * 0x1p-52 - 1;
    switch (kind % 8) {
    case 0:
        return f64_from_bits(bits);
    case 1:
    case 2:
        return f64_from_bits((bits & UINT64_C(0x800fffffffffffff)) | (1023 - 20 + (kind >> 32) % 41) << 52);
    case 3:
    case 4:
        return uniform;
    default:
        return uniform * limit;
    }
}

static double int64_and_back(double x)
{
    return (double)gomath_int64(x);
}

static const struct function {
    const char *name;
    double (*f)(double x);
    double (*g)(double x, double y);
    double limit;
} functions[] = {
    {"exp", gomath_exp, NULL, 750},     {"exp2", gomath_exp2, NULL, 1100},  {"log", gomath_log, NULL, 1e6},
    {"log2", gomath_log2, NULL, 1e6},   {"log10", gomath_log10, NULL, 1e6}, {"log1p", gomath_log1p, NULL, 1e6},
    {"sin", gomath_sin, NULL, 1e10},    {"cos", gomath_cos, NULL, 1e10},    {"tan", gomath_tan, NULL, 1e10},
    {"asin", gomath_asin, NULL, 1},     {"acos", gomath_acos, NULL, 1},     {"atan", gomath_atan, NULL, 100},
    {"sinh", gomath_sinh, NULL, 25},    {"cosh", gomath_cosh, NULL, 25},    {"tanh", gomath_tanh, NULL, 50},
    {"asinh", gomath_asinh, NULL, 1e9}, {"acosh", gomath_acosh, NULL, 1e9}, {"atanh", gomath_atanh, NULL, 1},
    {"pow", NULL, gomath_pow, 40},      {"atan2", NULL, gomath_atan2, 40},  {"mod", NULL, gomath_mod, 40},
    {"max", NULL, gomath_max, 4},       {"min", NULL, gomath_min, 4},       {"int64", int64_and_back, NULL, 1e19},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static uint64_t answer(const struct function *function, uint64_t *state, int i, double arguments[2])
{
    double v;
    if (function->f) {
        arguments[0] = arguments[1] = argument(state, i, function->limit);
        v = function->f(arguments[0]);
    } else {
        arguments[0] = argument(state, i / SPECIALS, function->limit);
        arguments[1] = argument(state, i % (2 * SPECIALS), function->limit);
        v = function->g(arguments[0], arguments[1]);
    }
    return isnan(v) ? UINT64_C(0x7ff8000000000001) : f64_bits(v);
}

static uint64_t checksum(uint64_t sum, uint64_t bits)
{
    for (unsigned n = 0; n < 64; n += 8)
        sum = (sum ^ (bits >> n & 0xff)) * UINT64_C(0x100000001b3);
    return sum;
}

Test(gomath, gives_the_bits_of_go_for_200256_arguments_of_each_function)
{
    static uint64_t expected[FUNCTIONS][RECORD];
    FILE *file = fopen("tests/unit/numeric/vectors/gomath.bin", "rb");
    cr_assert(file, "run from the top folder");
    cr_assert_eq(fread(expected, sizeof expected[0], FUNCTIONS, file), FUNCTIONS);
    fclose(file);
    for (int f = 0; f < FUNCTIONS; f++) {
        uint64_t state = (uint64_t)f;
        double arguments[2];
        for (int i = 0; i < SHOWN; i++) {
            uint64_t bits = answer(&functions[f], &state, i, arguments);
            cr_expect_eq(bits, le64_get(&expected[f][i]), "%s(%.17g, %.17g) = %.17g instead of %.17g",
                         functions[f].name, arguments[0], arguments[1], f64_from_bits(bits),
                         f64_from_bits(le64_get(&expected[f][i])));
        }
        for (int block = 0; block < BLOCKS; block++) {
            uint64_t sum = UINT64_C(0xcbf29ce484222325);
            for (int i = 0; i < PER_BLOCK; i++)
                sum = checksum(sum, answer(&functions[f], &state, SHOWN + block * PER_BLOCK + i, arguments));
            cr_expect_eq(sum, le64_get(&expected[f][SHOWN + block]), "%s, block %d", functions[f].name, block);
        }
    }
}

Test(gomath, is_built_without_contraction_to_fused_operations)
{
    volatile double tenth = 0.1, ten = 10, one = 1;
    cr_expect_eq(tenth * ten - one, 0, "fused, this is 5.55e-17");
}

Test(gomath, kahan_add_keeps_what_the_sum_lost_and_forgets_it_at_infinity)
{
    double sum = 0, c = 0;
    const double values[] = {1e100, 1, -1e100};
    for (int i = 0; i < 3; i++)
        gomath_kahan_add(values[i], &sum, &c);
    cr_expect_eq(sum + c, 1);
    gomath_kahan_add(INFINITY, &sum, &c);
    gomath_kahan_add(1e308, &sum, &c);
    cr_expect_eq(sum + c, INFINITY);
}
