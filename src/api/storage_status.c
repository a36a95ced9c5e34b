/*
 * storage_status.c - /api/v1/status/storage: what is kept, from when to when, and where days are missing.
 *
 * Days are UTC.  The samples of a block are spread over its days by time, so the figures of a day are estimates
 * where a block spans several; a gap is a day that no block and not the head reaches.  `damage` is what is missing of
 * what was kept: from when to when, how many series, the first of them by name.
 */
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/timetext.h"
#include "tsdb/tsdb.h"

#define DAY_MS INT64_C(86400000)
enum { DAYS_MAX = 36525 /* a hundred years: more is not listed */ };

struct day {
    double samples, bytes; /* of blocks */
    uint32_t blocks;
    bool in_head;
};

struct holdings {
    struct buf *out; /* of the list of blocks */
    int64_t first_ms, last_ms;
    uint64_t blocks, samples, bytes, unusable;
    struct day *days;
    size_t day_count;
};

static int64_t day_of(int64_t t_ms)
{
    int64_t day = t_ms / DAY_MS;
    return t_ms % DAY_MS < 0 ? day - 1 : day;
}

static void span_add(struct holdings *h, int64_t mint_ms, int64_t maxt_ms)
{
    if (mint_ms > maxt_ms)
        return;
    h->first_ms = mint_ms < h->first_ms ? mint_ms : h->first_ms;
    h->last_ms = maxt_ms > h->last_ms ? maxt_ms : h->last_ms;
}

static bool block_span(void *ctx, const struct tsdb_block_info *info)
{
    struct holdings *h = ctx;
    if (info->problem) {
        h->unusable++;
        return true;
    }
    span_add(h, info->mint_ms, info->maxt_ms);
    h->blocks++;
    h->samples += info->samples;
    h->bytes += info->bytes;
    return true;
}

/* Spreads what is in [mint, maxt] over its days; block NULL: the head. */
static void days_add(struct holdings *h, int64_t mint_ms, int64_t maxt_ms, const struct tsdb_block_info *block)
{
    double span = (double)(maxt_ms - mint_ms) + 1;
    int64_t first = day_of(h->first_ms);
    for (int64_t day = day_of(mint_ms); day <= day_of(maxt_ms); day++) {
        int64_t from = day * DAY_MS, to = from + DAY_MS - 1, index = day - first;
        if (index < 0 || (size_t)index >= h->day_count)
            continue;
        from = from < mint_ms ? mint_ms : from;
        to = to > maxt_ms ? maxt_ms : to;
        double share = ((double)(to - from) + 1) / span;
        if (block) {
            h->days[index].samples += (double)block->samples * share;
            h->days[index].bytes += (double)block->bytes * share;
            h->days[index].blocks++;
        } else {
            h->days[index].in_head = true;
        }
    }
}

static bool block_days(void *ctx, const struct tsdb_block_info *info)
{
    struct holdings *h = ctx;
    if (!info->problem)
        days_add(h, info->mint_ms, info->maxt_ms, info);
    return true;
}

static void json_time(struct buf *out, const char *key, int64_t t_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    size_t n = timetext_rfc3339_print(text, t_ms);
    buf_printf(out, "\"%s\":\"%.*s\"", key, (int)n, text);
}

static void json_days(struct answer *a, const struct holdings *h)
{
    buf_str(&a->out, ",\"days\":[");
    for (size_t i = 0; i < h->day_count; i++) {
        char text[TIMETEXT_BYTES_MAX];
        timetext_rfc3339_print(text, (day_of(h->first_ms) + (int64_t)i) * DAY_MS);
        buf_printf(&a->out, "%s{\"day\":\"%.10s\",\"samples\":%.0f,\"bytes\":%.0f,\"blocks\":%u,\"head\":%s}",
                   i ? "," : "", text, h->days[i].samples, h->days[i].bytes, h->days[i].blocks,
                   h->days[i].in_head ? "true" : "false");
        answer_flush(a);
    }
    buf_str(&a->out, "],\"gaps\":[");
    bool any = false;
    for (size_t i = 0; i < h->day_count; i++) {
        size_t end = i;
        while (end < h->day_count && !h->days[end].blocks && !h->days[end].in_head)
            end++;
        if (end == i)
            continue;
        buf_str(&a->out, any ? ",{" : "{");
        json_time(&a->out, "from", (day_of(h->first_ms) + (int64_t)i) * DAY_MS);
        buf_u8(&a->out, ',');
        json_time(&a->out, "to", (day_of(h->first_ms) + (int64_t)end) * DAY_MS);
        buf_u8(&a->out, '}');
        any = true;
        i = end;
    }
    buf_u8(&a->out, ']');
}

static void json_head(struct buf *out, const struct head_stats *s)
{
    buf_printf(out, ",\"head\":{\"series\":%llu,\"bytes\":%llu", (unsigned long long)s->series,
               (unsigned long long)s->bytes);
    if (s->mint_ms <= s->maxt_ms) {
        buf_u8(out, ',');
        json_time(out, "minTime", s->mint_ms);
        buf_u8(out, ',');
        json_time(out, "maxTime", s->maxt_ms);
    }
    buf_u8(out, '}');
}

struct text_list {
    struct buf *out;
    bool any;
};

static bool json_damage_one(void *ctx, const struct tsdb_damage_info *info)
{
    struct text_list *l = ctx;
    buf_printf(l->out, "%s{\"block\":\"%s\",\"state\":\"%s\",\"reason\":", l->any ? "," : "", info->ulid, info->state);
    json_string_html(l->out, slice_str(info->what));
    if (info->mint_ms <= info->maxt_ms) {
        buf_u8(l->out, ',');
        json_time(l->out, "from", info->mint_ms);
        buf_u8(l->out, ',');
        json_time(l->out, "to", info->maxt_ms);
    }
    buf_printf(l->out, ",\"seriesCount\":%llu,\"series\":[", (unsigned long long)info->series);
    for (uint32_t i = 0; i < info->named; i++) {
        if (i)
            buf_u8(l->out, ',');
        json_string_html(l->out, slice_str(info->names[i]));
    }
    buf_printf(l->out, "],\"acknowledged\":%s}", info->acknowledged ? "true" : "false");
    l->any = true;
    return true;
}

/* Blocks, then what the log lost. */
static void json_damage(struct buf *out, struct tsdb *db)
{
    struct text_list l = {.out = out};
    buf_str(out, ",\"damage\":[");
    if (db)
        tsdb_damage(db, json_damage_one, &l);
    buf_u8(out, ']');
    if (!db)
        return;
    const struct tsdb_stats *s = tsdb_stats(db);
    buf_printf(out, ",\"log\":{\"damagedPlaces\":%llu,\"lostFrames\":%llu}", (unsigned long long)s->replay_damage,
               (unsigned long long)s->replay_lost_frames);
}

static bool json_loss(void *ctx, const struct tsdb_loss_info *loss)
{
    struct text_list *l = ctx;
    buf_str(l->out, l->any ? ",{" : "{");
    json_time(l->out, "from", loss->mint_ms);
    buf_u8(l->out, ',');
    json_time(l->out, "to", loss->maxt_ms);
    buf_str(l->out, ",\"reason\":");
    json_string(l->out, slice_str(loss->why));
    buf_printf(l->out, ",\"acknowledged\":%s}", loss->acknowledged ? "true" : "false");
    l->any = true;
    return true;
}

/* From when to when stored samples were lost to damage, and how. */
static void json_losses(struct buf *out, struct tsdb *tsdb)
{
    struct text_list l = {.out = out};
    buf_str(out, ",\"losses\":[");
    if (tsdb)
        tsdb_losses(tsdb, json_loss, &l);
    buf_u8(out, ']');
}

static void print_holdings(struct http_request *r, struct api *api, struct holdings *h, const struct head_stats *head)
{
    struct answer a;
    answer_begin(&a, r);
    buf_printf(&a.out, "{\"retention\":{\"time\":\"%s\",\"size\":\"%s\"}",
               config_text(api->o.config, OPT_STORAGE_RETENTION_TIME),
               config_text(api->o.config, OPT_STORAGE_RETENTION_SIZE));
    if (h->first_ms <= h->last_ms) {
        buf_u8(&a.out, ',');
        json_time(&a.out, "minTime", h->first_ms);
        buf_u8(&a.out, ',');
        json_time(&a.out, "maxTime", h->last_ms);
    }
    json_head(&a.out, head);
    buf_printf(&a.out, ",\"blocks\":{\"count\":%llu,\"unusable\":%llu,\"samples\":%llu,\"bytes\":%llu}",
               (unsigned long long)h->blocks, (unsigned long long)h->unusable, (unsigned long long)h->samples,
               (unsigned long long)h->bytes);
    json_damage(&a.out, api->o.tsdb);
    json_losses(&a.out, api->o.tsdb);
    json_days(&a, h);
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

void on_storage_status(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct holdings h = {.first_ms = INT64_MAX, .last_ms = INT64_MIN};
    struct head_stats head = {.mint_ms = 1};
    if (api->o.tsdb) {
        head_stats(tsdb_head(api->o.tsdb), &head);
        tsdb_blocks(api->o.tsdb, block_span, &h);
    }
    span_add(&h, head.mint_ms, head.maxt_ms);
    if (h.first_ms <= h.last_ms) {
        int64_t days = day_of(h.last_ms) - day_of(h.first_ms) + 1;
        h.day_count = days > DAYS_MAX ? DAYS_MAX : (size_t)days;
        h.days = mem_array(h.day_count, sizeof *h.days);
        if (api->o.tsdb)
            tsdb_blocks(api->o.tsdb, block_days, &h);
        if (head.mint_ms <= head.maxt_ms)
            days_add(&h, head.mint_ms, head.maxt_ms, NULL);
    }
    print_holdings(r, api, &h, &head);
    mem_free(h.days);
}
