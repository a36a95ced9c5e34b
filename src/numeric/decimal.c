/*
 * decimal.c - shortest digits by Raffaello Giulietti's Schubfach, integers without it.
 *
 * A double v = c * 2^q stands for the interval of reals that round to it.  With k such that 10^k is just
 * below the interval's width, at most one multiple of 10^(k+1) lies inside, else one of the two multiples
 * of 10^k around v does.  All comparisons are made on v/10^k and the interval's ends scaled by 4, each
 * computed by one 64 x 128 bit product with 10^-k rounded up and a sticky last bit; Giulietti proves that
 * this suffices.
 *
 * Integers below 2^53 are their own digits: no shorter number rounds to them.
 */
#include "numeric/decimal_internal.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "numeric/tables_internal.h"

static const char pairs[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                               "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                               "8081828384858687888990919293949596979899";

static int digit_count(uint64_t v)
{
    static const uint64_t powers[20] = {0,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000,
                                        UINT64_C(10000000000000000000)};
    int bits = 64 - __builtin_clzll(v | 1);
    int guess = bits * 1233 >> 12; /* log10(2) = 1233/4096 */
    return guess + (v >= powers[guess]);
}

/* Eight digits, leading zeros among them: halves, then pairs, then digits side by side in one word. */
static void print_eight(char *out, uint64_t v)
{
    uint64_t halves = v / 10000 | v % 10000 << 32;
    uint64_t hundreds = (halves * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds + ((halves - 100 * hundreds) << 16);
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    le64_put((uint8_t *)out, (tens + ((twos - 10 * tens) << 8)) | UINT64_C(0x3030303030303030));
}

int decimal_print_uint(char *out, uint64_t v)
{
    if (v >= 100000000) {
        int before = decimal_print_uint(out, v / 100000000);
        print_eight(out + before, v % 100000000);
        return before + 8;
    }
    int count = v ? digit_count(v) : 1, at = count;
    while (v >= 100) {
        at -= 2;
        memcpy(out + at, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(out, pairs + v * 2, 2);
    else
        out[0] = (char)('0' + v);
    return count;
}

static void decimal_set(struct decimal *d, uint64_t digits, int exponent)
{
    while (digits % 10 == 0 && digits % 100000000 == 0) { /* nearly always the first says no */
        digits /= 100000000;
        exponent += 8;
    }
    if (digits % 10 == 0 && digits % 10000 == 0) {
        digits /= 10000;
        exponent += 4;
    }
    if (digits % 10 == 0 && digits % 100 == 0) {
        digits /= 100;
        exponent += 2;
    }
    if (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    d->count = decimal_print_uint(d->digits, digits);
    d->point = d->count + exponent;
}

/* floor(e * log10(2)), floor(e * log10(2) + log10(3/4)), floor(e * log2(10)) for the exponents of doubles */
static int floor_log10_pow2(int e)
{
    return (e * 1262611) >> 22;
}

static int floor_log10_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}

static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* The upper 64 bits of g * x (192 bits), the lowest of them set when anything below is. */
static uint64_t multiply_sticky(struct pow10 g, uint64_t x)
{
    unsigned __int128 low = (unsigned __int128)g.low * x;
    unsigned __int128 high = (unsigned __int128)g.high * x + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static void shortest_general(struct decimal *d, uint64_t bits)
{
    uint64_t fraction = bits & UINT64_C(0x000fffffffffffff);
    int field = (int)(bits >> 52 & 0x7ff);
    uint64_t c = field ? fraction | UINT64_C(0x0010000000000000) : fraction;
    int q = (field ? field : 1) - 1075;
    bool even = (c & 1) == 0;
    bool closer = fraction == 0 && field > 1; /* the next smaller double is only half as far */

    int k = closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int shift = q + floor_log2_pow10(-k) + 1;
    assert(-k >= POW10_MIN && -k <= POW10_MAX && shift >= 1 && shift <= 4);
    struct pow10 g = pow10_table[-k - POW10_MIN];
    uint64_t value = multiply_sticky(g, (4 * c) << shift);
    uint64_t lower = multiply_sticky(g, (4 * c - (closer ? 1 : 2)) << shift) + !even;
    uint64_t upper = multiply_sticky(g, (4 * c + 2) << shift) - !even;

    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down_inside = lower <= 40 * tens, up_inside = 40 * tens + 40 <= upper;
        if (down_inside != up_inside) {
            decimal_set(d, tens + up_inside, k + 1);
            return;
        }
    }
    bool down_inside = lower <= 4 * s, up_inside = 4 * s + 4 <= upper;
    bool round_up = value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1));
    decimal_set(d, s + (down_inside != up_inside ? up_inside : round_up), k);
}

void decimal_shortest(struct decimal *d, double v)
{
    if (v == 0) {
        d->count = d->point = 0;
        return;
    }
    if (v < 0x1p53 && v == (double)(uint64_t)v)
        decimal_set(d, (uint64_t)v, 0);
    else
        shortest_general(d, f64_bits(v));
}

void decimal_rounded(struct decimal *d, double v, int count)
{
    char text[64];
    assert(count >= 1 && count <= 40);
    d->count = d->point = 0;
    if (v == 0)
        return;
    int len = snprintf(text, sizeof text, "%.*e", count - 1, v); /* exact in every C library of ours */
    assert(len > 0 && (size_t)len < sizeof text);
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->count++] = *p;
    bool negative = *++p == '-';
    int exponent = 0;
    while (*++p)
        exponent = exponent * 10 + (*p - '0');
    d->point = (negative ? -exponent : exponent) + 1;
    while (d->count > 0 && d->digits[d->count - 1] == '0')
        d->count--;
}
