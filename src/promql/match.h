/*
 * match.h - how series of two vectors find each other: signatures.
 *
 * A signature is the labels of on(...), or all labels but the metric's name and those of ignoring(...);
 * it is represented by its hash, and numbered per operation.
 */
#ifndef PROMQL_MATCH_H
#define PROMQL_MATCH_H

#include "promql/grouping.h"

struct signatures {
    uint32_t count;               /* different ones, of both sides */
    uint32_t *of_left, *of_right; /* [rows] */
};
MUST_CHECK enum err signatures_make(struct signatures *out, const struct matching *m, const struct oper *left,
                                    const struct oper *right);
/* The labels that the signature consists of. */
struct labels signature_labels(const struct matching *m, const struct labels *labels, struct arena *arena);

/* A vector-vector operation: which side is the "one". */
struct match_side {
    struct oper *op;
    const uint32_t *signature; /* [rows] */
    struct matrix rows;
};

struct match {
    struct oper base;
    const struct binary_node *node;
    bool swapped; /* the one side is on the left */
    struct signatures signatures;
    struct match_side many, one;
    struct name_set names; /* of on() or ignoring() */
    uint32_t *partner;     /* by rows: [many rows], row of the one side + 1 */
    struct rowset rows;    /* by steps */
};

/* Labels of the result of a pair. */
struct labels match_labels(const struct match *m, const struct labels *many, const struct labels *one);
/*
 * skip.c: after both sides are prepared, whether rows may be left unread - not where somebody looks at the numbers of
 * samples, nor where it could decide about their limit.
 */
bool rows_may_be_skipped(const struct oper *left, const struct oper *right);
/* `side`, an input of op, need not read rows whose signature is not wanted. */
MUST_CHECK enum err rows_skip(struct oper *op, struct oper *side, const uint32_t *signature, const uint64_t *wanted);
/* The signatures that occur among rows; bits [count]. */
MUST_CHECK enum err signatures_seen(struct exec *x, const uint32_t *signature, uint32_t rows, uint32_t count,
                                    uint64_t **out);
/* While planning: what a plan says before it is known how many. */
void rows_skip_remark(struct oper *side);
/* match_steps.c: the operation step by step, with everything that can go wrong. */
MUST_CHECK enum err match_by_steps(struct match *m);

#endif
