/* err.c - codes and texts of failures; the contract is in err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *err_name(enum err err)
{
    static const char *const names[] = {
        [ERR_OK] = "ok",
        [ERR_INVALID] = "invalid",
        [ERR_LIMIT] = "limit",
        [ERR_CORRUPT] = "corrupt",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_EXISTS] = "exists",
        [ERR_IO] = "io",
        [ERR_NO_SPACE] = "no_space",
        [ERR_NO_MEMORY] = "no_memory",
        [ERR_UNAVAILABLE] = "unavailable",
        [ERR_CANCELED] = "canceled",
        [ERR_TIMEOUT] = "timeout",
        [ERR_UNSUPPORTED] = "unsupported",
    };
    size_t i = (size_t)err;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}

enum err err_set(struct errmsg *why, enum err err, const char *fmt, ...)
{
    if (!why)
        return err;
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return err;
}

/* Puts `more` after the first n bytes; what does not fit is cut. */
static void text_append(struct errmsg *why, int n, const char *more)
{
    size_t used = n < 0 ? 0 : (size_t)n, len = strlen(more), room = sizeof why->text - 1;
    if (used >= room)
        return;
    if (len > room - used)
        len = room - used;
    memcpy(why->text + used, more, len);
    why->text[used + len] = 0;
}

enum err err_wrap(struct errmsg *why, enum err err, const char *fmt, ...)
{
    if (!why)
        return err;
    struct errmsg inner = *why; /* the prefix may be built from anything but the text itself */
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    text_append(why, n, ": ");
    text_append(why, (int)strlen(why->text), inner.text);
    return err;
}

static enum err err_of_errno(int value)
{
    switch (value) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EOPNOTSUPP:
    case ENOSYS:
        return ERR_UNSUPPORTED;
    default:
        return ERR_IO;
    }
}

enum err err_errno(struct errmsg *why, int errno_value, const char *fmt, ...)
{
    enum err err = err_of_errno(errno_value);
    if (!why)
        return err;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    text_append(why, n, ": ");
    text_append(why, (int)strlen(why->text), strerror(errno_value));
    return err;
}
