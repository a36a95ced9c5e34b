/*
 * series_hash.h - the identity of a series on the hot path: a keyed 128-bit hash of its label bytes.
 *
 * A known series is recognised by this hash alone, no label is compared, so two label sets with one
 * hash would become one series.  Two kinds, chosen by what the CPU can do:
 *
 * SERIES_HASH_CLMUL: two independent halves, each the pseudo-dot product over GF(2^64)
 *
 *     h = (len + k0) * k0'  +  sum over 16-byte blocks i of (a_i + k_i) * (b_i + k_i')       (+ is xor)
 *
 *   with random k.  For two different inputs chosen without knowledge of the key: where they differ in
 *   a_i, the difference of the sums has the term (a_i + a_i') * k_i' with a non-zero factor, so exactly
 *   one value of k_i' makes it zero (the same for b_i, and for k0' when the lengths differ).  Each half
 *   therefore collides with probability 2^-64, both with 2^-128: for 10^8 series the chance that any
 *   two meet is below 2e-23.  No assumption about the inputs and no unproven mixing is involved.
 *   The key must stay secret (it never leaves memory) and has two words per 8 bytes of input.
 *
 * SERIES_HASH_XXH3: XXH3 128 with a random secret, for CPUs without carry-less multiplication.
 *
 * Hashes live in memory only (records and blocks hold labels), so kind and key may change at any start.
 *
 * Threads: a key is immutable once made.
 */
#ifndef HEAD_SERIES_HASH_H
#define HEAD_SERIES_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "model/label.h"

enum {
    SERIES_HASH_BYTES_MAX = 65535, /* of one input */
    SERIES_HASH_SLACK = 16,        /* so many bytes after the input must be readable */
};

enum series_hash_kind { SERIES_HASH_CLMUL, SERIES_HASH_XXH3 };

struct series_hash_key {
    struct hash128 (*hash)(const struct series_hash_key *key, const uint8_t *bytes, size_t len);
    uint64_t *words; /* owned */
    enum series_hash_kind kind;
};

enum series_hash_kind series_hash_best(void);
void series_hash_key_init(struct series_hash_key *key, enum series_hash_kind kind, struct random *random);
void series_hash_key_deinit(struct series_hash_key *key);

/* len <= SERIES_HASH_BYTES_MAX.  lo is never 0, which stands for "no series". */
static inline struct hash128 series_hash(const struct series_hash_key *key, const uint8_t *bytes, size_t len)
{
    return key->hash(key, bytes, len);
}

/* Tests: the code for CPUs with less; false when it was in use anyway. */
bool series_hash_narrow(struct series_hash_key *key);
/* The first kind bit by bit, for tests: the same result on any machine. */
struct hash128 series_hash_clmul_reference(const struct series_hash_key *key, const uint8_t *bytes, size_t len);

#endif
