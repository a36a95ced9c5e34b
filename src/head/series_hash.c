/* series_hash.c - the keyed hash of label bytes; construction and proof are in series_hash.h. */
#include "head/series_hash.h"

#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

/*
 * Words of the key, for input block i (16 bytes, words a and b; block 0 stands for the length):
 *
 *     words[4 i], words[4 i + 1]: k, k' of the first half; words[4 i + 2], words[4 i + 3]: of the second
 */
enum { BLOCK_BYTES = 16, KEY_BLOCKS = 2 + SERIES_HASH_BYTES_MAX / BLOCK_BYTES, KEY_BYTES = KEY_BLOCKS * 32 };
enum { POLYNOMIAL = 0x1b }; /* x^64 + x^4 + x^3 + x + 1 */

_Static_assert((int)KEY_BYTES >= (int)XXH3_SECRET_SIZE_MIN, "the key is also a secret for XXH3");

static inline struct hash128 never_zero(struct hash128 h)
{
    h.lo += h.lo == 0;
    return h;
}

static struct hash128 hash_xxh3(const struct series_hash_key *key, const uint8_t *bytes, size_t len)
{
    XXH128_hash_t h = XXH3_128bits_withSecret(bytes, len, key->words, 192);
    return never_zero((struct hash128){h.low64, h.high64});
}

/* Carry-less product, bit by bit. */
static void clmul_slow(uint64_t a, uint64_t b, uint64_t out[2])
{
    out[0] = out[1] = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (!(b >> i & 1))
            continue;
        out[0] ^= a << i;
        out[1] ^= i ? a >> (64 - i) : 0;
    }
}

static uint64_t reduce_slow(const uint64_t sum[2])
{
    uint64_t t[2], u[2];
    clmul_slow(sum[1], POLYNOMIAL, t);
    clmul_slow(t[1], POLYNOMIAL, u);
    return sum[0] ^ t[0] ^ u[0];
}

struct hash128 series_hash_clmul_reference(const struct series_hash_key *key, const uint8_t *bytes, size_t len)
{
    uint64_t half[2][2] = {{0}}, product[2];
    size_t blocks = (len + BLOCK_BYTES - 1) / BLOCK_BYTES;
    assert(len <= SERIES_HASH_BYTES_MAX);
    for (size_t i = 0; i <= blocks; i++) {
        uint8_t block[BLOCK_BYTES] = {0};
        if (i == 0)
            le64_put(block, len);
        else
            memcpy(block, bytes + (i - 1) * BLOCK_BYTES, i < blocks ? BLOCK_BYTES : len - (i - 1) * BLOCK_BYTES);
        for (unsigned h = 0; h < 2; h++) {
            const uint64_t *k = key->words + 4 * i + 2 * h;
            clmul_slow(le64_get(block) ^ k[0], le64_get(block + 8) ^ k[1], product);
            half[h][0] ^= product[0];
            half[h][1] ^= product[1];
        }
    }
    return never_zero((struct hash128){reduce_slow(half[0]), reduce_slow(half[1])});
}

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>
#define CLMUL_TARGET __attribute__((target("pclmul,sse4.1")))

/* 16 - n bytes of 0 follow n bytes of 0xff when read at MASK + 16 - n. */
static const uint8_t mask_bytes[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static inline CLMUL_TARGET uint64_t reduce(__m128i sum)
{
    const __m128i p = _mm_set_epi64x(0, POLYNOMIAL);
    __m128i t = _mm_clmulepi64_si128(sum, p, 0x01);
    __m128i u = _mm_clmulepi64_si128(t, p, 0x01);
    return (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(_mm_xor_si128(sum, t), u));
}

static CLMUL_TARGET struct hash128 hash_clmul(const struct series_hash_key *key, const uint8_t *bytes, size_t len)
{
    const __m128i *k = (const __m128i *)(const void *)key->words;
    __m128i m = _mm_set_epi64x(0, (int64_t)len), one, two;
    one = _mm_xor_si128(m, _mm_loadu_si128(k));
    two = _mm_xor_si128(m, _mm_loadu_si128(k + 1));
    one = _mm_clmulepi64_si128(one, one, 0x10);
    two = _mm_clmulepi64_si128(two, two, 0x10);
    k += 2;
    for (; len >= BLOCK_BYTES; len -= BLOCK_BYTES, bytes += BLOCK_BYTES, k += 2) {
        m = _mm_loadu_si128((const __m128i *)(const void *)bytes);
        __m128i x = _mm_xor_si128(m, _mm_loadu_si128(k)), y = _mm_xor_si128(m, _mm_loadu_si128(k + 1));
        one = _mm_xor_si128(one, _mm_clmulepi64_si128(x, x, 0x10));
        two = _mm_xor_si128(two, _mm_clmulepi64_si128(y, y, 0x10));
    }
    if (len) {
        const uint8_t *mask = mask_bytes + BLOCK_BYTES - len;
        m = _mm_and_si128(_mm_loadu_si128((const __m128i *)(const void *)bytes),
                          _mm_loadu_si128((const __m128i *)(const void *)mask));
        __m128i x = _mm_xor_si128(m, _mm_loadu_si128(k)), y = _mm_xor_si128(m, _mm_loadu_si128(k + 1));
        one = _mm_xor_si128(one, _mm_clmulepi64_si128(x, x, 0x10));
        two = _mm_xor_si128(two, _mm_clmulepi64_si128(y, y, 0x10));
    }
    return never_zero((struct hash128){reduce(one), reduce(two)});
}

#define WIDE_TARGET __attribute__((target("vpclmulqdq,pclmul,avx2")))

/* Both halves of a block at once: their keys stand side by side.  Same result. */
static inline WIDE_TARGET __m256i wide_term(__m256i m, const __m256i *k)
{
    __m256i x = _mm256_xor_si256(m, _mm256_loadu_si256(k));
    return _mm256_clmulepi64_epi128(x, x, 0x10);
}

static inline WIDE_TARGET __m256i wide_block(const uint8_t *bytes)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

static WIDE_TARGET struct hash128 hash_clmul_wide(const struct series_hash_key *key, const uint8_t *bytes, size_t len)
{
    const __m256i *k = (const __m256i *)(const void *)key->words;
    __m256i sum = wide_term(_mm256_set_epi64x(0, (int64_t)len, 0, (int64_t)len), k++), odd = _mm256_setzero_si256();
    for (; len >= 2 * BLOCK_BYTES; len -= 2 * BLOCK_BYTES, bytes += 2 * BLOCK_BYTES, k += 2) {
        sum = _mm256_xor_si256(sum, wide_term(wide_block(bytes), k));
        odd = _mm256_xor_si256(odd, wide_term(wide_block(bytes + BLOCK_BYTES), k + 1));
    }
    if (len >= BLOCK_BYTES) {
        odd = _mm256_xor_si256(odd, wide_term(wide_block(bytes), k++));
        len -= BLOCK_BYTES;
        bytes += BLOCK_BYTES;
    }
    if (len)
        sum = _mm256_xor_si256(
            sum, wide_term(_mm256_and_si256(wide_block(bytes), wide_block(mask_bytes + BLOCK_BYTES - len)), k));
    sum = _mm256_xor_si256(sum, odd);
    const __m256i p = _mm256_set_epi64x(0, POLYNOMIAL, 0, POLYNOMIAL);
    __m256i t = _mm256_clmulepi64_epi128(sum, p, 0x01), u = _mm256_clmulepi64_epi128(t, p, 0x01);
    sum = _mm256_xor_si256(_mm256_xor_si256(sum, t), u);
    return never_zero((struct hash128){(uint64_t)_mm256_extract_epi64(sum, 0), (uint64_t)_mm256_extract_epi64(sum, 2)});
}

static bool has_wide(void)
{
    return __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx2");
}

enum series_hash_kind series_hash_best(void)
{
    return __builtin_cpu_supports("pclmul") ? SERIES_HASH_CLMUL : SERIES_HASH_XXH3;
}
#else
#define hash_clmul      series_hash_clmul_reference
#define hash_clmul_wide series_hash_clmul_reference
static bool has_wide(void)
{
    return false;
}
enum series_hash_kind series_hash_best(void)
{
    return SERIES_HASH_XXH3;
}
#endif

bool series_hash_narrow(struct series_hash_key *key)
{
    bool wide = key->hash == hash_clmul_wide;
    if (wide)
        key->hash = hash_clmul;
    return wide;
}

void series_hash_key_init(struct series_hash_key *key, enum series_hash_kind kind, struct random *random)
{
    key->kind = kind;
    key->hash = kind != SERIES_HASH_CLMUL ? hash_xxh3 : has_wide() ? hash_clmul_wide : hash_clmul;
    key->words = mem_alloc(KEY_BYTES);
    random->fill(random, key->words, KEY_BYTES);
}

void series_hash_key_deinit(struct series_hash_key *key)
{
    mem_free(key->words);
    key->words = NULL;
}
