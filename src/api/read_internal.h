/*
 * read_internal.h - remote read: what was asked, and the two forms of the answer.
 */
#ifndef API_READ_INTERNAL_H
#define API_READ_INTERNAL_H

#include "api/api_internal.h"

enum { READ_QUERIES_MAX = 10000, READ_MATCHERS_MAX = 10000 /* of one request */ };

struct read_query {
    int64_t start_ms, end_ms; /* inclusive */
    struct matcher *matchers;
    uint32_t matcher_count;
};

struct read_request {
    struct read_query *queries;
    uint32_t query_count;
    bool streamed; /* STREAMED_XOR_CHUNKS, else SAMPLES */
};

/* Reads a ReadRequest; strings stay in `body`, lists go to the arena.  ERR_INVALID, ERR_LIMIT. */
MUST_CHECK enum err read_request_parse(struct slice body, struct arena *arena, struct read_request *out,
                                       struct errmsg *why);

/* A series with at least one sample, in the form of the answer. */
struct read_visitor {
    enum err (*query)(void *ctx, uint32_t index, struct errmsg *why); /* before its series; may be NULL */
    enum err (*series)(void *ctx, const struct labels *labels, const struct samples *samples, struct errmsg *why);
    bool sorted;
};
enum err read_visit(struct api *api, struct http_request *r, const struct read_request *request,
                    const struct read_visitor *visitor, void *ctx, struct errmsg *why);

/* Fields labels = 1 of TimeSeries and ChunkedSeries. */
void read_put_labels(struct buf *out, const struct labels *labels);

void read_answer_samples(struct http_request *r, struct api *api, const struct read_request *request);
void read_answer_chunks(struct http_request *r, struct api *api, const struct read_request *request);

#endif
