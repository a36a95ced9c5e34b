/* The whole server over real sockets: clients that are slow, gone, greedy or broken, and shutdown. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/lock.h"
#include "lib/http_client.h"
#include "lib/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static int64_t now_ms(void)
{
    return clock_mono_ns(clock_system()) / 1000000;
}

static void sleep_ms(int64_t ms)
{
    clock_system()->sleep_ns(clock_system(), ms * 1000000);
}

/* Closes so that the server sees a reset, not an orderly end. */
static void reset(struct http_client *c)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    http_client_close(c);
}

/* Waits, as long as a machine under load may need. */
#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        for (int wait_ = 0; wait_ < CLIENT_TIMEOUT_MS && !(condition); wait_++)                                        \
            sleep_ms(1);                                                                                               \
        cr_assert(condition);                                                                                          \
    } while (0)
#define STAT(f, name) atomic_load(&http_server_stats((f).server)->name)

static void open_and_send(struct http_client *c, const struct http_fixture *f, const char *text)
{
    cr_assert(http_client_open(c, f->port));
    cr_assert(http_client_text(c, text));
}

static void expect_healthy(const struct http_fixture *f)
{
    struct http_reply r;
    cr_expect_eq(http_client_once(f->port, GET("/hello"), &r), 200);
    http_reply_deinit(&r);
}

/* Expects this status and then the end of the connection. */
static void expect_refusal(struct http_client *c, int status)
{
    struct http_reply r;
    cr_assert(http_client_reply(c, false, &r), "no answer, %d expected", status);
    cr_expect_eq(r.status, status, "%d instead of %d", r.status, status);
    cr_expect(r.close);
    cr_expect(http_client_at_end(c));
    http_reply_deinit(&r);
    http_client_close(c);
}

Test(http_hostile, refuses_and_closes)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "\x16\x03\x01\x02"},
        {400, "GET /hello HTTP/1.1\r\n\r\n"},
        {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {505, "GET /hello HTTP/3.0\r\n\r\n"},
        {405, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
        {413, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n"},
        {413, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"},
        {413, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n"},
        {404, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"},
        {417, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: banana\r\n\r\n"},
    };
    struct http_fixture f;
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_client c;
        open_and_send(&c, &f, cases[i].text);
        expect_refusal(&c, cases[i].status);
    }
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, gets_a_refusal_to_a_client_that_is_still_sending)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    static char junk[300000];
    http_fixture_start(&f, NULL);
    for (int i = 0; i < 20; i++) {
        open_and_send(&c, &f, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
        http_client_send(&c, junk, sizeof junk); /* may fail: the server need not take it */
        cr_assert(http_client_reply(&c, false, &r), "the answer got lost in a reset");
        cr_expect_eq(r.status, 413);
        http_reply_deinit(&r);
        http_client_close(&c);
    }
    http_fixture_stop(&f);
}

Test(http_hostile, bounds_the_head)
{
    struct http_fixture f;
    struct http_client c;
    struct buf in = {0};
    http_fixture_start(&f, NULL);
    buf_str(&in, "GET /");
    while (in.len < 65536)
        buf_str(&in, "aaaaaaaaaaaaaaaa");
    open_and_send(&c, &f, "");
    http_client_send(&c, in.data, in.len);
    expect_refusal(&c, 414);
    buf_reset(&in);
    buf_str(&in, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    while (in.len < 33 << 10)
        buf_str(&in, "aaaaaaaaaaaaaaaa");
    open_and_send(&c, &f, "");
    http_client_send(&c, in.data, in.len);
    expect_refusal(&c, 431);
    buf_deinit(&in);
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, drops_a_request_that_ends_early_without_running_it)
{
    struct http_fixture f;
    struct http_client c;
    http_fixture_start(&f, NULL);
    open_and_send(&c, &f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    shutdown(c.fd, SHUT_WR);
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    open_and_send(&c, &f, "");
    shutdown(c.fd, SHUT_WR);
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->requests), 0);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->requests_bad), 1, "an empty connection is no request");
    http_fixture_stop(&f);
}

Test(http_hostile, answers_what_was_complete_before_the_client_ended_its_side)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    open_and_send(&c, &f, GET("/hello") GET("/fixed?bytes=200000") GET("/hello"));
    shutdown(c.fd, SHUT_WR);
    for (int i = 0; i < 3; i++) {
        cr_assert(http_client_reply(&c, false, &r));
        cr_expect_eq(r.body.len, i == 1 ? 200000u : 5u);
        http_reply_deinit(&r);
    }
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_hostile, times_out_slow_heads_bodies_and_idle_connections)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client head, body, idle, partial;
    http_fixture_options(&f, &o);
    o.head_timeout_ms = 100;
    o.read_timeout_ms = 200;
    o.idle_timeout_ms = 300;
    http_fixture_start(&f, &o);
    open_and_send(&head, &f, "GET /hello HT");
    open_and_send(&body, &f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    open_and_send(&idle, &f, "");
    open_and_send(&partial, &f, GET("/hello") "GET");
    expect_refusal(&head, 408);
    expect_refusal(&body, 408);
    struct http_reply r;
    cr_assert(http_client_reply(&partial, false, &r));
    http_reply_deinit(&r);
    expect_refusal(&partial, 408);
    cr_expect(http_client_at_end(&idle));
    http_client_close(&idle);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->timeouts), 3);
    http_fixture_stop(&f);
}

Test(http_hostile, applies_the_minimum_rate_after_the_grace_time)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c;
    struct clock_fake clock;
    clock_fake_init(&clock, 1000000);
    http_fixture_options(&f, &o);
    o.clock = &clock.base;
    o.head_timeout_ms = 40;
    o.stop_timeout_ms = 0;
    http_fixture_start(&f, &o);
    open_and_send(&c, &f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc");
    AWAIT(STAT(f, bytes_in) == strlen("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc"));
    clock_fake_advance(&clock, 9900);
    uint64_t before = STAT(f, bytes_in);
    cr_assert(http_client_text(&c, "still in the grace time"));
    AWAIT(STAT(f, bytes_in) > before);
    sleep_ms(50);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->timeouts), 0);
    clock_fake_advance(&clock, 1000);
    expect_refusal(&c, 408);
    http_server_stop(f.server);
    http_fixture_stop(&f);
}

Test(http_hostile, cancels_the_work_of_a_client_that_went_away)
{
    struct http_fixture f;
    struct http_client c;
    http_fixture_start(&f, NULL);
    for (int i = 0; i < 4; i++) {
        open_and_send(&c, &f, GET("/block"));
        cr_assert(http_fixture_wait(&f.blocked, i + 1));
        if (i % 2)
            reset(&c);
        else
            http_client_close(&c);
        cr_expect(http_fixture_wait(&f.canceled, i + 1)); /* nothing else would end it */
        cr_assert(http_fixture_wait(&f.answered, i + 1));
        cr_expect(atomic_load(&f.last_status) == 499 || i % 2 == 0);
    }
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, keeps_the_memory_of_a_parked_request_whose_client_went_away)
{
    enum { COUNT = 20 };
    struct http_fixture f;
    struct http_client c[COUNT];
    http_fixture_start(&f, NULL);
    for (int i = 0; i < COUNT; i++) {
        open_and_send(&c[i], &f, GET("/park"));
        cr_assert(http_fixture_wait(&f.parked, i + 1));
    }
    for (int i = 0; i < COUNT; i++)
        reset(&c[i]);
    AWAIT(STAT(f, connections_open) == 0);
    http_fixture_wake(&f);
    cr_expect(http_fixture_wait(&f.answered, COUNT));
    cr_expect_eq(atomic_load(&f.canceled), COUNT);
    cr_expect_eq(atomic_load(&f.last_status), 499);
    http_fixture_stop(&f);
}

Test(http_hostile, holds_a_streaming_worker_while_the_client_does_not_read)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    open_and_send(&c, &f, GET("/stream?bytes=50000000"));
    AWAIT(STAT(f, deferred_running) == 1);
    sleep_ms(300);
    cr_expect_eq(STAT(f, deferred_running), 1, "still writing");
    cr_expect_leq(atomic_load(&f.budget.peak), 2 << 20, "peak %ld", (long)atomic_load(&f.budget.peak));
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect_eq(r.body.len, 50000000);
    cr_expect_leq(atomic_load(&f.budget.peak), 2 << 20, "peak %ld", (long)atomic_load(&f.budget.peak));
    http_reply_deinit(&r);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_hostile, many_clients_that_do_not_read_hold_up_no_other)
{
    enum { SLOW = 40 };
    struct http_fixture f;
    struct http_options o;
    struct http_client slow[SLOW];
    struct http_reply r;
    http_fixture_options(&f, &o);
    o.workers = 1;
    http_fixture_start(&f, &o);
    for (int i = 0; i < SLOW; i++)
        open_and_send(&slow[i], &f, GET("/stream?bytes=20000000"));
    for (int i = 0; i < 20; i++) {
        struct http_client c;
        open_and_send(&c, &f, GET("/worker"));
        cr_assert(http_client_reply(&c, false, &r)); /* while none of the slow ones reads */
        cr_expect_eq(r.status, 200);
        http_reply_deinit(&r);
        http_client_close(&c);
    }
    for (int i = 0; i < SLOW; i++) {
        if (i % 2) {
            reset(&slow[i]);
            continue;
        }
        cr_assert(http_client_reply(&slow[i], false, &r));
        cr_expect_eq(r.body.len, 20000000);
        http_reply_deinit(&r);
        http_client_close(&slow[i]);
    }
    http_fixture_stop(&f);
}

Test(http_hostile, fails_the_writes_of_a_stream_whose_client_went_away_or_stopped_reading)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c;
    http_fixture_options(&f, &o);
    o.write_timeout_ms = 300;
    http_fixture_start(&f, &o);
    open_and_send(&c, &f, GET("/stream?bytes=50000000"));
    sleep_ms(50);
    reset(&c);
    cr_expect(http_fixture_wait(&f.write_failed, 1));
    uint64_t timeouts = STAT(f, timeouts);
    int64_t begin = now_ms();
    open_and_send(&c, &f, GET("/stream?bytes=50000000"));
    cr_expect(http_fixture_wait(&f.write_failed, 2));
    cr_expect(now_ms() - begin >= 250, "after %ld ms", (long)(now_ms() - begin));
    cr_expect_eq(STAT(f, timeouts), timeouts + 1);
    http_client_close(&c);
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, breaks_the_body_of_an_aborted_answer)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    open_and_send(&c, &f, GET("/abort"));
    cr_expect_not(http_client_reply(&c, false, &r), "no last chunk");
    cr_expect_eq(r.status, 200);
    cr_expect_gt(r.body.len, 60000);
    cr_expect(http_fixture_wait(&f.answered, 1) && atomic_load(&f.last_status) == 500);
    http_reply_deinit(&r);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_hostile, says_503_when_the_worker_queue_is_full)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c[5];
    struct http_reply r;
    http_fixture_options(&f, &o);
    o.workers = 1;
    o.worker_queue_max = 2;
    http_fixture_start(&f, &o);
    for (int i = 0; i < 5; i++) {
        open_and_send(&c[i], &f, GET("/block"));
        if (i == 0)
            cr_assert(http_fixture_wait(&f.blocked, 1));
        while (i > 0 && i < 3 && atomic_load(&http_server_stats(f.server)->deferred_waiting) < (unsigned)i)
            sleep_ms(1);
    }
    for (int i = 3; i < 5; i++) {
        cr_assert(http_client_reply(&c[i], false, &r));
        cr_expect_eq(r.status, 503);
        cr_expect(slice_eq_str(http_reply_field(&r, "Retry-After"), "1"));
        http_reply_deinit(&r);
    }
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->deferred_refused), 2);
    http_client_close(
        &c[1]); /* leaves while it waits: its work does not run, unless this machine is too slow to see it go */
    sleep_ms(20);
    atomic_store(&f.release, 1);
    for (int i = 0; i < 3; i += 2) {
        cr_assert(http_client_reply(&c[i], false, &r));
        cr_expect_eq(r.status, 200);
        http_reply_deinit(&r);
    }
    cr_expect(atomic_load(&f.blocked) == 2 || atomic_load(&f.blocked) == 3);
    for (int i = 0; i < 5; i++)
        if (i != 1)
            http_client_close(&c[i]);
    http_fixture_stop(&f);
}

Test(http_hostile, turns_connections_away_past_the_limit)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c[4];
    struct http_reply r;
    http_fixture_options(&f, &o);
    o.connections_max = 3;
    http_fixture_start(&f, &o);
    for (int i = 0; i < 3; i++) {
        open_and_send(&c[i], &f, GET("/hello"));
        cr_assert(http_client_reply(&c[i], false, &r));
        http_reply_deinit(&r);
    }
    cr_assert(http_client_open(&c[3], f.port));
    expect_refusal(&c[3], 503);
    http_client_close(&c[0]);
    AWAIT(STAT(f, connections_open) < 3);
    expect_healthy(&f);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->connections_refused), 1);
    for (int i = 1; i < 3; i++)
        http_client_close(&c[i]);
    http_fixture_stop(&f);
}

Test(http_hostile, survives_running_out_of_file_descriptors)
{
    struct http_fixture f;
    struct http_client c[64];
    struct rlimit before, few;
    http_fixture_start(&f, NULL);
    getrlimit(RLIMIT_NOFILE, &before);
    int opened = 0, next = dup(0);
    close(next);
    few = (struct rlimit){.rlim_cur = (rlim_t)next + 21, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    while (opened < 64 && http_client_open(&c[opened], f.port))
        opened++; /* server and client share the limit, so the last ones find no descriptor on the server's side */
    AWAIT(STAT(f, connections_refused) > 0);
    for (int i = 0; i < opened; i++)
        http_client_close(&c[i]);
    setrlimit(RLIMIT_NOFILE, &before);
    AWAIT(STAT(f, connections_open) == 0);
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, stays_within_the_memory_budget)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c[6];
    struct http_reply r;
    static char junk[2 << 20];
    http_fixture_options(&f, &o);
    f.budget.limit = 6 << 20;
    http_fixture_start(&f, &o);
    int refused = 0;
    for (int i = 0; i < 6; i++) {
        open_and_send(&c[i], &f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n");
        http_client_send(&c[i], junk, sizeof junk);
    }
    for (int i = 0; i < 5000 && atomic_load(&f.budget.peak) < 5 << 20; i++)
        sleep_ms(1); /* until some hold what they sent */
    for (int i = 0; i < 6; i++) {
        http_client_send(&c[i], junk, 4000000 - sizeof junk);
        if (http_client_reply(&c[i], false, &r))
            refused += r.status == 503;
        http_reply_deinit(&r);
        http_client_close(&c[i]);
    }
    cr_expect_gt(refused, 0);
    cr_expect_leq(atomic_load(&f.budget.peak), 7 << 20);
    expect_healthy(&f);
    http_fixture_stop(&f);
}

Test(http_hostile, gives_the_memory_of_idle_connections_back)
{
    struct http_fixture f;
    struct http_client c[20];
    struct http_reply r;
    http_fixture_start(&f, NULL);
    for (int i = 0; i < 20; i++) {
        open_and_send(&c[i], &f, GET("/hello"));
        cr_assert(http_client_reply(&c[i], false, &r));
        http_reply_deinit(&r);
    }
    cr_expect_geq(atomic_load(&f.budget.used), 20 * 65536);
    AWAIT(atomic_load(&f.budget.used) == 0);
    for (int i = 0; i < 20; i++) {
        cr_assert(http_client_text(&c[i], GET("/hello")) && http_client_reply(&c[i], false, &r));
        http_reply_deinit(&r);
        http_client_close(&c[i]);
    }
    http_fixture_stop(&f);
}

Test(http_hostile, bounds_what_a_client_pipelines_while_it_waits)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c;
    struct buf in = {0};
    http_fixture_options(&f, &o);
    o.pipeline_bytes_max = 5000;
    http_fixture_start(&f, &o);
    buf_str(&in, GET("/park"));
    while (in.len < 1 << 20)
        buf_str(&in, GET("/hello"));
    open_and_send(&c, &f, "");
    cr_assert(http_client_send(&c, in.data, 200000));
    cr_assert(http_fixture_wait(&f.parked, 1));
    sleep_ms(50);
    cr_expect_leq(atomic_load(&http_server_stats(f.server)->bytes_in), 65536 + 5000);
    http_fixture_wake(&f);
    cr_expect(http_fixture_wait(&f.answered, 4000));
    http_client_close(&c);
    buf_deinit(&in);
    http_fixture_stop(&f);
}

Test(http_hostile, answers_or_closes_whichever_allocation_fails)
{
    struct http_fixture f;
    static char body[200000];
    bool failed = true;
    http_fixture_start(&f, NULL);
    for (uint64_t n = 1; failed; n++) {
        struct http_client c;
        struct http_reply r;
        cr_assert(http_client_open(&c, f.port));
        cr_assert(n < 100, "still failing");
        mem_fail_after(n, false);
        bool whole = http_client_text(&c, "POST /deferred HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n") &&
                     http_client_send(&c, body, sizeof body);
        sleep_ms(20);
        failed = mem_fail_after(0, false) >= n;
        r = (struct http_reply){0};
        if (whole && http_client_reply(&c, false, &r))
            cr_expect(r.status == 503 || r.body.len == sizeof body, "%d after failure %d", r.status, (int)n);
        cr_expect(failed || r.status == 200);
        http_reply_deinit(&r);
        http_client_close(&c);
    }
    expect_healthy(&f);
    http_fixture_stop(&f);
}

/* ---- shutdown ---- */

static void *stop_run(void *arg)
{
    struct http_fixture *f = arg;
    http_server_stop(f->server);
    return NULL;
}

Test(http_hostile, lets_running_requests_finish_when_it_stops)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client worker, parked, body, idle;
    struct http_reply r;
    http_fixture_options(&f, &o);
    o.stop_timeout_ms = CLIENT_TIMEOUT_MS;
    http_fixture_start(&f, &o);
    open_and_send(&worker, &f, GET("/block") GET("/hello"));
    open_and_send(&parked, &f, GET("/park"));
    open_and_send(&body, &f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
    open_and_send(&idle, &f, "");
    cr_assert(http_fixture_wait(&f.blocked, 1) && http_fixture_wait(&f.parked, 1));
    AWAIT(STAT(f, connections_open) == 4 &&
          STAT(f, bytes_in) == strlen(GET("/block") GET("/hello")
                                          GET("/park") "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"));
    pthread_t stop = thread_start("stop", stop_run, &f);
    cr_expect(http_client_at_end(&idle));
    cr_assert(http_client_text(&body, "bc"));
    cr_assert(http_client_reply(&body, false, &r));
    cr_expect(r.status == 200 && r.close && slice_eq_str(buf_view(&r.body), "abc"));
    http_reply_deinit(&r);
    struct http_client late;
    cr_expect_not(http_client_open(&late, f.port), "no longer accepting");
    atomic_store(&f.release, 1);
    http_fixture_wake(&f);
    cr_assert(http_client_reply(&worker, false, &r));
    cr_expect(r.status == 200 && r.close && slice_eq_str(buf_view(&r.body), "released"));
    http_reply_deinit(&r);
    cr_assert(http_client_reply(&parked, false, &r));
    cr_expect(r.status == 200 && slice_eq_str(buf_view(&r.body), "woken"));
    http_reply_deinit(&r);
    pthread_join(stop, NULL);
    http_client_close(&worker);
    http_client_close(&parked);
    http_client_close(&body);
    http_client_close(&idle);
    http_fixture_stop(&f);
}

Test(http_hostile, cancels_what_does_not_finish_in_time)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c, half;
    http_fixture_options(&f, &o);
    o.stop_timeout_ms = 100;
    http_fixture_start(&f, &o);
    open_and_send(&c, &f, GET("/block"));
    open_and_send(&half, &f, "GET /hello HT");
    cr_assert(http_fixture_wait(&f.blocked, 1));
    http_fixture_stop(&f);
    cr_expect_eq(atomic_load(&f.canceled), 1);
    http_client_close(&c);
    http_client_close(&half);
}

Test(http_hostile, leaves_a_request_behind_that_nobody_wakes)
{
    static struct http_fixture f;
    struct http_options o;
    struct http_client c;
    http_fixture_options(&f, &o);
    o.stop_timeout_ms = 50;
    http_fixture_start(&f, &o);
    open_and_send(&c, &f, GET("/park"));
    cr_assert(http_fixture_wait(&f.parked, 1));
    http_server_free(f.server);
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    http_fixture_wake(&f); /* too late, but harmless */
}

Test(http_hostile, explains_a_bad_or_taken_address)
{
    struct http_fixture f, g;
    struct http_options o;
    struct http_server *s;
    struct errmsg why;
    char taken[64];
    http_fixture_start(&f, NULL);
    http_fixture_options(&g, &o);
    static const char *const bad[] = {"",
                                      "localhost",
                                      "127.0.0.1",
                                      "::1:80",
                                      "x:y",
                                      "1.2.3.4:99999",
                                      "127.0.0.1:0,"
                                      "nonsense"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.listen_address = bad[i];
        cr_assert_eq(http_server_new(&o, &s, &why), ERR_OK);
        cr_expect_neq(http_server_start(s, &why), ERR_OK, "%s", bad[i]);
        cr_expect(why.text[0]);
        http_server_free(s);
    }
    snprintf(taken, sizeof taken, "127.0.0.1:%u", f.port);
    o.listen_address = taken;
    cr_assert_eq(http_server_new(&o, &s, &why), ERR_OK);
    cr_expect_neq(http_server_start(s, &why), ERR_OK);
    cr_expect(strstr(why.text, "in use"), "%s", why.text);
    http_server_free(s);
    static const char *const good[] = {":0", "[::1]:0", "localhost:0", "127.0.0.1:0,127.0.0.1:0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        o.listen_address = good[i];
        cr_assert_eq(http_server_new(&o, &s, &why), ERR_OK);
        if (http_server_start(s, &why) != ERR_OK)
            cr_expect_eq(i, 1, "%s: %s", good[i], why.text); /* a machine may have no IPv6 */
        else
            cr_expect_gt(http_server_port(s), 0);
        http_server_free(s);
    }
    http_fixture_stop(&f);
}
