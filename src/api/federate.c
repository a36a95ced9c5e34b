/*
 * federate.c - /federate: the newest sample of every selected series, as a text exposition.
 *
 * As in Prometheus: one family per metric name, sorted, "untyped", with timestamps; a series without
 * an instance label gets an empty one, so that the scraping side does not put its own there.
 * Names that are no plain words are written with quotes when the client allows UTF-8, else with
 * underscores.  Native histograms have no form in this text and are left out.
 */
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "model/value.h"
#include "numeric/goformat.h"

struct federate {
    struct api *api;
    struct http_request *r;
    int64_t mint_ms, maxt_ms;
    bool utf8; /* the client reads quoted names */
    bool begun;
    struct buf out;
};

struct found {
    const struct labels *labels;
    struct series_reader *reader;
    uint32_t index; /* in the reader's set */
};

static int by_labels(const void *a, const void *b)
{
    const struct labels *x = ((const struct found *)a)->labels, *y = ((const struct found *)b)->labels;
    int c = slice_cmp(labels_name(x), labels_name(y));
    return c ? c : labels_cmp(x, y);
}

/* `name`, or with everything that does not fit a plain word as '_'. */
static void put_plain(struct buf *out, struct slice name, bool colon)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        bool digit = c >= '0' && c <= '9' && i > 0;
        if ((c & 0xc0) != 0x80) /* one '_' for a whole character */
            buf_u8(out, letter || digit ? c : '_');
    }
}

static void put_quoted(struct buf *out, struct slice text)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_u8(out, c);
    }
    buf_u8(out, '"');
}

static void put_label_name(struct federate *f, struct slice name)
{
    if (label_name_valid_legacy(name) || !f->utf8)
        put_plain(&f->out, name, false);
    else
        put_quoted(&f->out, name);
}

static bool name_inside(const struct federate *f, struct slice metric)
{
    return f->utf8 && !metric_name_valid_legacy(metric);
}

static void put_labels(struct federate *f, const struct labels *l, struct slice metric)
{
    static const struct slice instance = SLICE_LIT("instance");
    bool any = name_inside(f, metric);
    buf_u8(&f->out, '{');
    if (any)
        put_quoted(&f->out, metric);
    for (uint32_t i = 0; i < l->count; i++) {
        if (slice_eq_str(l->list[i]->name, METRIC_NAME))
            continue;
        if (any)
            buf_u8(&f->out, ',');
        put_label_name(f, l->list[i]->name);
        buf_u8(&f->out, '=');
        put_quoted(&f->out, l->list[i]->value);
        any = true;
    }
    if (!labels_find(l, instance))
        buf_str(&f->out, any ? ",instance=\"\"" : "instance=\"\"");
    buf_u8(&f->out, '}');
}

static void put_sample(struct federate *f, const struct labels *l, int64_t t_ms, double v)
{
    struct slice metric = labels_name(l);
    if (!name_inside(f, metric))
        put_plain(&f->out, metric, true);
    put_labels(f, l, metric);
    buf_u8(&f->out, ' ');
    goformat_append(&f->out, v, 'g', -1);
    buf_printf(&f->out, " %lld\n", (long long)t_ms);
}

static void put_type(struct federate *f, struct slice metric)
{
    buf_str(&f->out, "# TYPE ");
    if (name_inside(f, metric))
        put_quoted(&f->out, metric);
    else
        put_plain(&f->out, metric, true);
    buf_str(&f->out, " untyped\n");
}

static void content_type(struct federate *f)
{
    http_header(f->r, "Content-Type",
                f->utf8 ? "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
                        : "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
}

static enum err send_piece(struct federate *f)
{
    if (f->out.len < ANSWER_PIECE_BYTES)
        return ERR_OK;
    if (!f->begun) {
        content_type(f);
        http_begin(f->r, 200);
        f->begun = true;
    }
    enum err err = http_write(f->r, f->out.data, f->out.len);
    buf_reset(&f->out);
    return err;
}

/* Series in order; equal ones (several selectors) once. */
static enum err write_all(struct federate *f, const struct found *list, size_t count, struct errmsg *why)
{
    struct slice family = {0};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        struct samples s;
        if (i && labels_eq(list[i].labels, list[i - 1].labels))
            continue;
        struct slice metric = labels_name(list[i].labels);
        if (!metric.len)
            continue;
        TRY(list[i].reader->ops->last(list[i].reader, list[i].index, f->mint_ms, f->maxt_ms, &s, why));
        if (!s.count || (s.hists && s.hists[0]) || value_is_stale(s.values[0]))
            continue;
        if (!any || !slice_eq(family, metric))
            put_type(f, metric);
        any = true;
        family = metric;
        put_sample(f, list[i].labels, s.times_ms[0], s.values[0]);
        TRY(send_piece(f));
    }
    return ERR_OK;
}

struct finds {
    struct found *list;
    size_t count, capacity;
    struct series_reader **readers;
    uint32_t reader_count;
};

static enum err select_all(struct federate *f, struct querier *q, const struct match_list *match, struct finds *out,
                           struct errmsg *why)
{
    out->readers = ARENA_ARRAY(f->r->arena, struct series_reader *, match->count ? match->count : 1);
    for (uint32_t m = 0; m < match->count; m++) {
        struct selector sel = {.matchers = match->sets[m].list,
                               .matcher_count = match->sets[m].count,
                               .mint_ms = f->mint_ms,
                               .maxt_ms = f->maxt_ms};
        struct series_set *set;
        if (!match->sets[m].count)
            continue; /* {} selects nothing here, as in Prometheus */
        TRY(q->ops->select(q, &sel, f->r->arena, &f->r->cancel, &set, why));
        struct series_reader *reader = set->ops->reader(set);
        out->readers[out->reader_count++] = reader;
        out->list = mem_grow(out->list, &out->capacity, out->count + set->count, sizeof *out->list);
        for (uint32_t i = 0; i < set->count; i++)
            out->list[out->count++] = (struct found){&set->labels[i], reader, i};
    }
    if (out->count)
        qsort(out->list, out->count, sizeof *out->list, by_labels);
    return ERR_OK;
}

static enum err federate(struct federate *f, const struct match_list *match, struct errmsg *why)
{
    struct storage *storage = f->api->o.storage;
    struct finds finds = {0};
    struct querier *q;
    TRY(storage->ops->querier(storage, f->mint_ms, f->maxt_ms, &q, why));
    enum err err = select_all(f, q, match, &finds, why);
    if (err == ERR_OK)
        err = write_all(f, finds.list, finds.count, why);
    for (uint32_t i = 0; i < finds.reader_count; i++)
        finds.readers[i]->ops->close(finds.readers[i]);
    mem_free(finds.list);
    q->ops->close(q);
    return err;
}

static bool allows_utf8(struct slice accept)
{
    static const char wanted[] = "escaping=allow-utf-8";
    return accept.len && memmem(accept.data, accept.len, wanted, sizeof wanted - 1);
}

void on_federate(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct match_list match;
    if (form_parse(r, &why) != ERR_OK || param_selectors(r, &match, &why) != ERR_OK) {
        api_text(r, 400, arena_printf(r->arena, "%s\n", why.text));
        return;
    }
    int64_t now_ms = clock_now_ms(api->o.clock);
    struct federate f = {.api = api,
                         .r = r,
                         .maxt_ms = now_ms,
                         .mint_ms = now_ms - config_duration_ms(api->o.config, OPT_QUERY_LOOKBACK_DELTA) + 1,
                         .utf8 = allows_utf8(http_request_header(r, "Accept"))};
    enum err err = federate(&f, &match, &why);
    if (err == ERR_OK && f.begun)
        err = http_write(r, f.out.data, f.out.len);
    if (f.begun && (err == ERR_OK || err == ERR_CANCELED)) {
        http_end(r); /* also when the client has left */
    } else if (err == ERR_OK) {
        content_type(&f);
        http_respond(r, 200, buf_view(&f.out));
    } else if (f.begun) {
        http_abort(r);
    } else {
        api_text(r, 500, arena_printf(r->arena, "%s\n", why.text));
    }
    buf_deinit(&f.out);
}
