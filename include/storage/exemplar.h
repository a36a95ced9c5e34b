/*
 * exemplar.h - a sample that points to a trace: its labels, value and time beside those of its series.
 *
 * Threads: plain values.
 */
#ifndef STORAGE_EXEMPLAR_H
#define STORAGE_EXEMPLAR_H

#include <stdbool.h>
#include <stdint.h>

#include "model/label.h"

struct exemplar {
    struct labels labels; /* trace_id ...; may be empty */
    int64_t time_ms;
    double value;
};
/* Exemplars of one series come one after the other, oldest first; all lives for the call; false stops. */
typedef bool (*exemplar_visit)(void *ctx, const struct labels *series, const struct exemplar *exemplar);

#endif
