/*
 * http_transcript.h - what the parser makes of a byte stream, as text.
 *
 * Drives head scanner, head parser and chunk decoder the way a connection does, but without sockets, so
 * that tests and the fuzzer can cut the same stream in every way and compare what was understood.
 */
#ifndef LIB_HTTP_TRANSCRIPT_H
#define LIB_HTTP_TRANSCRIPT_H

#include "base/buf.h"

/*
 * Feeds `in` in pieces: the first ends at cuts[0], the next at cuts[1] ... (ascending), the last at the
 * end.  One line per request, then the refusal or what the stream ended in.
 */
void http_transcript(struct slice in, const size_t *cuts, size_t cut_count, struct buf *out);

enum { TRANSCRIPT_HEAD_BYTES_MAX = 2048, TRANSCRIPT_BODY_BYTES_MAX = 4096 };

#endif
