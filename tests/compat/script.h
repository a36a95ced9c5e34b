/*
 * script.h - PromQL conformance scripts in the format of Prometheus' promqltest, as a list of commands.
 *
 *     clear
 *     load 5m
 *       metric{a="b"} 1+1x10 _ stale {{schema:0 sum:3 count:2 buckets:[1 1]}}x3
 *     eval range from 0 to 10m step 1m sum(metric)
 *       expect no_warn
 *       {} 1 2 3
 *
 * Ownership: everything lives in the script's arena; script_deinit frees it.
 * Threads:   one at a time.
 */
#ifndef COMPAT_SCRIPT_H
#define COMPAT_SCRIPT_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/label.h"
#include "regex/regex.h"

/* One place in a sequence of values. */
struct script_value {
    bool omitted;
    bool hint_given; /* histograms: the reset hint was written down, so it is compared */
    double value;
    const struct histogram *h; /* NULL: a float */
};

struct script_values {
    uint32_t count;
    struct script_value *list;
};

struct script_series {
    struct labels labels;
    struct script_values values;
    struct script_values start_offsets; /* @st line: ms relative to each sample; count 0 = none */
};

struct script_load {
    int64_t step_ms;
    bool with_nhcb; /* classic histograms are loaded as native ones with custom buckets, too */
    uint32_t count;
    struct script_series *series;
};

enum script_expect_kind {
    EXPECT_ORDERED,
    EXPECT_FAIL,
    EXPECT_WARN,
    EXPECT_NO_WARN,
    EXPECT_INFO,
    EXPECT_NO_INFO,
    EXPECT_KIND_COUNT,
};

struct script_expect {
    struct slice text;         /* the whole message, or the pattern as written */
    const struct regex *regex; /* finds the pattern anywhere; NULL: a message */
};

struct script_expects {
    uint32_t count;
    struct script_expect *list;
};

struct script_eval {
    struct slice expr;
    bool range;
    int64_t start_ms, end_ms, step_ms; /* instant: start = end = the time asked; matrix: times of the points */
    int64_t eval_ms;                   /* instant: when to evaluate */
    bool range_vector;                 /* an instant query that answers with a matrix */
    bool no_range_check;               /* the same in the middle of a range query makes no sense */
    bool must_warn, must_info;         /* eval_warn, eval_info: any text will do */
    struct script_expects expects[EXPECT_KIND_COUNT];
    bool has_string, has_scalar;
    struct slice string;
    double scalar;
    uint32_t count;
    struct script_series *series;
};

enum script_kind { SCRIPT_CLEAR, SCRIPT_LOAD, SCRIPT_EVAL };

struct script_command {
    enum script_kind kind;
    uint32_t line; /* from 1 */
    union {
        struct script_load load;
        struct script_eval eval;
    };
};

struct script {
    struct arena arena;
    struct script_command *commands;
    size_t count, capacity;
};

/* ERR_INVALID names the line. */
MUST_CHECK enum err script_parse(struct slice text, struct script *out, struct errmsg *why);
void script_deinit(struct script *s);

/* A line of a load or of expected results: labels, white space, values.  script_series.c */
MUST_CHECK enum err script_parse_series(struct slice line, struct arena *arena, struct script_series *out,
                                        struct errmsg *why);
/* The labels in front of a line; *rest is what follows them. */
MUST_CHECK enum err script_parse_metric(struct slice line, struct arena *arena, struct labels *out, struct slice *rest,
                                        struct errmsg *why);
/* {{...}} up to its end; *rest is what follows.  script_histogram.c */
MUST_CHECK enum err script_parse_histogram(struct slice text, struct arena *arena, struct script_value *out,
                                           struct slice *rest, struct errmsg *why);

/* ---- Reading words: script_words.c ---- */

struct slice script_trim(struct slice s);
struct slice script_word(struct slice *s);           /* up to white space; *s goes on behind it */
bool script_skip(struct slice *s, const char *text); /* if s starts so */
/* A float as a sequence may hold it ("1", "-0.5e3", "Inf", "NaN"); *s goes on behind it. */
bool script_number(struct slice *s, double *out);
bool script_count(struct slice *s, uint64_t *out);

#endif
