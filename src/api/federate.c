/*
 * federate.c - /federate: the newest sample of every selected series, as an exposition.
 *
 * As in Prometheus: families by metric name, sorted, "untyped", with timestamps; a series without an
 * instance label gets an empty one, so that the scraping side does not put its own there.  Native
 * histograms have a form only in protobuf and are left out of text; custom buckets are classic histograms.
 */
#include <math.h>

#include "api/federate.h"
#include "api/restrict.h"
#include "api/selection.h"
#include "api/stream.h"
#include "model/value.h"

struct federate {
    struct federate_format format;
    int64_t mint_ms, maxt_ms;
    struct stream stream;
    struct slice name; /* of the text family that is open, and its type */
    const char *type;
    struct family family;
    const struct external_labels *external;
    struct external_room room;
};

struct text {
    struct federate *f;
    const struct labels *labels;
    int64_t t_ms;
};

static void put_line(const struct text *t, struct exposition_part part, double v)
{
    struct buf *out = &t->f->stream.out;
    exposition_series(out, t->labels, t->f->format.escape, true, part);
    buf_u8(out, ' ');
    exposition_value(out, v);
    buf_printf(out, " %lld\n", (long long)t->t_ms);
}

static void put_bucket(void *ctx, double bound, double count)
{
    put_line(ctx, (struct exposition_part){"_bucket", &bound}, count);
}

static void put_histogram(const struct text *t, const struct histogram *h)
{
    struct text copy = *t;
    classic_buckets(h, put_bucket, &copy);
    if (!h->bound_count || !isinf(h->bounds[h->bound_count - 1]))
        put_bucket(&copy, INFINITY, h->count);
    put_line(t, (struct exposition_part){"_sum", NULL}, h->sum);
    put_line(t, (struct exposition_part){"_count", NULL}, h->count);
}

static void put_text(struct federate *f, const struct labels *l, int64_t t_ms, double v, const struct histogram *h)
{
    const struct text text = {f, l, t_ms};
    struct buf *out = &f->stream.out;
    const char *type = !h ? "untyped" : h->reset_hint == RESET_GAUGE ? "gaugehistogram" : "histogram";
    if (!f->type || strcmp(f->type, type) != 0 || !slice_eq(f->name, labels_name(l))) {
        buf_str(out, "# TYPE ");
        exposition_type_name(out, labels_name(l), f->format.escape);
        buf_printf(out, " %s\n", h ? "histogram" : "untyped"); /* the text has no type for gauges */
        f->name = labels_name(l);
        f->type = type;
    }
    if (h)
        put_histogram(&text, h);
    else
        put_line(&text, (struct exposition_part){0}, v);
}

static enum err put_newest(struct federate *f, const struct selected *s, struct errmsg *why)
{
    struct samples last;
    if (!labels_name(s->labels).len)
        return ERR_OK;
    TRY(s->reader->ops->last(s->reader, s->index, f->mint_ms, f->maxt_ms, &last, why));
    if (!last.count)
        return ERR_OK;
    const struct histogram *h = last.hists ? last.hists[0] : NULL;
    if (value_is_stale(h ? h->sum : last.values[0]))
        return ERR_OK;
    double v = h ? 0 : last.values[0];
    const struct labels *labels = external_append(f->external, s->labels, &f->room);
    if (f->format.protobuf)
        family_add(&f->family, &f->stream.out, labels, last.times_ms[0], v, h, f->format.escape);
    else if (!h || h->schema == HISTOGRAM_SCHEMA_CUSTOM)
        put_text(f, labels, last.times_ms[0], v, h);
    return stream_flush(&f->stream);
}

static enum err federate(struct federate *f, struct api *api, const struct match_list *match, struct errmsg *why)
{
    struct selection s = {0};
    enum err err = selection_open(&s, api, f->stream.r, match, f->mint_ms, f->maxt_ms, why);
    for (size_t i = 0; i < s.count && err == ERR_OK; i++)
        err = put_newest(f, &s.list[i], why);
    family_end(&f->family, &f->stream.out, f->format.escape);
    selection_close(&s);
    return err == ERR_INVALID || err == ERR_LIMIT ? ERR_IO : err; /* the selectors were fine: it is ours, 500 */
}

void on_federate(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct match_list match;
    enum err err = form_parse(r, &why);
    if (err == ERR_OK)
        err = param_selectors(r, &match, &why);
    if (err == ERR_OK && match.count)
        err = restriction_match(r, &match, &why);
    if (err != ERR_OK) {
        api_text(r, 400, arena_printf(r->arena, "%s\n", why.text));
        return;
    }
    int64_t now_ms = clock_now_ms(api->o.clock);
    struct federate f = {.external = &api->external,
                         .format = federate_negotiate(http_request_header(r, "Accept")),
                         .maxt_ms = now_ms,
                         .mint_ms = now_ms - config_duration_ms(api->o.config, OPT_QUERY_LOOKBACK_DELTA) + 1};
    f.stream = (struct stream){.r = r, .content_type = federate_content_type(r, f.format)};
    err = federate(&f, api, &match, &why);
    stream_end(&f.stream, err, &why);
    family_deinit(&f.family);
    external_room_deinit(&f.room);
}
