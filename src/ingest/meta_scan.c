/* meta_scan.c - MetricMetadata { type = 1; metric_family_name = 2; help = 4; unit = 5 } */
#include "base/wire.h"
#include "ingest/ingest_internal.h"

static bool parse_one(struct slice message, struct metadata *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    uint64_t type = 0;
    uint32_t tag;
    *out = (struct metadata){0};
    while (p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            return false;
        switch (tag) {
        case WIRE_TAG(1, WIRE_VARINT):
            p = varint_get(p, end, &type);
            break;
        case WIRE_TAG(2, WIRE_BYTES):
            p = wire_bytes(p, end, &out->metric);
            break;
        case WIRE_TAG(4, WIRE_BYTES):
            p = wire_bytes(p, end, &out->help);
            break;
        case WIRE_TAG(5, WIRE_BYTES):
            p = wire_bytes(p, end, &out->unit);
            break;
        default:
            p = tag >> 3 <= 5 && tag >> 3 != 3 ? NULL : wire_skip(p, end, tag);
        }
        if (!p)
            return false;
    }
    out->type = type <= METADATA_STATESET ? (enum metadata_type)type : METADATA_UNKNOWN;
    return true;
}

enum err metadata_parse(struct lane *l, struct errmsg *why)
{
    size_t kept = 0;
    l->metadata = l->metadata_count ? ARENA_ARRAY(&l->arena, struct metadata, l->metadata_count) : NULL;
    for (size_t i = 0; i < l->metadata_count; i++) {
        struct metadata *m = &l->metadata[kept];
        if (!parse_one(l->metadata_messages[i], m))
            return err_set(why, ERR_INVALID, "protobuf: metadata at byte %zu is broken",
                           (size_t)(l->metadata_messages[i].data - l->raw));
        kept += m->metric.len > 0 && utf8_valid(m->metric) && utf8_valid(m->help) && utf8_valid(m->unit);
    }
    l->metadata_count = kept;
    return ERR_OK;
}
