/* tables_internal.h - generated tables (scripts/gen_tables.go). */
#ifndef NUMERIC_TABLES_INTERNAL_H
#define NUMERIC_TABLES_INTERNAL_H

#include <stdint.h>

struct rune_range {
    int32_t first, last;
};
enum { PRINTABLE_RANGES = 711 };
extern const struct rune_range printable_ranges[PRINTABLE_RANGES];

/* 10^k = (high:low) * 2^(floor(log2(10^k)) - 127), rounded up; entry k - POW10_MIN. */
struct pow10 {
    uint64_t high, low;
};
enum { POW10_MIN = -292, POW10_MAX = 324 };
extern const struct pow10 pow10_table[POW10_MAX - POW10_MIN + 1];

#endif
