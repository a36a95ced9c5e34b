/*
 * http_url_internal.h - percent-encoding: paths strictly, forms as Go's net/url reads them.
 *
 * Ownership: results come from the arena, or borrow the input where nothing had to be decoded.
 */
#ifndef NET_HTTP_URL_INTERNAL_H
#define NET_HTTP_URL_INTERNAL_H

#include "net/http.h"

enum { HTTP_PARAMS_MAX = 1000 };

/*
 * Decodes a path that starts with '/'; several slashes in a row become one.  False for a broken escape,
 * a NUL, or bytes that are not UTF-8 (overlong forms of "/" and "." have opened doors elsewhere).
 */
bool http_path_decode(struct slice raw, struct arena *arena, struct slice *out, bool *dot_segments);

bool http_utf8_ok(struct slice s);

struct http_params {
    struct http_param *list;
    size_t count, capacity; /* list grows in the arena */
};

/*
 * Appends the parameters of "a=1&b=2".  Pairs that are broken are left out, the first reason goes to
 * `why` (Go's text) and the result is false.
 */
bool http_query_parse(struct slice text, struct arena *arena, struct http_params *out, struct errmsg *why);

#endif
