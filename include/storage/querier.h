/*
 * querier.h - the contract between those who ask (promql, api) and those who keep samples (tsdb).
 *
 * A storage hands out a querier for a time range; the querier pins what it needs (blocks, head) until
 * it is closed.  select() answers with the series' labels first (index only); samples are decoded
 * later, one series at a time, by any number of readers side by side.
 *
 *     struct querier *q;
 *     TRY(storage->ops->querier(storage, mint_ms, maxt_ms, &q, why));
 *     struct series_set *set;
 *     err = q->ops->select(q, &selector, arena, cancel, &set, why);
 *     struct series_reader *r = set->ops->reader(set);
 *     for (uint32_t i = 0; i < set->count; i++)
 *         err = r->ops->read(r, i, mint_ms, maxt_ms, &samples, why);   // samples live until the next read
 *     r->ops->close(r);
 *     q->ops->close(q);                                                 // frees its sets too
 *
 * Ownership: a set and its labels live until the querier is closed.  Samples live until the reader's
 *            next read or close.
 * Threads:   a querier may be used by one thread at a time; a set is immutable once made, readers of
 *            the same set may run on different threads, each reader on one.
 * Errors:    a select past a limit is ERR_LIMIT and names the selector; corrupt chunks are left out
 *            and reported as warnings, not errors.
 */
#ifndef STORAGE_QUERIER_H
#define STORAGE_QUERIER_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "base/lock.h"
#include "model/histogram.h"
#include "model/label.h"
#include "model/matcher.h"

/*
 * Texts that end as "warnings" in a response; a bounded list, duplicates dropped.  A zeroed struct is
 * empty.  Readers on several threads add to one list; read it when they are done.  Does not move.
 */
struct warnings {
    struct arena *arena; /* of the request, for its owner; adding does not touch it */
    uint32_t count;
    const char *list[16]; /* into text */
    struct mutex lock;    /* of the fields above while adding */
    char text[16][240];
};
void warnings_add(struct warnings *w, const char *fmt, ...) PRINTF_LIKE(2, 3); /* accepts NULL; any thread */

struct selector {
    const struct matcher *matchers;
    uint32_t matcher_count;
    int64_t mint_ms, maxt_ms;  /* inclusive; within the querier's range */
    bool sorted;               /* series by labels_cmp; false: any order may come back */
    uint64_t series_max;       /* 0 = no limit; past it ERR_LIMIT */
    uint64_t series_limit;     /* a hint: any so many series are enough; 0 = all */
    struct warnings *warnings; /* may be NULL */
    /*
     * Projected: who asks looks at few labels.  Label sets that come back hold at least the pairs of these names and of
     * the metadata labels (__name__, __type__, __unit__); their hashes are those of all pairs.  A source may give all.
     */
    bool projected;
    const struct slice *needed; /* [needed_count] */
    uint32_t needed_count;
};
/* Whether label sets hold pairs of this name even when they are projected. */
bool selector_shows_always(struct slice name);

/* Samples of one series in a time range, oldest first, times strictly increasing. */
struct samples {
    uint32_t count;
    const int64_t *times_ms;
    const double *values;                 /* undefined where hists[i] is not NULL */
    const struct histogram *const *hists; /* NULL: no native histograms here; else [count], NULL = float */
    const int64_t *start_times_ms;        /* NULL: none; else [count], 0 = unknown */
    uint64_t times_id; /* not 0: two reads with this id, same count and first time have the same times */
};

struct series_reader;
struct series_reader_ops {
    /* Samples with mint <= t <= maxt of series i.  Stale markers are values (model/value.h). */
    enum err (*read)(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                     struct errmsg *why);
    /* Newest sample with mint <= t <= maxt: out->count is 0 or 1.  Cheaper than read. */
    enum err (*last)(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                     struct errmsg *why);
    void (*close)(struct series_reader *r);
};
struct series_reader {
    const struct series_reader_ops *ops;
};

struct series_set;
struct series_set_ops {
    struct series_reader *(*reader)(struct series_set *set);
};
struct series_set {
    const struct series_set_ops *ops;
    uint32_t count;
    const struct labels *labels; /* [count] */
};

/*
 * A census: how many series have a sample, per group, without a label set for each of them.  It is what
 * count() and group() of a selector at one instant need; over a million series the label sets
 * alone would cost a hundred megabytes.
 *
 *     TRY(q->ops->census(q, &request, arena, cancel, &census, why));
 *     if (census) {                                   // NULL: not for these sources; select() instead
 *         err = census->ops->work(census, why);       // any number of threads side by side; returns when none is left
 *         err = census->ops->finish(census, &result, why);
 *         census->ops->close(census);
 *     }
 */
struct census_request {
    const struct selector *selector; /* newest samples with mint <= t <= maxt count */
    const struct slice *names;       /* of the grouping, sorted, no duplicates; lives until close */
    uint32_t name_count;
    bool without;      /* groups by all labels but these */
    bool passes_stale; /* a stale marker makes room for the sample before it; else it hides the series */
    uint64_t (*points)(const struct histogram *h); /* what a histogram counts for in `points`; any thread */
};
struct census_group {
    struct labels labels;
    uint64_t series;
};
struct census_result {
    struct census_group *groups; /* in the order of their first series by labels_cmp; in the arena */
    uint32_t group_count;
    uint64_t series, points; /* points: floats count one */
    uint64_t samples;        /* about how many of the series' samples lie in the range */
    uint64_t most;           /* about the most of one series */
};
struct census;
struct census_ops {
    enum err (*work)(struct census *c, struct errmsg *why);
    enum err (*finish)(struct census *c, struct census_result *out, struct errmsg *why);
    void (*close)(struct census *c);
};
struct census {
    const struct census_ops *ops;
    uint64_t series_most; /* how many series will be looked at, at most: whether helpers pay */
};

/* Called once per name or value, sorted bytewise, no duplicates; false stops. */
typedef bool (*name_visit)(void *ctx, struct slice name);

struct querier;
struct querier_ops {
    enum err (*select)(struct querier *q, const struct selector *sel, struct arena *arena, struct cancel *cancel,
                       struct series_set **out, struct errmsg *why);
    /*
     * Names of labels / values of one label over series that match (no matchers = all); at most `limit` (0 = all),
     * any of them: with a limit the work follows the answer, not the index.
     */
    enum err (*label_names)(struct querier *q, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                            name_visit visit, void *ctx, struct errmsg *why);
    enum err (*label_values)(struct querier *q, struct slice name, const struct selector *sel, uint64_t limit,
                             struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why);
    void (*close)(struct querier *q);
    /* May be NULL; *out = NULL: cannot be had.  Labels of groups live until the querier is closed. */
    enum err (*census)(struct querier *q, const struct census_request *request, struct arena *arena,
                       struct cancel *cancel, struct census **out, struct errmsg *why);
};
struct querier {
    const struct querier_ops *ops;
    int64_t mint_ms, maxt_ms; /* inclusive */
};

struct storage;
struct storage_ops {
    enum err (*querier)(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out, struct errmsg *why);
};
struct storage {
    const struct storage_ops *ops;
};

/* Whether a label set satisfies all matchers (missing label = ""). */
bool matchers_match(const struct matcher *matchers, uint32_t count, const struct labels *labels);
bool matcher_matches(const struct matcher *m, struct slice value);

#endif
