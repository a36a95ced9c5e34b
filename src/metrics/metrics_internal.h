/*
 * metrics_internal.h - how a registry is kept, and where samples go when it is walked.
 */
#ifndef METRICS_METRICS_INTERNAL_H
#define METRICS_METRICS_INTERNAL_H

#include "base/arena.h"
#include "metrics/metrics.h"

struct family {
    const char *name, *help;
    enum metric_kind kind;
    struct metric *members; /* in order of metrics_add */
    size_t member_count, member_capacity;
};

struct metrics {
    struct arena arena;      /* texts */
    struct family *families; /* sorted by name */
    size_t family_count, family_capacity;
};

/* One walk over a family: every sample is handed to `sample` with its suffix and `le` or "". */
struct metric_sink {
    const struct family *family;
    const struct metric *member;
    bool (*sample)(struct metric_sink *sink, const char *suffix, const char *labels, const char *le, double value);
    bool stopped;  /* sample() returned false: the rest is skipped */
    bool float_le; /* le="1.0" instead of le="1" */
    void *ctx;
};
void family_walk(const struct family *family, struct metric_sink *sink);

#endif
