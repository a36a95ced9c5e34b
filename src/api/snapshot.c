/*
 * snapshot.c - snapshots of the store: Prometheus' admin call and VictoriaMetrics' /snapshot paths.
 *
 * The latter are open there, too (guarded by an auth key only), and asked by GET: backup jobs do that.
 * They can neither read nor destroy samples, and storage.snapshots.max bounds how many there can be.
 */
#include "api/api_internal.h"
#include "base/mem.h"
#include "tsdb/tsdb.h"

void on_snapshot(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    char name[TSDB_SNAPSHOT_NAME];
    bool skip_head = false;
    struct slice text = param(r, "skip_head");
    if (!admin_allowed(r, api))
        return;
    if (text.len && !bool_parse(text, &skip_head)) {
        api_errorf(r, API_BAD_DATA,
                   "invalid parameter \"skip_head\": unable to parse boolean: strconv.ParseBool: parsing \"%.*s\": "
                   "invalid syntax",
                   SLICE_ARG(text));
        return;
    }
    if (!api->o.tsdb)
        api_error(r, API_UNAVAILABLE, "there is no store");
    else if (tsdb_snapshot(api->o.tsdb, TSDB_SNAPSHOT_PROMETHEUS, skip_head, name, &why) != ERR_OK)
        api_error(r, API_INTERNAL, why.text);
    else
        api_success(r, arena_printf(r->arena, "{\"name\":\"%s\"}", name));
}

/* ---- VictoriaMetrics ---- */

static void vm_answer(struct http_request *r, int status, struct buf *text)
{
    http_header(r, "Content-Type", "application/json");
    http_respond(r, status, buf_view(text));
    buf_deinit(text);
}

static void vm_error(struct http_request *r, int status, const char *text)
{
    struct buf out = {0};
    buf_str(&out, "{\"status\":\"error\",\"msg\":");
    json_string_html(&out, slice_str(text));
    buf_u8(&out, '}');
    vm_answer(r, status, &out);
}

static void vm_ok(struct http_request *r)
{
    struct buf out = {0};
    buf_str(&out, "{\"status\":\"ok\"}");
    vm_answer(r, 200, &out);
}

static int vm_status(enum err err)
{
    return err == ERR_LIMIT ? 429 : err == ERR_UNAVAILABLE ? 503 : 500;
}

void on_snapshot_create(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    char name[TSDB_SNAPSHOT_NAME];
    enum err err = api->o.tsdb ? tsdb_snapshot(api->o.tsdb, TSDB_SNAPSHOT_VICTORIAMETRICS, false, name, &why)
                               : err_set(&why, ERR_UNAVAILABLE, "there is no store");
    if (err != ERR_OK) {
        vm_error(r, vm_status(err), arena_printf(r->arena, "cannot create snapshot: %s", why.text));
        return;
    }
    struct buf out = {0};
    buf_printf(&out, "{\"status\":\"ok\",\"snapshot\":\"%s\"}", name);
    vm_answer(r, 200, &out);
}

struct name_list {
    struct arena *arena;
    char **list;
    size_t count, capacity;
};

static bool collect(void *ctx, const char *name)
{
    struct name_list *l = ctx;
    l->list = mem_grow(l->list, &l->capacity, l->count + 1, sizeof *l->list);
    l->list[l->count++] = arena_strdup(l->arena, slice_str(name));
    return true;
}

static enum err names_of(const struct api *api, struct http_request *r, struct name_list *l, struct errmsg *why)
{
    *l = (struct name_list){.arena = r->arena};
    if (!api->o.tsdb)
        return err_set(why, ERR_UNAVAILABLE, "there is no store");
    return tsdb_snapshots(api->o.tsdb, collect, l, why);
}

void on_snapshot_list(struct http_request *r, void *ctx)
{
    struct errmsg why = {0};
    struct name_list names;
    struct buf out = {0};
    if (names_of(ctx, r, &names, &why) != ERR_OK) {
        vm_error(r, 500, arena_printf(r->arena, "cannot list snapshots: %s", why.text));
    } else {
        buf_str(&out, "{\"status\":\"ok\",\"snapshots\":[");
        for (size_t i = 0; i < names.count; i++)
            buf_printf(&out, "\n\"%s\"%s", names.list[i], i + 1 < names.count ? "," : "\n");
        buf_str(&out, "]}");
        vm_answer(r, 200, &out);
    }
    mem_free(names.list);
}

void on_snapshot_delete(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    const char *name = arena_strdup(r->arena, param(r, "snapshot"));
    enum err err = api->o.tsdb ? tsdb_snapshot_delete(api->o.tsdb, name, &why)
                               : err_set(&why, ERR_UNAVAILABLE, "there is no store");
    if (err == ERR_OK)
        vm_ok(r);
    else
        vm_error(r, err == ERR_NOT_FOUND ? 404 : 500,
                 arena_printf(r->arena, "cannot delete snapshot \"%.200s\": %s", name, why.text));
}

void on_snapshot_delete_all(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct name_list names;
    enum err err = names_of(api, r, &names, &why);
    for (size_t i = 0; i < names.count && err == ERR_OK; i++) {
        err = tsdb_snapshot_delete(api->o.tsdb, names.list[i], &why);
        err = err == ERR_NOT_FOUND ? ERR_OK : err; /* somebody else was faster */
    }
    mem_free(names.list);
    if (err == ERR_OK)
        vm_ok(r);
    else
        vm_error(r, 500, arena_printf(r->arena, "cannot delete all snapshots: %s", why.text));
}
