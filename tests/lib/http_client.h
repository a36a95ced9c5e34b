/*
 * http_client.h - a small blocking HTTP client for tests: sends raw bytes, reads answers strictly.
 *
 * Every wait is bounded (CLIENT_TIMEOUT_MS), so a server that hangs fails a test instead of stopping it.
 * Threads: one per client.
 */
#ifndef LIB_HTTP_CLIENT_H
#define LIB_HTTP_CLIENT_H

#include "base/buf.h"

enum { CLIENT_TIMEOUT_MS = 60000 }; /* only a hang meets it, on machines under any load */

struct http_client {
    int fd; /* -1: closed */
    struct buf in;
    size_t at; /* first unread byte of in */
};

struct http_reply {
    int status;
    struct slice head; /* status line and fields; borrowed from the client until its next call */
    struct buf body;   /* framing undone, content coding not; owned */
    bool chunked, close;
};

bool http_client_open(struct http_client *c, unsigned port); /* 127.0.0.1 */
void http_client_close(struct http_client *c);
bool http_client_send(struct http_client *c, const void *data, size_t bytes);
bool http_client_text(struct http_client *c, const char *text);
/* Reads one answer; `head_only` for the answer to a HEAD.  False: broken, closed or too late. */
bool http_client_reply(struct http_client *c, bool head_only, struct http_reply *out);
/* A field of the answer's head, "" when missing; valid until the next call. */
struct slice http_reply_field(const struct http_reply *reply, const char *name);
void http_reply_deinit(struct http_reply *reply);
/* True when the server closes without another byte. */
bool http_client_at_end(struct http_client *c);
/* Whatever comes until the server closes, or `ms` pass. */
void http_client_drain(struct http_client *c, int ms, struct buf *out);
/* One request on its own connection: status, or 0. */
int http_client_once(unsigned port, const char *text, struct http_reply *out);

#endif
