/*
 * crew.h - helper threads of an engine, lent to whichever query has work.
 *
 * A query's thread posts a job and works on it itself; idle helpers join in, at most as many as it wants.  A job
 * that no helper has time for is done by its own thread alone.
 *
 * Threads: any may post; a job is run by its poster and by helpers side by side.
 */
#ifndef PROMQL_CREW_H
#define PROMQL_CREW_H

struct crew;

struct crew *crew_new(unsigned helpers);
void crew_free(struct crew *c); /* accepts NULL; no job may be left */
/* run(ctx, 0) here, run(ctx, 1) .. run(ctx, helpers) elsewhere or not at all; returns when all have returned. */
void crew_run(struct crew *c, unsigned helpers, void (*run)(void *ctx, unsigned worker), void *ctx);

#endif
