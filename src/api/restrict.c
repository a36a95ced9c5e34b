/* restrict.c - parameters that narrow what a request sees; the contract is in restrict.h. */
#include "api/restrict.h"

#include "base/mem.h"
#include "numeric/goformat.h"

/* ---- parameters ---- */

static enum err parse_label(struct slice text, struct matcher *out, struct errmsg *why)
{
    const uint8_t *equals = text.len ? memchr(text.data, '=', text.len) : NULL;
    if (equals) {
        size_t name = (size_t)(equals - text.data);
        *out = (struct matcher){MATCH_EQUAL, slice_of(text.data, name), slice_from(text, name + 1), NULL};
        return ERR_OK;
    }
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "`extra_label` query arg must have the format `name=value`; got %s", buf_cstr(&quoted));
    buf_deinit(&quoted);
    return ERR_INVALID;
}

/* a's matchers and b's. */
static struct matcher_set both(struct arena *arena, const struct matcher_set *a, const struct matcher_set *b)
{
    uint32_t count = a->count + b->count;
    struct matcher *list = ARENA_ARRAY(arena, struct matcher, count ? count : 1);
    if (a->count)
        memcpy(list, a->list, a->count * sizeof *list);
    if (b->count)
        memcpy(list + a->count, b->list, b->count * sizeof *list);
    return (struct matcher_set){list, count};
}

static enum err parse_labels(struct http_request *r, struct matcher_set *out, struct errmsg *why)
{
    struct slice *texts;
    uint32_t count = http_param_all(r, "extra_label", &texts);
    struct matcher *list = ARENA_ARRAY(r->arena, struct matcher, count ? count : 1);
    for (uint32_t i = 0; i < count; i++)
        TRY(parse_label(texts[i], &list[i], why));
    *out = (struct matcher_set){list, count};
    return ERR_OK;
}

static enum err parse_filters(struct http_request *r, const char *name, const struct matcher_set *labels,
                              struct restriction *out, struct errmsg *why)
{
    struct slice *texts;
    uint32_t count = http_param_all(r, name, &texts);
    if (out->count + count > RESTRICT_SETS_MAX)
        return err_set(why, ERR_INVALID, "more than %d extra_filters[]", RESTRICT_SETS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct matcher_set set;
        if (promql_parse_selector(texts[i], r->arena, &set, why) != ERR_OK)
            return err_wrap(why, ERR_INVALID, "cannot parse extra_filters");
        out->sets[out->count++] = both(r->arena, labels, &set);
    }
    return ERR_OK;
}

enum err restriction_parse(struct http_request *r, struct restriction *out, struct errmsg *why)
{
    struct slice *unused;
    struct matcher_set labels;
    uint32_t filters = http_param_all(r, "extra_filters[]", &unused) + http_param_all(r, "extra_filters", &unused);
    *out = (struct restriction){.sets = ARENA_ARRAY(r->arena, struct matcher_set, (size_t)filters + 1)};
    TRY(parse_labels(r, &labels, why));
    TRY(parse_filters(r, "extra_filters[]", &labels, out, why));
    TRY(parse_filters(r, "extra_filters", &labels, out, why));
    if (!out->count && labels.count)
        out->sets[out->count++] = labels;
    return ERR_OK;
}

enum err restriction_match(struct http_request *r, struct match_list *match, struct errmsg *why)
{
    struct restriction only;
    TRY(restriction_parse(r, &only, why));
    if (!only.count)
        return ERR_OK;
    static const struct matcher_set everything = {NULL, 0};
    uint32_t selectors = match->count ? match->count : 1;
    if ((uint64_t)selectors * only.count > RESTRICT_SETS_MAX)
        return err_set(why, ERR_INVALID, "more than %d combinations of match[] and extra_filters[]", RESTRICT_SETS_MAX);
    struct match_list out = {.sets = ARENA_ARRAY(r->arena, struct matcher_set, (size_t)selectors * only.count)};
    for (uint32_t m = 0; m < selectors; m++)
        for (uint32_t i = 0; i < only.count; i++)
            out.sets[out.count++] = both(r->arena, match->count ? &match->sets[m] : &everything, &only.sets[i]);
    *match = out;
    return ERR_OK;
}

/* ---- a storage that shows only part of another ---- */

struct narrow_storage {
    struct storage storage;
    struct storage *behind;
    struct restriction only;
};

struct narrow_querier {
    struct querier querier;
    struct querier *behind;
    const struct restriction *only;
};

/* What is left of a set behind: its series number map[i] is ours number i. */
struct narrow_set {
    struct series_set set;
    struct series_set *behind;
    const uint32_t *map;
};

struct narrow_reader {
    struct series_reader reader;
    struct series_reader *behind;
    const uint32_t *map;
};

static enum err narrow_read(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                            struct errmsg *why)
{
    struct narrow_reader *n = (struct narrow_reader *)r;
    return n->behind->ops->read(n->behind, n->map[i], mint_ms, maxt_ms, out, why);
}

static enum err narrow_last(struct series_reader *r, uint32_t i, int64_t mint_ms, int64_t maxt_ms, struct samples *out,
                            struct errmsg *why)
{
    struct narrow_reader *n = (struct narrow_reader *)r;
    return n->behind->ops->last(n->behind, n->map[i], mint_ms, maxt_ms, out, why);
}

static void narrow_reader_close(struct series_reader *r)
{
    struct narrow_reader *n = (struct narrow_reader *)r;
    n->behind->ops->close(n->behind);
    mem_free(n);
}

static struct series_reader *narrow_reader_new(struct series_set *set)
{
    static const struct series_reader_ops ops = {narrow_read, narrow_last, narrow_reader_close};
    struct narrow_set *s = (struct narrow_set *)set;
    struct narrow_reader *n = MEM_NEW(struct narrow_reader);
    n->reader.ops = &ops;
    n->behind = s->behind->ops->reader(s->behind);
    n->map = s->map;
    return &n->reader;
}

static bool seen(const struct restriction *only, const struct labels *labels)
{
    for (uint32_t i = 0; i < only->count; i++)
        if (matchers_match(only->sets[i].list, only->sets[i].count, labels))
            return true;
    return false;
}

/* Series of `all` that satisfy one of several sets. */
static enum err keep_seen(const struct restriction *only, struct series_set *all, struct arena *arena,
                          struct series_set **out, struct errmsg *why)
{
    static const struct series_set_ops ops = {narrow_reader_new};
    size_t count = all->count ? all->count : 1;
    struct labels *labels = arena_try_alloc(arena, count * sizeof *labels);
    uint32_t *map = arena_try_alloc(arena, count * sizeof *map);
    if (!labels || !map)
        return err_set(why, ERR_LIMIT, "extra_filters[] select among more series than the request has memory for");
    struct narrow_set *s = ARENA_NEW(arena, struct narrow_set);
    for (uint32_t i = 0; i < all->count; i++) {
        if (!seen(only, &all->labels[i]))
            continue;
        labels[s->set.count] = all->labels[i];
        map[s->set.count++] = i;
    }
    s->set.ops = &ops;
    s->set.labels = labels;
    s->behind = all;
    s->map = map;
    *out = &s->set;
    return ERR_OK;
}

/* The selector with the matchers of a set added. */
static struct selector narrowed(const struct selector *sel, const struct matcher_set *set, struct arena *arena)
{
    struct matcher_set own = {sel->matchers, sel->matcher_count};
    struct matcher_set all = both(arena, &own, set);
    struct selector out = *sel;
    out.matchers = all.list;
    out.matcher_count = all.count;
    return out;
}

static enum err narrow_select(struct querier *q, const struct selector *sel, struct arena *arena, struct cancel *cancel,
                              struct series_set **out, struct errmsg *why)
{
    struct narrow_querier *n = (struct narrow_querier *)q;
    struct series_set *all;
    struct selector every = *sel;
    if (n->only->count == 1) {
        struct selector one = narrowed(sel, &n->only->sets[0], arena);
        return n->behind->ops->select(n->behind, &one, arena, cancel, out, why);
    }
    every.series_limit = 0;  /* of those that may be seen, not of all */
    every.projected = false; /* whether one may be seen is told by any label */
    TRY(n->behind->ops->select(n->behind, &every, arena, cancel, &all, why));
    return keep_seen(n->only, all, arena, out, why);
}

/* Queries ask for series only; names and values are asked for with restriction_match. */
static enum err narrow_names(struct querier *q, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                             name_visit visit, void *ctx, struct errmsg *why)
{
    (void)q, (void)sel, (void)limit, (void)cancel, (void)visit, (void)ctx;
    return err_set(why, ERR_UNSUPPORTED, "label names of a restricted storage");
}

static enum err narrow_values(struct querier *q, struct slice name, const struct selector *sel, uint64_t limit,
                              struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    (void)name;
    return narrow_names(q, sel, limit, cancel, visit, ctx, why);
}

static void narrow_close(struct querier *q)
{
    struct narrow_querier *n = (struct narrow_querier *)q;
    n->behind->ops->close(n->behind);
    mem_free(n);
}

static enum err narrow_open(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                            struct errmsg *why)
{
    static const struct querier_ops ops = {narrow_select, narrow_names, narrow_values, narrow_close, NULL};
    struct narrow_storage *storage = (struct narrow_storage *)s;
    struct querier *behind;
    TRY(storage->behind->ops->querier(storage->behind, mint_ms, maxt_ms, &behind, why));
    struct narrow_querier *n = MEM_NEW(struct narrow_querier);
    *n = (struct narrow_querier){
        .querier = {&ops, behind->mint_ms, behind->maxt_ms}, .behind = behind, .only = &storage->only};
    *out = &n->querier;
    return ERR_OK;
}

struct storage *restriction_storage(struct http_request *r, struct storage *behind, const struct restriction *only)
{
    static const struct storage_ops ops = {narrow_open};
    if (!only->count)
        return behind;
    struct narrow_storage *s = ARENA_NEW(r->arena, struct narrow_storage);
    s->storage.ops = &ops;
    s->behind = behind;
    s->only = *only;
    return &s->storage;
}
