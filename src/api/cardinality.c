/*
 * cardinality.c - /api/v1/status/tsdb: which names, labels and pairs make the series of the head.
 *
 * The index counts the series of each pair anyway, so the answer is one pass over the pairs, whatever the number of
 * series.  With match[] the label sets of the series that match are counted instead.  The answer is the union of what
 * Prometheus and VictoriaMetrics give.
 */
#include <stdlib.h>

#include "api/counts.h"
#include "api/restrict.h"
#include "api/top.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/goparse.h"
#include "tsdb/tsdb.h"

enum { TOP_DEFAULT = 10, TOP_MAX = 10000, CANCEL_EVERY = 4096 };

struct cardinality {
    struct top metrics;      /* series by value of __name__ */
    struct top pairs;        /* series by pair */
    struct top label_series; /* series by label name */
    struct top label_values; /* distinct values by label name */
    struct top label_bytes;  /* bytes of these values */
    struct top focus;        /* series by value of the label `focus_name` */
    struct slice focus_name;
    struct slice name; /* label whose pairs come just now */
    uint64_t name_series, name_values, name_bytes;
    uint64_t series, pair_count, pair_sum; /* pair_sum: pairs of all series together */
};

static void cardinality_init(struct cardinality *c, size_t top, struct slice focus_name)
{
    *c = (struct cardinality){.focus_name = focus_name};
    top_init(&c->metrics, top);
    top_init(&c->pairs, top);
    top_init(&c->label_series, top);
    top_init(&c->label_values, top);
    top_init(&c->label_bytes, top);
    top_init(&c->focus, focus_name.len ? top : 0);
}

static void cardinality_deinit(struct cardinality *c)
{
    top_deinit(&c->metrics);
    top_deinit(&c->pairs);
    top_deinit(&c->label_series);
    top_deinit(&c->label_values);
    top_deinit(&c->label_bytes);
    top_deinit(&c->focus);
}

/* The pairs of one label are all told. */
static void label_done(struct cardinality *c)
{
    static const struct slice none = {0};
    if (c->name_values) {
        top_offer(&c->label_series, c->name, none, c->name_series);
        top_offer(&c->label_values, c->name, none, c->name_values);
        top_offer(&c->label_bytes, c->name, none, c->name_bytes);
    }
    c->name_series = c->name_values = c->name_bytes = 0;
}

/* Pairs of one label come together. */
static void count_pair(struct cardinality *c, struct slice name, struct slice value, uint64_t series)
{
    static const struct slice none = {0};
    if (!slice_eq(name, c->name)) {
        label_done(c);
        c->name = name;
    }
    c->name_series += series;
    c->name_values++;
    c->name_bytes += value.len ? value.len : 1;
    c->pair_count++;
    c->pair_sum += series;
    top_offer(&c->pairs, name, value, series);
    if (slice_eq_str(name, METRIC_NAME))
        top_offer(&c->metrics, value, none, series);
    if (slice_eq(name, c->focus_name))
        top_offer(&c->focus, value, none, series);
}

static bool count_index_pair(void *ctx, const struct label *pair, uint64_t series)
{
    count_pair(ctx, pair->name, pair->value, series);
    return true;
}

/* ---- of the series that match ---- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct counts_entry *)a)->name, ((const struct counts_entry *)b)->name);
}

static void count_table(struct cardinality *c, struct counts *pairs)
{
    size_t n = 0;
    for (size_t i = 0; i < pairs->capacity; i++)
        if (pairs->entries[i].count)
            pairs->entries[n++] = pairs->entries[i]; /* what follows is not looked up any more */
    if (n)
        qsort(pairs->entries, n, sizeof *pairs->entries, by_name);
    for (size_t i = 0; i < n; i++)
        count_pair(c, pairs->entries[i].name, pairs->entries[i].value, pairs->entries[i].count);
}

static enum err count_set(struct cardinality *c, const struct series_set *set, struct counts *seen,
                          struct counts *pairs, struct cancel *cancel)
{
    static const struct slice none = {0};
    for (uint32_t i = 0; i < set->count; i++) {
        const struct labels *l = &set->labels[i];
        if (i % CANCEL_EVERY == 0)
            TRY(cancel_check(cancel));
        if (seen && !counts_add(seen, l->hash, none, none, 1))
            continue;
        c->series++;
        for (uint32_t k = 0; k < l->count; k++)
            counts_add(pairs, l->list[k]->hash, l->list[k]->name, l->list[k]->value, 1);
    }
    return ERR_OK;
}

static enum err count_matching(struct http_request *r, struct querier *q, const struct match_list *match,
                               struct cardinality *c, struct errmsg *why)
{
    struct counts seen = {0}, pairs = {0};
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < match->count && err == ERR_OK; i++) {
        struct series_set *set;
        struct selector sel = {.matchers = match->sets[i].list,
                               .matcher_count = match->sets[i].count,
                               .mint_ms = TIME_MIN_MS,
                               .maxt_ms = TIME_MAX_MS};
        err = q->ops->select(q, &sel, r->arena, &r->cancel, &set, why);
        if (err == ERR_OK)
            err = count_set(c, set, match->count > 1 ? &seen : NULL, &pairs, &r->cancel);
    }
    if (err == ERR_OK)
        count_table(c, &pairs);
    counts_deinit(&seen);
    counts_deinit(&pairs);
    return err;
}

/* ---- answer ---- */

static void json_top(struct buf *out, const char *key, struct top *t, bool pairs)
{
    top_sort(t);
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < t->count; i++) {
        struct buf name = {0};
        buf_slice(&name, t->list[i].name);
        if (pairs) {
            buf_u8(&name, '=');
            buf_slice(&name, t->list[i].value);
        }
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        json_string_html(out, buf_view(&name));
        buf_printf(out, ",\"value\":%llu}", (unsigned long long)t->list[i].count);
        buf_deinit(&name);
    }
    buf_u8(out, ']');
}

static void answer(struct http_request *r, struct cardinality *c, const struct head_stats *s)
{
    struct answer a;
    bool any = s->mint_ms <= s->maxt_ms;
    answer_begin(&a, r);
    buf_printf(&a.out,
               "{\"headStats\":{\"numSeries\":%llu,\"numLabelPairs\":%llu,\"chunkCount\":%llu,\"minTime\":%lld,"
               "\"maxTime\":%lld}",
               (unsigned long long)s->series, (unsigned long long)s->label_pairs, (unsigned long long)s->chunks,
               (long long)(any ? s->mint_ms : INT64_MAX), (long long)(any ? s->maxt_ms : INT64_MIN));
    json_top(&a.out, "seriesCountByMetricName", &c->metrics, false);
    json_top(&a.out, "labelValueCountByLabelName", &c->label_values, false);
    json_top(&a.out, "memoryInBytesByLabelName", &c->label_bytes, false);
    json_top(&a.out, "seriesCountByLabelValuePair", &c->pairs, true);
    json_top(&a.out, "seriesCountByLabelName", &c->label_series, false);
    json_top(&a.out, "seriesCountByFocusLabelValue", &c->focus, false);
    buf_printf(&a.out, ",\"totalSeries\":%llu,\"totalLabelValuePairs\":%llu}", (unsigned long long)c->series,
               (unsigned long long)c->pair_sum);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static enum err count_head(struct http_request *r, struct head *head, const struct match_list *match,
                           struct cardinality *c, struct querier **querier, struct errmsg *why)
{
    struct head_stats stats;
    TRY(head_querier(head, TIME_MIN_MS, TIME_MAX_MS, querier, why));
    if (match->count) {
        TRY(count_matching(r, *querier, match, c, why));
    } else {
        head_stats(head, &stats);
        c->series = stats.series;
        head_pairs(head, count_index_pair, c);
    }
    label_done(c);
    return ERR_OK;
}

/* limit (Prometheus) or topN (VictoriaMetrics); match[] and extra_... as VictoriaMetrics has them. */
static enum err status_params(struct http_request *r, size_t *top, struct match_list *match, struct errmsg *why)
{
    struct slice text = param(r, "limit");
    if (!text.len)
        text = param(r, "topN");
    int64_t n = (int64_t)*top;
    if (text.len && (goparse_int(text, 10, &n, NULL) != ERR_OK || n < 1))
        return err_set(why, ERR_INVALID, "limit must be a positive number");
    if (n > TOP_MAX)
        return err_set(why, ERR_INVALID, "limit must not exceed %d", TOP_MAX);
    *top = (size_t)n;
    TRY(param_match(r, match, why));
    return restriction_match(r, match, why);
}

void on_tsdb_status(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    struct match_list match;
    size_t top = TOP_DEFAULT;
    if (status_params(r, &top, &match, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    struct cardinality c;
    struct head_stats stats = {.mint_ms = 1};
    struct querier *querier = NULL;
    enum err err = ERR_OK;
    cardinality_init(&c, top, param(r, "focusLabel"));
    if (api->o.tsdb) {
        err = count_head(r, tsdb_head(api->o.tsdb), &match, &c, &querier, &why);
        head_stats(tsdb_head(api->o.tsdb), &stats);
    }
    if (err == ERR_OK)
        answer(r, &c, &stats);
    else
        api_error(r, api_error_of(err), why.text);
    cardinality_deinit(&c);
    if (querier)
        querier->ops->close(querier);
}

static bool print_block(void *ctx, const struct tsdb_block_info *info)
{
    struct buf *out = ctx;
    if (info->problem)
        return true;
    buf_printf(out,
               "%s{\"ulid\":\"%s\",\"minTime\":%lld,\"maxTime\":%lld,\"stats\":{\"numSamples\":%llu,\"numSeries\":%llu,"
               "\"numChunks\":0},\"compaction\":{\"level\":%u,\"sources\":[\"%s\"]},\"version\":1}",
               out->len && out->data[out->len - 1] == '}' ? "," : "", info->ulid, (long long)info->mint_ms,
               (long long)info->maxt_ms + 1, (unsigned long long)info->samples, (unsigned long long)info->series,
               info->level, info->ulid);
    return true;
}

void on_tsdb_blocks(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct answer a;
    answer_begin(&a, r);
    buf_str(&a.out, "{\"blocks\":[");
    if (api->o.tsdb)
        tsdb_blocks(api->o.tsdb, print_block, &a.out);
    buf_str(&a.out, "]}");
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}
