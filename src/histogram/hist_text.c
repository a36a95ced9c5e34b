/* hist_text.c - histograms as text: for people and labels, and as test scripts write them. */
#include "histogram/hist_internal.h"
#include "numeric/goformat.h"

static void number(struct buf *out, double v)
{
    goformat_append(out, v, 'g', -1);
}

static void print_bucket(const struct histogram_bucket *b, struct buf *out)
{
    buf_str(out, b->lower_inclusive ? ", [" : ", (");
    number(out, b->lower);
    buf_u8(out, ',');
    number(out, b->upper);
    buf_str(out, b->upper_inclusive ? "]:" : "):");
    number(out, b->count);
}

static void print_side(const struct histogram *h, enum histogram_order order, struct buf *out)
{
    struct histogram_iter it;
    histogram_iter_init(&it, h, order);
    while (histogram_next(&it))
        if (it.bucket.count != 0)
            print_bucket(&it.bucket, out);
}

void histogram_print(const struct histogram *h, struct buf *out)
{
    buf_str(out, "{count:");
    number(out, h->count);
    buf_str(out, ", sum:");
    number(out, h->sum);
    print_side(h, HISTOGRAM_NEGATIVE_REVERSE, out);
    if (h->zero_count != 0) {
        struct histogram_bucket zero = histogram_zero_bucket(h);
        print_bucket(&zero, out);
    }
    print_side(h, HISTOGRAM_POSITIVE, out);
    buf_u8(out, '}');
}

/* ---- {{schema:1 count:5 ...}} ---- */

static void field(struct buf *out, const char *name, double v)
{
    if (v == 0)
        return;
    buf_printf(out, "%s:", name);
    number(out, v);
    buf_u8(out, ' ');
}

static void list(struct buf *out, const char *name, const double *values, uint32_t count)
{
    buf_printf(out, "%s:[", name);
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_u8(out, ' ');
        number(out, values[i]);
    }
    buf_str(out, "] ");
}

enum { GAP_MAX = 10000 };

/* The gap's zeros; one that nobody would write in a test script is "..." */
static void print_gap(int64_t buckets, struct buf *out)
{
    if (buckets > GAP_MAX)
        buf_str(out, " ...");
    for (int64_t i = 0; i < buckets && buckets <= GAP_MAX; i++)
        buf_str(out, " 0");
}

/* Buckets from the first to the last that has something in it, with the gaps as zeros. */
static void print_dense(const struct histogram *h, int side, const char *offset_name, const char *name, struct buf *out)
{
    struct hist_side s = hist_side_of(h, side);
    struct hist_walk w;
    int64_t next = 0;
    bool any = false;
    hist_walk_init(&w, &s);
    while (hist_walk_next(&w)) {
        if (s.buckets[w.at] == 0)
            continue;
        if (!any) {
            if (w.index != 0)
                buf_printf(out, "%s:%lld ", offset_name, (long long)w.index);
            buf_printf(out, "%s:[", name);
        } else {
            print_gap(w.index - next, out);
            buf_u8(out, ' ');
        }
        number(out, s.buckets[w.at]);
        any = true;
        next = w.index + 1;
    }
    if (any)
        buf_str(out, "] ");
}

void histogram_print_expression(const struct histogram *h, struct buf *out)
{
    static const char *const hints[] = {NULL, "reset", "not_reset", "gauge"};
    buf_str(out, "{{");
    size_t start = out->len;
    if (h->schema != 0)
        buf_printf(out, "schema:%d ", h->schema);
    field(out, "count", h->count);
    field(out, "sum", h->sum);
    field(out, "z_bucket", h->zero_count);
    field(out, "z_bucket_w", h->zero_threshold);
    if (histogram_is_custom(h))
        list(out, "custom_values", h->bounds, h->bound_count);
    if (h->reset_hint >= RESET_YES && h->reset_hint <= RESET_GAUGE)
        buf_printf(out, "counter_reset_hint:%s ", hints[h->reset_hint]);
    print_dense(h, HIST_POSITIVE, "offset", "buckets", out);
    print_dense(h, HIST_NEGATIVE, "n_offset", "n_buckets", out);
    if (out->len > start)
        out->len--; /* the last space */
    buf_str(out, "}}");
}
