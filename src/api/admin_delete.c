/*
 * admin_delete.c - delete_series, clean_tombstones and what waits to be carried out.
 *
 * Checks and texts in Prometheus' order; unlike there all selectors are parsed before the first is deleted.
 * dry_run is ours.
 */
#include "api/restrict.h"
#include "base/mem.h"
#include "numeric/timetext.h"
#include "tsdb/tsdb.h"

/* ---- parameters ---- */

static enum err delete_params(struct http_request *r, struct tsdb_delete *d, struct errmsg *why)
{
    struct match_list match;
    struct slice *texts;
    if (http_param_all(r, "match[]", &texts) == 0)
        return err_set(why, ERR_INVALID, "no match[] parameter provided");
    TRY(param_time(r, "start", TIME_MIN_MS, &d->mint_ms, why));
    TRY(param_time(r, "end", TIME_MAX_MS, &d->maxt_ms, why));
    if (param_selectors(r, &match, why) != ERR_OK)
        return invalid_param(why, "match[]");
    TRY(restriction_match(r, &match, why));
    struct tsdb_selector *selectors = ARENA_ARRAY(r->arena, struct tsdb_selector, match.count + 1);
    for (uint32_t i = 0; i < match.count; i++)
        selectors[i] = (struct tsdb_selector){match.sets[i].list, match.sets[i].count};
    d->selectors = selectors;
    d->selector_count = match.count;
    return ERR_OK;
}

static bool is_set(struct slice text)
{
    return slice_eq_str(text, "1") || slice_eq_str(text, "true");
}

/* ---- answers ---- */

void json_affected(struct buf *out, const struct tsdb_affected *a)
{
    buf_printf(out, "\"series\":%llu,\"samples\":%llu,\"headSamples\":%llu,\"bytes\":%llu,\"blocks\":%llu",
               (unsigned long long)a->series, (unsigned long long)a->samples, (unsigned long long)a->head_samples,
               (unsigned long long)a->bytes, (unsigned long long)a->blocks);
}

static void failed(struct http_request *r, enum err err, const struct errmsg *why)
{
    if (err == ERR_UNAVAILABLE) {
        api_error(r, API_UNAVAILABLE, why->text);
        return;
    }
    api_error(r, err == ERR_LIMIT || err == ERR_INVALID ? API_BAD_DATA : API_INTERNAL, why->text);
}

static void dry_run(struct http_request *r, struct api *api, const struct tsdb_delete *d)
{
    struct tsdb_affected affected;
    struct errmsg why = {0};
    enum err err = tsdb_delete_dry_run(api->o.tsdb, d, &r->cancel, &affected, &why);
    if (err != ERR_OK) {
        api_error(r, api_error_of(err), why.text);
        return;
    }
    struct answer a;
    answer_begin(&a, r);
    buf_u8(&a.out, '{');
    json_affected(&a.out, &affected);
    buf_u8(&a.out, '}');
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

void on_delete_series(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct tsdb_delete d = {0};
    struct errmsg why = {0};
    if (!admin_allowed(r, api))
        return;
    if (form_parse(r, &why) != ERR_OK || delete_params(r, &d, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    if (!api->o.tsdb) {
        api_error(r, API_UNAVAILABLE, "there is no store");
        return;
    }
    if (is_set(param(r, "dry_run"))) {
        dry_run(r, api, &d);
        return;
    }
    enum err err = tsdb_delete(api->o.tsdb, &d, &why);
    if (err != ERR_OK)
        failed(r, err, &why);
    else
        http_respond(r, 204, (struct slice){0});
}

void on_clean_tombstones(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    if (!admin_allowed(r, api))
        return;
    enum err err =
        api->o.tsdb ? tsdb_clean_tombstones(api->o.tsdb, &why) : err_set(&why, ERR_UNAVAILABLE, "there is no store");
    if (err != ERR_OK)
        failed(r, err, &why);
    else
        http_respond(r, 204, (struct slice){0});
}

/* ---- what waits ---- */

/* As text; null where the range is open. */
static void json_time(struct buf *out, const char *key, int64_t t_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    buf_printf(out, ",\"%s\":", key);
    if (t_ms <= TIME_MIN_MS || t_ms >= TIME_MAX_MS) {
        buf_str(out, "null");
        return;
    }
    size_t n = timetext_rfc3339_print(text, t_ms);
    buf_printf(out, "\"%.*s\"", (int)n, text);
}

struct listing {
    struct answer *answer;
    bool any;
};

static bool list_one(void *ctx, const struct tsdb_tombstone_info *t)
{
    struct listing *l = ctx;
    struct buf *out = &l->answer->out;
    buf_printf(out, "%s{\"id\":%llu,\"match\":", l->any ? "," : "", (unsigned long long)t->number);
    json_string_html(out, slice_str(t->selector));
    json_time(out, "start", t->mint_ms);
    json_time(out, "end", t->maxt_ms);
    json_time(out, "made", t->made_ms);
    buf_printf(out, ",\"blocks\":%u}", t->blocks);
    l->any = true;
    answer_flush(l->answer);
    return !l->answer->gone;
}

static unsigned long long get(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

void on_tombstones(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct answer a;
    struct listing l = {.answer = &a};
    if (!api->o.tsdb) {
        api_error(r, API_UNAVAILABLE, "there is no store");
        return;
    }
    const struct tsdb_stats *s = tsdb_stats(api->o.tsdb);
    answer_begin(&a, r);
    buf_str(&a.out, "{\"tombstones\":[");
    tsdb_tombstones(api->o.tsdb, list_one, &l);
    buf_printf(&a.out, "],\"clean\":{\"running\":%s,\"blocks\":%llu,\"blocksDone\":%llu},",
               get(&s->clean_running) ? "true" : "false", get(&s->clean_blocks), get(&s->clean_blocks_done));
    buf_printf(&a.out,
               "\"totals\":{\"deletes\":%llu,\"failedDeletes\":%llu,\"rewrittenBlocks\":%llu,\"bytesBefore\":%llu,"
               "\"bytesAfter\":%llu,\"failedRewrites\":%llu}}",
               get(&s->deletes), get(&s->delete_errors), get(&s->cleaned_blocks), get(&s->cleaned_bytes_before),
               get(&s->cleaned_bytes_after), get(&s->cleaning_errors));
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
