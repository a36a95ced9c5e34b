/* Series that a rule does not want: passed over without an error, counted, never in the way of others. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/arena.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/rw_body.h"
#include "model/matcher.h"
#include "regex/regex.h"

#define NOW_MS INT64_C(1700000000000)

static struct clock_fake clock_;
static struct random_seeded random_;
static struct head *head;
static struct ingest *ingest;
static struct rw_body body;
static struct ingest_result result;
static struct errmsg why;

static void setup(void)
{
    struct head_options ho;
    struct ingest_options o;
    clock_fake_init(&clock_, NOW_MS);
    random_seeded_init(&random_, 7);
    head_options_default(&ho);
    ho.random = &random_.base;
    cr_assert_eq(head_new(&ho, &head, &why), ERR_OK);
    ingest_options_default(&o);
    o.head = head;
    o.clock = &clock_.base;
    cr_assert_eq(ingest_new(&o, &ingest, &why), ERR_OK);
}

static void teardown(void)
{
    ingest_free(ingest);
    head_free(head);
    rw_body_deinit(&body);
}

TestSuite(ingest_drops, .init = setup, .fini = teardown);

/* debug_.* without keep="yes", and job="x" */
static struct ingest_drops *rules(void)
{
    struct ingest_drops *d = ingest_drops_new();
    struct arena *arena = ingest_drops_arena(d);
    struct matcher *m = ARENA_ARRAY(arena, struct matcher, 3);
    m[0] = (struct matcher){.op = MATCH_REGEX, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("debug_.*")};
    cr_assert_eq(regex_compile(m[0].value, arena, 0, &m[0].regex, NULL), ERR_OK);
    m[1] = (struct matcher){.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("keep"), .value = SLICE_LIT("yes")};
    m[2] = (struct matcher){.op = MATCH_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("x")};
    ingest_drops_add(d, m, 2, "first");
    ingest_drops_add(d, m + 2, 1, "second");
    return d;
}

static int send(const char *const *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rw_series(&body, labels[i]);
        rw_sample(&body, clock_now_ms(&clock_.base), 1);
    }
    clock_fake_advance(&clock_, 1000);
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = rw_finish(&body), .stream = 1};
    ingest_write(ingest, &req, &result);
    return ingest_status(&result);
}

struct counts {
    uint64_t first, second;
};

static void add_count(void *ctx, const char *rule, uint64_t samples)
{
    struct counts *c = ctx;
    *(strcmp(rule, "first") ? &c->second : &c->first) += samples;
}

static uint64_t series(void)
{
    struct head_stats s;
    head_stats(head, &s);
    return s.series;
}

static const char *const five[] = {"__name__=debug_a|i=1", "__name__=debug_a|keep=yes", "__name__=m|job=x",
                                   "__name__=m|job=y", "__name__=debug_b|job=x"};

Test(ingest_drops, pass_over_what_matches_and_store_the_rest)
{
    struct counts c = {0};
    ingest_set_drops(ingest, rules());
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(send(five, 5), 204);
        cr_expect_eq(result.samples, 2);
        cr_expect_eq(result.rejected[INGEST_DROPPED], 3);
        cr_expect_str_eq(result.why.text, "");
    }
    cr_expect_eq(series(), 2);
    cr_expect_eq(ingest_drop_counts(ingest, add_count, &c), 2);
    cr_expect_eq(c.first, 6);
    cr_expect_eq(c.second, 3);
}

Test(ingest_drops, rules_that_stay_go_on_counting_and_those_that_go_let_series_in)
{
    struct counts c = {0};
    ingest_set_drops(ingest, rules());
    send(five, 5);
    ingest_set_drops(ingest, rules());
    send(five, 5);
    ingest_drop_counts(ingest, add_count, &c);
    cr_expect_eq(c.first, 4);
    ingest_set_drops(ingest, NULL);
    cr_expect_eq(ingest_drop_counts(ingest, add_count, &c), 0);
    cr_expect_eq(send(five, 5), 204);
    cr_expect_eq(result.samples, 5);
    cr_expect_eq(series(), 5);
}

Test(ingest_drops, known_series_are_not_looked_at)
{
    send(five, 5);
    ingest_set_drops(ingest, rules());
    cr_expect_eq(send(five, 5), 204);
    cr_expect_eq(result.samples, 5);
    cr_expect_eq(result.rejected[INGEST_DROPPED], 0);
}

Test(ingest_drops, errors_of_others_are_told_without_them)
{
    ingest_set_drops(ingest, rules());
    const char *const mixed[] = {"__name__=debug_a", "job=y"};
    cr_expect_eq(send(mixed, 2), 400, "a name is missing");
    cr_expect(strstr(result.why.text, "1 of 1 samples rejected"), "%s", result.why.text);
}
