/*
 * ingest_internal.h - one lane: a request on its way from bytes to samples.
 *
 * Threads: a lane belongs to the thread that uses it.
 */
#ifndef INGEST_INGEST_INTERNAL_H
#define INGEST_INGEST_INTERNAL_H

#include <stdio.h>

#include "base/arena.h"
#include "base/lock.h"
#include "head/appender.h"
#include "ingest/ingest.h"

enum { STREAMS = 256, RAW_SLACK = 64, OFFENDERS = 3 };
#define ROW_REJECTED UINT32_MAX /* row.at of a sample that is not stored */

/* A series that prediction did not give; its rows have ref 0 and the same `at`. */
struct miss {
    uint32_t at, len;          /* its label fields, or with `scattered` its whole message */
    bool scattered;            /* labels do not stand together */
    bool other_spelling;       /* the bytes are not canonical */
    bool made;                 /* ref is sure to be there until the request ends */
    enum ingest_reason reason; /* INGEST_REASONS: it may be stored */
    series_ref ref;            /* 0: not in the head yet */
    struct hash128 hash;       /* of the bytes as they stand; not set when scattered */
    struct slice canonical;    /* set when the bytes are not known to the head */
    struct hash128 canonical_hash;
    _Atomic uint64_t *dropped; /* counter of the rule that does not want it; NULL: none */
};

/* Something of a series that is no float sample. */
enum extra_kind { EXTRA_EXEMPLAR, EXTRA_HISTOGRAM };
struct extra {
    enum extra_kind kind;
    uint32_t message_at, message_len; /* the exemplar or histogram */
    uint32_t at;                      /* of the series, as in rows */
    uint32_t label_len;               /* bytes at `at` with the labels */
    series_ref ref;                   /* 0: not known yet */
    bool rejected;
    struct miss *miss; /* when the series was not predicted */
    int64_t time_ms;
    const struct histogram *hist; /* in arena memory; NULL: breaks a rule */
    double value;                 /* of an exemplar */
    struct slice labels;          /* of an exemplar, canonical */
    bool usable;                  /* its labels obey the rules */
};

/* Where the last request of a sender ended, for the prediction of the next one's first series. */
struct stream {
    uint64_t id;
    series_ref last;
    series_ref trail[HEAD_AHEAD]; /* the last ones; [trail_at % HEAD_AHEAD]: the oldest of them */
    uint32_t trail_at;
};

struct ingest_counts {
    _Atomic uint64_t requests, refused, bytes, bytes_decoded;
    _Atomic uint64_t series, samples, histograms, exemplars, metadata, canonicalised;
    _Atomic uint64_t rejected[INGEST_REASONS];
};

/* What rewriting a message of version 2.0 needs; kept from request to request. */
struct version2 {
    struct buf out, series, message;
    struct slice *symbols; /* views of the request */
    size_t symbol_count, symbol_capacity;
};

struct lane {
    struct ingest *ingest;
    struct head_appender *appender;
    struct wal_lane *wal; /* NULL: nothing is logged */
    struct ingest_counts counts;
    struct stream streams[STREAMS];
    uint8_t *raw; /* the decoded request and RAW_SLACK bytes */
    size_t raw_len, raw_capacity;
    struct ZSTD_DCtx_s *zstd; /* NULL until a sender uses it */
    struct head_row *rows;
    size_t row_count, row_capacity;
    struct miss *misses;
    size_t miss_count, miss_capacity;
    struct extra *extras;
    size_t extra_count, extra_capacity;
    struct slice *metadata_messages;
    size_t metadata_count, metadata_capacity;
    struct metadata *metadata; /* [metadata_count], in arena memory */
    uint32_t series_count, predicted, rows_rejected;
    struct head_row *late; /* rows whose series had to be made first */
    size_t late_capacity;
    struct arena arena;   /* of one request */
    struct ingest_drops *drops; /* held while a request has unknown series; NULL: not yet */
    struct buf offenders; /* text for the sender */
    struct buf detail;    /* of the next offender: which bound */
    struct version2 version2;
    uint32_t offender_count;
    bool deferred; /* the request at hand was accepted before */
};

/* What was refused lately (refusals.c). */
struct refusals {
    struct mutex lock; /* a leaf */
    struct ingest_limit_hit hits[INGEST_LIMIT_HITS_MAX];
    uint32_t hit_count;
    int64_t next_ns[INGEST_REASONS]; /* when the log may speak of it again */
    uint64_t untold[INGEST_REASONS];
};

/* A request that waits for the head; its record is in the log. */
struct waiting {
    struct waiting *next;
    uint64_t number, stream;
    int64_t now_ms;
    size_t len;
    uint8_t body[];
};

struct ingest {
    struct ingest_options options;
    _Atomic int64_t retention_ms; /* options.retention_ms, until it is changed */
    struct mutex drops_lock;
    struct ingest_drops *drops; /* guarded by drops_lock; NULL: no rules */
    _Atomic bool has_drops;
    struct refusals refusals;
    _Atomic int64_t newest_ms; /* strict: newest sample of the head; INT64_MIN: none */
    struct lane **lanes;    /* [options.lanes] */
    _Atomic bool deferring; /* changes under defer_lock, once */
    struct mutex defer_lock; /* before a lane of the log */
    struct waiting *first, **last; /* guarded by defer_lock */
    uint64_t next_number;          /* guarded by defer_lock */
    bool said;                     /* that the log refuses; who catches up */
    _Atomic uint64_t deferred, deferred_bytes;
};

/* ---- ingest.c ---- */
void ingest_newest_find(struct ingest *ingest); /* sets newest_ms from the head */
void lane_release(struct lane *l); /* gives back the arrays that grew with a request */

/* ---- scan.c ---- */
/* Fills rows, misses, extras, metadata and series_count from lane->raw; `previous`: the series before the first one. */
MUST_CHECK enum err scan_request(struct lane *l, series_ref previous, struct errmsg *why);

/* ---- drops.c ---- */
/* Gives a miss that is new and not wanted its reason. */
void drops_check(struct lane *l, struct miss *m);
void drops_count(const struct miss *m); /* one sample of it was passed over */
void drops_release(struct lane *l);

/* ---- canonical.c ---- */
/*
 * Parses the label fields of a miss and gives it its canonical bytes (the request's own when they are
 * canonical already, else in l->arena) or a reason why it is refused.  ERR_INVALID: broken protobuf.
 */
MUST_CHECK enum err canonical_make(struct lane *l, struct miss *m, struct errmsg *why);
/*
 * Labels that need no metric name (exemplars): canonical bytes in arena memory; *fine: they obey the rules;
 * *runes: characters of names and values together.  False: broken protobuf.
 */
bool canonical_any(struct lane *l, struct slice message, struct slice *out, bool *fine, size_t *runes);
/* The labels in a message as text for the sender: bounded, escaped. */
void canonical_print(struct lane *l, struct slice message, struct buf *out);

/* ---- meta_scan.c ---- */
MUST_CHECK enum err metadata_parse(struct lane *l, struct errmsg *why);

/* ---- hist_scan.c ---- */
bool histogram_parse(struct lane *l, struct extra *e); /* false: broken protobuf */

/* ---- extras.c ---- */
MUST_CHECK enum err extras_parse(struct lane *l, struct errmsg *why);
void extras_check(struct lane *l, struct ingest_result *result, int64_t oldest_ms, int64_t newest_ms);
void extras_store(struct lane *l, struct buf *records, struct ingest_result *result);

/* ---- strict.c ---- */
/* ERR_INVALID: the request must be refused, `why` has Prometheus' text.  After find_misses. */
MUST_CHECK enum err strict_check(struct lane *l, int64_t future_ms, struct errmsg *why);
void strict_stored(struct lane *l);

/* ---- refusals.c ---- */
void refusals_init(struct refusals *r);
void refusals_deinit(struct refusals *r);
void refusals_hit(struct refusals *r, enum ingest_reason reason, struct slice offender);
void refusals_log(struct refusals *r, int64_t now_ns, enum ingest_reason reason, uint64_t count, struct slice offenders);

/* ---- write.c ---- */
void reject_row(struct lane *l, struct head_row *row);
/* Why make_series said ERR_LIMIT; counts it and keeps the text for the next reject. */
enum ingest_reason limit_met(struct lane *l);
/* The miss that starts at `at`; call with growing `at` and the same *from. */
struct miss *miss_of(struct lane *l, uint32_t at, size_t *from);
/* A series that was recognised but left the head before the append. */
struct miss *revive(struct lane *l, uint32_t at, struct miss *again);
/* Gets or makes the series; sets m->ref.  ERR_LIMIT: no more series.  Between head_create_begin and _end. */
MUST_CHECK enum err make_series(struct lane *l, struct miss *m, int64_t time_ms, struct buf *records);
/* Counts rejected samples and remembers the first offenders. */
void reject(struct lane *l, struct ingest_result *result, enum ingest_reason reason, uint32_t count, uint32_t at,
            uint32_t len, int64_t time_ms);

/* ---- defer.c ---- */
void defer_init(struct ingest *ingest);
void defer_deinit(struct ingest *ingest);
/*
 * Logs the request in l->raw as it is, if it must wait.  ERR_NOT_FOUND: it need not, the head is ready.
 * ERR_OK: done, with the ticket; the result may be gone.
 */
MUST_CHECK enum err defer_request(struct lane *l, const struct ingest_request *req, int64_t now_ms,
                                  struct ingest_result *result);

/* ---- write.c ---- */
/* A request that waited, named by life and number, into the head; lane used by nobody else. */
MUST_CHECK enum err write_deferred(struct lane *l, const struct head_deferred *d, struct errmsg *why);
void finish(struct lane *l, struct ingest_result *result); /* figures and text of a request, before its ticket is given away */

/* ---- decode.c ---- */
void decode_deinit(struct lane *l);
MUST_CHECK enum err decode_body(struct lane *l, const struct ingest_request *req, struct errmsg *why);
/* Makes bytes that need no decompression the request. */
MUST_CHECK enum err decode_plain(struct lane *l, struct slice bytes, struct errmsg *why);

/* ---- version2.c ---- */
/* lane->raw, a message of 2.0, becomes one of 1.0. */
MUST_CHECK enum err version2_rewrite(struct lane *l, struct errmsg *why);
void version2_release(struct lane *l);

#endif
