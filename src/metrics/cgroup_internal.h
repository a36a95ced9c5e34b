/*
 * cgroup_internal.h - the control group this process lives in, version 2 or 1.
 */
#ifndef METRICS_CGROUP_INTERNAL_H
#define METRICS_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* A small /proc or /sys file as terminated text; 0 and "" when it cannot be read. */
size_t proc_read(const char *path, char *out, size_t bytes);
/* total= of the line "some" or "full" of a pressure file, microseconds; false when there is none. */
bool cgroup_pressure(const char *file, const char *line, double *us);

#endif
