/*
 * head.h - the series being written: found by a hash, appended to in memory, queried, cut into blocks.
 *
 *     struct head *head;
 *     TRY(head_new(&options, &head, why));
 *     ... checkpoint and log: head_replay_new, head_replay_frame for every frame, head_replay_finish
 *     ... writers: folder ingest, one struct head_appender per ingesting thread
 *     ... readers: head_querier
 *     ... background: head_maintain often; head_cut_* once per block range; head_checkpoint
 *     head_free(head);
 *
 * The head keeps no files.  What it wants to be durable it encodes as records into a buffer of the
 * caller (a lane of the log); it rebuilds itself from the same records (docs/formats/head-records.md).
 *
 * Ownership: head_free frees everything; queriers, cuts and appenders must be closed before.
 * Threads:   any, except where a line says otherwise.
 */
#ifndef HEAD_HEAD_H
#define HEAD_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/slice.h"
#include "storage/exemplar.h"
#include "storage/metadata.h"
#include "storage/querier.h"

struct head;

struct head_options {
    struct random *random;     /* of the hash key; used only within head_new */
    struct mem_budget *budget; /* counts what the head holds; may be NULL */
    uint64_t series_max;       /* active series; more are refused; 0 = no bound, as in the next lines */
    uint64_t daily_series_max; /* series active when the UTC day began and made since */
    uint64_t series_per_metric_max;
    uint64_t values_per_label_max;
    uint64_t new_series_bytes_max; /* no new series while the head holds this much */
    uint32_t exemplars_max;        /* kept in all, the oldest leave first; 0 = none */
    uint32_t metadata_max;         /* metric families with metadata */
    uint32_t cut_series;           /* what head_cut_next hands out at once, about */
    uint32_t seal_samples;         /* a changing series is packed into a chunk from this many samples on */
};
void head_options_default(struct head_options *o);

MUST_CHECK enum err head_new(const struct head_options *o, struct head **out, struct errmsg *why);
void head_free(struct head *head); /* accepts NULL */

/* A copy of all counters, taken without stopping anyone. */
struct head_stats {
    uint64_t series, series_created, series_removed, aliases, label_pairs, label_names, pages;
    uint64_t samples;              /* floats accepted, duplicates not counted */
    uint64_t samples_out_of_order; /* of these, went beside the column: old, or other value for a known time */
    uint64_t samples_duplicate;    /* same time, same bits: nothing was kept */
    uint64_t samples_replaced;     /* of the out-of-order ones: same time as a newest sample, other value */
    uint64_t histograms, exemplars, exemplars_dropped, metadata_updates, metadata_dropped;
    uint64_t exemplars_held, metadata_held;
    uint64_t chunks, chunks_sealed, predicted, looked_up; /* how series were found */
    uint64_t bytes;                                       /* memory of all parts together */
    uint64_t bytes_lines, bytes_columns, bytes_tails, bytes_chunks, bytes_side, bytes_index, bytes_labels,
        bytes_postings;
    uint64_t cuts, replay_lost;
    int64_t mint_ms, maxt_ms; /* of the samples; mint > maxt: none */
};
void head_stats(struct head *head, struct head_stats *out);
/* Memory of all parts together, without walking over anything. */
int64_t head_bytes(struct head *head);

/* ---- reading ---- */

/*
 * A querier over what is in the head now and while it is open.  Labels that it hands out live until it
 * is closed.  times_id of its samples has bit 63 set, so that it never equals that of a block.
 */
MUST_CHECK enum err head_querier(struct head *head, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                                 struct errmsg *why);
/* Metadata by name (empty: all names, in no order); stops when visit returns false.  The entry lives for the call. */
void head_metadata(struct head *head, struct slice metric, metadata_visit visit, void *ctx);

/*
 * Every pair that a series has, with how many have it; pairs of one name come together; false stops.  Only while a
 * querier of the head is open: the pairs live until it is closed.
 */
typedef bool (*head_pair_visit)(void *ctx, const struct label *pair, uint64_t series);
void head_pairs(struct head *head, head_pair_visit visit, void *ctx);

/* Exemplars within the range, of series that satisfy one of the sets (no sets: of all); series by labels_cmp. */
void head_exemplars(struct head *head, const struct matcher_set *sets, uint32_t set_count, int64_t mint_ms,
                    int64_t maxt_ms, exemplar_visit visit, void *ctx);

/* ---- from records ---- */

/* Rebuilds a head that nobody appends to yet; queriers see what is there so far.  Frames must come in the order they
 * were written. */
struct head_replay;
struct head_replay_report {
    uint64_t records, samples, series, metadata, exemplars, histograms;
    uint64_t skipped; /* already part of the checkpoint */
    uint64_t lost;    /* samples whose predecessors are missing (damaged log): they cannot be told */
    uint64_t damaged; /* records that break the format */
    char first_damage[160];
};
struct head_replay *head_replay_new(struct head *head, unsigned threads);
/* ERR_CORRUPT: the rest of this frame was passed over; the replay may go on. */
MUST_CHECK enum err head_replay_frame(struct head_replay *r, struct slice payload, struct errmsg *why);
/* After the pieces of each checkpoint, before those that build upon it and before frames of the log: they may say that
 * some of its series had left. */
void head_replay_settle(struct head_replay *r);
/* Applies what is still buffered and frees r. */
void head_replay_finish(struct head_replay *r, struct head_replay_report *out);

/*
 * A request that was logged as it came, while the head was being rebuilt (folder ingest).  It counts as
 * stored; the head must not be cut and no checkpoint be taken before all are applied.
 */
struct head_deferred {
    uint64_t life, number; /* which: the run of the log that took it, and its number in that run */
    int64_t now_ms;        /* when it came */
    uint64_t stream;
    struct slice body; /* decompressed */
};
void head_record_deferred(struct buf *records, const struct head_deferred *d);
/* Goes into the frame that has the samples of the request as ordinary records. */
void head_record_applied(struct buf *records, uint64_t life, uint64_t number);
/* Those a replay found without the record that they are applied, oldest first; one thread. */
uint64_t head_deferred_count(struct head *head);                    /* any thread */
const struct head_deferred *head_deferred_first(struct head *head); /* NULL: none */
void head_deferred_drop(struct head *head);                         /* the first one */

/*
 * Everything the head holds as records, in pieces of at most a few MiB.  Ingest goes on meanwhile; replaying these
 * pieces and then all frames from the log position at the start of the call on gives the head back (records that are
 * already contained are recognised).  Not at the same time as a cut.
 */
typedef enum err (*head_emit)(void *ctx, struct slice records, struct errmsg *why);
MUST_CHECK enum err head_checkpoint(struct head *head, head_emit emit, void *ctx, struct errmsg *why);
/*
 * What is not part of the newest checkpoint: replaying that one (and those it builds upon), these pieces and all frames
 * from the start of the call on gives the head back.  Only when it is known what the newest one has: it was published,
 * and neither samples nor series have left since.
 */
bool head_changes_known(struct head *head);
MUST_CHECK enum err head_changes(struct head *head, head_emit emit, void *ctx, struct errmsg *why);
void head_changes_published(struct head *head); /* the pieces are durable */
/*
 * The pieces of head_checkpoint are durable: numbers of what left may be used again.  fallback: the checkpoint before this one and the
 * records since then may still be replayed, so only numbers of what left before that one.
 */
void head_checkpoint_published(struct head *head, bool fallback);

/* ---- background: one thread ---- */

/* Packs long tails into chunks, gives back memory nobody can see any more.  False: nothing left to do. */
bool head_maintain(struct head *head, struct cancel *cancel);

/*
 * A cut takes the samples before a time out of the head:
 *
 *     head_cut_begin(head, maxt_ms, &cut);              // from here on older samples land beside it
 *     while (head_cut_window(cut, range_ms, &mint, &maxt)) {      // aligned windows that hold samples
 *         head_cut_select(cut, mint, maxt, block_labels_cmp);
 *         while (head_cut_next(cut, &set, why) == ERR_OK && set)
 *             ... every series of set, in that order: set->reader ... read ... write to a block
 *     }
 *     head_cut_finish(cut);                             // frees the samples; or head_cut_abandon(cut)
 *
 * finish waits for queriers that were opened before it, as they may not know the blocks.  Series
 * without samples leave when their newest one is older than idle_ms before the cut.
 */
struct head_cut;
typedef int (*labels_order)(const struct labels *a, const struct labels *b);
/* Samples with t < before_ms, or before an earlier cut's time that was abandoned, if that is later. */
void head_cut_begin(struct head *head, int64_t before_ms, struct head_cut **out);
/*
 * Samples with t < before_ms of series that have no newer ones, as far as whole pages of 64 neighbours are so (a scrape
 * target that is gone): these series leave long before the others' samples do.  What comes for them meanwhile stays.
 */
void head_cut_begin_idle(struct head *head, int64_t before_ms, struct head_cut **out);
/*
 * Samples with t < before_ms of the series that match one of the selectors (only their matchers count) and of their
 * neighbours on the same pages.  Series that are made after the call are not taken.
 */
MUST_CHECK enum err head_cut_begin_of(struct head *head, int64_t before_ms, const struct selector *selectors,
                                      uint32_t count, struct cancel *cancel, struct head_cut **out, struct errmsg *why);
/* How many series head_cut_begin_idle would take. */
uint64_t head_idle_series(struct head *head, int64_t before_ms);
/*
 * Old samples come in fewer, longer windows, so that a backfill of a year is not thousands of blocks: a sample's window
 * is the longest of these ranges (each a multiple of the one before, base first) that ends before the cut does.  Before
 * the first head_cut_window; borrowed until the cut ends.
 */
void head_cut_ranges(struct head_cut *cut, const int64_t *ranges_ms, uint32_t count);
/* The next window [k*range, (k+1)*range) with samples, both ends inclusive in the results; false: no more. */
bool head_cut_window(struct head_cut *cut, int64_t range_ms, int64_t *mint_ms, int64_t *maxt_ms);
/* Chooses the series that have samples in a window.  order: must compare metric names first. */
void head_cut_select(struct head_cut *cut, int64_t mint_ms, int64_t maxt_ms, labels_order order);
/*
 * The next piece of them in that order, so that no more than a piece's labels are in memory at once; NULL: no
 * more.  The set lives until the next call for this cut.
 */
MUST_CHECK enum err head_cut_next(struct head_cut *cut, struct series_set **out, struct errmsg *why);
/* Frees the cut.  cancel may be NULL; when it fires while waiting, the samples stay as after abandon. */
MUST_CHECK enum err head_cut_finish(struct head_cut *cut, int64_t idle_ms, struct cancel *cancel);
/*
 * Series that match and of which the head holds nothing leave at once (they were deleted); returns how many.  Not at
 * the same time as a cut.
 */
uint64_t head_leave_matching(struct head *head, const struct matcher *matchers, uint32_t count, struct cancel *cancel);
void head_cut_abandon(struct head_cut *cut); /* accepts NULL; everything stays and can be cut again */

/* Every invariant of every structure; slow.  Only while nobody writes. */
void head_check(struct head *head);

#endif
