/*
 * head_internal.h - the structures of the head; README.md of this folder explains how they fit together.
 *
 * Lock order: lane of the log (not ours) -> head->create -> page->lock -> leaf locks (head->stock,
 * head->families, head->exemplars, epochs.lock).
 */
#ifndef HEAD_HEAD_INTERNAL_H
#define HEAD_HEAD_INTERNAL_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/lock.h"
#include "chunk/chunk.h"
#include "head/appender.h"
#include "head/head.h"
#include "head/published_internal.h"
#include "model/label.h"

enum {
    SEGMENT_PAGES = SEGMENT_SERIES / PAGE_SERIES,
    SEGMENTS_MAX = 131072, /* refs stay below 2^31 */
    PAIR_SEGMENT = 4096,
    PAIR_SEGMENTS_MAX = 65536,
    LINE_SEGMENT = SEGMENT_SERIES, /* tail lines */
    LINE_SEGMENTS_MAX = 262144,
    LINE_STOCK = 64, /* tail lines that an appender takes at once */
};
#define ALIAS_BIT (UINT32_C(1) << 31) /* in the series index: id of an alias, not a ref */
#define NO_TIME   INT64_MIN
#define END_GONE  (UINT32_MAX - 1) /* series_line.end of a series that left: no column index fits behind it */

#define get_relaxed(p)    atomic_load_explicit((p), memory_order_relaxed)
#define set_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)

/* A counter with one writer. */
static inline void count_add(_Atomic uint64_t *c, uint64_t n)
{
    set_relaxed(c, get_relaxed(c) + n);
}

/* ---- samples of a series ---- */

/* 60 bytes of a packed tail; tail_internal.h has the code. */
struct tail_line {
    _Atomic uint32_t next; /* 0: the newest; readable any time as a prefetch hint */
    uint8_t bytes[60];
};
_Static_assert(sizeof(struct tail_line) == 64, "a tail line is one cache line");

struct head_chunk {
    uint32_t first, end; /* column indexes: first sample, after the last */
    uint32_t count;      /* samples; end - first when nothing is missing */
    uint32_t bytes;      /* of data */
    uint32_t gap_bytes;  /* how many of them say what is missing; then the values */
    uint32_t flags;      /* enum chunk_flags */
    uint8_t *data;       /* owned */
};

/* A sample with its own timestamp, because the column has no place for it. */
struct side_sample {
    int64_t time_ms;
    uint64_t bits;
};

struct side {
    struct side_sample *list; /* [0, sorted) in order of time, unique; then as they came */
    uint32_t count, sorted, capacity;
    struct side_sample *frozen; /* what a cut has taken: sorted, unique, older than anything above for one time */
    uint32_t frozen_count;
    bool changed; /* since the newest checkpoint */
};

struct series_more {
    uint64_t base;             /* value before the tail's first sample */
    struct head_chunk *chunks; /* oldest first */
    uint32_t chunk_count, chunk_capacity;
    struct side side;
    struct chunk_hint hint;
    struct hist_store *hists; /* native histograms; NULL for most */
};

enum page_flags {
    PAGE_WIDE = 1, /* the column holds int64 times, not uint32 offsets to base */
    PAGE_GONE = 2, /* all its series left; waits to be used again */
    PAGE_LOST = 4, /* some of its lines may be LINE_LOST */
};

/* series_line.flags; during a replay the bits above hold the frame in which the series was made. */
enum line_flags {
    LINE_LOST = 1, /* records are missing, so what differences refer to is not known until a whole value comes */
    LINE_LEFT = 2, /* replay: the series left the head before a later record; what it had is in blocks */
    LINE_BORN_SHIFT = 2,
};

/* What of a page stands in the newest checkpoint and those it builds upon; background thread, under the page's lock. */
struct page_told {
    uint32_t sequence, end; /* of the page then */
    uint32_t slots;         /* series from this slot on are new */
    uint32_t *ends;         /* [PAGE_SERIES] where each series ended; NULL: all at `end` */
};

/* 64 series made together: one lock, one column of timestamps, one sequence of records. */
struct page {
    struct mutex lock;
    int64_t last_ms; /* newest entry of the column ever; NO_TIME: none */
    int64_t base_ms;
    void *column;        /* uint32_t offsets to base_ms, or int64_t times (PAGE_WIDE) */
    uint32_t start, end; /* indexes of the entries held: [start, end); they only grow */
    uint32_t sequence;   /* of the next record */
    uint32_t capacity;
    uint32_t sealed_at;               /* `end` when the background last looked for long tails */
    uint32_t hists_added;             /* native histograms since then */
    int64_t floor_ms;                 /* samples before it go to the side: a cut has taken that range */
    int64_t side_min_ms, side_max_ms; /* of the samples beside the column; min > max: none */
    struct vec labels;                /* bytes: pair ids of its series as varints; writer: head->create */
    _Atomic uint32_t slots;           /* used ones; grows under head->create and lock */
    uint16_t alive;                   /* guarded by head->create */
    uint16_t flags;
    struct page_told told;
    uint8_t hints[PAGE_SERIES]; /* by slot: how the log tells values of the series (value_code_internal.h) */
};

struct head_segment {
    struct series_line *lines; /* aligned to 4096: a page of series is a page of memory */
    _Atomic uint64_t *successors;
    struct page *pages;
    void *memory; /* of all segments of its group */
};

/* ---- labels ---- */

/* name=value, interned once. */
struct pair {
    struct label label; /* its slices point into wire */
    uint8_t *wire;      /* 0a len name 12 len value, without the outer field */
    uint32_t wire_bytes;
    uint32_t name;           /* index into head->names */
    struct vec postings;     /* bytes: zigzag varint deltas of refs, in order of creation */
    uint32_t last;           /* ref last added; writer only */
    bool left;               /* replay: another id has taken its place; found no more, dropped at the end */
    _Atomic uint32_t series; /* how many have it */
};

struct label_name {
    struct slice text;
    struct vec pairs;                  /* uint32_t ids */
    struct value_order *_Atomic order; /* of their values; NULL: nobody asked for one (value_order.c) */
    _Atomic uint32_t life;             /* raised when pairs are taken out of the list */
    _Atomic bool ordering;             /* somebody makes the order */
};

struct alias {
    struct hash128 hash;
    uint32_t ref;
};

/* ---- the head ---- */

/* Counters of one appender; only it writes. */
struct head_counts {
    _Atomic uint64_t samples, out_of_order, duplicate, replaced, predicted, looked_up;
    _Atomic uint64_t histograms, exemplars, exemplars_dropped, metadata_updates, metadata_dropped;
};

enum { LABEL_CACHE = 64, OPEN_PAGES = 256 };

struct head_appender {
    struct head *head;
    struct epoch_slot epoch;
    struct head_appender *next; /* guarded by head->stock */
    struct head_counts counts;
    uint32_t lines[LINE_STOCK]; /* unused tail lines */
    uint32_t line_count;
    /* Labels of the previous new series: most of the next one's are equal. */
    uint32_t cached_pair[LABEL_CACHE];
    uint64_t stream; /* of the request at hand */
    struct head_refusal refusal;
    /* Pages with a free slot whose series got their newest sample from this stream at this time. */
    struct {
        int64_t time_ms;
        uint64_t stream;
        uint32_t page;
    } open[OPEN_PAGES];
};

struct head {
    struct head_options options;
    struct series_hash_key key;
    struct epochs epochs;

    struct head_lines lines;       /* [SEGMENTS_MAX] borrowed from segments; tails: [LINE_SEGMENTS_MAX] */
    struct head_segment *segments; /* [SEGMENTS_MAX]; entries below segment_count never change */

    struct mutex create;         /* creation and removal of series, pairs, names, pages */
    _Atomic uint32_t page_count; /* pages ever begun; page 0 is not used */
    struct tags series_index, pair_index, name_index;
    struct pair *_Atomic *pairs;       /* [PAIR_SEGMENTS_MAX] -> [PAIR_SEGMENT] */
    _Atomic uint32_t pair_count;       /* ids handed out + 1 */
    struct vec names;                  /* struct label_name * */
    struct vec aliases;                /* struct alias; entry 0 is not used */
    uint32_t *free_pages, *free_pairs; /* may be used again; guarded by create */
    size_t free_page_count, free_page_capacity, free_pair_count, free_pair_capacity;
    uint32_t *left_pages, *left_pairs; /* may be used again after the next checkpoint; guarded by create */
    size_t left_page_count, left_page_capacity, left_pair_count, left_pair_capacity;
    size_t old_pages, old_pairs;   /* the first of them left before the newest checkpoint */
    size_t ripe_pages, ripe_pairs; /* the first of them: a checkpoint was published; when ripe_mark has passed ... */
    uint64_t ripe_mark;            /* ... nobody looks at them any more; guarded by create */
    struct arena scratch;          /* guarded by create */

    struct mutex stock; /* leaf: tail lines nobody uses, list of appenders */
    uint32_t *free_lines;
    size_t free_line_count, free_line_capacity;
    uint32_t line_next; /* tail lines ever handed out */
    struct head_appender *appenders;
    struct head_counts gone; /* counts of appenders that were freed */

    struct families *families;
    struct exemplars *exemplars;

    struct deferred *deferred, **deferred_last; /* oldest first; the replay's, then of who applies them */
    _Atomic uint64_t deferred_count;

    _Atomic uint64_t series, series_created, series_removed, replay_lost, cuts, chunks_sealed, chunks;
    _Atomic int64_t bytes_lines, bytes_columns, bytes_tails, bytes_chunks, bytes_side, bytes_index, bytes_labels,
        bytes_postings;
    _Atomic int64_t budget_taken; /* bytes of options.budget */
    int64_t day;                  /* UTC, for daily_series_max; guarded by create, as the next two */
    uint64_t day_active, day_created;
    struct head_cut *cut;     /* the one that is under way; background thread only */
    int64_t frozen_ms;        /* an abandoned cut froze samples before this time: the next ones take no less; as the next */
    bool told;                /* page_told is what the newest checkpoint has, nothing has left since; as the next */
    uint32_t maintain_page;   /* where head_maintain goes on; background thread only */
    _Atomic int64_t floor_ms; /* of pages that are made from now on */
};

static inline void bytes_add(_Atomic int64_t *counter, int64_t change)
{
    if (change)
        atomic_fetch_add_explicit(counter, change, memory_order_relaxed);
}

/* ---- segments.c ---- */
void segments_init(struct head *h);
void segments_deinit(struct head *h);
struct page *page_of(struct head *h, uint32_t page);
uint32_t page_new(struct head *h) REQUIRES(h->create);              /* an empty page; 0: refs are used up */
void page_begin(struct head *h, uint32_t page) REQUIRES(h->create); /* replay: this very page */
void page_leave(struct head *h, uint32_t page)
    REQUIRES(h->create); /* all series left; readers may still ask for their labels */
void page_forget(struct head *h, uint32_t page)
    REQUIRES(h->create); /* that left; no reader holds a series of it any more */
static inline struct series_line *line_of(struct head *h, series_ref ref)
{
    return head_line(&h->lines, ref);
}
static inline struct tail_line *tail_line_of(struct head *h, uint32_t id)
{
    return atomic_load_explicit(&h->lines.tails[id / LINE_SEGMENT], memory_order_acquire) + id % LINE_SEGMENT;
}
uint32_t tail_line_take(struct head_appender *a);
void tail_lines_give(struct head *h, const uint32_t *ids, size_t count);

/* Records of the page are missing before this frame of the replay; its lock is held. */
void page_mark_lost(struct head *h, uint32_t page, uint32_t frame);

/* ---- column.c: the page's lock is held ---- */
static inline int64_t column_at(const struct page *p, uint32_t index)
{
    uint32_t i = index - p->start;
    return p->flags & PAGE_WIDE ? ((const int64_t *)p->column)[i] : p->base_ms + ((const uint32_t *)p->column)[i];
}
void column_push(struct head *h, struct page *p, int64_t time_ms); /* time_ms > last_ms */
/* First index whose time is >= time_ms; p->end when all are before. */
uint32_t column_find(const struct page *p, int64_t time_ms);
void column_drop(struct head *h, struct page *p, uint32_t start); /* forgets the entries before */
void column_free(struct head *h, struct page *p);
void column_copy(const struct page *p, uint32_t first, uint32_t end, int64_t *out);

/* ---- pairs.c: head->create is held to change anything ---- */
void pairs_init(struct head *h);
void pairs_deinit(struct head *h);
static inline struct pair *pair_of(struct head *h, uint32_t id)
{
    return atomic_load_explicit(&h->pairs[id / PAIR_SEGMENT], memory_order_acquire) + id % PAIR_SEGMENT;
}
/* wire: the pair as in struct pair, well-formed.  *fresh: it was not known. */
uint32_t pair_intern(struct head *h, struct slice wire, bool *fresh) REQUIRES(h->create);
/* Replay: this id; false when it already means something else. */
bool pair_define(struct head *h, uint32_t id, struct slice wire) REQUIRES(h->create);
/* Replay: ids up to this one were given out. */
void pairs_reach(struct head *h, uint32_t id) REQUIRES(h->create);
uint32_t pair_find_bytes(struct head *h, struct slice wire);               /* 0: none; inside an epoch */
uint32_t pair_find(struct head *h, struct slice name, struct slice value); /* 0: none; inside an epoch */
struct label_name *name_find(struct head *h, struct slice name);           /* NULL: none; inside an epoch */
void pairs_drop(struct head *h, const uint32_t *ids, size_t count) REQUIRES(h->create); /* no series has them */
void pair_forget(struct head *h, uint32_t id) REQUIRES(h->create); /* its number may be used again */
bool wire_parse(struct slice wire, struct slice *name, struct slice *value);

/* ---- value_order.c ---- */
void value_order_drop(struct head *h, struct label_name *name) REQUIRES(h->create);

/* ---- postings.c ---- */
void postings_add(struct head *h, struct pair *p, series_ref ref) REQUIRES(h->create);
/* The same by threads that share pairs out among themselves; *bytes: change of memory. */
void postings_put(struct head *h, struct pair *p, series_ref ref, int64_t *bytes);
/* Appends the refs to a growing array; they come sorted. */
struct refs {
    series_ref *list;
    size_t count, capacity;
};
void postings_read(const struct pair *p, struct refs *out);
void refs_sort(struct refs *r);
void refs_deinit(struct refs *r);
void postings_filter(struct head *h, struct pair *p) REQUIRES(h->create); /* drops refs of series that left */

/* ---- series.c ---- */
uint32_t series_pairs(struct head *h, series_ref ref, uint32_t ids[LABEL_COUNT_MAX]); /* inside an epoch; how many */
void page_note_open(struct head_appender *a, uint32_t page, int64_t time_ms);
struct labels series_labels(struct head *h, series_ref ref, struct arena *arena); /* inside an epoch */
static inline bool series_alive(const struct series_line *line)
{
    return atomic_load_explicit(&line->hash_lo, memory_order_acquire) != 0; /* what it is made of is visible then */
}
series_ref series_find(struct head *h, struct hash128 hash); /* inside an epoch */
/* Puts a series with these pairs at this ref (its page begun, the slot free) and publishes it. */
void series_publish(struct head *h, series_ref ref, const uint32_t *pairs, uint32_t count, struct hash128 hash,
                    uint32_t label_bytes) REQUIRES(h->create);
void series_remove(struct head *h, series_ref ref) REQUIRES(h->create);
void series_canonical(struct head *h, series_ref ref, struct buf *out); /* label bytes; none when it left */
struct series_more *series_more(struct head *h, struct series_line *line);

/* ---- side.c: the page's lock is held ---- */
/* The first of a sorted list that is not before. */
uint32_t side_first(const struct side_sample *list, uint32_t count, int64_t time_ms);
void side_add(struct head *h, struct page *p, struct series_line *line, int64_t time_ms, uint64_t bits);
void side_clear(struct head *h, struct side *s);                       /* what is not frozen */
void side_settle(struct side *s);                                      /* sorts it; later ones win */
bool side_find(const struct side *s, int64_t time_ms, uint64_t *bits); /* among what is not frozen */
void side_free(struct head *h, struct side *s);

void more_free(struct head *h, struct series_more *more);

/* ---- reader.c ---- */
/* The value in the stream at a column index; false: there is none.  The page's lock is held. */
bool series_value_at(struct head *h, const struct series_line *x, uint32_t index, uint64_t *bits);
/* frozen: beside the column only what a cut has taken. */
struct series_reader *head_reader_new(struct head *h, const series_ref *refs, uint32_t count, bool frozen);

/* ---- head_querier.c ---- */
/* sel: what of the labels is needed; NULL: all. */
enum err head_set_new(struct head *h, const struct refs *refs, const struct selector *sel, labels_order order,
                      bool frozen, struct arena *arena, struct cancel *cancel, struct series_set **out,
                      struct errmsg *why);

/* ---- select.c ---- */
/* Refs of series that match and may have samples in the range, ascending.  Inside an epoch. */
enum err select_refs(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                     struct errmsg *why);
/* The same whether they have samples or not. */
enum err select_all_times(struct head *h, const struct selector *sel, struct cancel *cancel, struct refs *out,
                          struct errmsg *why);
bool head_has_time(struct head *h, int64_t mint_ms, int64_t maxt_ms); /* any page with samples in the range */

/* ---- census.c ---- */
enum err head_census_new(struct head *h, const struct census_request *request, struct arena *arena,
                         struct cancel *cancel, struct census **out, struct errmsg *why);

/* ---- label_read.c ---- */
enum err head_label_names(struct head *h, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                          name_visit visit, void *ctx, struct errmsg *why);
enum err head_label_values(struct head *h, struct slice name, const struct selector *sel, uint64_t limit,
                           struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why);

/* ---- exemplars.c ---- */
enum exemplar_change { EXEMPLAR_ADDED, EXEMPLAR_SAME, EXEMPLAR_DROPPED };
struct exemplars *exemplars_new(uint32_t max);
void exemplars_free(struct exemplars *e);
uint32_t exemplars_count(struct exemplars *e);
enum exemplar_change exemplar_store(struct head *h, struct slice series, int64_t time_ms, uint64_t bits,
                                    struct slice labels);
/* All of them, or those that came since the last call; oldest first. */
void exemplars_record(struct head *h, struct buf *records, bool changes);
bool canonical_is_sound(struct slice canonical);

/* ---- deferred.c ---- */
bool deferred_keep(struct head *h, const struct head_deferred *d); /* false: no memory */
void deferred_applied(struct head *h, uint64_t life, uint64_t number);
void deferred_free(struct head *h);

/* ---- metadata.c ---- */
enum metadata_change { METADATA_SAME, METADATA_CHANGED, METADATA_FULL };
struct families *families_new(uint32_t max);
void families_free(struct families *f);
uint32_t families_count(struct families *f);
enum metadata_change metadata_store(struct head *h, const struct metadata *m);
/* All of it, or what changed since the last call. */
void metadata_record(struct head *h, struct buf *records, bool changes);

#endif
