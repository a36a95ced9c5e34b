/*
 * goparse.h - text to numbers by the rules of Go's strconv.
 *
 * Threads: any.
 */
#ifndef NUMERIC_GOPARSE_H
#define NUMERIC_GOPARSE_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/*
 * strconv.ParseFloat(text, 64): decimal and hexadecimal floats, "inf", "infinity", "nan" in any case with
 * a sign where Go allows it (not before nan); underscores between digits.
 * ERR_INVALID: `strconv.ParseFloat: parsing "x": invalid syntax`.  ERR_LIMIT: "value out of range", and
 * *out is the signed infinity.  The nearest double otherwise, ties to even.
 */
MUST_CHECK enum err goparse_float(struct slice text, double *out, struct errmsg *why);

/* strconv.ParseInt(text, base, 64); base 0 takes 0x, 0o, 0b, a leading 0 and underscores.  ERR_LIMIT saturates. */
MUST_CHECK enum err goparse_int(struct slice text, unsigned base, int64_t *out, struct errmsg *why);
MUST_CHECK enum err goparse_uint(struct slice text, unsigned base, uint64_t *out, struct errmsg *why);

#endif
