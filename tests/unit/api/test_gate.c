/* Queries beyond query.max-concurrency wait, in order, within their timeout, and nobody's slot is lost. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "unit/api/api_fixture.h"

/* A storage that answers only once the door is open. */
struct door {
    struct storage base;
    struct storage *behind;
    struct mutex lock;
    struct cond changed;
    bool open;
    unsigned inside, inside_max;
};

static enum err door_querier(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                             struct errmsg *why)
{
    struct door *d = (struct door *)s;
    mutex_lock(&d->lock);
    d->inside++;
    d->inside_max = d->inside > d->inside_max ? d->inside : d->inside_max;
    cond_broadcast(&d->changed);
    while (!d->open)
        cond_wait(&d->changed, &d->lock);
    d->inside--;
    mutex_unlock(&d->lock);
    return d->behind->ops->querier(d->behind, mint_ms, maxt_ms, out, why);
}

static const struct storage_ops door_ops = {.querier = door_querier};

static void door_init(struct door *d)
{
    *d = (struct door){.base.ops = &door_ops};
    mutex_init(&d->lock);
    cond_init(&d->changed);
}

static void door_wait_inside(struct door *d, unsigned count)
{
    mutex_lock(&d->lock);
    while (d->inside < count)
        cond_wait(&d->changed, &d->lock);
    mutex_unlock(&d->lock);
}

static void door_open(struct door *d)
{
    mutex_lock(&d->lock);
    d->open = true;
    cond_broadcast(&d->changed);
    mutex_unlock(&d->lock);
}

static void send_query(struct api_fixture *f, struct http_client *c, const char *parameters)
{
    char text[256];
    snprintf(text, sizeof text, "GET /api/v1/query?query=up%s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
             parameters);
    cr_assert(http_client_open(c, f->port));
    cr_assert(http_client_text(c, text));
}

static void expect_reply(struct http_client *c, int status, const char *text)
{
    struct http_reply reply;
    cr_assert(http_client_reply(c, false, &reply));
    cr_expect_eq(reply.status, status, "%d %s", reply.status, buf_cstr(&reply.body));
    cr_expect(strstr(buf_cstr(&reply.body), text), "%s", buf_cstr(&reply.body));
    http_reply_deinit(&reply);
    http_client_close(c);
}

/* Waits until own metrics show this line. */
static void wait_for_metric(struct api_fixture *f, const char *line)
{
    for (int i = 0; i < 30000; i++) {
        struct exchange e = api_exchange(f, "GET /metrics", "", NULL);
        if (strstr(e.body, line))
            return;
        clock_system()->sleep_ns(clock_system(), 2000000);
    }
    cr_assert_fail("never saw %s", line);
}

Test(api_gate, queries_beyond_the_bound_wait_for_a_slot, .timeout = 300)
{
    struct door door;
    struct api_fixture f;
    struct http_client first, second, third, gone;
    door_init(&door);
    api_fixture_open_over(&f, (const char *const[]){"query.max-concurrency=1", NULL}, &door.base, &door.behind);
    send_query(&f, &first, "");
    door_wait_inside(&door, 1);
    send_query(&f, &gone, "");
    wait_for_metric(&f, "gnomon_queries_waiting 1\n");
    send_query(&f, &second, "");
    wait_for_metric(&f, "gnomon_queries_waiting 2\n");
    send_query(&f, &third, "&timeout=1ms");
    wait_for_metric(&f, "gnomon_queries_waiting 3\n");
    http_client_close(&gone);                          /* its turn must pass on to the next */
    clock_system()->sleep_ns(clock_system(), 3000000); /* the third one's millisecond is over */
    door_open(&door);
    expect_reply(&first, 200, "\"instance\":\"a\"");
    expect_reply(&second, 200, "\"instance\":\"a\"");
    expect_reply(&third, 503, "query timed out in query queue");
    cr_expect_eq(door.inside_max, 1);
    wait_for_metric(&f, "gnomon_queries_waiting 0\n");
    wait_for_metric(&f, "vm_concurrent_select_current 0\n");
    struct http_client last;
    send_query(&f, &last, "");
    expect_reply(&last, 200, "\"instance\":\"a\"");
    api_fixture_close(&f);
}
