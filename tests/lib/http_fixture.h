/*
 * http_fixture.h - a server with one route for every way a handler can answer.
 *
 *   GET  /hello          "hello", JSON             GET /label/<x>/values   <x>
 *   POST /echo           the body                  POST /raw, /plain       the same; HTTP_RAW_BODY, _NO_ENCODED_BODY
 *   POST /small          at most 100 bytes         GET,POST /params        "name=value;" of all, or 400
 *   GET  /empty          204                       GET /fixed?bytes=N      N bytes, whole, from the loop
 *   GET  /worker?bytes=N N bytes, whole, worker    GET /stream?bytes=N     N bytes, streamed, from a worker
 *   GET  /abort          breaks off                GET /block              a worker until released or canceled
 *   GET  /park           until fixture_wake        POST /deferred          the body, from a worker (HTTP_DEFER)
 *   GET  /image?bytes=N  not compressible
 */
#ifndef LIB_HTTP_FIXTURE_H
#define LIB_HTTP_FIXTURE_H

#include "net/http.h"

struct http_fixture {
    struct http_server *server;
    unsigned port;
    struct mem_budget budget;
    _Atomic int blocked;      /* workers inside /block */
    _Atomic int release;      /* lets them go */
    _Atomic int canceled;     /* handlers that saw their cancel */
    _Atomic int write_failed; /* /stream: http_write said ERR_CANCELED */
    _Atomic int parked;
    _Atomic(struct http_request *) parked_requests[64];
    _Atomic int answered; /* calls of the `after` hook */
    _Atomic int last_status;
    _Atomic uint64_t last_bytes;
};

void http_fixture_options(struct http_fixture *f,
                          struct http_options *o); /* defaults for tests: port 0, 2 loops, 2 workers */
void http_fixture_start(struct http_fixture *f, const struct http_options *o); /* o may be NULL; aborts on failure */
void http_fixture_stop(struct http_fixture *f); /* stops and frees; asserts that the budget is given back */
void http_fixture_wake(struct http_fixture *f); /* every parked request answers "woken" */
/* Waits until *value is at least `least`; false after 5 s. */
bool http_fixture_wait(const _Atomic int *value, int least);

#endif
