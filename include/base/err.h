/*
 * err.h - how a failure of the world travels: a code to act on, a text to read.
 *
 * The world fails (disk, peer, input): functions return `enum err`, marked MUST_CHECK, and put a
 * text into their last parameter, `struct errmsg *why`, where a person will read it.  Each level may
 * wrap the text ("open block X: read index: 12 bytes short").  We fail: base/assert.h.
 *
 * Ownership: errmsg is plain memory of the caller.  `why` may be NULL everywhere.
 * Threads:   any.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
    ERR_OK = 0,
    ERR_INVALID,     /* the input breaks its format or its rules; the same input will always fail */
    ERR_LIMIT,       /* a named bound was hit; the text names it */
    ERR_CORRUPT,     /* bytes on disk are not what was written */
    ERR_NOT_FOUND,   /* no such file, series, name */
    ERR_EXISTS,      /* already there, or held by another process */
    ERR_IO,          /* the operating system refused a file or socket operation */
    ERR_NO_SPACE,    /* disk or quota is full */
    ERR_NO_MEMORY,   /* a size from outside could not be had */
    ERR_UNAVAILABLE, /* transient: starting, stopping, overloaded; trying again may work */
    ERR_CANCELED,    /* the client went away or an operator stopped it */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_UNSUPPORTED, /* understood, but this build, setting or file system does not do it */
};

struct errmsg {
    char text[4096]; /* always terminated; "" when nothing was said; room for two long label sets of a query's error */
};

const char *err_name(enum err err); /* "corrupt", "limit", ... for logs and metrics */

/* Both return `err`, so that a failing function ends with `return err_set(why, ERR_X, "...")`. */
enum err err_set(struct errmsg *why, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "prefix: " before the text that is there. */
enum err err_wrap(struct errmsg *why, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Appends ": " and the text of an errno; the code is chosen from errno (ENOSPC -> ERR_NO_SPACE ...). */
enum err err_errno(struct errmsg *why, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Returns at once; only where nothing is held yet (scripts/check_cleanup.sh). */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err try_err_ = (call);                                                                \
        if (try_err_ != ERR_OK)                                                                    \
            return try_err_;                                                                       \
    } while (0)

#endif
