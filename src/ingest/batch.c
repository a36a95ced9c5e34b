/*
 * batch.c - samples that did not come as bytes of a sender: they are written as a request of the same
 * form and take the same way, so that there is one way only.
 */
#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

enum { STREAM_BATCH = 1 << 20 }; /* above what connections are likely to have */

struct ingest_batch {
    struct ingest *ingest;
    unsigned lane;
    struct buf request, series;
};

struct ingest_batch *ingest_batch_new(struct ingest *ingest, unsigned lane)
{
    assert(lane < ingest->options.lanes);
    struct ingest_batch *b = MEM_NEW(struct ingest_batch);
    b->ingest = ingest;
    b->lane = lane;
    return b;
}

static void put_label(struct buf *out, const struct ingest_label *label)
{
    size_t name = 1 + wire_varint_bytes(label->name.len) + label->name.len;
    size_t value = 1 + wire_varint_bytes(label->value.len) + label->value.len;
    buf_u8(out, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(out, name + value);
    buf_u8(out, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(out, label->name.len);
    buf_slice(out, label->name);
    buf_u8(out, WIRE_TAG(2, WIRE_BYTES));
    buf_varint(out, label->value.len);
    buf_slice(out, label->value);
}

/* Insertion sort: label sets are short, and canonical bytes spare the slow way. */
static uint32_t sort_labels(const struct ingest_label *labels, uint32_t count, const struct ingest_label **out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count && n < LABEL_COUNT_MAX; i++) {
        if (labels[i].value.len == 0)
            continue;
        uint32_t k = n++;
        for (; k > 0 && slice_cmp(out[k - 1]->name, labels[i].name) > 0; k--)
            out[k] = out[k - 1];
        out[k] = &labels[i];
    }
    return n;
}

void ingest_batch_series(struct ingest_batch *b, const struct ingest_label *labels, uint32_t count)
{
    const struct ingest_label *sorted[LABEL_COUNT_MAX];
    uint32_t n = sort_labels(labels, count, sorted);
    buf_reset(&b->series);
    for (uint32_t i = 0; i < n; i++)
        put_label(&b->series, sorted[i]);
}

void ingest_batch_sample(struct ingest_batch *b, int64_t time_ms, double value)
{
    buf_u8(&b->series, WIRE_TAG(2, WIRE_BYTES));
    buf_varint(&b->series, 10 + wire_varint_bytes((uint64_t)time_ms));
    buf_u8(&b->series, WIRE_TAG(1, WIRE_FIXED64));
    buf_le64(&b->series, f64_bits(value));
    buf_u8(&b->series, WIRE_TAG(2, WIRE_VARINT));
    buf_varint(&b->series, (uint64_t)time_ms);
}

void ingest_batch_series_end(struct ingest_batch *b)
{
    buf_u8(&b->request, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(&b->request, b->series.len);
    buf_slice(&b->request, buf_view(&b->series));
    buf_reset(&b->series);
}

void ingest_batch_add(struct ingest_batch *b, const struct ingest_label *labels, uint32_t count, int64_t time_ms,
                      double value)
{
    ingest_batch_series(b, labels, count);
    ingest_batch_sample(b, time_ms, value);
    ingest_batch_series_end(b);
}

size_t ingest_batch_bytes(const struct ingest_batch *b)
{
    return b->request.len + b->series.len;
}

bool ingest_batch_write(struct ingest_batch *b, struct wal_ticket *ticket, struct ingest_result *result)
{
    struct ingest_request req = {
        .lane = b->lane,
        .encoding = INGEST_IDENTITY,
        .body = buf_view(&b->request),
        .stream = STREAM_BATCH + b->lane,
        .ticket = ticket,
    };
    if (b->request.failed || b->series.failed) {
        *result = (struct ingest_result){.err = ERR_NO_MEMORY};
        buf_reset(&b->request);
        return false;
    }
    bool pending = ingest_write(b->ingest, &req, result);
    buf_reset(&b->request);
    return pending;
}

void ingest_batch_free(struct ingest_batch *b)
{
    if (!b)
        return;
    buf_deinit(&b->request);
    buf_deinit(&b->series);
    mem_free(b);
}
