/* metadata.c - names of metric types as Prometheus' API writes them. */
#include "storage/metadata.h"

const char *metadata_type_name(enum metadata_type type)
{
    switch (type) {
    case METADATA_COUNTER:
        return "counter";
    case METADATA_GAUGE:
        return "gauge";
    case METADATA_HISTOGRAM:
        return "histogram";
    case METADATA_GAUGE_HISTOGRAM:
        return "gaugehistogram";
    case METADATA_SUMMARY:
        return "summary";
    case METADATA_INFO:
        return "info";
    case METADATA_STATESET:
        return "stateset";
    case METADATA_UNKNOWN:
        break;
    }
    return "unknown";
}
