/*
 * rw_body.h - bodies of remote write requests for tests, from text: up{job="a",instance="b"}.
 *
 * Ownership: a zeroed struct rw_body is empty; rw_body_deinit frees it.
 */
#ifndef TESTS_LIB_RW_BODY_H
#define TESTS_LIB_RW_BODY_H

#include "base/buf.h"
#include "ingest/ingest.h"

struct rw_body {
    struct buf request; /* protobuf */
    struct buf series;  /* the TimeSeries being built */
    struct buf snappy;
};

/* Begins a series; labels as name=value separated by '|' in the order they shall be sent: "__name__=up|job=a". */
void rw_series(struct rw_body *b, const char *labels);
void rw_label(struct rw_body *b, struct slice name, struct slice value);
void rw_sample(struct rw_body *b, int64_t time_ms, double value);
void rw_field(struct rw_body *b, uint32_t field, struct slice message); /* of the series, length-delimited */
void rw_metadata(struct rw_body *b, unsigned type, const char *metric, const char *help, const char *unit);
struct slice rw_finish(struct rw_body *b); /* protobuf; the next rw_series starts a new request */
struct slice rw_finish_snappy(struct rw_body *b);
void rw_body_deinit(struct rw_body *b);

#endif
