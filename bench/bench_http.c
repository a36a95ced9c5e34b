/*
 * bench_http.c - requests per second and what a request costs the server.
 *
 * Clients are threads of this process with blocking sockets; the server's CPU is that of the process
 * minus that of the client threads, so it counts the kernel's share of the server's reads and writes too.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/lock.h"
#include "net/http.h"
#include "net/http_head_internal.h"
#include "net/http_route_internal.h"

enum { CONNECTIONS = 8, BODY_BYTES = 46000 };

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t process_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- server side ---- */

static void on_small(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_respond(r, 200, SLICE_LIT("{\"status\":\"success\"}"));
}

static void on_write(struct http_request *r, void *ctx)
{
    (void)ctx;
    assert(r->body.len == BODY_BYTES);
    http_respond(r, 204, (struct slice){0});
}

/* As the WAL committer does: collects parked requests and wakes them together. */
struct committer {
    struct mutex lock;
    struct cond work;
    struct http_request *waiting[CONNECTIONS];
    unsigned count;
    bool stop;
    uint64_t wakes;
    int64_t wake_ns;
};

static void on_commit(struct http_request *r, void *ctx)
{
    struct committer *c = ctx;
    http_park(r);
    mutex_lock(&c->lock);
    c->waiting[c->count++] = r;
    if (c->count == 1)
        cond_signal(&c->work);
    mutex_unlock(&c->lock);
}

static void *commit_run(void *arg)
{
    struct committer *c = arg;
    mutex_lock(&c->lock);
    while (!c->stop) {
        struct http_request *batch[CONNECTIONS];
        unsigned count = c->count;
        memcpy(batch, c->waiting, sizeof batch);
        c->count = 0;
        if (!count) {
            cond_wait(&c->work, &c->lock);
            continue;
        }
        mutex_unlock(&c->lock);
        int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < count; i++)
            http_wake(batch[i], on_write, NULL);
        c->wake_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
        c->wakes += count;
        clock_system()->sleep_ns(clock_system(), 300000); /* a sync */
        mutex_lock(&c->lock);
    }
    mutex_unlock(&c->lock);
    return NULL;
}

/* ---- clients ---- */

struct client {
    unsigned port, requests;
    struct slice text;
    pthread_t thread;
    int64_t cpu_ns;
};

static int client_connect(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int failed = connect(fd, (struct sockaddr *)&a, sizeof a);
    assert(!failed);
    return fd;
}

/* The answers here are small: one recv brings one. */
static void exchange(int fd, struct slice text)
{
    char answer[4096];
    while (text.len) {
        ssize_t n = send(fd, text.data, text.len, MSG_NOSIGNAL);
        assert(n > 0);
        text = slice_from(text, (size_t)n);
    }
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    assert(n > 12 && answer[9] == '2');
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    int fd = client_connect(c->port);
    for (unsigned i = 0; i < c->requests; i++)
        exchange(fd, c->text);
    close(fd);
    c->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void load(const char *name, unsigned port, struct slice text, unsigned requests)
{
    struct client clients[CONNECTIONS];
    int64_t cpu = process_cpu_ns(), begin = clock_ns(CLOCK_MONOTONIC), client_cpu = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        clients[i] = (struct client){.port = port, .requests = requests / CONNECTIONS, .text = text};
        clients[i].thread = thread_start("client", client_run, &clients[i]);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        pthread_join(clients[i].thread, NULL);
        client_cpu += clients[i].cpu_ns;
    }
    int64_t wall = clock_ns(CLOCK_MONOTONIC) - begin;
    cpu = process_cpu_ns() - cpu - client_cpu;
    printf("%-34s %8.0f requests/s  %6.2f us server CPU per request\n", name, requests * 1e9 / (double)wall,
           (double)cpu / 1e3 / requests);
}

/* ---- parts ---- */

static void parts(void)
{
    static const char head[] =
        "POST /api/v1/write HTTP/1.1\r\nHost: localhost:8428\r\nUser-Agent: Prometheus/3.15.0\r\n"
        "Content-Length: 46000\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
        "X-Prometheus-Remote-Write-Version: 0.1.0\r\n\r\n";
    enum { ROUNDS = 1000000 };
    struct http_reject why;
    struct http_head h;
    uint64_t sum = 0;
    int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < ROUNDS; i++) {
        struct http_head_scan scan = {0};
        sum += http_head_scan(&scan, SLICE_LIT(head), 32768, &why);
    }
    int64_t scanned = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < ROUNDS; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        sum += http_head_parse(arena_copy(&arena, SLICE_LIT(head)), &arena, &h, &why);
        sum += h.header_count;
        arena_deinit(&arena);
    }
    int64_t parsed = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    struct http_routes routes = {0};
    static char paths[100][32];
    for (int i = 0; i < 100; i++) {
        snprintf(paths[i], sizeof paths[i], "/api/v1/thing%d", i);
        http_routes_add(&routes, &(struct http_route){.path = paths[i], .methods = HTTP_GET, .handler = on_small});
    }
    http_routes_ready(&routes);
    int64_t built = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < ROUNDS; i++)
        sum += http_routes_find(&routes, HTTP_GET, slice_str(paths[i % 100])).methods;
    int64_t routed = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    http_routes_deinit(&routes);
    printf("head of %zu bytes: scan %.0f ns, copy and parse %.0f ns; route among 100 %.0f ns  (%llu)\n",
           sizeof head - 1, (double)(scanned - begin) / ROUNDS, (double)(parsed - scanned) / ROUNDS,
           (double)(routed - built) / ROUNDS, (unsigned long long)sum);
}

int main(void)
{
    struct http_options o;
    struct http_server *s;
    struct errmsg why;
    struct committer committer = {.lock = MUTEX_INIT};
    struct buf body = {0};
    http_options_default(&o);
    o.listen_address = "127.0.0.1:0";
    cond_init(&committer.work);
    enum err err = http_server_new(&o, &s, &why);
    assert(err == ERR_OK);
    http_server_route(s, &(struct http_route){.path = "/small", .methods = HTTP_GET, .handler = on_small});
    http_server_route(s, &(struct http_route){.path = "/write", .methods = HTTP_POST, .handler = on_write});
    http_server_route(
        s, &(struct http_route){.path = "/commit", .methods = HTTP_POST, .handler = on_commit, .ctx = &committer});
    http_server_route(
        s, &(struct http_route){.path = "/defer", .methods = HTTP_GET, .flags = HTTP_DEFER, .handler = on_small});
    err = http_server_start(s, &why);
    assert(err == ERR_OK);
    pthread_t thread = thread_start("committer", commit_run, &committer);
    unsigned port = http_server_port(s);

    parts();
    load("GET, 21 bytes back", port, SLICE_LIT("GET /small HTTP/1.1\r\nHost: x\r\n\r\n"), 200000);
    load("GET, 21 bytes back, by a worker", port, SLICE_LIT("GET /defer HTTP/1.1\r\nHost: x\r\n\r\n"), 100000);
    for (int i = 0; i < 2; i++) {
        buf_reset(&body);
        buf_printf(&body,
                   "POST %s HTTP/1.1\r\nHost: localhost:8428\r\nUser-Agent: Prometheus/3.15.0\r\n"
                   "Content-Length: %d\r\nContent-Encoding: identity\r\nContent-Type: application/x-protobuf\r\n\r\n",
                   i ? "/commit" : "/write", BODY_BYTES);
        memset(buf_reserve(&body, BODY_BYTES), 'x', BODY_BYTES);
        body.len += BODY_BYTES;
        load(i ? "POST 46 KB, parked until a commit" : "POST 46 KB", port, buf_view(&body), 50000);
    }
    mutex_lock(&committer.lock);
    committer.stop = true;
    cond_signal(&committer.work);
    mutex_unlock(&committer.lock);
    pthread_join(thread, NULL);
    printf("http_wake: %.0f ns each, %llu wakes\n", (double)committer.wake_ns / (double)committer.wakes,
           (unsigned long long)committer.wakes);
    http_server_free(s);
    buf_deinit(&body);
    return 0;
}
