/*
 * range.h - functions of range vectors: what they are given, how they are declared.
 *
 * For each series its samples are laid out as a column (floats and histograms apart, stale markers
 * gone) and the window of every step as a pair of indices into it; then the function computes all
 * steps in one go.  Windows depend on times only, so series that share their timestamps share them.
 *
 * A function has up to three forms:
 *   floats  all steps from the float windows alone.
 *   hist    one step whose window holds histograms only; with it the function is of the kind that warns
 *           about a mix in one window and yields nothing there.  Without it histograms are ignored, with an info
 *           when floats are there, too.
 *   mixed   all steps of a column that holds histograms; replaces both rules above.
 */
#ifndef PROMQL_RANGE_H
#define PROMQL_RANGE_H

#include "promql/exec.h"
#include "promql/scratch.h"

struct column {
    uint32_t float_count, hist_count;
    const int64_t *float_times, *hist_times;
    const double *values;
    const struct histogram *const *hists;
    const int64_t *float_starts, *hist_starts; /* start timestamps; NULL when not in use */
    uint64_t times_id; /* not 0: columns with this id, count and first time have the same float times */
};

/* Samples lo <= i < hi of a column, per step. */
struct window {
    uint32_t lo, hi;
};

static inline uint32_t window_count(struct window w)
{
    return w.hi - w.lo;
}

/* What rate and its kin need of a window's times: nothing of it depends on values. */
struct extrapolation {
    double sampled;  /* seconds between first and last sample */
    double to_start; /* from the range's start to the first sample, or half an interval */
    double to_end;
    double factor; /* of the result, unless a counter would fall below zero */
};

/* Windows of a column of times on a grid. */
struct windows {
    uint64_t times_id; /* 0: of no other column */
    uint32_t count;    /* samples */
    int64_t first_ms;
    bool has_terms;
    uint32_t shortest;                 /* samples in the shortest window */
    uint64_t points, read, most, last; /* of all windows; new in each; of the longest; of the last */
    struct window *float_windows;
    struct extrapolation *terms; /* made on demand */
};

/* Columns laid out anew because samples had to be left out or parted; grows, never shrinks. */
struct column_space {
    struct scratch memory; /* of all of these */
    int64_t *float_times, *hist_times, *float_starts, *hist_starts;
    double *values;
    const struct histogram **hists;
};
void column_space_deinit(struct column_space *space);
/* Without stale markers; borrows the samples' arrays when nothing has to be left out.  False when memory ends. */
MUST_CHECK bool column_of_samples(struct column *col, const struct samples *s, bool use_starts, struct exec *x,
                                  struct column_space *space);
/* The present cells of a subquery's row, at the times of its grid.  False when memory ends. */
MUST_CHECK bool column_of_row(struct column *col, const struct batch *b, uint32_t row, const int64_t *times,
                              uint64_t times_id, struct worker *w, struct column_space *space);

/* Copies of the series in hand for windows side by side; see range_lanes.h. */
struct lane_space {
    struct scratch memory; /* of doubles */
    size_t pitch;
    uint32_t phases; /* 0: none yet */
};
struct lane_spaces {
    struct lane_space values, times, block;
};
void lane_spaces_deinit(struct lane_spaces *spaces);

struct range_op;

/* One series being computed. */
struct range_call {
    const struct range_op *op;
    struct worker *w;
    const struct column *col;
    const struct window *windows;      /* [steps] of floats */
    const struct window *hist_windows; /* [steps]; valid when col->hist_count > 0 */
    struct windows *shared;            /* where terms may be kept */
    struct slice metric;               /* the series' name, for annotations */
    uint32_t steps;
    struct batch *b;
    uint32_t row;
    double *v;         /* output */
    uint64_t *present; /* output */
    struct lane_spaces *lanes;
    uint32_t *scratch; /* [4 * (samples + 1)], 16-aligned */
    enum err err;      /* set by functions whose parameters can be wrong; the text is in w->why */
};

/* Before so much work: whether to stop, because the query is over or has failed. */
static inline bool range_stop(struct range_call *c, uint64_t work_ns)
{
    if (c->err == ERR_OK)
        c->err = worker_go_on(c->w, work_ns);
    return c->err != ERR_OK;
}

struct range_function {
    enum function_id id;
    void (*floats)(struct range_call *c);
    void (*hist)(struct range_call *c, uint32_t step);
    void (*mixed)(struct range_call *c);
    bool keeps_name;
};
const struct range_function *range_function_find(enum function_id id);

/* What the two steps of interpolating between histograms had to tell: enum histogram_note bits. */
struct interpolation_notes {
    unsigned subtraction, addition;
};

struct range_op {
    struct oper base;
    const struct range_function *function;
    const struct node *matrix; /* NODE_MATRIX_SELECTOR or NODE_SUBQUERY */
    const struct modifiers *mod;
    int64_t range_ms;
    int64_t before_ms, after_ms;    /* anchored, smoothed: how far windows reach past the range */
    int64_t mint_ms, maxt_ms;       /* of samples to read, inclusive */
    struct series_set *set;         /* of a selector */
    const struct name_list *needed; /* labels of its series; NULL: all */
    struct oper *child;             /* of a subquery */
    int64_t *child_times;           /* [child->grid.count] */
    uint32_t param_count;
    struct oper *params[2];  /* scalars */
    const double *values[2]; /* theirs, per step */
    uint32_t *classes;       /* of equal output labels; NULL: all differ */
    _Atomic uint32_t *taken; /* per class: row that has points, + 1 */
};

/* The time a step looks at, and the seconds of the range. */
int64_t range_time(const struct range_op *op, uint32_t step);
static inline double range_seconds(const struct range_op *op)
{
    return (double)(op->range_ms / 1000) + (double)(op->range_ms % 1000 * 1000000) / 1e9;
}

static inline void range_put(struct range_call *c, uint32_t step, double v)
{
    c->v[step] = v;
    bits_set(c->present, step);
}
/* Copies h: results share memory with samples, which die with the next series. */
void range_put_hist(struct range_call *c, uint32_t step, const struct histogram *h);
/* Where annotations of range functions point: the matrix argument. */
struct note_place range_place(const struct range_call *c);

/* Tells that the row is a rate of what looks like no counter. */
void range_suspect(struct range_call *c, const struct labels *labels);

/* The same as select_op_census of last_over_time(), which has a point wherever there is a sample that is not stale. */
bool range_op_census(const struct oper *op, struct selector *sel, struct census_request *request);

/* The same as select_op_reading of a range function over a selector. */
struct reading_op;
bool range_op_reading(const struct oper *op, struct reading_op *out);
/* The same as select_op_project; false: not a range function over a selector. */
struct name_list;
bool range_op_project(struct oper *op, const struct name_list *needed);

/* The windows of `times` for every step; both ends move forward only. */
void range_windows(const struct range_op *op, const int64_t *times, uint32_t count, struct window *out);

struct oper *range_op_new(struct exec *x, const struct node *call, const struct grid *g, const struct node *matrix,
                          const struct range_function *function, struct oper *child, struct oper *const *params,
                          uint32_t param_count);

/* Forms of functions, by file. */
void range_rate(struct range_call *c); /* rate, increase, delta */
void range_irate(struct range_call *c);
void range_irate_mixed(struct range_call *c);
void range_changes(struct range_call *c);
void range_changes_mixed(struct range_call *c);
/* counts[i]: changes (or resets) among the first i + 1 samples of both kinds. */
void range_count_changes(const struct range_call *c, uint32_t *counts);
void range_sum(struct range_call *c);
void range_avg(struct range_call *c);
void range_variance(struct range_call *c);
void range_quantile(struct range_call *c);
void range_mad(struct range_call *c);
void range_extreme(struct range_call *c); /* min, max, and their times */
void range_pick(struct range_call *c);    /* first, last, and their times */
void range_pick_mixed(struct range_call *c);
void range_count(struct range_call *c); /* count, present */
void range_count_mixed(struct range_call *c);
void range_regress(struct range_call *c); /* deriv, predict_linear */
void range_smooth(struct range_call *c);
void range_rate_hist(struct range_call *c, uint32_t step);
void range_total_hist(struct range_call *c, uint32_t step); /* sum, avg */

#endif
