/*
 * script_nhcb.c - load_with_nhcb: x_bucket, x_count and x_sum become native histograms x with custom bounds.
 *
 * All series of one base (name without suffix, labels without le) are joined time by time.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "compat/script_run.h"
#include "histogram/histogram.h"
#include "lib/memory_storage.h"
#include "numeric/goparse.h"

enum part_kind { PART_NONE, PART_BUCKET, PART_SUM, PART_COUNT };

struct part {
    struct labels base;
    enum part_kind kind;
    double le;
    const struct script_series *series;
    bool done;
};

struct bucket {
    double le, count;
};

struct classic {
    struct bucket *buckets;
    size_t count;
    double total, sum;
    bool any, has_total;
};

static enum part_kind part_kind_of(struct slice *name)
{
    static const struct {
        const char *suffix;
        enum part_kind kind;
    } suffixes[] = {{"_bucket", PART_BUCKET}, {"_sum", PART_SUM}, {"_count", PART_COUNT}};
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(suffixes[i].suffix);
        if (name->len > len && memcmp(name->data + name->len - len, suffixes[i].suffix, len) == 0) {
            name->len -= len;
            return suffixes[i].kind;
        }
    }
    return PART_NONE;
}

static struct part part_of(const struct script_series *s, struct arena *arena)
{
    struct part p = {.series = s};
    struct labels_builder b;
    struct slice name = labels_name(&s->labels), le = labels_get(&s->labels, SLICE_LIT("le"));
    p.kind = part_kind_of(&name);
    if (p.kind == PART_BUCKET && (goparse_float(le, &p.le, NULL) != ERR_OK || isnan(p.le)))
        p.kind = PART_NONE;
    labels_builder_init(&b, arena, &s->labels);
    labels_builder_set(&b, SLICE_LIT(METRIC_NAME), name);
    labels_builder_del(&b, SLICE_LIT("le"));
    p.base = labels_builder_finish(&b);
    return p;
}

static int bucket_order(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->le, y = ((const struct bucket *)b)->le;
    return (x > y) - (x < y);
}

/* What the parts of one base say at place i of their sequences. */
static struct classic collect(const struct part *parts, size_t count, const struct part *base, uint32_t i,
                              struct arena *arena)
{
    struct classic c = {.buckets = ARENA_ARRAY(arena, struct bucket, count + 1)};
    for (size_t k = 0; k < count; k++) {
        const struct part *p = &parts[k];
        if (p->kind == PART_NONE || !labels_eq(&p->base, &base->base) || i >= p->series->values.count)
            continue;
        const struct script_value *v = &p->series->values.list[i];
        if (v->omitted || v->h)
            continue;
        c.any = true;
        if (p->kind == PART_BUCKET)
            c.buckets[c.count++] = (struct bucket){p->le, v->value};
        else if (p->kind == PART_SUM)
            c.sum = v->value;
        else
            c.total = v->value, c.has_total = true;
    }
    qsort(c.buckets, c.count, sizeof *c.buckets, bucket_order);
    if (!c.has_total && c.count)
        c.total = c.buckets[c.count - 1].count;
    if (c.count == 0 || c.buckets[c.count - 1].le != INFINITY)
        c.buckets[c.count++] = (struct bucket){INFINITY, c.total};
    return c;
}

static enum err convert(const struct classic *c, struct arena *arena, const struct histogram **out, struct errmsg *why)
{
    struct histogram *h = ARENA_NEW(arena, struct histogram);
    struct histogram_span *span = ARENA_NEW(arena, struct histogram_span);
    double *bounds = ARENA_ARRAY(arena, double, c->count), *counts = ARENA_ARRAY(arena, double, c->count);
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0 && c->buckets[i].le == c->buckets[i - 1].le)
            continue; /* "1" and "1.0" */
        counts[n] = c->buckets[i].count - (n ? c->buckets[i - 1].count : 0);
        bounds[n] = c->buckets[i].le;
        if (counts[n++] < 0)
            return err_set(why, ERR_INVALID, "count is not cumulative");
    }
    if (c->total != c->buckets[c->count - 1].count)
        return err_set(why, ERR_INVALID, "count mismatch");
    *span = (struct histogram_span){0, (uint32_t)n};
    *h = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM, .count = c->total, .sum = c->sum};
    h->positive_span_count = 1;
    h->positive_spans = span;
    h->positive_count = (uint32_t)n;
    h->positive = counts;
    h->bound_count = (uint32_t)n - 1;
    h->bounds = bounds;
    *out = histogram_compact(arena, h);
    return ERR_OK;
}

static enum err load_base(const struct script_load *load, const struct part *parts, size_t count,
                          const struct part *base, struct memory_storage *m, struct arena *arena, struct errmsg *why)
{
    uint32_t length = 0;
    for (size_t k = 0; k < count; k++)
        if (parts[k].series->values.count > length)
            length = parts[k].series->values.count;
    for (uint32_t i = 0; i < length; i++) {
        const struct histogram *h = NULL;
        struct classic c = collect(parts, count, base, i, arena);
        if (!c.any)
            continue;
        TRY(convert(&c, arena, &h, why));
        memory_storage_append(m, &base->base, (int64_t)i * load->step_ms, 0, h, 0);
    }
    return ERR_OK;
}

enum err script_load_nhcb(const struct script_load *load, struct memory_storage *m, struct errmsg *why)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct part *parts = ARENA_ARRAY(&arena, struct part, load->count + 1u);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < load->count; i++)
        parts[i] = part_of(&load->series[i], &arena);
    for (uint32_t i = 0; i < load->count && err == ERR_OK; i++) {
        if (parts[i].kind == PART_NONE || parts[i].done)
            continue;
        err = load_base(load, parts, load->count, &parts[i], m, &arena, why);
        for (uint32_t k = i; k < load->count; k++)
            parts[k].done = parts[k].done || labels_eq(&parts[k].base, &parts[i].base);
    }
    arena_deinit(&arena);
    return err;
}
