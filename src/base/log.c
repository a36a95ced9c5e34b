/* log.c - one line per event; the contract is in log.h. */
#include "base/log.h"

#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

/* Process-wide on purpose: a log line must work from anywhere, also before main has made anything. */
static enum log_level log_level_now = LOG_INFO;
static int log_json;

void log_setup(enum log_level level, int json)
{
    log_level_now = level;
    log_json = json;
}

enum log_level log_level_get(void)
{
    return log_level_now;
}

static void put_time(struct buf *line)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    struct tm tm;
    gmtime_r(&tv.tv_sec, &tm);
    buf_printf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
               tm.tm_min, tm.tm_sec, (int)(tv.tv_usec / 1000));
}

/* Escapes control bytes, quotes and backslashes, so that a hostile label cannot forge a line. */
static void put_escaped(struct buf *line, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(line, "\\u%04x", c);
        else
            buf_u8(line, c);
    }
}

/* key=value key="two words" ...: control bytes become '?', the rest stays as the caller wrote it. */
static void put_pairs(struct buf *line, const char *pairs)
{
    for (; *pairs; pairs++)
        buf_u8(line, (unsigned char)*pairs < 0x20 ? '?' : (uint8_t)*pairs);
}

void log_write(enum log_level level, const char *source, const char *msg, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    if (level < log_level_now)
        return;
    struct buf line = {.limit = 16384}, pairs = {.limit = 8192};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&pairs, fmt, args);
    va_end(args);
    if (log_json) {
        buf_str(&line, "{\"time\":\"");
        put_time(&line);
        buf_printf(&line, "\",\"level\":\"%s\",\"source\":\"%s\",\"msg\":\"", names[level], source);
        put_escaped(&line, msg);
        buf_str(&line, "\",\"detail\":\"");
        put_escaped(&line, buf_cstr(&pairs));
        buf_str(&line, "\"}\n");
    } else {
        buf_str(&line, "time=");
        put_time(&line);
        buf_printf(&line, " level=%s source=%s msg=\"", names[level], source);
        put_escaped(&line, msg);
        buf_str(&line, pairs.len ? "\" " : "\"");
        put_pairs(&line, buf_cstr(&pairs));
        buf_str(&line, "\n");
    }
    if (write(STDERR_FILENO, line.data, line.len) < 0) {
        /* nobody reads the log any more; the server goes on */
    }
    buf_deinit(&pairs);
    buf_deinit(&line);
}
