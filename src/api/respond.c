/*
 * respond.c - the envelope: {"status":"success","data":...} and {"status":"error",...} with their codes.
 */
#include "api/api_internal.h"

const char api_limit_warning[] = "results truncated due to limit";

static const struct {
    const char *name;
    int status;
} errors[] = {
    [API_BAD_DATA] = {"bad_data", 400},       [API_EXECUTION] = {"execution", 422},
    [API_TIMEOUT] = {"timeout", 503},         [API_CANCELED] = {"canceled", 499},
    [API_INTERNAL] = {"internal", 500},       [API_NOT_FOUND] = {"not_found", 404},
    [API_UNAVAILABLE] = {"unavailable", 500},
};

void api_error(struct http_request *r, enum api_error type, const char *text)
{
    struct buf out = {0};
    buf_printf(&out, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", errors[type].name);
    json_string_html(&out, slice_str(text));
    buf_u8(&out, '}');
    http_header(r, "Content-Type", "application/json");
    http_respond(r, errors[type].status, buf_view(&out));
    buf_deinit(&out);
}

void api_errorf(struct http_request *r, enum api_error type, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    api_error(r, type, buf_cstr(&text));
    buf_deinit(&text);
}

enum api_error api_error_of(enum err err)
{
    switch (err) {
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_NO_MEMORY:
    case ERR_UNSUPPORTED:
        return API_EXECUTION;
    case ERR_TIMEOUT:
        return API_TIMEOUT;
    case ERR_CANCELED:
        return API_CANCELED;
    default:
        return API_INTERNAL;
    }
}

void api_text(struct http_request *r, int status, const char *text)
{
    http_header(r, "Content-Type", "text/plain; charset=utf-8");
    http_respond(r, status, slice_str(text));
}

void answer_begin(struct answer *a, struct http_request *r)
{
    *a = (struct answer){.r = r};
    buf_str(&a->out, "{\"status\":\"success\",\"data\":");
}

void answer_flush(struct answer *a)
{
    if (a->out.len < ANSWER_PIECE_BYTES)
        return;
    if (!a->streaming) {
        http_header(a->r, "Content-Type", "application/json");
        http_begin(a->r, 200);
        a->streaming = true;
    }
    if (!a->gone)
        a->gone = http_write(a->r, a->out.data, a->out.len) != ERR_OK;
    a->sent += a->out.len;
    buf_reset(&a->out);
}

void answer_end(struct answer *a, struct texts warnings, struct texts infos)
{
    json_texts(&a->out, "warnings", warnings);
    json_texts(&a->out, "infos", infos);
    buf_str(&a->out, a->more ? a->more : "");
    buf_u8(&a->out, '}');
    struct buf out = a->out; /* what holds the answer may go with the request, at its last byte */
    if (!a->streaming) {
        http_header(a->r, "Content-Type", "application/json");
        http_respond(a->r, 200, buf_view(&out));
    } else {
        if (!a->gone)
            a->gone = http_write(a->r, out.data, out.len) != ERR_OK;
        http_end(a->r);
    }
    buf_deinit(&out);
}

void answer_finish(struct answer *a, enum err err, struct texts warnings)
{
    if (err == ERR_OK || a->gone) {
        answer_end(a, warnings, NO_TEXTS);
        return;
    }
    buf_deinit(&a->out);
    http_abort(a->r);
}

void api_success(struct http_request *r, const char *data_json)
{
    struct answer a;
    answer_begin(&a, r);
    buf_str(&a.out, data_json);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

struct texts warnings_with_limit(struct http_request *r, const struct warnings *w, bool cut)
{
    uint32_t count = (w ? w->count : 0) + cut;
    if (!count)
        return NO_TEXTS;
    const char **list = ARENA_ARRAY(r->arena, const char *, count);
    for (uint32_t i = 0; w && i < w->count; i++)
        list[i] = w->list[i];
    if (cut)
        list[count - 1] = api_limit_warning;
    return (struct texts){count, list};
}
