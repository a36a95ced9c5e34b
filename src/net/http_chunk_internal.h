/*
 * http_chunk_internal.h - takes the chunk framing out of a body, in place.
 *
 * http_chunk_feed reads raw bytes and moves the data bytes to the front of the same buffer.  It judges
 * a line only once it is complete or too long, so the outcome does not depend on how reads were cut.
 * Extensions and trailer fields are checked and dropped; both are bounded, and so is all framing
 * together (a client may not make us chew megabytes of framing for a few bytes of data).
 */
#ifndef NET_HTTP_CHUNK_INTERNAL_H
#define NET_HTTP_CHUNK_INTERNAL_H

#include "net/http_head_internal.h"

enum {
    HTTP_CHUNK_LINE_BYTES_MAX = 4096, /* size and extensions */
    HTTP_TRAILER_BYTES_MAX = 8192,
    HTTP_CHUNK_EXCESS_BYTES_MAX = 16384, /* framing beyond 16 B + 2 B per data byte, summed over the body */
};

struct http_chunk {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE } state;
    uint64_t left;         /* data bytes of the current chunk still to come */
    uint64_t excess_bytes; /* see HTTP_CHUNK_EXCESS_BYTES_MAX */
    size_t trailer_bytes;
};

enum http_chunk_result { HTTP_CHUNK_MORE, HTTP_CHUNK_END, HTTP_CHUNK_BAD };

/*
 * buf[0..*data) is body already decoded, buf[*raw..len) is what is still raw, *raw >= *data.  Both move
 * forward.  After HTTP_CHUNK_MORE the caller moves the raw rest (an incomplete line) to *data.
 */
enum http_chunk_result http_chunk_feed(struct http_chunk *c, uint8_t *buf, size_t len, size_t *data, size_t *raw,
                                       uint64_t body_bytes_max, struct http_reject *why);

#endif
