/*
 * api_fixture.h - the API on a real server and engine over a storage in memory.
 *
 * Now is FIXTURE_NOW_MS.  Stored: up{instance="a"|"b",job="x"}, http.status{code="200"} (a UTF-8 name),
 * requests_total{path="/a"|"/<b>"} every 15 s over the last 10 minutes, hist (a native histogram).
 */
#ifndef TESTS_UNIT_API_API_FIXTURE_H
#define TESTS_UNIT_API_API_FIXTURE_H

#include "api/api.h"
#include "lib/http_client.h"
#include "lib/memory_storage.h"

#define FIXTURE_NOW_MS INT64_C(1700000000000)

struct api_fixture {
    struct clock clock;
    struct config *config;
    struct metrics *metrics;
    struct memory_storage *memory;
    struct engine *engine;
    struct api *api;
    struct http_server *server;
    unsigned port;
};
/* settings: "name=value" pairs, NULL at the end; may be NULL. */
void api_fixture_open(struct api_fixture *f, const char *const *settings);
/* Queries go to `front`, which reaches the data through *behind (set here). */
void api_fixture_open_over(struct api_fixture *f, const char *const *settings, struct storage *front,
                           struct storage **behind);
void api_fixture_close(struct api_fixture *f);

/* One exchange; the text of the head and body live until the next call. */
struct exchange {
    int status;
    const char *head, *body;
};
/* target: "GET /path?query" or "POST /path"; headers: complete lines, may be ""; body may be NULL. */
struct exchange api_exchange(struct api_fixture *f, const char *target, const char *headers, const char *body);

#endif
