/*
 * Our reader of remote write against protobuf-c: random requests, well-formed, damaged and cut off.
 *
 * What generated code accepts we must accept, with the same series and samples afterwards; the rules
 * for labels and times are applied to its result in the plainest way.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "remote.pb-c.h"

#define NOW_MS INT64_C(1700000000000)
enum { RETENTION_MS = 86400000, FUTURE_MS = 600000 };

typedef Prometheus__WriteRequest Request;
typedef Prometheus__TimeSeries TimeSeries;

/* ---- random requests, in arena memory ---- */

struct gen {
    struct random_seeded random;
    struct arena arena;
};

static uint64_t pick(struct gen *g, uint64_t below)
{
    return random_u64(&g->random.base) % below;
}

static ProtobufCBinaryData text(struct gen *g, const char *const *words, size_t count)
{
    const char *word = words[pick(g, count)];
    char *copy = arena_printf(&g->arena, "%s", word);
    size_t len = strlen(copy);
    if (pick(g, 400) == 0 && len)
        copy[pick(g, len)] = (char)pick(g, 256);
    return (ProtobufCBinaryData){len, (uint8_t *)copy};
}

static Prometheus__Label **labels_random(struct gen *g, size_t *count)
{
    static const char *const names[] = {"__name__", "a", "b", "instance", "job", "le", "zone", "A", "\xc3\xa9"};
    static const char *const values[] = {
        "x", "y", "0.5", "+Inf", "a much longer value than the others have, to be sure", "", "\xe2\x82\xac"};
    size_t n = 1 + pick(g, 6), kept = 0;
    Prometheus__Label **list = ARENA_ARRAY(&g->arena, Prometheus__Label *, n + 1);
    bool tidy = pick(g, 4) != 0;
    for (size_t i = 0; i < n; i++) {
        Prometheus__Label *l = ARENA_NEW(&g->arena, Prometheus__Label);
        prometheus__label__init(l);
        if (tidy) { /* sorted, unique, with a name */
            static const char *const order[] = {"__name__", "a", "b", "instance", "job", "le", "zone"};
            l->name = text(g, &order[i], 1);
        } else {
            l->name = text(g, names, pick(g, 30) ? sizeof names / sizeof names[0] : 1);
        }
        l->value = text(g, values, sizeof values / sizeof values[0] - (tidy ? 2 : 0));
        list[kept++] = l;
    }
    *count = kept;
    return list;
}

static void exemplars_random(struct gen *g, TimeSeries *t)
{
    t->n_exemplars = pick(g, 8) ? 0 : 1 + pick(g, 2);
    t->exemplars = ARENA_ARRAY(&g->arena, Prometheus__Exemplar *, t->n_exemplars + 1);
    for (size_t i = 0; i < t->n_exemplars; i++) {
        Prometheus__Exemplar *e = ARENA_NEW(&g->arena, Prometheus__Exemplar);
        prometheus__exemplar__init(e);
        e->labels = labels_random(g, &e->n_labels);
        e->value = (double)pick(g, 100);
        e->timestamp = NOW_MS - (int64_t)pick(g, 1000);
        t->exemplars[i] = e;
    }
}

static void histograms_random(struct gen *g, TimeSeries *t)
{
    t->n_histograms = pick(g, 8) ? 0 : 1;
    t->histograms = ARENA_ARRAY(&g->arena, Prometheus__Histogram *, t->n_histograms + 1);
    for (size_t i = 0; i < t->n_histograms; i++) {
        Prometheus__Histogram *h = ARENA_NEW(&g->arena, Prometheus__Histogram);
        prometheus__histogram__init(h);
        h->schema = (int32_t)pick(g, 8);
        h->sum = (double)pick(g, 1000) / 8;
        h->timestamp = NOW_MS - (int64_t)pick(g, 100000);
        h->n_positive_spans = 1;
        h->positive_spans = ARENA_ARRAY(&g->arena, Prometheus__BucketSpan *, 1);
        h->positive_spans[0] = ARENA_NEW(&g->arena, Prometheus__BucketSpan);
        prometheus__bucket_span__init(h->positive_spans[0]);
        h->positive_spans[0]->length = 3;
        h->n_positive_deltas = 3;
        h->positive_deltas = ARENA_ARRAY(&g->arena, int64_t, 3);
        h->positive_deltas[0] = (int64_t)pick(g, 10);
        h->count_case = PROMETHEUS__HISTOGRAM__COUNT_COUNT_INT;
        h->count_int = 3 * (uint64_t)h->positive_deltas[0];
        t->histograms[i] = h;
    }
}

static TimeSeries *series_random(struct gen *g)
{
    TimeSeries *t = ARENA_NEW(&g->arena, TimeSeries);
    prometheus__time_series__init(t);
    t->labels = labels_random(g, &t->n_labels);
    t->n_samples = pick(g, 8) ? 1 + (pick(g, 6) == 0 ? pick(g, 5) : 0) : 0;
    t->samples = ARENA_ARRAY(&g->arena, Prometheus__Sample *, t->n_samples + 1);
    for (size_t i = 0; i < t->n_samples; i++) {
        Prometheus__Sample *s = ARENA_NEW(&g->arena, Prometheus__Sample);
        prometheus__sample__init(s);
        s->timestamp = NOW_MS - (int64_t)pick(g, 100000) * 100;
        if (pick(g, 50) == 0)
            s->timestamp = (int64_t)(random_u64(&g->random.base) >> pick(g, 40));
        s->value = pick(g, 4) ? (double)pick(g, 1000) : f64_from_bits(random_u64(&g->random.base));
        t->samples[i] = s;
    }
    exemplars_random(g, t);
    histograms_random(g, t);
    return t;
}

static struct slice request_random(struct gen *g)
{
    Request r = PROMETHEUS__WRITE_REQUEST__INIT;
    r.n_timeseries = pick(g, 20);
    r.timeseries = ARENA_ARRAY(&g->arena, TimeSeries *, r.n_timeseries + 1);
    for (size_t i = 0; i < r.n_timeseries; i++)
        r.timeseries[i] = series_random(g);
    r.n_metadata = pick(g, 3);
    r.metadata = ARENA_ARRAY(&g->arena, Prometheus__MetricMetadata *, r.n_metadata + 1);
    for (size_t i = 0; i < r.n_metadata; i++) {
        Prometheus__MetricMetadata *m = ARENA_NEW(&g->arena, Prometheus__MetricMetadata);
        prometheus__metric_metadata__init(m);
        m->type = (Prometheus__MetricMetadata__MetricType)pick(g, 8);
        m->metric_family_name = arena_printf(&g->arena, "family_%u", (unsigned)pick(g, 5));
        m->help = arena_printf(&g->arena, "help %u", (unsigned)pick(g, 3));
        r.metadata[i] = m;
    }
    size_t len = prometheus__write_request__get_packed_size(&r);
    uint8_t *bytes = arena_alloc(&g->arena, len + 1);
    prometheus__write_request__pack(&r, bytes);
    return slice_of(bytes, len);
}

/* ---- the plain model ---- */

struct model_sample {
    char *labels;
    int64_t time_ms;
    uint64_t bits;
    size_t order;
};

struct model {
    struct arena arena;
    struct model_sample *list;
    size_t count, capacity, rejected;
};

static int by_name(const void *a, const void *b)
{
    const Prometheus__Label *x = *(Prometheus__Label *const *)a, *y = *(Prometheus__Label *const *)b;
    return slice_cmp(slice_of(x->name.data, x->name.len), slice_of(y->name.data, y->name.len));
}

/* Labels as text, or NULL when they break a rule. */
static char *labels_text(struct model *m, TimeSeries *t)
{
    struct labels_builder b;
    bool named = false;
    if (t->n_labels)
        qsort(t->labels, t->n_labels, sizeof *t->labels, by_name);
    labels_builder_init(&b, &m->arena, NULL);
    for (size_t i = 0; i < t->n_labels; i++) {
        struct slice name = slice_of(t->labels[i]->name.data, t->labels[i]->name.len);
        struct slice value = slice_of(t->labels[i]->value.data, t->labels[i]->value.len);
        bool twice = i && by_name(&t->labels[i - 1], &t->labels[i]) == 0;
        if (name.len == 0 || !utf8_valid(name) || !utf8_valid(value) || twice)
            return NULL;
        named = named || (slice_eq_str(name, METRIC_NAME) && value.len);
        labels_builder_set(&b, name, value);
    }
    if (!named)
        return NULL;
    struct labels l = labels_builder_finish(&b);
    struct buf out = {0};
    labels_print(&l, &out);
    char *text = arena_strdup(&m->arena, buf_view(&out));
    buf_deinit(&out);
    return text;
}

static void model_apply(struct model *m, const Request *r)
{
    for (size_t i = 0; i < r->n_timeseries; i++) {
        TimeSeries *t = r->timeseries[i];
        char *labels = t->n_samples ? labels_text(m, t) : NULL;
        for (size_t k = 0; k < t->n_samples; k++) {
            int64_t time_ms = t->samples[k]->timestamp;
            if (!labels || time_ms < NOW_MS - RETENTION_MS || time_ms > NOW_MS + FUTURE_MS) {
                m->rejected++;
                continue;
            }
            m->list = mem_grow(m->list, &m->capacity, m->count + 1, sizeof *m->list);
            m->list[m->count] = (struct model_sample){labels, time_ms, f64_bits(t->samples[k]->value), m->count};
            m->count++;
        }
    }
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct model_sample *x = a, *y = b;
    int c = strcmp(x->labels, y->labels);
    if (c == 0)
        c = (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void put_line(struct buf *out, const char *labels, int64_t time_ms, uint64_t bits)
{
    buf_printf(out, "%s %lld %016llx\n", labels, (long long)time_ms, (unsigned long long)bits);
}

static struct buf model_dump(struct model *m)
{
    struct buf out = {0};
    if (m->count)
        qsort(m->list, m->count, sizeof *m->list, by_series_and_time);
    for (size_t i = 0; i < m->count; i++) {
        const struct model_sample *s = &m->list[i], *next = i + 1 < m->count ? s + 1 : NULL;
        if (!next || next->time_ms != s->time_ms || strcmp(next->labels, s->labels) != 0)
            put_line(&out, s->labels, s->time_ms, s->bits);
    }
    buf_cstr(&out);
    return out;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The head in the same form; lines of a series stand together, series by their text. */
static struct buf head_dump(struct head *head)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct errmsg why;
    struct buf out = {0}, text = {0};
    arena_init(&arena, NULL);
    cr_assert_eq(head_querier(head, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    char **series = ARENA_ARRAY(&arena, char *, set->count + 1);
    for (uint32_t i = 0; i < set->count; i++) {
        struct buf part = {0};
        buf_reset(&text);
        labels_print(&set->labels[i], &text);
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, &why), ERR_OK);
        for (uint32_t k = 0; k < s.count; k++)
            if (!s.hists || !s.hists[k])
                put_line(&part, buf_cstr(&text), s.times_ms[k], f64_bits(s.values[k]));
        series[i] = arena_strdup(&arena, buf_view(&part));
        buf_deinit(&part);
    }
    qsort(series, set->count, sizeof *series, by_text);
    for (uint32_t i = 0; i < set->count; i++)
        buf_str(&out, series[i]);
    buf_cstr(&out);
    r->ops->close(r);
    q->ops->close(q);
    buf_deinit(&text);
    arena_deinit(&arena);
    return out;
}

/* ---- both ---- */

struct rig {
    struct clock_fake clock;
    struct head *head;
    struct ingest *ingest;
    struct model model;
};

static void rig_init(struct rig *r)
{
    struct head_options ho;
    struct ingest_options io;
    struct errmsg why;
    *r = (struct rig){0};
    clock_fake_init(&r->clock, NOW_MS);
    head_options_default(&ho);
    cr_assert_eq(head_new(&ho, &r->head, &why), ERR_OK);
    ingest_options_default(&io);
    io.head = r->head;
    io.clock = &r->clock.base;
    io.retention_ms = RETENTION_MS;
    io.future_max_ms = FUTURE_MS;
    cr_assert_eq(ingest_new(&io, &r->ingest, &why), ERR_OK);
    arena_init(&r->model.arena, NULL);
}

static void rig_deinit(struct rig *r)
{
    ingest_free(r->ingest);
    head_free(r->head);
    arena_deinit(&r->model.arena);
    mem_free(r->model.list);
}

static size_t histogram_count(const Request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_timeseries; i++)
        n += r->timeseries[i]->n_histograms;
    return n;
}

/* Gives both the bytes; what generated code accepts we must accept. */
static void give(struct rig *r, struct slice bytes, const char *what, uint64_t seed)
{
    struct ingest_result result;
    uint8_t *exact = mem_alloc(bytes.len); /* no readable byte behind it */
    memcpy(exact, bytes.data, bytes.len);
    Request *plain = prometheus__write_request__unpack(NULL, bytes.len, exact);
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = slice_of(exact, bytes.len), .stream = 1};
    size_t rejected = r->model.rejected;
    ingest_write(r->ingest, &req, &result);
    if (plain && bytes.len) {
        cr_assert_eq(result.err, ERR_OK, "seed %llu, %s: %s", (unsigned long long)seed, what, result.why.text);
        size_t before = r->model.count;
        model_apply(&r->model, plain);
        cr_assert_eq(result.samples, r->model.count - before, "seed %llu, %s", (unsigned long long)seed, what);
        if (histogram_count(plain) == 0)
            cr_assert_eq(ingest_status(&result) == 400, r->model.rejected > rejected, "seed %llu, %s",
                         (unsigned long long)seed, what);
    } else {
        cr_assert_eq(ingest_status(&result), 400, "seed %llu, %s", (unsigned long long)seed, what);
    }
    if (plain)
        prometheus__write_request__free_unpacked(plain, NULL);
    mem_free(exact);
}

static void compare(struct rig *r, uint64_t seed)
{
    struct buf want = model_dump(&r->model), got = head_dump(r->head);
    cr_assert_str_eq((char *)got.data, (char *)want.data, "seed %llu", (unsigned long long)seed);
    buf_deinit(&want);
    buf_deinit(&got);
}

Test(ingest_differential, stores_what_generated_code_reads)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct gen g;
        struct rig r;
        random_seeded_init(&g.random, seed);
        arena_init(&g.arena, NULL);
        rig_init(&r);
        struct slice first = {0};
        for (int k = 0; k < 20; k++) {
            struct slice request = k % 5 == 4 ? first : request_random(&g); /* known series, too */
            give(&r, request, "random", seed);
            first = k == 0 ? request : first;
        }
        compare(&r, seed);
        rig_deinit(&r);
        arena_deinit(&g.arena);
    }
}

/* We may be more tolerant only about groups, which none of these inputs has. */
static bool accepted_by_us_alone(struct rig *r, struct slice bytes)
{
    struct ingest_result result;
    Request *plain = prometheus__write_request__unpack(NULL, bytes.len, bytes.data);
    if (plain) {
        prometheus__write_request__free_unpacked(plain, NULL);
        return false;
    }
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = bytes};
    ingest_write(r->ingest, &req, &result);
    return result.err == ERR_OK;
}

/* Nothing but fields of other messages: generated code passes them over, we refuse what looks like version 2.0. */
static bool nothing_but_unknown(struct slice bytes)
{
    Request *plain = prometheus__write_request__unpack(NULL, bytes.len, bytes.data);
    bool nothing = plain && plain->n_timeseries == 0 && plain->n_metadata == 0 && plain->base.n_unknown_fields > 0;
    if (plain)
        prometheus__write_request__free_unpacked(plain, NULL);
    return nothing;
}

Test(ingest_differential, refuses_every_truncation_that_generated_code_refuses)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct gen g;
        struct rig r;
        random_seeded_init(&g.random, seed);
        arena_init(&g.arena, NULL);
        rig_init(&r);
        struct slice request = request_random(&g);
        for (size_t len = 1; len <= request.len; len++)
            give(&r, slice_of(request.data, len), "cut off", seed);
        compare(&r, seed);
        rig_deinit(&r);
        arena_deinit(&g.arena);
    }
}

Test(ingest_differential, agrees_on_damaged_requests)
{
    size_t alone = 0, all = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct gen g;
        struct rig r;
        random_seeded_init(&g.random, seed);
        arena_init(&g.arena, NULL);
        rig_init(&r);
        struct slice request = request_random(&g);
        for (int k = 0; k < 300 && request.len; k++) {
            uint8_t *bytes = arena_alloc(&g.arena, request.len);
            memcpy(bytes, request.data, request.len);
            for (uint64_t flips = 1 + pick(&g, 2); flips; flips--)
                bytes[pick(&g, request.len)] ^= (uint8_t)(1 << pick(&g, 8));
            struct slice damaged = slice_of(bytes, request.len);
            if (nothing_but_unknown(damaged))
                continue;
            all++;
            if (accepted_by_us_alone(&r, damaged)) {

                alone++; /* groups; the head has something the model has not */
                rig_deinit(&r);
                rig_init(&r);
                continue;
            }
            give(&r, damaged, "damaged", seed);
        }
        compare(&r, seed);
        rig_deinit(&r);
        arena_deinit(&g.arena);
    }
    cr_expect_eq(alone, 0, "%zu of %zu were accepted by us alone", alone, all);
}
