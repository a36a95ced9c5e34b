/* api_fixture.c - see api_fixture.h */
#include "unit/api/api_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int64_t fixed_now(struct clock *clock)
{
    (void)clock;
    return FIXTURE_NOW_MS;
}

static int64_t real_mono(struct clock *clock)
{
    (void)clock;
    return clock_mono_ns(clock_system());
}

static void real_sleep(struct clock *clock, int64_t ns)
{
    (void)clock;
    clock_system()->sleep_ns(clock_system(), ns);
}

struct pair {
    const char *name, *value;
};

static void store(struct memory_storage *m, const struct pair *pairs, int count, double first, double step)
{
    struct arena arena;
    struct labels_builder b;
    arena_init(&arena, NULL);
    labels_builder_init(&b, &arena, NULL);
    for (int i = 0; i < count; i++)
        labels_builder_set(&b, slice_str(pairs[i].name), slice_str(pairs[i].value));
    struct labels labels = labels_builder_finish(&b);
    for (int i = 0; i <= 40; i++)
        memory_storage_append(m, &labels, FIXTURE_NOW_MS - (40 - i) * 15000, first + step * i, NULL, 0);
    arena_deinit(&arena);
}

static void store_histogram(struct memory_storage *m)
{
    static const struct histogram_span span = {0, 2};
    static const double counts[] = {1, 2};
    struct histogram h = {.schema = 0,
                          .zero_threshold = 0.5,
                          .zero_count = 1,
                          .count = 4,
                          .sum = 5,
                          .positive_span_count = 1,
                          .positive_spans = &span,
                          .positive_count = 2,
                          .positive = counts};
    struct arena arena;
    struct labels_builder b;
    arena_init(&arena, NULL);
    labels_builder_init(&b, &arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("hist"));
    struct labels labels = labels_builder_finish(&b);
    memory_storage_append(m, &labels, FIXTURE_NOW_MS - 15000, 0, &h, 0);
    memory_storage_append(m, &labels, FIXTURE_NOW_MS, 0, &h, 0);
    arena_deinit(&arena);
}

static void fill(struct memory_storage *m)
{
    store(m, (struct pair[]){{"__name__", "up"}, {"instance", "a"}, {"job", "x"}}, 3, 1, 0);
    store(m, (struct pair[]){{"__name__", "up"}, {"instance", "b"}, {"job", "x"}}, 3, 0, 0);
    store(m, (struct pair[]){{"__name__", "http.status"}, {"code", "200"}}, 2, 7, 0);
    store(m, (struct pair[]){{"__name__", "requests_total"}, {"path", "/a"}}, 2, 0, 15);
    store(m, (struct pair[]){{"__name__", "requests_total"}, {"path", "/<b>"}}, 2, 100, 1.5);
    store_histogram(m);
}

static void apply(struct config *c, const char *const *settings)
{
    for (; settings && *settings; settings++) {
        char name[64];
        struct errmsg why = {0};
        const char *equals = strchr(*settings, '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - *settings), *settings);
        cr_assert_eq(config_set(c, name, equals + 1, &why), ERR_OK, "%s", why.text);
    }
}

static void start_server(struct api_fixture *f)
{
    struct http_options o;
    struct errmsg why = {0};
    http_options_default(&o);
    o.listen_address = "127.0.0.1:0";
    o.loops = 1;
    o.workers = 4;
    o.clock = &f->clock;
    o.before = api_before;
    o.after = api_after;
    o.hook_ctx = f->api;
    cr_assert_eq(http_server_new(&o, &f->server, &why), ERR_OK, "%s", why.text);
    api_register_routes(f->server, f->api);
    cr_assert_eq(http_server_start(f->server, &why), ERR_OK, "%s", why.text);
    f->port = http_server_port(f->server);
}

void api_fixture_open(struct api_fixture *f, const char *const *settings)
{
    api_fixture_open_over(f, settings, NULL, NULL);
}

void api_fixture_open_over(struct api_fixture *f, const char *const *settings, struct storage *front,
                           struct storage **behind)
{
    struct errmsg why = {0};
    *f = (struct api_fixture){.clock = {fixed_now, real_mono, real_sleep}};
    f->config = config_new();
    apply(f->config, settings);
    f->metrics = metrics_new();
    f->memory = memory_storage_new();
    fill(f->memory);
    struct engine_options eo;
    engine_options_default(&eo);
    eo.storage = front ? front : memory_storage_storage(f->memory);
    if (behind)
        *behind = memory_storage_storage(f->memory);
    f->engine = engine_new(&eo);
    struct api_options o = {.config = f->config,
                            .metrics = f->metrics,
                            .clock = &f->clock,
                            .storage = eo.storage,
                            .engine = f->engine,
                            .version = "1.2.3",
                            .revision = "abcdef"};
    cr_assert_eq(api_new(&o, &f->api, &why), ERR_OK, "%s", why.text);
    api_set_state(f->api, API_READY);
    start_server(f);
}

void api_fixture_close(struct api_fixture *f)
{
    http_server_stop(f->server);
    api_free(f->api);
    http_server_free(f->server);
    engine_free(f->engine);
    memory_storage_free(f->memory);
    metrics_free(f->metrics);
    config_free(f->config);
}

struct exchange api_exchange(struct api_fixture *f, const char *target, const char *headers, const char *body)
{
    static char head[4096], text[1 << 16];
    struct buf request = {0};
    struct http_reply reply;
    struct http_client c;
    buf_printf(&request, "%s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%s", target, headers);
    if (body && !strstr(headers, "Content-Type:"))
        buf_str(&request, "Content-Type: application/x-www-form-urlencoded\r\n");
    if (body)
        buf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&request, "\r\n%s", body ? body : "");
    cr_assert(http_client_open(&c, f->port));
    cr_assert(http_client_text(&c, buf_cstr(&request)));
    cr_assert(http_client_reply(&c, !strncmp(target, "HEAD", 4), &reply), "no answer to %s", target);
    snprintf(head, sizeof head, "%.*s", SLICE_ARG(reply.head));
    snprintf(text, sizeof text, "%s", buf_cstr(&reply.body));
    struct exchange e = {reply.status, head, text};
    http_reply_deinit(&reply);
    http_client_close(&c);
    buf_deinit(&request);
    return e;
}
