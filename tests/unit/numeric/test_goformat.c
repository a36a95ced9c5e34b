/* Texts of numbers and strings as Go writes them: vectors/goformat.bin, made by vectors/goformat.go. */
#include "numeric/decimal_internal.h"
#include "numeric/goformat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* As value() in goformat.go. */
static double value(uint64_t *state)
{
    static const double scales[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint64_t kind = next(state), bits = next(state);
    double scale = scales[(kind >> 32) % 16], sign = (kind >> 40 & 7) == 0 ? -1 : 1;
    switch (kind % 8) {
    case 0:
        return f64_from_bits(bits);
    case 1:
        return f64_from_bits((bits & UINT64_C(0xfff0000000000000)) + (kind >> 33) % 3 - 1);
    case 2:
        return sign * (double)(bits >> ((kind >> 32) % 64));
    case 3:
        return sign * (double)(bits % 1000000) / scale;
    case 4:
        return sign * (double)(bits % 1000) * scale;
    case 5:
        return sign * (double)(bits >> 11) * 0x1p-53;
    case 6:
        return f64_from_bits((bits & UINT64_C(0x800fffffffffffff)) >> ((kind >> 32) % 52));
    default:
        return sign * (double)(bits % 100000) / scale / 1e8;
    }
}

static const struct form {
    size_t (*print)(char *out, double v); /* NULL: goformat_float */
    char form;
    int precision;
} forms[] = {{goformat_json, 0, 0}, {goformat_openmetrics, 0, 0},
             {NULL, 'f', -1},       {NULL, 'e', -1},
             {NULL, 'g', -1},       {NULL, 'f', 0},
             {NULL, 'f', 3},        {NULL, 'f', 6},
             {NULL, 'e', 0},        {NULL, 'e', 5},
             {NULL, 'g', 2},        {NULL, 'g', 6},
             {NULL, 'g', 17}};
enum { FORMS = sizeof forms / sizeof forms[0], BLOCKS = 20, PER_BLOCK = 1000 };

static size_t print(const struct form *f, char *out, double v)
{
    return f->print ? f->print(out, v) : goformat_float(out, v, f->form, f->precision);
}

Test(goformat, prints_20000_values_in_each_form_as_go_does)
{
    uint8_t expected[FORMS][BLOCKS][8];
    FILE *file = fopen("tests/unit/numeric/vectors/goformat.bin", "rb");
    cr_assert(file, "run from the top folder");
    cr_assert_eq(fread(expected, sizeof expected[0], FORMS, file), FORMS);
    fclose(file);
    FILE *texts = getenv("GOFORMAT_TEXTS") ? fopen(getenv("GOFORMAT_TEXTS"), "w") : NULL; /* for diff with gen's */
    for (int f = 0; f < FORMS; f++) {
        uint64_t state = (uint64_t)f;
        for (int block = 0; block < BLOCKS; block++) {
            uint64_t sum = UINT64_C(0xcbf29ce484222325);
            for (int i = 0; i < PER_BLOCK; i++) {
                char text[GOFORMAT_BYTES_MAX + 1];
                size_t len = print(&forms[f], text, value(&state));
                text[len++] = '\n';
                for (size_t n = 0; n < len; n++)
                    sum = (sum ^ (uint8_t)text[n]) * UINT64_C(0x100000001b3);
                if (texts)
                    fprintf(texts, "%d %.*s", f, (int)len, text);
            }
            cr_expect_eq(sum, le64_get(expected[f][block]), "form %d, block %d", f, block);
        }
    }
    if (texts)
        fclose(texts);
}

static void expect(double v, char form, int precision, const char *wanted)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_float(text, v, form, precision);
    cr_expect(slice_eq_str(slice_of(text, len), wanted), "%.*s instead of %s", (int)len, text, wanted);
}

Test(goformat, knows_the_special_values_and_thresholds)
{
    expect(NAN, 'g', -1, "NaN");
    expect(INFINITY, 'f', -1, "+Inf");
    expect(-INFINITY, 'e', -1, "-Inf");
    expect(-0.0, 'f', -1, "-0");
    expect(100000, 'g', -1, "100000");
    expect(1000000, 'g', -1, "1e+06");
    expect(1234567.5, 'g', -1, "1.2345675e+06");
    expect(0.0001, 'g', -1, "0.0001");
    expect(0.00001, 'g', -1, "1e-05");
    expect(5e-324, 'e', -1, "5e-324");
    expect(0.5, 'f', 0, "0");
    expect(1.5, 'f', 0, "2");
}

static void expect_json(double v, const char *wanted)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_json(text, v);
    cr_expect(slice_eq_str(slice_of(text, len), wanted), "%.*s instead of %s", (int)len, text, wanted);
}

Test(goformat, json_switches_to_exponents_below_1e_6_and_from_1e21)
{
    expect_json(1e-7, "1e-07");
    expect_json(1e-6, "0.000001");
    expect_json(1e21, "1e+21");
    expect_json(1e20, "100000000000000000000");
    expect_json(1.5e300, "1.5e+300");
    expect_json(-0.0, "-0");
    expect_json(0, "0");
    expect_json(9007199254740992, "9007199254740992");
}

static void expect_seconds(int64_t ms, const char *wanted)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_seconds(text, ms);
    cr_expect(slice_eq_str(slice_of(text, len), wanted), "%.*s instead of %s", (int)len, text, wanted);
}

Test(goformat, seconds_have_three_decimals_or_none)
{
    expect_seconds(1435781451781, "1435781451.781");
    expect_seconds(1500, "1.500");
    expect_seconds(1001, "1.001");
    expect_seconds(1000, "1");
    expect_seconds(0, "0");
    expect_seconds(-1500, "-1.500");
    expect_seconds(-1, "-0.001");
    expect_seconds(INT64_MIN, "-9223372036854775.808");
}

Test(goformat, integers_of_every_length_are_printed_whole)
{
    char text[GOFORMAT_BYTES_MAX], wanted[32];
    uint64_t v = 1;
    for (int i = 0; i < 20; i++, v *= 10)
        for (uint64_t n = v - 1; n <= v + 1; n++) {
            size_t len = goformat_uint(text, n);
            snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)n);
            cr_expect(slice_eq_str(slice_of(text, len), wanted), "%s", wanted);
        }
    cr_expect_eq(goformat_int(text, INT64_MIN), 20);
    cr_expect_arr_eq(text, "-9223372036854775808", 20);
}

static void expect_quoted(const char *text, size_t len, const char *wanted)
{
    struct buf out = {0};
    goformat_quote(&out, slice_of(text, len));
    cr_expect_str_eq(buf_cstr(&out), wanted);
    buf_deinit(&out);
}

Test(goformat, quotes_strings_as_percent_q)
{
    expect_quoted("plain", 5, "\"plain\"");
    expect_quoted("a\"b\\c'\n\t\r\a\b\f\v", 13, "\"a\\\"b\\\\c'\\n\\t\\r\\a\\b\\f\\v\"");
    expect_quoted("\0\x1f\x7f", 3, "\"\\x00\\x1f\\x7f\"");
    expect_quoted("\xff\xc0\x80z", 4, "\"\\xff\\xc0\\x80z\"");
    expect_quoted("\xe4\xb8\x96\xf0\x9f\x98\x80", 7, "\"\xe4\xb8\x96\xf0\x9f\x98\x80\"");
    expect_quoted("\xc2\xad\xe2\x80\x8b\xef\xbf\xbd", 8, "\"\\u00ad\\u200b\xef\xbf\xbd\"");
    expect_quoted("\xf3\xa0\x80\x81\xed\xa0\x80", 7, "\"\\U000e0001\\xed\\xa0\\x80\"");
}

Test(goformat, quotes_runes_as_percent_q_and_sharp_u)
{
    struct buf out = {0};
    goformat_quote_rune(&out, 'x');
    goformat_quote_rune(&out, '\'');
    goformat_quote_rune(&out, '"');
    goformat_quote_rune(&out, -1);
    goformat_unicode(&out, 'a');
    goformat_unicode(&out, 0x1f600);
    goformat_unicode(&out, '\n');
    cr_expect_str_eq(buf_cstr(&out), "'x''\\'''\"''\xef\xbf\xbd'U+0061 'a'U+1F600 '\xf0\x9f\x98\x80'U+000A");
    buf_deinit(&out);
}

static void expect_uint(uint64_t v)
{
    char got[32], want[32];
    got[decimal_print_uint(got, v)] = 0;
    snprintf(want, sizeof want, "%llu", (unsigned long long)v);
    cr_assert_str_eq(got, want);
}

Test(goformat, prints_integers_of_every_length_digit_by_digit)
{
    uint64_t power = 1;
    for (uint64_t i = 0; i < 10000; i++) { /* each group of four digits in each half of eight, and in both */
        expect_uint(700000000 + i * 10000 + (9999 - i));
        expect_uint(UINT64_C(1000000000000000000) + i * 10001 + i * UINT64_C(1000100000000));
        expect_uint(i);
    }
    for (int digits = 0; digits < 20; digits++, power *= 10) {
        expect_uint(power);
        expect_uint(power - 1);
        expect_uint(power / 9 * 8 + 1);
    }
    expect_uint(UINT64_MAX);
}
