/* warnings.c - the bounded list of texts that a response carries as "warnings". */
#include <stdio.h>

#include "storage/querier.h"

enum { LIST_MAX = sizeof((struct warnings *)0)->list / sizeof(char *) };

static bool known(const struct warnings *w, const char *text)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (strcmp(w->list[i], text) == 0)
            return true;
    return false;
}

void warnings_add(struct warnings *w, const char *fmt, ...)
{
    if (!w)
        return;
    char text[sizeof w->text[0]];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mutex_lock(&w->lock);
    if (w->count < LIST_MAX && !known(w, text)) {
        memcpy(w->text[w->count], text, sizeof text);
        w->list[w->count] = w->text[w->count];
        w->count++;
    }
    mutex_unlock(&w->lock);
}
