/*
 * value_code_internal.h - a value of a sample record, told by what it is to the value before: a control byte and 0 to 8
 * bytes.  docs/formats/head-records.md has the layout.
 *
 * XOR bytes are what tails use, too.  Numbers with few decimals differ from each other in nearly all bits but by a
 * small number of their last decimal, so such a difference is tried when XOR needs two bytes or more: 3 bytes instead
 * of 8 for seconds with nanoseconds, 1 or 2 for a counter.  A quarter of the changes of real exporters, an eighth of
 * all samples' log bytes; zstd over a frame saves less and costs ten times the CPU.
 *
 * Exactness: the decoder computes n / 10^k from an integer n, and a difference is only written when that is the value
 * bit for bit.  All steps are single IEEE operations, rounded to nearest: every machine gets the same.
 */
#ifndef HEAD_VALUE_CODE_INTERNAL_H
#define HEAD_VALUE_CODE_INTERNAL_H

#include <stdbool.h>

#include "base/bytes.h"

enum {
    VALUE_BYTES_MAX = 9,
    /* Low nibble of a control byte; 1..8: so many bytes of XOR, shifted by the high nibble. */
    VALUE_STEP = 0,    /* a whole number more or less, in the high nibble */
    VALUE_DECIMAL = 8, /* + 1..4: so many bytes of a difference; the high nibble has exponent and sign */
    /* Control bytes in place of a value. */
    SAMPLE_WHOLE = 13, /* 8 bytes: the value itself, an ordinary next sample */
    SAMPLE_NONE = 14,  /* run: no sample of this series; track: high nibble + 1 samples with the value before */
    SAMPLE_RAW = 15,   /* 8 bytes: the value itself, of a sample beside the column */

    DECIMAL_BYTES_MAX = 4,
    DECIMAL_NEGATIVE = 8, /* in the high nibble; below it one of DECIMAL_SCALES exponents */
    DECIMAL_SCALES = 8,
    STEP_UP_MAX = 12, /* high nibble 0..11: 1 to 12 more; 12..15: 4 to 1 less */
    /* Instead of an exponent: no difference saved anything, so many values are not tried again. */
    SCALE_REST = 0x80,
    SCALE_REST_VALUES = 31,
};

static const double decimal_scale[DECIMAL_SCALES] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e9};

/* Added to a number below 2^51 it leaves the nearest integer in the low bits. */
#define DECIMAL_MAGIC 0x1.8p52

static inline bool decimal_in_range(double shifted)
{
    return f64_bits(shifted) >> 52 == 0x433;
}

/* Finds an exponent by which the value is a whole number; SCALE_REST when there is none. */
uint8_t decimal_scale_find(double value);

/*
 * The difference as control byte and payload; returns the bytes of the payload.  When XOR, which takes `bytes`, is not
 * longer: that, and nothing is changed but the hint.
 */
static inline unsigned decimal_difference(uint64_t bits, uint64_t before, unsigned bytes, uint8_t *hint,
                                          uint8_t *control, uint64_t *payload)
{
    if (*hint >= SCALE_REST) {
        *hint = *hint == SCALE_REST ? 0 : (uint8_t)(*hint - 1);
        return bytes;
    }
    double scale = decimal_scale[*hint];
    double to = f64_from_bits(bits) * scale + DECIMAL_MAGIC, from = f64_from_bits(before) * scale + DECIMAL_MAGIC;
    if (__builtin_expect(f64_bits((to - DECIMAL_MAGIC) / scale) != bits || !decimal_in_range(to), 0)) {
        *hint = decimal_scale_find(f64_from_bits(bits)); /* for the next one */
        return bytes;
    }
    if (!decimal_in_range(from))
        return bytes;
    int64_t d = (int64_t)(f64_bits(to) - f64_bits(from));
    if (*hint == 0 && d >= STEP_UP_MAX - 16 && d <= STEP_UP_MAX && d != 0) {
        *control = (uint8_t)((uint64_t)(d > 0 ? d - 1 : d + 16) << 4);
        return 0;
    }
    uint64_t size = d < 0 ? -(uint64_t)d : (uint64_t)d;
    unsigned len = 8 - ((unsigned)__builtin_clzll(size | 1) >> 3);
    if (len >= bytes || len > DECIMAL_BYTES_MAX) {
        *hint = *hint ? SCALE_REST + SCALE_REST_VALUES : 0;
        return bytes;
    }
    *control = (uint8_t)((VALUE_DECIMAL + len) | (*hint + (d < 0 ? DECIMAL_NEGATIVE : 0u)) << 4);
    *payload = size;
    return len;
}

/*
 * Writes a value at `out`, where VALUE_BYTES_MAX bytes are free.  control and packed: from xor_pack(bits ^ before).
 * hint: of the series, whatever was learned from its values before.
 */
static inline uint8_t *value_put(uint8_t *out, uint64_t bits, uint64_t before, uint8_t control, uint64_t packed,
                                 uint8_t *hint)
{
    unsigned bytes = control & 15;
    if (bytes >= 2)
        bytes = decimal_difference(bits, before, bytes, hint, &control, &packed);
    out[0] = control;
    le64_put(out + 1, packed);
    return out + 1 + bytes;
}

/* Bytes after a control byte. */
static inline unsigned code_bytes(uint8_t control)
{
    static const uint8_t bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 8, 0, 8};
    return bytes[control & 15];
}

/* A shift moves no byte out. */
static inline bool code_is_sound(uint8_t control)
{
    unsigned low = control & 15;
    return low < 1 || low > 8 || low + (control >> 4) <= 8;
}

/* The bytes of a code as a number; 8 are readable behind the control byte. */
static inline uint64_t code_payload(const uint8_t *p)
{
    unsigned unused = 64 - 8 * code_bytes(*p);
    return unused < 64 ? le64_get(p + 1) << unused >> unused : 0;
}

/* A value that is told as a difference of decimals; false: it is one to another value than `before`. */
bool decimal_get(uint8_t control, uint64_t payload, uint64_t before, uint64_t *bits);

#endif
