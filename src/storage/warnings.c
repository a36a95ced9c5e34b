/* warnings.c - the bounded list of texts that a response carries as "warnings". */
#include <stdio.h>

#include "storage/querier.h"

void warnings_add(struct warnings *w, const char *fmt, ...)
{
    if (!w || w->count == sizeof w->list / sizeof w->list[0])
        return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (uint32_t i = 0; i < w->count; i++)
        if (strcmp(w->list[i], text) == 0)
            return;
    w->list[w->count++] = arena_strdup(w->arena, slice_str(text));
}
