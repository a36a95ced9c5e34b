/*
 * query_log.h - what the last queries cost, for /api/v1/status/top_queries.
 *
 * Ownership: texts are copied, at most QUERY_LOG_TEXT_MAX bytes of each.
 * Threads:   any.
 */
#ifndef API_QUERY_LOG_H
#define API_QUERY_LOG_H

#include "base/lock.h"
#include "base/slice.h"

enum { QUERY_LOG_COUNT = 4096, QUERY_LOG_TEXT_MAX = 1024 };

struct query_log_entry {
    char *text;
    uint32_t text_len;
    int64_t at_ms;   /* when it ended */
    int64_t range_s; /* end - start */
    double seconds;
    uint64_t bytes; /* memory at its peak */
};
struct query_log {
    struct mutex lock;
    struct query_log_entry *ring; /* guarded by lock; [QUERY_LOG_COUNT] */
    uint32_t next;                /* guarded by lock */
};
void query_log_init(struct query_log *log);
void query_log_deinit(struct query_log *log);
/* Queries of less than a millisecond are not kept. */
void query_log_add(struct query_log *log, struct slice text, const struct query_log_entry *costs);

#endif
