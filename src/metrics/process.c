/*
 * process.c - process_*: what the kernel says about this process, read from /proc at every look.
 *
 * Where a file cannot be read (another kernel, a locked-down container) its metrics are absent: no
 * figure is better than a wrong 0.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics/cgroup_internal.h"
#include "metrics/metrics.h"

struct proc_source {
    const char *path, *key; /* the line that starts with key */
    int field;              /* key NULL: this field of /proc/self/stat */
};

struct process_metric {
    const char *name, *help;
    enum metric_kind kind;
    metric_collect collect;
    double scale;
    struct proc_source source;
    const char *pressure[2]; /* file and line */
};

size_t proc_read(const char *path, char *out, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, bytes - 1);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* The number after "key" at the start of a line of a /proc text; false when there is none. */
static bool proc_field(const char *path, const char *key, double *out)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0, n = strlen(key);
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0) {
        found = !strncmp(line, key, n);
        if (found)
            *out = strtod(line + n, NULL);
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* The n-th field of /proc/self/stat, counted from 1; those from 3 on stand behind the ')' of the name. */
static bool stat_field(int n, double *out)
{
    char text[1024];
    proc_read("/proc/self/stat", text, sizeof text);
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < n; field++)
        p = strchr(p + 1, ' ');
    if (p)
        *out = strtod(p + 1, NULL);
    return p != NULL;
}

static double clock_ticks(void)
{
    return (double)sysconf(_SC_CLK_TCK);
}

static void collect_cpu(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_emit(sink, "",
                    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6);
}

static void collect_cores(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        metric_emit(sink, "", (double)CPU_COUNT(&set));
}

static void collect_open_fds(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    int count = -1; /* the directory itself is one of them */
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    metric_emit(sink, "", count);
}

static void collect_max_fds(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_emit(sink, "", (double)limit.rlim_cur);
}

static void collect_start(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    double boot, ticks;
    if (stat_field(22, &ticks) && proc_field("/proc/stat", "btime ", &boot))
        metric_emit(sink, "", boot + ticks / clock_ticks());
}

static void collect_proc(struct metric_sink *sink, void *ctx)
{
    const struct proc_source *s = &((const struct process_metric *)ctx)->source;
    double value;
    if (s->key ? proc_field(s->path, s->key, &value) : stat_field(s->field, &value))
        metric_emit(sink, "", value);
}

static void collect_pressure(struct metric_sink *sink, void *ctx)
{
    const struct process_metric *p = ctx;
    double us;
    if (cgroup_pressure(p->pressure[0], p->pressure[1], &us))
        metric_emit(sink, "", us * 1e-6);
}

#define STATUS(key)                                                                                                    \
    {                                                                                                                  \
        "/proc/self/status", key, 0                                                                                    \
    }
#define IO(key)                                                                                                        \
    {                                                                                                                  \
        "/proc/self/io", key, 0                                                                                        \
    }
static const struct process_metric process_metrics[] = {
    {"process_cpu_seconds_total", "CPU time spent, user and system.", METRIC_COUNTER, collect_cpu, 0, {0}, {0}},
    {"process_cpu_cores_available", "CPU cores this process may run on.", METRIC_GAUGE, collect_cores, 0, {0}, {0}},
    {"process_open_fds", "Open file descriptors.", METRIC_GAUGE, collect_open_fds, 0, {0}, {0}},
    {"process_max_fds", "Most file descriptors that may be open.", METRIC_GAUGE, collect_max_fds, 0, {0}, {0}},
    {"process_start_time_seconds", "Start of the process, Unix time.", METRIC_GAUGE, collect_start, 0, {0}, {0}},
    {"process_resident_memory_bytes", "Resident memory.", METRIC_GAUGE, collect_proc, 1024, STATUS("VmRSS:"), {0}},
    {"process_resident_memory_peak_bytes",
     "Most resident memory so far.",
     METRIC_GAUGE,
     collect_proc,
     1024,
     STATUS("VmHWM:"),
     {0}},
    {"process_resident_memory_anon_bytes",
     "Resident memory without a file behind it.",
     METRIC_GAUGE,
     collect_proc,
     1024,
     STATUS("RssAnon:"),
     {0}},
    {"process_resident_memory_file_bytes",
     "Resident memory of mapped files.",
     METRIC_GAUGE,
     collect_proc,
     1024,
     STATUS("RssFile:"),
     {0}},
    {"process_resident_memory_shared_bytes",
     "Resident shared memory.",
     METRIC_GAUGE,
     collect_proc,
     1024,
     STATUS("RssShmem:"),
     {0}},
    {"process_virtual_memory_bytes", "Virtual memory.", METRIC_GAUGE, collect_proc, 1024, STATUS("VmSize:"), {0}},
    {"process_num_threads", "Threads.", METRIC_GAUGE, collect_proc, 0, STATUS("Threads:"), {0}},
    {"process_minor_pagefaults_total",
     "Page faults that needed no disk.",
     METRIC_COUNTER,
     collect_proc,
     0,
     {NULL, NULL, 10},
     {0}},
    {"process_major_pagefaults_total",
     "Page faults that read from disk.",
     METRIC_COUNTER,
     collect_proc,
     0,
     {NULL, NULL, 12},
     {0}},
    {"process_io_read_bytes_total", "Bytes read by system calls.", METRIC_COUNTER, collect_proc, 0, IO("rchar:"), {0}},
    {"process_io_written_bytes_total",
     "Bytes written by system calls.",
     METRIC_COUNTER,
     collect_proc,
     0,
     IO("wchar:"),
     {0}},
    {"process_io_read_syscalls_total", "Read system calls.", METRIC_COUNTER, collect_proc, 0, IO("syscr:"), {0}},
    {"process_io_write_syscalls_total", "Write system calls.", METRIC_COUNTER, collect_proc, 0, IO("syscw:"), {0}},
    {"process_io_storage_read_bytes_total",
     "Bytes fetched from the disk.",
     METRIC_COUNTER,
     collect_proc,
     0,
     IO("read_bytes:"),
     {0}},
    {"process_io_storage_written_bytes_total",
     "Bytes sent to the disk.",
     METRIC_COUNTER,
     collect_proc,
     0,
     IO("write_bytes:"),
     {0}},
    {"process_pressure_cpu_waiting_seconds_total",
     "Time in which some task waited for CPU.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"cpu.pressure", "some"}},
    {"process_pressure_cpu_stalled_seconds_total",
     "Time in which all tasks waited for CPU.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"cpu.pressure", "full"}},
    {"process_pressure_memory_waiting_seconds_total",
     "Time in which some task waited for memory.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"memory.pressure", "some"}},
    {"process_pressure_memory_stalled_seconds_total",
     "Time in which all tasks waited for memory.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"memory.pressure", "full"}},
    {"process_pressure_io_waiting_seconds_total",
     "Time in which some task waited for the disk.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"io.pressure", "some"}},
    {"process_pressure_io_stalled_seconds_total",
     "Time in which all tasks waited for the disk.",
     METRIC_COUNTER,
     collect_pressure,
     0,
     {0},
     {"io.pressure", "full"}},
};

void metrics_add_process(struct metrics *m)
{
    for (size_t i = 0; i < sizeof process_metrics / sizeof *process_metrics; i++) {
        const struct process_metric *p = &process_metrics[i];
        metrics_add(m, &(struct metric){.name = p->name,
                                        .help = p->help,
                                        .kind = p->kind,
                                        .collect = p->collect,
                                        .scale = p->scale,
                                        .ctx = (void *)(uintptr_t)p});
    }
}
