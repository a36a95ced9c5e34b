/*
 * http_address_internal.h - listen addresses as people write them.
 *
 * "127.0.0.1:8428", "[::1]:8428", "localhost:8428"; ":8428" is every address, IPv6 and IPv4 on one
 * socket where the system can; port 0 lets the system choose.
 */
#ifndef NET_HTTP_ADDRESS_INTERNAL_H
#define NET_HTTP_ADDRESS_INTERNAL_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

struct http_address {
    struct sockaddr_storage storage;
    socklen_t bytes;
    bool any; /* host was empty: storage is [::], which may have to fall back to 0.0.0.0 */
};

MUST_CHECK enum err http_address_parse(struct slice text, struct http_address *out, struct errmsg *why);
/* Bound, listening, non-blocking. */
MUST_CHECK enum err http_address_listen(const struct http_address *a, int *fd, struct errmsg *why);
/* "127.0.0.1:53122", "[::1]:53122"; IPv4 in IPv6 is shown as IPv4. */
void http_address_format(const struct sockaddr_storage *a, char *out, size_t bytes);
unsigned http_address_port(int fd);

#endif
