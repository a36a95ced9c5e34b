/* assert.c - the last words of a process that found its own bug. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "gnomon: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
