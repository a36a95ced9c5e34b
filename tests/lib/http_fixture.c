/* http_fixture.c - see http_fixture.h. */
#include "lib/http_fixture.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"

static void sleep_ms(int64_t ms)
{
    clock_system()->sleep_ns(clock_system(), ms * 1000000);
}

bool http_fixture_wait(const _Atomic int *value, int least)
{
    for (int i = 0; i < 60000; i++) {
        if (atomic_load(value) >= least)
            return true;
        sleep_ms(1);
    }
    return false;
}

static size_t bytes_param(struct http_request *r)
{
    char text[32] = {0};
    struct slice value = http_param_get(r, "bytes", NULL);
    if (value.len)
        memcpy(text, value.data, value.len < 31 ? value.len : 31);
    return strtoul(text, NULL, 10);
}

/* Position-dependent text, so that a lost or doubled piece shows. */
static void pattern(uint8_t *out, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)('a' + ((at + i) / 7 + (at + i) / 1000) % 26);
}

static void on_hello(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_header(r, "Content-Type", "application/json");
    http_respond(r, 200, SLICE_LIT("hello"));
}

static void on_echo(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_respond(r, 200, r->body);
}

static void on_label(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_respond(r, 200, r->path_rest);
}

static void on_empty(struct http_request *r, void *ctx)
{
    (void)ctx;
    http_header(r, "X-Evil", "a\r\nSet-Cookie: b");
    http_respond(r, 204, SLICE_LIT("ignored"));
}

static void on_params(struct http_request *r, void *ctx)
{
    struct errmsg why;
    struct slice *values;
    bool present;
    (void)ctx;
    if (!http_params_parse(r, &why)) {
        http_respond(r, 400, slice_str(why.text));
        return;
    }
    struct slice a = http_param_get(r, "a", &present);
    uint32_t count = http_param_all(r, "a", &values);
    http_respond(r, 200,
                 slice_str(arena_printf(r->arena, "%s %.*s %u %.*s", present ? "yes" : "no", SLICE_ARG(a), count,
                                        SLICE_ARG(count ? values[count - 1] : a))));
}

static void on_fixed(struct http_request *r, void *ctx)
{
    size_t n = bytes_param(r);
    uint8_t *text = mem_alloc(n);
    pattern(text, 0, n);
    if (ctx)
        http_header(r, "Content-Type", ctx);
    http_respond(r, 200, slice_of(text, n));
    mem_free(text);
}

static void on_stream(struct http_request *r, void *ctx)
{
    struct http_fixture *f = ctx;
    uint8_t piece[10000];
    size_t n = bytes_param(r);
    http_begin(r, 200);
    for (size_t at = 0; at < n; at += sizeof piece) {
        size_t part = n - at < sizeof piece ? n - at : sizeof piece;
        pattern(piece, at, part);
        if (http_write(r, piece, part) != ERR_OK) {
            atomic_fetch_add(&f->write_failed, 1);
            break;
        }
    }
    http_end(r);
}

static void on_abort(struct http_request *r, void *ctx)
{
    static const uint8_t zeros[100000];
    (void)ctx;
    http_begin(r, 200);
    http_write(r, zeros, sizeof zeros);
    http_abort(r);
}

static void on_block(struct http_request *r, void *ctx)
{
    struct http_fixture *f = ctx;
    atomic_fetch_add(&f->blocked, 1);
    while (!atomic_load(&f->release) && cancel_check(&r->cancel) == ERR_OK)
        sleep_ms(1);
    if (cancel_check(&r->cancel) == ERR_CANCELED)
        atomic_fetch_add(&f->canceled, 1);
    http_respond(r, 200, SLICE_LIT("released"));
}

static void on_park(struct http_request *r, void *ctx)
{
    struct http_fixture *f = ctx;
    http_park(r);
    for (int i = 0;; i = (i + 1) % 64) {
        struct http_request *none = NULL;
        if (atomic_compare_exchange_strong(&f->parked_requests[i], &none, r))
            break;
    }
    atomic_fetch_add(&f->parked, 1);
}

static void on_woken(struct http_request *r, void *ctx)
{
    struct http_fixture *f = ctx;
    if (cancel_check(&r->cancel) == ERR_CANCELED)
        atomic_fetch_add(&f->canceled, 1);
    http_respond(r, 200, SLICE_LIT("woken"));
}

void http_fixture_wake(struct http_fixture *f)
{
    for (int i = 0; i < 64; i++) {
        struct http_request *r = atomic_exchange(&f->parked_requests[i], NULL);
        if (r)
            http_wake(r, on_woken, f);
    }
}

static void on_after(const struct http_request *r, int status, uint64_t bytes, int64_t duration_ns, void *ctx)
{
    struct http_fixture *f = ctx;
    assert(r->path.len > 0 && duration_ns >= 0);
    atomic_store(&f->last_status, status);
    atomic_store(&f->last_bytes, bytes);
    atomic_fetch_add(&f->answered, 1);
}

void http_fixture_options(struct http_fixture *f, struct http_options *o)
{
    *f = (struct http_fixture){.budget = {.name = "test", .limit = 64 << 20}};
    http_options_default(o);
    o->listen_address = "127.0.0.1:0";
    o->loops = 2;
    o->workers = 2;
    o->budget = &f->budget;
    o->after = on_after;
    o->hook_ctx = f;
}

static void routes_add(struct http_fixture *f)
{
    static char image[] = "image/png";
    const struct http_route routes[] = {
        {.path = "/hello", .methods = HTTP_GET, .handler = on_hello},
        {.path = "/label/*/values", .methods = HTTP_GET, .handler = on_label},
        {.path = "/echo", .methods = HTTP_POST, .handler = on_echo},
        {.path = "/raw", .methods = HTTP_POST, .flags = HTTP_RAW_BODY, .handler = on_echo},
        {.path = "/plain", .methods = HTTP_POST, .flags = HTTP_NO_ENCODED_BODY, .handler = on_echo},
        {.path = "/small", .methods = HTTP_POST, .body_bytes_max = 100, .handler = on_echo},
        {.path = "/deferred", .methods = HTTP_POST, .flags = HTTP_DEFER, .handler = on_echo},
        {.path = "/params", .methods = HTTP_GET | HTTP_POST, .handler = on_params},
        {.path = "/empty", .methods = HTTP_GET, .handler = on_empty},
        {.path = "/fixed", .methods = HTTP_GET, .handler = on_fixed},
        {.path = "/image", .methods = HTTP_GET, .handler = on_fixed, .ctx = image},
        {.path = "/uncompressed", .methods = HTTP_GET, .flags = HTTP_NO_COMPRESS, .handler = on_fixed},
        {.path = "/worker", .methods = HTTP_GET, .flags = HTTP_DEFER, .handler = on_fixed},
        {.path = "/stream", .methods = HTTP_GET, .flags = HTTP_DEFER, .handler = on_stream, .ctx = f},
        {.path = "/abort", .methods = HTTP_GET, .flags = HTTP_DEFER, .handler = on_abort},
        {.path = "/block", .methods = HTTP_GET, .flags = HTTP_DEFER, .handler = on_block, .ctx = f},
        {.path = "/park", .methods = HTTP_GET, .handler = on_park, .ctx = f},
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        http_server_route(f->server, &routes[i]);
}

void http_fixture_start(struct http_fixture *f, const struct http_options *given)
{
    struct http_options o;
    struct errmsg why;
    if (!given) {
        http_fixture_options(f, &o);
        given = &o;
    }
    enum err err = http_server_new(given, &f->server, &why);
    assert(err == ERR_OK);
    routes_add(f);
    err = http_server_start(f->server, &why);
    assert(err == ERR_OK);
    f->port = http_server_port(f->server);
}

void http_fixture_stop(struct http_fixture *f)
{
    http_server_stop(f->server);
    assert(atomic_load(&http_server_stats(f->server)->connections_open) == 0);
    http_server_free(f->server);
    assert(atomic_load(&f->budget.used) == 0);
}
