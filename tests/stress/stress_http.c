/*
 * stress_http.c - many clients at once, of which some leave in the middle; for ThreadSanitizer.
 *
 * usage: stress_http [seed]
 * Several rounds: start a server, let client threads do random things to it while another thread wakes
 * what is parked, stop it in full flight, check that all memory came back.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/random.h"
#include "lib/http_client.h"
#include "lib/http_fixture.h"

enum { ROUNDS = 4, CLIENTS = 6, ROUND_MS = 700 };

struct client {
    struct http_fixture *fixture;
    struct random_seeded random;
    pthread_t thread;
    uint64_t answers, broken;
};

static _Atomic int stopping;

static uint32_t pick(struct client *c, uint32_t count)
{
    return (uint32_t)(random_u64(&c->random.base) % count);
}

static void leave(struct http_client *c, bool hard)
{
    struct linger now = {.l_onoff = 1};
    if (hard)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    http_client_close(c);
}

/* A few requests of a random kind, one after the other or in one go. */
static unsigned requests_send(struct client *c, struct http_client *h)
{
    static const char *const kinds[] = {
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /park HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /fixed?bytes=300000 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /stream?bytes=2000000 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /stream?bytes=100000 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: zstd\r\n\r\n",
        "GET /worker?bytes=500000 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /deferred HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "GET /abort HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /block HTTP/1.1\r\nHost: x\r\n\r\n",
        "BROKEN\r\n\r\n",
    };
    struct buf text = {0};
    unsigned count = 1 + pick(c, 4);
    for (unsigned i = 0; i < count; i++)
        buf_str(&text, kinds[pick(c, sizeof kinds / sizeof *kinds)]);
    bool sent = http_client_send(h, text.data, text.len);
    buf_deinit(&text);
    return sent ? count : 0;
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    while (!atomic_load(&stopping)) {
        struct http_client h;
        if (!http_client_open(&h, c->fixture->port))
            continue;
        for (bool alive = true; alive && !atomic_load(&stopping);) {
            unsigned count = requests_send(c, &h);
            if (!count || pick(c, 5) == 0) {
                leave(&h, pick(c, 2));
                break;
            }
            for (unsigned i = 0; i < count && alive; i++) {
                struct http_reply r;
                alive = http_client_reply(&h, false, &r) && !r.close;
                *(alive ? &c->answers : &c->broken) += 1;
                http_reply_deinit(&r);
            }
        }
        http_client_close(&h);
    }
    return NULL;
}

static void *waker_run(void *arg)
{
    struct http_fixture *f = arg;
    while (atomic_load(&stopping) < 2) {
        http_fixture_wake(f);
        atomic_store(&f->release, 1);
        clock_system()->sleep_ns(clock_system(), 500000);
        atomic_store(&f->release, 0);
        clock_system()->sleep_ns(clock_system(), 500000);
    }
    http_fixture_wake(f);
    return NULL;
}

static void round_run(uint64_t seed)
{
    struct http_fixture f;
    struct http_options o;
    struct client clients[CLIENTS];
    http_fixture_options(&f, &o);
    o.worker_queue_max = 3;
    o.connections_max = CLIENTS;
    o.stop_timeout_ms = 300;
    http_fixture_start(&f, &o);
    atomic_store(&stopping, 0);
    pthread_t waker = thread_start("waker", waker_run, &f);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.fixture = &f};
        random_seeded_init(&clients[i].random, seed * CLIENTS + (uint64_t)i);
        clients[i].thread = thread_start("client", client_run, &clients[i]);
    }
    clock_system()->sleep_ns(clock_system(), ROUND_MS * INT64_C(1000000));
    http_server_stop(f.server); /* the clients are still at it */
    atomic_store(&stopping, 1);
    uint64_t answers = 0, broken = 0;
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        answers += clients[i].answers;
        broken += clients[i].broken;
    }
    atomic_store(&stopping, 2);
    pthread_join(waker, NULL);
    printf("seed %llu: %llu answers, %llu broken off or refused\n", (unsigned long long)seed,
           (unsigned long long)answers, (unsigned long long)broken);
    assert(answers > 0);
    http_fixture_stop(&f);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    for (uint64_t i = 0; i < ROUNDS; i++)
        round_run(seed + i);
    return 0;
}
