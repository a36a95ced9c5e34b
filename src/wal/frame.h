/*
 * frame.h - bytes of segment headers and frames (docs/formats/wal.md).
 *
 *     segment:  header sector (512 B) | frame | frame | ...            all frames start at multiples of 512
 *     header:   magic "GNOMWAL1" 8 | version u32 | crc u32 | number u64 | directory id u64 | created ms i64 | zeros
 *     frame:    magic "FRM1" 4 | crc u32 | number u64 | sequence u64 | payload bytes u32 | zero u32 | payload | zeros
 *
 * A frame owns its sectors: a torn write of the next frame cannot touch it.  The segment's number is
 * in every frame, because files are recycled: a frame of an earlier life has a smaller number.  A
 * frame's checksum covers the directory id (8 bytes, first), then its bytes from the number on: what
 * a client wrote into labels cannot pass for a frame when damage makes the reader look inside one.
 */
#ifndef WAL_FRAME_H
#define WAL_FRAME_H

#include "wal/wal.h"

enum {
    FRAME_ALIGN = 512,
    FRAME_HEADER_BYTES = 32,
    SEGMENT_HEADER_BYTES = 512,
    SEGMENT_VERSION = 3,
};
#define FRAME_PAYLOAD_BYTES_MAX (UINT32_C(1) << 30)

struct segment_header {
    uint32_t version;
    uint64_t number, id;
    int64_t created_ms;
};

static inline uint64_t frame_aligned(uint64_t bytes)
{
    return (bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

void segment_header_put(uint8_t out[SEGMENT_HEADER_BYTES], const struct segment_header *h);
/* ERR_CORRUPT: no header or a damaged one.  ERR_UNSUPPORTED: intact, but of a version we do not know. */
MUST_CHECK enum err segment_header_get(const uint8_t in[SEGMENT_HEADER_BYTES], struct segment_header *out);

/* Fills the header of a frame whose payload follows at frame + FRAME_HEADER_BYTES. */
void frame_seal(uint8_t *frame, uint64_t id, uint64_t number, uint64_t sequence, uint32_t payload_bytes);
uint32_t frame_payload_bytes(const uint8_t *frame);
uint64_t frame_sequence(const uint8_t *frame);
/* Whether 32 bytes look like a frame of this segment whose payload can fit into `room` bytes. */
bool frame_header_plausible(const uint8_t *frame, uint64_t number, uint64_t room);
bool frame_crc_ok(const uint8_t *frame, uint64_t id);

#endif
