/*
 * goformat.h - numbers and strings as text, byte for byte as Go writes them.
 *
 * Shortest means: the fewest digits that read back as the same double, the closest such if several.
 * Every function that fills `out` returns the length, does not terminate, and needs
 * GOFORMAT_BYTES_MAX bytes there.
 *
 * Threads: any.
 */
#ifndef NUMERIC_GOFORMAT_H
#define NUMERIC_GOFORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { GOFORMAT_BYTES_MAX = 360, GOFORMAT_PRECISION_MAX = 20 };

/*
 * strconv.FormatFloat(v, form, precision, 64); form 'e', 'f' or 'g', precision -1 (shortest) or
 * 0..GOFORMAT_PRECISION_MAX.  fmt's %g and %v are ('g', -1), %f is ('f', 6), %.2g is ('g', 2).
 * "NaN", "+Inf", "-Inf", "-0".
 */
size_t goformat_float(char *out, double v, char form, int precision);
size_t goformat_json(char *out, double v);        /* values in API responses: 'f', 'e' below 1e-6 and from 1e21 */
size_t goformat_openmetrics(char *out, double v); /* shortest 'g' plus ".0" when neither point nor exponent */
size_t goformat_int(char *out, int64_t v);
size_t goformat_uint(char *out, uint64_t v);
/* Milliseconds as seconds with exactly three decimals unless they are 0: "1.500", "1", "-0.001". */
size_t goformat_seconds(char *out, int64_t ms);

void goformat_append(struct buf *out, double v, char form, int precision);

/* strconv.Quote (%q of a string), strconv.QuoteRune (%q of a rune), and %#U ("U+0061 'a'"). */
void goformat_quote(struct buf *out, struct slice text);
void goformat_quote_rune(struct buf *out, int32_t rune);
void goformat_unicode(struct buf *out, int32_t rune);

#endif
