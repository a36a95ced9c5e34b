/*
 * search.c - /api/v1/search/{metric_names,label_names,label_values}: names for who types, as lines of JSON.
 *
 * Prometheus has it behind a feature flag; here it is always there.  All names of the range pass the filter one by one,
 * and no more than limit + 1 of them are kept: the one more tells has_more.
 */
#include <locale.h>
#include <stdlib.h>
#include <wctype.h>

#include "api/counts.h"
#include "api/restrict.h"
#include "api/similarity.h"
#include "api/stream.h"
#include "base/mem.h"
#include "head/head.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"
#include "tsdb/tsdb.h"

enum { TERMS_MAX = 32, LIMIT_DEFAULT = 100, LIMIT_MAX = 10000, BATCH_DEFAULT = 100, HOUR_MS = 3600000 };
enum order { BY_NAME, BY_NAME_DOWN, BY_SCORE };

struct hit {
    struct slice name; /* owned */
    double score;
};

struct search {
    struct http_request *r;
    struct api *api;
    struct slice label; /* whose values are searched; empty: names of labels */
    const char *key;    /* of a name in the answer */
    int64_t start_ms, end_ms;
    struct match_list match;
    struct runes *terms;
    uint32_t term_count;
    double threshold; /* 0 to 1 */
    bool jaro_winkler, case_sensitive, include_score, include_metadata;
    locale_t folding; /* 0: only ASCII letters are folded */
    enum order order;
    uint64_t limit, batch;
    struct runes text;  /* the name at hand */
    struct counts seen; /* names found so far, when there are several selectors */
    struct hit *hits;
    size_t count, capacity;
    struct warnings warnings;
};

/* ---- parameters, in Prometheus' order with its texts ---- */

static enum err bad(struct errmsg *why, const char *before, struct slice text, const char *after)
{
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "%s%s%s", before, buf_cstr(&quoted), after);
    buf_deinit(&quoted);
    return ERR_INVALID;
}

static enum err time_bound(struct http_request *r, const char *name, int64_t def_ms, int64_t *ms, struct errmsg *why)
{
    struct slice text = param(r, name);
    struct instant t;
    *ms = def_ms;
    if (!text.len)
        return ERR_OK;
    if (instant_parse(text, &t, why) != ERR_OK)
        return err_wrap(why, ERR_INVALID, "invalid time value for '%s'", name);
    *ms = instant_ms(t);
    return ERR_OK;
}

static enum err bool_param(struct http_request *r, const char *name, bool def, bool *out, struct errmsg *why)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};
    struct slice text = param(r, name);
    *out = def;
    if (!text.len)
        return ERR_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_eq_str(text, words[i])) {
            *out = i < sizeof words / sizeof *words / 2;
            return ERR_OK;
        }
    return bad(why, arena_printf(r->arena, "invalid %s ", name), text, ": must be boolean");
}

/* What is left of the text is folded when upper and lower case are the same. */
static void term_set(const struct search *s, struct runes *r, struct slice text)
{
    runes_set(r, text);
    for (size_t i = 0; !s->case_sensitive && i < r->count; i++) {
        int32_t c = r->list[i];
        if (s->folding)
            r->list[i] = (int32_t)towlower_l((wint_t)c, s->folding);
        else if (c >= 'A' && c <= 'Z')
            r->list[i] = c + 'a' - 'A';
    }
}

static enum err fuzz_params(struct search *s, struct errmsg *why)
{
    struct slice threshold = param(s->r, "fuzz_threshold"), alg = param(s->r, "fuzz_alg");
    int64_t n = 0;
    if (threshold.len && (goparse_int(threshold, 10, &n, NULL) != ERR_OK || n < 0 || n > 100))
        return bad(why, "invalid fuzz_threshold ", threshold, ": must be 0-100");
    s->threshold = (double)n / 100.0;
    s->jaro_winkler = slice_eq_str(alg, "jarowinkler");
    if (alg.len && !s->jaro_winkler && !slice_eq_str(alg, "subsequence"))
        return bad(why, "unsupported fuzz_alg ", alg, ": must be one of [subsequence jarowinkler]");
    TRY(bool_param(s->r, "case_sensitive", true, &s->case_sensitive, why));
    return bool_param(s->r, "include_score", false, &s->include_score, why);
}

static enum err order_params(struct search *s, uint32_t searches, struct errmsg *why)
{
    struct slice by = param(s->r, "sort_by"), dir = param(s->r, "sort_dir");
    bool score = slice_eq_str(by, "score"), down = slice_eq_str(dir, "dsc");
    if (dir.len && !by.len)
        return err_set(why, ERR_INVALID, "sort_dir is only valid when sort_by is set");
    if (dir.len && score)
        return err_set(why, ERR_INVALID, "sort_dir is not supported for sort_by=score");
    if (dir.len && !down && !slice_eq_str(dir, "asc"))
        return bad(why, "invalid sort_dir ", dir, ": must be \"asc\" or \"dsc\"");
    if (score && !searches)
        return err_set(why, ERR_INVALID, "sort_by=score requires search[] to be set");
    s->order = score ? BY_SCORE : down ? BY_NAME_DOWN : BY_NAME;
    return ERR_OK;
}

static enum err count_param(struct search *s, const char *name, int64_t def, uint64_t *out, struct errmsg *why)
{
    struct slice text = param(s->r, name);
    int64_t n = def;
    if (text.len && (goparse_int(text, 10, &n, NULL) != ERR_OK || n <= 0))
        return bad(why, arena_printf(s->r->arena, "invalid %s ", name), text, ": must be a positive integer");
    *out = (uint64_t)n;
    return ERR_OK;
}

/* Terms that are empty say nothing. */
static void terms_set(struct search *s, const struct slice *texts, uint32_t count)
{
    s->terms = ARENA_ARRAY(s->r->arena, struct runes, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (texts[i].len)
            term_set(s, &s->terms[s->term_count++], texts[i]);
}

static enum err search_params(struct search *s, const char *endpoint, struct errmsg *why)
{
    int64_t now_ms = clock_now_ms(s->api->o.clock);
    struct slice *texts, by = param(s->r, "sort_by");
    TRY(time_bound(s->r, "start", now_ms - HOUR_MS, &s->start_ms, why));
    TRY(time_bound(s->r, "end", now_ms, &s->end_ms, why));
    if (s->end_ms < s->start_ms)
        return err_set(why, ERR_INVALID, "end timestamp must not be before start timestamp");
    TRY(param_match(s->r, &s->match, why));
    uint32_t searches = http_param_all(s->r, "search[]", &texts);
    if (searches > TERMS_MAX)
        return err_set(why, ERR_INVALID, "too many search[] terms: got %u, maximum is %d", searches, TERMS_MAX);
    TRY(fuzz_params(s, why));
    TRY(order_params(s, searches, why));
    TRY(count_param(s, "limit", LIMIT_DEFAULT, &s->limit, why));
    if (s->limit > LIMIT_MAX)
        return err_set(why, ERR_INVALID, "limit %llu exceeds the configured maximum (%d, see --web.search.max-limit)",
                       (unsigned long long)s->limit, LIMIT_MAX);
    TRY(count_param(s, "batch_size", BATCH_DEFAULT, &s->batch, why));
    if (by.len && !slice_eq_str(by, "alpha") && !slice_eq_str(by, "score"))
        return bad(why, "invalid sort_by ", by,
                   arena_printf(s->r->arena, " for %s: must be \"alpha\" or \"score\"", endpoint));
    if (!s->case_sensitive)
        s->folding = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    terms_set(s, texts, searches);
    return restriction_match(s->r, &s->match, why);
}

/* ---- finding ---- */

static bool term_accepts(const struct search *s, const struct runes *term, double *score)
{
    if (s->jaro_winkler) {
        if (similarity_substring(term, &s->text, score))
            return true;
        *score = s->threshold > 0 ? similarity_jaro_winkler(term, &s->text) : 0;
        return s->threshold > 0 && *score >= s->threshold;
    }
    *score = runes_starts_with(&s->text, term) ? 1 : similarity_subsequence(term, &s->text);
    return *score > 0 && *score >= s->threshold;
}

static bool accepts(struct search *s, struct slice name, double *best)
{
    bool any = s->term_count == 0;
    double score;
    *best = any ? 1 : 0;
    if (!any)
        term_set(s, &s->text, name);
    for (uint32_t i = 0; i < s->term_count && *best < 1; i++)
        if (term_accepts(s, &s->terms[i], &score)) {
            any = true;
            *best = score > *best ? score : *best;
        }
    return any;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct hit *)a)->name, ((const struct hit *)b)->name);
}

static int by_name_down(const void *a, const void *b)
{
    return by_name(b, a);
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct hit *)a)->score, y = ((const struct hit *)b)->score;
    return x != y ? (x < y) - (x > y) : by_name(a, b);
}

/* Puts the hits in order and forgets those past `most`. */
static void hits_settle(struct search *s, uint64_t most)
{
    if (s->count)
        qsort(s->hits, s->count, sizeof *s->hits,
              s->order == BY_SCORE       ? by_score
              : s->order == BY_NAME_DOWN ? by_name_down
                                         : by_name);
    while (s->count > most)
        mem_free((void *)(uintptr_t)s->hits[--s->count].name.data);
}

static bool on_name(void *ctx, struct slice name)
{
    struct search *s = ctx;
    double score;
    if (!accepts(s, name, &score))
        return true;
    if (s->match.count > 1 &&
        !counts_add(&s->seen, label_hash(name, (struct slice){0}), (struct slice){0}, (struct slice){0}, 1))
        return true;
    char *copy = mem_alloc(name.len + 1);
    memcpy(copy, name.data, name.len);
    s->hits = mem_grow(s->hits, &s->capacity, s->count + 1, sizeof *s->hits);
    s->hits[s->count++] = (struct hit){slice_of(copy, name.len), score};
    if (s->count >= 2 * (s->limit + 1)) /* so often that sorting costs little, and memory stays bounded */
        hits_settle(s, s->limit + 1);
    return cancel_check(&s->r->cancel) == ERR_OK;
}

static enum err find(struct search *s, struct errmsg *why)
{
    struct storage *storage = s->api->o.storage;
    struct querier *q;
    uint32_t sets = s->match.count ? s->match.count : 1;
    TRY(storage->ops->querier(storage, s->start_ms, s->end_ms, &q, why));
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < sets && err == ERR_OK; i++) {
        struct selector sel = {.mint_ms = s->start_ms, .maxt_ms = s->end_ms, .warnings = &s->warnings};
        if (s->match.count) {
            sel.matchers = s->match.sets[i].list;
            sel.matcher_count = s->match.sets[i].count;
        }
        err = s->label.len ? q->ops->label_values(q, s->label, &sel, 0, &s->r->cancel, on_name, s, why)
                           : q->ops->label_names(q, &sel, 0, &s->r->cancel, on_name, s, why);
        if (err == ERR_OK)
            err = cancel_check(&s->r->cancel);
    }
    q->ops->close(q);
    hits_settle(s, s->limit + 1);
    return err;
}

/* ---- answering ---- */

static bool print_metadata(void *ctx, const struct metadata *m)
{
    struct buf *out = ctx;
    buf_printf(out, ",\"type\":\"%s\"", metadata_type_name(m->type));
    if (m->help.len) {
        buf_str(out, ",\"help\":");
        json_string_html(out, m->help);
    }
    if (m->unit.len) {
        buf_str(out, ",\"unit\":");
        json_string_html(out, m->unit);
    }
    return false;
}

static void print_hit(struct search *s, struct buf *out, const struct hit *hit)
{
    buf_printf(out, "{\"%s\":", s->key);
    json_string_html(out, hit->name);
    if (s->include_score) {
        buf_str(out, ",\"score\":");
        json_number(out, hit->score);
    }
    if (s->include_metadata && s->api->o.tsdb)
        head_metadata(tsdb_head(s->api->o.tsdb), hit->name, print_metadata, out);
    buf_u8(out, '}');
}

static enum err print_batches(struct search *s, struct stream *stream)
{
    uint64_t shown = s->count > s->limit ? s->limit : s->count, i = 0;
    do {
        buf_str(&stream->out, "{\"results\":[");
        for (uint64_t k = 0; k < s->batch && i < shown; k++, i++) {
            buf_str(&stream->out, k ? "," : "");
            print_hit(s, &stream->out, &s->hits[i]);
        }
        buf_u8(&stream->out, ']');
        if (i <= s->batch)
            json_texts(&stream->out, "warnings", warnings_with_limit(s->r, &s->warnings, false));
        buf_str(&stream->out, "}\n");
        TRY(stream_flush(stream));
    } while (i < shown);
    buf_printf(&stream->out, "{\"status\":\"success\",\"has_more\":%s}\n", s->count > s->limit ? "true" : "false");
    return ERR_OK;
}

static void search_end(struct search *s)
{
    for (uint32_t i = 0; i < s->term_count; i++)
        runes_deinit(&s->terms[i]);
    hits_settle(s, 0);
    runes_deinit(&s->text);
    counts_deinit(&s->seen);
    mem_free(s->hits);
    if (s->folding)
        freelocale(s->folding);
}

/* What was searched for lies in the request's memory, which goes with the last byte of the answer. */
static void search_answer(struct search *s, enum err err, struct errmsg *why)
{
    struct http_request *r = s->r;
    struct stream stream = {.r = r, .content_type = "application/x-ndjson; charset=utf-8"};
    enum api_error kind = API_BAD_DATA;
    if (err == ERR_OK && (err = find(s, why)) != ERR_OK)
        kind = api_error_of(err);
    bool found = err == ERR_OK;
    if (found)
        err = print_batches(s, &stream);
    search_end(s);
    if (found)
        stream_end(&stream, err, why);
    else
        api_error(r, kind, why->text);
}

static enum err search_begin(struct search *s, struct http_request *r, void *ctx, const char *endpoint,
                             struct errmsg *why)
{
    *s = (struct search){.r = r, .api = ctx, .key = "name", .warnings.arena = r->arena};
    TRY(form_parse(r, why));
    return search_params(s, endpoint, why);
}

void on_search_metric_names(struct http_request *r, void *ctx)
{
    struct search *s = ARENA_NEW(r->arena, struct search);
    struct errmsg why = {0};
    enum err err = search_begin(s, r, ctx, "metric_names", &why);
    s->label = slice_str(METRIC_NAME);
    if (err == ERR_OK)
        err = bool_param(r, "include_metadata", false, &s->include_metadata, &why);
    search_answer(s, err, &why);
}

void on_search_label_names(struct http_request *r, void *ctx)
{
    struct search *s = ARENA_NEW(r->arena, struct search);
    struct errmsg why = {0};
    enum err err = search_begin(s, r, ctx, "label_names", &why);
    search_answer(s, err, &why);
}

void on_search_label_values(struct http_request *r, void *ctx)
{
    struct search *s = ARENA_NEW(r->arena, struct search);
    struct errmsg why = {0};
    enum err err = search_begin(s, r, ctx, "label_values", &why);
    s->label = param(r, "label");
    s->key = "value";
    if (err == ERR_OK && !s->label.len)
        err = err_set(&why, ERR_INVALID, "missing required parameter \"label\"");
    search_answer(s, err, &why);
}
