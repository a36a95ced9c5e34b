/*
 * metrics.h - what the server tells about itself: a registry of own metrics and their text form.
 *
 *     static _Atomic uint64_t ...                       // fields that the code counts in anyway
 *     metrics_add(m, &(struct metric){.name = "gnomon_wal_fsyncs_total", .kind = METRIC_COUNTER,
 *                                     .help = "Syncs of the log.", .u64 = &wal->stats.fsyncs});
 *     metrics_render(m, METRICS_TEXT, &out);
 *
 * A metric reads an atomic field, asks a callback, or (`collect`) emits any number of samples with
 * labels known only at that moment.  Metrics of one name are one family: same help, same kind.
 *
 * Ownership: the registry copies texts and borrows what values are read from.
 * Threads:   metrics_add before other threads use the registry; render and visit from any thread,
 *            callbacks run on that thread.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/slice.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SUMMARY };

enum { METRIC_BOUNDS_MAX = 24 };

/* Observations counted into buckets; a zeroed struct with bounds set is ready. */
struct metric_histogram {
    const double *bounds;                           /* upper bounds, ascending, without +Inf; borrowed */
    uint32_t bound_count;                           /* <= METRIC_BOUNDS_MAX */
    _Atomic uint64_t counts[METRIC_BOUNDS_MAX + 1]; /* per bucket, not cumulative; last: above all bounds */
    _Atomic uint64_t sum_bits;                      /* of a double */
};
void metric_observe(struct metric_histogram *h, double value); /* any thread */
/* 1 ms .. 60 s in steps of about 2.5, for durations in seconds. */
extern const double metric_seconds_bounds[];
extern const uint32_t metric_seconds_bound_count;

/* Where a collector puts its samples. */
struct metric_sink;
typedef void (*metric_collect)(struct metric_sink *sink, void *ctx);
void metric_emit(struct metric_sink *sink, const char *labels, double value); /* labels: a="b",c="d" escaped, or "" */
void metric_emit_histogram(struct metric_sink *sink, const char *labels, const struct metric_histogram *h);
void metric_emit_summary(struct metric_sink *sink, const char *labels, double sum, uint64_t count); /* no quantiles */
/* Appends name="value" with a comma before it if needed, the value escaped. */
void metric_label(struct buf *labels, const char *name, struct slice value);

struct metric {
    const char *name;
    const char *help;
    const char *labels; /* constant labels of this sample, as above; NULL or "" = none */
    enum metric_kind kind;
    double scale; /* the value is multiplied by it; 0 = 1 (1e-9: nanoseconds to seconds) */
    /* exactly one of: */
    const _Atomic uint64_t *u64;
    const _Atomic int64_t *i64;
    double (*get)(void *ctx);
    metric_collect collect;
    const struct metric_histogram *histogram;
    void *ctx; /* for get and collect */
};

struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
void metrics_add(struct metrics *m, const struct metric *metric);
/* process_*: CPU, memory, files, threads, faults, I/O of this process, from /proc. */
void metrics_add_process(struct metrics *m);
/* Bytes of memory this process may use: the smallest of the machine's and its cgroups' limits. */
uint64_t process_memory_available(void);

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };
/* By an Accept header (empty: text). */
enum metrics_format metrics_negotiate(struct slice accept);
const char *metrics_content_type(enum metrics_format format);
/* Families sorted by name, HELP and TYPE before each. */
void metrics_render(const struct metrics *m, enum metrics_format format, struct buf *out);

/* Every sample as the text form would show it (name with _bucket, _sum, _count); false stops. */
typedef bool (*metric_visit)(void *ctx, struct slice name, struct slice labels, double value);
void metrics_visit(const struct metrics *m, metric_visit visit, void *ctx);
/* Takes the next name="value" off labels; the value is unescaped into `scratch`.  False at the end. */
bool metric_label_next(struct slice *labels, struct slice *name, struct buf *scratch);

#endif
