/*
 * tsdb.h - one data directory: log, head and blocks as one store.
 *
 *     struct tsdb_options o;
 *     tsdb_options_default(&o);
 *     o.dir = "gnomon-data"; ...
 *     TRY(tsdb_open(&o, &db, why));       // lock, manifest, blocks: answers queries from blocks at once
 *     struct storage *s = tsdb_storage(db);
 *     ... tsdb_accepting(db): the log takes records; ingest logs requests as they come (deferring)
 *     ... tsdb_replayed(db): the head has the log; ingest_catch_up until it is through, tsdb_live(db)
 *     ... tsdb_ready(db): from here on it flushes, takes checkpoints, merges
 *     TRY(tsdb_close(db, why));
 *
 * Writers encode into a lane of tsdb_wal() while they append to tsdb_head() (folder ingest does that).
 * A background thread flushes the head to level-0 blocks, merges blocks, drops what is past retention
 * and bounds the log.  What damage does: docs/formats/data-directory.md.
 *
 * Ownership: tsdb_close frees head, log and blocks; queriers must be closed before.
 * Threads:   any, but open and close.
 */
#ifndef TSDB_TSDB_H
#define TSDB_TSDB_H

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "head/head.h"
#include "storage/querier.h"
#include "wal/wal.h"

struct tsdb;

struct tsdb_options {
    struct fs *fs;
    struct clock *clock;
    struct random *random;
    const char *dir;            /* copied */
    int64_t retention_ms;       /* samples older than now - retention are gone; 0 = keep all */
    uint64_t retention_bytes;   /* of the whole directory; 0 = no bound */
    int64_t block_range_ms;     /* of level 0; head is flushed in pieces aligned to it */
    int64_t block_range_max_ms; /* merged blocks span at most this (and a tenth of the retention) */
    uint64_t checkpoint_bytes;  /* of log after which a checkpoint is taken */
    int64_t checkpoint_ms;      /* and age of log */
    uint64_t block_bytes_max;   /* blocks that are larger together are not merged; 0 = no bound */
    uint64_t io_bytes_per_s;    /* bound of background writing; 0 = none */
    uint64_t reserve_bytes;     /* given up when the disk is full, so that the manifest can still be written */
    uint64_t head_bytes_max;    /* head memory that triggers an early flush; 0 = none */
    uint64_t idle_series_min;   /* so many series of targets that are gone leave the head by themselves; 0: never */
    int64_t snapshots_age_ms;   /* snapshots older than this are deleted; 0 = never */
    unsigned snapshots_max;     /* further ones are refused; 0 = no bound */
    bool flush_on_close;        /* write the head to a block at shutdown instead of keeping it in the log */
    bool defers;                /* its owner calls tsdb_live; else it is ready once replayed, unless requests wait */
    bool manual;                /* no threads: the caller runs tsdb_run_once (simulation, tests) */
    struct mem_budget *head_budget, *cache_budget; /* may be NULL */
    uint64_t cache_bytes;     /* of decoded block pages; 0 = what cache_budget allows, else 256 MiB */
    unsigned replay_threads;  /* 0 = cores */
    struct head_options head; /* random and budget are set by tsdb_open */
    struct wal_options wal;   /* fs, clock, dir, id, manual are set by tsdb_open */
};
void tsdb_options_default(struct tsdb_options *o);

/* ERR_EXISTS: another process has it.  ERR_UNSUPPORTED: written by a newer version.  Damage is not an error. */
MUST_CHECK enum err tsdb_open(const struct tsdb_options *o, struct tsdb **out, struct errmsg *why);
/* Commits and syncs the log, stops the threads, closes everything.  Accepts NULL. */
enum err tsdb_close(struct tsdb *db, struct errmsg *why);

struct storage *tsdb_storage(struct tsdb *db);
struct head *tsdb_head(struct tsdb *db);
struct wal *tsdb_wal(struct tsdb *db);

/* True once requests can be logged. */
bool tsdb_accepting(const struct tsdb *db);
/* True once the head has what the log has, but for requests that were logged as they came. */
bool tsdb_replayed(const struct tsdb *db);
/* Nothing waits to be applied any more (ingest_catch_up): ready. */
void tsdb_live(struct tsdb *db);
/* True once everything acknowledged is in the head. */
bool tsdb_ready(const struct tsdb *db);
/* Waits for it; ERR_UNAVAILABLE with the reason when it failed or is closing. */
MUST_CHECK enum err tsdb_wait_ready(struct tsdb *db, struct errmsg *why);

/* Writes everything the head holds into blocks now (tests, admin, snapshots). */
MUST_CHECK enum err tsdb_flush(struct tsdb *db, struct errmsg *why);
/* Manual mode: one round of what the background thread does.  True: it did something. */
bool tsdb_run_once(struct tsdb *db);

/*
 * Snapshots: snapshots/<name> in the data directory becomes a data directory of its own with everything
 * acknowledged before the call.  Hard links and a copy of the log since the last checkpoint, so it takes
 * milliseconds and hardly any space; ingest goes on.  ERR_LIMIT: there are snapshots_max already.
 */
enum { TSDB_SNAPSHOT_NAME = 64 };
enum tsdb_snapshot_style { TSDB_SNAPSHOT_PROMETHEUS, TSDB_SNAPSHOT_VICTORIAMETRICS }; /* form of the name */
MUST_CHECK enum err tsdb_snapshot(struct tsdb *db, enum tsdb_snapshot_style style, bool skip_head,
                                  char name[TSDB_SNAPSHOT_NAME], struct errmsg *why);
/* Their names, sorted; stops when visit returns false. */
MUST_CHECK enum err tsdb_snapshots(struct tsdb *db, bool (*visit)(void *ctx, const char *name), void *ctx,
                                   struct errmsg *why);
MUST_CHECK enum err tsdb_snapshot_delete(struct tsdb *db, const char *name, struct errmsg *why);
/*
 * A snapshot without the server, or beside one that is not asked (backups).  ERR_IO: nothing can be written in dir.
 * The next start, or tsdb_snapshot_dir_remove, removes what an interrupted one leaves.
 */
MUST_CHECK enum err tsdb_snapshot_dir(struct fs *fs, struct clock *clock, struct random *random, const char *dir,
                                      char name[TSDB_SNAPSHOT_NAME], struct errmsg *why);
MUST_CHECK enum err tsdb_snapshot_dir_remove(struct fs *fs, const char *dir, const char *name, struct errmsg *why);
/* A file with this name: a backup is being restored there, no server may start on it. */
#define TSDB_RESTORING "restoring"

struct tsdb_stats {
    _Atomic uint64_t flushes, flush_errors, flush_ns, flushed_samples;
    _Atomic uint64_t backoffs; /* times that background writing was slowed because the log's syncs were slow */
    _Atomic uint64_t compactions, compaction_errors, compaction_ns, compacted_bytes;
    _Atomic uint64_t checkpoints, checkpoint_errors, checkpoint_ns, checkpoint_bytes;
    _Atomic uint64_t checkpoint_changes; /* of the checkpoints: only with what was new */
    _Atomic uint64_t checkpoint_frame;   /* the newest frame of the log that a restart need not read */
    _Atomic uint64_t snapshots, snapshots_made, snapshot_errors; /* now there; since the start */
    _Atomic uint64_t blocks_dropped_by_time, blocks_dropped_by_size;
    _Atomic uint64_t blocks, block_bytes;
    _Atomic uint64_t blocks_missing, blocks_quarantined; /* that nobody has acknowledged */
    _Atomic uint64_t damaged_blocks, damaged_places, damaged_series; /* of blocks in use */
    _Atomic uint64_t losses; /* ranges of time from which damage took samples: tsdb_losses; not acknowledged */
    _Atomic uint64_t losses_acknowledged; /* of these, of quarantined and of missing blocks */
    _Atomic uint64_t deletes, delete_errors, tombstones, tombstone_files_damaged;
    /* blocks written anew because something in them does not count any more */
    _Atomic uint64_t cleanings, cleaning_errors, cleaned_blocks, cleaned_bytes_before, cleaned_bytes_after;
    _Atomic uint64_t clean_running, clean_blocks, clean_blocks_done; /* of tsdb_clean_tombstones now */
    _Atomic uint64_t retention_rules;
    _Atomic uint64_t replay_bytes, replay_bytes_done, replay_ns, replay_frames, replay_lost_frames, replay_damage;
};
struct tsdb_stats *tsdb_stats(struct tsdb *db);

struct tsdb_block_info {
    char ulid[27];
    uint32_t level;
    int64_t mint_ms, maxt_ms; /* inclusive, of the samples in it */
    uint64_t series, samples, bytes;
    uint64_t deleted_series; /* of these: nothing is left of them */
    const char *problem;     /* NULL, or why it is not used: "missing", "quarantined: ..." */
};
/* Calls visit for every block the manifest lists, oldest first; stops when it returns false. */
void tsdb_blocks(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_block_info *info), void *ctx);

struct tsdb_damage_info {
    char ulid[27];
    /* "quarantined", "unreadable": not in use; "damaged": what is on bad pages is left out; "repaired": nothing is lost
     */
    const char *state, *what;
    int64_t mint_ms, maxt_ms; /* of what may be missing; mint > maxt: nothing */
    bool acknowledged;        /* answers do not warn of it any more */
    uint64_t series;          /* concerned */
    uint32_t named;           /* the first of them, where their labels can be read */
    const char *const *names; /* live for the call */
};
/* Everything that is known to be damaged; stops when visit returns false, which must not call into the store. */
void tsdb_damage(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_damage_info *info), void *ctx);
/* Calls visit for every range from which stored samples were lost; they are listed until retention has passed them. */
struct tsdb_loss_info {
    int64_t mint_ms, maxt_ms;
    const char *why;   /* lives for the call */
    bool acknowledged; /* answers do not warn of it any more */
};
void tsdb_losses(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_loss_info *info), void *ctx);
/*
 * Somebody knows of the losses and of the blocks out of use within mint..maxt: they stay listed, and answers warn of them
 * no more.  Blocks in use that lack samples are written anew without what cannot be read (the damaged ones go to
 * quarantine/), so that it does not warn either; may take long.  ERR_OK: what is counted is durable.
 */
struct tsdb_acknowledged {
    uint64_t count;     /* not acknowledged before */
    uint64_t rewritten; /* of these: blocks that were in use */
    uint64_t left;      /* damaged blocks in use that could not be written anew: their answers go on warning */
};
MUST_CHECK enum err tsdb_acknowledge(struct tsdb *db, int64_t mint_ms, int64_t maxt_ms, struct tsdb_acknowledged *out,
                                     struct errmsg *why);

/* ---- deleting (docs/api.md; src/tsdb/README.md) ---- */

struct tsdb_selector {
    const struct matcher *matchers;
    uint32_t count;
};
/*
 * Samples with mint <= t <= maxt of series that match one of the selectors, as far as they are stored now: what is
 * written later stays, whatever its time.
 */
struct tsdb_delete {
    const struct tsdb_selector *selectors;
    uint32_t selector_count;
    int64_t mint_ms, maxt_ms;
};
/*
 * When it returns ERR_OK the samples are out of all answers and the decision is durable; the space comes back with
 * later merges, or at once with tsdb_clean_tombstones.  What the head holds in the range is flushed first.
 * ERR_UNAVAILABLE: the log is not replayed yet.  ERR_LIMIT: too many deletions wait.
 */
MUST_CHECK enum err tsdb_delete(struct tsdb *db, const struct tsdb_delete *d, struct errmsg *why);
/* Writes all blocks anew of which something does not count any more.  May take long. */
MUST_CHECK enum err tsdb_clean_tombstones(struct tsdb *db, struct errmsg *why);

struct tsdb_affected {
    uint64_t series;  /* that have samples in the range, or would lose some */
    uint64_t samples; /* of blocks and head */
    uint64_t head_samples;
    uint64_t bytes;  /* of blocks, about */
    uint64_t blocks; /* that would be written anew or dropped */
};
/* What tsdb_delete would take away. */
MUST_CHECK enum err tsdb_delete_dry_run(struct tsdb *db, const struct tsdb_delete *d, struct cancel *cancel,
                                        struct tsdb_affected *out, struct errmsg *why);

struct tsdb_tombstone_info {
    uint64_t number;
    const char *selector;
    int64_t mint_ms, maxt_ms, made_ms;
    uint32_t blocks; /* that may still hold such samples */
};
/* Deletions that are not carried out on the disk yet, oldest first; stops when visit returns false. */
void tsdb_tombstones(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_tombstone_info *info), void *ctx);

/* ---- retention by selector ---- */

enum { TSDB_RULES_MAX = 63 };
struct tsdb_rule {
    struct tsdb_selector selector;
    int64_t keep_ms; /* 0: for ever */
};
/* Replaces all rules, at once for queries.  Of several that match a series the shortest counts.  Copies. */
MUST_CHECK enum err tsdb_set_rules(struct tsdb *db, const struct tsdb_rule *rules, uint32_t count, struct errmsg *why);
/*
 * What is on the disk and would go, by rule, if these were the rules; out[count] is for series without one.
 * `series` counts a series once per block.
 */
MUST_CHECK enum err tsdb_rules_dry_run(struct tsdb *db, const struct tsdb_rule *rules, uint32_t count,
                                       struct cancel *cancel, struct tsdb_affected *out, struct errmsg *why);
/* The rules in force, copied into the arena. */
struct tsdb_rule *tsdb_rules(struct tsdb *db, struct arena *arena, uint32_t *count);
/* A selector as text. */
void tsdb_selector_print(const struct tsdb_selector *selector, struct buf *out);
/* Samples older than this are of no use to anyone: what ingest need not take. */
int64_t tsdb_horizon_ms(struct tsdb *db);
/*
 * Lets series leave the head that match, in the background; their samples go to blocks.  For series that are not
 * wanted any more: the next sample of one is that of an unknown series, and can be refused.  Copies.
 */
MUST_CHECK enum err tsdb_expel(struct tsdb *db, const struct tsdb_selector *selectors, uint32_t count,
                               struct errmsg *why);

/* The whole directory checked byte by byte, offline or beside a running server; prints findings to `out`. */
struct tsdb_verify_options {
    bool json;
    bool quick; /* checksums of headers and sections only, no decoding of chunks */
};
MUST_CHECK enum err tsdb_verify(struct fs *fs, const char *dir, const struct tsdb_verify_options *o, struct buf *out,
                                uint64_t *problems, struct errmsg *why);
/*
 * The same beside the work of this store, in a thread of its own that reads at most io_bytes_per_s (64 MiB/s where
 * there is no bound).  The log's frames are checked and not decoded.  What is found in blocks is known to tsdb_damage
 * soon after.  ERR_EXISTS: one is running.
 */
MUST_CHECK enum err tsdb_verify_start(struct tsdb *db, bool quick, struct errmsg *why);
void tsdb_verify_cancel(struct tsdb *db); /* returns at once */
struct tsdb_verify_state {
    const char *state;               /* "never", "running", "done", "canceled", "failed" */
    const char *error;               /* of failed, else "" */
    int64_t started_ms, finished_ms; /* 0: not yet */
    uint64_t bytes, blocks, blocks_done, problems;
    struct slice report; /* JSON once it is done, else empty */
};
/* Of the last one; texts are copied into the arena. */
void tsdb_verify_state(struct tsdb *db, struct arena *arena, struct tsdb_verify_state *out);

/* What is in it: files, log segments and frames, manifest, blocks. */
MUST_CHECK enum err tsdb_inspect(struct fs *fs, const char *dir, bool json, struct buf *out, struct errmsg *why);

/*
 * More of it, also of a directory that is damaged, in use or of a snapshot: what is on the disk, deleted or not.  Rows
 * are written as they are made.
 */
struct tsdb_inspect_options {
    enum tsdb_inspect_what { TSDB_INSPECT_SERIES, TSDB_INSPECT_SYMBOLS, TSDB_INSPECT_INDEX, TSDB_INSPECT_WAL } what;
    bool json;
    struct tsdb_selector selector; /* series: these; none: all */
    const char *name;              /* symbols: the values of this label; NULL: all names */
    uint64_t limit;                /* rows; 0: all */
    enum err (*write)(void *ctx, struct slice text);
    void *ctx;
};
MUST_CHECK enum err tsdb_inspect_part(struct fs *fs, const char *dir, const struct tsdb_inspect_options *o,
                                      struct errmsg *why);
/*
 * tsdb_rules_dry_run over a directory, as of now_ms, and what of it matches each of the `drop` selectors: of these
 * `series` counts a series once.  Beside a running server or without one.
 */
struct tsdb_rules_request {
    const struct tsdb_rule *rules;
    uint32_t rule_count;
    const struct tsdb_selector *drops;
    uint32_t drop_count;
    int64_t now_ms, retention_ms; /* retention_ms: of series without a rule; 0: for ever */
};
MUST_CHECK enum err tsdb_rules_check(struct fs *fs, const char *dir, const struct tsdb_rules_request *q,
                                     struct tsdb_affected *by_rule /* [rule_count + 1] */,
                                     struct tsdb_affected *by_drop /* [drop_count] */, struct errmsg *why);

#endif
