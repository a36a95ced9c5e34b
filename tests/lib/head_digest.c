/* head_digest.c - sums of hashes, so that order does not matter. */
#include "lib/head_digest.h"

#include "base/assert.h"
#include "base/buf.h"

static uint64_t hash_text(const struct buf *b)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < b->len; i++)
        h = (h ^ b->data[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static void put_counts(struct buf *out, const double *list, uint32_t count)
{
    buf_varint(out, count);
    for (uint32_t i = 0; i < count; i++)
        buf_le64(out, f64_bits(list[i]));
}

static void put_spans(struct buf *out, const struct histogram_span *list, uint32_t count)
{
    buf_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        buf_varint(out, zigzag_put(list[i].offset));
        buf_varint(out, list[i].length);
    }
}

static void put_histogram(struct buf *out, const struct histogram *h)
{
    buf_varint(out, zigzag_put(h->schema));
    buf_varint(out, h->reset_hint);
    put_counts(out, (const double[]){h->zero_threshold, h->zero_count, h->count, h->sum}, 4);
    put_spans(out, h->positive_spans, h->positive_span_count);
    put_spans(out, h->negative_spans, h->negative_span_count);
    put_counts(out, h->positive, h->positive_count);
    put_counts(out, h->negative, h->negative_count);
    put_counts(out, h->bounds, h->bound_count);
}

static uint64_t digest_series(const struct labels *labels, const struct samples *s, struct buf *text)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < s->count; k++) {
        buf_reset(text);
        labels_print(labels, text);
        buf_le64(text, (uint64_t)s->times_ms[k]);
        if (s->hists && s->hists[k])
            put_histogram(text, s->hists[k]);
        else
            buf_le64(text, f64_bits(s->values[k]));
        sum += hash_text(text);
    }
    return sum;
}

struct sum {
    uint64_t total;
    struct buf text;
};

static bool add_metadata(void *ctx, const struct metadata *m)
{
    struct sum *s = ctx;
    buf_reset(&s->text);
    buf_u8(&s->text, (uint8_t)m->type);
    buf_varint(&s->text, m->metric.len);
    buf_slice(&s->text, m->metric);
    buf_varint(&s->text, m->help.len);
    buf_slice(&s->text, m->help);
    buf_slice(&s->text, m->unit);
    s->total += hash_text(&s->text);
    return true;
}

static bool add_exemplar(void *ctx, const struct labels *series, const struct exemplar *e)
{
    struct sum *s = ctx;
    buf_reset(&s->text);
    labels_print(series, &s->text);
    labels_print(&e->labels, &s->text);
    buf_le64(&s->text, (uint64_t)e->time_ms);
    buf_le64(&s->text, f64_bits(e->value));
    s->total += hash_text(&s->text);
    return true;
}

uint64_t head_digest(struct head *head)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples got;
    struct errmsg why;
    struct sum sum = {0};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    enum err err = head_querier(head, INT64_MIN, INT64_MAX, &q, &why);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, &why);
    assert(err == ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        err = r->ops->read(r, i, INT64_MIN, INT64_MAX, &got, &why);
        assert(err == ERR_OK);
        sum.total += digest_series(&set->labels[i], &got, &sum.text);
    }
    r->ops->close(r);
    q->ops->close(q);
    head_metadata(head, (struct slice){0}, add_metadata, &sum);
    head_exemplars(head, NULL, 0, INT64_MIN, INT64_MAX, add_exemplar, &sum);
    buf_deinit(&sum.text);
    arena_deinit(&arena);
    return sum.total;
}
