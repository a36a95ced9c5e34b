/*
 * print.h - pieces of printed expressions that the one-line and the pretty printer share.
 *
 * Threads: any.
 */
#ifndef PROMQL_PRINT_H
#define PROMQL_PRINT_H

#include "promql/ast.h"

void print_names(const struct name_list *names, struct buf *out);           /* a, "b.c" */
void print_aggregate_head(const struct aggregate_node *a, struct buf *out); /* sum by (a, b)  */
void print_matching(const struct matching *m, struct buf *out);             /*  on (a) group_left (b) fill (0) */
void print_binary_operator(const struct binary_node *b, struct buf *out);   /* == bool on (a) */
void print_subquery_suffix(const struct subquery_node *s, struct buf *out); /* [5m:1m] @ 1.000 offset 5m */

#endif
