/*
 * tsdb_internal.h - struct tsdb and what its files share.
 *
 * Locks, outermost first: head_work (one of flush, checkpoint, maintenance at a time) and block_work
 * (one of compaction, retention), each held over long work; manifest_lock (over one change of the
 * manifest, which syncs) and stones_lock (the same for the tombstones); set_lock, masks.lock and state_lock are leaves.
 */
#ifndef TSDB_TSDB_INTERNAL_H
#define TSDB_TSDB_INTERNAL_H

#include "base/lock.h"
#include "block/block.h"
#include "tsdb/damage.h"
#include "tsdb/manifest.h"
#include "tsdb/masks.h"
#include "tsdb/rules.h"
#include "tsdb/tombstones.h"
#include "tsdb/tsdb.h"

enum { TSDB_PATH_BYTES = 1024, TSDB_DIR_BYTES_MAX = 900 };

struct compact_ranges;
/* REPLAYED: the head has all of the log but requests that were logged as they came; its owner applies them. */
enum tsdb_state { TSDB_REPLAYING, TSDB_REPLAYED, TSDB_READY, TSDB_FAILED, TSDB_CLOSING };

/* A block that cannot be used, as text for warnings. */
struct block_problem {
    int64_t mint_ms, maxt_ms;
    char text[256];
};

/* The blocks of a moment; immutable, counted.  Queriers keep the one they started with. */
struct block_set {
    _Atomic uint32_t refs;
    uint32_t count, problem_count;
    struct block **list;            /* rising seq_max, each one reference held */
    struct block_problem *problems; /* missing, unreadable or quarantined ones */
};

/* Syncs of the log since the last look. */
struct sync_watch {
    uint64_t syncs, ns;
};

enum { THROTTLE_SLOWED_MAX = 5 };

struct throttle {
    uint64_t bytes_per_s;
    int64_t next_ns; /* when the bytes so far are paid for */
    int64_t looked_ns;
    struct sync_watch watch;
    uint32_t slowed; /* the rate is halved this many times, as the log's syncs are slow */
};

/* Selectors of series that are to leave the head. */
struct expel {
    struct arena arena;
    struct tsdb_selector *selectors;
    uint32_t count, rounds;
};

struct tsdb {
    struct storage storage; /* first */
    struct tsdb_options o;
    char dir[TSDB_DIR_BYTES_MAX];
    uint64_t id;
    struct file *lock;
    struct head *head;
    struct wal *wal;
    struct page_cache *cache;
    struct tsdb_stats stats;
    _Atomic uint64_t times_ids;

    struct mutex manifest_lock;
    struct manifest manifest; /* guarded by manifest_lock */

    struct mutex set_lock;
    struct block_set *set;     /* guarded by set_lock */
    struct tombstones *stones; /* guarded by set_lock */
    struct rules *rules;       /* guarded by set_lock */

    struct expel *expel;      /* NULL: none; guarded by head_work */
    struct mutex stones_lock; /* over a change of the tombstones; taken after head_work */
    struct masks masks;
    struct damages damages;
    struct verify_job *verify_job;

    struct mutex head_work, block_work;
    struct block_id *stuck; /* blocks that cannot be merged; guarded by block_work */
    size_t stuck_count, stuck_capacity;
    int64_t head_retry_ns, block_retry_ns; /* after a failure: not before; guarded by their work lock */
    int64_t checkpoint_ns;                 /* when the last one was taken; guarded by head_work */
    bool log_has_flushed;                  /* the log may hold samples that left the head; guarded by head_work */
    int64_t idle_looked_ns;                /* when idle series were counted last; guarded by head_work */
    bool checkpoint_wanted; /* something was damaged: a new one at once; guarded by head_work, as the next one */
    bool log_is_lossy; /* samples were missing in the replay: nothing may be built upon the log before the next one */
    uint64_t side_kept;                            /* bytes beside the columns after the last flush; as the next */
    uint64_t flush_sequence;               /* of the newest flush; strictly grows; guarded by head_work */
    uint64_t checkpoint_size;              /* bytes of the newest whole one; guarded by head_work, as the next two */
    uint64_t changes_size;                 /* of those that build upon it, together */
    uint64_t checkpoint_sequence;          /* the newest frame in the newest of them */
    uint64_t log_before,
        log_mark; /* bytes of log since it of earlier runs; of this run's when it was taken; as above */

    struct mutex state_lock;
    struct cond state_cond;
    _Atomic int state;      /* enum tsdb_state; written under state_lock */
    _Atomic bool accepting; /* the log takes records */
    struct errmsg failure;  /* guarded by state_lock */
    struct cancel stop;     /* set when closing: ends waits and long work */
    bool threads;
    pthread_t head_thread, block_thread;

    /* the clock's steps, to hold retention back after a jump; background thread of blocks only */
    int64_t opened_ns, jump_seen_ms, jump_seen_ns, retention_held_until_ns;
    struct sync_watch quiet_watch; /* guarded by block_work, as the next one */
    int64_t quiet_sync_ns;         /* average sync of the log while no merge runs */
    int64_t blocks_tried_ns;       /* when unreadable blocks were tried last; guarded by block_work */
};

/* "<dir>/<a>" and "<dir>/<a>/<b><suffix>". */
void tsdb_path(const struct tsdb *db, char out[TSDB_PATH_BYTES], const char *a);
void tsdb_path2(const struct tsdb *db, char out[TSDB_PATH_BYTES], const char *a, const char *b, const char *suffix);
/* retention: samples before it do not exist, for any rule */
static inline int64_t tsdb_oldest_ms(struct tsdb *db)
{
    return tsdb_horizon_ms(db);
}

/* data_dir.c: lock, format file, manifest, leftovers. */
MUST_CHECK enum err data_dir_open(struct tsdb *db, struct errmsg *why);
void data_dir_close(struct tsdb *db);
void reserve_keep(struct tsdb *db); /* makes the reserve file again if there is room */

/* block_set.c */
void block_sets_init(struct tsdb *db);
struct block_set *block_set_acquire(struct tsdb *db);
void block_set_release(struct block_set *set);
/* Opens what the manifest lists; what cannot be used is quarantined or reported. */
void blocks_open(struct tsdb *db);
/* Tries blocks again that could not be read for reasons that pass. */
void blocks_retry(struct tsdb *db);
/* A change of the manifest: durable, or nothing has changed. */
struct blocks_change {
    struct block *add; /* NULL, or open at its final place; one reference is taken on success */
    const struct block_id *remove;
    uint32_t remove_count;
    const int64_t *flushed_ms;                /* NULL: stays */
    const struct manifest_block *quarantined; /* lines about blocks that are not in use any more */
    uint32_t quarantined_count;
    void (*edit)(struct manifest *next, void *ctx); /* the rest; may be NULL */
    void *ctx;
};
/* The blocks as they are, the manifest with one loss more; written if it can be, or with the next change. */
void blocks_loss_add(struct tsdb *db, const struct manifest_loss *loss);
MUST_CHECK enum err blocks_commit(struct tsdb *db, const struct blocks_change *change, struct errmsg *why);
/*
 * Moves a finished block from its .tmp directory to its place, opens it and commits it with the rest of the change;
 * the directories of removed blocks are then the caller's to delete or to set aside.
 */
MUST_CHECK enum err blocks_publish(struct tsdb *db, const struct block_meta *meta, struct blocks_change change,
                                   struct errmsg *why);
void blocks_delete_dir(struct tsdb *db, const struct block_id *id);
/* Moves a block's directory to quarantine/. */
MUST_CHECK enum err blocks_set_aside(struct tsdb *db, const struct block_id *id, struct errmsg *why);
void blocks_tmp_path(const struct tsdb *db, const struct block_id *id, char out[TSDB_PATH_BYTES]);

/* tsdb.c: replays and sets the state; false: it failed or was cut off. */
bool tsdb_replay(struct tsdb *db);

/* replay.c */
MUST_CHECK enum err replay_run(struct tsdb *db, struct errmsg *why);

/* flush.c; head_work held */
MUST_CHECK enum err flush_before(struct tsdb *db, int64_t before_ms, struct errmsg *why) REQUIRES(db->head_work);
/* Without the checkpoint that must follow. */
MUST_CHECK enum err flush_samples(struct tsdb *db, int64_t before_ms, struct errmsg *why) REQUIRES(db->head_work);
/* Series of targets that are gone leave the head with their samples, long before the range they are in is over. */
bool flush_idle_due(struct tsdb *db, int64_t *before_ms) REQUIRES(db->head_work);
MUST_CHECK enum err flush_idle(struct tsdb *db, int64_t before_ms, struct errmsg *why) REQUIRES(db->head_work);
/* Only what shares a page with series that match one of the selectors; without the checkpoint that must follow. */
MUST_CHECK enum err flush_selected(struct tsdb *db, const struct tsdb_delete *d, int64_t before_ms, struct errmsg *why)
    REQUIRES(db->head_work);
/* The time up to which the head is to be flushed now; false: not yet. */
bool flush_due(struct tsdb *db, int64_t *before_ms);

/* head_checkpoint.c; head_work held */
/* flushed: samples have left the head, so a new one is worth it even if no frame was written since the last. */
MUST_CHECK enum err checkpoint_take(struct tsdb *db, bool flushed, struct errmsg *why) REQUIRES(db->head_work);
bool checkpoint_due(struct tsdb *db) REQUIRES(db->head_work);
void checkpoint_path(const struct tsdb *db, const struct manifest_checkpoint *c, const char *suffix,
                     char out[TSDB_PATH_BYTES]);
/* From here on nothing older than the newest checkpoint is replayed, whatever is damaged: what is deleted next stays
 * so. */
MUST_CHECK enum err checkpoint_alone(struct tsdb *db, struct errmsg *why) REQUIRES(db->head_work);
/* Removes the files of checkpoints that `before` lists and `now` does not. */
void checkpoints_remove(struct tsdb *db, const struct manifest *before, const struct manifest *now);

/* compact.c and retention.c; block_work held.  True: something was done. */
struct compact_ranges compact_ranges(const struct tsdb *db); /* lengths of blocks, rising */
bool compact_once(struct tsdb *db) REQUIRES(db->block_work);
bool retention_once(struct tsdb *db) REQUIRES(db->block_work);
/* Writes one block anew without what does not count; nothing is left: it goes. */
MUST_CHECK enum err compact_rewrite(struct tsdb *db, struct block *block, struct errmsg *why) REQUIRES(db->block_work);

/* losses.c */
/* What queries of a range must say from now on of samples that are gone. */
void losses_note(struct tsdb *db, const struct manifest_loss *loss);
/* Forgets those of which nobody can ask any more. */
void losses_age(struct tsdb *db);

/* stones.c: the tombstones of the directory */
MUST_CHECK enum err stones_load(struct tsdb *db, struct errmsg *why);
struct tombstones *stones_acquire(struct tsdb *db);
/* Writes and installs them; takes next, in any case. */
MUST_CHECK enum err stones_store(struct tsdb *db, struct tombstones *next, struct errmsg *why)
    REQUIRES(db->stones_lock);
/* Forgets those that cover nothing any more. */
void stones_retire(struct tsdb *db);

/* delete.c; head_work held.  True: it is done. */
bool expel_round(struct tsdb *db) REQUIRES(db->head_work);
void expel_free(struct expel *e); /* accepts NULL */

/* clean.c; block_work held: writes one block anew that has much or old that does not count. */
bool clean_once(struct tsdb *db) REQUIRES(db->block_work);

/* verify_job.c */
struct verify_job *verify_job_new(void);
void verify_job_free(struct tsdb *db); /* waits for it; db->stop is set */

/* snapshot.c: deletes one snapshot that is too old; true: it did. */
bool snapshots_age(struct tsdb *db);

/* background.c */
void background_start(struct tsdb *db);
void background_stop(struct tsdb *db);
bool head_round(struct tsdb *db);  /* maintenance, flush, checkpoint */
bool block_round(struct tsdb *db); /* retries, compaction, retention */
void throttle_take(struct tsdb *db, struct throttle *t, size_t bytes);
/* Looks at how long syncs take while nothing is merged. */
void quiet_look(struct tsdb *db) REQUIRES(db->block_work);

/* tsdb_querier.c */
extern const struct storage_ops tsdb_storage_ops;

#define TSDB_COUNT(db, field, n) atomic_fetch_add_explicit(&(db)->stats.field, (n), memory_order_relaxed)
#define TSDB_SET(db, field, n)   atomic_store_explicit(&(db)->stats.field, (n), memory_order_relaxed)

#endif
