/* http_client.c - see http_client.h. */
#include "lib/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

bool http_client_open(struct http_client *c, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *c = (struct http_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) == 0)
        return true;
    http_client_close(c);
    return false;
}

void http_client_close(struct http_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_deinit(&c->in);
    c->at = 0;
}

bool http_client_send(struct http_client *c, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    while (bytes) {
        struct pollfd ready = {.fd = c->fd, .events = POLLOUT};
        if (poll(&ready, 1, CLIENT_TIMEOUT_MS) <= 0)
            return false;
        ssize_t n = send(c->fd, p, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

bool http_client_text(struct http_client *c, const char *text)
{
    return http_client_send(c, text, strlen(text));
}

/* More bytes into c->in; 1 = some, 0 = end, -1 = error or too late. */
static int fill(struct http_client *c, int ms)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    if (c->fd < 0 || poll(&ready, 1, ms) <= 0)
        return -1;
    uint8_t *room = buf_reserve(&c->in, 65536);
    ssize_t n = recv(c->fd, room, 65536, 0);
    if (n <= 0)
        return n < 0 ? -1 : 0;
    c->in.len += (size_t)n;
    return 1;
}

static bool need(struct http_client *c, size_t bytes)
{
    while (c->in.len - c->at < bytes)
        if (fill(c, CLIENT_TIMEOUT_MS) <= 0)
            return false;
    return true;
}

/* A line with its CRLF. */
static bool line(struct http_client *c, struct slice *out)
{
    for (;;) {
        const uint8_t *from = c->in.data + c->at;
        const uint8_t *lf = c->in.len > c->at ? memchr(from, '\n', c->in.len - c->at) : NULL;
        if (lf) {
            *out = slice_of(from, (size_t)(lf - from) + 1);
            c->at += out->len;
            return out->len >= 2 && out->data[out->len - 2] == '\r';
        }
        if (fill(c, CLIENT_TIMEOUT_MS) <= 0)
            return false;
    }
}

struct slice http_reply_field(const struct http_reply *reply, const char *name)
{
    struct slice rest = reply->head;
    size_t len = strlen(name);
    while (rest.len) {
        const uint8_t *lf = memchr(rest.data, '\n', rest.len);
        size_t n = (size_t)(lf - rest.data) + 1;
        if (n > len + 4 && strncasecmp((const char *)rest.data, name, len) == 0 && rest.data[len] == ':')
            return slice_of(rest.data + len + 2, n - len - 4);
        rest = slice_from(rest, n);
    }
    return (struct slice){0};
}

static bool take(struct http_client *c, size_t bytes, struct buf *out)
{
    if (!need(c, bytes))
        return false;
    buf_append(out, c->in.data + c->at, bytes);
    c->at += bytes;
    return true;
}

static bool chunks(struct http_client *c, struct buf *out)
{
    for (;;) {
        struct slice size_line;
        if (!line(c, &size_line))
            return false;
        size_t size = strtoul((const char *)size_line.data, NULL, 16);
        if (!take(c, size, out) || !line(c, &size_line) || size_line.len != 2)
            return false;
        if (!size)
            return true;
    }
}

static bool to_end(struct http_client *c, struct buf *out)
{
    int got;
    do {
        take(c, c->in.len - c->at, out);
    } while ((got = fill(c, CLIENT_TIMEOUT_MS)) > 0);
    return got == 0;
}

static void compact(struct http_client *c)
{
    if (c->at)
        memmove(c->in.data, c->in.data + c->at, c->in.len - c->at);
    c->in.len -= c->at;
    c->at = 0;
}

static bool body(struct http_client *c, struct http_reply *r)
{
    struct slice length = http_reply_field(r, "Content-Length");
    if (slice_eq_str(http_reply_field(r, "Transfer-Encoding"), "chunked")) {
        r->chunked = true;
        return !length.len && chunks(c, &r->body);
    }
    if (length.len)
        return take(c, strtoul((const char *)length.data, NULL, 10), &r->body);
    return r->status == 204 || r->status == 304 || (r->close && to_end(c, &r->body));
}

bool http_client_reply(struct http_client *c, bool head_only, struct http_reply *r)
{
    struct slice l;
    *r = (struct http_reply){0};
    compact(c);
    do {
        if (!line(c, &l))
            return false;
    } while (l.len > 2);
    size_t head_len = c->at;
    r->head = slice_of(c->in.data, head_len);
    if (!slice_starts_with(r->head, SLICE_LIT("HTTP/1.1 ")))
        return false;
    r->status = atoi((const char *)r->head.data + 9);
    r->close = slice_eq_str(http_reply_field(r, "Connection"), "close");
    bool ok = head_only || r->status < 200 || body(c, r);
    r->head = slice_of(c->in.data, head_len); /* reading the body may have moved it */
    return ok;
}

void http_reply_deinit(struct http_reply *r)
{
    buf_deinit(&r->body);
}

bool http_client_at_end(struct http_client *c)
{
    return c->in.len == c->at && fill(c, CLIENT_TIMEOUT_MS) == 0;
}

void http_client_drain(struct http_client *c, int ms, struct buf *out)
{
    while (fill(c, ms) > 0)
        ;
    buf_append(out, c->in.data + c->at, c->in.len - c->at);
    c->at = c->in.len;
}

int http_client_once(unsigned port, const char *text, struct http_reply *out)
{
    struct http_client c;
    int status = 0;
    *out = (struct http_reply){0};
    if (!http_client_open(&c, port))
        return 0;
    if (http_client_text(&c, text) && http_client_reply(&c, false, out))
        status = out->status;
    out->head = (struct slice){0};
    http_client_close(&c);
    return status;
}
