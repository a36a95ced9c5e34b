/* Paths to handlers. */
#include "net/http_route_internal.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void nothing(struct http_request *r, void *ctx)
{
    (void)r;
    (void)ctx;
}

static void add(struct http_routes *routes, const char *path, unsigned methods)
{
    http_routes_add(routes, &(struct http_route){.path = path, .methods = methods, .handler = nothing});
}

static void expect(const struct http_routes *routes, enum http_method method, const char *path, const char *route,
                   const char *rest, unsigned methods)
{
    struct http_route_match m = http_routes_find(routes, method, slice_str(path));
    cr_expect_str_eq(m.route ? m.route->path : "none", route, "%s", path);
    cr_expect(slice_eq_str(m.rest, rest), "%s -> rest %.*s", path, SLICE_ARG(m.rest));
    cr_expect_eq(m.methods, methods, "%s -> methods %u", path, m.methods);
}

Test(http_route, finds_exact_paths_before_wildcards)
{
    struct http_routes routes = {0};
    add(&routes, "/", HTTP_GET);
    add(&routes, "/api/v1/query", HTTP_GET | HTTP_POST);
    add(&routes, "/api/v1/label/*/values", HTTP_GET);
    add(&routes, "/api/v1/label/fixed/values", HTTP_GET);
    add(&routes, "/ui/*", HTTP_GET);
    http_routes_ready(&routes);
    unsigned get = HTTP_GET, both = HTTP_GET | HTTP_POST;
    expect(&routes, HTTP_GET, "/", "/", "", get);
    expect(&routes, HTTP_POST, "/api/v1/query", "/api/v1/query", "", both);
    expect(&routes, HTTP_HEAD, "/api/v1/query", "/api/v1/query", "", both);
    expect(&routes, HTTP_DELETE, "/api/v1/query", "none", "", both);
    expect(&routes, HTTP_OTHER, "/api/v1/query", "none", "", both);
    expect(&routes, HTTP_GET, "/api/v1/query/", "none", "", 0);
    expect(&routes, HTTP_GET, "/api/v1/quer", "none", "", 0);
    expect(&routes, HTTP_GET, "/api/v1/label/job/values", "/api/v1/label/*/values", "job", get);
    expect(&routes, HTTP_GET, "/api/v1/label/fixed/values", "/api/v1/label/fixed/values", "", get);
    expect(&routes, HTTP_GET, "/api/v1/label/a/b/values", "none", "", 0);
    expect(&routes, HTTP_GET, "/api/v1/label//values", "none", "", 0);
    expect(&routes, HTTP_GET, "/api/v1/label/values", "none", "", 0);
    expect(&routes, HTTP_GET, "/ui/a/b.js", "/ui/*", "a/b.js", get);
    expect(&routes, HTTP_GET, "/ui/", "none", "", 0);
    http_routes_deinit(&routes);
}

Test(http_route, joins_the_methods_of_routes_that_share_a_path)
{
    struct http_routes routes = {0};
    add(&routes, "/a", HTTP_GET);
    add(&routes, "/a", HTTP_PUT | HTTP_HEAD);
    http_routes_ready(&routes);
    struct http_route_match head = http_routes_find(&routes, HTTP_HEAD, SLICE_LIT("/a"));
    cr_expect_eq(head.route->methods, (unsigned)(HTTP_PUT | HTTP_HEAD), "its own HEAD before that of GET");
    cr_expect_eq(http_routes_find(&routes, HTTP_GET, SLICE_LIT("/a")).route->methods, (unsigned)HTTP_GET);
    cr_expect_eq(http_routes_find(&routes, HTTP_POST, SLICE_LIT("/a")).methods, HTTP_GET | HTTP_PUT | HTTP_HEAD);
    http_routes_deinit(&routes);
}

Test(http_route, finds_each_of_many)
{
    enum { COUNT = 300 };
    static char paths[COUNT][32];
    struct http_routes routes = {0};
    for (int i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], "/api/v1/thing%d", i * i);
        add(&routes, paths[i], HTTP_GET);
    }
    http_routes_ready(&routes);
    for (int i = 0; i < COUNT; i++)
        expect(&routes, HTTP_GET, paths[i], paths[i], "", HTTP_GET);
    http_routes_deinit(&routes);
}
