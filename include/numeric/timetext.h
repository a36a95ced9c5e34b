/*
 * timetext.h - durations and times as Prometheus reads and prints them.
 *
 * Threads: any.
 */
#ifndef NUMERIC_TIMETEXT_H
#define NUMERIC_TIMETEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TIMETEXT_BYTES_MAX = 80 };

/*
 * "1h30m", "5m", "0": units y w d h m s ms, each at most once, in this order.  ERR_INVALID texts are
 * Prometheus': `empty duration string`, `not a valid duration string: "x"`, `duration out of range`.
 */
MUST_CHECK enum err timetext_duration_parse(struct slice text, int64_t *ms, struct errmsg *why);
/* model.Duration.String: "1h30m", "90d" only when a whole number of y, w, d; "0s".  Returns the length. */
size_t timetext_duration_print(char *out, int64_t ms);
/* time.Duration.String, as in error texts and logs: "1h30m0s", "1.5s", "100ms", "0s"; nanoseconds. */
size_t timetext_go_duration_print(char *out, int64_t ns);

/* RFC 3339 with optional fraction, as Go's time.RFC3339Nano accepts it. */
struct timetext_time {
    int64_t seconds; /* Unix, floored */
    int32_t ns;      /* 0..999999999 */
};
MUST_CHECK enum err timetext_rfc3339_parse(struct slice text, struct timetext_time *out, struct errmsg *why);
/* UTC: "2006-01-02T15:04:05Z", with milliseconds ("05.123Z", zeros at the end cut) when there are any. */
size_t timetext_rfc3339_print(char *out, int64_t ms);

/* Calendar fields of Unix seconds, proleptic Gregorian, UTC; for every int64 as Go's time package gives them. */
struct timetext_date {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday; /* 0 = Sunday */
    int yearday; /* from 1 */
    int days_in_month;
};
void timetext_date(int64_t unix_seconds, struct timetext_date *out);

#endif
