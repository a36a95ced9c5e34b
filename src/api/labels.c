/*
 * labels.c - series, labels, label values: answers from the index.
 *
 * One selector (or none) streams straight from the index to the client.  Several are collected and
 * united, in memory of the request, which is bounded.
 */
#include <stdlib.h>

#include "api/counts.h"
#include "api/restrict.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/goformat.h"
#include "tsdb/tsdb.h"

struct lookup {
    struct http_request *r;
    int64_t start_ms, end_ms;
    uint64_t limit;
    struct match_list match;
    struct warnings warnings;
    struct querier *querier;
};

/* Order of checks as in Prometheus: limit, start, end, then match[]. */
static enum err lookup_params(struct http_request *r, struct lookup *l, bool name_match, struct errmsg *why)
{
    *l = (struct lookup){.r = r, .warnings.arena = r->arena};
    TRY(param_limit(r, &l->limit, why));
    TRY(param_time(r, "start", TIME_MIN_MS, &l->start_ms, why));
    TRY(param_time(r, "end", TIME_MAX_MS, &l->end_ms, why));
    enum err err = param_match(r, &l->match, why);
    if (err != ERR_OK)
        return name_match ? invalid_param(why, "match[]") : err;
    return restriction_match(r, &l->match, why);
}

static struct selector selector_for(struct lookup *l, uint32_t set)
{
    struct selector sel = {.mint_ms = l->start_ms, .maxt_ms = l->end_ms, .warnings = &l->warnings};
    if (set < l->match.count) {
        sel.matchers = l->match.sets[set].list;
        sel.matcher_count = l->match.sets[set].count;
    }
    return sel;
}

/* Opens the querier; an empty range needs none: `querier` stays NULL. */
static enum err lookup_open(struct lookup *l, struct api *api, struct errmsg *why)
{
    if (l->start_ms > l->end_ms)
        return ERR_OK;
    return api->o.storage->ops->querier(api->o.storage, l->start_ms, l->end_ms, &l->querier, why);
}

static void lookup_close(struct lookup *l)
{
    if (l->querier)
        l->querier->ops->close(l->querier);
}

/* ---- names and values ---- */

struct names {
    struct answer *answer;
    uint64_t limit, count; /* count: of those written */
    bool cut;              /* there was one more */
};

static bool name_write(void *ctx, struct slice name)
{
    struct names *n = ctx;
    if (n->limit && n->count == n->limit) {
        n->cut = true;
        return false;
    }
    if (n->count++)
        buf_u8(&n->answer->out, ',');
    json_string_html(&n->answer->out, name);
    answer_flush(n->answer);
    return !n->answer->gone;
}

struct collected {
    struct arena *arena;
    struct slice *list;
    size_t count, capacity;
    bool refused; /* memory of the request is spent */
};

static bool name_collect(void *ctx, struct slice name)
{
    struct collected *c = ctx;
    uint8_t *copy = arena_try_alloc(c->arena, name.len ? name.len : 1);
    c->refused = !copy;
    if (!copy)
        return false;
    memcpy(copy, name.data, name.len);
    c->list = mem_grow(c->list, &c->capacity, c->count + 1, sizeof *c->list);
    c->list[c->count++] = slice_of(copy, name.len);
    return true;
}

static int slice_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* label: empty = names of labels, else the values of that one. */
static enum err visit_one(struct lookup *l, struct slice label, uint32_t set, name_visit visit, void *ctx,
                          struct errmsg *why)
{
    struct selector sel = selector_for(l, set);
    const struct querier_ops *ops = l->querier->ops;
    uint64_t most = l->limit ? l->limit + 1 : 0; /* one more tells whether something was cut off */
    if (label.len)
        return ops->label_values(l->querier, label, &sel, most, &l->r->cancel, visit, ctx, why);
    return ops->label_names(l->querier, &sel, most, &l->r->cancel, visit, ctx, why);
}

static enum err visit_several(struct lookup *l, struct slice label, struct names *names, struct errmsg *why)
{
    struct collected c = {.arena = l->r->arena};
    enum err err = ERR_OK;
    for (uint32_t set = 0; set < l->match.count && err == ERR_OK; set++)
        err = visit_one(l, label, set, name_collect, &c, why);
    if (err == ERR_OK && c.refused)
        err = err_set(why, ERR_LIMIT, "the answer needs more memory than a request may take; narrow match[]");
    if (err == ERR_OK && c.count)
        qsort(c.list, c.count, sizeof *c.list, slice_order);
    for (size_t i = 0; err == ERR_OK && i < c.count; i++)
        if (i == 0 || !slice_eq(c.list[i], c.list[i - 1]))
            if (!name_write(names, c.list[i]))
                break;
    mem_free(c.list);
    return err;
}

static enum err visit_all(struct lookup *l, struct slice label, struct names *names, struct errmsg *why)
{
    if (!l->querier)
        return ERR_OK;
    if (l->match.count > 1)
        return visit_several(l, label, names, why);
    return visit_one(l, label, 0, name_write, names, why);
}

static void names_answer(struct http_request *r, struct api *api, struct slice label)
{
    struct lookup l;
    struct errmsg why = {0};
    if (lookup_params(r, &l, false, &why) != ERR_OK) {
        api_error(r, API_BAD_DATA, why.text);
        return;
    }
    struct answer a;
    struct names names = {.answer = &a, .limit = l.limit};
    enum err err = lookup_open(&l, api, &why);
    answer_begin(&a, r);
    buf_u8(&a.out, '[');
    if (err == ERR_OK)
        err = visit_all(&l, label, &names, &why);
    lookup_close(&l);
    if (err == ERR_OK || a.streaming) {
        buf_u8(&a.out, ']');
        answer_finish(&a, err, warnings_with_limit(r, &l.warnings, names.cut));
    } else {
        buf_deinit(&a.out);
        api_error(r, api_error_of(err), why.text);
    }
}

void on_labels(struct http_request *r, void *ctx)
{
    http_params_parse(r, NULL);
    names_answer(r, ctx, (struct slice){0});
}

void on_label_values(struct http_request *r, void *ctx)
{
    struct slice name = label_name_unescape(r->arena, r->path_rest);
    http_params_parse(r, NULL);
    if (name.len && utf8_valid(name)) {
        names_answer(r, ctx, name);
        return;
    }
    struct buf quoted = {0};
    goformat_quote(&quoted, name);
    api_errorf(r, API_BAD_DATA, "invalid label name: %s", buf_cstr(&quoted));
    buf_deinit(&quoted);
}

/* ---- series ---- */

struct series_list {
    const struct labels **list;
    size_t count, capacity;
};

static int labels_order_by_pointer(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *const *)a, *(const struct labels *const *)b);
}

static void series_add(struct series_list *s, const struct labels *labels)
{
    s->list = mem_grow(s->list, &s->capacity, s->count + 1, sizeof *s->list);
    s->list[s->count++] = labels;
}

static enum err select_set(struct lookup *l, uint32_t i, bool sorted, struct arena *arena, struct series_set **set,
                           struct errmsg *why)
{
    struct selector sel = selector_for(l, i);
    sel.sorted = sorted;
    sel.series_limit = l->limit ? l->limit + 1 : 0; /* one more tells whether something was cut off */
    return l->querier->ops->select(l->querier, &sel, arena, &l->r->cancel, set, why);
}

/* All in one piece of memory; NULL when there is not so much for the request. */
static const struct labels *labels_keep(const struct labels *l, struct arena *arena)
{
    size_t bytes = sizeof *l + l->count * (sizeof *l->list + sizeof **l->list);
    for (uint32_t i = 0; i < l->count; i++)
        bytes += l->list[i]->name.len + l->list[i]->value.len;
    struct labels *copy = arena_try_alloc(arena, bytes);
    if (!copy)
        return NULL;
    struct label *pairs = (struct label *)(copy + 1);
    const struct label **list = (const struct label **)(pairs + l->count);
    uint8_t *text = (uint8_t *)(list + l->count);
    for (uint32_t i = 0; i < l->count; i++) {
        struct slice name = l->list[i]->name, value = l->list[i]->value;
        memcpy(text, name.data, name.len);
        memcpy(text + name.len, value.data, value.len);
        pairs[i] = (struct label){slice_of(text, name.len), slice_of(text + name.len, value.len), l->list[i]->hash};
        text += name.len + value.len;
        list[i] = &pairs[i];
    }
    *copy = (struct labels){l->count, list, l->hash};
    return copy;
}

/* What a selector finds besides what others have found already. */
static enum err series_unite(struct lookup *l, uint32_t i, struct counts *seen, struct series_list *out,
                             struct errmsg *why)
{
    struct arena found;
    struct series_set *set;
    arena_init(&found, l->r->arena->budget);
    enum err err = select_set(l, i, false, &found, &set, why);
    for (uint32_t s = 0; err == ERR_OK && s < set->count; s++) {
        if (!counts_add(seen, set->labels[s].hash, (struct slice){0}, (struct slice){0}, 1))
            continue;
        const struct labels *kept = labels_keep(&set->labels[s], l->r->arena);
        if (kept)
            series_add(out, kept);
        else
            err = err_set(why, ERR_LIMIT, "the answer needs more memory than a request may take; narrow match[]");
    }
    arena_deinit(&found);
    return err;
}

static enum err series_collect(struct lookup *l, struct series_list *out, struct errmsg *why)
{
    struct series_set *set;
    struct counts seen = {0};
    enum err err = ERR_OK;
    if (!l->querier)
        return ERR_OK;
    if (l->match.count == 1) {
        TRY(select_set(l, 0, true, l->r->arena, &set, why));
        for (uint32_t i = 0; i < set->count; i++)
            series_add(out, &set->labels[i]);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < l->match.count && err == ERR_OK; i++)
        err = series_unite(l, i, &seen, out, why);
    counts_deinit(&seen);
    if (err == ERR_OK && out->count)
        qsort(out->list, out->count, sizeof *out->list, labels_order_by_pointer);
    return err;
}

/* Returns whether the limit cut something off. */
static bool series_write(struct answer *a, const struct series_list *series, uint64_t limit)
{
    uint64_t written = 0;
    for (size_t i = 0; i < series->count && !a->gone; i++) {
        if (limit && written == limit)
            return true;
        if (written++)
            buf_u8(&a->out, ',');
        json_labels(&a->out, series->list[i]);
        answer_flush(a);
    }
    return false;
}

static void series_answer(struct http_request *r, struct api *api, struct lookup *l)
{
    struct errmsg why = {0};
    struct series_list series = {0};
    enum err err = lookup_open(l, api, &why);
    if (err == ERR_OK)
        err = series_collect(l, &series, &why);
    if (err == ERR_OK) {
        struct answer a;
        answer_begin(&a, r);
        buf_u8(&a.out, '[');
        bool cut = series_write(&a, &series, l->limit);
        buf_u8(&a.out, ']');
        struct texts warnings = warnings_with_limit(r, &l->warnings, cut);
        mem_free(series.list);
        lookup_close(l);
        answer_end(&a, warnings, NO_TEXTS);
        return;
    }
    mem_free(series.list);
    lookup_close(l);
    api_error(r, api_error_of(err), why.text);
}

void on_series(struct http_request *r, void *ctx)
{
    struct lookup l;
    struct errmsg why = {0};
    struct slice *unused;
    enum err err = form_parse(r, &why);
    if (err == ERR_OK && !http_param_all(r, "match[]", &unused))
        err = err_set(&why, ERR_INVALID, "no match[] parameter provided");
    if (err == ERR_OK)
        err = lookup_params(r, &l, true, &why);
    if (err != ERR_OK)
        api_error(r, API_BAD_DATA, why.text);
    else
        series_answer(r, ctx, &l);
}

static bool most_series(void *ctx, const struct tsdb_block_info *info)
{
    uint64_t *most = ctx;
    uint64_t left = info->series > info->deleted_series ? info->series - info->deleted_series : 0;
    if (!info->problem && left > *most)
        *most = left;
    return true;
}

/*
 * VictoriaMetrics' /api/v1/series/count.  The head and each block know how many series they have, but not how many they
 * have in common: the largest of them is told.
 */
void on_series_count(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    uint64_t count = 0;
    if (api->o.tsdb) {
        struct head_stats stats;
        head_stats(tsdb_head(api->o.tsdb), &stats);
        count = stats.series;
        tsdb_blocks(api->o.tsdb, most_series, &count);
    }
    api_success(r, arena_printf(r->arena, "[%llu]", (unsigned long long)count));
}
