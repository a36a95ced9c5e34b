/*
 * restrict.h - extra_label=name=value and extra_filters[]={...}, as VictoriaMetrics has them: what a
 * proxy adds to a request so that its user sees only part of the series.
 *
 * All extra_labels hold, and of several extra_filters[] at least one.  Whatever the query says, no other
 * series take part in it.
 */
#ifndef API_RESTRICT_H
#define API_RESTRICT_H

#include "api/api_internal.h"

enum { RESTRICT_SETS_MAX = 1000 /* filters times selectors of one request */ };

struct restriction {
    struct matcher_set *sets; /* one of them must hold; arena of the request */
    uint32_t count;           /* 0: everything may be seen */
};
MUST_CHECK enum err restriction_parse(struct http_request *r, struct restriction *out, struct errmsg *why);
/* match[] so that each selector asks for no more than may be seen; an empty list asks for all of that. */
MUST_CHECK enum err restriction_match(struct http_request *r, struct match_list *match, struct errmsg *why);
/* A storage that holds no more than may be seen: `behind` itself when that is all.  In r's arena. */
struct storage *restriction_storage(struct http_request *r, struct storage *behind, const struct restriction *only);

#endif
