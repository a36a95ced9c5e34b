/* The whole server over real sockets: what a well-behaved client sees. */
#include "net/http.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "lib/http_client.h"

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

static struct http_server *server_start(void)
{
    struct http_options o;
    struct http_server *s;
    struct errmsg why;
    http_options_default(&o);
    o.listen_address = "127.0.0.1:0";
    o.loops = 2;
    o.workers = 2;
    cr_assert_eq(http_server_new(&o, &s, &why), ERR_OK, "%s", why.text);
    http_server_route(s, &(struct http_route){.path = "/hello", .methods = HTTP_GET, .handler = on_hello});
    http_server_route(s, &(struct http_route){.path = "/echo", .methods = HTTP_POST, .handler = on_echo});
    cr_assert_eq(http_server_start(s, &why), ERR_OK, "%s", why.text);
    return s;
}

Test(http_server, keeps_the_connection_and_answers_one_request_after_the_other)
{
    struct http_server *s = server_start();
    struct http_client c;
    struct http_reply r;
    cr_assert(http_client_open(&c, http_server_port(s)));
    for (int i = 0; i < 3; i++) {
        cr_assert(http_client_text(&c, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
        cr_assert(http_client_reply(&c, false, &r));
        cr_expect_eq(r.status, 200);
        cr_expect(slice_eq_str(buf_view(&r.body), "hello"));
        cr_expect(slice_eq_str(http_reply_field(&r, "Content-Type"), "application/json"));
        http_reply_deinit(&r);
        cr_assert(http_client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
        cr_assert(http_client_reply(&c, false, &r));
        cr_expect(slice_eq_str(buf_view(&r.body), "abc"));
        http_reply_deinit(&r);
    }
    http_client_close(&c);
    http_server_free(s);
}
