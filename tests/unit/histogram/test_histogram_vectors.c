/* Every operation against Prometheus' own answers: vectors/histogram.txt, made by vectors/histogram.go. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "histogram/histogram.h"

/* ---- The generator of histogram.go ---- */

struct gen {
    uint64_t state;
    struct arena *arena;
};

static uint64_t next(struct gen *g)
{
    uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int below(struct gen *g, uint64_t n)
{
    return (int)(next(g) % n);
}

static double count(struct gen *g)
{
    switch (below(g, 8)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return (double)below(g, 1000) / 8;
    case 3:
        return (double)(next(g) >> 11) * 0x1p-30;
    case 4:
        return (double)below(g, 100) / 10;
    default:
        return below(g, 1000);
    }
}

enum { SPANS_MAX = 4, BUCKETS_MAX = 32 };

static void make_side(struct gen *g, bool custom, const struct histogram_span **spans_out, uint32_t *span_count,
                      const double **buckets_out, uint32_t *bucket_count)
{
    struct histogram_span *spans = ARENA_ARRAY(g->arena, struct histogram_span, SPANS_MAX);
    double *buckets = ARENA_ARRAY(g->arena, double, BUCKETS_MAX);
    int reach = 0;
    for (int n = below(g, 4); n > 0; n--) {
        int offset = below(g, 4);
        if (*span_count == 0 && !custom)
            offset = below(g, 24) - 12;
        int length = 1 + below(g, 5);
        if (reach + offset + length > 12 && custom)
            break;
        reach += offset + length;
        spans[(*span_count)++] = (struct histogram_span){offset, (uint32_t)length};
        for (; length > 0; length--)
            buckets[(*bucket_count)++] = count(g);
    }
    *spans_out = spans;
    *buckets_out = buckets;
}

static void make_custom(struct gen *g, struct histogram *h)
{
    static const double list[] = {-5, -1, 0, 0.5, 1, 2, 2.5, 5, 10, 25, 50, 100, 1000};
    double *bounds = ARENA_ARRAY(g->arena, double, 40);
    int left = 12;
    h->schema = HISTOGRAM_SCHEMA_CUSTOM;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if ((int)h->bound_count + left > 12 && below(g, 6) == 0 && left > 0)
            left--;
        else
            bounds[h->bound_count++] = list[i];
    }
    make_side(g, true, &h->positive_spans, &h->positive_span_count, &h->positive, &h->positive_count);
    uint32_t reach = 0;
    for (uint32_t i = 0; i < h->positive_span_count; i++)
        reach += (uint32_t)h->positive_spans[i].offset + h->positive_spans[i].length;
    for (; h->bound_count < reach; h->bound_count++)
        bounds[h->bound_count] = 2000 + (double)h->bound_count;
    h->bounds = bounds;
}

static struct histogram *make(struct gen *g, int mode, int schema)
{
    static const double thresholds[8] = {0, 0, 1e-128, 0.001, 0.5, 1, 0.7071067811865475, 2};
    struct histogram *h = ARENA_NEW(g->arena, struct histogram);
    h->reset_hint = (uint32_t)below(g, 4);
    double part = count(g);
    h->count = part + (double)below(g, 500);
    part = count(g);
    h->sum = part - (double)below(g, 100);
    if (below(g, 12) == 0)
        h->sum = NAN;
    if (mode == 1) {
        make_custom(g, h);
        return h;
    }
    h->schema = schema;
    h->zero_threshold = thresholds[below(g, 8)];
    h->zero_count = count(g);
    make_side(g, false, &h->positive_spans, &h->positive_span_count, &h->positive, &h->positive_count);
    make_side(g, false, &h->negative_spans, &h->negative_span_count, &h->negative, &h->negative_count);
    return h;
}

static void make_pair(struct gen *g, struct histogram **a, struct histogram **b)
{
    int mode = below(g, 4) == 0, schema = below(g, 13) - 4, other = schema;
    if (below(g, 3) == 0)
        other = below(g, 13) - 4;
    *a = make(g, mode, schema);
    if (below(g, 4) != 0) {
        *b = make(g, mode, other);
        return;
    }
    *b = ARENA_NEW(g->arena, struct histogram);
    **b = **a;
    double *buckets = ARENA_ARRAY(g->arena, double, BUCKETS_MAX);
    for (uint32_t i = 0; i < (*a)->positive_count; i++)
        buckets[i] = count(g);
    (*b)->positive = buckets;
    (*b)->reset_hint = (uint32_t)below(g, 4);
}

static int make_list(struct gen *g, bool huge, const struct histogram *list[8])
{
    int mode = below(g, 4) == 0, schema = below(g, 13) - 4, total = 2 + below(g, 5);
    for (int i = 0; i < total; i++) {
        if (below(g, 5) == 0)
            schema = below(g, 13) - 4;
        list[i] = make(g, mode, schema);
        if (huge && below(g, 2) == 0)
            list[i] = histogram_mul(g->arena, list[i], 1e305);
    }
    return total;
}

/* ---- dump() of histogram.go ---- */

static void put_bits(struct buf *out, double v)
{
    if (isnan(v))
        buf_str(out, "NaN");
    else
        buf_printf(out, "%llx", (unsigned long long)f64_bits(v));
}

static void put_side(struct buf *out, const struct histogram_span *spans, uint32_t span_count, const double *buckets,
                     uint32_t bucket_count)
{
    buf_str(out, " |");
    for (uint32_t i = 0; i < span_count; i++)
        buf_printf(out, " %d:%u", spans[i].offset, spans[i].length);
    buf_str(out, " =");
    for (uint32_t i = 0; i < bucket_count; i++) {
        buf_u8(out, ' ');
        put_bits(out, buckets[i]);
    }
}

static void dump(struct buf *out, const struct histogram *h)
{
    const double fields[] = {h->zero_threshold, h->zero_count, h->count, h->sum};
    buf_printf(out, "%d %u", h->schema, h->reset_hint);
    for (int i = 0; i < 4; i++) {
        buf_u8(out, ' ');
        put_bits(out, fields[i]);
    }
    put_side(out, h->positive_spans, h->positive_span_count, h->positive, h->positive_count);
    put_side(out, h->negative_spans, h->negative_span_count, h->negative, h->negative_count);
    buf_str(out, " |");
    for (uint32_t i = 0; i < h->bound_count; i++) {
        buf_u8(out, ' ');
        put_bits(out, h->bounds[i]);
    }
}

static void put_notes(struct buf *out, unsigned notes)
{
    static const char *const names[] = {"collision", "reconciled", "nan", "skewed", "nans"};
    for (int i = 0; i < 5; i++)
        if (notes & 1U << i)
            buf_printf(out, " %s", names[i]);
}

/* ---- The operations ---- */

static const double points[] = {-10, -1, -0.3, 0, 1e-5, 0.3, 0.5, 0.9, 1, 1.7, 3, 40, 2000, -INFINITY, INFINITY, NAN};
enum { POINTS = sizeof points / sizeof points[0] };

static void do_add(struct gen *g, const struct histogram *a, const struct histogram *b, struct buf *out, bool add)
{
    const struct histogram *res;
    unsigned notes = 0;
    enum err err = add ? histogram_add(g->arena, a, b, &res, &notes) : histogram_sub(g->arena, a, b, &res, &notes);
    cr_assert_eq(err, ERR_OK);
    dump(out, res);
    put_notes(out, notes);
    buf_str(out, "; ");
    dump(out, histogram_compact(g->arena, res));
}

static void do_scale(struct gen *g, const struct histogram *a, const struct histogram *b, struct buf *out)
{
    double f = count(g) - 20;
    dump(out, histogram_mul(g->arena, a, f));
    buf_str(out, "; ");
    dump(out, histogram_div(g->arena, a, f));
    buf_str(out, "; ");
    dump(out, histogram_div(g->arena, b, 0));
}

static void do_total(struct gen *g, struct buf *out, bool mean)
{
    const struct histogram *list[8];
    int total = make_list(g, mean && below(g, 2) == 0, list);
    unsigned notes = 0;
    struct histogram_total *t = histogram_total_new(g->arena, list[0]);
    for (int i = 1; i < total; i++) {
        enum err err = mean ? histogram_total_add_mean(t, list[i], &notes) : histogram_total_add(t, list[i], &notes);
        cr_assert_eq(err, ERR_OK);
    }
    dump(out, mean ? histogram_total_mean(t) : histogram_total_sum(t));
    put_notes(out, mean ? 0 : notes);
}

static void do_reset(struct gen *g, struct histogram *a, struct histogram *b, struct buf *out)
{
    struct histogram *c = ARENA_NEW(g->arena, struct histogram);
    double *buckets = ARENA_ARRAY(g->arena, double, BUCKETS_MAX);
    *c = *a;
    for (uint32_t i = 0; i < a->positive_count; i++)
        buckets[i] = a->positive[i] + 1;
    c->positive = buckets;
    c->reset_hint = a->reset_hint = RESET_UNKNOWN;
    b->reset_hint = RESET_GAUGE;
    b->count = a->count + 1;
    const bool answers[] = {histogram_detect_reset(a, b),
                            histogram_detect_reset(b, a),
                            histogram_detect_reset(c, a),
                            histogram_detect_reset(a, c),
                            histogram_detect_reset(a, a),
                            histogram_equal(a, b),
                            histogram_equal(a, histogram_compact(g->arena, a))};
    for (int i = 0; i < 7; i++)
        buf_printf(out, "%s%s", i ? " " : "", answers[i] ? "true" : "false");
}

static void do_quantile(const struct histogram *h, struct buf *out)
{
    static const double phis[] = {-1, 0, 0.01, 0.2, 0.4999, 0.5, 0.75, 0.99, 1, 2, NAN};
    for (size_t i = 0; i < sizeof phis / sizeof phis[0]; i++) {
        unsigned notes = 0;
        buf_u8(out, ' ');
        put_bits(out, histogram_quantile(phis[i], h, &notes));
        put_notes(out, notes);
    }
}

static void do_fraction(const struct histogram *h, struct buf *out)
{
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++) {
            if ((i + j) % 3 != 0)
                continue;
            unsigned notes = 0;
            buf_u8(out, ' ');
            put_bits(out, histogram_fraction(points[i], points[j], h, &notes));
            put_notes(out, notes);
        }
}

static void do_trim(struct gen *g, const struct histogram *h, struct buf *out)
{
    for (int i = 0; i < POINTS; i++) {
        dump(out, histogram_trim_upper(g->arena, h, points[i]));
        buf_str(out, "; ");
        dump(out, histogram_trim_lower(g->arena, h, points[i]));
        buf_str(out, "; ");
    }
}

static void do_buckets(const struct histogram *h, struct buf *out)
{
    for (int order = HISTOGRAM_POSITIVE; order <= HISTOGRAM_ALL_REVERSE; order++) {
        struct histogram_iter it;
        histogram_iter_init(&it, h, (enum histogram_order)order);
        while (histogram_next(&it)) {
            const double fields[] = {it.bucket.lower, it.bucket.upper, it.bucket.count};
            for (int i = 0; i < 3; i++) {
                buf_u8(out, i ? ',' : ' ');
                put_bits(out, fields[i]);
            }
            buf_printf(out, ",%d%s%s", it.bucket.index, it.bucket.lower_inclusive ? " l" : "",
                       it.bucket.upper_inclusive ? " u" : "");
        }
        buf_u8(out, ';');
    }
}

static const char *const operations[] = {"add",   "sub",      "scale",    "reduce", "sum",     "mean",
                                         "reset", "quantile", "fraction", "trim",   "buckets", "text"};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

static void answer(int operation, struct gen *g, struct buf *out)
{
    struct histogram *a, *b;
    make_pair(g, &a, &b);
    switch (operation) {
    case 0:
    case 1:
        do_add(g, a, b, out, operation == 0);
        break;
    case 2:
        do_scale(g, a, b, out);
        break;
    case 3:
        if (histogram_is_custom(a) || a->schema <= -2)
            buf_str(out, "none");
        else
            dump(out, histogram_reduce(g->arena, a, a->schema - 2));
        break;
    case 4:
    case 5:
        do_total(g, out, operation == 5);
        break;
    case 6:
        do_reset(g, a, b, out);
        break;
    case 7:
        do_quantile(a, out);
        break;
    case 8:
        do_fraction(a, out);
        break;
    case 9:
        do_trim(g, a, out);
        break;
    case 10:
        do_buckets(a, out);
        break;
    default:
        histogram_print(a, out);
        buf_u8(out, ' ');
        histogram_print_expression(b, out);
        break;
    }
}

static int operation_of(const char *name)
{
    int i = 0;
    while (i < OPERATIONS && strcmp(name, operations[i]) != 0)
        i++;
    cr_assert_lt(i, OPERATIONS, "%s", name);
    return i;
}

static uint32_t checksum(struct slice s)
{
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < s.len; i++)
        sum = (sum ^ s.data[i]) * 16777619U;
    return sum;
}

Test(histogram_vectors, every_operation_gives_the_bits_and_notes_of_prometheus)
{
    FILE *file = fopen("tests/unit/histogram/vectors/histogram.txt", "r");
    cr_assert(file, "run from the top folder");
    FILE *show = getenv("HISTOGRAM_TEXTS") ? fopen(getenv("HISTOGRAM_TEXTS"), "w") : NULL; /* for diff with "show" */
    char name[20];
    unsigned number, wanted, rows = 0;
    for (; fscanf(file, "%19s %u %x", name, &number, &wanted) == 3; rows++) {
        struct arena arena;
        struct buf out = {0};
        arena_init(&arena, NULL);
        int operation = operation_of(name);
        struct gen g = {(uint64_t)operation * 1000000 + number, &arena};
        answer(operation, &g, &out);
        cr_expect_eq(checksum(buf_view(&out)), wanted, "%s %u", name, number);
        if (show)
            fprintf(show, "%s %u %s\n", name, number, buf_cstr(&out));
        buf_deinit(&out);
        arena_deinit(&arena);
    }
    fclose(file);
    if (show)
        fclose(show);
    cr_expect_eq(rows, OPERATIONS * 250);
}
