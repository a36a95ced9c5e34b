/* http_address.c - parse, bind, print; the contract is in http_address_internal.h. */
#include "net/http_address_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024, HOST_BYTES_MAX = 256 };

static void any_set(struct http_address *a, int family, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    memset(a, 0, sizeof *a);
    a->any = true;
    a->bytes = family == AF_INET6 ? sizeof v6 : sizeof v4;
    memcpy(&a->storage, family == AF_INET6 ? (const void *)&v6 : (const void *)&v4, a->bytes);
}

/* Splits "host:port" or "[v6]:port"; false when it is neither. */
static bool split(struct slice text, struct slice *host, struct slice *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *host = slice_of(text.data, colon - 1);
    *port = slice_from(text, colon);
    bool bracketed = host->len >= 2 && host->data[0] == '[' && host->data[host->len - 1] == ']';
    if (bracketed)
        *host = slice_of(host->data + 1, host->len - 2);
    else if (host->len && memchr(host->data, ':', host->len))
        return false; /* an IPv6 address needs brackets */
    return host->len < HOST_BYTES_MAX;
}

static bool port_parse(struct slice s, uint16_t *out)
{
    unsigned v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || v > UINT16_MAX)
            return false;
        v = v * 10 + (unsigned)(s.data[i] - '0');
    }
    *out = (uint16_t)v;
    return s.len > 0 && v <= UINT16_MAX;
}

/* The first IPv4 address of the name if it has one, else its first address, as Go listens. */
static enum err resolve(const char *host, uint16_t port, struct http_address *out, struct errmsg *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    int failed = getaddrinfo(host, service, &hints, &list);
    if (failed)
        return err_set(why, ERR_INVALID, "listen address: cannot resolve \"%s\": %s", host, gai_strerror(failed));
    const struct addrinfo *best = list;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        if (a->ai_family == AF_INET) {
            best = a;
            break;
        }
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, best->ai_addr, best->ai_addrlen);
    out->bytes = best->ai_addrlen;
    freeaddrinfo(list);
    return ERR_OK;
}

enum err http_address_parse(struct slice text, struct http_address *out, struct errmsg *why)
{
    struct slice host, port_text;
    uint16_t port;
    char name[HOST_BYTES_MAX];
    if (!split(text, &host, &port_text) || !port_parse(port_text, &port))
        return err_set(why, ERR_INVALID, "listen address \"%.*s\" is not host:port", SLICE_ARG(text));
    if (host.len == 0) {
        any_set(out, AF_INET6, port);
        return ERR_OK;
    }
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(host));
    return resolve(name, port, out, why);
}

static enum err listen_on(const struct http_address *a, int *out, struct errmsg *why)
{
    char text[80];
    int one = 1, zero = 0;
    http_address_format(&a->storage, text, sizeof text);
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(why, errno, "listen on %s: socket", text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, a->any ? &zero : &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&a->storage, a->bytes) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        enum err err = err_errno(why, errno, "listen on %s", text);
        close(fd);
        return err;
    }
    *out = fd;
    return ERR_OK;
}

enum err http_address_listen(const struct http_address *a, int *fd, struct errmsg *why)
{
    enum err err = listen_on(a, fd, why);
    if (err == ERR_OK || !a->any || errno == EADDRINUSE)
        return err;
    struct http_address v4; /* a system without IPv6 */
    any_set(&v4, AF_INET, ntohs(((const struct sockaddr_in6 *)&a->storage)->sin6_port));
    return listen_on(&v4, fd, why);
}

void http_address_format(const struct sockaddr_storage *a, char *out, size_t bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, bytes, "%s:%u", host, ntohs(v4->sin_port));
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    if (mapped)
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof host);
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    snprintf(out, bytes, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(v6->sin6_port));
}

unsigned http_address_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t bytes = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &bytes) < 0)
        return 0;
    return ntohs(a.ss_family == AF_INET ? ((const struct sockaddr_in *)&a)->sin_port
                                        : ((const struct sockaddr_in6 *)&a)->sin6_port);
}
