/*
 * wal.h - the write-ahead log: an acknowledged sample is in it and on the disk.
 *
 * Every ingesting thread owns a lane.  It opens the lane, resolves and appends a request to the head
 * while encoding records into the lane's buffer, and closes it with a ticket.  One committer takes the
 * buffers of *all* lanes at once, so that a frame holds every record its records build upon, writes
 * them as one frame with one sequence number and one checksum, syncs, and calls the tickets.
 *
 *     struct buf *records;
 *     TRY(wal_lane_begin(lane, bytes_hint, &records, why));    // 503: the log is full, failed or stopping
 *     ... head append, records encoded into *records ...
 *     wal_lane_commit(lane, &request->ticket);                 // ticket->done() once it is durable
 *
 * What a record means is the business of whoever encodes it (folder head); the log keeps byte strings.
 * Bytes of a frame are the lanes' bytes one after the other, so records must delimit themselves.
 *
 * When the disk fails, the frame stays in memory: it is written again into a fresh segment and synced;
 * if that fails too, its tickets get the error, wal_lane_begin refuses, and a probe repeats the same
 * frame until it succeeds.  So the log never misses something that the head has.  A request that got
 * the error may still become durable later.
 *
 * Reading back: struct wal_reader; its survey before wal_start, as that must know where the log ends.  Format: docs/formats/wal.md.
 *
 * Ownership: wal_close frees lanes that are still there.  Tickets belong to the caller until done().
 * Threads:   a lane is used by one thread at a time; everything else by any.  Lock order: lane, then
 *            whatever the head takes inside; wal's own state lock is a leaf.
 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"

struct wal;
struct wal_lane;

enum wal_sync {
    WAL_SYNC_COMMIT,   /* done() after fdatasync of the frame */
    WAL_SYNC_INTERVAL, /* done() after write; fdatasync every sync_interval_ms */
    WAL_SYNC_OS,       /* done() after write; the kernel writes back when it likes */
};

struct wal_options {
    struct fs *fs;
    struct clock *clock;
    const char *dir; /* borrowed until wal_open returns; made when missing */
    uint64_t id;     /* of the data directory; segments with another id are not ours */
    enum wal_sync sync;
    int64_t sync_interval_ms;
    int64_t pace_ns;  /* least time between two syncs when the last frame held > 1 ticket */
    int64_t probe_ms; /* how often a refusing log tries again */
    uint64_t segment_bytes;
    uint32_t segments_spare;     /* ready-made files beside the active one; also the reserve for a full disk */
    uint64_t pending_bytes_max;  /* all lanes together, also the bound of a frame */
    bool manual;                 /* no threads: the caller runs wal_commit_now (simulation) */
    void (*on_batch)(void *ctx); /* committer thread, after the done() calls of one commit; may be NULL */
    void *on_batch_ctx;
};
void wal_options_default(struct wal_options *o);

/* Counters for /metrics and status; read with relaxed loads at any time. */
enum { WAL_SYNC_BUCKETS = 16 };
extern const int64_t wal_sync_bucket_ns[WAL_SYNC_BUCKETS]; /* upper bounds; the last is INT64_MAX */
struct wal_stats {
    _Atomic uint64_t frames, bytes;                 /* written, bytes with header and padding */
    _Atomic uint64_t tickets;                       /* acknowledged */
    _Atomic uint64_t syncs, sync_ns;                /* fdatasync calls that succeeded and their time */
    _Atomic uint64_t sync_bucket[WAL_SYNC_BUCKETS]; /* not cumulative */
    _Atomic uint64_t write_errors, sync_errors, poisoned_segments, rewrites, refused;
    _Atomic uint64_t segments_made, segments_recycled, segments_removed;
    _Atomic uint64_t segments, segment_bytes; /* now on disk, spares included */
    _Atomic uint64_t pending_bytes;           /* reserved by lanes and not yet durable */
    _Atomic uint64_t last_sequence;           /* of the newest durable frame */
    _Atomic uint64_t doubtful; /* mode os: a sync failed, frames up to this one may be lost; 0: none */
    _Atomic uint64_t quarantined;             /* segments moved aside because of damage */
    _Atomic int refusing;                     /* enum err; ERR_OK while it accepts */
};

/* Embedded in what waits.  done() runs on the committer thread and must be quick; it may free the ticket. */
struct wal_ticket {
    void (*done)(struct wal_ticket *ticket, enum err err, const struct errmsg *why);
    struct wal_ticket *next; /* used by the log between commit and done */
};

/* Life: open (looks at the directory, accepts nothing), read with a wal_reader, start, ..., close. */
MUST_CHECK enum err wal_open(const struct wal_options *o, struct wal **out, struct errmsg *why);
struct wal_report;
/*
 * Makes what the reader found durable (a frame that only the page cache knows must not become the
 * base of acknowledged ones) and accepts records from now on.  The next frame gets next_sequence.
 * Segments that the report (may be NULL) calls damaged are moved aside when they are not needed any
 * more, instead of being recycled.  An error leaves the log refusing; it goes on trying.
 */
MUST_CHECK enum err wal_start(struct wal *wal, uint64_t next_sequence, const struct wal_report *report,
                              struct errmsg *why);
/* Refuses new records, commits and syncs what is buffered, frees everything.  Accepts NULL. */
enum err wal_close(struct wal *wal, struct errmsg *why);

struct wal_lane *wal_lane_new(struct wal *wal);
void wal_lane_free(struct wal_lane *lane); /* nothing may be open on it; buffered records are kept */
/*
 * Takes the lane and reserves room.  bytes_hint: an upper bound of what will be encoded (twice the
 * decoded request is safe).  ERR_UNAVAILABLE or ERR_NO_SPACE: nothing is held, tell the sender 503.
 */
MUST_CHECK enum err wal_lane_begin(struct wal_lane *lane, size_t bytes_hint, struct buf **records, struct errmsg *why);
/*
 * Gives the lane back.  The ticket (may be NULL) is called when every record that any lane committed
 * before, and this one's, is durable: also when this request encoded nothing because all its samples
 * were known already.
 */
void wal_lane_commit(struct wal_lane *lane, struct wal_ticket *ticket);

/* Waits until all committed records are durable; *sequence is then the newest frame.  Any thread. */
MUST_CHECK enum err wal_barrier(struct wal *wal, uint64_t *sequence, struct errmsg *why);
/* Frames with a sequence below are not needed any more: segments that hold only such are recycled. */
void wal_truncate(struct wal *wal, uint64_t sequence);
/*
 * The segments a replay would need now, kept as they are (not recycled, not removed) until wal_unpin: for
 * copying them while the log goes on.  `bytes` is the end of the last whole frame; UINT64_MAX: not known,
 * the whole file.  Whole frames only, so a barrier before says what the copy will at least contain.
 */
struct wal_pin {
    struct wal_pin_segment {
        uint64_t number, bytes;
        uint64_t last_sequence; /* of its frames; UINT64_MAX: it is still written to */
    } *list;
    size_t count;
    uint64_t last_sequence; /* of the newest durable frame: they hold it */
};
void wal_pin(struct wal *wal, struct wal_pin *out);
void wal_unpin(struct wal *wal, struct wal_pin *pin);
/* Bytes that a replay would have to read: the segments of frames not yet truncated. */
uint64_t wal_replay_bytes(struct wal *wal);
/* Bytes on the disk of the segments that hold frames from this one on. */
uint64_t wal_kept_bytes(struct wal *wal, uint64_t sequence);
/* Once started: the sequence number of its first frame, another one in every run that wrote anything. */
uint64_t wal_life(const struct wal *wal);
struct wal_stats *wal_stats(struct wal *wal);

/* Manual mode: what the threads would do: one spare segment if needed; one cut, write, sync and the tickets. */
void wal_commit_now(struct wal *wal);

/*
 * Reads frames back in the order of their sequence.  Damage never ends it: what fails its checks is
 * skipped up to the next good frame of the segment, and counted.
 */
struct wal_reader;

struct wal_frame {
    uint64_t sequence;
    uint64_t lost_before; /* sequence numbers missing between the frame before and this one */
    struct slice payload; /* in the buffer given to wal_reader_next */
    uint64_t segment;     /* where it was found */
    uint64_t offset;
};

enum { WAL_DAMAGE_MAX = 16 };

/* One damaged stretch. */
struct wal_damage {
    uint64_t segment, offset, bytes;
    char what[64]; /* "checksum", "gap of 3 frames", "header" ... */
};

/* What was found in one segment. */
struct wal_segment_info {
    uint64_t number, bytes;
    uint64_t used;                  /* bytes up to the end of the last good frame */
    uint64_t frames, last_sequence; /* good ones, copies included; 0 when there are none */
    bool damaged;
};

struct wal_report {
    const struct wal_segment_info *list;                 /* of the segments done; lives as long as the reader */
    uint64_t segments, segments_done, bytes, bytes_done; /* progress */
    uint64_t frames, first_sequence, last_sequence;      /* delivered ones */
    uint64_t passed;                                     /* good frames that were copies or below `from` */
    uint64_t lost_frames;                                /* sequence numbers that no segment has */
    bool end_lost;                                       /* the last segment is gone: nobody knows how many frames */
    uint64_t damage_count;                               /* all; the first ones are listed */
    struct wal_damage damage[WAL_DAMAGE_MAX];
    bool torn_tail; /* the newest segment ends in an unfinished frame: normal after a crash */
    uint64_t tail_segment, tail_offset;
};

/* Frames with a sequence below `from` are passed over. */
MUST_CHECK enum err wal_reader_open(struct fs *fs, const char *dir, uint64_t id, uint64_t from, struct wal_reader **out,
                                    struct errmsg *why);
/* ERR_NOT_FOUND at the end.  ERR_IO and ERR_NO_MEMORY concern one segment: calling again goes on after it. */
MUST_CHECK enum err wal_reader_next(struct wal_reader *r, struct buf *buffer, struct wal_frame *out,
                                    struct errmsg *why);
/*
 * Reads everything from the wanted frame on once, handing nothing out: the report is then complete, and the log can be
 * started.  Segments that end before it are not read; they are listed with one frame.
 * ERR_UNSUPPORTED: a segment was written by a newer version.
 */
MUST_CHECK enum err wal_reader_survey(struct wal_reader *r, struct errmsg *why);
/* After it: from the beginning again, over the same segments; the report keeps its findings, only progress is new. */
void wal_reader_again(struct wal_reader *r, uint64_t from);
/* Readable by another thread while reading only for the four progress fields. */
const struct wal_report *wal_reader_report(const struct wal_reader *r);
void wal_reader_close(struct wal_reader *r);
void wal_reader_ignore_crc(struct wal_reader *r); /* fuzzing: let decoders meet garbage */

/* Whether the file that names the last segment is readable, or missing. */
bool wal_newest_sound(struct fs *fs, const char *dir);
/* A frame that is known to be durable: the newest one of a log that was closed cleanly or copied; 0: not known. */
uint64_t wal_closed_at(struct fs *fs, const char *dir);
/* Tells the readers of a copied log which frame was the newest, so that damage at its end does not look like a crash. */
MUST_CHECK enum err wal_copy_end(struct fs *fs, const char *dir, uint64_t last_sequence, struct errmsg *why);

/* The id that the newest intact segment header of a log directory names; 0: there is none. */
uint64_t wal_dir_id(struct fs *fs, const char *dir);

/* Walks the frames of one segment held in memory: for inspection, tests and fuzzing. */
struct wal_scan {
    struct slice bytes;
    uint64_t id, number; /* of the data directory, of the segment */
    uint64_t offset;     /* where to look next */
    bool ignore_crc;
};
/* Next good frame at or after scan->offset, its payload within scan->bytes; false at the end. */
bool wal_scan_next(struct wal_scan *scan, struct wal_frame *out);

#endif
