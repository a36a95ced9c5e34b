/* record.c - encoding of the records that are not on the hot path; layout in docs/formats/head-records.md. */
#include "head/record_internal.h"

void record_pair(struct buf *records, uint32_t id, struct slice wire)
{
    buf_u8(records, RECORD_PAIR);
    buf_varint(records, id);
    buf_varint(records, wire.len);
    buf_slice(records, wire);
}

void record_numbers(struct buf *records, uint32_t pair)
{
    buf_u8(records, RECORD_NUMBERS);
    buf_varint(records, pair);
}

void record_series(struct buf *records, series_ref ref, const uint32_t *pairs, uint32_t count)
{
    uint8_t *out = buf_reserve(records, 1 + ((size_t)count + 2) * VARINT_BYTES_MAX);
    if (!out)
        return;
    *out++ = RECORD_SERIES;
    out = varint_put(out, ref);
    out = varint_put(out, count);
    for (uint32_t i = 0; i < count; i++)
        out = varint_put(out, pairs[i]);
    records->len = (size_t)(out - records->data);
}

static void put_text(struct buf *records, struct slice text)
{
    buf_varint(records, text.len);
    buf_slice(records, text);
}

void record_metadata(struct buf *records, const struct metadata *m)
{
    buf_u8(records, RECORD_METADATA);
    buf_u8(records, (uint8_t)m->type);
    put_text(records, m->metric);
    put_text(records, m->help);
    put_text(records, m->unit);
}

void record_histogram(struct buf *records, series_ref ref, uint32_t sequence, int64_t time_ms, struct slice code)
{
    buf_u8(records, RECORD_HISTOGRAM);
    buf_varint(records, ref);
    buf_varint(records, sequence);
    buf_le64(records, (uint64_t)time_ms);
    put_text(records, code);
}

void record_exemplar(struct buf *records, struct slice series, int64_t time_ms, uint64_t bits, struct slice labels)
{
    buf_u8(records, RECORD_EXEMPLAR);
    put_text(records, series);
    buf_le64(records, (uint64_t)time_ms);
    buf_le64(records, bits);
    put_text(records, labels);
}
