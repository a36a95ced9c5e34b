/* HTTPS: the same server through TLS; certificates are made on the spot. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http_client.h"
#include "lib/http_fixture.h"
#include "lib/tls_identity.h"

struct place {
    struct tls_identity ca, server, client, stranger;
    struct tls_options tls;
    _Atomic(struct tls_server *) now;
    struct http_guard guard;
    struct http_options http;
    struct http_fixture f;
};

static struct tls_server *give(void *ctx)
{
    struct place *p = ctx;
    return tls_server_ref(p->now);
}

static int admit(struct http_request *r, void *ctx)
{
    (void)ctx;
    struct slice who = http_request_header(r, "X-Who");
    if (slice_eq_str(who, "stranger"))
        return 401;
    return slice_eq_str(who, "slow") ? HTTP_DECIDE : HTTP_ADMIT;
}

static void decided(struct http_request *r, void *ctx)
{
    (void)ctx;
    if (slice_eq_str(r->path, "/label/no/values"))
        http_respond(r, 401, SLICE_LIT("not you\n"));
    else
        http_admitted(r);
}

static void decide(struct http_request *r, void *ctx)
{
    http_park(r);
    http_wake(r, decided, ctx);
}

static struct tls_server *make(const struct tls_options *o)
{
    struct tls_server *s = NULL;
    struct errmsg why = {0};
    cr_assert_eq(tls_server_new(o, &s, &why), ERR_OK, "%s", why.text);
    return s;
}

static void open_place(struct place *p)
{
    *p = (struct place){0};
    tls_identity_make(&p->ca, "Test CA", NULL, NULL, 3600);
    tls_identity_make(&p->server, "localhost", "DNS:localhost,IP:127.0.0.1", &p->ca, 3600);
    tls_identity_make(&p->client, "client", "DNS:writer.example,URI:spiffe://a/b,IP:10.0.0.7", &p->ca, 3600);
    tls_identity_make(&p->stranger, "stranger", "DNS:writer.example", NULL, 3600);
    p->tls.certificate_pem = buf_view(&p->server.certificate_pem);
    p->tls.key_pem = buf_view(&p->server.key_pem);
    p->tls.version_max = TLS_VERSION_13;
    p->guard = (struct http_guard){.tls = give, .admit = admit, .decide = decide, .ctx = p};
    http_fixture_options(&p->f, &p->http);
    p->http.guard = &p->guard;
}

static void start_place(struct place *p)
{
    p->now = make(&p->tls);
    http_fixture_start(&p->f, &p->http);
}

static void close_place(struct place *p)
{
    http_fixture_stop(&p->f);
    tls_server_unref(p->now);
    tls_identity_deinit(&p->ca);
    tls_identity_deinit(&p->server);
    tls_identity_deinit(&p->client);
    tls_identity_deinit(&p->stranger);
}

/* Whether a client that shows `own` gets an answer.  With TLS 1.3 a refusal shows only after the handshake. */
static bool served(struct place *p, const struct tls_identity *own)
{
    struct tls_client c;
    char text[64] = "";
    bool open = tls_client_open(&c, p->f.port, &p->ca, own);
    size_t n = open ? tls_client_ask(&c, "GET /hello HTTP/1.0\r\n\r\n", text, sizeof text - 1) : 0;
    tls_client_close(&c);
    return n > 15 && !memcmp(text, "HTTP/1.1 200 OK", 15);
}

Test(http_tls, requests_are_answered_one_after_the_other_and_the_connection_is_kept)
{
    struct place p;
    struct tls_client c;
    char text[4096];
    open_place(&p);
    start_place(&p);
    cr_assert(tls_client_open(&c, p.f.port, &p.ca, NULL));
    for (int i = 0; i < 3; i++) {
        size_t n = tls_client_ask(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", text, 16);
        cr_assert_eq(n, 16);
        char *body = NULL;
        while (!body && n < sizeof text - 1) {
            n += (size_t)SSL_read(c.ssl, text + n, (int)(sizeof text - 1 - n));
            text[n] = '\0';
            body = strstr(text, "\r\n\r\nhello");
        }
        cr_assert(body);
    }
    tls_client_close(&c);
    cr_assert_eq(atomic_load(&http_server_stats(p.f.server)->tls_handshakes), 1);
    close_place(&p);
}

Test(http_tls, a_large_answer_arrives_whole_from_loops_and_workers)
{
    static const char *const paths[] = {"/fixed", "/worker", "/stream"};
    enum { BYTES = 3 << 20 };
    struct place p;
    char *text = mem_alloc(BYTES + 4096), ask[128];
    open_place(&p);
    start_place(&p);
    for (int i = 0; i < 3; i++) {
        struct tls_client c;
        cr_assert(tls_client_open(&c, p.f.port, &p.ca, NULL));
        snprintf(ask, sizeof ask, "GET %s?bytes=%d HTTP/1.0\r\n\r\n", paths[i], BYTES);
        size_t n = tls_client_ask(&c, ask, text, BYTES + 4096);
        const char *body = memmem(text, n, "\r\n\r\n", 4);
        cr_assert(body && n - (size_t)(body + 4 - text) == BYTES, "%s: %zu bytes", paths[i], n);
        cr_assert(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, "%s: no close_notify", paths[i]);
        for (size_t k = 0; k < BYTES; k += 997)
            cr_assert_eq(body[4 + k], (char)('a' + (k / 7 + k / 1000) % 26));
        tls_client_close(&c);
    }
    mem_free(text);
    close_place(&p);
}

Test(http_tls, a_large_body_and_pipelined_requests_wait_where_there_is_no_room)
{
    enum { BYTES = 2 << 20, REQUESTS = 3000 };
    struct place p;
    struct tls_client c;
    open_place(&p);
    start_place(&p);
    char *text = mem_alloc(BYTES + 4096);
    int head = snprintf(text, 256, "POST /deferred HTTP/1.0\r\nContent-Length: %d\r\n\r\n", BYTES);
    memset(text + head, 'x', BYTES);
    text[head + BYTES] = '\0';
    cr_assert(tls_client_open(&c, p.f.port, &p.ca, NULL));
    size_t n = tls_client_ask(&c, text, text, BYTES + 4096);
    cr_assert_gt(n, BYTES);
    tls_client_close(&c);

    struct buf many = {0};
    for (int i = 0; i < REQUESTS; i++)
        buf_printf(&many, "GET /label/%07d/values HTTP/1.%d\r\nHost: a\r\n\r\n", i, i < REQUESTS - 1);
    cr_assert(tls_client_open(&c, p.f.port, &p.ca, NULL));
    n = tls_client_ask(&c, buf_cstr(&many), text, BYTES);
    text[n] = '\0';
    const char *at = text;
    for (int i = 0; i < REQUESTS; i++) {
        char want[16];
        snprintf(want, sizeof want, "\r\n\r\n%07d", i);
        at = strstr(at, want);
        cr_assert(at, "answer %d is missing", i);
    }
    tls_client_close(&c);
    buf_deinit(&many);
    mem_free(text);
    close_place(&p);
}

Test(http_tls, bytes_may_come_one_at_a_time)
{
    struct place p;
    open_place(&p);
    start_place(&p);
    struct http_client plain;
    cr_assert(http_client_open(&plain, p.f.port));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    bool asked = false, answered = false;
    for (int round = 0; round < 2000 && !answered; round++) {
        char byte, text[512];
        if (!asked && SSL_do_handshake(ssl) == 1) {
            SSL_write(ssl, "GET /hello HTTP/1.0\r\n\r\n", 23);
            asked = true;
        }
        while (BIO_read(out, &byte, 1) == 1)
            cr_assert(http_client_send(&plain, &byte, 1));
        struct buf got = {0};
        http_client_drain(&plain, 1, &got);
        if (got.len)
            BIO_write(in, got.data, (int)got.len);
        buf_deinit(&got);
        int n = SSL_read(ssl, text, sizeof text);
        answered = n > 15 && !memcmp(text, "HTTP/1.1 200 OK", 15);
    }
    cr_assert(answered);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    http_client_close(&plain);
    close_place(&p);
}

Test(http_tls, plain_http_is_told_where_it_is_and_noise_gets_an_alert)
{
    struct place p;
    struct http_client c;
    struct buf got = {0};
    open_place(&p);
    start_place(&p);
    cr_assert(http_client_open(&c, p.f.port));
    cr_assert(http_client_text(&c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    http_client_drain(&c, 2000, &got);
    cr_assert(strstr(buf_cstr(&got), "Client sent an HTTP request to an HTTPS server."));
    http_client_close(&c);
    buf_reset(&got);
    cr_assert(http_client_open(&c, p.f.port));
    cr_assert(http_client_send(&c, "\x16\x03\x01\x00\x05hello", 10));
    http_client_drain(&c, 2000, &got);
    cr_assert(got.len == 7 && got.data[0] == 0x15, "an alert, then the end; got %zu bytes", got.len);
    http_client_close(&c);
    buf_deinit(&got);
    cr_assert_eq(atomic_load(&http_server_stats(p.f.server)->tls_handshakes_failed), 1);
    close_place(&p);
}

Test(http_tls, a_handshake_that_takes_too_long_is_cut_off)
{
    struct place p;
    struct http_client c;
    open_place(&p);
    p.http.head_timeout_ms = 100;
    start_place(&p);
    cr_assert(http_client_open(&c, p.f.port));
    cr_assert(http_client_send(&c, "\x16\x03\x01", 3));
    cr_assert(http_client_at_end(&c));
    http_client_close(&c);
    close_place(&p);
}

Test(http_tls, clients_are_let_in_by_their_certificates)
{
    static const char *const names[] = {"other.example", "writer.example"}, *const uri[] = {"spiffe://a/b"},
                             *const address[] = {"10.0.0.7"}, *const other[] = {"other.example"};
    static const struct {
        enum tls_client_auth auth;
        const char *const *names;
        size_t count;
        bool none, client, stranger;
    } rows[] = {
        {TLS_CLIENT_NONE, NULL, 0, true, true, true},       {TLS_CLIENT_REQUEST, NULL, 0, true, true, true},
        {TLS_CLIENT_ANY, NULL, 0, false, true, true},       {TLS_CLIENT_VERIFY_IF_GIVEN, NULL, 0, true, true, false},
        {TLS_CLIENT_VERIFY, NULL, 0, false, true, false},   {TLS_CLIENT_VERIFY, names, 2, false, true, false},
        {TLS_CLIENT_VERIFY, uri, 1, false, true, false},    {TLS_CLIENT_VERIFY, address, 1, false, true, false},
        {TLS_CLIENT_VERIFY, other, 1, false, false, false}, {TLS_CLIENT_ANY, other, 1, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place p;
        open_place(&p);
        p.tls.client_auth = rows[i].auth;
        p.tls.client_names = rows[i].names;
        p.tls.client_name_count = rows[i].count;
        p.tls.client_ca_pem = buf_view(&p.ca.certificate_pem);
        start_place(&p);
        cr_expect_eq(served(&p, NULL), rows[i].none, "row %zu without a certificate", i);
        cr_expect_eq(served(&p, &p.client), rows[i].client, "row %zu with a good one", i);
        cr_expect_eq(served(&p, &p.stranger), rows[i].stranger, "row %zu with a stranger's", i);
        close_place(&p);
    }
}

Test(http_tls, a_new_certificate_is_given_to_new_connections_and_old_ones_go_on)
{
    struct place p;
    struct tls_client before;
    struct tls_identity ca, fresh;
    char text[16];
    open_place(&p);
    start_place(&p);
    cr_assert(tls_client_open(&before, p.f.port, &p.ca, NULL));
    tls_identity_make(&ca, "Next CA", NULL, NULL, 3600);
    tls_identity_make(&fresh, "localhost", "DNS:localhost", &ca, 7200);
    struct tls_options next = p.tls;
    next.certificate_pem = buf_view(&fresh.certificate_pem);
    next.key_pem = buf_view(&fresh.key_pem);
    struct tls_server *old = p.now;
    p.now = make(&next);
    cr_assert_gt(tls_server_expires(p.now), tls_server_expires(old));
    tls_server_unref(old);
    cr_assert_not(served(&p, NULL), "the old authority does not vouch for the new one");
    p.ca = (tls_identity_deinit(&p.ca), ca);
    cr_assert(served(&p, NULL));
    cr_assert_eq(tls_client_ask(&before, "GET /hello HTTP/1.0\r\n\r\n", text, 15), 15);
    tls_client_close(&before);
    tls_identity_deinit(&fresh);
    close_place(&p);
}

Test(http_tls, what_cannot_be_used_is_refused_with_a_reason)
{
    struct place p;
    struct tls_server *s;
    struct errmsg why = {0};
    open_place(&p);
    struct tls_options o = p.tls;
    o.key_pem = buf_view(&p.client.key_pem);
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "does not fit"), "%s", why.text);
    o = p.tls;
    o.certificate_pem = SLICE_LIT("no pem");
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "no certificate"), "%s", why.text);
    o.certificate_pem = (struct slice){0};
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "empty"), "%s", why.text);
    o = p.tls;
    o.ciphers = "NO-SUCH-CIPHER";
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "cipher"), "%s", why.text);
    o = p.tls;
    o.version_min = TLS_VERSION_13;
    o.version_max = TLS_VERSION_12;
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "version"), "%s", why.text);
    o = p.tls;
    o.client_auth = TLS_CLIENT_VERIFY;
    o.client_ca_pem = SLICE_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    cr_expect(tls_server_new(&o, &s, &why) == ERR_INVALID && strstr(why.text, "authority"), "%s", why.text);
    start_place(&p);
    close_place(&p);
}

Test(http_guard, refuses_before_a_body_is_read_and_may_take_its_time)
{
    struct place p;
    struct http_reply reply;
    open_place(&p);
    p.now = NULL;
    p.guard.tls = NULL;
    http_fixture_start(&p.f, &p.http);
    cr_expect_eq(http_client_once(p.f.port,
                                  "POST /echo HTTP/1.1\r\nHost: a\r\nX-Who: stranger\r\nContent-Length: 9999\r\n\r\n",
                                  &reply),
                 401);
    cr_expect(reply.close);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Who: stranger\r\n\r\n", &reply), 401);
    cr_expect_not(reply.close);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Who: stranger\r\n\r\n", &reply),
                 401);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port,
                                  "POST /echo HTTP/1.1\r\nHost: a\r\nX-Who: slow\r\nContent-Length: 5\r\n\r\nhello",
                                  &reply),
                 200);
    cr_expect(slice_eq_str(buf_view(&reply.body), "hello"));
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET /worker?bytes=9 HTTP/1.1\r\nHost: a\r\nX-Who: slow\r\n\r\n", &reply),
                 200);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Who: slow\r\n\r\n", &reply), 404);
    http_reply_deinit(&reply);
    cr_expect_eq(http_client_once(p.f.port, "GET /label/no/values HTTP/1.1\r\nHost: a\r\nX-Who: slow\r\n\r\n", &reply),
                 401);
    http_reply_deinit(&reply);
    close_place(&p);
}
