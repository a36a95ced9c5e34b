/* frame.c - encodes and checks headers; the layout is in frame.h. */
#include "wal/frame.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"

static const uint8_t segment_magic[8] = "GNOMWAL1";
#define FRAME_MAGIC UINT32_C(0x314d5246) /* "FRM1" */

enum { /* offsets */
       SEG_VERSION = 8,
       SEG_CRC = 12,
       SEG_NUMBER = 16,
       SEG_ID = 24,
       SEG_CREATED = 32,
       FRM_CRC = 4,
       FRM_NUMBER = 8,
       FRM_SEQUENCE = 16,
       FRM_BYTES = 24,
       FRM_ZERO = 28,
};

static uint32_t segment_crc(const uint8_t *header)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, header, SEG_CRC);
    crc = crc32c(crc, zero, sizeof zero);
    return crc32c(crc, header + SEG_CRC + 4, SEGMENT_HEADER_BYTES - SEG_CRC - 4);
}

void segment_header_put(uint8_t out[SEGMENT_HEADER_BYTES], const struct segment_header *h)
{
    memset(out, 0, SEGMENT_HEADER_BYTES);
    memcpy(out, segment_magic, sizeof segment_magic);
    le32_put(out + SEG_VERSION, h->version);
    le64_put(out + SEG_NUMBER, h->number);
    le64_put(out + SEG_ID, h->id);
    le64_put(out + SEG_CREATED, (uint64_t)h->created_ms);
    le32_put(out + SEG_CRC, segment_crc(out));
}

enum err segment_header_get(const uint8_t in[SEGMENT_HEADER_BYTES], struct segment_header *out)
{
    if (memcmp(in, segment_magic, sizeof segment_magic) != 0 || le32_get(in + SEG_CRC) != segment_crc(in))
        return ERR_CORRUPT;
    uint32_t version = le32_get(in + SEG_VERSION);
    if (version < 1 || version > SEGMENT_VERSION)
        return ERR_UNSUPPORTED;
    *out = (struct segment_header){
        .version = version,
        .number = le64_get(in + SEG_NUMBER),
        .id = le64_get(in + SEG_ID),
        .created_ms = (int64_t)le64_get(in + SEG_CREATED),
    };
    return ERR_OK;
}

static uint32_t frame_crc(const uint8_t *frame, uint64_t id)
{
    uint8_t salt[8];
    le64_put(salt, id);
    return crc32c(crc32c(0, salt, sizeof salt), frame + FRM_NUMBER,
                  FRAME_HEADER_BYTES - FRM_NUMBER + (size_t)frame_payload_bytes(frame));
}

void frame_seal(uint8_t *frame, uint64_t id, uint64_t number, uint64_t sequence, uint32_t payload_bytes)
{
    assert(payload_bytes <= FRAME_PAYLOAD_BYTES_MAX);
    le32_put(frame, FRAME_MAGIC);
    le64_put(frame + FRM_NUMBER, number);
    le64_put(frame + FRM_SEQUENCE, sequence);
    le32_put(frame + FRM_BYTES, payload_bytes);
    le32_put(frame + FRM_ZERO, 0);
    le32_put(frame + FRM_CRC, frame_crc(frame, id));
}

uint32_t frame_payload_bytes(const uint8_t *frame)
{
    return le32_get(frame + FRM_BYTES);
}

uint64_t frame_sequence(const uint8_t *frame)
{
    return le64_get(frame + FRM_SEQUENCE);
}

bool frame_header_plausible(const uint8_t *frame, uint64_t number, uint64_t room)
{
    uint64_t bytes = frame_payload_bytes(frame);
    return le32_get(frame) == FRAME_MAGIC && le64_get(frame + FRM_NUMBER) == number &&
           bytes <= FRAME_PAYLOAD_BYTES_MAX && bytes + FRAME_HEADER_BYTES <= room;
}

bool frame_crc_ok(const uint8_t *frame, uint64_t id)
{
    return le32_get(frame + FRM_CRC) == frame_crc(frame, id);
}

bool wal_scan_next(struct wal_scan *scan, struct wal_frame *out)
{
    uint64_t at = frame_aligned(scan->offset < SEGMENT_HEADER_BYTES ? SEGMENT_HEADER_BYTES : scan->offset);
    for (; at + FRAME_HEADER_BYTES <= scan->bytes.len; at += FRAME_ALIGN) {
        const uint8_t *frame = scan->bytes.data + at;
        if (!frame_header_plausible(frame, scan->number, scan->bytes.len - at) ||
            !(scan->ignore_crc || frame_crc_ok(frame, scan->id)))
            continue;
        uint32_t bytes = frame_payload_bytes(frame);
        *out = (struct wal_frame){
            .sequence = frame_sequence(frame),
            .payload = slice_of(frame + FRAME_HEADER_BYTES, bytes),
            .segment = scan->number,
            .offset = at,
        };
        scan->offset = frame_aligned(at + FRAME_HEADER_BYTES + bytes);
        return true;
    }
    scan->offset = scan->bytes.len;
    return false;
}
