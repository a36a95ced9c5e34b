/*
 * wal_internal.h - struct wal: what the committer, the filler and the lanes share.
 *
 * Locks, outermost first: commit_lock (one commit at a time) > lanes_lock > lane->lock; files_lock;
 * state_lock is a leaf and held for a few instructions.
 */
#ifndef WAL_WAL_INTERNAL_H
#define WAL_WAL_INTERNAL_H

#include "base/lock.h"
#include "wal/segment.h"

struct ticket_list {
    struct wal_ticket *first, **end; /* end == NULL: empty */
    uint64_t count;
};

struct wal_lane {
    struct wal *wal;
    struct mutex lock;          /* held from begin to commit, and while its buffer is taken */
    struct buf records;         /* guarded by lock */
    struct buf taken;           /* committer's: what the last cut took; swapped back empty */
    struct ticket_list tickets; /* guarded by lock */
    size_t reserved;            /* bytes_hint of the open begin */
    size_t records_before;      /* records.len at begin */
    struct wal_lane *next;      /* guarded by lanes_lock */
    bool dead;                  /* freed by its owner; the next cut drops it */
};

/* A segment whose frames may still be needed. */
struct wal_segment {
    uint64_t number, bytes;
    uint64_t last_sequence; /* 0: it holds none */
    bool damaged;           /* set aside instead of recycled */
    bool poisoned;          /* a write or sync failed: never used again */
};

struct wal {
    struct wal_options o;
    struct segment_dir dir;
    struct wal_stats stats;
    bool started;

    struct mutex lanes_lock;
    struct wal_lane *lanes; /* guarded by lanes_lock */
    struct wal_lane *barrier_lane;

    /* committer's, under commit_lock */
    struct mutex commit_lock;
    struct file *active; /* NULL: none could be made */
    uint64_t active_number, active_offset;
    _Atomic uint64_t active_bytes; /* active_offset for others; files_lock may be held over slow calls */
    uint64_t next_sequence;
    uint64_t life; /* the first one of this run */
    struct buf unsynced;       /* whole frames that are not known to be on the disk, oldest first */
    uint64_t unsynced_payload; /* bytes of them that lanes reserved */
    struct ticket_list taken;  /* of the frame being written */
    uint64_t last_tickets;
    bool barrier_taken; /* the last cut took a barrier: sync in every mode */
    bool dirty;         /* the active segment holds bytes that were not synced */
    int64_t last_sync_ns, last_probe_ns, slow_said_ns;
    uint64_t noted; /* newest frame that the file "newest" tells to be durable */
    bool resettle; /* segments of the last run are not known to be durable */

    /* files, under files_lock */
    struct mutex files_lock;
    struct wal_segment *segments; /* oldest first; the active one is the last */
    size_t segment_count, segment_capacity;
    struct segment_list spares;
    struct file *ready; /* next segment, header written; NULL: none */
    uint64_t ready_number;
    uint64_t next_number;
    uint64_t truncated; /* frames below are not needed */
    uint32_t pins;      /* while > 0 no segment is retired */
    bool newest_told;   /* the file "newest" names a segment of this run */
    bool want_spare;

    /* waking, under state_lock */
    struct mutex state_lock;
    struct cond work_cond, filler_cond;
    _Atomic bool work; /* somebody committed since the last cut */
    bool stopping;     /* guarded by state_lock */
    _Atomic bool accepting;
    struct errmsg refusal; /* guarded by state_lock: text for refused writers */
    pthread_t committer, filler;
    bool threads;
};

void ticket_list_add(struct ticket_list *l, struct wal_ticket *t);
void ticket_list_append(struct ticket_list *l, struct ticket_list *more); /* more is empty afterwards */
void ticket_list_done(struct ticket_list *l, enum err err, const struct errmsg *why);

/* wal_commit.c: one cut with everything that follows; commit_lock held. */
void commit_cycle(struct wal *wal, bool closing) REQUIRES(wal->commit_lock);
/* Settles what earlier runs left and opens the first segment; a failure leaves the log refusing. */
MUST_CHECK enum err commit_first(struct wal *wal, struct errmsg *why) REQUIRES(wal->commit_lock);
/* The last cycle: everything written and synced; the active segment closed. */
MUST_CHECK enum err commit_last(struct wal *wal, struct errmsg *why) REQUIRES(wal->commit_lock);
/* When the committer must look again without being woken: a sync, a probe, a note; -1 = never. */
int64_t commit_wait_ns(struct wal *wal);

/* wal_files.c */
MUST_CHECK enum err files_open(struct wal *wal, struct errmsg *why);
void files_close(struct wal *wal);
void files_scan_done(struct wal *wal, const struct wal_report *report, uint64_t last_sequence);
/* Syncs what earlier runs left behind. */
MUST_CHECK enum err files_settle(struct wal *wal, struct errmsg *why);
/* Takes the ready segment or makes one now; it becomes the last of wal->segments. */
MUST_CHECK enum err files_next(struct wal *wal, struct file **out, uint64_t *number, struct errmsg *why);
/* The committer leaves a segment: what is in it. */
void files_note(struct wal *wal, uint64_t number, uint64_t bytes, uint64_t last_sequence);
void files_poison(struct wal *wal, uint64_t number);
/* A segment that holds nothing that is needed goes at once. */
void files_drop(struct wal *wal, uint64_t number);
void files_truncate(struct wal *wal, uint64_t sequence);
uint64_t files_replay_bytes(struct wal *wal);
uint64_t files_kept_bytes(struct wal *wal, uint64_t sequence);
void files_pin(struct wal *wal, struct wal_pin *out) REQUIRES(wal->commit_lock);
void files_unpin(struct wal *wal);
/* One piece of preparing; true: there may be more to do. */
bool files_prepare(struct wal *wal, struct errmsg *why, enum err *err);
bool files_need_work(struct wal *wal);

#endif
