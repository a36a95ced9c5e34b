/* block_querier.c - storage/querier.h over one block. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "block/mask_internal.h"

enum { CANCEL_EVERY = 4096 };

struct block_querier {
    struct querier base;    /* first */
    struct block *block;    /* one reference */
    struct block_view view; /* references of its own */
};

/* A selected set; all of it lives in the arena of the select. */
struct block_set {
    struct series_set base; /* first */
    struct block *block;    /* the querier's */
    const struct block_view *view;
    const uint32_t *ordinals;
    struct warnings *warnings;
    struct mem_budget *budget;
};

struct block_reader {
    struct series_reader base; /* first */
    const struct block_set *set;
    struct sample_reader samples;
};

static enum err reader_read(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    struct block_reader *r = (struct block_reader *)base;
    assert(i < r->set->base.count);
    return masked_read(&r->samples, r->set->view, r->set->ordinals[i], mint_ms, maxt_ms, out, why);
}

static enum err reader_last(struct series_reader *base, uint32_t i, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    struct block_reader *r = (struct block_reader *)base;
    assert(i < r->set->base.count);
    return masked_last(&r->samples, r->set->view, r->set->ordinals[i], mint_ms, maxt_ms, out, why);
}

static void reader_close(struct series_reader *base)
{
    struct block_reader *r = (struct block_reader *)base;
    sample_reader_deinit(&r->samples);
    mem_free(r);
}

static struct series_reader *set_reader(struct series_set *base)
{
    static const struct series_reader_ops ops = {.read = reader_read, .last = reader_last, .close = reader_close};
    struct block_set *set = (struct block_set *)base;
    struct block_reader *r = MEM_NEW(struct block_reader);
    r->base.ops = &ops;
    r->set = set;
    sample_reader_init(&r->samples, set->block, set->warnings, set->budget);
    r->samples.forgive_io = true;
    return &r->base;
}

/* Whether a series has a chunk near [mint, maxt]; chunks are judged by their timestamp columns. */
static enum err has_near(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms, bool *near,
                         struct errmsg *why)
{
    const struct chunk_entry *e;
    uint32_t chunks = 0;
    *near = false;
    enum err err = sample_reader_entries(r, ordinal, &e, &chunks, why);
    for (uint32_t k = 0; err == ERR_OK && k < chunks && !*near; k++) {
        struct times_info info;
        *near = sample_reader_times_info(r, e[k].times_id, &info, NULL) != ERR_OK ||
                (info.first_ms <= maxt_ms && info.last_ms >= mint_ms);
    }
    if (err != ERR_CORRUPT && err != ERR_IO)
        return err;
    *near = true; /* reading it will tell */
    return ERR_OK;
}

/* As has_near, but where the view hides something of the series its samples are counted. */
static enum err has_left(struct sample_reader *r, const struct block_view *view, uint32_t ordinal,
                         const struct selector *sel, bool *near, struct errmsg *why)
{
    const struct block_meta *meta = &r->block->toc.meta;
    int64_t floor = view_floor(view, ordinal), mint = sel->mint_ms < floor ? floor : sel->mint_ms;
    struct mask_cuts cuts = view_cuts(view, ordinal);
    if (floor > sel->mint_ms || mask_touches(cuts, sel->mint_ms, sel->maxt_ms)) {
        uint64_t left = 0;
        enum err err =
            mint <= sel->maxt_ms ? mask_count_left(r, ordinal, mint, sel->maxt_ms, cuts, 1, &left, why) : ERR_OK;
        *near = left > 0 || err == ERR_IO; /* reading it will tell */
        return err == ERR_IO ? ERR_OK : err;
    }
    if (mint <= meta->mint_ms && sel->maxt_ms >= meta->maxt_ms) {
        *near = true;
        return ERR_OK;
    }
    return has_near(r, ordinal, mint, sel->maxt_ms, near, why);
}

/* Cuts off what is past sel->series_limit, and drops the series that have nothing near [mint, maxt]. */
static enum err drop_outside(struct block *b, const struct block_view *view, const struct selector *sel,
                             struct cancel *cancel, uint32_t *ordinals, uint32_t *count, struct errmsg *why)
{
    bool inside = sel->mint_ms <= b->toc.meta.mint_ms && sel->maxt_ms >= b->toc.meta.maxt_ms;
    if (inside && !view->mask && view_floor_max(view) <= b->toc.meta.mint_ms) {
        if (sel->series_limit && *count > sel->series_limit)
            *count = (uint32_t)sel->series_limit;
        return ERR_OK;
    }
    struct sample_reader r;
    enum err err = ERR_OK;
    uint32_t kept = 0;
    sample_reader_init(&r, b, NULL, NULL);
    for (uint32_t i = 0; i < *count && err == ERR_OK && !(sel->series_limit && kept >= sel->series_limit); i++) {
        bool near = false;
        if (i % CANCEL_EVERY == 0 && (err = cancel_check(cancel)) != ERR_OK)
            break;
        if (!view_is_gone(view, ordinals[i]))
            err = has_left(&r, view, ordinals[i], sel, &near, why);
        ordinals[kept] = ordinals[i];
        kept += near;
    }
    sample_reader_deinit(&r);
    *count = kept;
    return err;
}

static enum err matching(const struct block_querier *q, const struct selector *sel, struct arena *arena,
                         struct cancel *cancel, uint32_t **ordinals, uint32_t *count, struct errmsg *why)
{
    struct block *b = q->block;
    if (sel->mint_ms > b->toc.meta.maxt_ms || sel->maxt_ms < b->toc.meta.mint_ms) {
        *count = 0;
        return ERR_OK;
    }
    TRY(block_match(b, sel, arena, cancel, ordinals, count, why));
    return drop_outside(b, &q->view, sel, cancel, *ordinals, count, why);
}

static void print_selector(const struct selector *sel, struct buf *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    buf_u8(out, '{');
    for (uint32_t i = 0; i < sel->matcher_count; i++) {
        const struct matcher *m = &sel->matchers[i];
        buf_printf(out, "%s%.*s%s\"%.*s\"", i ? "," : "", SLICE_ARG(m->name), ops[m->op], SLICE_ARG(m->value));
    }
    buf_u8(out, '}');
}

static enum err too_many(const struct selector *sel, uint32_t count, struct errmsg *why)
{
    struct buf text = {.limit = 512};
    print_selector(sel, &text);
    enum err err = err_set(why, ERR_LIMIT, "selector %.*s matches %" PRIu32 " series, more than the limit of %" PRIu64,
                           (int)text.len, (const char *)text.data, count, sel->series_max);
    buf_deinit(&text);
    return err;
}

/* The labels of each ordinal; series whose labels cannot be read are dropped from the list with a warning. */
static enum err build_labels(struct pair_table *pairs, const struct selector *sel, uint32_t *ordinals, uint32_t *count,
                             struct cancel *cancel, struct labels *out, struct errmsg *why)
{
    struct label_view view = {0};
    struct errmsg damage;
    enum err err = ERR_OK;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count && err == ERR_OK; i++) {
        if (i % CANCEL_EVERY == 0 && (err = cancel_check(cancel)) != ERR_OK)
            break;
        err = label_view_load(pairs->block, &view, ordinals[i], &damage);
        if (err == ERR_OK)
            err = block_series_labels(pairs, &view, ordinals[i], pairs->arena, &out[kept], &damage);
        ordinals[kept] = ordinals[i];
        kept += err == ERR_OK;
        if (block_forgive(sel->warnings, err, &damage))
            err = ERR_OK;
        else if (err != ERR_OK)
            err_set(why, err, "%s", damage.text);
    }
    label_view_deinit(&view);
    *count = kept;
    return err;
}

struct sort_row {
    struct labels labels;
    uint32_t ordinal;
};

static int compare_rows(const void *a, const void *b)
{
    return labels_cmp(&((const struct sort_row *)a)->labels, &((const struct sort_row *)b)->labels);
}

/* The block's order is by metric, job, instance; most selections have it in labels_cmp order already. */
static enum err sort_set(struct labels *labels, uint32_t *ordinals, uint32_t count, struct arena *arena,
                         struct errmsg *why)
{
    uint32_t i = 1;
    while (i < count && labels_cmp(&labels[i - 1], &labels[i]) < 0)
        i++;
    if (i >= count)
        return ERR_OK;
    struct sort_row *rows = (struct sort_row *)arena_try_alloc(arena, count * sizeof *rows);
    if (!rows)
        return err_set(why, ERR_LIMIT, "sorting %" PRIu32 " series is over the memory budget of the query", count);
    for (i = 0; i < count; i++)
        rows[i] = (struct sort_row){labels[i], ordinals[i]};
    qsort(rows, count, sizeof *rows, compare_rows);
    for (i = 0; i < count; i++) {
        labels[i] = rows[i].labels;
        ordinals[i] = rows[i].ordinal;
    }
    return ERR_OK;
}

static enum err querier_select(struct querier *base, const struct selector *sel, struct arena *arena,
                               struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    static const struct series_set_ops ops = {.reader = set_reader};
    struct block_querier *q = (struct block_querier *)base;
    uint32_t *ordinals = NULL, count;
    TRY(matching(q, sel, arena, cancel, &ordinals, &count, why));
    if (sel->series_max && count > sel->series_max)
        return too_many(sel, count, why);
    struct labels *labels = (struct labels *)arena_try_alloc(arena, (count + 1) * sizeof *labels);
    if (!labels)
        return err_set(why, ERR_LIMIT, "%" PRIu32 " selected series are over the memory budget of the query", count);
    struct pair_table pairs;
    pair_table_init(&pairs, q->block, arena, count);
    enum err err = build_labels(&pairs, sel, ordinals, &count, cancel, labels, why);
    pair_table_deinit(&pairs);
    if (err == ERR_OK && sel->sorted)
        err = sort_set(labels, ordinals, count, arena, why);
    if (err != ERR_OK)
        return err;
    struct block_set *set = ARENA_NEW(arena, struct block_set);
    *set = (struct block_set){.base = {.ops = &ops, .count = count, .labels = labels},
                              .block = q->block,
                              .view = &q->view,
                              .ordinals = ordinals,
                              .warnings = sel->warnings,
                              .budget = arena->budget};
    *out = &set->base;
    return ERR_OK;
}

/*
 * Calls visit for each of the series with its group loaded, until it returns false; those on damaged pages are left out
 * with a warning.
 */
static enum err walk_labels(struct block *b, const struct selector *sel, const uint32_t *ordinals, uint32_t count,
                            struct cancel *cancel,
                            bool (*visit)(void *ctx, const struct label_view *view, uint32_t series), void *ctx,
                            struct errmsg *why)
{
    struct label_view view = {0};
    struct errmsg damage;
    enum err err = ERR_OK;
    bool more = true;
    for (uint32_t i = 0; i < count && err == ERR_OK && more; i++) {
        if (i % CANCEL_EVERY == 0 && (err = cancel_check(cancel)) != ERR_OK)
            break;
        err = label_view_load(b, &view, ordinals[i], &damage);
        if (err == ERR_OK)
            more = visit(ctx, &view, ordinals[i] % LABEL_GROUP_SERIES);
        else if (block_forgive(sel->warnings, err, &damage))
            err = ERR_OK;
        else
            err_set(why, err, "%s", damage.text);
    }
    label_view_deinit(&view);
    return err;
}

/* Which names or values of one name were met. */
struct met {
    uint32_t rank, count; /* of the name; its values, or all names */
    bool *seen;           /* [count] */
    uint64_t found, limit;
};

static bool met_one(struct met *m, uint32_t index)
{
    m->found += !m->seen[index];
    m->seen[index] = true;
    return !m->limit || m->found < m->limit;
}

static bool mark_names(void *ctx, const struct label_view *view, uint32_t series)
{
    struct met *m = ctx;
    bool more = true;
    for (uint32_t k = 0; k < view->name_count; k++)
        if (label_view_id(&view->names[k], series))
            more = met_one(m, view->names[k].name) && more;
    return more && m->found < m->count;
}

static bool mark_values(void *ctx, const struct label_view *view, uint32_t series)
{
    struct met *m = ctx;
    bool more = true;
    for (uint32_t k = 0; k < view->name_count; k++) {
        uint32_t id = view->names[k].name == m->rank ? label_view_id(&view->names[k], series) : 0;
        if (id && id <= m->count)
            more = met_one(m, id - 1);
    }
    return more;
}

static enum err querier_label_names(struct querier *base, const struct selector *sel, uint64_t limit,
                                    struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    const struct block_querier *q = (const struct block_querier *)base;
    struct block *b = q->block;
    if (sel->mint_ms > b->toc.meta.maxt_ms || sel->maxt_ms < b->toc.meta.mint_ms)
        return ERR_OK;
    bool *seen = (bool *)mem_array(b->toc.name_count + 1, sizeof *seen);
    struct met met = {.count = b->toc.name_count, .seen = seen, .limit = limit};
    enum err err = ERR_OK;
    if (sel->matcher_count == 0 && !view_hides_series(b, &q->view)) {
        memset(seen, true, b->toc.name_count);
    } else {
        struct arena arena;
        uint32_t *ordinals, count;
        arena_init(&arena, NULL);
        err = matching(q, sel, &arena, cancel, &ordinals, &count, why);
        if (err == ERR_OK)
            err = walk_labels(b, sel, ordinals, count, cancel, mark_names, &met, why);
        arena_deinit(&arena);
    }
    uint64_t given = 0;
    for (uint32_t i = 0; err == ERR_OK && i < b->toc.name_count; i++)
        if (seen[i] && (!visit(ctx, b->toc.names[i].text) || ++given == limit))
            break;
    mem_free(seen);
    return err;
}

/* Visits the values of a name, all or those seen; past damaged pages, with a warning. */
static enum err visit_values(struct block *b, const struct selector *sel, const struct toc_name *name, const bool *seen,
                             uint64_t limit, struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    struct dict_cursor c = {0};
    uint64_t given = 0, steps = 0;
    uint32_t end = name->first_pair + name->pair_count;
    enum err err = ERR_OK;
    bool more = dict_seek(b, &c, name->first_pair);
    while (err == ERR_OK) {
        while (!more && block_forgive(sel->warnings, c.err, &c.why))
            more = dict_skip_page(b, &c);
        if (!more || c.id >= end)
            break;
        if (steps++ % CANCEL_EVERY == 0 && (err = cancel_check(cancel)) != ERR_OK)
            break;
        if ((!seen || seen[c.id - name->first_pair]) && (!visit(ctx, buf_view(&c.value)) || ++given == limit))
            break;
        more = dict_next(b, &c);
    }
    if (err == ERR_OK && c.err != ERR_OK)
        err = err_set(why, c.err, "%s", c.why.text);
    dict_cursor_deinit(&c);
    return err;
}

static enum err querier_label_values(struct querier *base, struct slice text, const struct selector *sel,
                                     uint64_t limit, struct cancel *cancel, name_visit visit, void *ctx,
                                     struct errmsg *why)
{
    const struct block_querier *q = (const struct block_querier *)base;
    struct block *b = q->block;
    const struct toc_name *name = block_find_name(b, text);
    if (!name || sel->mint_ms > b->toc.meta.maxt_ms || sel->maxt_ms < b->toc.meta.mint_ms)
        return ERR_OK;
    if (sel->matcher_count == 0 && !view_hides_series(b, &q->view))
        return visit_values(b, sel, name, NULL, limit, cancel, visit, ctx, why);
    struct arena arena;
    uint32_t *ordinals, count;
    bool *seen = (bool *)mem_array(name->pair_count, sizeof *seen);
    struct met met = {(uint32_t)(name - b->toc.names), name->pair_count, seen, 0, limit};
    arena_init(&arena, NULL);
    enum err err = matching(q, sel, &arena, cancel, &ordinals, &count, why);
    if (err == ERR_OK)
        err = walk_labels(b, sel, ordinals, count, cancel, mark_values, &met, why);
    arena_deinit(&arena);
    if (err == ERR_OK)
        err = visit_values(b, sel, name, seen, limit, cancel, visit, ctx, why);
    mem_free(seen);
    return err;
}

static void querier_close(struct querier *base)
{
    struct block_querier *q = (struct block_querier *)base;
    block_release(q->block);
    block_mask_release(q->view.mask);
    block_classes_release(q->view.classes);
    mem_free(q);
}

enum err block_querier(struct block *b, int64_t mint_ms, int64_t maxt_ms, struct querier **out, struct errmsg *why)
{
    return block_querier_view(b, NULL, mint_ms, maxt_ms, out, why);
}

enum err block_querier_view(struct block *b, const struct block_view *view, int64_t mint_ms, int64_t maxt_ms,
                            struct querier **out, struct errmsg *why)
{
    static const struct querier_ops ops = {.select = querier_select,
                                           .label_names = querier_label_names,
                                           .label_values = querier_label_values,
                                           .close = querier_close};
    (void)why; /* opening reads nothing */
    struct block_querier *q = MEM_NEW(struct block_querier);
    q->base = (struct querier){.ops = &ops, .mint_ms = mint_ms, .maxt_ms = maxt_ms};
    q->block = block_acquire(b);
    block_view_init(&q->view);
    if (view)
        q->view = *view;
    block_mask_acquire(q->view.mask);
    block_classes_acquire(q->view.classes);
    *out = &q->base;
    return ERR_OK;
}
