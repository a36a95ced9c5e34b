/*
 * verify.c - /api/v1/admin/tsdb/verify: the data directory checked byte by byte beside the work of the server.
 *
 * POST starts a check (quick=1: without blocks' chunks; cancel=1: ends the one that runs), GET tells how far it is and
 * what it found.
 */
#include "api/api_internal.h"
#include "numeric/timetext.h"
#include "tsdb/tsdb.h"

static void json_time(struct buf *out, const char *key, int64_t t_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    size_t n = t_ms ? timetext_rfc3339_print(text, t_ms) : 0;
    if (n)
        buf_printf(out, ",\"%s\":\"%.*s\"", key, (int)n, text);
}

static void print_state(struct http_request *r, struct api *api)
{
    struct tsdb_verify_state s;
    struct answer a;
    tsdb_verify_state(api->o.tsdb, r->arena, &s);
    answer_begin(&a, r);
    buf_printf(&a.out, "{\"state\":\"%s\"", s.state);
    json_time(&a.out, "started", s.started_ms);
    json_time(&a.out, "finished", s.finished_ms);
    buf_printf(&a.out, ",\"bytesRead\":%llu,\"blocks\":%llu,\"blocksDone\":%llu,\"problems\":%llu",
               (unsigned long long)s.bytes, (unsigned long long)s.blocks, (unsigned long long)s.blocks_done,
               (unsigned long long)s.problems);
    if (s.error[0]) {
        buf_str(&a.out, ",\"error\":");
        json_string_html(&a.out, slice_str(s.error));
    }
    if (s.report.len) {
        buf_str(&a.out, ",\"report\":");
        buf_slice(&a.out, s.report);
    }
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static bool is_set(struct slice text)
{
    return slice_eq_str(text, "1") || slice_eq_str(text, "true");
}

void on_verify(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    if (!admin_allowed(r, api))
        return;
    if (!api->o.tsdb) {
        api_error(r, API_UNAVAILABLE, "there is no store");
        return;
    }
    if (form_parse(r, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    bool start = r->method != HTTP_GET && !is_set(param(r, "cancel"));
    enum err err = start ? tsdb_verify_start(api->o.tsdb, is_set(param(r, "quick")), &why) : ERR_OK;
    if (r->method != HTTP_GET && !start)
        tsdb_verify_cancel(api->o.tsdb);
    if (err != ERR_OK)
        api_error(r, err == ERR_EXISTS ? API_BAD_DATA : API_UNAVAILABLE, why.text);
    else
        print_state(r, api);
}
