/* Requests into a head and back out through a querier. */
#include "ingest/ingest.h"

#include <criterion/criterion.h>
#include <snappy-c.h>
#include <stdio.h>
#include <zstd.h>

#include "head/head.h"
#include "lib/rw_body.h"

enum { NOW = 1700000000 };
#define NOW_MS (INT64_C(1000) * NOW)

struct fixture {
    struct clock_fake clock;
    struct random_seeded random;
    struct head *head;
    struct ingest *ingest;
    struct rw_body body;
    struct ingest_result result;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = MEM_NEW(struct fixture);
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
    io.retention_ms = INT64_C(86400000) * 30;
    cr_assert_eq(ingest_new(&io, &f->ingest, &why), ERR_OK);
    return f;
}

static void fixture_free(struct fixture *f)
{
    ingest_free(f->ingest);
    head_free(f->head);
    rw_body_deinit(&f->body);
    mem_free(f);
}

/* Sends what was built; the status. */
static int send_body(struct fixture *f)
{
    struct ingest_request req = {.encoding = INGEST_SNAPPY, .body = rw_finish_snappy(&f->body), .stream = 1};
    cr_assert_not(ingest_write(f->ingest, &req, &f->result), "no log, nothing to wait for");
    return ingest_status(&f->result);
}

static int send_bytes(struct fixture *f, const void *bytes, size_t len)
{
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = slice_of(bytes, len)};
    ingest_write(f->ingest, &req, &f->result);
    return ingest_status(&f->result);
}

/* "labels time:value ..." of every series that matches, one a line, sorted. */
static char *dump(struct fixture *f, const struct matcher *m, uint32_t count)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct errmsg why;
    struct buf out = {0};
    arena_init(&arena, NULL);
    cr_assert_eq(head_querier(f->head, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    struct selector sel = {
        .matchers = m, .matcher_count = count, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = true};
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        labels_print(&set->labels[i], &out);
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, &why), ERR_OK);
        for (uint32_t k = 0; k < s.count; k++)
            buf_printf(&out, " %lld:%g", (long long)(s.times_ms[k] - NOW_MS), s.values[k]);
        buf_u8(&out, '\n');
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    buf_cstr(&out);
    return (char *)out.data;
}

#define EXPECT_ALL(f, text)                                                                                            \
    do {                                                                                                               \
        char *got_ = dump(f, NULL, 0);                                                                                 \
        cr_expect_str_eq(got_ ? got_ : "", text);                                                                      \
        mem_free(got_);                                                                                                \
    } while (0)

Test(ingest_write, stores_samples_that_a_querier_gives_back)
{
    struct fixture *f = fixture_new();
    for (int k = 0; k < 3; k++) {
        rw_series(&f->body, "__name__=up|instance=a|job=x");
        rw_sample(&f->body, NOW_MS + k * 15000, 1);
        rw_series(&f->body, "__name__=up|instance=b|job=x");
        rw_sample(&f->body, NOW_MS + k * 15000, k * 0.5);
        cr_expect_eq(send_body(f), 204);
        cr_expect_eq(f->result.samples, 2);
    }
    EXPECT_ALL(f, "up{instance=\"a\", job=\"x\"} 0:1 15000:1 30000:1\n"
                  "up{instance=\"b\", job=\"x\"} 0:0 15000:0.5 30000:1\n");
    struct head_stats st;
    head_stats(f->head, &st);
    cr_expect_eq(st.series, 2);
    cr_expect_eq(st.samples, 6);
    fixture_free(f);
}

Test(ingest_write, brings_labels_into_canonical_form)
{
    struct fixture *f = fixture_new();
    rw_series(&f->body, "job=x|__name__=up|gone=|instance=a");
    rw_sample(&f->body, NOW_MS, 1);
    rw_series(&f->body, "__name__=up|instance=a|job=x");
    rw_sample(&f->body, NOW_MS + 1, 2);
    cr_expect_eq(send_body(f), 204);
    rw_series(&f->body, "job=x|__name__=up|gone=|instance=a");
    rw_sample(&f->body, NOW_MS + 2, 3);
    cr_expect_eq(send_body(f), 204);
    EXPECT_ALL(f, "up{instance=\"a\", job=\"x\"} 0:1 1:2 2:3\n");
    struct head_stats st;
    head_stats(f->head, &st);
    cr_expect_eq(st.series, 1);
    cr_expect_eq(st.aliases, 1, "the other spelling is found by its hash now");
    fixture_free(f);
}

Test(ingest_write, stores_the_good_part_and_names_the_bad_one)
{
    struct fixture *f = fixture_new();
    static const struct {
        const char *labels;
        enum ingest_reason reason;
    } bad[] = {
        {"job=x", INGEST_NO_NAME},
        {"__name__=|job=x", INGEST_NO_NAME},
        {"__name__=up|=x", INGEST_BAD_LABEL_NAME},
        {"__name__=up|\xff=x", INGEST_BAD_LABEL_NAME},
        {"__name__=up|a=\xc3", INGEST_BAD_LABEL_VALUE},
        {"__name__=up|a=1|a=1", INGEST_DUPLICATE_LABEL},
        {"__name__=up|a=|a=1", INGEST_DUPLICATE_LABEL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rw_series(&f->body, bad[i].labels);
        rw_sample(&f->body, NOW_MS, 1);
        rw_series(&f->body, "__name__=good");
        rw_sample(&f->body, NOW_MS + (int64_t)i, (double)i);
        cr_expect_eq(send_body(f), 400, "%s", bad[i].labels);
        cr_expect_eq(f->result.rejected[bad[i].reason], 1, "%s", bad[i].labels);
        cr_expect(strstr(f->result.why.text, "1 of 2 samples rejected"), "%s", f->result.why.text);
    }
    EXPECT_ALL(f, "good 0:0 1:1 2:2 3:3 4:4 5:5 6:6\n");
    fixture_free(f);
}

Test(ingest_write, refuses_times_outside_of_retention_and_future)
{
    struct fixture *f = fixture_new();
    int64_t times[] = {INT64_MIN, 0, NOW_MS - INT64_C(86400000) * 30 - 1, NOW_MS + 600001, INT64_MAX};
    rw_series(&f->body, "__name__=m");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        rw_sample(&f->body, times[i], 1);
    rw_sample(&f->body, NOW_MS + 600000, 1);
    rw_sample(&f->body, NOW_MS - INT64_C(86400000) * 30, 2);
    cr_expect_eq(send_body(f), 400);
    cr_expect_eq(f->result.rejected[INGEST_TOO_OLD], 3);
    cr_expect_eq(f->result.rejected[INGEST_TOO_FAR_AHEAD], 2);
    cr_expect_eq(f->result.samples, 2);
    EXPECT_ALL(f, "m -2592000000:2 600000:1\n");
    fixture_free(f);
}

Test(ingest_write, keeps_out_of_order_samples_and_the_last_value_of_a_time)
{
    struct fixture *f = fixture_new();
    int64_t order[] = {10, 20, 30, 15, 5, 30, 20, 25, 10};
    double value[] = {1, 2, 3, 4, 5, 33, 2, 6, 11};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        rw_series(&f->body, "__name__=m");
        rw_sample(&f->body, NOW_MS + order[i], value[i]);
        cr_expect_eq(send_body(f), 204);
    }
    EXPECT_ALL(f, "m 5:5 10:11 15:4 20:2 25:6 30:33\n");
    struct head_stats st;
    head_stats(f->head, &st);
    cr_expect_eq(st.samples_duplicate, 1, "20:2 was there already");
    cr_expect_eq(st.samples_replaced, 1, "30 was the newest");
    cr_expect_eq(st.samples_out_of_order, 5);
    fixture_free(f);
}

Test(ingest_write, refuses_broken_bodies_and_stores_nothing)
{
    struct fixture *f = fixture_new();
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"", 0},
        {"\x0a", 1},
        {"\x0a\x05", 2},
        {"\x00\x01", 2},
        {"\x0b\x0b", 2},
        {"\x0e", 1},
        {"\x0f", 1},
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"\x08\x01", 2},
        {"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12},
        {"\x0a\x02\x08\x01", 4},
        {"\x0a\x04\x12\x02\x0d\x01", 6},
        /* the second series is broken, so the first one is not stored either */
        {"\x0a\x11\x0a\x0d\x0a\x08__name__\x12\x01m\x12\x00\x0a\x03\x0a\x01\x0a", 24},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(send_bytes(f, bad[i].bytes, bad[i].len), 400, "row %zu", i);
        cr_expect(f->result.why.text[0] != 0, "row %zu", i);
    }
    EXPECT_ALL(f, "");
    fixture_free(f);
}

Test(ingest_write, checks_the_declared_size_before_taking_memory)
{
    struct fixture *f = fixture_new();
    static const uint8_t bomb[] = {0xdd, 0xd9, 0xb6, 0x89, 0x0a, 0x00, 0x01};
    struct ingest_request req = {.encoding = INGEST_SNAPPY, .body = slice_of(bomb, sizeof bomb)};
    ingest_write(f->ingest, &req, &f->result);
    cr_expect_eq(ingest_status(&f->result), 400);
    cr_expect(strstr(f->result.why.text, "exceeds 33554432"), "%s", f->result.why.text);
    fixture_free(f);
}

static int send_packed(struct fixture *f, enum ingest_encoding encoding, const void *bytes, size_t len)
{
    struct ingest_request req = {.encoding = encoding, .body = slice_of(bytes, len)};
    ingest_write(f->ingest, &req, &f->result);
    return ingest_status(&f->result);
}

Test(ingest_write, takes_zstd_as_victoriametrics_senders_pack_it)
{
    struct fixture *f = fixture_new();
    rw_series(&f->body, "__name__=m");
    rw_sample(&f->body, NOW_MS, 1);
    struct slice raw = rw_finish(&f->body);
    uint8_t packed[2000], block[2000];
    size_t len = ZSTD_compress(packed, sizeof packed - 1, raw.data, raw.len, 3), block_len = sizeof block;
    cr_assert_eq(snappy_compress((const char *)raw.data, raw.len, (char *)block, &block_len), SNAPPY_OK);
    cr_assert_not(ZSTD_isError(len));
    cr_expect_eq(ingest_decoded_bytes(INGEST_ZSTD, slice_of(packed, len)), raw.len);
    cr_expect_eq(ingest_decoded_bytes(INGEST_SNAPPY, slice_of(block, block_len)), raw.len);
    cr_expect_eq(send_packed(f, INGEST_ZSTD, packed, len), 204, "%s", f->result.why.text);
    cr_expect_eq(send_packed(f, INGEST_SNAPPY, packed, len), 204, "from a queue, named wrongly");
    cr_expect_eq(send_packed(f, INGEST_ZSTD, block, block_len), 204, "likewise");
    for (size_t n = 0; n < len; n++)
        cr_expect_eq(send_packed(f, INGEST_ZSTD, packed, n), 400, "cut at %zu", n);
    packed[len] = 0;
    cr_expect_eq(send_packed(f, INGEST_ZSTD, packed, len + 1), 400, "bytes after the frame");
    fixture_free(f);
}

Test(ingest_write, checks_the_size_that_a_zstd_frame_declares_before_taking_memory)
{
    struct fixture *f = fixture_new();
    /* magic, descriptor: 8 bytes of size, one segment; a terabyte */
    static const uint8_t bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0};
    cr_expect_eq(send_packed(f, INGEST_ZSTD, bomb, sizeof bomb), 400);
    cr_expect(strstr(f->result.why.text, "exceeds 33554432"), "%s", f->result.why.text);
    static const uint8_t untold[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 1, 0, 0};
    cr_expect_eq(send_packed(f, INGEST_ZSTD, untold, sizeof untold), 400);
    cr_expect(strstr(f->result.why.text, "does not tell"), "%s", f->result.why.text);
    fixture_free(f);
}

Test(ingest_write, keeps_metadata_and_takes_the_newest)
{
    struct fixture *f = fixture_new();
    rw_metadata(&f->body, METADATA_COUNTER, "m_total", "first", "s");
    rw_metadata(&f->body, METADATA_GAUGE, "g", "", "");
    cr_expect_eq(send_body(f), 204);
    rw_metadata(&f->body, METADATA_COUNTER, "m_total", "second", "s");
    cr_expect_eq(send_body(f), 204);
    struct head_stats st;
    head_stats(f->head, &st);
    cr_expect_eq(st.metadata_held, 2);
    cr_expect_eq(st.metadata_updates, 3);
    fixture_free(f);
}

/* ---- exemplars and native histograms ---- */

static void put_f64(struct buf *b, uint32_t field, double v)
{
    buf_varint(b, field << 3 | 1);
    buf_le64(b, f64_bits(v));
}

static void put_varint(struct buf *b, uint32_t field, uint64_t v)
{
    buf_varint(b, field << 3);
    buf_varint(b, v);
}

static void put_packed(struct buf *b, uint32_t field, const int64_t *deltas, int count)
{
    struct buf packed = {0};
    for (int i = 0; i < count; i++)
        buf_varint(&packed, zigzag_put(deltas[i]));
    buf_varint(b, field << 3 | 2);
    buf_varint(b, packed.len);
    buf_slice(b, buf_view(&packed));
    buf_deinit(&packed);
}

/* An integer histogram with three buckets from index 0 on: 1, 3, 2; `count` should be 6. */
static void add_histogram(struct fixture *f, int64_t time_ms, uint64_t count, double sum, enum reset_hint hint)
{
    struct buf h = {0}, span = {0};
    put_varint(&h, 1, count);
    put_f64(&h, 3, sum);
    put_varint(&h, 4, zigzag_put(2));
    put_f64(&h, 5, 0.001);
    put_varint(&span, 1, zigzag_put(0));
    put_varint(&span, 2, 3);
    buf_varint(&h, 11 << 3 | 2);
    buf_varint(&h, span.len);
    buf_slice(&h, buf_view(&span));
    put_packed(&h, 12, (const int64_t[]){1, 2, -1}, 3);
    put_varint(&h, 14, hint);
    put_varint(&h, 15, (uint64_t)time_ms);
    rw_field(&f->body, 4, buf_view(&h));
    buf_deinit(&h);
    buf_deinit(&span);
}

static void add_exemplar(struct fixture *f, const char *trace, int64_t time_ms, double value)
{
    struct buf label = {0}, e = {0};
    buf_varint(&label, 1 << 3 | 2);
    buf_varint(&label, 8);
    buf_str(&label, "trace_id");
    buf_varint(&label, 2 << 3 | 2);
    buf_varint(&label, strlen(trace));
    buf_str(&label, trace);
    buf_varint(&e, 1 << 3 | 2);
    buf_varint(&e, label.len);
    buf_slice(&e, buf_view(&label));
    put_f64(&e, 2, value);
    put_varint(&e, 3, (uint64_t)time_ms);
    rw_field(&f->body, 3, buf_view(&e));
    buf_deinit(&label);
    buf_deinit(&e);
}

Test(ingest_write, keeps_native_histograms_beside_floats)
{
    struct fixture *f = fixture_new();
    for (int k = 0; k < 3; k++) {
        rw_series(&f->body, "__name__=h|job=x");
        add_histogram(f, NOW_MS + k * 1000, 6, k + 0.5, k == 2 ? RESET_GAUGE : k == 1 ? RESET_NO : RESET_YES);
        cr_expect_eq(send_body(f), 204, "%s", f->result.why.text);
        cr_expect_eq(f->result.histograms, 1);
    }
    rw_series(&f->body, "__name__=h|job=x");
    rw_sample(&f->body, NOW_MS + 1500, 42);
    add_histogram(f, NOW_MS + 500, 7, 1, RESET_UNKNOWN); /* the buckets say 6 */
    cr_expect_eq(send_body(f), 400);
    cr_expect_eq(f->result.rejected[INGEST_BAD_HISTOGRAM], 1);
    cr_expect_eq(f->result.samples, 1);

    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct errmsg why;
    arena_init(&arena, NULL);
    cr_assert_eq(head_querier(f->head, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    cr_assert_eq(set->count, 1);
    struct series_reader *r = set->ops->reader(set);
    cr_assert_eq(r->ops->read(r, 0, INT64_MIN, INT64_MAX, &s, &why), ERR_OK);
    cr_assert_eq(s.count, 4);
    cr_assert(s.hists != NULL);
    cr_expect_eq(s.hists[0]->reset_hint, RESET_UNKNOWN); /* what a sender says of resets is not believed */
    cr_expect_eq(s.hists[1]->reset_hint, RESET_UNKNOWN);
    cr_expect_eq(s.hists[3]->reset_hint, RESET_GAUGE);
    cr_expect_null(s.hists[2]);
    cr_expect_eq(s.values[2], 42);
    cr_expect_eq(s.hists[3]->sum, 2.5);
    cr_expect_eq(s.hists[3]->count, 6);
    cr_expect_eq(s.hists[3]->positive_count, 3);
    cr_expect_eq(s.hists[3]->positive[1], 3);
    cr_expect_eq(s.hists[3]->positive[2], 2);
    cr_expect_eq(s.hists[3]->schema, 2);
    cr_assert_eq(r->ops->last(r, 0, INT64_MIN, INT64_MAX, &s, &why), ERR_OK);
    cr_assert_eq(s.count, 1);
    cr_expect(s.hists && s.hists[0]->sum == 2.5);
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
    fixture_free(f);
}

static bool print_exemplar(void *ctx, const struct labels *series, const struct exemplar *e)
{
    struct buf *out = ctx;
    labels_print(series, out);
    buf_u8(out, ' ');
    labels_print(&e->labels, out);
    buf_printf(out, " %lld:%g\n", (long long)(e->time_ms - NOW_MS), e->value);
    return true;
}

Test(ingest_write, keeps_exemplars_of_known_series)
{
    struct fixture *f = fixture_new();
    rw_series(&f->body, "__name__=only_an_exemplar");
    add_exemplar(f, "none", NOW_MS, 1);
    rw_series(&f->body, "__name__=m|job=x");
    rw_sample(&f->body, NOW_MS, 1);
    add_exemplar(f, "aa", NOW_MS, 0.5);
    add_exemplar(f, "aa", NOW_MS, 0.5); /* again */
    add_exemplar(f, "bb", NOW_MS + 5, 0.7);
    add_exemplar(f, "cc", NOW_MS + 4, 0.7); /* older than the newest */
    cr_expect_eq(send_body(f), 204, "%s", f->result.why.text);
    cr_expect_eq(f->result.rejected[INGEST_BAD_EXEMPLAR], 2);
    struct buf text = {0};
    head_exemplars(f->head, NULL, 0, INT64_MIN, INT64_MAX, print_exemplar, &text);
    cr_expect_str_eq(buf_cstr(&text), "m{job=\"x\"} {trace_id=\"aa\"} 0:0.5\nm{job=\"x\"} {trace_id=\"bb\"} 5:0.7\n");
    struct head_stats st;
    head_stats(f->head, &st);
    cr_expect_eq(st.exemplars, 2);
    cr_expect_eq(st.exemplars_held, 2);
    buf_deinit(&text);
    fixture_free(f);
}

Test(ingest_write, an_exemplar_finds_the_series_that_an_earlier_message_of_the_same_request_made)
{
    struct fixture *f = fixture_new();
    rw_series(&f->body, "__name__=m|job=x");
    rw_sample(&f->body, NOW_MS, 1);
    rw_series(&f->body, "__name__=m|job=x");
    add_exemplar(f, "aa", NOW_MS, 0.5);
    rw_series(&f->body, "job=y|__name__=m"); /* not in canonical order */
    rw_sample(&f->body, NOW_MS, 1);
    rw_series(&f->body, "job=y|__name__=m");
    add_exemplar(f, "bb", NOW_MS, 0.5);
    cr_expect_eq(send_body(f), 204, "%s", f->result.why.text);
    cr_expect_eq(f->result.exemplars, 2);
    cr_expect_eq(f->result.rejected[INGEST_BAD_EXEMPLAR], 0);
    fixture_free(f);
}

Test(ingest_write, exemplars_are_read_by_any_of_several_selectors_and_by_time)
{
    static const struct matcher job_x = {MATCH_EQUAL, SLICE_LIT("job"), SLICE_LIT("x"), NULL},
                                not_a = {MATCH_NOT_EQUAL, SLICE_LIT("__name__"), SLICE_LIT("a"), NULL};
    static const struct matcher_set x = {&job_x, 1}, sets[] = {{&job_x, 1}, {&not_a, 1}};
    static const char *const series[] = {"__name__=c|job=y", "__name__=a|job=y", "__name__=a|job=x"};
    struct fixture *f = fixture_new();
    struct buf text = {0};
    for (int i = 0; i < 3; i++) {
        rw_series(&f->body, series[i]);
        rw_sample(&f->body, NOW_MS, 1);
        add_exemplar(f, "t", NOW_MS + i, i);
        add_exemplar(f, "u", NOW_MS + 10 + i, i);
    }
    cr_expect_eq(send_body(f), 204, "%s", f->result.why.text);
    head_exemplars(f->head, sets, 2, NOW_MS, NOW_MS + 10, print_exemplar, &text);
    cr_expect_str_eq(buf_cstr(&text), "a{job=\"x\"} {trace_id=\"t\"} 2:2\nc{job=\"y\"} {trace_id=\"t\"} 0:0\n"
                                      "c{job=\"y\"} {trace_id=\"u\"} 10:0\n");
    buf_reset(&text);
    head_exemplars(f->head, &x, 1, NOW_MS + 3, INT64_MAX, print_exemplar, &text);
    cr_expect_str_eq(buf_cstr(&text), "a{job=\"x\"} {trace_id=\"u\"} 12:2\n");
    buf_deinit(&text);
    fixture_free(f);
}

/* One TimeSeries of the given label bytes, a sample behind them. */
static int send_spelling(struct fixture *f, const char *labels, size_t len, int64_t time_ms)
{
    struct buf request = {0}, series = {0};
    buf_append(&series, labels, len);
    buf_str(&series, "\x12\x10\x09");
    buf_le64(&series, f64_bits((double)(time_ms - NOW_MS)));
    buf_u8(&series, 0x10);
    buf_varint(&series, (uint64_t)time_ms);
    buf_u8(&request, 0x0a);
    buf_varint(&request, series.len);
    buf_slice(&request, buf_view(&series));
    int status = send_bytes(f, request.data, request.len);
    buf_deinit(&request);
    buf_deinit(&series);
    return status;
}

Test(ingest_write, knows_a_series_in_every_spelling_of_its_labels)
{
    static const struct {
        const char *bytes;
        size_t len;
    } spellings[] = {
#define SPELL(text) {text, sizeof text - 1}
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* canonical */
        SPELL("\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b\x0a\x0d\x0a\x08__name__\x12\x01m"), /* other order */
        SPELL("\x0a\x0d\x12\x01m\x0a\x08__name__\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* value before name */
        SPELL("\x0a\x8d\x00\x0a\x08__name__\x12\x01m\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* a length of two bytes */
        SPELL("\x0a\x0e\x0a\x88\x00__name__\x12\x01m\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* one within */
        SPELL("\x8a\x00\x0d\x0a\x08__name__\x12\x01m\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* a tag of two bytes */
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x09\x0a\x01"
              "a\x12\x01"
              "b\x52\x01x"), /* an unknown field */
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x09\x0a\x01"
              "a\x12\x01"
              "z\x12\x01"
              "b"), /* a field twice */
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x05\x0a\x01"
              "c\x12\x00\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* empty value */
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x03\x0a\x01"
              "c\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* no value */
        SPELL("\x0a\x0d\x0a\x08__name__\x12\x01m\x52\x01x\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* something between */
        SPELL("\x0b\x08\x01\x0c\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x06\x0a\x01"
              "a\x12\x01"
              "b"), /* wrong: group 1 */
    };
    struct fixture *f = fixture_new();
    size_t count = sizeof spellings / sizeof spellings[0] - 1;
    int64_t time_ms = NOW_MS;
    struct head_stats st;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < count; i++) {
            cr_expect_eq(send_spelling(f, spellings[i].bytes, spellings[i].len, time_ms++), 204, "spelling %zu: %s", i,
                         f->result.why.text);
            cr_expect_eq(f->result.samples, 1, "spelling %zu", i);
        }
    cr_expect_eq(send_spelling(f, spellings[count].bytes, spellings[count].len, time_ms), 400);
    head_stats(f->head, &st);
    cr_expect_eq(st.series, 1);
    cr_expect_eq(st.samples, 3 * count);
    cr_expect_eq(st.samples_out_of_order, 0);
    fixture_free(f);
}

Test(ingest_write, refuses_new_series_past_the_limit_but_takes_known_ones)
{
    struct fixture *f = fixture_new();
    ingest_free(f->ingest);
    head_free(f->head);
    struct head_options ho;
    struct ingest_options io;
    head_options_default(&ho);
    ho.series_max = 2;
    cr_assert_eq(head_new(&ho, &f->head, NULL), ERR_OK);
    ingest_options_default(&io);
    io.head = f->head;
    io.clock = &f->clock.base;
    cr_assert_eq(ingest_new(&io, &f->ingest, NULL), ERR_OK);
    for (int k = 0; k < 2; k++) {
        rw_series(&f->body, "__name__=a");
        rw_sample(&f->body, NOW_MS + k, 1);
        rw_series(&f->body, "__name__=b");
        rw_sample(&f->body, NOW_MS + k, 2);
        rw_series(&f->body, "__name__=c");
        rw_sample(&f->body, NOW_MS + k, 3);
        cr_expect_eq(send_body(f), 429);
        cr_expect_eq(f->result.rejected[INGEST_SERIES_LIMIT], 1);
        cr_expect_eq(f->result.samples, 2);
    }
    EXPECT_ALL(f, "a 0:1 1:1\nb 0:2 1:2\n");
    fixture_free(f);
}

Test(ingest_write, takes_nothing_once_the_memory_budget_is_spent)
{
    struct fixture *f = fixture_new();
    ingest_free(f->ingest);
    head_free(f->head);
    struct mem_budget budget = {.name = "storage.head", .limit = 3 << 20};
    struct head_options ho;
    struct ingest_options io;
    char labels[64];
    int status = 204;
    head_options_default(&ho);
    ho.budget = &budget;
    cr_assert_eq(head_new(&ho, &f->head, NULL), ERR_OK);
    ingest_options_default(&io);
    io.head = f->head;
    io.clock = &f->clock.base;
    cr_assert_eq(ingest_new(&io, &f->ingest, NULL), ERR_OK);
    for (int k = 0; k < 100 && status == 204; k++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(labels, sizeof labels, "__name__=m|id=%d-%d", k, i);
            rw_series(&f->body, labels);
            rw_sample(&f->body, NOW_MS, i);
        }
        status = send_body(f);
    }
    cr_expect_eq(status, 503);
    cr_expect(strstr(f->result.why.text, "storage.head"), "%s", f->result.why.text);
    fixture_free(f);
    cr_expect_eq(atomic_load(&budget.used), 0, "all of it came back");
}
