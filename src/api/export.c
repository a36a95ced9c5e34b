/*
 * export.c - /api/v1/export and /api/v1/export/csv of VictoriaMetrics: raw samples for scripts, backups and
 * migration.
 *
 * The answer goes out while it is read: memory holds the selected labels and the samples of one series.
 * An export computes while its client reads, so it holds a slot of a gate of its own until the last byte is read.
 */
#include "api/export_internal.h"

#include "api/restrict.h"
#include "api/vm_time.h"
#include "numeric/goparse.h"

static enum err export_time(struct http_request *r, const char *name, int64_t now_ms, int64_t *ms, struct errmsg *why)
{
    struct slice text = param(r, name);
    if (!text.len)
        return ERR_OK;
    if (vm_time_parse(text, now_ms, ms, why) != ERR_OK)
        return invalid_param(why, name);
    return ERR_OK;
}

/* match[], or match as VictoriaMetrics takes it, too. */
static enum err export_match(struct http_request *r, struct match_list *out, struct errmsg *why)
{
    struct slice *texts;
    TRY(param_match(r, out, why));
    uint32_t count = http_param_all(r, "match", &texts);
    struct matcher_set *sets = ARENA_ARRAY(r->arena, struct matcher_set, (size_t)out->count + count + 1);
    if (out->count)
        memcpy(sets, out->sets, out->count * sizeof *sets);
    out->sets = sets;
    for (uint32_t i = 0; i < count; i++)
        TRY(promql_parse_selector(texts[i], r->arena, &sets[out->count++], why));
    if (!out->count)
        return err_set(why, ERR_INVALID, "missing `match[]` arg");
    return restriction_match(r, out, why);
}

static enum err export_params(struct export *e, struct http_request *r, bool csv, struct errmsg *why)
{
    int64_t now_ms = clock_now_ms(e->api->o.clock), rows;
    struct slice format = param(r, "format");
    e->start_ms = 0;
    e->end_ms = now_ms;
    if (csv)
        TRY(export_csv_columns(e, format, why));
    TRY(export_time(r, "start", now_ms, &e->start_ms, why));
    TRY(export_time(r, "end", now_ms, &e->end_ms, why));
    TRY(export_match(r, &e->match, why));
    if (goparse_int(param(r, "max_rows_per_line"), 10, &rows, NULL) == ERR_OK && rows > 0)
        e->rows_max = rows > UINT32_MAX ? UINT32_MAX : (uint32_t)rows;
    e->form = csv                                  ? &export_csv
              : slice_eq_str(format, "prometheus") ? &export_prometheus
              : slice_eq_str(format, "promapi")    ? &export_promapi
                                                   : &export_lines;
    return ERR_OK;
}

static enum err export_series(struct export *e, const struct selected *s, struct errmsg *why)
{
    struct samples samples;
    TRY(cancel_check(&e->stream.r->cancel));
    TRY(s->reader->ops->read(s->reader, s->index, e->start_ms, e->end_ms, &samples, why));
    if (!samples.count)
        return ERR_OK;
    TRY(e->form->series(e, s->labels, &samples));
    return ERR_OK;
}

static void export_run(struct http_request *r, void *ctx)
{
    struct export *e = ctx;
    struct selection selection = {0};
    struct errmsg why = {0};
    enum err err = selection_open(&selection, e->api, r, &e->match, e->start_ms, e->end_ms, &why);
    e->stream = (struct stream){.r = r, .content_type = e->form->content_type};
    if (err == ERR_OK && e->form->begin)
        e->form->begin(e);
    for (size_t i = 0; i < selection.count && err == ERR_OK; i++)
        err = export_series(e, &selection.list[i], &why);
    if (err == ERR_OK && e->form->end)
        e->form->end(e);
    selection_close(&selection);
    stream_end(&e->stream, err, &why);
}

static void enter(struct http_request *r, struct api *api, bool csv)
{
    struct export *e = ARENA_NEW(r->arena, struct export);
    struct errmsg why = {0};
    e->api = api;
    e->stream.r = r;
    enum err err = form_parse(r, &why);
    if (err == ERR_OK)
        err = export_params(e, r, csv, &why);
    if (err != ERR_OK)
        api_text(r, 400, arena_printf(r->arena, "%s\n", why.text));
    else
        gate_enter(&api->exports, r, export_run, e);
}

void on_export(struct http_request *r, void *ctx)
{
    enter(r, ctx, false);
}

void on_export_csv(struct http_request *r, void *ctx)
{
    enter(r, ctx, true);
}
