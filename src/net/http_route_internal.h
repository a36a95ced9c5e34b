/*
 * http_route_internal.h - from a decoded path to its handler.
 *
 * Exact paths stand in a hash table; the few paths with a '*' are tried one after the other when no
 * exact path matches.  A '*' in the middle stands for one non-empty segment, a '*' at the end for the
 * whole rest.  Several routes may share a path when their methods differ.
 *
 * Ownership: strings of routes are borrowed.  Threads: filled before start, then read by all loops.
 */
#ifndef NET_HTTP_ROUTE_INTERNAL_H
#define NET_HTTP_ROUTE_INTERNAL_H

#include "net/http.h"

struct http_routes {
    struct http_route_entry *entries;
    size_t count, capacity;
    uint32_t *slots;   /* hash table of entry index + 1, 0 = free; first entry of each exact path */
    size_t slot_count; /* power of two */
    size_t wildcard_count;
};

struct http_route_match {
    const struct http_route *route; /* NULL: unknown path, or a method it does not have */
    struct slice rest;              /* what stands at the '*' */
    unsigned methods;               /* of all routes of this path; 0: unknown path */
};

void http_routes_deinit(struct http_routes *routes);
void http_routes_add(struct http_routes *routes, const struct http_route *route);
void http_routes_ready(struct http_routes *routes); /* builds the table; nothing is added afterwards */
struct http_route_match http_routes_find(const struct http_routes *routes, enum http_method method, struct slice path);

#endif
