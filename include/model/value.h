/*
 * value.h - the two NaNs that mean something.
 *
 * A stale marker is an ordinary sample whose bits are exactly these; it hides the series from instant
 * selectors until the next sample.  Compare bits: any other NaN is a value.
 */
#ifndef MODEL_VALUE_H
#define MODEL_VALUE_H

#include <stdbool.h>

#include "base/bytes.h"

#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)

static inline bool value_is_stale(double v)
{
    return f64_bits(v) == STALE_NAN_BITS;
}

#endif
