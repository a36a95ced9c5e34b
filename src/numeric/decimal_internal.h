/*
 * decimal_internal.h - a double as decimal digits: what all text forms are laid out from.
 */
#ifndef NUMERIC_DECIMAL_INTERNAL_H
#define NUMERIC_DECIMAL_INTERNAL_H

#include <stdint.h>

/* 0.d1d2d3... * 10^point; no trailing zeros; count is 0 for zero. */
struct decimal {
    char digits[48];
    int count, point;
};

/* The shortest digits that read back as v, the closest to v if there are several.  v is finite and > 0 or 0. */
void decimal_shortest(struct decimal *d, double v);
/* v rounded to `count` significant digits (1..40), exactly half to even. */
void decimal_rounded(struct decimal *d, double v, int count);

/* Decimal digits of v without leading zeros ("0" for 0); returns how many.  `out` has room for 20. */
int decimal_print_uint(char *out, uint64_t v);

#endif
