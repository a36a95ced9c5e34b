/*
 * read_chunks.c - remote read answered with STREAMED_XOR_CHUNKS: a stream of frames.
 *
 *     frame: varint length of the payload, CRC-32C of it (big endian), payload
 *     payload: ChunkedReadResponse { repeated ChunkedSeries chunked_series = 1; int64 query_index = 2; }
 *     ChunkedSeries { repeated Label labels = 1; repeated Chunk chunks = 2; }
 *     Chunk { int64 min_time_ms = 1; int64 max_time_ms = 2; enum type = 3; bytes data = 4; }
 *
 * One series per frame, sorted by labels; a long series goes over several frames of about
 * storage.remote.read-max-bytes-in-frame, each with its labels.  Memory holds one frame.
 */
#include "api/read_internal.h"
#include "base/crc32c.h"
#include "base/wire.h"
#include "chunk/prom_chunk.h"

struct frames {
    struct http_request *r;
    bool begun;
    uint64_t frame_bytes_max;
    uint32_t query;
    struct buf series; /* the ChunkedSeries of the next frame */
    size_t labels_len; /* of it, the labels */
    struct buf chunk, data;
    struct buf out; /* frames that wait to go out together */
};

static enum err send(struct frames *f)
{
    if (!f->begun) {
        http_header(f->r, "Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
        http_begin(f->r, 200);
        f->begun = true;
    }
    enum err err = f->out.len ? http_write(f->r, f->out.data, f->out.len) : ERR_OK;
    buf_reset(&f->out);
    return err;
}

/* Puts the series gathered so far, if it has chunks, into a frame. */
static enum err end_frame(struct frames *f)
{
    struct buf head = {0}, tail = {0};
    if (f->series.len == f->labels_len)
        return ERR_OK;
    buf_varint(&head, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(&head, f->series.len);
    if (f->query)
        wire_put_varint(&tail, 2, f->query);
    uint32_t crc = crc32c(0, head.data, head.len);
    crc = crc32c(crc, f->series.data, f->series.len);
    crc = crc32c(crc, tail.data, tail.len);
    uint8_t crc_bytes[4];
    be32_put(crc_bytes, crc);
    buf_varint(&f->out, head.len + f->series.len + tail.len);
    buf_append(&f->out, crc_bytes, sizeof crc_bytes);
    buf_slice(&f->out, buf_view(&head));
    buf_slice(&f->out, buf_view(&f->series));
    buf_slice(&f->out, buf_view(&tail));
    f->series.len = f->labels_len;
    buf_deinit(&head);
    buf_deinit(&tail);
    return f->out.len >= ANSWER_PIECE_BYTES ? send(f) : ERR_OK;
}

static void put_time(struct buf *out, uint32_t field, int64_t ms)
{
    if (ms)
        wire_put_varint(out, field, (uint64_t)ms);
}

/* Samples first .. first+count-1, all of one kind. */
static enum err put_chunk(struct frames *f, const struct samples *s, uint32_t first, uint32_t count,
                          enum prom_chunk_encoding encoding)
{
    buf_reset(&f->data);
    if (encoding == PROM_CHUNK_XOR)
        prom_chunk_floats(&s->times_ms[first], &s->values[first], count, &f->data);
    else
        prom_chunk_histograms(&s->times_ms[first], &s->hists[first], count, &f->data);
    buf_reset(&f->chunk);
    put_time(&f->chunk, 1, s->times_ms[first]);
    put_time(&f->chunk, 2, s->times_ms[first + count - 1]);
    wire_put_varint(&f->chunk, 3, encoding);
    wire_put_bytes(&f->chunk, 4, buf_view(&f->data));
    wire_put_bytes(&f->series, 2, buf_view(&f->chunk));
    return f->series.len >= f->frame_bytes_max ? end_frame(f) : ERR_OK;
}

/* How many samples from `first` on are floats, at most as many as a chunk takes. */
static uint32_t floats_from(const struct samples *s, uint32_t first)
{
    uint32_t n = 0;
    while (first + n < s->count && n < PROM_CHUNK_SAMPLES_MAX && !(s->hists && s->hists[first + n]))
        n++;
    return n;
}

static uint32_t histograms_from(const struct samples *s, uint32_t first)
{
    uint32_t n = 0;
    while (first + n < s->count && n < PROM_CHUNK_SAMPLES_MAX && s->hists[first + n])
        n++;
    return prom_chunk_fit(&s->hists[first], n);
}

static enum err on_series_chunks(void *ctx, const struct labels *labels, const struct samples *s, struct errmsg *why)
{
    struct frames *f = ctx;
    (void)why;
    buf_reset(&f->series);
    read_put_labels(&f->series, labels);
    f->labels_len = f->series.len;
    for (uint32_t i = 0; i < s->count;) {
        uint32_t n = floats_from(s, i);
        enum prom_chunk_encoding encoding = n ? PROM_CHUNK_XOR : PROM_CHUNK_FLOAT_HISTOGRAM;
        if (!n)
            n = histograms_from(s, i);
        TRY(put_chunk(f, s, i, n, encoding));
        i += n;
    }
    return end_frame(f);
}

static enum err on_query_chunks(void *ctx, uint32_t index, struct errmsg *why)
{
    struct frames *f = ctx;
    (void)why;
    f->query = index;
    return ERR_OK;
}

void read_answer_chunks(struct http_request *r, struct api *api, const struct read_request *request)
{
    static const struct read_visitor visitor = {on_query_chunks, on_series_chunks, true};
    struct frames f = {.r = r, .frame_bytes_max = config_bytes(api->o.config, OPT_REMOTE_READ_MAX_BYTES_IN_FRAME)};
    struct errmsg why = {0};
    enum err err = read_visit(api, r, request, &visitor, &f, &why);
    if (err == ERR_OK)
        err = send(&f);
    if (f.begun && (err == ERR_OK || err == ERR_CANCELED))
        http_end(r);
    else if (f.begun)
        http_abort(r);
    else
        api_text(r, err == ERR_LIMIT ? 400 : 500, arena_printf(r->arena, "%s\n", why.text));
    buf_deinit(&f.series);
    buf_deinit(&f.chunk);
    buf_deinit(&f.data);
    buf_deinit(&f.out);
}
