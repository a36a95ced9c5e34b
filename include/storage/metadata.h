/*
 * metadata.h - what is known about a metric family: type, help, unit.
 *
 * Threads: plain values.
 */
#ifndef STORAGE_METADATA_H
#define STORAGE_METADATA_H

#include <stdbool.h>

#include "base/slice.h"

/* Numbers as in remote write 1.0. */
enum metadata_type {
    METADATA_UNKNOWN,
    METADATA_COUNTER,
    METADATA_GAUGE,
    METADATA_HISTOGRAM,
    METADATA_GAUGE_HISTOGRAM,
    METADATA_SUMMARY,
    METADATA_INFO,
    METADATA_STATESET,
};
const char *metadata_type_name(enum metadata_type type); /* "counter", "gaugehistogram", ... as in the API */

struct metadata {
    struct slice metric; /* family name, as sent */
    enum metadata_type type;
    struct slice help, unit;
};
typedef bool (*metadata_visit)(void *ctx, const struct metadata *entry); /* false stops */

#endif
