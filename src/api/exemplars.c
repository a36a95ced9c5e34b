/*
 * exemplars.c - /api/v1/query_exemplars: exemplars of the series that an expression's selectors name.
 *
 * The expression is not evaluated: offsets, ranges and functions mean nothing here, as in Prometheus.
 */
#include "api/restrict.h"
#include "head/head.h"
#include "tsdb/tsdb.h"

struct exemplar_request {
    int64_t start_ms, end_ms;
    struct query *query;
    struct match_list match;
};

/* Order of checks as in Prometheus; its texts for the expression do not name the parameter here. */
static enum err exemplar_params(struct http_request *r, struct api *api, struct exemplar_request *e, struct errmsg *why)
{
    http_params_parse(r, NULL);
    TRY(param_time(r, "start", TIME_MIN_MS, &e->start_ms, why));
    TRY(param_time(r, "end", TIME_MAX_MS, &e->end_ms, why));
    if (e->end_ms < e->start_ms)
        return err_set(why, ERR_INVALID, "end timestamp must not be before start timestamp");
    TRY(promql_parse(api->o.engine, param(r, "query"), &e->query, why));
    e->match.count = promql_selectors(e->query, r->arena, &e->match.sets);
    return e->match.count ? restriction_match(r, &e->match, why) : ERR_OK;
}

struct printing {
    struct answer *a;
    struct labels series; /* of the object that is open; its list tells whether one is */
};

static void json_exemplar(struct buf *out, const struct exemplar *e)
{
    buf_str(out, "{\"labels\":");
    json_labels(out, &e->labels);
    buf_str(out, ",\"value\":");
    json_float(out, e->value);
    buf_str(out, ",\"timestamp\":");
    json_seconds(out, e->time_ms);
    buf_u8(out, '}');
}

static bool print_exemplar(void *ctx, const struct labels *series, const struct exemplar *e)
{
    struct printing *p = ctx;
    struct buf *out = &p->a->out;
    if (p->series.list && labels_eq(&p->series, series)) {
        buf_u8(out, ',');
    } else {
        buf_str(out, p->series.list ? "]},{\"seriesLabels\":" : "{\"seriesLabels\":");
        json_labels(out, series);
        buf_str(out, ",\"exemplars\":[");
        p->series = *series;
    }
    json_exemplar(out, e);
    answer_flush(p->a);
    return !p->a->gone;
}

static void exemplars_answer(struct http_request *r, struct api *api, const struct exemplar_request *e)
{
    struct answer a;
    struct printing p = {.a = &a};
    answer_begin(&a, r);
    buf_u8(&a.out, '[');
    if (api->o.tsdb)
        head_exemplars(tsdb_head(api->o.tsdb), e->match.sets, e->match.count, e->start_ms, e->end_ms, print_exemplar,
                       &p);
    buf_str(&a.out, p.series.list ? "]}]" : "]");
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

void on_query_exemplars(struct http_request *r, void *ctx)
{
    struct exemplar_request e = {0};
    struct errmsg why = {0};
    if (exemplar_params(r, ctx, &e, &why) != ERR_OK)
        api_error(r, API_BAD_DATA, why.text);
    else if (e.match.count)
        exemplars_answer(r, ctx, &e);
    else
        http_respond(r, 204, (struct slice){0});
    promql_query_free(e.query);
}
