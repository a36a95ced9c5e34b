/* goformat.c - digits laid out in the forms that Go and Prometheus print. */
#include "numeric/goformat.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "numeric/decimal_internal.h"

/* "NaN", "+Inf", "-Inf": the length, or 0 when v is finite. */
static size_t print_special(char *out, double v)
{
    if (isfinite(v))
        return 0;
    const char *text = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
    size_t len = strlen(text);
    memcpy(out, text, len);
    return len;
}

/* d.ddde+XX with `decimals` digits after the point. */
static char *print_exponent(char *p, const struct decimal *d, int decimals)
{
    *p++ = d->count ? d->digits[0] : '0';
    if (decimals > 0) {
        int have = d->count > 1 ? d->count - 1 : 0;
        *p++ = '.';
        memcpy(p, d->digits + 1, (size_t)have);
        memset(p + have, '0', (size_t)(decimals - have));
        p += decimals;
    }
    int exponent = d->count ? d->point - 1 : 0;
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    if (exponent < 0)
        exponent = -exponent;
    if (exponent < 10)
        *p++ = '0';
    return p + decimal_print_uint(p, (uint64_t)exponent);
}

/* Digits before the point (or "0"), then `decimals` after it, at least as many as d has there. */
static char *print_fixed(char *p, const struct decimal *d, int decimals)
{
    if (d->point <= 0) {
        *p++ = '0';
    } else {
        int whole = d->count < d->point ? d->count : d->point;
        memcpy(p, d->digits, (size_t)whole);
        memset(p + whole, '0', (size_t)(d->point - whole));
        p += d->point;
    }
    if (decimals <= 0)
        return p;
    *p++ = '.';
    int zeros = d->point < 0 ? -d->point : 0;
    int start = d->point > 0 ? d->point : 0;
    int have = d->count > start ? d->count - start : 0;
    if (zeros > decimals)
        zeros = decimals;
    memset(p, '0', (size_t)zeros);
    memcpy(p + zeros, d->digits + start, (size_t)have);
    memset(p + zeros + have, '0', (size_t)(decimals - zeros - have));
    return p + decimals;
}

static int decimals_of(const struct decimal *d)
{
    return d->count > d->point ? d->count - d->point : 0;
}

/* %g: exponent form iff exp10 < -4 or >= limit. */
static char *print_general(char *p, const struct decimal *d, int limit)
{
    int exponent = d->point - 1;
    if (exponent < -4 || exponent >= limit)
        return print_exponent(p, d, d->count > 0 ? d->count - 1 : 0);
    return print_fixed(p, d, decimals_of(d));
}

static size_t print_shortest(char *out, double v, char form)
{
    struct decimal d;
    char *p = out;
    if (signbit(v)) {
        *p++ = '-';
        v = -v;
    }
    decimal_shortest(&d, v);
    if (form == 'f')
        p = print_fixed(p, &d, decimals_of(&d));
    else if (form == 'e')
        p = print_exponent(p, &d, d.count > 0 ? d.count - 1 : 0);
    else
        p = print_general(p, &d, 6);
    return (size_t)(p - out);
}

static size_t print_rounded(char *out, double v, char form, int precision)
{
    struct decimal d;
    char *p = out;
    if (signbit(v)) {
        *p++ = '-';
        v = -v;
    }
    if (form == 'e') {
        decimal_rounded(&d, v, precision + 1);
        p = print_exponent(p, &d, precision);
    } else {
        if (precision == 0)
            precision = 1;
        decimal_rounded(&d, v, precision);
        int limit = precision > d.count && d.count >= d.point ? d.count : precision;
        p = print_general(p, &d, limit);
    }
    return (size_t)(p - out);
}

size_t goformat_float(char *out, double v, char form, int precision)
{
    assert(form == 'e' || form == 'f' || form == 'g');
    assert(precision >= -1 && precision <= GOFORMAT_PRECISION_MAX);
    size_t len = print_special(out, v);
    if (len)
        return len;
    if (precision < 0)
        return print_shortest(out, v, form);
    if (form != 'f')
        return print_rounded(out, v, form, precision);
    char text[GOFORMAT_BYTES_MAX];
    int n = snprintf(text, sizeof text, "%.*f", precision, v);
    assert(n > 0 && (size_t)n < sizeof text);
    memcpy(out, text, (size_t)n);
    return (size_t)n;
}

size_t goformat_json(char *out, double v)
{
    /* Most values of a monitoring system are small integers. */
    if (v >= 0 && v < 0x1p53 && v == (double)(uint64_t)v && !signbit(v))
        return (size_t)decimal_print_uint(out, (uint64_t)v);
    size_t len = print_special(out, v);
    if (len)
        return len;
    double size = fabs(v);
    bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
    return print_shortest(out, v, exponent ? 'e' : 'f');
}

size_t goformat_openmetrics(char *out, double v)
{
    size_t len = goformat_float(out, v, 'g', -1);
    if (!isfinite(v) || memchr(out, 'e', len) || memchr(out, '.', len))
        return len;
    memcpy(out + len, ".0", 2);
    return len + 2;
}

size_t goformat_uint(char *out, uint64_t v)
{
    return (size_t)decimal_print_uint(out, v);
}

size_t goformat_int(char *out, int64_t v)
{
    if (v >= 0)
        return (size_t)decimal_print_uint(out, (uint64_t)v);
    *out = '-';
    return 1 + (size_t)decimal_print_uint(out + 1, 0 - (uint64_t)v);
}

size_t goformat_seconds(char *out, int64_t ms)
{
    char *p = out;
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        *p++ = '-';
    p += decimal_print_uint(p, size / 1000);
    unsigned rest = (unsigned)(size % 1000);
    if (rest) {
        *p++ = '.';
        *p++ = (char)('0' + rest / 100);
        *p++ = (char)('0' + rest / 10 % 10);
        *p++ = (char)('0' + rest % 10);
    }
    return (size_t)(p - out);
}

void goformat_append(struct buf *out, double v, char form, int precision)
{
    uint8_t *p = buf_reserve(out, GOFORMAT_BYTES_MAX);
    if (p)
        out->len += goformat_float((char *)p, v, form, precision);
}
