/*
 * http_internal.h - the moving parts of the server: acceptor, loops, connections, requests, workers.
 *
 *   acceptor ──fd──▶ loop (inbox) ──▶ connection ──▶ request ──▶ handler on the loop
 *                      ▲                                 ├──▶ worker (http_defer)
 *                      └────────── posted events ◀───────┴──▶ anywhere (http_park, then http_wake)
 *
 * Ownership: the server owns loops and pool, a loop owns its connections, a connection embeds its one
 *            request.  A connection is freed by its loop when the socket handle is closed AND no
 *            request is being worked on, so a client that goes away pulls no memory from under a worker.
 * Threads:   everything is of the loop's thread except what says otherwise.  Lock order: none of the
 *            locks here is held while another one is taken.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include <uv.h>

#include "base/buf.h"
#include "base/lock.h"
#include "net/http.h"
#include "net/http_chunk_internal.h"
#include "net/http_decode_internal.h"
#include "net/http_encode_internal.h"
#include "net/http_head_internal.h"
#include "net/http_route_internal.h"
#include "net/http_tls_internal.h"
#include "net/http_url_internal.h"

enum {
    IN_BYTES = 64 << 10,              /* input buffer of a connection at first: a usual remote write fits */
    IN_GROW_BYTES = 1 << 20,          /* claimed lengths up to this are believed; beyond, memory follows the bytes */
    READ_AHEAD_BYTES = 1024,          /* at least so much room behind a body, so that the end of the stream is seen */
    OUT_BYTES_MAX = 256 << 10,        /* a worker blocks while so much waits for the socket */
    STAGE_BYTES = 32 << 10,           /* a streamed answer is sent in pieces of this size */
    COMPRESS_BYTES_MIN = 1400,        /* one packet: smaller answers do not gain */
    LOOP_ENCODE_BYTES_MAX = 64 << 10, /* larger answers are compressed by a worker, not on the loop */
    LOOP_DECODE_IN_BYTES_MAX = 64 << 10, /* larger compressed bodies are decoded by a worker, as is what ... */
    LOOP_DECODE_OUT_BYTES_MAX = 1 << 20, /* ... passes this size while being decoded on the loop */
    UNROUTED_BODY_BYTES_MAX = 64 << 10,  /* read for the sake of keep-alive when the answer is 404 anyway */
    DRIVE_REQUESTS_MAX = 32,             /* pipelined requests in a row before other connections get a turn */
    IDLE_RELEASE_MS = 1000,              /* an idle connection gives its buffers back after */
    LINGER_MS = 1000,                    /* after a refusal: time to read it before we close on unread input */
    BODY_GRACE_MS = 10000,               /* before body_bytes_per_s_min is applied */
    PEER_BYTES = 64,
    TLS_CONN_BYTES = 48 << 10, /* that OpenSSL may hold for a connection, as counted in the budget */
};

struct http_request_state;
struct http_loop;

/* ---- the answer of a request: written by the one thread that has the request ---- */

struct http_answer_field {
    struct http_answer_field *next;
    const char *name, *value;
};

struct http_answer {
    enum { ANSWER_OPEN, ANSWER_BEGUN, ANSWER_DONE } phase;
    int status;
    struct http_answer_field *fields, **fields_end;
    bool head_sent, chunked;
    bool close; /* the end of the connection is the end of the body (HTTP/1.0, unknown length) */
    struct http_encoder *encoder;
    struct buf stage;    /* streamed bytes not yet framed */
    struct buf encoded;  /* scratch of the encoder */
    uint64_t body_bytes; /* as sent, after compression */
};

/* ---- request ---- */

struct http_request_state {
    struct http_request pub; /* first: a struct http_request * is also this */
    struct http_conn *conn;
    struct arena arena;
    struct http_head head;
    const struct http_route *route; /* NULL: 404, or 405 when methods is set */
    unsigned methods;               /* that the path has */
    bool head_known;                /* false: refused before there was a head */
    int admission;                  /* what the guard said */

    bool params_parsed;
    struct http_params params; /* body first, then query */
    const char *params_error;  /* NULL: the form is well-formed */

    struct http_decoder *decoder; /* holds the decoded body; NULL when there was nothing to decode */

    /* Where it goes next; written by the thread that has it, before it hands it over. */
    http_handler work;
    void *work_ctx;
    struct http_request_state *queue_next; /* guarded by the pool's lock while queued */
    struct http_worker *worker;            /* that runs it now, or NULL */
    bool on_loop_handler;                  /* loop only: a handler runs and has not answered or passed it on */

    struct http_answer answer;
};

/* ---- connection ---- */

enum http_conn_state {
    CONN_IDLE,   /* no byte of a request yet */
    CONN_HEAD,   /* part of a head */
    CONN_BODY,   /* head parsed, body arriving */
    CONN_BUSY,   /* the request is being worked on or its answer written */
    CONN_LINGER, /* refused and answered; input is thrown away until the client has seen it */
    CONN_CLOSED, /* handle closing or closed; memory may wait for the request */
};

enum http_event {
    EVENT_OUT = 1,    /* output is waiting, or the answer is complete */
    EVENT_WAKE = 2,   /* run request.work on the loop */
    EVENT_DRIVE = 4,  /* pipelined input is waiting for its turn */
    EVENT_POSTED = 8, /* the connection stands in the loop's list */
};

/* Between the thread that answers and the loop that writes to the socket. */
struct http_out {
    struct mutex lock;
    struct cond room;
    struct buf pending; /* guarded by lock: answered, not yet taken by the loop */
    size_t unsent;      /* guarded by lock: of `writing` */
    size_t charged;     /* guarded by lock: capacity of both buffers, as counted in the budget */
    bool gone;          /* guarded by lock: nobody reads any more */
    bool finished;      /* guarded by lock: the answer is complete */
    bool aborted;       /* guarded by lock: close instead of completing it */
    /* loop only */
    struct buf writing;
    uv_write_t write;
    bool write_active;
    size_t queue_bytes_seen; /* by the last sweep, to notice progress */
    int64_t progress_ns;
};

struct http_conn {
    uv_tcp_t tcp;
    struct http_loop *loop;
    struct http_conn *prev, *next; /* loop->conns */
    _Atomic unsigned events;       /* enum http_event, any thread */
    struct http_conn *posted_next; /* written by whoever set EVENT_POSTED */
    enum http_conn_state state;
    bool driving; /* conn_drive is on the stack */
    bool reading, eof;
    bool close_after; /* this answer is the last one */
    bool linger;      /* ... and the request was not read to its end */
    bool handle_closed;
    bool busy;            /* the request is in use; only then may its memory be touched by others */
    struct http_tls *tls; /* NULL: plain HTTP */
    bool opening;         /* conn_open_arrived is on the stack */

    uint8_t *in; /* bytes [start, len) are unread; capacity is counted in the budget */
    size_t in_capacity, start, len;
    struct http_head_scan scan;
    struct http_chunk chunk;
    size_t body_bytes; /* of a chunked body: decoded so far, at `start` */
    int64_t since_ns;  /* first byte of the request, or when the state began */

    struct http_out out;
    struct http_request_state request;
    char peer[PEER_BYTES];
};

/* ---- loop ---- */

enum http_order { ORDER_RUN, ORDER_STOP, ORDER_FORCE, ORDER_ABANDON };

struct http_socket {
    int fd;
    char peer[PEER_BYTES];
};

/* Wakes a loop from any thread. */
struct http_wakeup {
    uv_poll_t poll;
    int fds[2]; /* read, write; one eventfd where there is such a thing */
    struct http_loop *loop;
    void (*run)(struct http_loop *loop);
};
/* A negative error of libuv or 0. */
int http_wakeup_init(struct http_wakeup *w, struct http_loop *loop, uv_loop_t *uv, void (*run)(struct http_loop *loop));
void http_wakeup_send(struct http_wakeup *w);
void http_wakeup_close(struct http_wakeup *w);  /* before the loop's last run */
void http_wakeup_deinit(struct http_wakeup *w); /* after it */

struct http_loop {
    struct http_server *server;
    unsigned index;
    pthread_t thread;
    pthread_t self; /* set by the thread itself before it takes requests */
    uv_loop_t uv;
    struct http_wakeup wake; /* closed by http_loop_deinit, not by the thread: late posts stay harmless */
    uv_timer_t sweep;
    int64_t swept_ns; /* when it ran last */
    bool passed_over; /* and did nothing then */
    _Atomic(struct http_conn *) posted;
    _Atomic unsigned connections; /* given by the acceptor, not yet closed */
    _Atomic int order;            /* enum http_order */
    struct mutex lock;
    struct http_socket *inbox; /* guarded by lock */
    size_t inbox_count, inbox_capacity;
    struct http_conn *conns;
    uint8_t *trash; /* what is read and not kept as it is: of lingering connections, and sealed by TLS */
};

/* ---- workers ---- */

struct http_worker {
    struct http_server *server;
    struct http_worker *next; /* pool->workers or pool->ended */
    pthread_t thread;
    bool holds; /* the handler that runs has neither answered nor passed its request on */
};

struct http_pool {
    struct mutex lock;
    struct cond work;
    struct http_request_state *first, *last; /* guarded by lock */
    unsigned waiting, waiting_max;           /* guarded by lock */
    bool stopping;                           /* guarded by lock */
    struct http_worker *workers, *ended;     /* guarded by lock; ended: to be joined */
    unsigned threads, running, lent;         /* guarded by lock; all; working; waiting for their client */
    unsigned count;                          /* how many may work at once */
    unsigned lent_max;                       /* how many waiting ones are replaced */
};

/* ---- server ---- */

struct http_listener {
    int fd;
    uv_poll_t poll;
};

struct http_acceptor {
    struct http_server *server;
    pthread_t thread;
    uv_loop_t uv;
    uv_async_t stop;
    struct http_listener *listeners;
    size_t count;
    int64_t warned_ns; /* when we last said that we cannot accept */
    int reserve_fd;    /* given up for a moment to turn a client away when descriptors run out */
    unsigned port;
};

struct http_server {
    struct http_options options; /* listen_address points to address */
    char *address;
    struct http_routes routes;
    struct http_stats stats;
    struct http_loop *loops;
    unsigned loop_count;
    struct http_pool pool;
    struct http_acceptor acceptor;
    bool started;
    atomic_bool retired; /* http_server_retire */
    struct mutex lock;
    struct cond loop_ended;
    unsigned loops_running; /* guarded by lock */
};

/* http_accept.c */
MUST_CHECK enum err http_acceptor_open(struct http_acceptor *a, struct http_server *s, struct errmsg *why);
void http_acceptor_start(struct http_acceptor *a);
void http_acceptor_stop(struct http_acceptor *a); /* closes the listening sockets, joins */

/* http_loop.c */
void http_loop_init(struct http_loop *loop, struct http_server *s, unsigned index);
void http_loop_start(struct http_loop *loop);
void http_loop_give(struct http_loop *loop, const struct http_socket *socket); /* any thread */
void http_loop_order(struct http_loop *loop, enum http_order order);           /* any thread */
void http_loop_deinit(struct http_loop *loop);                                 /* after its thread has ended */
void http_loop_post(struct http_conn *c, unsigned event);                      /* any thread */
bool http_loop_is_current(const struct http_loop *loop);
int64_t http_now_ns(const struct http_server *s);

/* http_conn.c: input, life and death of a connection */
void http_conn_open(struct http_loop *loop, const struct http_socket *socket);
void http_conn_drive(struct http_conn *c); /* goes on with what stands in the input buffer */
void http_conn_close(struct http_conn *c); /* at once; cancels the request that is being worked on */
void http_conn_refuse(struct http_conn *c, int status, const char *text);
bool http_conn_is_ending(const struct http_conn *c); /* no further request is taken from it */
void http_conn_answered(struct http_conn *c); /* the answer is out (or nobody wants it): next request, or close */
void http_conn_free_if_unused(struct http_conn *c);
void http_conn_sweep(struct http_conn *c, int64_t now_ns); /* deadlines and idle memory */
void http_conn_run(struct http_conn *c, unsigned events);  /* what was posted */

/* http_secure.c: TLS between the socket and the input buffer */
bool http_secure_begin(struct http_conn *c); /* false: memory is short, do not serve it */
void http_secure_end(struct http_conn *c);
void http_secure_arrived(struct http_conn *c, size_t bytes); /* in the loop's trash */
void http_secure_drive(struct http_conn *c);                 /* opens what had to wait for room */
void http_secure_goodbye(struct http_conn *c); /* tells the client that no more comes, if it can be told at once */

void http_conn_on_eof(struct http_conn *c);

/* http_input.c: the input buffer */
bool http_input_reserve(struct http_conn *c, size_t capacity); /* false: the memory budget refuses */
void http_input_release(struct http_conn *c);
size_t http_input_room(const struct http_conn *c); /* that the next read may fill */
void http_input_consume(struct http_conn *c, size_t bytes);
void http_input_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out);
bool http_input_make_room(struct http_conn *c); /* before reading into it; not while BUSY */

/* http_output.c: from answers to the socket */
void http_out_init(struct http_out *out);
void http_out_deinit(struct http_conn *c);
void http_out_release(struct http_conn *c); /* gives the buffers back while nothing is in them */
/* Waits for room when the calling thread is not the loop.  False: nobody reads any more. */
bool http_out_append(struct http_conn *c, struct slice bytes);
void http_out_finish(struct http_conn *c, bool aborted); /* the request must not be touched afterwards */
void http_out_push(struct http_conn *c);  /* gets what is pending written; any thread that has the request */
void http_out_flush(struct http_conn *c); /* loop only */
void http_out_gone(struct http_conn *c);  /* loop only: drops what is pending, frees waiting workers */
void http_out_reset(struct http_conn *c); /* loop only: ready for the next answer */

/* http_request.c: from a complete request to its handler */
void http_request_init(struct http_conn *c);
/* True: read the body.  False: already refused. */
bool http_request_head(struct http_conn *c, struct slice head);
uint64_t http_request_body_max(const struct http_request_state *q);
void http_request_dispatch(struct http_conn *c, struct slice body);
void http_request_resume(struct http_conn *c);
void http_request_deinit(struct http_conn *c, bool gone);

/* http_answer.c */
void http_answer_text(struct http_request_state *q, int status, const char *text); /* one line of plain text */
void http_answer_drop(struct http_request_state *q);       /* the client has left: no answer, close */
void http_request_passed_on(struct http_request_state *q); /* the running handler has done its part */

/* http_reply_head.c */
struct slice http_reply_head(struct http_request_state *q, enum http_coding coding, bool has_length, uint64_t length);
bool http_status_has_body(int status);
const char *http_status_text(int status);

/* http_worker.c */
void http_pool_start(struct http_pool *pool, struct http_server *s);
bool http_pool_push(struct http_pool *pool, struct http_request_state *q); /* false: full */
void http_pool_stop(struct http_pool *pool);                               /* after the last request; joins */
/* The worker that calls waits for its client from here on, so another one may work; until http_pool_return. */
void http_pool_lend(struct http_pool *pool, struct http_server *s);
void http_pool_return(struct http_pool *pool);
bool http_pool_is_pressed(struct http_pool *pool); /* requests wait for a worker */

static inline struct http_request_state *http_state_of(struct http_request *r)
{
    return (struct http_request_state *)r;
}

static inline struct http_server *http_server_of(const struct http_conn *c)
{
    return c->loop->server;
}

static inline void http_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
