/* Numbers from text by Go's rules: vectors/goparse.txt, made by vectors/goparse.go. */
#include "numeric/goparse.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

Test(goparse, reads_floats_as_go_does)
{
    FILE *file = fopen("tests/unit/numeric/vectors/goparse.txt", "r");
    cr_assert(file, "run from the top folder");
    char line[1024];
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        char *tab = strchr(line, '\t');
        cr_assert(tab);
        double v = 0;
        enum err err = goparse_float(slice_of(line, (size_t)(tab - line)), &v, NULL);
        if (strncmp(tab + 1, "syntax", 6) == 0) {
            cr_expect_eq(err, ERR_INVALID, "%s", line);
        } else {
            cr_expect_eq(err, strstr(tab, "range") ? ERR_LIMIT : ERR_OK, "%s", line);
            cr_expect_eq(f64_bits(v), strtoull(tab + 1, NULL, 16), "%.17g %s", v, line);
        }
        lines++;
    }
    fclose(file);
    cr_expect_gt(lines, 700);
}

Test(goparse, errors_have_the_texts_of_strconv)
{
    struct errmsg why;
    double v;
    int64_t i;
    uint64_t u;
    cr_expect_eq(goparse_float(SLICE_LIT("0x"), &v, &why), ERR_INVALID);
    cr_expect_str_eq(why.text, "strconv.ParseFloat: parsing \"0x\": invalid syntax");
    cr_expect_eq(goparse_float(SLICE_LIT("-1e400"), &v, &why), ERR_LIMIT);
    cr_expect_str_eq(why.text, "strconv.ParseFloat: parsing \"-1e400\": value out of range");
    cr_expect_eq(v, -INFINITY);
    cr_expect_eq(goparse_int(SLICE_LIT(""), 10, &i, &why), ERR_INVALID);
    cr_expect_str_eq(why.text, "strconv.ParseInt: parsing \"\": invalid syntax");
    cr_expect_eq(goparse_uint(SLICE_LIT("-1"), 10, &u, &why), ERR_INVALID);
    cr_expect_str_eq(why.text, "strconv.ParseUint: parsing \"-1\": invalid syntax");
}

static void expect_int(const char *text, unsigned base, enum err err, int64_t wanted)
{
    int64_t v = 0;
    cr_expect_eq(goparse_int(slice_str(text), base, &v, NULL), err, "%s", text);
    cr_expect_eq(v, wanted, "%s", text);
}

Test(goparse, reads_integers_in_the_base_that_a_prefix_names)
{
    expect_int("9223372036854775807", 10, ERR_OK, INT64_MAX);
    expect_int("9223372036854775808", 10, ERR_LIMIT, INT64_MAX);
    expect_int("-9223372036854775808", 10, ERR_OK, INT64_MIN);
    expect_int("-9223372036854775809", 10, ERR_LIMIT, INT64_MIN);
    expect_int("99999999999999999999999", 10, ERR_LIMIT, INT64_MAX);
    expect_int("0x_1f", 0, ERR_OK, 31);
    expect_int("-0b101", 0, ERR_OK, -5);
    expect_int("0o17", 0, ERR_OK, 15);
    expect_int("017", 0, ERR_OK, 15);
    expect_int("+1_000", 0, ERR_OK, 1000);
    expect_int("1_000", 10, ERR_INVALID, 0);
    expect_int("1__0", 0, ERR_INVALID, 0);
    expect_int("08", 0, ERR_INVALID, 0);
    expect_int("0x", 0, ERR_INVALID, 0);
    expect_int("zz", 36, ERR_OK, 35 * 36 + 35);
}

Test(goparse, a_long_number_is_read_to_its_last_digit)
{
    size_t len = 100000;
    char *text = malloc(len);
    memset(text, '0', len);
    memcpy(text, "1.", 2);
    text[len - 1] = '1';
    double v = 0;
    cr_expect_eq(goparse_float(slice_of(text, len), &v, NULL), ERR_OK);
    cr_expect_eq(v, 1);
    free(text);
}
