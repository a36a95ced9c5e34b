/* http_transcript.c - see http_transcript.h. */
#include "lib/http_transcript.h"

#include "base/arena.h"
#include "net/http_chunk_internal.h"
#include "net/http_head_internal.h"
#include "net/http_url_internal.h"

struct feed {
    struct buf in;
    size_t start;
    bool in_body, refused;
    struct http_head_scan scan;
    struct http_chunk chunk;
    size_t body_bytes;
    struct arena arena;
    struct http_head head;
    struct buf *out;
};

static void refuse(struct feed *f, const struct http_reject *why)
{
    buf_printf(f->out, "refused %d %s\n", why->status, why->text);
    f->refused = true;
}

static void slice_show(struct buf *out, struct slice s)
{
    buf_printf(out, " [%zu:", s.len);
    buf_slice(out, s);
    buf_str(out, "]");
}

static void request_show(struct feed *f, struct slice body)
{
    const struct http_head *h = &f->head;
    buf_printf(f->out, "request %d 1.%u keep=%d expect=%d dots=%d", (int)h->method, h->minor, h->keep_alive,
               h->expect_continue, h->dot_segments);
    slice_show(f->out, h->path);
    slice_show(f->out, h->query);
    slice_show(f->out, h->content_encoding);
    for (uint32_t i = 0; i < h->header_count; i++) {
        slice_show(f->out, h->headers[i].name);
        slice_show(f->out, h->headers[i].value);
    }
    slice_show(f->out, body);
    struct http_params params = {0};
    struct errmsg why = {{0}};
    http_query_parse(h->query, &f->arena, &params, &why);
    http_query_parse(body, &f->arena, &params, &why);
    buf_printf(f->out, " %zu params %s\n", params.count, why.text);
    arena_deinit(&f->arena);
    f->in_body = false;
}

static bool head_step(struct feed *f)
{
    struct http_reject why;
    struct slice in = slice_of(f->in.data + f->start, f->in.len - f->start);
    enum http_scan got = http_head_scan(&f->scan, in, TRANSCRIPT_HEAD_BYTES_MAX, &why);
    if (got == HTTP_SCAN_BAD)
        refuse(f, &why);
    if (got != HTTP_SCAN_DONE)
        return false;
    arena_init(&f->arena, NULL);
    struct slice head = arena_copy(&f->arena, slice_of(in.data + f->scan.start, f->scan.end - f->scan.start));
    f->start += f->scan.end;
    f->scan = (struct http_head_scan){0};
    if (!http_head_parse(head, &f->arena, &f->head, &why)) {
        refuse(f, &why);
        arena_deinit(&f->arena);
        return false;
    }
    f->in_body = true;
    f->chunk = (struct http_chunk){0};
    f->body_bytes = 0;
    if (f->head.content_length > TRANSCRIPT_BODY_BYTES_MAX) {
        refuse(f, &(struct http_reject){413, "body too large"});
        arena_deinit(&f->arena);
        return false;
    }
    return true;
}

static bool chunked_step(struct feed *f)
{
    struct http_reject why;
    uint8_t *in = f->in.data + f->start;
    size_t len = f->in.len - f->start, raw = f->body_bytes;
    switch (http_chunk_feed(&f->chunk, in, len, &f->body_bytes, &raw, TRANSCRIPT_BODY_BYTES_MAX, &why)) {
    case HTTP_CHUNK_MORE:
        memmove(in + f->body_bytes, in + raw, len - raw);
        f->in.len -= raw - f->body_bytes;
        return false;
    case HTTP_CHUNK_BAD:
        refuse(f, &why);
        arena_deinit(&f->arena);
        return false;
    case HTTP_CHUNK_END:
        break;
    }
    request_show(f, slice_of(in, f->body_bytes));
    f->start += raw;
    return true;
}

static bool step(struct feed *f)
{
    if (f->refused)
        return false;
    if (!f->in_body)
        return head_step(f);
    if (f->head.chunked)
        return chunked_step(f);
    size_t length = (size_t)f->head.content_length;
    if (f->in.len - f->start < length)
        return false;
    request_show(f, slice_of(f->in.data + f->start, length));
    f->start += length;
    return true;
}

void http_transcript(struct slice in, const size_t *cuts, size_t cut_count, struct buf *out)
{
    struct feed f = {.out = out};
    buf_reserve(&f.in, in.len + 1);
    size_t fed = 0;
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i < cut_count && cuts[i] < in.len ? cuts[i] : in.len;
        if (end > fed)
            buf_append(&f.in, in.data + fed, end - fed);
        fed = end > fed ? end : fed;
        while (step(&f))
            ;
    }
    if (!f.refused)
        buf_printf(out, "ends in %s, %zu bytes\n", f.in_body ? "body" : "head",
                   f.in_body ? f.body_bytes : f.in.len - f.start);
    if (f.in_body && !f.refused)
        arena_deinit(&f.arena);
    buf_deinit(&f.in);
}
