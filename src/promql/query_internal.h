/*
 * query_internal.h - a parsed query, and how it becomes a tree that can be executed.
 *
 * The parsed tree is kept as written, so one query can be executed many times and printed; each
 * execution resolves it into a copy of its own (promql/ast.h says what a resolved tree promises).
 *
 * Ownership: struct query owns its arena; text, nodes and compiled regexes live in it.
 * Threads:   parsed queries are immutable: any number of executions may resolve one side by side.
 */
#ifndef PROMQL_QUERY_INTERNAL_H
#define PROMQL_QUERY_INTERNAL_H

#include "promql/ast.h"
#include "promql/promql.h"

struct query {
    struct arena arena;
    struct slice text; /* in the arena */
    struct node *root;
    unsigned features;  /* enum promql_feature bits it was parsed with */
    uint32_t depth_max; /* nesting that walks of this tree may meet */
};

struct resolve_params {
    int64_t start_ms, end_ms;    /* of the whole query; equal for an instant query */
    int64_t step_ms;             /* 0 = instant query */
    int64_t default_interval_ms; /* step of subqueries without one */
    int64_t lookback_ms;
};

/*
 * Copies the parsed tree into `arena`, resolved.  ERR_INVALID: a duration that makes no sense on this
 * grid; the text is Prometheus' ("2:8: duration must be greater than 0").
 */
MUST_CHECK enum err query_resolve(const struct query *q, const struct resolve_params *p, struct arena *arena,
                                  struct node **out, struct errmsg *why);

/* The last pass of it. */
void resolve_times(struct node *root, int64_t start_ms, int64_t lookback_ms);

/* The same from text, with explicit settings instead of an engine's. */
struct parse_options {
    unsigned features;         /* enum promql_feature bits */
    uint32_t length_max;       /* bytes; 0 = the built-in bound */
    uint32_t depth_max;        /* 0 = the built-in bound */
    struct mem_budget *budget; /* may be NULL */
};
MUST_CHECK enum err query_parse(struct slice text, const struct parse_options *o, struct query **out,
                                struct errmsg *why);

#endif
