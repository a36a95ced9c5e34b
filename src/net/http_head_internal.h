/*
 * http_head_internal.h - the head of a request: where it ends, and what it says.
 *
 * Two steps.  http_head_scan looks at each arriving byte once and finds the blank line; it keeps
 * offsets only, so the buffer may move between calls.  http_head_parse then reads the whole head, which
 * the caller has copied to memory that lives as long as the request.  Because nothing is judged before
 * a line is complete, the outcome does not depend on how the bytes were cut into reads.
 *
 * Strictness (RFC 9112, docs/http.md): lines end in CRLF and nothing else; no folding, no space before
 * the colon; one Host; Content-Length once and in digits; never Content-Length with Transfer-Encoding;
 * the only transfer coding is "chunked".  What two parsers could read in two ways is a 400.
 *
 * Ownership: http_head borrows the head's bytes; path and header array come from the arena.
 */
#ifndef NET_HTTP_HEAD_INTERNAL_H
#define NET_HTTP_HEAD_INTERNAL_H

#include "net/http.h"

enum {
    HTTP_HEADERS_MAX = 100,   /* fields; one more is 431 */
    HTTP_BLANK_LINES_MAX = 8, /* tolerated before a request line (RFC 9112 2.2 asks for one) */
    HTTP_METHOD_BYTES_MAX = 32,
};

/* Why a request is refused; status 0: it is not. */
struct http_reject {
    int status;
    const char *text; /* one line, static */
};

struct http_head_scan {
    size_t start; /* the request line begins here, after tolerated blank lines */
    size_t line;  /* the line being looked at begins here */
    size_t next;  /* first byte not looked at yet */
    size_t end;   /* first byte after the head, once done */
    unsigned blank_lines;
};

enum http_scan { HTTP_SCAN_MORE, HTTP_SCAN_DONE, HTTP_SCAN_BAD };

/* `in` is everything received since the last request; s is zeroed before the first call. */
enum http_scan http_head_scan(struct http_head_scan *s, struct slice in, size_t bytes_max, struct http_reject *why);

struct http_head {
    enum http_method method; /* HTTP_OTHER for methods that no route can have */
    struct slice target, path, query;
    struct http_header_field *headers;
    uint32_t header_count;
    unsigned minor;  /* HTTP/1.minor: 0 or 1 */
    bool keep_alive; /* what the client wants */
    bool chunked;    /* else content_length says how long the body is */
    bool expect_continue;
    bool dot_segments; /* the decoded path has a "." or ".." segment: never routed */
    uint64_t content_length;
    struct slice content_encoding, accept_encoding; /* empty when missing */
};

/* `head` runs from the request line to the blank line, both included. */
bool http_head_parse(struct slice head, struct arena *arena, struct http_head *out, struct http_reject *why);

/* Checks a trailer line (without CRLF) by the rules of header lines. */
bool http_field_line_ok(struct slice line, struct http_reject *why);

bool http_token_eq(struct slice s, const char *lower); /* ASCII, without case; lower is in lower case */

#endif
