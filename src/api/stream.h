/*
 * stream.h - a text answer that goes out in pieces of 64 KiB while it is formed; a short one whole.
 */
#ifndef API_STREAM_H
#define API_STREAM_H

#include "api/api_internal.h"

struct stream {
    struct http_request *r;
    const char *content_type;
    struct buf out;
    bool begun;
};
/* Sends what has gathered, when it is a piece.  ERR_CANCELED: the client has left. */
MUST_CHECK enum err stream_flush(struct stream *s);
/* Ends the answer, however it went: complete, an error with its text, or broken off. */
void stream_end(struct stream *s, enum err err, const struct errmsg *why);

#endif
