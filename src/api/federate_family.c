/*
 * federate_family.c - series as io.prometheus.client.MetricFamily messages, each after its length.
 *
 *     MetricFamily { string name = 1; enum type = 3; repeated Metric metric = 4; }
 *     Metric { repeated LabelPair label = 1; Untyped untyped = 5; int64 timestamp_ms = 6; Histogram histogram = 7; }
 */
#include "api/federate.h"
#include "base/wire.h"

enum { FAMILY_BYTES_MAX = 1 << 20 }; /* then another family of the same name begins */

static void put_label(struct buf *out, struct slice name, struct slice value, enum name_escape escape)
{
    struct buf pair = {0}, escaped = {0};
    exposition_name(&escaped, name, escape);
    wire_put_bytes(&pair, 1, buf_view(&escaped));
    wire_put_bytes(&pair, 2, value);
    wire_put_bytes(out, 1, buf_view(&pair));
    buf_deinit(&pair);
    buf_deinit(&escaped);
}

static void put_labels(struct buf *out, const struct labels *l, enum name_escape escape)
{
    static const struct slice instance = SLICE_LIT("instance"), none = {0};
    for (uint32_t i = 0; i < l->count; i++)
        if (!slice_eq_str(l->list[i]->name, METRIC_NAME))
            put_label(out, l->list[i]->name, l->list[i]->value, escape);
    if (!labels_find(l, instance))
        put_label(out, instance, none, escape);
}

static void put_spans(struct buf *out, uint32_t field, const struct histogram_span *spans, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[2 * (1 + VARINT_BYTES_MAX)], *p = bytes;
        *p++ = WIRE_TAG(1, WIRE_VARINT);
        p = varint_put(p, (uint32_t)zigzag_put(spans[i].offset));
        *p++ = WIRE_TAG(2, WIRE_VARINT);
        p = varint_put(p, spans[i].length);
        wire_put_bytes(out, field, slice_of(bytes, (size_t)(p - bytes)));
    }
}

static void put_counts(struct buf *out, uint32_t field, const double *counts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        wire_put_double(out, field, counts[i]);
}

static void put_histogram(struct buf *out, const struct histogram *h)
{
    struct buf m = {0};
    wire_put_double(&m, 2, h->sum);
    wire_put_double(&m, 4, h->count);
    wire_put_varint(&m, 5, (uint32_t)zigzag_put(h->schema));
    wire_put_double(&m, 6, h->zero_threshold);
    wire_put_double(&m, 8, h->zero_count);
    put_spans(&m, 9, h->negative_spans, h->negative_span_count);
    put_counts(&m, 11, h->negative, h->negative_count);
    put_spans(&m, 12, h->positive_spans, h->positive_span_count);
    put_counts(&m, 14, h->positive, h->positive_count);
    wire_put_bytes(out, 7, buf_view(&m));
    buf_deinit(&m);
}

void classic_buckets(const struct histogram *h, classic_visit visit, void *ctx)
{
    int64_t index = 0;
    uint32_t bound = 0, at = 0;
    double count = 0;
    for (uint32_t s = 0; s < h->positive_span_count; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t i = 0; i < h->positive_spans[s].length && at < h->positive_count; i++, index++) {
            for (; bound < h->bound_count && bound < index; bound++)
                visit(ctx, h->bounds[bound], count);
            if (bound < h->bound_count && bound == index)
                visit(ctx, h->bounds[bound++], count + h->positive[at]);
            count += h->positive[at++];
        }
    }
    for (; bound < h->bound_count; bound++)
        visit(ctx, h->bounds[bound], count);
}

static void put_bucket(void *ctx, double bound, double count)
{
    struct buf m = {0};
    wire_put_double(&m, 2, bound);
    wire_put_double(&m, 4, count);
    wire_put_bytes(ctx, 3, buf_view(&m));
    buf_deinit(&m);
}

/* Custom buckets are a classic histogram for whoever federates. */
static void put_classic(struct buf *out, const struct histogram *h)
{
    struct buf m = {0};
    wire_put_double(&m, 2, h->sum);
    classic_buckets(h, put_bucket, &m);
    wire_put_double(&m, 4, h->count);
    wire_put_bytes(out, 7, buf_view(&m));
    buf_deinit(&m);
}

static void put_metric(struct buf *out, const struct labels *l, int64_t t_ms, double v, const struct histogram *h,
                       enum name_escape escape)
{
    struct buf m = {0}, value = {0};
    put_labels(&m, l, escape);
    if (h && h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        put_classic(&m, h);
    } else if (h) {
        put_histogram(&m, h);
    } else {
        wire_put_double(&value, 1, v);
        wire_put_bytes(&m, 5, buf_view(&value));
    }
    wire_put_varint(&m, 6, (uint64_t)t_ms);
    wire_put_bytes(out, 4, buf_view(&m));
    buf_deinit(&m);
    buf_deinit(&value);
}

void family_end(struct family *f, struct buf *out, enum name_escape escape)
{
    struct buf head = {0}, name = {0};
    if (!f->open)
        return;
    exposition_name(&name, f->name, escape);
    wire_put_bytes(&head, 1, buf_view(&name));
    wire_put_varint(&head, 3, f->type);
    buf_varint(out, head.len + f->body.len);
    buf_slice(out, buf_view(&head));
    buf_slice(out, buf_view(&f->body));
    buf_reset(&f->body);
    f->open = false;
    buf_deinit(&head);
    buf_deinit(&name);
}

void family_add(struct family *f, struct buf *out, const struct labels *l, int64_t t_ms, double v,
                const struct histogram *h, enum name_escape escape)
{
    unsigned type = !h ? FAMILY_UNTYPED : h->reset_hint == RESET_GAUGE ? FAMILY_GAUGE_HISTOGRAM : FAMILY_HISTOGRAM;
    struct slice name = labels_name(l);
    if (f->open && (f->type != type || !slice_eq(f->name, name) || f->body.len >= FAMILY_BYTES_MAX))
        family_end(f, out, escape);
    f->open = true;
    f->type = type;
    f->name = name;
    put_metric(&f->body, l, t_ms, v, h, escape);
}

void family_deinit(struct family *f)
{
    buf_deinit(&f->body);
}
