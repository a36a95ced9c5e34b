/*
 * crc32c.c - CRC-32C by instruction or by tables; the contract is in crc32c.h.
 *
 * Reflected polynomial 0x82f63b78.  The table path takes four bytes a step (slicing-by-4).
 */
#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

static uint32_t table[4][256];
static bool use_instruction;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void setup(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        table[0][i] = c;
    }
    for (int t = 1; t < 4; t++)
        for (uint32_t i = 0; i < 256; i++)
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
#if defined(__x86_64__)
    use_instruction = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__)
    use_instruction = (getauxval(AT_HWCAP) & (1u << 7)) != 0; /* HWCAP_CRC32 */
#endif
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        c = _mm_crc32_u64(c, v);
    }
    for (; n; n--, p++)
        c = _mm_crc32_u8((uint32_t)c, *p);
    return (uint32_t)c;
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        crc = __crc32cd(crc, v);
    }
    for (; n; n--, p++)
        crc = __crc32cb(crc, *p);
    return crc;
}
#else
static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    (void)p;
    (void)n;
    return crc;
}
#endif

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 4; n -= 4, p += 4) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = table[3][crc & 0xff] ^ table[2][(crc >> 8) & 0xff] ^ table[1][(crc >> 16) & 0xff] ^ table[0][crc >> 24];
    }
    for (; n; n--, p++)
        crc = table[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
    return crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    pthread_once(&once, setup);
    crc = ~crc;
    crc = use_instruction ? by_instruction(crc, data, bytes) : by_table(crc, data, bytes);
    return ~crc;
}
