/*
 * http_decode_internal.h - undo the Content-Encoding of a request body, with a bound on what comes out.
 *
 * The decoder can pause at an output size, so that a loop does the small bodies itself and hands the
 * rest of a large one to a worker.  Memory grows with the output, never with what a header claims.
 *
 * Accepted: gzip (several members), deflate in zlib format or raw, zstd (several frames, windows up to
 * 8 MiB, no dictionaries).
 * Ownership: the input is borrowed until the decoder is done; http_decoder_free accepts NULL.
 * Threads: one at a time.
 */
#ifndef NET_HTTP_DECODE_INTERNAL_H
#define NET_HTTP_DECODE_INTERNAL_H

#include "net/http.h"
#include "net/http_encode_internal.h"

struct http_decoder;

/* ERR_UNSUPPORTED for a coding that we do not undo; "identity" and "" are not for here. */
MUST_CHECK enum err http_coding_parse(struct slice content_encoding, enum http_coding *out);

struct http_decoder *http_decoder_new(enum http_coding coding, struct slice in, uint64_t bytes_max,
                                      struct mem_budget *budget);
void http_decoder_free(struct http_decoder *d);
/*
 * Goes on until the end, an error, or at least pause_bytes of output.  ERR_OK: *done says whether it is
 * the end.  ERR_INVALID: damaged; ERR_LIMIT: larger than bytes_max; ERR_NO_MEMORY: the budget refused.
 */
MUST_CHECK enum err http_decoder_run(struct http_decoder *d, size_t pause_bytes, bool *done, struct errmsg *why);
struct slice http_decoder_output(const struct http_decoder *d); /* lives as long as the decoder */

#endif
