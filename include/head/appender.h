/*
 * appender.h - how bytes become samples of the head: find the series, append, encode the records.
 *
 * One appender per ingesting thread.  A request goes
 *
 *     head_appender_enter(a, stream);
 *     ... for each series: head_predict / head_lookup by hash       no lock, cheap, may be stale
 *     ... take a lane of the log
 *     head_append(a, rows, n, records);                              rows whose ref is known
 *     ... head_create_begin, head_series_get for the others, head_create_end, head_append again
 *     head_learn(a, a series and who followed it);                   for the next prediction
 *     ... commit the lane
 *     head_appender_leave(a);
 *
 * The lane must be held from the first head_append or head_series_get to the last of a request, as a
 * record only makes sense after its predecessors (wal/wal.h).
 *
 * Canonical label bytes: for each pair, names sorted bytewise, unique, nothing empty, the protobuf
 * field  0a <len> 0a <len> name 12 <len> value  with shortest varints: what every sender writes.
 *
 * Ownership: the head owns appenders' memory parts; free them before the head.
 * Threads:   an appender one at a time; different ones side by side.
 */
#ifndef HEAD_APPENDER_H
#define HEAD_APPENDER_H

#include <stdatomic.h>

#include "base/buf.h"
#include "head/head.h"
#include "head/series_hash.h"

typedef uint32_t series_ref; /* page << 6 | slot; 0 = none.  Never means another series while anyone could hold it */

enum { PAGE_SERIES = 64, SEGMENT_SERIES = 16384, LABEL_COUNT_MAX = 255, LABELS_BYTES_MAX = 65535 };

/* One series: a cache line.  Fields without _Atomic are guarded by the lock of its page. */
struct series_line {
    _Atomic uint64_t hash_lo, hash_hi; /* of the canonical label bytes; lo 0: no series (left or never here) */
    uint64_t last;                     /* bits of the newest value in the stream */
    uint32_t run;                      /* repeats of `last` not yet in the tail */
    uint32_t end;                      /* column index after the newest sample */
    uint32_t first;                    /* column index where the tail starts */
    _Atomic uint32_t tail;             /* newest tail line; 0: none (readable any time as a prefetch hint) */
    _Atomic uint32_t tail_first;       /* oldest tail line; a hint like `tail` */
    uint32_t labels;                   /* where its pair ids start in the page's label bytes; constant */
    _Atomic uint16_t label_bytes;      /* length of the canonical label bytes; constant while it lives */
    uint8_t fill;                      /* bytes used in the newest tail line */
    uint8_t label_count;               /* constant */
    uint32_t flags;                    /* enum line_flags of the head */
    struct series_more *more;          /* chunks, samples beside the column; NULL for most */
};
_Static_assert(sizeof(struct series_line) == 64, "a series is one cache line");

/* Tables of what prediction looks at; 16,384 series or tail lines (64 bytes each) per entry. */
struct tail_line;
struct head_lines {
    struct series_line *_Atomic *lines;    /* [segment] -> first line; NULL: not there */
    _Atomic uint64_t *_Atomic *successors; /* [segment] -> series seen after this one; upper half: HEAD_AHEAD later */
    struct tail_line *_Atomic *tails;      /* [segment] -> first tail line */
};
const struct head_lines *head_lines(struct head *head);
const struct series_hash_key *head_hash_key(struct head *head);

/* ref must have come from this head. */
static inline struct series_line *head_line(const struct head_lines *l, series_ref ref)
{
    return atomic_load_explicit(&l->lines[ref / SEGMENT_SERIES], memory_order_acquire) + ref % SEGMENT_SERIES;
}

static inline _Atomic uint64_t *head_successor(const struct head_lines *l, series_ref ref)
{
    return atomic_load_explicit(&l->successors[ref / SEGMENT_SERIES], memory_order_acquire) + ref % SEGMENT_SERIES;
}

/* The series that followed this one the last time; 0: none yet.  head_predict(l, 0) is 0. */
static inline series_ref head_predict(const struct head_lines *l, series_ref ref)
{
    return (series_ref)atomic_load_explicit(head_successor(l, ref), memory_order_acquire);
}

/*
 * Fetches what recognising the series will need that came HEAD_AHEAD after this one the last time.  It is remembered apart:
 * to follow so many successors would be a chain of misses in an order that is not that of memory.
 */
enum { HEAD_AHEAD = 16 };
static inline void head_prefetch_ahead(const struct head_lines *l, series_ref ref)
{
    series_ref ahead = (series_ref)(atomic_load_explicit(head_successor(l, ref), memory_order_acquire) >> 32);
    __builtin_prefetch(head_line(l, ahead), 1);
    __builtin_prefetch((const void *)(uintptr_t)head_successor(l, ahead));
}

/* Fetches the place where the next change of the series goes. */
static inline void head_prefetch_tail(const struct head_lines *l, const struct series_line *line)
{
    enum { TAIL_BYTES_EACH = 64 };
    uint32_t tail = atomic_load_explicit(&line->tail, memory_order_relaxed);
    const struct tail_line *first = atomic_load_explicit(&l->tails[tail / SEGMENT_SERIES], memory_order_relaxed);
    __builtin_prefetch((const char *)first + (size_t)(tail % SEGMENT_SERIES) * TAIL_BYTES_EACH, 1);
}

static inline bool head_line_is(const struct series_line *line, struct hash128 hash)
{
    return atomic_load_explicit(&line->hash_lo, memory_order_relaxed) == hash.lo &&
           atomic_load_explicit(&line->hash_hi, memory_order_relaxed) == hash.hi;
}

/* A sample on its way in. */
struct head_row {
    series_ref ref; /* 0: not known yet; head_append passes such rows over */
    uint32_t at;    /* the caller's: where its labels are in the request */
    int64_t time_ms;
    uint64_t bits; /* of the value */
};

struct head_appender;
struct head_appender *head_appender_new(struct head *head);
void head_appender_free(struct head_appender *a); /* accepts NULL */

/* stream: any number that tells senders apart; series of one sender and one time get to live together. */
void head_appender_enter(struct head_appender *a, uint64_t stream);
void head_appender_leave(struct head_appender *a);

/*
 * By hash of canonical bytes or of another spelling that was added as an alias; 0: unknown.  Many are looked up in three
 * passes, some series apart: _prefetch fetches the place in the index, _prefetch_line what it leads to.
 */
void head_lookup_prefetch(struct head_appender *a, struct hash128 hash);
void head_lookup_prefetch_line(struct head_appender *a, struct hash128 hash);
series_ref head_lookup(struct head_appender *a, struct hash128 hash);

/*
 * The series with these canonical label bytes (SERIES_HASH_SLACK readable bytes behind them), created
 * when it is unknown; then records get what replay needs.  time_ms: of its first sample, decides which
 * series it lives next to.  ERR_LIMIT: head_refusal says which bound.  Only between create_begin and create_end, which
 * keep other creators out: once per request, not per series.
 */
void head_create_begin(struct head_appender *a);
void head_create_end(struct head_appender *a);
MUST_CHECK enum err head_series_get(struct head_appender *a, struct slice canonical, struct hash128 hash,
                                    int64_t time_ms, struct buf *records, series_ref *out);
/* The bound that the last ERR_LIMIT met. */
enum head_limit {
    HEAD_LIMIT_SERIES, /* series_max; also when the numbers of series are used up */
    HEAD_LIMIT_DAILY,
    HEAD_LIMIT_MEMORY,
    HEAD_LIMIT_METRIC, /* offender: the metric's name */
    HEAD_LIMIT_VALUES, /* offender: the label's name */
};
struct head_refusal {
    enum head_limit limit;
    uint64_t max;
    struct slice offender; /* within the bytes that were asked for */
};
const struct head_refusal *head_refusal(const struct head_appender *a);
/* The UTC day by which daily_series_max counts; between create_begin and create_end. */
void head_day(struct head *head, int64_t day);
/* From now on head_lookup finds ref by this hash too (dropped when there are too many).  As series_get. */
void head_alias_add(struct head_appender *a, struct hash128 hash, series_ref ref);

/*
 * Appends the rows whose ref is not 0, in order, and sets ref to 0 where the series left the head
 * meanwhile; returns how many did (get the series again, then append those rows).  records may be
 * NULL: nothing is logged.
 */
uint32_t head_append(struct head_appender *a, struct head_row *rows, uint32_t count, struct buf *records);

/* The newest sample of a series; false: it holds none. */
struct head_newest {
    int64_t time_ms;
    uint64_t bits;  /* of a float */
    bool histogram; /* a native histogram */
};
bool head_newest(struct head_appender *a, series_ref ref, struct head_newest *out);
/* Whether the newest native histogram of the series is this one. */
bool head_newest_is_histogram(struct head_appender *a, series_ref ref, const struct histogram *hist);

/* Whether it can be kept: not absurdly many buckets. */
bool head_histogram_fits(const struct histogram *hist);
/*
 * Appends a native histogram (valid, schema at most HISTOGRAM_SCHEMA_MAX or custom).  False: the series
 * left the head meanwhile; get it again.
 */
bool head_histogram_append(struct head_appender *a, series_ref ref, int64_t time_ms, const struct histogram *hist,
                           struct buf *records);

/*
 * Appends an exemplar; labels: canonical label bytes, may be empty.  False: it was older than the newest
 * one of its series, or the bound is 0, and was dropped.
 */
bool head_exemplar_append(struct head_appender *a, series_ref ref, int64_t time_ms, double value, struct slice labels,
                          struct buf *records);

/* For the figures: how many series were guessed, how many looked up. */
void head_count_found(struct head_appender *a, uint64_t predicted, uint64_t looked_up);
/* Remembers that `next` came after `ref`; and that `ahead` came HEAD_AHEAD after it.  0: none, nothing is remembered. */
void head_learn(struct head_appender *a, series_ref ref, series_ref next);
void head_learn_ahead(struct head_appender *a, series_ref ref, series_ref ahead);

/* Stores metadata when it differs from what is known; false: the bound of families is reached. */
bool head_metadata_set(struct head_appender *a, const struct metadata *m, struct buf *records);

/* ERR_NO_MEMORY when the head's budget is spent: refuse the request before anything is appended. */
MUST_CHECK enum err head_room(struct head_appender *a, struct errmsg *why);
/* The labels of a series as text, for messages to senders. */
void head_series_print(struct head *head, series_ref ref, struct buf *out);

#endif
