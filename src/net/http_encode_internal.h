/*
 * http_encode_internal.h - compress an answer: gzip, deflate (zlib format) or zstd, piece by piece.
 *
 * Ownership: http_encoder_free accepts NULL.  Threads: one at a time.
 */
#ifndef NET_HTTP_ENCODE_INTERNAL_H
#define NET_HTTP_ENCODE_INTERNAL_H

#include "base/buf.h"
#include "base/slice.h"

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD };

/*
 * The coding for an Accept-Encoding value: the highest q wins, the client's order breaks ties; "*"
 * stands for gzip when gzip is not named.  A coding with q=0 or a broken q is not acceptable.
 */
enum http_coding http_coding_choose(struct slice accept_encoding);
const char *http_coding_name(enum http_coding coding); /* as in Content-Encoding; identity: "" */

struct http_encoder;
struct http_encoder *http_encoder_new(enum http_coding coding); /* not for HTTP_IDENTITY */
void http_encoder_free(struct http_encoder *e);
/* Appends what comes out to `out`; `end` completes the stream.  False only when out failed. */
bool http_encoder_feed(struct http_encoder *e, struct slice in, bool end, struct buf *out);

#endif
