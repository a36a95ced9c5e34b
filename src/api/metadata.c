/*
 * metadata.c - /api/v1/metadata: type, help and unit of metric families, as senders told them.
 */
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/goparse.h"
#include "tsdb/tsdb.h"

struct entries {
    struct arena *arena;
    struct metadata *list;
    size_t count, capacity;
};

static bool collect(void *ctx, const struct metadata *m)
{
    struct entries *e = ctx;
    e->list = mem_grow(e->list, &e->capacity, e->count + 1, sizeof *e->list);
    e->list[e->count++] = (struct metadata){
        .metric = arena_copy(e->arena, m->metric),
        .type = m->type,
        .help = arena_copy(e->arena, m->help),
        .unit = arena_copy(e->arena, m->unit),
    };
    return true;
}

static int by_metric(const void *a, const void *b)
{
    return slice_cmp(((const struct metadata *)a)->metric, ((const struct metadata *)b)->metric);
}

static void json_entry(struct buf *out, const struct metadata *m)
{
    json_string_html(out, m->metric);
    buf_printf(out, ":[{\"type\":\"%s\",\"unit\":", metadata_type_name(m->type));
    json_string_html(out, m->unit);
    buf_str(out, ",\"help\":");
    json_string_html(out, m->help);
    buf_str(out, "}]");
}

/* A number, -1 when missing; false when it is none. */
static bool number_param(struct http_request *r, const char *name, int64_t *out)
{
    struct slice text = param(r, name);
    *out = -1;
    return !text.len || goparse_int(text, 10, out, NULL) == ERR_OK;
}

void on_metadata(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    int64_t limit, per_metric;
    if (!number_param(r, "limit", &limit)) {
        api_error(r, API_BAD_DATA, "limit must be a number");
        return;
    }
    if (!number_param(r, "limit_per_metric", &per_metric)) {
        api_error(r, API_BAD_DATA, "limit_per_metric must be a number");
        return;
    }
    struct entries e = {.arena = r->arena};
    if (api->o.tsdb && atomic_load(&api->state) != API_STARTING)
        head_metadata(tsdb_head(api->o.tsdb), param(r, "metric"), collect, &e);
    if (e.count)
        qsort(e.list, e.count, sizeof *e.list, by_metric);
    struct answer a;
    answer_begin(&a, r);
    buf_u8(&a.out, '{');
    for (size_t i = 0; i < e.count && (limit < 0 || i < (size_t)limit); i++) {
        if (i)
            buf_u8(&a.out, ',');
        json_entry(&a.out, &e.list[i]);
        answer_flush(&a);
    }
    buf_u8(&a.out, '}');
    mem_free(e.list);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
