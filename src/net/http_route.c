/* http_route.c - the route table; the contract is in http_route_internal.h. */
#include "net/http_route_internal.h"

#include "base/assert.h"

enum { NONE = UINT32_MAX };

struct http_route_entry {
    struct http_route route;
    struct slice prefix, suffix; /* around the '*'; prefix is the whole path when there is none */
    bool wildcard;
    uint32_t next; /* entry with the same path and other methods, or NONE */
};

void http_routes_deinit(struct http_routes *routes)
{
    mem_free(routes->entries);
    mem_free(routes->slots);
    *routes = (struct http_routes){0};
}

/*
 * The last 16 bytes and the length tell our paths apart; what collides is compared anyway, and routes
 * are ours, so nobody can make them collide.
 */
static size_t path_hash(struct slice path)
{
    uint64_t last = 0, before = 0;
    size_t n = path.len;
    memcpy(&last, path.data + (n < 8 ? 0 : n - 8), n < 8 ? n : 8);
    if (n >= 16)
        memcpy(&before, path.data + n - 16, 8);
    uint64_t h = (last ^ n) * 0x9e3779b97f4a7c15u + before * 0xc2b2ae3d27d4eb4fu;
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u; /* twice: what differs stands in the high bytes of the words */
    return (size_t)(h >> 32);
}

void http_routes_add(struct http_routes *routes, const struct http_route *route)
{
    assert(!routes->slots);
    assert(route->path && route->path[0] == '/' && route->methods && route->handler);
    routes->entries = mem_grow(routes->entries, &routes->capacity, routes->count + 1, sizeof *routes->entries);
    struct http_route_entry *e = &routes->entries[routes->count++];
    const char *star = strchr(route->path, '*');
    *e = (struct http_route_entry){.route = *route, .prefix = slice_str(route->path), .next = NONE};
    if (!star)
        return;
    assert(star[-1] == '/' && (star[1] == '/' || !star[1]) && !strchr(star + 1, '*'));
    e->wildcard = true;
    e->prefix.len = (size_t)(star - route->path);
    e->suffix = slice_str(star + 1);
    routes->wildcard_count++;
}

/* The slot of the path, or the free slot where it belongs. */
static uint32_t *slot_of(const struct http_routes *routes, struct slice path)
{
    size_t mask = routes->slot_count - 1;
    size_t i = path_hash(path) & mask;
    while (routes->slots[i] && !slice_eq(routes->entries[routes->slots[i] - 1].prefix, path))
        i = (i + 1) & mask;
    return &routes->slots[i];
}

void http_routes_ready(struct http_routes *routes)
{
    routes->slot_count = 16;
    while (routes->slot_count < routes->count * 4)
        routes->slot_count *= 2;
    routes->slots = mem_array(routes->slot_count, sizeof *routes->slots);
    for (uint32_t i = 0; i < routes->count; i++) {
        if (routes->entries[i].wildcard)
            continue;
        uint32_t *slot = slot_of(routes, routes->entries[i].prefix);
        routes->entries[i].next = *slot ? *slot - 1 : NONE;
        *slot = i + 1;
    }
}

/* HEAD goes where GET goes, unless the path has a route of its own for it. */
static unsigned methods_of(const struct http_route *route, enum http_method method)
{
    return route->methods | (method == HTTP_HEAD && (route->methods & HTTP_GET) ? HTTP_HEAD : 0u);
}

static void match_add(struct http_route_match *m, const struct http_route *route, enum http_method method,
                      struct slice rest)
{
    m->methods |= route->methods;
    bool exact = route->methods & (unsigned)method;
    if (!exact && !(methods_of(route, method) & (unsigned)method))
        return;
    if (m->route && !exact)
        return;
    m->route = route;
    m->rest = rest;
}

static bool wildcard_rest(const struct http_route_entry *e, struct slice path, struct slice *rest)
{
    if (path.len <= e->prefix.len + e->suffix.len || !slice_starts_with(path, e->prefix))
        return false;
    *rest = slice_of(path.data + e->prefix.len, path.len - e->prefix.len - e->suffix.len);
    if (e->suffix.len == 0)
        return true;
    return slice_eq(slice_from(path, path.len - e->suffix.len), e->suffix) && !memchr(rest->data, '/', rest->len);
}

struct http_route_match http_routes_find(const struct http_routes *routes, enum http_method method, struct slice path)
{
    struct http_route_match m = {0};
    uint32_t slot = *slot_of(routes, path);
    for (uint32_t i = slot ? slot - 1 : NONE; i != NONE; i = routes->entries[i].next)
        match_add(&m, &routes->entries[i].route, method, (struct slice){0});
    if (m.methods || !routes->wildcard_count)
        return m;
    for (size_t i = 0; i < routes->count; i++) {
        struct slice rest;
        if (routes->entries[i].wildcard && wildcard_rest(&routes->entries[i], path, &rest))
            match_add(&m, &routes->entries[i].route, method, rest);
    }
    return m;
}
