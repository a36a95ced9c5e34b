/*
 * run.h - a query's execution and its result, which is one object to its end.
 */
#ifndef PROMQL_RUN_H
#define PROMQL_RUN_H

#include "promql/exec.h"

struct run {
    struct result result; /* first: a result is a run to those who free it */
    struct exec x;
    struct node *root;       /* resolved */
    struct clock *clock;     /* for the statistics */
    struct query_plan *plan; /* the result's, while it is filled in */
    bool packed;             /* rows of a matrix are packed (packed.h) */
};

/* result.c: reads the root operator into the result. */
MUST_CHECK enum err result_read_vector(struct run *r, struct oper *root); /* instant: in order of evaluation */
MUST_CHECK enum err result_read_matrix(struct run *r, struct oper *root); /* range: sorted by labels */
MUST_CHECK enum err result_read_scalar(struct run *r, struct oper *root);
/* A range vector: samples as they are, of an instant query. */
MUST_CHECK enum err result_read_samples(struct run *r, const struct node *matrix, enum plan_look look);
MUST_CHECK enum err result_sort(struct run *r);

#endif
