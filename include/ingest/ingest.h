/*
 * ingest.h - bytes from senders to durable samples: remote write 1.0 and 2.0, and samples given one by one.
 *
 *     struct ingest_request req = {.lane = loop, .encoding = INGEST_SNAPPY, .body = body,
 *                                  .stream = connection, .ticket = &mine->ticket};
 *     if (ingest_write(ingest, &req, &mine->result))
 *         return;                        // mine->ticket.done() runs when all of it is durable
 *     ... answer now: ingest_status(&mine->result), mine->result.why.text
 *
 * Good samples of a partly bad request are stored; the answer is then 400 with the count, the first
 * offenders and the reason.  done() comes before such an answer too.
 *
 * While the head is rebuilt from the log (option deferring), a request is checked as ever, logged as it
 * came and acknowledged when that is durable; ingest_catch_up applies it, in the order of the log, before
 * anything that comes later.
 *
 * Ownership: borrows the body for the call; the ticket and the result until done().
 * Threads:   a lane is used by one thread at a time (lane = index of a loop, more for others);
 *            different lanes side by side.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"
#include "wal/wal.h"

struct head;
struct ingest;

struct ingest_options {
    struct head *head; /* replayed and ready, or `deferring` */
    bool deferring;    /* the head is being rebuilt: until ingest_catch_up is through, requests are only logged */
    uint64_t deferred_bytes_max; /* requests that wait then; more are refused */
    struct wal *wal;   /* NULL: nothing is logged, no ticket is called (tests, benches) */
    struct clock *clock;
    unsigned lanes;
    uint64_t body_bytes_max;  /* after decompression */
    uint32_t series_max;      /* of one request */
    uint32_t label_count_max; /* of one series */
    uint32_t label_name_bytes_max, label_value_bytes_max, labels_bytes_max;
    int64_t retention_ms;  /* older samples are refused; 0 = none is too old */
    int64_t future_max_ms; /* samples further ahead of the clock are refused */
    bool strict;           /* Prometheus' rules for order and duplicates: one bad sample refuses the request */
    int64_t out_of_order_window_ms; /* strict: samples that late are taken; 0 = none */
};
void ingest_options_default(struct ingest_options *o);

MUST_CHECK enum err ingest_new(const struct ingest_options *o, struct ingest **out, struct errmsg *why);
void ingest_free(struct ingest *ingest); /* accepts NULL; no ticket may be out */

/* Why a sample or series of a well-formed request was not taken. */
enum ingest_reason {
    INGEST_NO_NAME,         /* no __name__, or an empty one */
    INGEST_BAD_LABEL_NAME,  /* empty or not UTF-8 */
    INGEST_BAD_LABEL_VALUE, /* not UTF-8 */
    INGEST_DUPLICATE_LABEL,
    INGEST_LABEL_LIMIT,   /* too many labels, or too long */
    INGEST_TOO_OLD,       /* before the retention */
    INGEST_TOO_FAR_AHEAD, /* after now + future_max */
    INGEST_SERIES_LIMIT,  /* no more series in all: 429 */
    INGEST_DAILY_LIMIT,   /* no more series today: 429 */
    INGEST_MEMORY_LIMIT,  /* no memory for more series: 429 */
    INGEST_METRIC_LIMIT,  /* no more series of this metric */
    INGEST_VALUES_LIMIT,  /* no more values of this label */
    INGEST_OUT_OF_ORDER,  /* strict: a whole request, for order, duplicates or bounds */
    INGEST_BAD_HISTOGRAM,
    INGEST_BAD_EXEMPLAR, /* dropped and counted; never a reason for 400 */
    INGEST_DROPPED,      /* a rule does not want the series; no reason for 400 either */
    INGEST_REASONS
};
const char *ingest_reason_name(enum ingest_reason reason); /* "too_old", ... for metrics */

struct ingest_result {
    bool strict; /* labels that break a rule are no reason for 400, as in Prometheus */
    enum err err;                                              /* not ERR_OK: nothing of the request was stored */
    uint32_t series, samples, histograms, exemplars, metadata; /* accepted */
    uint32_t rejected[INGEST_REASONS];                         /* samples (histograms, exemplars) by reason */
    struct errmsg why;                                         /* what to tell the sender; "" when all is well */
};
/* 204, 400, 413, 429 or 503; the rules are in src/ingest/README.md. */
int ingest_status(const struct ingest_result *r);

enum ingest_encoding { INGEST_SNAPPY, INGEST_IDENTITY, INGEST_ZSTD };
/* What a body says of its decoded size, in any bytes; 0: nothing that can be believed. */
uint64_t ingest_decoded_bytes(enum ingest_encoding encoding, struct slice body);

struct ingest_request {
    unsigned lane;
    enum ingest_encoding encoding;
    bool version2; /* the body is an io.prometheus.write.v2.Request, not a prometheus.WriteRequest */
    struct slice body;
    uint64_t stream;           /* the same for requests of one connection; 0 = unknown.  Only a hint. */
    struct wal_ticket *ticket; /* NULL: nobody waits */
};
/*
 * True: the ticket will be called; result says what was taken, and the answer waits for the ticket.
 * False: answer now (refused as a whole, or there is no log or no ticket).
 */
bool ingest_write(struct ingest *ingest, const struct ingest_request *req, struct ingest_result *result);

/*
 * Once the head is replayed: applies some of the requests that wait (those of an earlier run first), on a
 * lane that nobody else uses.  True: none is left, and from here on requests go straight into the head.
 * False: call again; at once when *again, else after a moment (the log is refusing).
 */
bool ingest_catch_up(struct ingest *ingest, unsigned lane, bool *again);

/* Samples that are not bytes of a sender (own metrics, text exposition, rules): collected, then written as one. */
struct ingest_batch;
struct ingest_label {
    struct slice name, value;
};
struct ingest_batch *ingest_batch_new(struct ingest *ingest, unsigned lane);
/* Labels in any order, __name__ among them; empty values are left out. */
void ingest_batch_add(struct ingest_batch *b, const struct ingest_label *labels, uint32_t count, int64_t time_ms,
                      double value);
/* The same in parts: the labels, then samples of this series, then its end (or the next series: this one is dropped). */
void ingest_batch_series(struct ingest_batch *b, const struct ingest_label *labels, uint32_t count);
void ingest_batch_sample(struct ingest_batch *b, int64_t time_ms, double value);
void ingest_batch_series_end(struct ingest_batch *b);
size_t ingest_batch_bytes(const struct ingest_batch *b); /* that a write would send */
/* As ingest_write; the batch is empty afterwards. */
bool ingest_batch_write(struct ingest_batch *b, struct wal_ticket *ticket, struct ingest_result *result);
void ingest_batch_free(struct ingest_batch *b); /* accepts NULL */

/* Who met a bound how often; of the last one, `others`: all that found no place in the table. */
enum { INGEST_LIMIT_HITS_MAX = 33, INGEST_OFFENDER_BYTES = 128 };
struct ingest_limit_hit {
    enum ingest_reason reason;
    bool others;
    char offender[INGEST_OFFENDER_BYTES]; /* metric or label; "" for bounds on all series */
    uint64_t count;                       /* samples */
};
uint32_t ingest_limit_hits(struct ingest *ingest, struct ingest_limit_hit out[INGEST_LIMIT_HITS_MAX]);

/*
 * Rules for series that are not wanted: samples of new series that match one are passed over, as if they had been
 * stored, and counted by rule.  Series that are in the head already go on until they leave it.
 *
 *     struct ingest_drops *d = ingest_drops_new();
 *     ... selectors parsed into ingest_drops_arena(d); ingest_drops_add(d, matchers, count, text) ...
 *     ingest_set_drops(ingest, d);                     // takes d; NULL: no rules
 */
enum { INGEST_DROPS_MAX = 256 };
struct matcher;
struct arena;
struct ingest_drops;
struct ingest_drops *ingest_drops_new(void);
struct arena *ingest_drops_arena(struct ingest_drops *d);
void ingest_drops_add(struct ingest_drops *d, const struct matcher *matchers, uint32_t count, const char *text);
void ingest_drops_free(struct ingest_drops *d); /* one that was not set; accepts NULL */
void ingest_set_drops(struct ingest *ingest, struct ingest_drops *d);
typedef void (*ingest_drop_visit)(void *ctx, const char *rule, uint64_t samples);
uint32_t ingest_drop_counts(struct ingest *ingest, ingest_drop_visit visit, void *ctx);
/* As options.retention_ms, from now on. */
void ingest_set_retention(struct ingest *ingest, int64_t retention_ms);

/* A copy of all counters. */
struct ingest_stats {
    uint64_t requests, requests_refused; /* refused: malformed or transient, nothing stored */
    uint64_t bytes, bytes_decoded;
    uint64_t series, samples, histograms, exemplars, metadata;
    uint64_t rejected[INGEST_REASONS];
    uint64_t canonicalised; /* series whose labels were not in canonical form */
    uint64_t deferred, deferred_bytes; /* requests logged as they came; bytes of them that wait now */
};
void ingest_stats(struct ingest *ingest, struct ingest_stats *out);

#endif
