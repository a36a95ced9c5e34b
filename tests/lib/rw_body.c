/* rw_body.c - a tiny encoder of remote write 1.0. */
#include "lib/rw_body.h"

#include <snappy-c.h>

#include "base/assert.h"

static void put_bytes(struct buf *b, uint32_t field, struct slice s)
{
    buf_varint(b, field << 3 | 2);
    buf_varint(b, s.len);
    buf_slice(b, s);
}

static void close_series(struct rw_body *b)
{
    if (b->series.len)
        put_bytes(&b->request, 1, buf_view(&b->series));
    buf_reset(&b->series);
}

void rw_label(struct rw_body *b, struct slice name, struct slice value)
{
    struct buf label = {0};
    put_bytes(&label, 1, name);
    put_bytes(&label, 2, value);
    put_bytes(&b->series, 1, buf_view(&label));
    buf_deinit(&label);
}

void rw_series(struct rw_body *b, const char *labels)
{
    close_series(b);
    while (*labels) {
        const char *end = strchr(labels, '|'), *equal = strchr(labels, '=');
        if (!end)
            end = labels + strlen(labels);
        assert(equal && equal < end);
        rw_label(b, slice_of(labels, (size_t)(equal - labels)), slice_of(equal + 1, (size_t)(end - equal - 1)));
        labels = *end ? end + 1 : end;
    }
}

void rw_sample(struct rw_body *b, int64_t time_ms, double value)
{
    struct buf sample = {0};
    if (f64_bits(value) != 0) { /* as Go does */
        buf_varint(&sample, 1 << 3 | 1);
        buf_le64(&sample, f64_bits(value));
    }
    if (time_ms) {
        buf_varint(&sample, 2 << 3);
        buf_varint(&sample, (uint64_t)time_ms);
    }
    put_bytes(&b->series, 2, buf_view(&sample));
    buf_deinit(&sample);
}

void rw_field(struct rw_body *b, uint32_t field, struct slice message)
{
    put_bytes(&b->series, field, message);
}

void rw_metadata(struct rw_body *b, unsigned type, const char *metric, const char *help, const char *unit)
{
    struct buf m = {0};
    close_series(b);
    buf_varint(&m, 1 << 3);
    buf_varint(&m, type);
    put_bytes(&m, 2, slice_str(metric));
    put_bytes(&m, 4, slice_str(help));
    put_bytes(&m, 5, slice_str(unit));
    put_bytes(&b->request, 3, buf_view(&m));
    buf_deinit(&m);
}

struct slice rw_finish(struct rw_body *b)
{
    close_series(b);
    /* The bytes stay until the next series: keep them in `snappy`, so that request can start anew. */
    buf_reset(&b->snappy);
    buf_slice(&b->snappy, buf_view(&b->request));
    buf_reset(&b->request);
    return buf_view(&b->snappy);
}

struct slice rw_finish_snappy(struct rw_body *b)
{
    close_series(b);
    size_t len = snappy_max_compressed_length(b->request.len);
    buf_reset(&b->snappy);
    uint8_t *out = buf_reserve(&b->snappy, len);
    assert(out != NULL);
    snappy_status s = snappy_compress((const char *)b->request.data, b->request.len, (char *)out, &len);
    assert(s == SNAPPY_OK);
    b->snappy.len = len;
    buf_reset(&b->request);
    return buf_view(&b->snappy);
}

void rw_body_deinit(struct rw_body *b)
{
    buf_deinit(&b->request);
    buf_deinit(&b->series);
    buf_deinit(&b->snappy);
}
