/*
 * tool_rwreplay.c - sends the bodies of a tool_rwgen file as fast as the server takes them (closed loop).
 *
 * usage: tool_rwreplay FILE HOST PORT PATH connections [server_pid [requests_per_step [samples_per_s]]]
 *
 * With requests_per_step, the position within a step decides the connection, so that a series stays
 * on one connection and in order, as with Prometheus' own shards.  Prints samples/s, latency, and with
 * server_pid the server's own CPU and memory as the operating system counts them, plus the
 * generator's own CPU.  A run of more than two minutes also tells the median and the worst p99 of its minutes (of its
 * sixths when it is shorter).  With samples_per_s requests start no earlier than at that rate, all connections
 * together; latency then counts from when a request was due.  server_pid 0: another machine.  Exit status 1 when an
 * answer was not 2xx or a connection broke.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"

struct request {
    const uint8_t *body;
    uint32_t bytes, samples;
    uint64_t before; /* samples of all requests before it */
};

static struct request *requests;
static size_t request_count, per_step, connections;
static const char *host, *path;
static int port;
static double *latency_s, *done_s, samples_per_s, start_s;
static _Atomic uint64_t samples_ok, answers_bad, connections_cut;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_s_of(int pid)
{
    char text[1024], file[64];
    snprintf(file, sizeof file, "/proc/%d/stat", pid);
    FILE *f = fopen(file, "r");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    unsigned long user = 0, system = 0;
    const char *after = strrchr(text, ')'); /* the name may hold anything, so count fields from its end */
    if (after)
        sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long status_kb(int pid, const char *key)
{
    char line[256], file[64];
    snprintf(file, sizeof file, "/proc/%d/status", pid);
    FILE *f = fopen(file, "r");
    long v = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            v = atol(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return v;
}

static int dial(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &a.sin_addr);
    if (connect(s, (struct sockaddr *)&a, sizeof a) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return s;
}

static bool send_request(int s, const struct request *r)
{
    char head[512];
    int n =
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                 "X-Prometheus-Remote-Write-Version: 0.1.0\r\nUser-Agent: rwreplay\r\nContent-Length: %u\r\n\r\n",
                 path, r->bytes);
    struct iovec parts[2] = {{head, (size_t)n}, {(void *)(uintptr_t)r->body, r->bytes}};
    size_t left = (size_t)n + r->bytes;
    for (int at = 0; left;) {
        ssize_t w = writev(s, parts + at, 2 - at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return false;
        left -= (size_t)w;
        for (; at < 2 && (size_t)w >= parts[at].iov_len; at++)
            w -= (ssize_t)parts[at].iov_len;
        if (at < 2) {
            parts[at].iov_base = (char *)parts[at].iov_base + w;
            parts[at].iov_len -= (size_t)w;
        }
    }
    return true;
}

/* The status code of one answer (bodies here are small), or 0 when the connection ended. */
static int read_answer(int s, char *text, size_t room)
{
    size_t n = 0;
    for (;;) {
        ssize_t r = read(s, text + n, room - 1 - n);
        if (r <= 0)
            return 0;
        n += (size_t)r;
        text[n] = 0;
        const char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(text, "\r\ncontent-length:"), *chunked = strcasestr(text, "chunked");
        bool whole = length && length < end     ? n >= (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10)
                     : chunked && chunked < end ? strstr(end, "0\r\n\r\n") != NULL
                                                : true;
        if (whole || n >= room - 1)
            return atoi(text + 9);
    }
}

/* When request i is due; waits until then. */
static double due_wait(size_t i)
{
    double due = start_s + (double)requests[i].before / samples_per_s, wait = due - now_s();
    if (wait > 0)
        nanosleep(&(struct timespec){(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)}, NULL);
    return due;
}

static void *connection_run(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    int s = dial();
    char text[16384];
    for (size_t i = 0; i < request_count; i++) {
        if ((per_step ? i % per_step : i) % connections != me)
            continue;
        double t = samples_per_s > 0 ? due_wait(i) : now_s();
        int status = send_request(s, &requests[i]) ? read_answer(s, text, sizeof text) : 0;
        if (status == 0) {
            connections_cut++;
            break;
        }
        done_s[i] = now_s();
        latency_s[i] = done_s[i] - t;
        if (status / 100 == 2)
            samples_ok += requests[i].samples;
        else if (answers_bad++ < 3)
            fprintf(stderr, "HTTP %d: %.300s\n", status, text);
    }
    close(s);
    return NULL;
}

static void requests_load(const char *file)
{
    struct stat st;
    int fd = open(file, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(file);
        exit(1);
    }
    const uint8_t *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    size_t capacity = 0;
    uint64_t before = 0;
    for (size_t at = 0; at + 8 <= (size_t)st.st_size; at += 8 + requests[request_count - 1].bytes) {
        requests = mem_grow(requests, &capacity, request_count + 1, sizeof *requests);
        requests[request_count] = (struct request){m + at + 8, le32_get(m + at), le32_get(m + at + 4), before};
        before += requests[request_count++].samples;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* p99 of each stretch of the run: the median one and the worst. */
static void print_stretches(double wall)
{
    enum { SIXTHS = 6, MOST = 1440 };
    size_t stretches = wall > 120 ? (size_t)(wall / 60) : SIXTHS, n = 0;
    stretches = stretches < MOST ? stretches : MOST;
    double p99[MOST], *of = mem_array(request_count, sizeof *of);
    for (size_t k = 0; k < stretches; k++) {
        double begin = start_s + wall * (double)k / (double)stretches, end = begin + wall / (double)stretches;
        size_t count = 0;
        for (size_t i = 0; i < request_count; i++)
            if (done_s[i] >= begin && done_s[i] < end)
                of[count++] = latency_s[i];
        qsort(of, count, sizeof *of, by_size);
        if (count > 0)
            p99[n++] = of[count * 99 / 100];
    }
    mem_free(of);
    qsort(p99, n, sizeof *p99, by_size);
    if (n > 0)
        printf(" lat_ms_p99_median=%.2f lat_ms_p99_worst=%.2f", p99[n / 2] * 1e3, p99[n - 1] * 1e3);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 6) {
        fprintf(stderr, "usage: tool_rwreplay FILE HOST PORT PATH connections [server_pid "
                        "[requests_per_step [samples_per_s]]]\n");
        return 2;
    }
    host = argv[2];
    port = atoi(argv[3]);
    path = argv[4];
    connections = (size_t)atoi(argv[5]);
    int pid = argc > 6 ? atoi(argv[6]) : 0;
    per_step = argc > 7 ? (size_t)atoi(argv[7]) : 0;
    samples_per_s = argc > 8 ? atof(argv[8]) : 0;
    requests_load(argv[1]);
    latency_s = mem_array(request_count, sizeof *latency_s);
    done_s = mem_array(request_count, sizeof *done_s);
    double cpu = pid ? cpu_s_of(pid) : 0, start = start_s = now_s();
    pthread_t *threads = mem_array(connections, sizeof *threads);
    for (size_t i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, connection_run, (void *)(uintptr_t)i);
    for (size_t i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    double wall = now_s() - start, samples = (double)samples_ok;
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    double own_s = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                   (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) * 1e-6;
    double *in_order = mem_array(request_count, sizeof *in_order);
    memcpy(in_order, latency_s, request_count * sizeof *in_order);
    qsort(latency_s, request_count, sizeof *latency_s, by_size);
    printf(
        "samples=%.0f wall_s=%.3f samples_per_s=%.0f requests=%zu failed=%llu cut=%llu lat_ms_p50=%.2f lat_ms_p99=%.2f "
        "lat_ms_max=%.2f generator_us_per_sample=%.4f",
        samples, wall, samples / wall, request_count, (unsigned long long)answers_bad,
        (unsigned long long)connections_cut, latency_s[request_count / 2] * 1e3,
        latency_s[request_count * 99 / 100] * 1e3, latency_s[request_count - 1] * 1e3, own_s / samples * 1e6);
    latency_s = in_order;
    print_stretches(wall);
    if (pid)
        printf(" server_cpu_s=%.2f cpu_us_per_sample=%.4f rss_kb=%ld peak_kb=%ld", cpu_s_of(pid) - cpu,
               (cpu_s_of(pid) - cpu) / samples * 1e6, status_kb(pid, "VmRSS"), status_kb(pid, "VmHWM"));
    puts("");
    return answers_bad || connections_cut;
}
