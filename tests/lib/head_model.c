/* head_model.c - the plain model; the contract is in head_model.h. */
#include "lib/head_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* Also used by programs without a test framework. */
#define MUST(condition, ...) ((condition) ? (void)0 : (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort()))

static void put_label(uint8_t **out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    uint8_t *p = *out;
    *p++ = 0x0a;
    *p++ = (uint8_t)(4 + n + v);
    *p++ = 0x0a;
    *p++ = (uint8_t)n;
    memcpy(p, name, n);
    p += n;
    *p++ = 0x12;
    *p++ = (uint8_t)v;
    memcpy(p, value, v);
    *out = p + v;
}

static void series_init(struct model_series *s, size_t i)
{
    char instance[32], metric[32];
    uint8_t *p = s->canonical;
    snprintf(instance, sizeof instance, "i%zu", i / 10);
    snprintf(metric, sizeof metric, "m%zu", i % 10);
    put_label(&p, "__name__", metric);
    put_label(&p, "instance", instance);
    put_label(&p, "job", "test");
    s->canonical_len = (size_t)(p - s->canonical);
    snprintf(s->labels, sizeof s->labels, "%s{instance=\"%s\", job=\"test\"}", metric, instance);
}

void model_init(struct head_model *m, uint64_t seed, size_t series)
{
    struct head_options o;
    struct errmsg why;
    *m = (struct head_model){.series_count = series};
    random_seeded_init(&m->random, seed);
    head_options_default(&o);
    o.random = &m->random.base;
    o.cut_series = 7;
    MUST(head_new(&o, &m->head, &why) == ERR_OK, "head_new");
    m->appender = head_appender_new(m->head);
    m->series = mem_array(series, sizeof *m->series);
    for (size_t i = 0; i < series; i++)
        series_init(&m->series[i], i);
}

void model_deinit(struct head_model *m)
{
    head_appender_free(m->appender);
    head_free(m->head);
    for (size_t i = 0; i < m->series_count; i++)
        mem_free(m->series[i].list);
    mem_free(m->series);
    buf_deinit(&m->records);
}

uint64_t model_random(struct head_model *m, uint64_t below)
{
    return random_u64(&m->random.base) % below;
}

/* For one time a histogram hides a float, whichever came first. */
static void put_sample(struct model_series *s, int64_t time_ms, uint64_t bits, bool hist)
{
    size_t i = s->count;
    while (i > 0 && s->list[i - 1].time_ms > time_ms)
        i--;
    if (i > 0 && s->list[i - 1].time_ms == time_ms) {
        if (hist || !s->list[i - 1].hist)
            s->list[i - 1] = (struct model_sample){time_ms, bits, hist};
        return;
    }
    s->list = mem_grow(s->list, &s->capacity, s->count + 1, sizeof *s->list);
    memmove(s->list + i + 1, s->list + i, (s->count - i) * sizeof *s->list);
    s->list[i] = (struct model_sample){time_ms, bits, hist};
    s->count++;
}

static series_ref get_series(struct head_model *m, size_t i, int64_t time_ms)
{
    struct model_series *s = &m->series[i];
    struct slice canonical = slice_of(s->canonical, s->canonical_len);
    struct hash128 hash = series_hash(head_hash_key(m->head), s->canonical, s->canonical_len);
    series_ref ref = head_lookup(m->appender, hash);
    if (ref)
        return ref;
    head_create_begin(m->appender);
    enum err err = head_series_get(m->appender, canonical, hash, time_ms, &m->records, &ref);
    head_create_end(m->appender);
    MUST(err == ERR_OK, "head_series_get");
    return ref;
}

void model_append(struct head_model *m, const struct model_row *rows, size_t count)
{
    struct head_row *in = mem_array(count, sizeof *in);
    head_appender_enter(m->appender, 1);
    for (size_t i = 0; i < count; i++) {
        put_sample(&m->series[rows[i].series], rows[i].time_ms, rows[i].bits, false);
        in[i] = (struct head_row){
            .ref = get_series(m, rows[i].series, rows[i].time_ms), .time_ms = rows[i].time_ms, .bits = rows[i].bits};
    }
    uint32_t left = head_append(m->appender, in, (uint32_t)count, &m->records);
    MUST(left == 0, "head_append: %u rows without a series", left);
    head_appender_leave(m->appender);
    assert(m->frame_count < sizeof m->frame_ends / sizeof m->frame_ends[0]);
    m->frame_ends[m->frame_count++] = m->records.len;
    mem_free(in);
}

/* Layout and counts follow from the sum, so that neighbours differ in both. */
struct made_histogram {
    struct histogram h;
    struct histogram_span spans[2];
    double positive[8];
};

static const struct histogram *histogram_of(double sum, struct made_histogram *out)
{
    uint64_t r = f64_bits(sum) * 0x9e3779b97f4a7c15u;
    *out = (struct made_histogram){.spans = {{(int32_t)(r >> 60), 2 + (uint32_t)(r >> 56) % 2}, {1, 1}}};
    uint32_t n = out->spans[0].length + out->spans[1].length;
    double count = 3;
    for (uint32_t i = 0; i < n; i++)
        count += out->positive[i] = (double)((r >> 4 * i) % 1000) + (r >> 50 == 7 ? 0.5 : 0);
    out->h = (struct histogram){.schema = (int32_t)(r >> 40) % 40 ? 3 : 2,
                                .reset_hint = (uint32_t)(r >> 20) % 3,
                                .zero_threshold = 1e-9,
                                .zero_count = 3,
                                .count = count,
                                .sum = sum,
                                .positive_span_count = 2,
                                .positive_count = n,
                                .positive_spans = out->spans,
                                .positive = out->positive};
    return &out->h;
}

static bool histogram_same(const struct histogram *a, const struct histogram *b)
{
    if (!a || a->schema != b->schema || a->reset_hint != b->reset_hint || a->count != b->count ||
        f64_bits(a->sum) != f64_bits(b->sum) || a->zero_count != b->zero_count || a->negative_count ||
        a->positive_count != b->positive_count || a->positive_span_count != b->positive_span_count || a->bound_count)
        return false;
    return memcmp(a->positive, b->positive, a->positive_count * sizeof *a->positive) == 0 &&
           memcmp(a->positive_spans, b->positive_spans, a->positive_span_count * sizeof *a->positive_spans) == 0;
}

void model_append_histogram(struct head_model *m, size_t series, int64_t time_ms, double sum)
{
    struct made_histogram made;
    put_sample(&m->series[series], time_ms, f64_bits(sum), true);
    head_appender_enter(m->appender, 1);
    series_ref ref = get_series(m, series, time_ms);
    bool there = head_histogram_append(m->appender, ref, time_ms, histogram_of(sum, &made), &m->records);
    MUST(there, "head_histogram_append");
    head_appender_leave(m->appender);
    m->frame_ends[m->frame_count++] = m->records.len;
}

static uint64_t next_bits(struct head_model *m, size_t series, uint64_t before)
{
    switch (model_random(m, 12)) {
    case 0:
        return random_u64(&m->random.base);
    case 1:
        return UINT64_C(0x7ff0000000000002); /* stale */
    case 2:
        return 0;
    case 3:
        return UINT64_C(1) << 63;
    case 4:
    case 5:
    case 6:
        return series % 3 ? before : f64_bits(f64_from_bits(before) + 1);
    default:
        return series % 2 ? before : f64_bits((double)model_random(m, 1000) / 8);
    }
}

void model_scrapes(struct head_model *m, int64_t from_ms, int scrapes)
{
    struct model_row *rows = mem_array(m->series_count * 2, sizeof *rows);
    for (int k = 0; k < scrapes; k++) {
        size_t n = 0, targets = (m->series_count + 9) / 10;
        for (size_t target = 0; target < targets; target++) {
            int64_t time_ms = from_ms + k * 15000 + (int64_t)(target % 7) * 11;
            bool late = model_random(m, 20) == 0;
            if (model_random(m, 15) == 0)
                continue; /* a missed scrape */
            for (size_t i = target * 10; i < target * 10 + 10 && i < m->series_count; i++) {
                struct model_series *s = &m->series[i];
                uint64_t before = s->count ? s->list[s->count - 1].bits : 0;
                if (model_random(m, 30) == 0)
                    continue;
                int64_t t = late ? time_ms - (int64_t)model_random(m, 200000) : time_ms;
                rows[n++] = (struct model_row){i, t, next_bits(m, i, before)};
                if (model_random(m, 25) == 0) { /* once more, sometimes with another value */
                    rows[n] = rows[n - 1];
                    rows[n].bits ^= model_random(m, 2);
                    n++;
                }
            }
        }
        model_append(m, rows, n);
        for (size_t i = 7; i < m->series_count; i += 25) {
            int64_t t = from_ms + k * 15000 - (model_random(m, 9) == 0 ? (int64_t)model_random(m, 300000) : 0);
            model_append_histogram(m, i, t, (double)model_random(m, 100000) / 4);
        }
    }
    mem_free(rows);
}

void model_drop(struct head_model *m, int64_t before_ms)
{
    for (size_t i = 0; i < m->series_count; i++) {
        struct model_series *s = &m->series[i];
        size_t n = 0;
        while (n < s->count && s->list[n].time_ms < before_ms)
            n++;
        memmove(s->list, s->list + n, (s->count - n) * sizeof *s->list);
        s->count -= n;
    }
}

static const struct model_series *find_series(const struct head_model *m, const char *labels)
{
    for (size_t i = 0; i < m->series_count; i++)
        if (strcmp(m->series[i].labels, labels) == 0)
            return &m->series[i];
    return NULL;
}

static size_t compare_series(const struct model_series *s, const struct samples *got, int64_t mint_ms, int64_t maxt_ms)
{
    size_t k = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].time_ms < mint_ms || s->list[i].time_ms > maxt_ms)
            continue;
        MUST(k < got->count, "%s: sample %zu of time %lld is missing", s->labels, i, (long long)s->list[i].time_ms);
        MUST(got->times_ms[k] == s->list[i].time_ms, "%s: sample %zu: %lld instead of %lld", s->labels, k,
             (long long)got->times_ms[k], (long long)s->list[i].time_ms);
        const struct histogram *h = got->hists ? got->hists[k] : NULL;
        struct made_histogram made;
        if (s->list[i].hist)
            MUST(histogram_same(h, histogram_of(f64_from_bits(s->list[i].bits), &made)), "%s: histogram %zu", s->labels,
                 k);
        else
            MUST(!h && f64_bits(got->values[k]) == s->list[i].bits, "%s: value of sample %zu", s->labels, k);
        k++;
    }
    MUST(k == got->count, "%s: %u samples instead of %zu", s->labels, got->count, k);
    return k;
}

static void compare_last(const struct samples *all, int64_t time_ms, uint64_t bits, bool some, const char *labels)
{
    if (some && all->count && all->hists && all->hists[0])
        bits = f64_bits(all->values[0]); /* the histogram was compared with all the others */
    MUST(all->count == some, "%s: last", labels);
    if (some) {
        MUST(all->times_ms[0] == time_ms, "%s: time of last", labels);
        MUST(f64_bits(all->values[0]) == bits, "%s: value of last", labels);
    }
}

void model_compare(struct head_model *m, struct head *head, int64_t mint_ms, int64_t maxt_ms)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s, last;
    struct errmsg why;
    struct buf text = {0};
    size_t found = 0, expected = 0;
    arena_init(&arena, NULL);
    MUST(head_querier(head, mint_ms, maxt_ms, &q, &why) == ERR_OK, "querier");
    struct selector sel = {.mint_ms = mint_ms, .maxt_ms = maxt_ms};
    MUST(q->ops->select(q, &sel, &arena, NULL, &set, &why) == ERR_OK, "select");
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        buf_reset(&text);
        labels_print(&set->labels[i], &text);
        const struct model_series *series = find_series(m, buf_cstr(&text));
        MUST(series != NULL, "unknown series %s", buf_cstr(&text));
        MUST(r->ops->read(r, i, mint_ms, maxt_ms, &s, &why) == ERR_OK, "read");
        found += compare_series(series, &s, mint_ms, maxt_ms) > 0;
        int64_t time_ms = s.count ? s.times_ms[s.count - 1] : 0;
        uint64_t bits = s.count ? f64_bits(s.values[s.count - 1]) : 0;
        bool hist = s.count && s.hists && s.hists[s.count - 1];
        MUST(r->ops->last(r, i, mint_ms, maxt_ms, &last, &why) == ERR_OK, "last");
        MUST(!hist || (last.count && last.hists && last.hists[0]), "%s: last is a histogram", series->labels);
        compare_last(&last, time_ms, bits, s.count > 0, series->labels);
    }
    for (size_t i = 0; i < m->series_count; i++)
        for (size_t k = 0; k < m->series[i].count; k++)
            if (m->series[i].list[k].time_ms >= mint_ms && m->series[i].list[k].time_ms <= maxt_ms) {
                expected++;
                break;
            }
    MUST(found == expected, "%zu series instead of %zu", found, expected);
    r->ops->close(r);
    q->ops->close(q);
    buf_deinit(&text);
    arena_deinit(&arena);
}

static struct head *replay(struct head_model *m, unsigned threads, bool damaged, struct head_replay_report *report)
{
    struct head_options o;
    struct errmsg why;
    struct head *head;
    head_options_default(&o);
    o.random = &m->random.base;
    MUST(head_new(&o, &head, &why) == ERR_OK, "head_new");
    struct head_replay *r = head_replay_new(head, threads);
    size_t start = 0;
    for (size_t i = 0; i < m->frame_count; i++) {
        struct slice frame = slice_of(m->records.data + start, m->frame_ends[i] - start);
        enum err err = head_replay_frame(r, frame, &why);
        MUST(err == ERR_OK || damaged, "%s", why.text);
        start = m->frame_ends[i];
    }
    head_replay_finish(r, report);
    return head;
}

struct head *model_replay(struct head_model *m, unsigned threads, struct head_replay_report *report)
{
    return replay(m, threads, false, report);
}

struct head *model_replay_damaged(struct head_model *m, unsigned threads, struct head_replay_report *report)
{
    return replay(m, threads, true, report);
}
