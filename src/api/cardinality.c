/*
 * cardinality.c - /api/v1/status/tsdb: which names, labels and pairs make the series of the head.
 *
 * Counted by walking the label sets of the series that are in the head now: each pair is one interned
 * pointer with its hash, so a million series of ten labels are ten million additions.  The answer is
 * the union of what Prometheus and VictoriaMetrics give.
 */
#include "api/api_internal.h"
#include "api/counts.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/goparse.h"
#include "tsdb/tsdb.h"

enum { TOP_DEFAULT = 10, TOP_MAX = 10000, CANCEL_EVERY = 4096 };

struct cardinality {
    struct counts metrics;      /* series by value of __name__ */
    struct counts pairs;        /* series by pair */
    struct counts label_series; /* series by label name */
    struct counts label_values; /* distinct values by label name */
    struct counts label_bytes;  /* bytes of these values */
    uint64_t series;
};

static void cardinality_deinit(struct cardinality *c)
{
    counts_deinit(&c->metrics);
    counts_deinit(&c->pairs);
    counts_deinit(&c->label_series);
    counts_deinit(&c->label_values);
    counts_deinit(&c->label_bytes);
}

static struct hash128 name_hash(struct slice name)
{
    return label_hash(name, (struct slice){0});
}

static void count_series(struct cardinality *c, const struct labels *l)
{
    c->series++;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct label *pair = l->list[i];
        counts_add(&c->pairs, pair->hash, pair->name, pair->value, 1);
        if (slice_eq_str(pair->name, METRIC_NAME))
            counts_add(&c->metrics, pair->hash, pair->value, (struct slice){0}, 1);
    }
}

/* What is known per label name follows from the pairs. */
static void count_labels(struct cardinality *c)
{
    for (size_t i = 0; i < c->pairs.capacity; i++) {
        const struct counts_entry *e = &c->pairs.entries[i];
        if (!e->count)
            continue;
        struct hash128 hash = name_hash(e->name);
        counts_add(&c->label_series, hash, e->name, (struct slice){0}, e->count);
        counts_add(&c->label_values, hash, e->name, (struct slice){0}, 1);
        counts_add(&c->label_bytes, hash, e->name, (struct slice){0}, e->value.len ? e->value.len : 1);
    }
}

static void json_top(struct buf *out, const char *key, const struct counts *t, size_t top, bool pairs)
{
    struct counts_entry *list = mem_array(top, sizeof *list);
    size_t n = counts_top(t, list, top);
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        struct buf name = {0};
        buf_slice(&name, list[i].name);
        if (pairs) {
            buf_u8(&name, '=');
            buf_slice(&name, list[i].value);
        }
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        json_string_html(out, buf_view(&name));
        buf_printf(out, ",\"value\":%llu}", (unsigned long long)list[i].count);
        buf_deinit(&name);
    }
    buf_u8(out, ']');
    mem_free(list);
}

static void answer(struct http_request *r, const struct cardinality *c, const struct head_stats *s, size_t top)
{
    struct answer a;
    bool any = s->mint_ms <= s->maxt_ms;
    answer_begin(&a, r);
    buf_printf(&a.out,
               "{\"headStats\":{\"numSeries\":%llu,\"numLabelPairs\":%zu,\"chunkCount\":%llu,\"minTime\":%lld,"
               "\"maxTime\":%lld}",
               (unsigned long long)c->series, c->pairs.count, (unsigned long long)s->chunks,
               (long long)(any ? s->mint_ms : INT64_MAX), (long long)(any ? s->maxt_ms : INT64_MIN));
    json_top(&a.out, "seriesCountByMetricName", &c->metrics, top, false);
    json_top(&a.out, "labelValueCountByLabelName", &c->label_values, top, false);
    json_top(&a.out, "memoryInBytesByLabelName", &c->label_bytes, top, false);
    json_top(&a.out, "seriesCountByLabelValuePair", &c->pairs, top, true);
    json_top(&a.out, "seriesCountByLabelName", &c->label_series, top, false);
    buf_printf(&a.out, ",\"totalSeries\":%llu,\"totalLabelValuePairs\":%zu}", (unsigned long long)c->series,
               c->pairs.count);
    answer_end(&a, NO_TEXTS, NO_TEXTS);
}

static enum err count_head(struct http_request *r, struct head *head, struct cardinality *c, struct querier **querier,
                           struct errmsg *why)
{
    struct series_set *set;
    struct selector all = {.mint_ms = TIME_MIN_MS, .maxt_ms = TIME_MAX_MS};
    TRY(head_querier(head, TIME_MIN_MS, TIME_MAX_MS, querier, why));
    TRY((*querier)->ops->select(*querier, &all, r->arena, &r->cancel, &set, why));
    for (uint32_t i = 0; i < set->count; i++) {
        if (i % CANCEL_EVERY == 0)
            TRY(cancel_check(&r->cancel));
        count_series(c, &set->labels[i]);
    }
    count_labels(c);
    return ERR_OK;
}

/* limit (Prometheus) or topN (VictoriaMetrics). */
static enum err top_param(struct http_request *r, size_t *top, struct errmsg *why)
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
    return ERR_OK;
}

void on_tsdb_status(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    size_t top = TOP_DEFAULT;
    if (top_param(r, &top, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    struct cardinality c = {0};
    struct head_stats stats = {.mint_ms = 1};
    struct querier *querier = NULL;
    enum err err = ERR_OK;
    if (api->o.tsdb) {
        err = count_head(r, tsdb_head(api->o.tsdb), &c, &querier, &why);
        head_stats(tsdb_head(api->o.tsdb), &stats);
    }
    if (err == ERR_OK)
        answer(r, &c, &stats, top);
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
