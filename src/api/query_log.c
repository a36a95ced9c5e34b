/*
 * query_log.c - a ring of the last queries; grouped by text and range when somebody asks.
 *
 * The answer of /api/v1/status/top_queries has VictoriaMetrics' form: no envelope, settings as it names them.
 */
#include "api/query_log.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "numeric/goparse.h"
#include "numeric/timetext.h"

enum { TOP_DEFAULT = 20, TOP_MAX = QUERY_LOG_COUNT, LIFETIME_DEFAULT_MS = 600000 };
#define SECONDS_MIN 0.001

void query_log_init(struct query_log *log)
{
    *log = (struct query_log){.ring = mem_array(QUERY_LOG_COUNT, sizeof *log->ring)};
    mutex_init(&log->lock);
}

void query_log_deinit(struct query_log *log)
{
    for (uint32_t i = 0; i < QUERY_LOG_COUNT; i++)
        mem_free(log->ring[i].text);
    mem_free(log->ring);
    mutex_deinit(&log->lock);
}

void query_log_add(struct query_log *log, struct slice text, const struct query_log_entry *costs)
{
    struct query_log_entry entry = *costs;
    if (costs->seconds < SECONDS_MIN)
        return;
    if (text.len > QUERY_LOG_TEXT_MAX)
        text.len = QUERY_LOG_TEXT_MAX;
    while (text.len == QUERY_LOG_TEXT_MAX && (text.data[text.len - 1] & 0x80)) /* not within a character */
        text.len--;
    entry.text_len = (uint32_t)text.len;
    entry.text = mem_alloc(text.len + 1);
    if (text.len)
        memcpy(entry.text, text.data, text.len);
    mutex_lock(&log->lock);
    struct query_log_entry *place = &log->ring[log->next];
    log->next = (log->next + 1) % QUERY_LOG_COUNT;
    char *old = place->text;
    *place = entry;
    mutex_unlock(&log->lock);
    mem_free(old);
}

/* ---- /api/v1/status/top_queries ---- */

struct group {
    struct slice text;
    int64_t range_s;
    uint64_t count, bytes;
    double seconds;
};

static struct slice text_of(const struct query_log_entry *e)
{
    return slice_of(e->text, e->text_len);
}

static int by_query(const void *a, const void *b)
{
    const struct query_log_entry *x = *(const struct query_log_entry *const *)a,
                                 *y = *(const struct query_log_entry *const *)b;
    int c = slice_cmp(text_of(x), text_of(y));
    return c ? c : (x->range_s > y->range_s) - (x->range_s < y->range_s);
}

/* Groups in arena memory, so that the ring is free again while they are printed. */
static size_t group_all(struct query_log *log, int64_t since_ms, struct arena *arena, struct group **out) NO_LOCK_CHECK;
static size_t group_all(struct query_log *log, int64_t since_ms, struct arena *arena, struct group **out)
{
    const struct query_log_entry **list = mem_array(QUERY_LOG_COUNT, sizeof *list);
    size_t n = 0, groups = 0;
    struct group *g = ARENA_ARRAY(arena, struct group, QUERY_LOG_COUNT);
    mutex_lock(&log->lock);
    for (uint32_t i = 0; i < QUERY_LOG_COUNT; i++)
        if (log->ring[i].text && log->ring[i].at_ms >= since_ms)
            list[n++] = &log->ring[i];
    qsort(list, n, sizeof *list, by_query);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_query(&list[i - 1], &list[i]) != 0)
            g[groups++] = (struct group){.text = arena_copy(arena, text_of(list[i])), .range_s = list[i]->range_s};
        g[groups - 1].count++;
        g[groups - 1].seconds += list[i]->seconds;
        g[groups - 1].bytes += list[i]->bytes;
    }
    mutex_unlock(&log->lock);
    mem_free(list);
    *out = g;
    return groups;
}

static int descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int by_count(const void *a, const void *b)
{
    return descending((double)((const struct group *)a)->count, (double)((const struct group *)b)->count);
}

static int by_average(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return descending(x->seconds / (double)x->count, y->seconds / (double)y->count);
}

static int by_sum(const void *a, const void *b)
{
    return descending(((const struct group *)a)->seconds, ((const struct group *)b)->seconds);
}

static int by_memory(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return descending((double)x->bytes / (double)x->count, (double)y->bytes / (double)y->count);
}

static const struct ranking {
    const char *key;
    int (*order)(const void *a, const void *b);
    const char *figure; /* NULL: only the count */
} rankings[] = {
    {"topByCount", by_count, NULL},
    {"topByAvgDuration", by_average, "avgDurationSeconds"},
    {"topBySumDuration", by_sum, "sumDurationSeconds"},
    {"topByAvgMemoryUsage", by_memory, "avgMemoryBytes"},
};

static void json_group(struct buf *out, const struct group *g, const struct ranking *r)
{
    buf_str(out, "{\"query\":");
    json_string_html(out, g->text);
    buf_printf(out, ",\"timeRangeSeconds\":%lld", (long long)g->range_s);
    if (r->order == by_average)
        buf_printf(out, ",\"%s\":%.3f", r->figure, g->seconds / (double)g->count);
    else if (r->order == by_sum)
        buf_printf(out, ",\"%s\":%.3f", r->figure, g->seconds);
    else if (r->order == by_memory)
        buf_printf(out, ",\"%s\":%llu", r->figure, (unsigned long long)(g->bytes / g->count));
    buf_printf(out, ",\"count\":%llu}", (unsigned long long)g->count);
}

static enum err top_params(struct http_request *r, int64_t *top, int64_t *lifetime_ms, struct errmsg *why)
{
    struct slice n = param(r, "topN"), lifetime = param(r, "maxLifetime");
    int64_t ns;
    *top = TOP_DEFAULT;
    *lifetime_ms = LIFETIME_DEFAULT_MS;
    if (n.len && (goparse_int(n, 10, top, NULL) != ERR_OK || *top < 1 || *top > TOP_MAX)) {
        err_set(why, ERR_INVALID, "it must be a number from 1 to %d", TOP_MAX);
        return invalid_param(why, "topN");
    }
    if (!lifetime.len)
        return ERR_OK;
    if (duration_ns_parse(lifetime, &ns, why) != ERR_OK || ns <= 0) {
        err_set(why, ERR_INVALID, "it must be a duration like 10m");
        return invalid_param(why, "maxLifetime");
    }
    *lifetime_ms = ns / 1000000;
    return ERR_OK;
}

void on_top_queries(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct group *groups;
    struct buf out = {0};
    int64_t top, lifetime_ms;
    if (top_params(r, &top, &lifetime_ms, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    size_t count = group_all(&api->query_log, clock_now_ms(api->o.clock) - lifetime_ms, r->arena, &groups);
    buf_printf(&out,
               "{\"topN\":\"%lld\",\"maxLifetime\":\"%llds\",\"search.queryStats.lastQueriesCount\":%d,"
               "\"search.queryStats.minQueryDuration\":\"1ms\"",
               (long long)top, (long long)lifetime_ms / 1000, QUERY_LOG_COUNT);
    for (size_t k = 0; k < sizeof rankings / sizeof *rankings; k++) {
        if (count)
            qsort(groups, count, sizeof *groups, rankings[k].order);
        buf_printf(&out, ",\"%s\":[", rankings[k].key);
        for (size_t i = 0; i < count && i < (size_t)top; i++) {
            buf_str(&out, i ? "," : "");
            json_group(&out, &groups[i], &rankings[k]);
        }
        buf_u8(&out, ']');
    }
    buf_u8(&out, '}');
    http_header(r, "Content-Type", "application/json");
    http_respond(r, 200, buf_view(&out));
    buf_deinit(&out);
}
