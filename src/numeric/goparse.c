/*
 * goparse.c - numbers from text; the syntax is checked here, the digits are converted by strtod.
 *
 * strtod of the C libraries we build on is correctly rounded for decimal and hexadecimal texts; it gets
 * a copy that is free of underscores and known to be a number.  Decimals of up to 19 digits whose value
 * and power of ten are exact doubles take a shortcut: one multiplication or division is then the answer.
 */
#include "numeric/goparse.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "numeric/goformat.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c | 0x20;
}

static bool is_hex_letter(uint8_t c)
{
    return lower(c) >= 'a' && lower(c) <= 'f';
}

static enum err number_error(struct errmsg *why, enum err err, const char *function, struct slice text)
{
    if (!why)
        return err;
    struct buf quoted = {.limit = sizeof why->text};
    goformat_quote(&quoted, text);
    err_set(why, err, "strconv.%s: parsing %s: %s", function, buf_cstr(&quoted),
            err == ERR_LIMIT ? "value out of range" : "invalid syntax");
    buf_deinit(&quoted);
    return err;
}

/* Go's rule: an underscore stands between digits, or between a base prefix and a digit. */
static bool underscores_ok(struct slice s)
{
    enum { START, DIGIT, UNDERSCORE, OTHER } saw = START;
    bool hex = false;
    if (s.len >= 1 && (s.data[0] == '-' || s.data[0] == '+'))
        s = slice_from(s, 1);
    if (s.len >= 2 && s.data[0] == '0' && strchr("box", lower(s.data[1]))) {
        hex = lower(s.data[1]) == 'x';
        s = slice_from(s, 2);
        saw = DIGIT;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (is_digit(c) || (hex && is_hex_letter(c))) {
            saw = DIGIT;
        } else if (c == '_') {
            if (saw != DIGIT)
                return false;
            saw = UNDERSCORE;
        } else {
            if (saw == UNDERSCORE)
                return false;
            saw = OTHER;
        }
    }
    return saw != UNDERSCORE;
}

static bool equals_nocase(struct slice s, const char *word)
{
    if (s.len != strlen(word))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (lower(s.data[i]) != (uint8_t)word[i])
            return false;
    return true;
}

static bool parse_special(struct slice s, double *out)
{
    if (equals_nocase(s, "nan")) {
        *out = f64_from_bits(UINT64_C(0x7ff8000000000001));
        return true;
    }
    bool negative = s.len > 0 && s.data[0] == '-';
    if (negative || (s.len > 0 && s.data[0] == '+'))
        s = slice_from(s, 1);
    if (!equals_nocase(s, "inf") && !equals_nocase(s, "infinity"))
        return false;
    *out = negative ? -INFINITY : INFINITY;
    return true;
}

/* What the syntax check finds out about a number. */
struct scan {
    uint64_t digits;  /* the significant ones without the point; meaningful if !inexact */
    int64_t exponent; /* value = digits * 10^exponent */
    bool negative, hex, underscores, inexact;
};

/* The mantissa from s[*at] on; false when it has no digit. */
static bool scan_mantissa(struct slice s, size_t *at, struct scan *scan)
{
    bool point = false, any = false;
    for (; *at < s.len; ++*at) {
        uint8_t c = s.data[*at];
        if (c == '_') {
            scan->underscores = true;
        } else if (c == '.' && !point) {
            point = true;
        } else if (is_digit(c)) {
            any = true;
            if (scan->digits >= UINT64_C(1000000000000000000))
                scan->inexact = true;
            else
                scan->digits = scan->digits * 10 + (uint64_t)(c - '0');
            scan->exponent -= point;
        } else if (scan->hex && is_hex_letter(c)) {
            any = true;
        } else {
            break;
        }
    }
    return any;
}

/* The digits of an exponent from s[*at] on, after its letter. */
static bool scan_exponent(struct slice s, size_t *at, struct scan *scan)
{
    bool negative = *at < s.len && s.data[*at] == '-';
    if (negative || (*at < s.len && s.data[*at] == '+'))
        ++*at;
    if (*at >= s.len || !is_digit(s.data[*at]))
        return false;
    int64_t exponent = 0;
    for (; *at < s.len && (is_digit(s.data[*at]) || s.data[*at] == '_'); ++*at) {
        if (s.data[*at] == '_')
            scan->underscores = true;
        else if (exponent < 10000)
            exponent = exponent * 10 + (s.data[*at] - '0');
    }
    scan->exponent += negative ? -exponent : exponent;
    return true;
}

static bool scan_float(struct slice s, struct scan *scan)
{
    size_t at = 0;
    *scan = (struct scan){.negative = s.len > 0 && s.data[0] == '-'};
    if (s.len > 0 && (s.data[0] == '-' || s.data[0] == '+'))
        at = 1;
    if (at + 2 < s.len && s.data[at] == '0' && lower(s.data[at + 1]) == 'x') {
        scan->hex = true;
        at += 2;
    }
    if (!scan_mantissa(s, &at, scan))
        return false;
    if (at < s.len && lower(s.data[at]) == (scan->hex ? 'p' : 'e')) {
        at++;
        if (!scan_exponent(s, &at, scan))
            return false;
    } else if (scan->hex) {
        return false; /* a hexadecimal mantissa needs its exponent */
    }
    return at == s.len && (!scan->underscores || underscores_ok(s));
}

/* digits and power of ten both exact doubles: their product or quotient is rounded once. */
static bool convert_exact(const struct scan *scan, double *out)
{
    static const double powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (scan->hex || scan->inexact || scan->digits > UINT64_C(1) << 53 || scan->exponent < -22 || scan->exponent > 22)
        return false;
    double v = (double)scan->digits;
    v = scan->exponent < 0 ? v / powers[-scan->exponent] : v * powers[scan->exponent];
    *out = scan->negative ? -v : v;
    return true;
}

static double convert_by_libc(struct slice text)
{
    char small[128], *copy = text.len < sizeof small ? small : mem_alloc(text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '_')
            copy[len++] = (char)text.data[i];
    copy[len] = 0;
    double v = strtod(copy, NULL);
    if (copy != small)
        mem_free(copy);
    return v;
}

enum err goparse_float(struct slice text, double *out, struct errmsg *why)
{
    struct scan scan;
    if (scan_float(text, &scan)) {
        if (convert_exact(&scan, out))
            return ERR_OK;
        *out = convert_by_libc(text);
        return isinf(*out) ? number_error(why, ERR_LIMIT, "ParseFloat", text) : ERR_OK;
    }
    if (parse_special(text, out))
        return ERR_OK;
    return number_error(why, ERR_INVALID, "ParseFloat", text);
}

/* The base that a prefix names, for base 0; cuts the prefix off. */
static unsigned base_of_prefix(struct slice *s)
{
    if (s->data[0] != '0')
        return 10;
    uint8_t letter = s->len >= 3 ? lower(s->data[1]) : 0;
    unsigned base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
    *s = slice_from(*s, base ? 2 : 1);
    return base ? base : 8;
}

static int digit_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    return lower(c) >= 'a' && lower(c) <= 'z' ? lower(c) - 'a' + 10 : 255;
}

static enum err parse_uint(struct slice text, unsigned base, uint64_t *out)
{
    struct slice s = text;
    bool any_base = base == 0, underscores = false;
    if (s.len == 0)
        return ERR_INVALID;
    if (any_base)
        base = base_of_prefix(&s);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '_' && any_base) {
            underscores = true;
            continue;
        }
        unsigned digit = (unsigned)digit_value(s.data[i]);
        if (digit >= base)
            return ERR_INVALID;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)digit, &v)) {
            *out = UINT64_MAX;
            return ERR_LIMIT;
        }
    }
    if (underscores && !underscores_ok(text))
        return ERR_INVALID;
    *out = v;
    return ERR_OK;
}

enum err goparse_uint(struct slice text, unsigned base, uint64_t *out, struct errmsg *why)
{
    enum err err = parse_uint(text, base, out);
    return err == ERR_OK ? ERR_OK : number_error(why, err, "ParseUint", text);
}

enum err goparse_int(struct slice text, unsigned base, int64_t *out, struct errmsg *why)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    bool sign = negative || (text.len > 0 && text.data[0] == '+');
    uint64_t size, max = (uint64_t)INT64_MAX + negative;
    enum err err = parse_uint(sign ? slice_from(text, 1) : text, base, &size);
    if (err == ERR_OK || err == ERR_LIMIT) {
        if (size > max) {
            size = max;
            err = ERR_LIMIT;
        }
        *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    }
    return err == ERR_OK ? ERR_OK : number_error(why, err, "ParseInt", text);
}
