/*
 * engine.h - what all queries of one engine share: its options and its helper threads.
 *
 * Threads: immutable after engine_new, but for the crew's own lock.
 */
#ifndef PROMQL_ENGINE_H
#define PROMQL_ENGINE_H

#include "promql/promql.h"

struct crew;
struct step_kernels;

struct engine {
    struct engine_options options;
    const struct step_kernels *kernels;
    struct crew *crew; /* NULL: queries run on the caller's thread alone */
};

#endif
