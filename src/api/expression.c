/*
 * expression.c - format_query, parse_query: expressions that are read, not run.
 */
#include "api/api_internal.h"

/* Parses `query`; on failure the 400 is answered and NULL returned. */
static struct query *parsed(struct http_request *r, struct api *api)
{
    struct query *q;
    struct errmsg why = {0};
    http_params_parse(r, NULL);
    if (promql_parse(api->o.engine, param(r, "query"), &q, &why) == ERR_OK)
        return q;
    invalid_param(&why, "query");
    api_error(r, API_BAD_DATA, why.text);
    return NULL;
}

void on_format_query(struct http_request *r, void *ctx)
{
    struct query *q = parsed(r, ctx);
    if (!q)
        return;
    struct buf text = {0};
    struct answer a;
    promql_format(q, &text);
    answer_begin(&a, r);
    json_string_html(&a.out, buf_view(&text));
    answer_end(&a, NO_TEXTS, NO_TEXTS);
    buf_deinit(&text);
    promql_query_free(q);
}

void on_parse_query(struct http_request *r, void *ctx)
{
    struct query *q = parsed(r, ctx);
    if (!q)
        return;
    struct answer a;
    answer_begin(&a, r);
    promql_ast_json(q, &a.out);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
    promql_query_free(q);
}
