/*
 * notes.h - what a query has to tell besides its answer: warnings and infos ("annotations").
 *
 * Equal texts are kept once.  The position shown is that of the occurrence which Prometheus would have
 * evaluated last: every note carries the rank of its operator in evaluation order.  Two kinds collect
 * figures from many occurrences (repaired buckets, overlapping start times) into one text, and show the first.
 *
 * Ownership: notes borrow an arena for their texts.
 * Threads:   one at a time; workers keep their own and the results are merged in order of rows.
 */
#ifndef PROMQL_NOTES_H
#define PROMQL_NOTES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* Where a note comes from: the byte of the query text it points at, and the rank of its operator. */
struct note_place {
    uint32_t position, rank;
};
#define NOTE_NOWHERE UINT32_MAX /* shown as 1:1, as the reference shows what lost its place */

/* Classic buckets that had to be made monotonic. */
struct note_repair {
    double bound_min, bound_max, diff_max;
    int64_t time_min_ms, time_max_ms;
    uint64_t count, first; /* first: at time_min_ms */
};

/* Where a note was told, and what it collected there. */
struct note_telling {
    struct note_place place;
    uint64_t repairs, occurrences;
};

struct note {
    bool warning;
    bool prefixed;    /* starts with "PromQL warning: " and shows its place; others are storage's */
    const char *text; /* with prefix, without place; the key */
    struct note_place place;
    uint32_t first_rank;
    struct note_telling *tellings; /* each place once; for notes_repeat */
    uint32_t telling_count, telling_capacity;
    bool collects;              /* figures, and keeps the first place */
    struct note_repair *repair; /* NULL, or printed after the text */
    uint64_t occurrences;       /* printed when > 1 and `counted` */
    bool counted;
};

enum { NOTES_MAX = 4096 }; /* texts kept; at most ten of a kind are ever shown */

struct notes {
    struct arena *arena; /* borrowed */
    uint32_t count, capacity;
    struct note *list;   /* in the arena; order of first occurrence */
    uint64_t dropped[2]; /* infos and warnings past NOTES_MAX, which are only counted */
    uint32_t *slots;     /* hash of text to index + 1 */
    uint32_t slot_count;
    struct slice suspect; /* range_suspect: the metric that was told last, and where */
    struct note_place suspect_at;
};

void notes_init(struct notes *n, struct arena *arena);
/* The format gives the text after "PromQL warning: " or "PromQL info: ". */
void notes_warn(struct notes *n, struct note_place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void notes_info(struct notes *n, struct note_place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* `metric` empty: the text does not name one. */
/* Several repairs as one: telling them together is telling each of them. */
void note_repair_combine(struct note_repair *a, const struct note_repair *b);
void notes_repair(struct notes *n, struct note_place at, struct slice metric, const struct note_repair *repair);
void notes_overlap(struct notes *n, struct note_place at, struct slice metric);
/* A warning as it is, without prefix or place (from storage). */
void notes_plain_warning(struct notes *n, const char *text);
/* Adds all of `from`, whose texts may die afterwards. */
void notes_merge(struct notes *n, const struct notes *from);
/*
 * Tells what operators of rank lo..hi have told once more, as operators `rank` later whose text stands `position`
 * further on (both may wrap around to mean earlier).
 */
void notes_repeat(struct notes *n, uint32_t lo, uint32_t hi, uint32_t rank, uint32_t position);
void notes_clear(struct notes *n); /* forgets the list; the arena is the owner's business */

/*
 * The texts as a response shows them: at most ten of a kind, then "N more ... omitted", in order of
 * evaluation.  `query` is the query's text, for line and column.
 */
struct note_texts {
    uint32_t warning_count, info_count;
    const char *const *warnings, *const *infos;
};
void notes_render(const struct notes *n, struct slice query, struct arena *arena, struct note_texts *out);

/* %q of a metric name in a note: a Go-quoted copy in the notes' arena. */
const char *notes_quote(struct notes *n, struct slice text);
/* %g of a number, likewise. */
const char *notes_number(struct notes *n, double v);

#endif
