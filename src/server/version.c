/* version.c - see version.h; its own file so that a new commit recompiles nothing else. */
#include "server/version.h"

const char *gnomon_version(void)
{
    return GNOMON_VERSION;
}

const char *gnomon_revision(void)
{
    return GNOMON_REVISION;
}
