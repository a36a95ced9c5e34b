/* Remote write over HTTP into a head with a log on a simulated disk: statuses, and when they come. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/fs_sim.h"
#include "lib/rw_body.h"
#include "unit/api/api_fixture.h"
#include "wal/wal.h"

struct writer {
    struct api_fixture f;
    struct fs_sim *sim;
    struct random_seeded random;
    struct head *head;
    struct wal *wal;
    struct ingest *ingest;
    struct rw_body body;
};

static void writer_open(struct writer *w, const char *const *settings)
{
    struct head_options ho;
    struct wal_options wo;
    struct ingest_options io;
    struct errmsg why = {0};
    memset(w, 0, sizeof *w);
    api_fixture_open(&w->f, settings);
    w->sim = fs_sim_new();
    random_seeded_init(&w->random, 1);
    head_options_default(&ho);
    ho.random = &w->random.base;
    cr_assert_eq(head_new(&ho, &w->head, &why), ERR_OK, "%s", why.text);
    wal_options_default(&wo);
    wo.fs = fs_sim_fs(w->sim);
    wo.clock = clock_system();
    wo.dir = "wal";
    wo.id = 1;
    wo.segment_bytes = 1 << 20;
    wo.probe_ms = 5;
    cr_assert_eq(wal_open(&wo, &w->wal, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(wal_start(w->wal, 1, 0, &why), ERR_OK, "%s", why.text);
    ingest_options_default(&io);
    io.head = w->head;
    io.wal = w->wal;
    io.clock = &w->f.clock;
    io.lanes = http_server_loops(w->f.server) + API_EXTRA_LANES;
    io.retention_ms = INT64_C(86400000);
    cr_assert_eq(ingest_new(&io, &w->ingest, &why), ERR_OK, "%s", why.text);
    api_set_ingest(w->f.api, w->ingest);
}

static void writer_close(struct writer *w)
{
    struct errmsg why;
    http_server_stop(w->f.server); /* nobody waits for the log any more */
    ingest_free(w->ingest);
    wal_close(w->wal, &why);
    head_free(w->head);
    fs_sim_free(w->sim);
    rw_body_deinit(&w->body);
    api_fixture_close(&w->f);
}

static void send_raw(struct writer *w, struct http_client *c, struct slice body)
{
    char head[256];
    snprintf(head, sizeof head,
             "POST /api/v1/write HTTP/1.1\r\nHost: t\r\nContent-Encoding: snappy\r\n"
             "Content-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
             "Content-Length: %zu\r\n\r\n",
             body.len);
    cr_assert(c->fd > 0 || http_client_open(c, w->f.port));
    cr_assert(http_client_text(c, head) && http_client_send(c, body.data, body.len));
}

static void expect_answer(struct http_client *c, int status, const char *text)
{
    struct http_reply reply;
    cr_assert(http_client_reply(c, false, &reply));
    cr_expect_eq(reply.status, status, "%d instead of %d: %s", reply.status, status, buf_cstr(&reply.body));
    cr_expect(strstr(buf_cstr(&reply.body), text), "no \"%s\" in %s", text, buf_cstr(&reply.body));
    cr_expect_eq(status == 503, http_reply_field(&reply, "Retry-After").len > 0);
    http_reply_deinit(&reply);
}

static void expect_write(struct writer *w, struct slice body, int status, const char *text)
{
    struct http_client c = {.fd = -1};
    send_raw(w, &c, body);
    expect_answer(&c, status, text);
    http_client_close(&c);
}

Test(api_write, is_answered_204_once_the_log_has_it)
{
    struct writer w;
    writer_open(&w, NULL);
    rw_series(&w.body, "__name__=up|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS, 1);
    uint64_t synced = fs_sim_calls(w.sim, FS_SIM_SYNC);
    expect_write(&w, rw_finish_snappy(&w.body), 204, "");
    cr_expect_gt(fs_sim_calls(w.sim, FS_SIM_SYNC), synced);
    struct head_stats s;
    head_stats(w.head, &s);
    cr_expect_eq(s.samples, 1);
    writer_close(&w);
}

/* A body of `series` new series that decodes to more than the loops take. */
static struct slice large_body(struct writer *w, int first, int series)
{
    char labels[256];
    for (int i = first; i < first + series; i++) {
        snprintf(labels, sizeof labels, "__name__=large|i=%08d|padding=%0150d", i, i);
        rw_series(&w->body, labels);
        rw_sample(&w->body, FIXTURE_NOW_MS, i);
    }
    return rw_finish_snappy(&w->body);
}

Test(api_write, large_bodies_go_another_way_and_are_answered_the_same)
{
    enum { SERIES = 15000, CLIENTS = 5 };
    struct writer w;
    struct http_client c[CLIENTS] = {{0}};
    writer_open(&w, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        c[i].fd = -1;
        send_raw(&w, &c[i], large_body(&w, i * SERIES, SERIES));
    }
    rw_series(&w.body, "__name__=up|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS, 1);
    expect_write(&w, rw_finish_snappy(&w.body), 204, "");
    for (int i = 0; i < CLIENTS; i++)
        expect_answer(&c[i], 204, "");
    struct head_stats s;
    head_stats(w.head, &s);
    cr_expect_eq(s.samples, SERIES * CLIENTS + 1);
    /* Broken ones, on a connection that goes on; and those who leave before the answer. */
    struct slice good = large_body(&w, 0, SERIES);
    uint8_t *broken = mem_alloc(good.len);
    memcpy(broken, good.data, good.len);
    memset(broken + good.len / 2, 0xff, 64);
    send_raw(&w, &c[0], slice_of(broken, good.len));
    expect_answer(&c[0], 400, "");
    for (int i = 1; i < CLIENTS; i++) {
        send_raw(&w, &c[i], good);
        http_client_close(&c[i]);
    }
    send_raw(&w, &c[0], good);
    expect_answer(&c[0], 204, "");
    http_client_close(&c[0]);
    mem_free(broken);
    writer_close(&w);
}

Test(api_write, many_requests_of_one_connection_are_answered_in_order)
{
    struct writer w;
    struct http_client c = {.fd = -1};
    writer_open(&w, NULL);
    for (int i = 0; i < 50; i++) {
        rw_series(&w.body, "__name__=up|job=a");
        rw_sample(&w.body, FIXTURE_NOW_MS + i * 1000, i);
        send_raw(&w, &c, rw_finish_snappy(&w.body));
    }
    for (int i = 0; i < 50; i++)
        expect_answer(&c, 204, "");
    http_client_close(&c);
    struct head_stats s;
    head_stats(w.head, &s);
    cr_expect_eq(s.samples, 50);
    writer_close(&w);
}

Test(api_write, what_will_never_succeed_is_400)
{
    struct writer w;
    writer_open(&w, NULL);
    expect_write(&w, SLICE_LIT(""), 400, "");
    expect_write(&w, SLICE_LIT("\xff\xff\xff\xff\x0f"), 400, "");
    expect_write(&w, SLICE_LIT("\x02\x04\xff\xff"), 400, "");
    expect_write(&w, SLICE_LIT("\x00"), 204, "");
    rw_series(&w.body, "__name__=good|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS, 1);
    rw_series(&w.body, "__name__=bad|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS - INT64_C(90) * 86400000, 1);
    expect_write(&w, rw_finish_snappy(&w.body), 400, "bad");
    struct head_stats s;
    head_stats(w.head, &s);
    cr_expect_eq(s.samples, 1, "the good sample is stored");
    writer_close(&w);
}

Test(api_write, what_may_succeed_later_is_503)
{
    struct writer w;
    writer_open(&w, NULL);
    rw_series(&w.body, "__name__=up|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS, 1);
    fs_sim_fail(w.sim, 1, true, FS_SIM_SYNC | FS_SIM_WRITE | FS_SIM_CREATE, ERR_IO);
    struct slice body = rw_finish_snappy(&w.body);
    expect_write(&w, body, 503, "");
    api_set_state(w.f.api, API_STOPPING);
    expect_write(&w, body, 503, "Service Unavailable");
    fs_sim_fail(w.sim, 0, false, 0, ERR_OK);
    writer_close(&w);
}

Test(api_write, a_client_that_leaves_before_the_answer_harms_nobody)
{
    struct writer w;
    struct http_client c;
    writer_open(&w, NULL);
    for (int i = 0; i < 50; i++) {
        c.fd = -1;
        rw_series(&w.body, "__name__=up|job=a");
        rw_sample(&w.body, FIXTURE_NOW_MS + i * 1000, i);
        send_raw(&w, &c, rw_finish_snappy(&w.body));
        http_client_close(&c);
    }
    rw_series(&w.body, "__name__=last|job=a");
    rw_sample(&w.body, FIXTURE_NOW_MS, 1);
    expect_write(&w, rw_finish_snappy(&w.body), 204, "");
    writer_close(&w);
}
