/*
 * stress_api.c - the API under many clients at once: two slots for six clients that query, write, leave
 * early and let their time run out, while own metrics are read and written; for ThreadSanitizer.
 *
 * usage: stress_api [seed]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/assert.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/fs_sim.h"
#include "lib/http_client.h"
#include "lib/rw_body.h"
#include "wal/wal.h"

enum { ROUNDS = 3, CLIENTS = 6, ROUND_MS = 900 };

/* The head as a storage. */
struct head_storage {
    struct storage base;
    struct head *head;
};

struct world {
    struct fs_sim *sim;
    struct random_seeded random;
    struct head_storage storage;
    struct wal *wal;
    struct ingest *ingest;
    struct config *config;
    struct metrics *metrics;
    struct engine *engine;
    struct api *api;
    struct http_server *http;
};

struct client {
    struct world *world;
    struct random_seeded random;
    pthread_t thread;
    uint64_t answers, unavailable;
};

static _Atomic int stopping;

static enum err open_querier(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                             struct errmsg *why)
{
    return head_querier(((struct head_storage *)s)->head, mint_ms, maxt_ms, out, why);
}

static const struct storage_ops storage_ops = {.querier = open_querier};

static void must(enum err err, const struct errmsg *why)
{
    if (err != ERR_OK)
        fprintf(stderr, "%s\n", why->text);
    assert(err == ERR_OK);
}

static void open_store(struct world *w, uint64_t seed)
{
    struct head_options ho;
    struct wal_options wo;
    struct errmsg why = {0};
    w->sim = fs_sim_new();
    random_seeded_init(&w->random, seed);
    head_options_default(&ho);
    ho.random = &w->random.base;
    must(head_new(&ho, &w->storage.head, &why), &why);
    w->storage.base.ops = &storage_ops;
    wal_options_default(&wo);
    wo.fs = fs_sim_fs(w->sim);
    wo.clock = clock_system();
    wo.dir = "wal";
    wo.id = 1;
    wo.segment_bytes = 4 << 20;
    must(wal_open(&wo, &w->wal, &why), &why);
    must(wal_start(w->wal, 1, NULL, &why), &why);
}

static void open_server(struct world *w)
{
    struct errmsg why = {0};
    struct engine_options eo;
    struct http_options o;
    must(config_set(w->config, "query.max-concurrency", "2", &why), &why);
    must(config_set(w->config, "self-scrape-interval", "20ms", &why), &why);
    must(config_set(w->config, "query.log-slow", "0", &why), &why);
    engine_options_default(&eo);
    eo.storage = &w->storage.base;
    w->engine = engine_new(&eo);
    must(api_new(&(struct api_options){.config = w->config,
                                       .metrics = w->metrics,
                                       .clock = clock_system(),
                                       .storage = eo.storage,
                                       .engine = w->engine,
                                       .version = "",
                                       .revision = ""},
                 &w->api, &why),
         &why);
    http_options_default(&o);
    o.listen_address = "127.0.0.1:0";
    o.loops = 2;
    o.workers = 3;
    o.stop_timeout_ms = 2000;
    o.before = api_before;
    o.after = api_after;
    o.hook_ctx = w->api;
    must(http_server_new(&o, &w->http, &why), &why);
    api_register_routes(w->http, w->api);
    must(http_server_start(w->http, &why), &why);
}

static void open_world(struct world *w, uint64_t seed)
{
    struct ingest_options io;
    struct errmsg why = {0};
    *w = (struct world){.config = config_new(), .metrics = metrics_new()};
    open_store(w, seed);
    open_server(w);
    ingest_options_default(&io);
    io.head = w->storage.head;
    io.wal = w->wal;
    io.clock = clock_system();
    io.lanes = http_server_loops(w->http) + 1;
    must(ingest_new(&io, &w->ingest, &why), &why);
    api_set_ingest(w->api, w->ingest);
    api_set_state(w->api, API_READY);
    api_self_scrape_start(w->api);
}

static void close_world(struct world *w)
{
    struct errmsg why = {0};
    api_set_state(w->api, API_STOPPING);
    api_self_scrape_stop(w->api);
    http_server_stop(w->http);
    ingest_free(w->ingest);
    must(wal_close(w->wal, &why), &why);
    api_free(w->api);
    http_server_free(w->http);
    engine_free(w->engine);
    head_free(w->storage.head);
    fs_sim_free(w->sim);
    metrics_free(w->metrics);
    config_free(w->config);
}

static void send_write(struct client *c, struct http_client *h)
{
    struct rw_body body = {0};
    char labels[64], head[256];
    snprintf(labels, sizeof labels, "__name__=load|client=%u", (unsigned)(random_u64(&c->random.base) % 500));
    rw_series(&body, labels);
    rw_sample(&body, clock_now_ms(clock_system()), 1);
    struct slice bytes = rw_finish_snappy(&body);
    snprintf(head, sizeof head, "POST /api/v1/write HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", bytes.len);
    if (http_client_text(h, head))
        http_client_send(h, bytes.data, bytes.len);
    rw_body_deinit(&body);
}

static void send_something(struct client *c, struct http_client *h)
{
    static const char *const targets[] = {
        "/api/v1/query?query=count(load)",
        "/api/v1/query?query=sum(rate(load[1m]))&timeout=2ms",
        "/api/v1/query_range?query=avg_over_time(load[1m])&start=0&end=10000&step=1",
        "/api/v1/label/client/values",
        "/api/v1/series?match[]=load&limit=10",
        "/metrics",
        "/federate?match[]=load",
        "/api/v1/status/flags",
    };
    uint64_t kind = random_u64(&c->random.base) % (sizeof targets / sizeof *targets + 4);
    if (kind >= sizeof targets / sizeof *targets) {
        send_write(c, h);
        return;
    }
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", targets[kind]);
    http_client_text(h, text);
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    while (!atomic_load(&stopping)) {
        struct http_client h;
        if (!http_client_open(&h, http_server_port(c->world->http)))
            continue;
        for (int i = 0; i < 8 && !atomic_load(&stopping); i++) {
            struct http_reply reply;
            send_something(c, &h);
            if (random_u64(&c->random.base) % 4 == 0)
                break; /* leaves without the answer */
            if (!http_client_reply(&h, false, &reply))
                break;
            c->answers++;
            c->unavailable += reply.status == 503;
            http_reply_deinit(&reply);
        }
        http_client_close(&h);
    }
    return NULL;
}

static void round_run(uint64_t seed)
{
    struct world w;
    struct client clients[CLIENTS] = {0};
    uint64_t answers = 0, unavailable = 0;
    open_world(&w, seed);
    atomic_store(&stopping, 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].world = &w;
        random_seeded_init(&clients[i].random, seed * CLIENTS + (uint64_t)i);
        clients[i].thread = thread_start("client", client_run, &clients[i]);
    }
    do /* longer where a request takes longer than that */
        clock_system()->sleep_ns(clock_system(), INT64_C(1000000) * ROUND_MS);
    while (atomic_load(&http_server_stats(w.http)->requests) < CLIENTS);
    if (seed % 2)
        http_server_stop(w.http); /* in full flight */
    atomic_store(&stopping, 1);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        answers += clients[i].answers;
        unavailable += clients[i].unavailable;
    }
    close_world(&w);
    printf("stress_api: seed %llu, %llu answers, %llu of them 503\n", (unsigned long long)seed,
           (unsigned long long)answers, (unsigned long long)unavailable);
    assert(answers > 0);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)clock_now_ms(clock_system()) % 100000;
    printf("stress_api: seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++)
        round_run(seed + (uint64_t)i);
    return 0;
}
