/*
 * federate.h - the two forms of /federate: text 0.0.4 and length-delimited protobuf, and how a client
 * asks for them.
 */
#ifndef API_FEDERATE_H
#define API_FEDERATE_H

#include "api/exposition.h"

struct federate_format {
    bool protobuf;
    enum name_escape escape;
};
/* As Prometheus' own negotiation: whatever it does not know is text with underscores. */
struct federate_format federate_negotiate(struct slice accept);
/* In r's arena. */
const char *federate_content_type(struct http_request *r, struct federate_format format);

/* A family as it is gathered; zeroed it is empty. */
struct family {
    struct buf body;   /* MetricFamily's metrics */
    struct slice name; /* of the family's series */
    unsigned type;     /* enum family_type */
    bool open;
};
enum family_type { FAMILY_UNTYPED = 3, FAMILY_HISTOGRAM = 4, FAMILY_GAUGE_HISTOGRAM = 5 };
/* h: NULL for a float.  A family that gets long is split, so memory does not follow its size. */
void family_add(struct family *f, struct buf *out, const struct labels *l, int64_t t_ms, double v,
                const struct histogram *h, enum name_escape escape);
void family_end(struct family *f, struct buf *out, enum name_escape escape);
void family_deinit(struct family *f);

/* Custom buckets as a classic histogram has them: called for every bound with the count up to it. */
typedef void (*classic_visit)(void *ctx, double bound, double count);
void classic_buckets(const struct histogram *h, classic_visit visit, void *ctx);

#endif
