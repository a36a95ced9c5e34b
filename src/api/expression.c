/*
 * expression.c - format_query, parse_query, query_exemplars: expressions that are read, not run.
 */
#include "api/api_internal.h"

/* Parses `query`; on failure the 400 is answered and NULL returned. */
static struct query *parsed(struct http_request *r, struct api *api, bool name_parameter)
{
    struct query *q;
    struct errmsg why = {0};
    http_params_parse(r, NULL);
    if (promql_parse(api->o.engine, param(r, "query"), &q, &why) == ERR_OK)
        return q;
    if (name_parameter)
        invalid_param(&why, "query");
    api_error(r, API_BAD_DATA, why.text);
    return NULL;
}

void on_format_query(struct http_request *r, void *ctx)
{
    struct query *q = parsed(r, ctx, true);
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
    struct query *q = parsed(r, ctx, true);
    if (!q)
        return;
    struct answer a;
    answer_begin(&a, r);
    promql_ast_json(q, &a.out);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
    promql_query_free(q);
}

/* In the tree as JSON this text can only be a node: quotes within strings are escaped. */
static bool has_selector(const struct query *q)
{
    struct buf tree = {0};
    promql_ast_json(q, &tree);
    bool found = strstr(buf_cstr(&tree), "\"type\":\"vectorSelector\"") != NULL;
    buf_deinit(&tree);
    return found;
}

/* Exemplars are stored but not yet readable: the shape is there, the list is empty (docs/api.md). */
void on_query_exemplars(struct http_request *r, void *ctx)
{
    struct errmsg why = {0};
    int64_t start_ms, end_ms;
    http_params_parse(r, NULL);
    enum err err = param_time(r, "start", TIME_MIN_MS, &start_ms, &why);
    if (err == ERR_OK)
        err = param_time(r, "end", TIME_MAX_MS, &end_ms, &why);
    if (err == ERR_OK && end_ms < start_ms)
        err = err_set(&why, ERR_INVALID, "end timestamp must not be before start timestamp");
    if (err != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    struct query *q = parsed(r, ctx, false);
    if (!q)
        return;
    if (has_selector(q))
        api_success(r, "[]");
    else
        http_respond(r, 204, (struct slice){0});
    promql_query_free(q);
}
