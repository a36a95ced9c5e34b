/*
 * log.h - one line per event on stderr, logfmt like Prometheus or JSON.
 *
 *     log_info("tsdb", "block written", "ulid=%s series=%u bytes=%llu", ulid, series, bytes);
 *
 * prints  time=2026-01-02T03:04:05.678Z level=INFO source=tsdb msg="block written" ulid=... series=...
 * The format after the message must be key=value pairs; values with spaces are written with %s inside
 * quotes by the caller.  The level and format are process-wide, set once by main.
 * Threads: any; a line is written with one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(enum log_level level, int json);
enum log_level log_level_get(void);
void log_write(enum log_level level, const char *source, const char *msg, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#define log_debug(source, msg, ...)                                                                \
    (log_level_get() <= LOG_DEBUG ? log_write(LOG_DEBUG, source, msg, __VA_ARGS__) : (void)0)
#define log_info(source, msg, ...) log_write(LOG_INFO, source, msg, __VA_ARGS__)
#define log_warn(source, msg, ...) log_write(LOG_WARN, source, msg, __VA_ARGS__)
#define log_error(source, msg, ...) log_write(LOG_ERROR, source, msg, __VA_ARGS__)

#endif
