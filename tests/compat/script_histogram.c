/*
 * script_histogram.c - native histograms as scripts write them.
 *
 *     {{schema:1 count:5 sum:3.5 z_bucket:1 z_bucket_w:0.001 offset:2 buckets:[1 2] n_offset:0 n_buckets:[1]
 *       custom_values:[0.1 1] counter_reset_hint:gauge}}
 */
#include "base/mem.h"
#include "compat/script.h"

enum { BUCKETS_MAX = 10000 };

struct floats {
    double *list;
    size_t count;
};

struct fields {
    struct floats positive, negative, bounds;
    double positive_offset, negative_offset, schema;
};

static enum err parse_list(struct slice *s, struct arena *arena, struct floats *out, struct errmsg *why)
{
    if (!script_skip(s, "["))
        return err_set(why, ERR_INVALID, "histogram: [ expected");
    struct floats f = {ARENA_ARRAY(arena, double, BUCKETS_MAX), 0};
    for (;;) {
        *s = script_trim(*s);
        if (script_skip(s, "]"))
            break;
        if (f.count == BUCKETS_MAX || !script_number(s, &f.list[f.count++]))
            return err_set(why, ERR_INVALID, "histogram: bad list at %.*s", SLICE_ARG(*s));
    }
    *out = f;
    return ERR_OK;
}

static enum err parse_hint(struct slice *s, struct script_value *v, struct histogram *h, struct errmsg *why)
{
    static const struct {
        const char *word;
        enum reset_hint hint;
    } hints[] = {{"unknown", RESET_UNKNOWN}, {"reset", RESET_YES}, {"not_reset", RESET_NO}, {"gauge", RESET_GAUGE}};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (script_skip(s, hints[i].word)) {
            h->reset_hint = hints[i].hint;
            v->hint_given = true;
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "histogram: unknown reset hint at %.*s", SLICE_ARG(*s));
}

static enum err parse_field(struct slice *s, struct arena *arena, struct script_value *v, struct histogram *h,
                            struct fields *f, struct errmsg *why)
{
    const struct {
        const char *name;
        double *number;
        struct floats *list;
    } table[] = {
        {"schema:", &f->schema, NULL},
        {"sum:", &h->sum, NULL},
        {"count:", &h->count, NULL},
        {"z_bucket:", &h->zero_count, NULL},
        {"z_bucket_w:", &h->zero_threshold, NULL},
        {"offset:", &f->positive_offset, NULL},
        {"n_offset:", &f->negative_offset, NULL},
        {"buckets:", NULL, &f->positive},
        {"n_buckets:", NULL, &f->negative},
        {"custom_values:", NULL, &f->bounds},
    };
    if (script_skip(s, "counter_reset_hint:"))
        return parse_hint(s, v, h, why);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!script_skip(s, table[i].name))
            continue;
        if (table[i].list)
            return parse_list(s, arena, table[i].list, why);
        if (script_number(s, table[i].number))
            return ERR_OK;
        break;
    }
    return err_set(why, ERR_INVALID, "histogram: bad field at %.*s", SLICE_ARG(*s));
}

static void set_buckets(struct arena *arena, const struct floats *f, double offset, uint32_t *count,
                        const double **buckets, uint32_t *span_count, const struct histogram_span **spans)
{
    if (f->count == 0)
        return;
    struct histogram_span *span = ARENA_NEW(arena, struct histogram_span);
    *span = (struct histogram_span){(int32_t)offset, (uint32_t)f->count};
    *count = (uint32_t)f->count;
    *buckets = f->list;
    *span_count = 1;
    *spans = span;
}

enum err script_parse_histogram(struct slice text, struct arena *arena, struct script_value *out, struct slice *rest,
                                struct errmsg *why)
{
    struct histogram *h = ARENA_NEW(arena, struct histogram);
    struct fields f = {0};
    struct script_value v = {.h = h};
    if (!script_skip(&text, "{{"))
        return err_set(why, ERR_INVALID, "histogram: {{ expected");
    for (;;) {
        text = script_trim(text);
        if (script_skip(&text, "}}"))
            break;
        TRY(parse_field(&text, arena, &v, h, &f, why));
    }
    h->schema = (int32_t)f.schema;
    h->bounds = f.bounds.list;
    h->bound_count = (uint32_t)f.bounds.count;
    set_buckets(arena, &f.positive, f.positive_offset, &h->positive_count, &h->positive, &h->positive_span_count,
                &h->positive_spans);
    set_buckets(arena, &f.negative, f.negative_offset, &h->negative_count, &h->negative, &h->negative_span_count,
                &h->negative_spans);
    *out = v;
    *rest = text;
    return ERR_OK;
}
