/*
 * cgroup.c - limits and pressure of the control groups around this process.
 *
 * A group's limit binds all below it, so the smallest on the way up counts.  Inside a container the
 * root of the mount is usually the container's own group.
 */
#include "metrics/cgroup_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics/metrics.h"

enum { GROUP_BYTES_MAX = 1024, PATH_BYTES = GROUP_BYTES_MAX + 64 };

/* Path of our group in the version 2 tree ("" for its root). */
static void group_v2(char out[GROUP_BYTES_MAX])
{
    char text[4096];
    proc_read("/proc/self/cgroup", text, sizeof text);
    out[0] = '\0';
    const char *line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
    const char *path = line ? strchr(line, '/') : NULL;
    size_t n = path ? strcspn(path, "\n") : 0;
    if (n > 1 && n < GROUP_BYTES_MAX)
        snprintf(out, GROUP_BYTES_MAX, "%.*s", (int)n, path);
}

static bool group_read(const char *group, const char *file, char *out, size_t bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group, file);
    return proc_read(path, out, bytes) > 0;
}

static uint64_t smaller_limit(uint64_t limit, const char *text)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10); /* "max" has no digits */
    return end != text && v > 0 && v < limit ? v : limit;
}

uint64_t process_memory_available(void)
{
    uint64_t limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    char group[GROUP_BYTES_MAX], text[64];
    group_v2(group);
    for (;;) {
        if (group_read(group, "memory.max", text, sizeof text))
            limit = smaller_limit(limit, text);
        char *slash = strrchr(group, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    if (group_read("/memory", "memory.limit_in_bytes", text, sizeof text)) /* version 1 */
        limit = smaller_limit(limit, text);
    return limit;
}

bool cgroup_pressure(const char *file, const char *line, double *us)
{
    char group[GROUP_BYTES_MAX], text[512];
    group_v2(group);
    if (!group_read(group, file, text, sizeof text) && !group_read("", file, text, sizeof text))
        return false;
    const char *start = strstr(text, line);
    const char *total = start ? strstr(start, "total=") : NULL;
    if (total)
        *us = strtod(total + 6, NULL);
    return total != NULL;
}
