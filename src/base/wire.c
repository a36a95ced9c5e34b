/* wire.c - skipping unknown protobuf fields. */
#include "base/wire.h"

static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end, unsigned type)
{
    uint64_t v;
    size_t len;
    switch (type) {
    case WIRE_VARINT:
        return varint_get(p, end, &v);
    case WIRE_FIXED64:
        return end - p >= 8 ? p + 8 : NULL;
    case WIRE_FIXED32:
        return end - p >= 4 ? p + 4 : NULL;
    case WIRE_BYTES:
        p = wire_len(p, end, &len);
        return p ? p + len : NULL;
    default:
        return NULL;
    }
}

const uint8_t *wire_skip(const uint8_t *p, const uint8_t *end, uint32_t tag)
{
    uint32_t open[WIRE_DEPTH_MAX];
    unsigned depth = 0;
    for (;;) {
        if ((tag & 7) == WIRE_GROUP) {
            if (depth == WIRE_DEPTH_MAX)
                return NULL;
            open[depth++] = tag >> 3;
        } else if ((tag & 7) == WIRE_GROUP_END) {
            if (depth == 0 || open[--depth] != tag >> 3)
                return NULL;
        } else if (!(p = skip_plain(p, end, tag & 7))) {
            return NULL;
        }
        if (depth == 0)
            return p;
        if (!(p = wire_tag(p, end, &tag)))
            return NULL;
    }
}
