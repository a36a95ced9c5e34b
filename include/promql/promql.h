/*
 * promql.h - the query engine: text in, Prometheus' answer out.
 *
 *     struct query *q;
 *     err = promql_parse(text, &parse_options, &q, why);            // ERR_INVALID: text as Prometheus prints it
 *     err = promql_exec(engine, q, &params, cancel, &result, why);   // ERR_* -> see below
 *     ... promql_result_free(result); promql_query_free(q);
 *
 * Errors of exec: ERR_INVALID "execution" (422), ERR_LIMIT (422), ERR_TIMEOUT (503), ERR_CANCELED (499 text
 * "query was canceled in expression evaluation"), others internal (500).
 *
 * Ownership: query and result own an arena each; labels in a result may borrow from the storage and
 *            stay valid until promql_result_free (the result keeps its queriers open).
 * Threads:   an engine is shared by all; a query or result is used by one thread at a time.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include "base/cancel.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/histogram.h"
#include "model/label.h"
#include "storage/querier.h"

struct engine;
struct query;

enum promql_feature { /* bits; names as in --enable-feature */
                      PROMQL_EXPERIMENTAL_FUNCTIONS = 1,
                      PROMQL_DURATION_EXPR = 2,
                      PROMQL_DELAYED_NAME_REMOVAL = 4,
                      PROMQL_EXTENDED_RANGE_SELECTORS = 8,
                      PROMQL_BINOP_FILL_MODIFIERS = 16,
                      PROMQL_TYPE_AND_UNIT_LABELS = 32,
                      PROMQL_USE_START_TIMESTAMPS = 64,
                      PROMQL_ALL_FEATURES = 127,
};

struct engine_options {
    struct storage *storage;     /* borrowed; NULL: the engine only parses */
    unsigned features;           /* enum promql_feature bits */
    int64_t lookback_ms;         /* default 5 m */
    int64_t default_interval_ms; /* subquery step without a value: 1 m */
    uint64_t samples_max;        /* --query.max-samples: 50,000,000 */
    struct mem_budget *budget;   /* all queries together; may be NULL */
    uint64_t query_bytes_max;    /* one query's memory; 0 = none */
    uint32_t query_length_max;   /* bytes of text */
    uint32_t depth_max;          /* nesting */
    unsigned workers;            /* threads for one query; 0 or 1 = the caller's thread only */
};
void engine_options_default(struct engine_options *o);
struct engine *engine_new(const struct engine_options *o);
void engine_free(struct engine *e);

enum value_type { VALUE_NONE, VALUE_SCALAR, VALUE_VECTOR, VALUE_MATRIX, VALUE_STRING };
const char *value_type_name(enum value_type t); /* "scalar", "vector", "matrix", "string" (JSON resultType) */

MUST_CHECK enum err promql_parse(struct engine *e, struct slice text, struct query **out, struct errmsg *why);
enum value_type promql_query_type(const struct query *q);
/* The matchers of match[]={...}: a vector selector and nothing else (series, labels, federate). */
MUST_CHECK enum err promql_parse_selector(struct slice text, struct arena *arena, struct matcher_set *out,
                                          struct errmsg *why);
void promql_query_free(struct query *q);
/* Function number i of the language by name; NULL: there are no more. */
const char *promql_function_name(uint32_t i, bool *experimental);
/* The matchers of each selector in the query, as written; the list in `arena`, the matchers live with the query. */
uint32_t promql_selectors(const struct query *q, struct arena *arena, struct matcher_set **out);
void promql_format(const struct query *q, struct buf *out);   /* pretty-printed, as format_query */
void promql_print(const struct query *q, struct buf *out);    /* one line, as expr.String() */
void promql_ast_json(const struct query *q, struct buf *out); /* as parse_query */

enum plan_look {
    PLAN_NONE,
    PLAN_EXPLAIN, /* the plan instead of an answer: nothing but the index and some samples is read */
    PLAN_ANALYZE, /* the plan with the answer */
};

struct exec_params {
    int64_t start_ms, end_ms; /* equal for an instant query */
    int64_t step_ms;          /* 0 = instant query */
    int64_t lookback_ms;      /* 0 = the engine's */
    bool stats; /* the result's statistics will be shown: they are exact then, not estimates where those are cheaper */
    bool per_step_stats;
    struct storage *storage; /* NULL = the engine's; borrowed until the result is freed */
    bool packed;             /* points of a range query in a third of the memory: read them with promql_points */
    bool keep_failed; /* a query that fails leaves a result, too: freeing gigabytes can wait until its error is told */
    enum plan_look look;
};

struct point {
    int64_t t_ms;
    double v;
    const struct histogram *h; /* NULL: a float */
};

struct result_series {
    struct labels labels;
    uint32_t point_count;
    const struct point *points; /* a vector has one point; NULL when they are packed */
    const struct packed_points *packed;
};
/* The points, unpacked into scratch[point_count] when they have to be. */
const struct point *promql_points(const struct result_series *s, struct point *scratch);

struct query_stats {
    double eval_total_s, queue_s, exec_total_s, preparation_s, inner_eval_s, sort_s;
    uint64_t total_queryable_samples, samples_read, peak_samples;
    uint64_t series_fetched;                  /* of all selectors, whether samples were found or not */
    uint64_t peak_bytes;                      /* memory, at its most */
    uint32_t step_count;                      /* for per-step statistics */
    const uint64_t *per_step, *read_per_step; /* NULL unless asked for; [step_count] */
};

/* Before a query runs: series from the index, samples from those of some series, memory from both. */
struct plan_expected {
    uint64_t series, samples, bytes;
};
struct plan_operator {
    const char *name;
    struct slice expression; /* of the query's text */
    uint32_t id, steps, input_count, inputs[12];
    struct plan_expected expected;
    uint64_t rows, tiles, points, samples; /* of PLAN_ANALYZE; samples: looked at */
    double seconds;                        /* of all threads, without the inputs' */
    const char *spared;                    /* what the optimiser leaves out; NULL: nothing */
};
struct query_plan {
    uint32_t steps, count, omitted; /* operators: those that are left out */
    bool analyzed;
    struct plan_expected expected;
    struct plan_operator *operators; /* [count], the last one to be evaluated first */
};

struct result {
    enum value_type type;
    uint64_t series_count;
    struct result_series *series; /* vector: evaluation order; matrix: sorted by labels */
    int64_t scalar_t_ms;
    double scalar;
    struct slice string;
    uint32_t warning_count, info_count; /* complete texts, in order of first occurrence */
    const char *const *warnings;
    const char *const *infos;
    struct query_stats stats;
    const struct query_plan *plan; /* NULL unless asked for */
};
/*
 * Whether the query makes sense on this grid (duration expressions); exec checks it, too.  ERR_INVALID is
 * answered as a parse error: 400 bad_data, not 422.
 */
MUST_CHECK enum err promql_prepare(struct engine *e, const struct query *q, const struct exec_params *p,
                                   struct errmsg *why);
/* On an error *out is NULL, or with keep_failed a result that is good for nothing but being freed. */
MUST_CHECK enum err promql_exec(struct engine *e, struct query *q, const struct exec_params *p, struct cancel *cancel,
                                struct result **out, struct errmsg *why);
/*
 * The result will be read slowly: it copies the labels of series [first, ...) and closes its queriers; those before are
 * not valid any more.  False: no memory for it, nothing has changed.
 */
bool promql_result_detach(struct result *r, uint64_t first);
void promql_result_free(struct result *r);

#endif
