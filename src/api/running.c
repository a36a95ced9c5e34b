/*
 * running.c - /api/v1/status/active_queries, as VictoriaMetrics has it, and the call that ends one of them.
 */
#include "api/running.h"

#include <inttypes.h>

#include "api/api_internal.h"
#include "numeric/goparse.h"

void running_init(struct running *list, uint64_t first_id)
{
    *list = (struct running){.last_id = first_id};
    mutex_init(&list->lock);
}

void running_deinit(struct running *list)
{
    mutex_deinit(&list->lock);
}

void running_add(struct running *list, struct running_query *q)
{
    mutex_lock(&list->lock);
    q->id = ++list->last_id;
    q->prev = NULL;
    q->next = list->first;
    if (q->next)
        q->next->prev = q;
    list->first = q;
    mutex_unlock(&list->lock);
}

void running_remove(struct running *list, const struct http_request *r)
{
    mutex_lock(&list->lock);
    struct running_query *q = list->first;
    while (q && q->r != r)
        q = q->next;
    if (q) {
        *(q->prev ? &q->prev->next : &list->first) = q->next;
        if (q->next)
            q->next->prev = q->prev;
    }
    mutex_unlock(&list->lock);
}

bool running_cancel(struct running *list, uint64_t id)
{
    mutex_lock(&list->lock);
    struct running_query *q = list->first;
    while (q && q->id != id)
        q = q->next;
    if (q)
        cancel_set(&q->r->cancel, ERR_CANCELED);
    mutex_unlock(&list->lock);
    return q != NULL;
}

/* ---- /api/v1/status/active_queries ---- */

static void json_query(struct buf *out, const struct running_query *q, int64_t now_ns)
{
    static const char *const phases[] = {"waiting", "computing", "answering"};
    buf_printf(out, "{\"duration\":\"%.3fs\",\"id\":\"%016" PRIX64 "\",\"remote_addr\":",
               (double)(now_ns - q->since_ns) * 1e-9, q->id);
    json_string_html(out, q->r->peer);
    buf_str(out, ",\"query\":");
    json_string_html(out, q->text);
    buf_printf(out, ",\"start\":%" PRId64 ",\"end\":%" PRId64 ",\"step\":%" PRId64 ",\"state\":\"%s\"}", q->start_ms,
               q->end_ms, q->step_ms, phases[atomic_load_explicit(&q->phase, memory_order_relaxed)]);
}

void on_active_queries(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct buf out = {0};
    int64_t now_ns = clock_mono_ns(api->o.clock);
    buf_str(&out, "{\"status\":\"ok\",\"data\":[");
    mutex_lock(&api->running.lock);
    for (const struct running_query *q = api->running.first; q; q = q->next) {
        json_query(&out, q, now_ns);
        buf_str(&out, q->next ? "," : "");
    }
    mutex_unlock(&api->running.lock);
    buf_str(&out, "]}");
    http_header(r, "Content-Type", "application/json");
    http_respond(r, 200, buf_view(&out));
    buf_deinit(&out);
}

static bool id_parse(struct slice text, uint64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned c = text.data[i], low = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'f'))
            return false;
        *id = *id << 4 | (c <= '9' ? c - '0' : low - 'a' + 10);
    }
    return text.len > 0 && text.len <= 16;
}

void on_cancel_query(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    uint64_t id;
    if (!id_parse(param(r, "id"), &id))
        api_error(r, API_BAD_DATA, "invalid parameter \"id\": it must be one of /api/v1/status/active_queries");
    else if (!running_cancel(&api->running, id))
        api_error(r, API_NOT_FOUND, "no such query is running");
    else
        http_respond(r, 204, (struct slice){0});
}
