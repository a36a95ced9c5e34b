/*
 * version2.c - a remote write 2.0 message rewritten as one of 1.0, so that there is one way in only:
 *
 *     Request    { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
 *     TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
 *                  repeated Exemplar exemplars = 4; Metadata metadata = 5; }
 *     Exemplar   { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
 *     Metadata   { MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
 *
 * Labels come out in the bytes that the same sender writes in 1.0, so known series are recognised alike.
 * Start timestamps are passed over, as in a Prometheus without the feature flags that use them.  Metadata
 * belongs to series there and to metric families here: it is told once per family and run of its series.
 *
 * A reference of two bytes may stand for a long symbol: what comes out has the bound of a request, too.
 */
#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"
#include "model/label.h"

enum { KEEP_BYTES = 1 << 20 };

struct rewrite {
    struct version2 *v;
    struct slice name;   /* of the current series */
    struct slice family; /* whose metadata was told last */
    struct slice metadata;
    const char *reason;
};

static bool broken(struct rewrite *w, const char *reason)
{
    w->reason = reason;
    return false;
}

/* ---- symbols ---- */

static void symbol_add(struct version2 *v, struct slice text)
{
    v->symbols = mem_grow(v->symbols, &v->symbol_capacity, v->symbol_count + 1, sizeof *v->symbols);
    v->symbols[v->symbol_count++] = text;
}

static bool symbol_at(const struct version2 *v, uint64_t ref, struct slice *out)
{
    if (ref >= v->symbol_count)
        return false;
    *out = v->symbols[ref];
    return true;
}

static const uint8_t *take_symbols(struct rewrite *w, const uint8_t *p, const uint8_t *end)
{
    struct slice text;
    uint32_t tag;
    while (p && p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            break;
        if (tag >> 3 <= 3) { /* reserved, so that it cannot be taken for the other */
            broken(w, "a remote write 1.0 message that is announced as 2.0");
            return NULL;
        }
        if (tag >> 3 == 4 && tag != WIRE_TAG(4, WIRE_BYTES))
            return NULL;
        if (tag != WIRE_TAG(4, WIRE_BYTES))
            p = wire_skip(p, end, tag);
        else if ((p = wire_bytes(p, end, &text)))
            symbol_add(w->v, text);
    }
    return p;
}

/* ---- references become labels ---- */

static void put_label(struct buf *out, struct slice name, struct slice value)
{
    buf_u8(out, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(out, 2 + wire_varint_bytes(name.len) + name.len + wire_varint_bytes(value.len) + value.len);
    wire_put_bytes(out, 1, name);
    wire_put_bytes(out, 2, value);
}

/* Names and values alternate over all runs of the field: a name may wait for its value. */
struct pairing {
    bool waits;
    struct slice name;
};

static bool take_ref(struct rewrite *w, struct pairing *pairing, uint64_t ref, struct buf *out)
{
    struct slice text;
    if (!symbol_at(w->v, (uint32_t)ref, &text))
        return broken(w, "label reference outside of the symbols");
    if (pairing->waits) {
        put_label(out, pairing->name, text);
        if (slice_eq_str(pairing->name, METRIC_NAME))
            w->name = text;
    }
    pairing->name = text;
    pairing->waits = !pairing->waits;
    return true;
}

/* One reference, or a packed run of them. */
static const uint8_t *take_refs(struct rewrite *w, const uint8_t *p, const uint8_t *end, uint32_t tag,
                                struct pairing *pairing, struct buf *out)
{
    struct slice packed;
    uint64_t ref;
    if (tag == WIRE_TAG(1, WIRE_VARINT))
        return (p = varint_get(p, end, &ref)) && take_ref(w, pairing, ref, out) ? p : NULL;
    if (tag != WIRE_TAG(1, WIRE_BYTES) || !(p = wire_bytes(p, end, &packed)))
        return NULL;
    for (const uint8_t *q = packed.data; q < p;)
        if (!(q = varint_get(q, p, &ref)) || !take_ref(w, pairing, ref, out))
            return NULL;
    return p;
}

/* ---- parts of a series ---- */

/* Without its start timestamp; the other fields keep their numbers. */
static bool put_sample(struct rewrite *w, struct slice message, struct buf *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    uint64_t bits = 0, time = 0, unused;
    uint32_t tag;
    while (p && p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            break;
        if (tag == WIRE_TAG(1, WIRE_FIXED64))
            p = wire_fixed64(p, end, &bits);
        else if (tag == WIRE_TAG(2, WIRE_VARINT))
            p = varint_get(p, end, &time);
        else if (tag == WIRE_TAG(3, WIRE_VARINT))
            p = varint_get(p, end, &unused);
        else
            p = tag >> 3 <= 3 ? NULL : wire_skip(p, end, tag);
    }
    if (!p)
        return broken(w, "sample");
    buf_u8(out, WIRE_TAG(2, WIRE_BYTES));
    buf_varint(out, (bits ? 9U : 0U) + 1 + wire_varint_bytes(time));
    if (bits) {
        buf_u8(out, WIRE_TAG(1, WIRE_FIXED64));
        buf_le64(out, bits);
    }
    wire_put_varint(out, 2, time);
    return true;
}

static bool put_exemplar(struct rewrite *w, struct slice message, struct buf *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    struct pairing pairing = {0};
    struct slice name = w->name;
    struct buf *inner = &w->v->message;
    uint64_t bits = 0, time = 0;
    uint32_t tag;
    buf_reset(inner);
    inner->limit = out->limit;
    while (p && p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            break;
        if (tag >> 3 == 1)
            p = take_refs(w, p, end, tag, &pairing, inner);
        else if (tag == WIRE_TAG(2, WIRE_FIXED64))
            p = wire_fixed64(p, end, &bits);
        else if (tag == WIRE_TAG(3, WIRE_VARINT))
            p = varint_get(p, end, &time);
        else
            p = tag >> 3 <= 3 ? NULL : wire_skip(p, end, tag);
    }
    w->name = name;
    if (!p || pairing.waits)
        return broken(w, "exemplar");
    buf_u8(inner, WIRE_TAG(2, WIRE_FIXED64));
    buf_le64(inner, bits);
    wire_put_varint(inner, 3, time);
    out->failed = out->failed || inner->failed;
    wire_put_bytes(out, 3, buf_view(inner));
    return true;
}

static bool put_part(struct rewrite *w, uint32_t tag, struct slice message, struct buf *out)
{
    switch (tag) {
    case WIRE_TAG(2, WIRE_BYTES):
        return put_sample(w, message, out);
    case WIRE_TAG(3, WIRE_BYTES): /* the same message as in 1.0, and a start timestamp that its reader passes over */
        wire_put_bytes(out, 4, message);
        return true;
    case WIRE_TAG(4, WIRE_BYTES):
        return put_exemplar(w, message, out);
    default:
        w->metadata = message;
        return true;
    }
}

/* ---- metadata ---- */

/* "x" of x_bucket, x_sum, x_count of a histogram and x_sum, x_count of a summary. */
static struct slice family_of(struct slice name, uint64_t type)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum"};
    bool histogram = type == METADATA_HISTOGRAM || type == METADATA_GAUGE_HISTOGRAM;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        struct slice suffix = slice_str(suffixes[i]);
        if ((i == 0 ? histogram : histogram || type == METADATA_SUMMARY) && name.len > suffix.len &&
            slice_eq(slice_from(name, name.len - suffix.len), suffix))
            return slice_of(name.data, name.len - suffix.len);
    }
    return name;
}

static bool put_metadata(struct rewrite *w, struct buf *out)
{
    const uint8_t *p = w->metadata.data, *end = p + w->metadata.len;
    uint64_t type = 0, help = 0, unit = 0;
    struct slice help_text = {0}, unit_text = {0};
    uint32_t tag;
    while (p && p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            break;
        if (tag == WIRE_TAG(1, WIRE_VARINT))
            p = varint_get(p, end, &type);
        else if (tag == WIRE_TAG(3, WIRE_VARINT))
            p = varint_get(p, end, &help);
        else if (tag == WIRE_TAG(4, WIRE_VARINT))
            p = varint_get(p, end, &unit);
        else
            p = tag >> 3 <= 4 && tag >> 3 != 2 ? NULL : wire_skip(p, end, tag);
    }
    if (!p || (help && !symbol_at(w->v, (uint32_t)help, &help_text)) || (unit && !symbol_at(w->v, (uint32_t)unit, &unit_text)))
        return broken(w, "metadata");
    struct slice family = family_of(w->name, type);
    if (!family.len || slice_eq(family, w->family) || (!type && !help_text.len && !unit_text.len))
        return true;
    w->family = family;
    struct buf *inner = &w->v->message;
    buf_reset(inner);
    inner->limit = out->limit;
    wire_put_varint(inner, 1, type);
    wire_put_bytes(inner, 2, family);
    wire_put_bytes(inner, 4, help_text);
    wire_put_bytes(inner, 5, unit_text);
    out->failed = out->failed || inner->failed;
    wire_put_bytes(out, 3, buf_view(inner));
    return true;
}

/* ---- the whole ---- */

/* Labels first, wherever they stood: the reader of 1.0 is quickest then. */
static bool put_labels(struct rewrite *w, struct slice message, struct buf *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    struct pairing pairing = {0};
    uint32_t tag;
    while (p && p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            break;
        p = tag >> 3 == 1 ? take_refs(w, p, end, tag, &pairing, out) : wire_skip(p, end, tag);
    }
    if (!p || pairing.waits)
        return w->reason ? false : broken(w, pairing.waits && p ? "a label name without a value" : "series");
    return true;
}

static bool put_series(struct rewrite *w, struct slice message, struct buf *out)
{
    const uint8_t *p = message.data, *end = p + message.len;
    struct buf *series = &w->v->series;
    struct slice part;
    uint32_t tag;
    w->name = w->metadata = (struct slice){0};
    buf_reset(series);
    series->limit = out->limit;
    if (!put_labels(w, message, series))
        return false;
    while (p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            return broken(w, "series");
        bool known = tag >> 3 >= 2 && tag >> 3 <= 5;
        if (known && ((tag & 7) != WIRE_BYTES || !(p = wire_bytes(p, end, &part))))
            return broken(w, "series");
        if (known && !put_part(w, tag, part, series))
            return false;
        if (!known && !(p = wire_skip(p, end, tag)))
            return broken(w, "series");
    }
    wire_put_bytes(out, 1, buf_view(series));
    out->failed = out->failed || series->failed;
    return !w->metadata.data || put_metadata(w, out);
}

static bool rewrite(struct rewrite *w, const uint8_t *p, const uint8_t *end, const uint8_t **at)
{
    struct slice message;
    uint32_t tag;
    *at = p;
    if (!take_symbols(w, p, end))
        return w->reason ? false : broken(w, "request");
    while (p < end && !w->v->out.failed) {
        *at = p;
        if (!(p = wire_tag(p, end, &tag)))
            return broken(w, "request");
        if (tag >> 3 != 5) {
            p = wire_skip(p, end, tag); /* the first pass has been over it */
        } else if (tag != WIRE_TAG(5, WIRE_BYTES) || !(p = wire_bytes(p, end, &message))) {
            return broken(w, "request: series cut off");
        } else if (!put_series(w, message, &w->v->out)) {
            return false;
        }
    }
    return true;
}

enum err version2_rewrite(struct lane *l, struct errmsg *why)
{
    struct rewrite w = {.v = &l->version2};
    const uint8_t *at;
    buf_reset(&l->version2.out);
    l->version2.out.limit = l->ingest->options.body_bytes_max;
    l->version2.symbol_count = 0;
    if (!rewrite(&w, l->raw, l->raw + l->raw_len, &at))
        return err_set(why, ERR_INVALID, "protobuf: byte %zu: %s", (size_t)(at - l->raw), w.reason);
    if (l->version2.out.failed)
        return err_set(why, ERR_INVALID, "the labels of the request exceed %llu bytes",
                       (unsigned long long)l->ingest->options.body_bytes_max);
    TRY(decode_plain(l, buf_view(&l->version2.out), why));
    if (l->version2.out.capacity > KEEP_BYTES || l->version2.symbol_capacity > KEEP_BYTES / sizeof(struct slice))
        version2_release(l);
    return ERR_OK;
}

void version2_release(struct lane *l)
{
    buf_deinit(&l->version2.out);
    buf_deinit(&l->version2.series);
    buf_deinit(&l->version2.message);
    mem_free(l->version2.symbols);
    l->version2 = (struct version2){0};
}
