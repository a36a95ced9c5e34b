/*
 * http.h - the HTTP/1.1 server: bytes in, requests to handlers, answers out.
 *
 * net knows no metric: `server` registers handlers by path.  A handler runs on the loop that owns the
 * connection and must be quick (<= ~1 ms); anything heavier calls http_defer and goes on in a worker.
 * Every request gets exactly one answer: http_respond (whole) or http_begin + http_write + http_end
 * (streamed), from the loop or from the worker that the request was deferred to, or later from any
 * thread for a request that was parked (http_park: remote write waiting for the WAL).
 *
 *     static void on_query(struct http_request *r, void *ctx) { http_defer(r, run_query, ctx); }
 *     static void run_query(struct http_request *r, void *ctx)
 *     {
 *         http_header(r, "Content-Type", "application/json");
 *         http_begin(r, 200);
 *         http_write(r, bytes, n);     // blocks while the socket's bounded output is full
 *         http_end(r);
 *     }
 *
 * Ownership: the server owns requests; after the answer is complete the request must not be touched.
 *            Slices of a request (path, headers, body) live until then.
 * Threads:   as said above; one thread at a time per request.  r->cancel is set by the loop when the
 *            client goes away or the deadline passes.
 * Bounds:    struct http_options; past them 431, 413, 408, 503 as in docs/http.md.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"
#include "net/tls.h"

struct http_server;
struct http_request;

typedef void (*http_handler)(struct http_request *r, void *ctx);

enum http_method {
    HTTP_OTHER = 0, /* any method no route can have: 405, but `before` and `after` see it */
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32
};

struct http_header_field {
    struct slice name;  /* as sent; compare without case */
    struct slice value; /* trimmed */
};

struct http_param {
    struct slice name, value; /* percent-decoded */
};

struct http_request {
    enum http_method method;
    struct slice target; /* as sent: path?query */
    struct slice path;   /* decoded */
    struct slice query;  /* raw, after '?' */
    struct slice body;   /* whole; content-encoding already undone unless the route says raw_body */
    const struct http_header_field *headers;
    uint32_t header_count;
    struct slice path_rest; /* what stood where the route has '*' */
    bool routed;            /* path and method have a route; else it will be 404, 405, or 204 to OPTIONS */
    struct slice peer;      /* "127.0.0.1:53122" */
    struct cancel cancel;   /* set when nobody waits for the answer any more */
    struct arena *arena;    /* freed with the request */
    int64_t start_ns;       /* monotonic, first byte of the request */
    unsigned loop;          /* index of the loop that owns the connection: 0 .. loops-1 */
};

/* Header by name without case; empty slice when missing. */
struct slice http_request_header(const struct http_request *r, const char *name);

/*
 * Parameters of the query string and, for application/x-www-form-urlencoded bodies, of the form.
 * Body first, as Go's FormValue does.  http_param returns the first value and whether it was there.
 */
struct slice http_param_get(struct http_request *r, const char *name, bool *present); /* present may be NULL */
/* All values of a name (body first), in arena memory; returns how many. */
uint32_t http_param_all(struct http_request *r, const char *name, struct slice **values);
/* All parameters; false when the form is malformed (then a 400 is due; `why` has the text). */
bool http_params_parse(struct http_request *r, struct errmsg *why);

void http_header(struct http_request *r, const char *name, const char *value); /* copies; before respond/begin */
void http_respond(struct http_request *r, int status, struct slice body);      /* copies body if it must wait */
/* Streamed: chunked unless the body ends first; compressed if the client accepts it and the type is worth it. */
void http_begin(struct http_request *r, int status);
enum err http_write(struct http_request *r, const void *data,
                    size_t bytes); /* ERR_CANCELED: client gone; still call http_end */
void http_end(struct http_request *r);
/* After http_begin, something failed: closes the connection so that the client sees a broken body. */
void http_abort(struct http_request *r);

/* Runs `work` on a worker thread.  When the bounded queue is full the client gets 503 and work never runs. */
void http_defer(struct http_request *r, http_handler work, void *ctx);
/*
 * Keeps the request open without a thread.  Later any thread calls http_wake, which runs `resume` on
 * the loop that owns the request.  Wakes are batched: one loop wake-up serves many requests.
 */
void http_park(struct http_request *r);
void http_wake(struct http_request *r, http_handler resume, void *ctx);

enum http_route_flags {
    HTTP_RAW_BODY = 1,        /* leave Content-Encoding to the handler (remote write: snappy) */
    HTTP_NO_COMPRESS = 2,     /* never compress the answer */
    HTTP_DEFER = 4,           /* run the handler on a worker at once */
    HTTP_NO_ENCODED_BODY = 8, /* a Content-Encoding other than identity is 415 */
    HTTP_NO_FORM = 16,        /* the body is data even when its type says form (curl --data-binary does) */
};

struct http_route {
    const char *path; /* "/api/v1/query", or with one '*' as a whole segment: "/api/v1/label/<*>/values" without <> */
    unsigned methods; /* enum http_method bits; others get 405 with Allow */
    unsigned flags;
    uint64_t body_bytes_max; /* 0 = the server's default */
    http_handler handler;
    void *ctx;
};

/*
 * Who may come in.  `admit` is asked with the head, before a body is read or memory taken for it, and
 * before `before`: HTTP_ADMIT, HTTP_DECIDE, or the status of the refusal (fields set with http_header are
 * sent with it, and so are those set before admission).  After HTTP_DECIDE, when the body has arrived,
 * `decide` gets the request: it answers, or parks it and later calls http_admitted on the loop.
 */
enum { HTTP_ADMIT = 0, HTTP_DECIDE = -1 };
struct http_guard {
    struct tls_server *(*tls)(void *ctx); /* a reference for a new connection, or NULL: plain HTTP; may be NULL */
    int (*admit)(struct http_request *r, void *ctx);
    void (*decide)(struct http_request *r, void *ctx);
    void *ctx;
};
/* From `decide` or a handler given to http_wake: the request goes on as if admitted at once. */
void http_admitted(struct http_request *r);

struct http_options {
    const char *listen_address; /* "127.0.0.1:8428", ":8428", "[::1]:8428"; comma-separated for several */
    unsigned loops;             /* 0 = cores */
    unsigned workers;           /* 0 = cores */
    unsigned worker_queue_max;  /* deferred requests waiting */
    unsigned connections_max;
    uint32_t header_bytes_max; /* request line + headers */
    uint64_t body_bytes_max;
    uint32_t pipeline_bytes_max;   /* unread input kept per connection beyond the current request */
    int64_t head_timeout_ms;       /* request line and headers must arrive within */
    int64_t read_timeout_ms;       /* the whole request must arrive within */
    uint32_t body_bytes_per_s_min; /* slower bodies are 408 after 10 s; 0 = no such bound */
    int64_t idle_timeout_ms;       /* keep-alive without a request */
    int64_t write_timeout_ms;      /* no progress while answering */
    int64_t stop_timeout_ms;       /* graceful shutdown */
    struct clock *clock;
    struct mem_budget *budget; /* bodies and output buffers; may be NULL */
    /* Runs before every handler (CORS, auth, prefix rules, counters); true: it has answered.  May be NULL. */
    bool (*before)(struct http_request *r, void *ctx);
    /* Runs after every answer: status, bytes of the body, duration.  May be NULL. */
    void (*after)(const struct http_request *r, int status, uint64_t bytes, int64_t duration_ns, void *ctx);
    void *hook_ctx;
    const struct http_guard *guard; /* NULL: plain HTTP, everybody may come in */
};
void http_options_default(struct http_options *o);

struct http_stats {
    _Atomic uint64_t connections, connections_open, connections_refused;
    _Atomic uint64_t requests, requests_bad, timeouts, bytes_in, bytes_out;
    _Atomic uint64_t deferred_waiting, deferred_running, deferred_refused;
    _Atomic uint64_t tls_handshakes, tls_handshakes_failed;
};

/* Whether every address can be listened on now; nothing stays open. */
MUST_CHECK enum err http_listen_check(const char *addresses, struct errmsg *why);
MUST_CHECK enum err http_server_new(const struct http_options *o, struct http_server **out, struct errmsg *why);
/* Before start.  Strings are borrowed.  Unknown paths get 404 "404 page not found". */
void http_server_route(struct http_server *s, const struct http_route *route);
MUST_CHECK enum err http_server_start(struct http_server *s, struct errmsg *why); /* binds, starts threads, returns */
unsigned http_server_port(const struct http_server *s);                           /* the bound port (for ":0") */
unsigned http_server_loops(const struct http_server *s);
struct http_stats *http_server_stats(struct http_server *s);
/* Each answer from now on is the last of its connection and says so: clients go elsewhere by themselves.  Any thread. */
void http_server_retire(struct http_server *s);
/* Stops accepting, lets running requests finish within stop_timeout_ms, cancels the rest, joins threads. */
void http_server_stop(struct http_server *s);
void http_server_free(struct http_server *s);

#endif
