/*
 * crc32c.h - CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4), as in WAL frames and blocks.
 *
 * crc32c(0, data, n) is the checksum; pass the result on to continue over more bytes.
 * Uses the SSE4.2/ARMv8 instruction when the CPU has it, else tables; same result.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
