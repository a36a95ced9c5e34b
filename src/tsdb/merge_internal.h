/* merge_internal.h - shared by merge_querier.c, merge_labels.c and merge_reader.c. */
#ifndef TSDB_MERGE_INTERNAL_H
#define TSDB_MERGE_INTERNAL_H

#include "tsdb/merge_querier.h"

struct merge_querier {
    struct querier base; /* first */
    struct merge_source *sources;
    uint32_t source_count;
    const char *const *problems;
    uint32_t problem_count;
    _Atomic uint64_t *times_ids;
    void (*release)(void *ctx);
    void *release_ctx;
};

/* Series i of one source's set. */
struct merge_part {
    uint32_t set, series;
};

struct merge_set {
    struct series_set base; /* first */
    int64_t mint_ms;        /* of the querier */
    uint32_t set_count;     /* sources that had series, in rising precedence */
    struct series_set **sets;
    int64_t *maxt_ms; /* [set_count] */
    uint32_t *first;  /* [count + 1] into parts; NULL: a single source, part i is {0, i} */
    struct merge_part *parts;
    _Atomic uint64_t *times_ids;
};

struct series_reader *merge_reader_new(struct series_set *set);

enum err merge_label_names(struct querier *q, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                           name_visit visit, void *ctx, struct errmsg *why);
enum err merge_label_values(struct querier *q, struct slice name, const struct selector *sel, uint64_t limit,
                            struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why);
/* Damage in one source: the others answer, with a warning.  False: err is none, or ends the query. */
bool merge_passes_over(enum err err, const struct selector *sel, const struct errmsg *text);
/* The selector as a source gets it: range clamped to the querier's. */
struct selector merge_selector(const struct merge_querier *q, const struct selector *sel);

#endif
