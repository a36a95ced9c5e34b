/*
 * select_fill.h - samples of an instant selector put onto the grid.
 *
 * Which sample a step sees depends on times only, so it is found once for all series that share their
 * timestamps.
 */
#ifndef PROMQL_SELECT_FILL_H
#define PROMQL_SELECT_FILL_H

#include "promql/range.h"
#include "promql/select.h"

struct select_op {
    struct oper base;
    const struct node *selector;
    const struct vector_selector_node *vs;
    bool smoothed; /* timestamp() of a smoothed selector looks at the samples as they are */
    enum select_yield yield;
    bool sorted;
    const struct name_list *needed; /* labels; NULL: all */
    int64_t mint_ms, maxt_ms;       /* of samples to read, inclusive */
    struct series_set *set;
    const uint32_t *chosen; /* rows of the set; NULL: all of them */
    const uint64_t *wanted; /* bits of rows that are looked at; NULL: all */
};

enum { SELECT_NONE = UINT32_MAX };

/* The sample that each step sees: the newest one within the lookback. */
struct sightings {
    uint64_t times_id;
    uint32_t count;
    int64_t first_ms;
    uint32_t lo, hi; /* steps that see one lie in [lo, hi) */
    bool complete;   /* all of those do */
    bool in_turn;    /* complete, and each sees the one behind that of the step before */
    uint32_t *index; /* [steps]: of the sample, or SELECT_NONE */
};

/* What a worker keeps between series. */
struct select_state {
    struct series_reader *reader;
    struct column_space space;     /* smoothed */
    struct sightings own, *shared; /* shared: by times_id */
    uint32_t shared_count;
};

MUST_CHECK enum err select_fill(struct select_op *s, struct worker *w, struct select_state *state,
                                struct samples *samples, struct batch *b, uint32_t row);
/* `series` is the row of the set, for its name. */
MUST_CHECK enum err select_fill_smoothed(struct select_op *s, struct worker *w, struct select_state *state,
                                         const struct samples *samples, uint32_t series, struct batch *b, uint32_t row);
void select_count(struct select_op *s, struct worker *w, uint32_t step, uint64_t points);

#endif
