/* fuzz_number.c - any text as number, duration, time; any bits as double: what is read prints and reads back the same.
 */
#include <math.h>

#include "base/assert.h"
#include "numeric/goformat.h"
#include "numeric/gomath.h"
#include "numeric/goparse.h"
#include "numeric/timetext.h"

static void same(double v, const char *text, size_t len)
{
    double back = 0;
    assert(len <= GOFORMAT_BYTES_MAX);
    assert(goparse_float(slice_of(text, len), &back, NULL) == ERR_OK);
    assert(f64_bits(v) == f64_bits(back) || (isnan(v) && isnan(back)));
}

static void check_double(double v)
{
    char text[GOFORMAT_BYTES_MAX], digits[GOFORMAT_BYTES_MAX];
    same(v, text, goformat_json(text, v));
    same(v, text, goformat_openmetrics(text, v));
    same(v, text, goformat_float(text, v, 'f', -1));
    same(v, text, goformat_float(text, v, 'g', 17));
    size_t len = goformat_float(text, v, 'e', -1);
    same(v, text, len);
    /* No fewer digits will do. */
    if (isfinite(v) && v != 0 && memchr(text, '.', len)) {
        size_t start = text[0] == '-' ? 1 : 0, end = (size_t)((char *)memchr(text, 'e', len) - text);
        double back = 0;
        len = goformat_float(digits, v, 'e', (int)(end - start) - 3);
        bool read = goparse_float(slice_of(digits, len), &back, NULL) == ERR_OK; /* rounding up may leave the range */
        assert(!read || f64_bits(back) != f64_bits(v));
    }
    (void)gomath_int64(v);
    (void)gomath_sin(v);
    (void)gomath_exp(v);
    (void)gomath_pow(v, 1 / v);
}

static void check_text(struct slice text)
{
    double v;
    int64_t i;
    uint64_t u;
    struct errmsg why;
    struct timetext_time t;
    struct timetext_date date;
    char out[GOFORMAT_BYTES_MAX];
    if (goparse_float(text, &v, &why) == ERR_OK)
        check_double(v);
    if (goparse_int(text, 10, &i, &why) == ERR_OK) {
        int64_t back = 0;
        assert(goparse_int(slice_of(out, goformat_int(out, i)), 10, &back, NULL) == ERR_OK && back == i);
        timetext_date(i, &date);
        assert(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= date.days_in_month);
        (void)goformat_seconds(out, i);
        assert(timetext_rfc3339_print(out, i) <= TIMETEXT_BYTES_MAX);
        assert(timetext_go_duration_print(out, i) <= TIMETEXT_BYTES_MAX);
        assert(timetext_duration_print(out, i) <= TIMETEXT_BYTES_MAX);
    }
    (void)!goparse_int(text, 0, &i, &why);
    (void)!goparse_uint(text, 16, &u, &why);
    if (timetext_duration_parse(text, &i, &why) == ERR_OK) {
        int64_t back = -1;
        assert(timetext_duration_parse(slice_of(out, timetext_duration_print(out, i)), &back, NULL) == ERR_OK &&
               back == i);
    }
    if (timetext_rfc3339_parse(text, &t, &why) == ERR_OK) {
        struct timetext_time back;
        size_t len = timetext_rfc3339_print(out, t.seconds * 1000 + t.ns / 1000000);
        timetext_date(t.seconds, &date);
        if (date.year >= 0 && date.year <= 9999) {
            assert(timetext_rfc3339_parse(slice_of(out, len), &back, NULL) == ERR_OK);
            assert(back.seconds == t.seconds && back.ns == t.ns / 1000000 * 1000000);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 8)
        check_double(f64_from_bits(le64_get(data)));
    check_text(slice_of(data, bytes));
    struct buf quoted = {0};
    goformat_quote(&quoted, slice_of(data, bytes));
    assert(quoted.len >= bytes + 2 || !bytes);
    buf_deinit(&quoted);
    return 0;
}
