/* http_chunk.c - chunked transfer coding; the contract is in http_chunk_internal.h. */
#include "net/http_chunk_internal.h"

enum { CHUNK_SIZE_DIGITS_MAX = 16 };

static enum http_chunk_result bad(struct http_reject *why, int status, const char *text)
{
    *why = (struct http_reject){status, text};
    return HTTP_CHUNK_BAD;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Takes a line without its CRLF off buf[*raw..len).  END: *line holds it; MORE: not complete yet.
 * A line longer than bytes_max is refused whether its end is there or not.
 */
static enum http_chunk_result line_take(uint8_t *buf, size_t len, size_t *raw, size_t bytes_max, const char *too_long,
                                        struct slice *line, struct http_reject *why)
{
    size_t window = len - *raw < bytes_max ? len - *raw : bytes_max;
    const uint8_t *lf = window ? memchr(buf + *raw, '\n', window) : NULL;
    if (!lf)
        return window < bytes_max ? HTTP_CHUNK_MORE : bad(why, 400, too_long);
    size_t n = (size_t)(lf - (buf + *raw));
    if (n == 0 || lf[-1] != '\r')
        return bad(why, 400, "chunk line does not end in CRLF");
    *line = slice_of(buf + *raw, n - 1);
    *raw += n + 1;
    return HTTP_CHUNK_END;
}

/* "1a" or "1a;extensions" -> c->left. */
static bool size_parse(struct http_chunk *c, struct slice line, struct http_reject *why)
{
    uint64_t size = 0;
    size_t n = 0;
    for (; n < line.len && digit_of(line.data[n]) >= 0; n++) {
        if (n == CHUNK_SIZE_DIGITS_MAX)
            break;
        size = size << 4 | (uint64_t)digit_of(line.data[n]);
    }
    bool ok = n > 0 && (n == line.len || line.data[n] == ';');
    for (size_t i = n; i < line.len; i++)
        ok = ok && (line.data[i] >= 0x20 || line.data[i] == '\t') && line.data[i] != 0x7f;
    if (!ok) {
        bad(why, 400, "malformed chunk size");
        return false;
    }
    c->left = size;
    return true;
}

static enum http_chunk_result size_feed(struct http_chunk *c, uint8_t *buf, size_t len, size_t data, size_t *raw,
                                        uint64_t body_bytes_max, struct http_reject *why)
{
    struct slice line;
    enum http_chunk_result got =
        line_take(buf, len, raw, HTTP_CHUNK_LINE_BYTES_MAX, "chunk extension too long", &line, why);
    if (got != HTTP_CHUNK_END)
        return got;
    if (!size_parse(c, line, why))
        return HTTP_CHUNK_BAD;
    if (c->left > body_bytes_max || data > body_bytes_max - c->left)
        return bad(why, 413, "body too large");
    uint64_t allowed = 16 + 2 * c->left;
    c->excess_bytes += line.len + 2;
    c->excess_bytes -= c->excess_bytes < allowed ? c->excess_bytes : allowed;
    if (c->excess_bytes > HTTP_CHUNK_EXCESS_BYTES_MAX)
        return bad(why, 400, "too much chunk framing for so little data");
    c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    return HTTP_CHUNK_END;
}

static enum http_chunk_result data_feed(struct http_chunk *c, uint8_t *buf, size_t len, size_t *data, size_t *raw)
{
    size_t n = len - *raw < c->left ? len - *raw : (size_t)c->left;
    memmove(buf + *data, buf + *raw, n);
    *data += n;
    *raw += n;
    c->left -= n;
    if (c->left)
        return HTTP_CHUNK_MORE;
    c->state = CHUNK_DATA_END;
    return HTTP_CHUNK_END;
}

static enum http_chunk_result data_end_feed(struct http_chunk *c, const uint8_t *buf, size_t len, size_t *raw,
                                            struct http_reject *why)
{
    size_t there = len - *raw;
    if ((there > 0 && buf[*raw] != '\r') || (there > 1 && buf[*raw + 1] != '\n'))
        return bad(why, 400, "chunk data not followed by CRLF");
    if (there < 2)
        return HTTP_CHUNK_MORE;
    *raw += 2;
    c->state = CHUNK_SIZE;
    return HTTP_CHUNK_END;
}

static enum http_chunk_result trailer_feed(struct http_chunk *c, uint8_t *buf, size_t len, size_t *raw,
                                           struct http_reject *why)
{
    struct slice line;
    size_t room = HTTP_TRAILER_BYTES_MAX - c->trailer_bytes;
    enum http_chunk_result got = line_take(buf, len, raw, room, "trailer fields too large", &line, why);
    if (got != HTTP_CHUNK_END)
        return got;
    c->trailer_bytes += line.len + 2;
    if (line.len && !http_field_line_ok(line, why))
        return HTTP_CHUNK_BAD;
    if (!line.len)
        c->state = CHUNK_DONE;
    return HTTP_CHUNK_END;
}

enum http_chunk_result http_chunk_feed(struct http_chunk *c, uint8_t *buf, size_t len, size_t *data, size_t *raw,
                                       uint64_t body_bytes_max, struct http_reject *why)
{
    enum http_chunk_result got = HTTP_CHUNK_END; /* of a step: END means that the next state may go on */
    while (got == HTTP_CHUNK_END && c->state != CHUNK_DONE) {
        switch (c->state) {
        case CHUNK_SIZE:
            got = size_feed(c, buf, len, *data, raw, body_bytes_max, why);
            break;
        case CHUNK_DATA:
            got = data_feed(c, buf, len, data, raw);
            break;
        case CHUNK_DATA_END:
            got = data_end_feed(c, buf, len, raw, why);
            break;
        case CHUNK_TRAILER:
            got = trailer_feed(c, buf, len, raw, why);
            break;
        case CHUNK_DONE:
            break;
        }
    }
    return got;
}
