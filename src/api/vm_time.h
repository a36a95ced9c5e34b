/*
 * vm_time.h - times as VictoriaMetrics' own endpoints take them.
 *
 * Seconds, milliseconds, microseconds or nanoseconds by their size; RFC 3339, also only the first parts
 * of it ("2024-03", UTC unless it says otherwise); "-1h", "now", "now-1h30m"; Prometheus' two limits.
 */
#ifndef API_VM_TIME_H
#define API_VM_TIME_H

#include "base/err.h"
#include "base/slice.h"

/* Below 0 is 0, above what milliseconds of VictoriaMetrics hold is that.  ERR_INVALID: `cannot parse "x" as time`. */
MUST_CHECK enum err vm_time_parse(struct slice text, int64_t now_ms, int64_t *ms, struct errmsg *why);

#endif
