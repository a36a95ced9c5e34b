/*
 * name_usage.c - /api/v1/status/metric_names_stats, as VictoriaMetrics has it: the metric names of the index with how
 * often queries asked for them since the start (or since the last reset).
 */
#include "api/name_usage.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "numeric/goparse.h"

enum { LIMIT_DEFAULT = 1000, FIRST_CAPACITY = 1024 };

void name_usage_init(struct name_usage *u, int64_t now_ms)
{
    *u = (struct name_usage){.since_ms = now_ms};
    mutex_init(&u->lock);
    arena_init(&u->arena, NULL);
}

void name_usage_deinit(struct name_usage *u)
{
    mem_free(u->list);
    arena_deinit(&u->arena);
    mutex_deinit(&u->lock);
}

static struct name_use *place_of(struct name_use *list, size_t capacity, struct slice name)
{
    size_t at = label_hash(name, (struct slice){0}).lo & (capacity - 1);
    while (list[at].name.len && !slice_eq(list[at].name, name))
        at = (at + 1) & (capacity - 1);
    return &list[at];
}

static void grow(struct name_usage *u) REQUIRES(u->lock)
{
    size_t capacity = u->capacity ? u->capacity * 2 : FIRST_CAPACITY;
    struct name_use *list = mem_array(capacity, sizeof *list);
    for (size_t i = 0; i < u->capacity; i++)
        if (u->list[i].name.len)
            *place_of(list, capacity, u->list[i].name) = u->list[i];
    mem_free(u->list);
    u->list = list;
    u->capacity = capacity;
}

static void note(struct name_usage *u, struct slice name, int64_t now_ms) REQUIRES(u->lock)
{
    if (u->count * 2 >= u->capacity)
        grow(u);
    struct name_use *use = place_of(u->list, u->capacity, name);
    if (!use->name.len) {
        if (u->count == NAME_USAGE_MAX)
            return;
        use->name = arena_copy(&u->arena, name);
        u->count++;
    }
    use->requests++;
    use->last_ms = now_ms;
}

void name_usage_note(struct name_usage *u, const struct matcher_set *sets, uint32_t count, int64_t now_ms)
{
    mutex_lock(&u->lock);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < sets[i].count; k++) {
            const struct matcher *m = &sets[i].list[k];
            if (m->op == MATCH_EQUAL && m->value.len && slice_eq_str(m->name, METRIC_NAME))
                note(u, m->value, now_ms);
        }
    mutex_unlock(&u->lock);
}

void name_usage_reset(struct name_usage *u, int64_t now_ms)
{
    mutex_lock(&u->lock);
    mem_free(u->list);
    u->list = NULL;
    u->count = u->capacity = 0;
    u->since_ms = now_ms;
    arena_deinit(&u->arena);
    arena_init(&u->arena, NULL);
    mutex_unlock(&u->lock);
}

/* ---- the page ---- */

struct gathering {
    struct http_request *r;
    struct slice pattern;
    int64_t le; /* at most so many requests; -1: any */
    struct name_usage *usage;
    struct name_use *list;
    size_t count, capacity;
};

static bool has_pattern(struct slice name, struct slice pattern)
{
    return !pattern.len || (name.len >= pattern.len && memmem(name.data, name.len, pattern.data, pattern.len));
}

static bool gather(void *ctx, struct slice name)
{
    struct gathering *g = ctx;
    struct name_use use = {.name = name};
    if (!has_pattern(name, g->pattern))
        return true;
    mutex_lock(&g->usage->lock);
    if (g->usage->capacity) {
        const struct name_use *known = place_of(g->usage->list, g->usage->capacity, name);
        use.requests = known->requests;
        use.last_ms = known->last_ms;
    }
    mutex_unlock(&g->usage->lock);
    if (g->le >= 0 && use.requests > (uint64_t)g->le)
        return true;
    use.name = arena_copy(g->r->arena, name);
    g->list = mem_grow(g->list, &g->capacity, g->count + 1, sizeof *g->list);
    g->list[g->count++] = use;
    return true;
}

/* The least used come first. */
static int by_use(const void *a, const void *b)
{
    const struct name_use *x = a, *y = b;
    if (x->requests != y->requests)
        return x->requests < y->requests ? -1 : 1;
    return slice_cmp(x->name, y->name);
}

static enum err gather_all(struct gathering *g, struct api *api, struct errmsg *why)
{
    struct storage *storage = api->o.storage;
    struct querier *q;
    struct selector all = {.mint_ms = TIME_MIN_MS, .maxt_ms = TIME_MAX_MS};
    TRY(storage->ops->querier(storage, TIME_MIN_MS, TIME_MAX_MS, &q, why));
    enum err err = q->ops->label_values(q, slice_str(METRIC_NAME), &all, 0, &g->r->cancel, gather, g, why);
    q->ops->close(q);
    if (g->count)
        qsort(g->list, g->count, sizeof *g->list, by_use);
    return err;
}

static void print_usage(struct http_request *r, struct gathering *g, size_t limit, int64_t since_ms, size_t counted,
                        size_t bytes)
{
    struct answer a;
    answer_begin(&a, r);
    buf_reset(&a.out); /* this page has a form of its own */
    buf_printf(&a.out,
               "{\"status\":\"success\",\"statsCollectedSince\":%lld,\"statsCollectedRecordsTotal\":%zu,"
               "\"trackerMemoryMaxSizeBytes\":%zu,\"trackerCurrentMemoryUsageBytes\":%zu,\"records\":[",
               (long long)since_ms / 1000, counted, (size_t)NAME_USAGE_MAX * 256, bytes);
    for (size_t i = 0; i < g->count && i < limit && !a.gone; i++) {
        buf_str(&a.out, i ? ",{\"metricName\":" : "{\"metricName\":");
        json_string_html(&a.out, g->list[i].name);
        buf_printf(&a.out, ",\"queryRequestsCount\":%llu,\"lastQueryRequestTimestamp\":%lld}",
                   (unsigned long long)g->list[i].requests, (long long)g->list[i].last_ms / 1000);
        answer_flush(&a);
    }
    buf_u8(&a.out, ']');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static enum err usage_params(struct http_request *r, struct gathering *g, int64_t *limit, struct errmsg *why)
{
    struct slice limit_text = param(r, "limit"), le = param(r, "le");
    *limit = LIMIT_DEFAULT;
    g->le = -1;
    g->pattern = param(r, "match_pattern");
    if (limit_text.len && (goparse_int(limit_text, 10, limit, NULL) != ERR_OK || *limit < 0)) {
        err_set(why, ERR_INVALID, "it must be a number");
        return invalid_param(why, "limit");
    }
    if (le.len && goparse_int(le, 10, &g->le, NULL) != ERR_OK) {
        err_set(why, ERR_INVALID, "it must be a number");
        return invalid_param(why, "le");
    }
    return ERR_OK;
}

void on_metric_names_stats(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct name_usage *u = &api->name_usage;
    struct gathering g = {.r = r, .usage = u};
    struct errmsg why = {0};
    int64_t limit;
    if (usage_params(r, &g, &limit, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    enum err err = gather_all(&g, api, &why);
    mutex_lock(&u->lock);
    int64_t since_ms = u->since_ms;
    size_t counted = u->count, bytes = u->capacity * sizeof *u->list + u->arena.bytes;
    mutex_unlock(&u->lock);
    if (err == ERR_OK)
        print_usage(r, &g, limit ? (size_t)limit : g.count, since_ms, counted, bytes);
    else
        api_error(r, api_error_of(err), why.text);
    mem_free(g.list);
}

void on_metric_names_reset(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    name_usage_reset(&api->name_usage, clock_now_ms(api->o.clock));
    http_respond(r, 204, (struct slice){0});
}
