/* Messages of remote write 2.0: the head ends as after the same samples by 1.0; broken ones store nothing. */
#include "ingest/ingest.h"

#include <criterion/criterion.h>

#include "base/wire.h"
#include "head/head.h"
#include "lib/head_digest.h"
#include "lib/rw_body.h"

#define NOW_MS INT64_C(1700000000000)

struct fixture {
    struct clock_fake clock;
    struct random_seeded random;
    struct head *head;
    struct ingest *ingest;
    struct ingest_result result;
};

static void fixture_open(struct fixture *f)
{
    struct head_options ho;
    struct ingest_options io;
    struct errmsg why;
    clock_fake_init(&f->clock, NOW_MS);
    random_seeded_init(&f->random, 7);
    head_options_default(&ho);
    ho.random = &f->random.base;
    cr_assert_eq(head_new(&ho, &f->head, &why), ERR_OK);
    ingest_options_default(&io);
    io.head = f->head;
    io.clock = &f->clock.base;
    io.body_bytes_max = 1 << 20;
    cr_assert_eq(ingest_new(&io, &f->ingest, &why), ERR_OK);
}

static void fixture_close(struct fixture *f)
{
    ingest_free(f->ingest);
    head_free(f->head);
}

static int send_body(struct fixture *f, struct slice body, bool version2)
{
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .version2 = version2, .body = body, .stream = 1};
    ingest_write(f->ingest, &req, &f->result);
    return ingest_status(&f->result);
}

/* ---- building a message ---- */

static void put_symbols(struct buf *out, const char *const *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wire_put_bytes(out, 4, slice_str(symbols[i]));
}

static void put_packed(struct buf *out, uint32_t field, const uint64_t *refs, size_t count)
{
    struct buf packed = {0};
    for (size_t i = 0; i < count; i++)
        buf_varint(&packed, refs[i]);
    wire_put_bytes(out, field, buf_view(&packed));
    buf_deinit(&packed);
}

static void put_sample(struct buf *out, int64_t t_ms, double value, uint64_t start_ms)
{
    struct buf sample = {0};
    wire_put_double(&sample, 1, value);
    wire_put_varint(&sample, 2, (uint64_t)t_ms);
    if (start_ms)
        wire_put_varint(&sample, 3, start_ms);
    wire_put_bytes(out, 2, buf_view(&sample));
    buf_deinit(&sample);
}

static void put_exemplar(struct buf *out, const uint64_t *refs, size_t count, double value)
{
    struct buf exemplar = {0};
    put_packed(&exemplar, 1, refs, count);
    wire_put_double(&exemplar, 2, value);
    wire_put_varint(&exemplar, 3, (uint64_t)NOW_MS);
    wire_put_bytes(out, 4, buf_view(&exemplar));
    buf_deinit(&exemplar);
}

static void put_metadata(struct buf *out, uint64_t type, uint64_t help, uint64_t unit)
{
    struct buf metadata = {0};
    wire_put_varint(&metadata, 1, type);
    wire_put_varint(&metadata, 3, help);
    wire_put_varint(&metadata, 4, unit);
    wire_put_bytes(out, 5, buf_view(&metadata));
    buf_deinit(&metadata);
}

#define REFS(...) (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

static const char *const symbols[] = {"",     "__name__", "lat_bucket", "le",       "1.0", "lat_sum",
                                      "job",  "x",        "trace_id",   "abc",      "How long.", "seconds"};
enum { SYMBOLS = sizeof symbols / sizeof *symbols };

static void two_series(struct buf *out)
{
    struct buf series = {0};
    put_symbols(out, symbols, SYMBOLS);
    put_packed(&series, 1, REFS(1, 2, 6, 7, 3, 4));
    put_sample(&series, NOW_MS, 5, 0);
    put_sample(&series, NOW_MS + 1000, 6, 17);
    put_exemplar(&series, REFS(8, 9), 0.5);
    put_metadata(&series, METADATA_HISTOGRAM, 10, 11);
    wire_put_bytes(out, 5, buf_view(&series));
    buf_reset(&series);
    put_sample(&series, NOW_MS, 0, 0); /* labels may stand behind, and apart */
    put_packed(&series, 1, REFS(1, 5, 6));
    put_packed(&series, 1, REFS(7));
    put_metadata(&series, METADATA_HISTOGRAM, 10, 11);
    wire_put_bytes(out, 5, buf_view(&series));
    buf_deinit(&series);
}

static void the_same_by_version_1(struct rw_body *b)
{
    struct buf exemplar = {0}, label = {0};
    rw_series(b, "__name__=lat_bucket|job=x|le=1.0");
    rw_sample(b, NOW_MS, 5);
    rw_sample(b, NOW_MS + 1000, 6);
    wire_put_bytes(&label, 1, SLICE_LIT("trace_id"));
    wire_put_bytes(&label, 2, SLICE_LIT("abc"));
    wire_put_bytes(&exemplar, 1, buf_view(&label));
    wire_put_double(&exemplar, 2, 0.5);
    wire_put_varint(&exemplar, 3, (uint64_t)NOW_MS);
    rw_field(b, 3, buf_view(&exemplar));
    rw_series(b, "__name__=lat_sum|job=x");
    rw_sample(b, NOW_MS, 0);
    rw_metadata(b, METADATA_HISTOGRAM, "lat", "How long.", "seconds");
    buf_deinit(&exemplar);
    buf_deinit(&label);
}

Test(ingest_version2, leads_to_the_same_head_as_version_1)
{
    struct fixture one, two;
    struct rw_body body = {0};
    struct buf message = {0};
    fixture_open(&one);
    fixture_open(&two);
    two_series(&message);
    the_same_by_version_1(&body);
    cr_expect_eq(send_body(&one, rw_finish(&body), false), 204, "%s", one.result.why.text);
    for (int again = 0; again < 2; again++) {
        cr_expect_eq(send_body(&two, buf_view(&message), true), 204, "%s", two.result.why.text);
        cr_expect_eq(two.result.samples, 3);
        cr_expect_eq(two.result.exemplars, 1);
        cr_expect_eq(two.result.metadata, 1, "%u", two.result.metadata);
        cr_expect_eq(two.result.series, 2);
    }
    cr_expect_eq(head_digest(one.head), head_digest(two.head));
    buf_deinit(&message);
    rw_body_deinit(&body);
    fixture_close(&one);
    fixture_close(&two);
}

/* A message of one series with these references, and what a part of it is. */
static int refused(struct fixture *f, const uint64_t *refs, size_t count, uint32_t field, const char *part)
{
    struct buf message = {0}, series = {0};
    put_symbols(&message, symbols, SYMBOLS);
    put_packed(&series, 1, refs, count);
    put_sample(&series, NOW_MS, 5, 0);
    if (part)
        wire_put_bytes(&series, field, slice_str(part));
    wire_put_bytes(&message, 5, buf_view(&series));
    int status = send_body(f, buf_view(&message), true);
    cr_expect(f->result.why.text[0]);
    cr_expect_eq(f->result.samples, 0);
    buf_deinit(&message);
    buf_deinit(&series);
    return status;
}

Test(ingest_version2, broken_references_and_parts_store_nothing)
{
    struct fixture f;
    fixture_open(&f);
    cr_expect_eq(refused(&f, REFS(1, 2, 3), 0, NULL), 400);
    cr_expect(strstr(f.result.why.text, "without a value"), "%s", f.result.why.text);
    cr_expect_eq(refused(&f, REFS(1, SYMBOLS), 0, NULL), 400);
    cr_expect(strstr(f.result.why.text, "outside of the symbols"), "%s", f.result.why.text);
    cr_expect_eq(refused(&f, REFS(1, 2), 2, "\x09"), 400);
    cr_expect_eq(refused(&f, REFS(1, 2), 3, "\x08"), 400);
    cr_expect_eq(refused(&f, REFS(1, 2), 4, "\x0a\x01\x63"), 400);
    cr_expect_eq(refused(&f, REFS(1, 2), 5, "\x18\x63"), 400);
    cr_expect_eq(send_body(&f, SLICE_LIT("\x2a\x05"), true), 400);
    struct head_stats st;
    head_stats(f.head, &st);
    cr_expect_eq(st.samples, 0);
    fixture_close(&f);
}

Test(ingest_version2, a_symbol_that_is_named_often_has_the_bound_of_a_request)
{
    struct fixture f;
    struct buf message = {0}, series = {0}, refs = {0};
    char large[4096];
    memset(large, 'x', sizeof large);
    fixture_open(&f);
    wire_put_bytes(&message, 4, SLICE_LIT(""));
    wire_put_bytes(&message, 4, slice_of(large, sizeof large));
    for (int i = 0; i < 2000; i++)
        buf_varint(&refs, 1);
    wire_put_bytes(&series, 1, buf_view(&refs));
    for (int i = 0; i < 10; i++)
        wire_put_bytes(&message, 5, buf_view(&series));
    cr_expect_eq(send_body(&f, buf_view(&message), true), 400);
    cr_expect(strstr(f.result.why.text, "exceed"), "%s", f.result.why.text);
    buf_deinit(&message);
    buf_deinit(&series);
    buf_deinit(&refs);
    fixture_close(&f);
}

Test(ingest_version2, an_empty_message_is_fine)
{
    struct fixture f;
    fixture_open(&f);
    cr_expect_eq(send_body(&f, SLICE_LIT("\x22\x00"), true), 204, "%s", f.result.why.text);
    fixture_close(&f);
}
