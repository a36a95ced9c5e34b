/* http_param.c - headers and parameters of a request, as handlers ask for them. */
#include "net/http_internal.h"

static bool name_eq(struct slice a, const char *b, size_t b_len)
{
    if (a.len != b_len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t x = a.data[i], y = (uint8_t)b[i];
        if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return true;
}

struct slice http_request_header(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);
    for (uint32_t i = 0; i < r->header_count; i++)
        if (name_eq(r->headers[i].name, name, len))
            return r->headers[i].value;
    return (struct slice){0};
}

/* Go reads a form from the bodies of POST and PUT only, and by the media type without its parameters. */
static bool has_form_body(const struct http_request *r)
{
    struct slice type = http_request_header(r, "Content-Type");
    if (r->method != HTTP_POST && r->method != HTTP_PUT)
        return false;
    const uint8_t *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;
    if (semicolon)
        type.len = (size_t)(semicolon - type.data);
    while (type.len && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t'))
        type.len--;
    return http_token_eq(type, "application/x-www-form-urlencoded");
}

static void params_parse(struct http_request_state *q)
{
    struct errmsg body_why = {{0}}, query_why = {{0}};
    if (q->params_parsed)
        return;
    q->params_parsed = true;
    q->params = (struct http_params){0};
    q->params_error = NULL;
    if (!(q->route && q->route->flags & HTTP_NO_FORM) && has_form_body(&q->pub))
        http_query_parse(q->pub.body, &q->arena, &q->params, &body_why);
    http_query_parse(q->pub.query, &q->arena, &q->params, &query_why);
    const char *text = body_why.text[0] ? body_why.text : query_why.text; /* the body's error first, as in Go */
    if (text[0])
        q->params_error = arena_strdup(&q->arena, slice_str(text));
}

struct slice http_param_get(struct http_request *r, const char *name, bool *present)
{
    struct http_request_state *q = http_state_of(r);
    struct slice key = slice_str(name);
    params_parse(q);
    for (size_t i = 0; i < q->params.count; i++) {
        if (!slice_eq(q->params.list[i].name, key))
            continue;
        if (present)
            *present = true;
        return q->params.list[i].value;
    }
    if (present)
        *present = false;
    return (struct slice){0};
}

uint32_t http_param_all(struct http_request *r, const char *name, struct slice **values)
{
    struct http_request_state *q = http_state_of(r);
    struct slice key = slice_str(name);
    uint32_t count = 0, i = 0;
    params_parse(q);
    for (size_t k = 0; k < q->params.count; k++)
        count += slice_eq(q->params.list[k].name, key);
    *values = ARENA_ARRAY(&q->arena, struct slice, count ? count : 1);
    for (size_t k = 0; k < q->params.count; k++)
        if (slice_eq(q->params.list[k].name, key))
            (*values)[i++] = q->params.list[k].value;
    return count;
}

bool http_params_parse(struct http_request *r, struct errmsg *why)
{
    struct http_request_state *q = http_state_of(r);
    params_parse(q);
    if (!q->params_error)
        return true;
    err_set(why, ERR_INVALID, "%s", q->params_error);
    return false;
}
