/*
 * replay_internal.h - what the parts of the replay share.
 */
#ifndef HEAD_REPLAY_INTERNAL_H
#define HEAD_REPLAY_INTERNAL_H

#include "head/leave_internal.h"
#include "head/record_internal.h"

enum { REPLAY_THREADS_MAX = 64 };

enum replay_kind { REPLAY_RUN, REPLAY_TRACK, REPLAY_HISTOGRAM };

/* A record of samples or of a histogram that waits for its page. */
struct replay_run {
    uint32_t page, sequence;
    int64_t time_ms;  /* of a track: of its first sample */
    uint64_t present; /* bitmap of a run: slots with a sample */
    uint64_t logged;  /* bitmap of a run: a control byte follows; of a track, a histogram: their bytes */
    uint32_t at;      /* of the control bytes, or of the histogram, in the batch */
    uint32_t frame;   /* series made in later frames are others that got the number of a lost one */
    uint8_t kind;     /* enum replay_kind */
    bool beside;      /* no sample has a place in the column */
    uint8_t slot, count; /* slots of a run, samples of a track */
};

/* A RECORD_PAGE or RECORD_CHANGES that waits for the others. */
struct replay_page {
    uint32_t page, at, len; /* of its content in the batch */
    bool changes;
};

/* A RECORD_SERIES that waits until all pairs of its frame are known. */
struct replay_new {
    uint32_t at, frame; /* of the record in the batch, behind its type; in which frame it came */
};

/* What one thread at a time takes of the runs or pages that are being applied. */
struct replay_share {
    const struct replay_run *runs;
    size_t count;
    const struct replay_page *pages;
    size_t page_count;
    uint64_t samples, histograms, skipped, lost, damaged;
};

/* Who applies shares. */
struct replay_hand {
    struct head_replay *replay;
    struct head_appender *appender;
    struct replay_share *share; /* the one at hand */
};

/* Runs and pages on their way into the head, while the next ones are read.  One at a time. */
struct replay_flight {
    struct buf batch;
    struct replay_run *runs;
    size_t run_count, run_capacity;
    struct replay_page *pages;
    size_t page_count, page_capacity;
    struct replay_share *shares;
    size_t share_count;
    _Atomic size_t next; /* share to be taken */
    pthread_t threads[REPLAY_THREADS_MAX];
    struct replay_hand hands[REPLAY_THREADS_MAX];
    unsigned thread_count;
};

struct head_replay {
    struct head *head;
    unsigned threads;
    struct head_appender *appenders[REPLAY_THREADS_MAX];
    struct head_replay_report report;
    struct buf batch; /* frames whose samples are not applied yet; 8 bytes behind them are readable */
    struct buf canonical;
    struct replay_run *runs;
    size_t run_count, run_capacity;
    struct replay_page *pages;
    size_t page_count, page_capacity;
    struct replay_new *news; /* series that are not made yet */
    size_t new_count, new_capacity;
    size_t frame_news; /* how many of them came before the frame at hand */
    bool contradicted; /* a series of the frame at hand or before cannot be */
    struct {
        uint64_t life, number;
    } * applied; /* of one frame */
    size_t applied_count, applied_capacity;
    struct leaving leaving; /* series that are told again under another number */
    struct replay_flight flight;
    uint32_t frame; /* number of the one at hand */
    struct record_place before; /* what differences in records refer to */
};

enum err replay_damaged(struct head_replay *r, struct errmsg *why, const char *what);
/* A series at its place; false when it contradicts what is known. */
bool replay_series(struct head_replay *r, uint64_t ref, const uint32_t *ids, uint32_t count, uint32_t frame)
    REQUIRES(r->head->create);
void replay_series_left(struct head_replay *r, series_ref ref) REQUIRES(r->head->create);
/* ---- replay_series.c ---- */
enum { REPLAY_SERIES_MANY = 49152 }; /* enough to be made side by side */
/* The first `count` that wait; false: one contradicts what is known, the others were made. */
bool replay_make_series(struct head_replay *r, size_t count);
/* A page of which the log knows keeps its number, even when what its series are is lost; false: it cannot be one. */
bool replay_page_reserve(struct head_replay *r, uint64_t page);
/* ---- replay_samples.c: what stands after the type of a record; NULL: it breaks the format ---- */
const uint8_t *parse_samples(struct head_replay *r, const uint8_t *p, const uint8_t *end); /* versions 1 and 2 */
const uint8_t *parse_run(struct head_replay *r, unsigned flags, const uint8_t *p, const uint8_t *end);
const uint8_t *parse_track(struct head_replay *r, unsigned flags, const uint8_t *p, const uint8_t *end);
enum { TRACK_SAMPLES_MAX = 255 };
/* The times of a track after its values; NULL: they break the format. */
const uint8_t *track_times(const uint8_t *p, const uint8_t *end, int64_t first_ms, uint32_t count, int64_t *out);
/* ---- replay_page.c ---- */
bool replay_page(struct head_appender *a, uint32_t page, struct slice record); /* false: damaged */
/* ---- replay_changes.c ---- */
bool replay_changes(struct head_appender *a, uint32_t page, struct slice record); /* false: damaged */
/* ---- replay_apply.c ---- */
/* Series collected so far are made; runs and pages are begun with, once those before are through. */
void replay_apply(struct head_replay *r);
void replay_land(struct head_replay *r); /* all that was begun with is through afterwards */
void replay_flight_deinit(struct replay_flight *f);

#endif
