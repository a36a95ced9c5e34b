/*
 * hist_scan.c - native histograms of a request: parsed, checked as Prometheus checks them, lowered to
 * absolute counts and at most schema 8.
 */
#include "base/wire.h"
#include "histogram/histogram.h"
#include "ingest/ingest_internal.h"

/* A repeated field being collected; the memory is kept from request to request. */
struct numbers {
    uint64_t *list; /* as it stands on the wire: varints, or bits of doubles */
    size_t count, capacity;
};

struct spans {
    struct histogram_span *list;
    size_t count, capacity;
};

struct parsed {
    bool is_float;
    uint64_t count, zero_count; /* integers, or bits of doubles */
    bool zero_is_float;
    double sum, zero_threshold;
    int32_t schema;
    uint32_t hint;
    int64_t time_ms;
    struct spans negative_spans, positive_spans;
    struct numbers negative_deltas, negative_counts, positive_deltas, positive_counts, bounds;
};

static void number_add(struct numbers *n, uint64_t v)
{
    n->list = mem_grow(n->list, &n->capacity, n->count + 1, sizeof *n->list);
    n->list[n->count++] = v;
}

/* One element, or a packed run of them. */
static const uint8_t *take_numbers(const uint8_t *p, const uint8_t *end, uint32_t tag, bool fixed, struct numbers *out)
{
    uint64_t v;
    if ((tag & 7) != WIRE_BYTES) {
        if ((tag & 7) != (fixed ? WIRE_FIXED64 : WIRE_VARINT))
            return NULL;
        p = fixed ? wire_fixed64(p, end, &v) : varint_get(p, end, &v);
        if (p)
            number_add(out, v);
        return p;
    }
    struct slice packed;
    if (!(p = wire_bytes(p, end, &packed)))
        return NULL;
    for (const uint8_t *q = packed.data; q < p;) {
        if (!(q = fixed ? wire_fixed64(q, p, &v) : varint_get(q, p, &v)))
            return NULL;
        number_add(out, v);
    }
    return p;
}

static const uint8_t *take_span(const uint8_t *p, const uint8_t *end, struct spans *out)
{
    struct slice message;
    struct histogram_span span = {0};
    uint32_t tag;
    uint64_t v;
    if (!(p = wire_bytes(p, end, &message)))
        return NULL;
    for (const uint8_t *q = message.data; q < p;) {
        if (!(q = wire_tag(q, p, &tag)))
            return NULL;
        if (tag == WIRE_TAG(1, WIRE_VARINT) && (q = varint_get(q, p, &v)))
            span.offset = (int32_t)((uint32_t)v >> 1 ^ -((uint32_t)v & 1)); /* sint32: the low half counts */
        else if (tag == WIRE_TAG(2, WIRE_VARINT) && q && (q = varint_get(q, p, &v)))
            span.length = (uint32_t)v;
        else if (q)
            q = tag >> 3 <= 2 ? NULL : wire_skip(q, p, tag);
        if (!q)
            return NULL;
    }
    out->list = mem_grow(out->list, &out->capacity, out->count + 1, sizeof *out->list);
    out->list[out->count++] = span;
    return p;
}

static const uint8_t *take_f64(const uint8_t *p, const uint8_t *end, double *out)
{
    uint64_t bits = 0;
    p = wire_fixed64(p, end, &bits);
    *out = f64_from_bits(bits);
    return p;
}

static const uint8_t *take_varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    return varint_get(p, end, out);
}

/* Fields that occur once. */
static const uint8_t *take_scalar(const uint8_t *p, const uint8_t *end, uint32_t tag, struct parsed *h)
{
    uint64_t v = 0;
    switch (tag) {
    case WIRE_TAG(1, WIRE_VARINT):
        h->is_float = false;
        return take_varint(p, end, &h->count);
    case WIRE_TAG(2, WIRE_FIXED64):
        h->is_float = true;
        return wire_fixed64(p, end, &h->count);
    case WIRE_TAG(3, WIRE_FIXED64):
        return take_f64(p, end, &h->sum);
    case WIRE_TAG(4, WIRE_VARINT):
        p = take_varint(p, end, &v);
        h->schema = (int32_t)((uint32_t)v >> 1 ^ -((uint32_t)v & 1));
        return p;
    case WIRE_TAG(5, WIRE_FIXED64):
        return take_f64(p, end, &h->zero_threshold);
    case WIRE_TAG(6, WIRE_VARINT):
        h->zero_is_float = false;
        return take_varint(p, end, &h->zero_count);
    case WIRE_TAG(7, WIRE_FIXED64):
        h->zero_is_float = true;
        return wire_fixed64(p, end, &h->zero_count);
    case WIRE_TAG(14, WIRE_VARINT):
        /* What it says about resets is about the sender's sample before, which need not be ours; the reference forgets it, too. */
        p = take_varint(p, end, &v);
        h->hint = v == RESET_GAUGE ? RESET_GAUGE : RESET_UNKNOWN;
        return p;
    case WIRE_TAG(15, WIRE_VARINT):
        p = take_varint(p, end, &v);
        h->time_ms = (int64_t)v;
        return p;
    default:
        return tag >> 3 <= 16 ? NULL : wire_skip(p, end, tag);
    }
}

static bool parse(struct slice message, struct parsed *h)
{
    const uint8_t *p = message.data, *end = p + message.len;
    uint32_t tag;
    while (p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            return false;
        switch (tag >> 3) {
        case 8:
            p = tag == WIRE_TAG(8, WIRE_BYTES) ? take_span(p, end, &h->negative_spans) : NULL;
            break;
        case 9:
            p = take_numbers(p, end, tag, false, &h->negative_deltas);
            break;
        case 10:
            p = take_numbers(p, end, tag, true, &h->negative_counts);
            break;
        case 11:
            p = tag == WIRE_TAG(11, WIRE_BYTES) ? take_span(p, end, &h->positive_spans) : NULL;
            break;
        case 12:
            p = take_numbers(p, end, tag, false, &h->positive_deltas);
            break;
        case 13:
            p = take_numbers(p, end, tag, true, &h->positive_counts);
            break;
        case 16:
            p = take_numbers(p, end, tag, true, &h->bounds);
            break;
        default:
            p = take_scalar(p, end, tag, h);
        }
        if (!p)
            return false;
    }
    return true;
}

static double *doubles(struct arena *arena, const struct numbers *n)
{
    double *list = arena_alloc(arena, (n->count + 1) * sizeof *list);
    for (size_t i = 0; i < n->count; i++)
        list[i] = f64_from_bits(n->list[i]);
    return list;
}

static int64_t *integers(struct arena *arena, const struct numbers *n)
{
    int64_t *list = arena_alloc(arena, (n->count + 1) * sizeof *list);
    for (size_t i = 0; i < n->count; i++)
        list[i] = zigzag_get(n->list[i]);
    return list;
}

static struct histogram_span *span_list(struct arena *arena, const struct spans *s)
{
    struct histogram_span *list = arena_alloc(arena, (s->count + 1) * sizeof *list);
    if (s->count)
        memcpy(list, s->list, s->count * sizeof *list);
    return list;
}

static const struct histogram *lower_integers(struct arena *arena, const struct parsed *p, struct errmsg *why)
{
    struct histogram_integers h = {
        .schema = p->schema,
        .reset_hint = (enum reset_hint)p->hint,
        .zero_count = p->zero_is_float ? 0 : p->zero_count,
        .count = p->count,
        .zero_threshold = p->zero_threshold,
        .sum = p->sum,
        .positive_span_count = (uint32_t)p->positive_spans.count,
        .negative_span_count = (uint32_t)p->negative_spans.count,
        .positive_count = (uint32_t)p->positive_deltas.count,
        .negative_count = (uint32_t)p->negative_deltas.count,
        .bound_count = (uint32_t)p->bounds.count,
        .positive_spans = span_list(arena, &p->positive_spans),
        .negative_spans = span_list(arena, &p->negative_spans),
        .positive = integers(arena, &p->positive_deltas),
        .negative = integers(arena, &p->negative_deltas),
        .bounds = doubles(arena, &p->bounds),
    };
    return histogram_validate_integers(&h, why) == ERR_OK ? histogram_from_integers(arena, &h) : NULL;
}

static const struct histogram *lower_floats(struct arena *arena, const struct parsed *p, struct errmsg *why)
{
    struct histogram *h = ARENA_NEW(arena, struct histogram);
    *h = (struct histogram){
        .schema = p->schema,
        .reset_hint = p->hint,
        .zero_threshold = p->zero_threshold,
        .zero_count = p->zero_is_float ? f64_from_bits(p->zero_count) : 0,
        .count = f64_from_bits(p->count),
        .sum = p->sum,
        .positive_span_count = (uint32_t)p->positive_spans.count,
        .negative_span_count = (uint32_t)p->negative_spans.count,
        .positive_count = (uint32_t)p->positive_counts.count,
        .negative_count = (uint32_t)p->negative_counts.count,
        .bound_count = (uint32_t)p->bounds.count,
        .positive_spans = span_list(arena, &p->positive_spans),
        .negative_spans = span_list(arena, &p->negative_spans),
        .positive = doubles(arena, &p->positive_counts),
        .negative = doubles(arena, &p->negative_counts),
        .bounds = doubles(arena, &p->bounds),
    };
    if (histogram_validate(h, why) != ERR_OK)
        return NULL;
    return h->schema > HISTOGRAM_SCHEMA_MAX ? histogram_reduce(arena, h, HISTOGRAM_SCHEMA_MAX) : h;
}

static void parsed_deinit(struct parsed *p)
{
    mem_free(p->negative_spans.list);
    mem_free(p->positive_spans.list);
    mem_free(p->negative_deltas.list);
    mem_free(p->negative_counts.list);
    mem_free(p->positive_deltas.list);
    mem_free(p->positive_counts.list);
    mem_free(p->bounds.list);
}

bool histogram_parse(struct lane *l, struct extra *e)
{
    struct parsed p = {0};
    bool fine = parse(slice_of(l->raw + e->message_at, e->message_len), &p);
    e->time_ms = p.time_ms;
    e->hist = NULL;
    if (fine) {
        const struct histogram *h =
            p.is_float ? lower_floats(&l->arena, &p, NULL) : lower_integers(&l->arena, &p, NULL);
        e->hist = h && head_histogram_fits(h) ? h : NULL;
    }
    parsed_deinit(&p);
    return fine;
}
