/* version.c - see version.h; its own file so that a new commit recompiles nothing else. */
#include "server/version.h"

#ifndef GNOMON_VERSION /* compiled by other means than the Makefile */
#define GNOMON_VERSION "unknown"
#define GNOMON_REVISION "unknown"
#endif

const char *gnomon_version(void)
{
    return GNOMON_VERSION;
}

const char *gnomon_revision(void)
{
    return GNOMON_REVISION;
}
