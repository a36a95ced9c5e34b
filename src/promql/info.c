/*
 * info.c - info(): labels of info series join the series that have the same instance and job.
 *
 * Step by step: of each info metric the newest sample with a signature counts, and its labels are added
 * to every base sample with that signature.  Which info series are current changes over time, so one
 * base series may continue under several label sets.
 */
#include "base/assert.h"
#include "promql/info_reference.h"
#include "promql/match.h"
#include "promql/ops.h"
#include "promql/select.h"
#include "promql/series.h"
#include "regex/regex.h"

struct info_op {
    struct oper base;
    struct oper *inner, *info;
    const struct vector_selector_node *selector; /* second argument, or NULL */
    struct node *info_node;                      /* selects the info series */

    struct matrix in, infos;
    struct name_set identifying;
    uint32_t *metric_of, metric_count; /* of each info row: signature and name */
    uint32_t *signature_of, *of_inner; /* of info rows, of inner rows; NONE when there is none */
    uint32_t **metrics_of;             /* by signature: its metrics, ended by NONE */
    uint32_t signature_count;
    struct hash_map asked;    /* pairs of inner rows; see pair_key */
    bool *ignored;            /* inner rows that are info series themselves */
    uint32_t *winner, *stamp; /* by metric: row at this step, if stamp is step + 1 */
    struct rowset rows;
};

enum { NONE = UINT32_MAX };

static const struct slice metric_name = {(const uint8_t *)METRIC_NAME, sizeof METRIC_NAME - 1};

static bool names_metric(const struct matcher *m)
{
    return slice_eq(m->name, metric_name);
}

static bool excludes(const struct matcher *m)
{
    return m->op == MATCH_NOT_EQUAL || m->op == MATCH_NOT_REGEX;
}

/* ---- Which info series ---- */

/* The second argument's matchers; without a name target_info, with names only excluded any *_info. */
static enum err info_matchers(struct exec *x, const struct vector_selector_node *s, struct vector_selector_node *out)
{
    uint32_t count = s ? s->matcher_count : 0, n = 0;
    bool named = false, included = false;
    for (uint32_t i = 0; i < count; i++) {
        named |= names_metric(&s->matchers[i]);
        included |= names_metric(&s->matchers[i]) && !excludes(&s->matchers[i]);
    }
    out->matchers = ARENA_ARRAY(&x->arena, struct matcher, count + 1);
    if (!named) {
        out->matchers[n++] = (struct matcher){MATCH_EQUAL, metric_name, SLICE_LIT("target_info"), NULL};
    } else if (!included) {
        struct matcher m = {MATCH_REGEX, metric_name, SLICE_LIT(".+_info"), NULL};
        TRY(regex_compile(m.value, &x->arena, 0, &m.regex, x->why));
        out->matchers[n++] = m;
    }
    for (uint32_t i = 0; i < count; i++)
        out->matchers[n++] = s->matchers[i];
    out->matcher_count = n;
    return ERR_OK;
}

/* Series that are info series themselves are passed on as they are. */
static bool is_info_series(const struct info_op *op, const struct labels *l)
{
    const struct vector_selector_node *vs = &op->info_node->vector;
    for (uint32_t i = 0; i < vs->matcher_count; i++)
        if (names_metric(&vs->matchers[i]) && !matcher_matches(&vs->matchers[i], labels_name(l)))
            return false;
    return true;
}

/* ---- Signatures ---- */

static struct hash128 identity(const struct info_op *op, const struct labels *l)
{
    return name_set_hash(&op->identifying, l);
}

/* The key of an identifying pair among series that have the same of these labels. */
static struct hash128 pair_key(const struct label *pair, uint64_t presence)
{
    return hash128_add(pair->hash, (struct hash128){presence, presence});
}

/* The identifying pairs of a series, and which there are: 0 none, 1 instance, 2 job, 3 both. */
static uint64_t identifying_pairs(const struct info_op *op, const struct labels *l, const struct label *pairs[2])
{
    uint64_t presence = 0;
    for (uint32_t i = 0; i < 2; i++) {
        pairs[i] = labels_find(l, op->identifying.names[i]);
        presence |= pairs[i] ? UINT64_C(1) << i : 0;
    }
    return presence;
}

static enum err ask_for_pairs(struct info_op *op, const struct labels *l)
{
    const struct label *pairs[2];
    uint64_t presence = identifying_pairs(op, l, pairs);
    uint32_t ignored;
    for (uint32_t i = 0; i < 2; i++)
        if (pairs[i])
            TRY(hash_map_put(&op->asked, pair_key(pairs[i], presence), 0, &ignored));
    return ERR_OK;
}

static enum err number_inner(struct info_op *op, struct hash_map *map)
{
    struct exec *x = op->base.x;
    TRY(hash_map_init(&op->asked, x, 64));
    op->of_inner = exec_alloc(x, op->inner->count, sizeof *op->of_inner);
    op->ignored = exec_alloc(x, op->inner->count, sizeof *op->ignored);
    if (!op->of_inner || !op->ignored)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < op->inner->count; i++) {
        struct hash128 key = identity(op, &op->inner->labels[i]);
        TRY(exec_go_on(x, 500));
        op->ignored[i] = is_info_series(op, &op->inner->labels[i]);
        op->of_inner[i] = NONE;
        bool empty = !bits_any(matrix_present(&op->in, i), op->in.steps);
        if (op->ignored[i] || empty || hash128_eq(key, (struct hash128){0, 0}))
            continue;
        TRY(ask_for_pairs(op, &op->inner->labels[i]));
        TRY(hash_map_put(map, key, op->signature_count, &op->of_inner[i]));
        op->signature_count += op->of_inner[i] == op->signature_count;
    }
    return ERR_OK;
}

static bool asked_for(const struct info_op *op, const struct labels *l)
{
    const struct label *pairs[2];
    uint64_t presence = identifying_pairs(op, l, pairs);
    uint32_t ignored;
    for (uint32_t i = 0; i < 2; i++)
        if (pairs[i] && !hash_map_get(&op->asked, pair_key(pairs[i], presence), &ignored))
            return false;
    return presence != 0;
}

/* Read, and counted, is what has an instance and a job that are asked for, even when nobody has both. */
static enum err choose_infos(struct info_op *op)
{
    struct exec *x = op->base.x;
    uint32_t *rows = exec_alloc(x, op->info->count, sizeof *rows), count = 0;
    if (!rows)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < op->info->count; i++) {
        TRY(exec_go_on(x, 200));
        if (asked_for(op, &op->info->labels[i]))
            rows[count++] = i;
    }
    return select_op_choose(op->info, rows, count);
}

/* Info metrics: one for each signature that is wanted and each name. */
static enum err number_infos(struct info_op *op, const struct hash_map *map)
{
    struct exec *x = op->base.x;
    struct hash_map metrics;
    op->metric_of = exec_alloc(x, op->info->count, sizeof *op->metric_of);
    op->signature_of = exec_alloc(x, op->info->count, sizeof *op->signature_of);
    if (!op->metric_of || !op->signature_of)
        return exec_no_memory(x, x->why);
    TRY(hash_map_init(&metrics, x, op->info->count));
    for (uint32_t i = 0; i < op->info->count; i++) {
        struct hash128 key = identity(op, &op->info->labels[i]);
        TRY(exec_go_on(x, 300));
        op->metric_of[i] = op->signature_of[i] = NONE;
        if (!hash_map_get(map, key, &op->signature_of[i]))
            continue;
        const struct label *name = labels_find(&op->info->labels[i], metric_name);
        if (name)
            key = hash128_add(key, name->hash);
        TRY(hash_map_put(&metrics, key, op->metric_count, &op->metric_of[i]));
        op->metric_count += op->metric_of[i] == op->metric_count;
    }
    return ERR_OK;
}

/* The metrics of each signature, in order of appearance. */
static enum err list_metrics(struct info_op *op)
{
    struct exec *x = op->base.x;
    uint32_t *size = exec_alloc(x, op->signature_count, sizeof *size);
    uint64_t *listed = exec_alloc(x, bits_words(op->metric_count), sizeof *listed);
    op->metrics_of = exec_alloc(x, op->signature_count, sizeof *op->metrics_of);
    op->winner = exec_alloc(x, op->metric_count, sizeof *op->winner);
    op->stamp = exec_alloc(x, op->metric_count, sizeof *op->stamp);
    if (!size || !listed || !op->metrics_of || !op->winner || !op->stamp)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < op->info->count; i++)
        if (op->signature_of[i] != NONE)
            size[op->signature_of[i]]++;
    for (uint32_t s = 0; s < op->signature_count; s++) {
        TRY(exec_go_on(x, 50));
        op->metrics_of[s] = exec_alloc(x, (size_t)size[s] + 1, sizeof **op->metrics_of);
        if (!op->metrics_of[s])
            return exec_no_memory(x, x->why);
        op->metrics_of[s][0] = NONE;
        size[s] = 0;
    }
    for (uint32_t i = 0; i < op->info->count; i++) {
        uint32_t metric = op->metric_of[i], s = op->signature_of[i];
        TRY(exec_go_on(x, 50));
        if (metric == NONE || bits_get(listed, metric))
            continue;
        bits_set(listed, metric);
        op->metrics_of[s][size[s]++] = metric;
        op->metrics_of[s][size[s]] = NONE;
    }
    return ERR_OK;
}

/* ---- One step ---- */

static enum err not_info(struct info_op *op, uint32_t row)
{
    struct buf text = {0};
    labels_text(&op->info->labels[row], &text);
    enum err err =
        err_set(op->base.x->why, ERR_INVALID, "this should be an info metric, with float samples: %s", buf_cstr(&text));
    buf_deinit(&text);
    return err;
}

static enum err ambiguous(struct info_op *op, uint32_t old, uint32_t row, int64_t old_ms, int64_t ms)
{
    struct buf a = {0}, b = {0};
    labels_text(&op->info->labels[old], &a);
    labels_text(&op->info->labels[row], &b);
    enum err err = err_set(op->base.x->why, ERR_INVALID,
                           "found duplicate series for info metric: existing %s @ %lld, new %s @ %lld", buf_cstr(&a),
                           (long long)old_ms, buf_cstr(&b), (long long)ms);
    buf_deinit(&a);
    buf_deinit(&b);
    return err;
}

static enum err check_floats(struct info_op *op)
{
    for (uint32_t row = 0; row < op->infos.rows; row++) {
        TRY(exec_go_on(op->base.x, 10 + (op->infos.h[row] ? op->infos.steps : 0)));
        for (uint32_t s = 0; op->infos.h[row] && s < op->infos.steps; s++)
            if (op->infos.h[row][s])
                return not_info(op, row);
    }
    return ERR_OK;
}

/* The newest sample of each metric. */
static enum err choose_winners(struct info_op *op, uint32_t step)
{
    for (uint32_t row = 0; row < op->infos.rows; row++) {
        uint32_t metric = op->metric_of[row];
        TRY(exec_go_on(op->base.x, 20));
        if (metric == NONE || !bits_get(matrix_present(&op->infos, row), step))
            continue;
        int64_t ms = (int64_t)matrix_v(&op->infos, row)[step];
        if (op->stamp[metric] == step + 1) {
            int64_t old_ms = (int64_t)matrix_v(&op->infos, op->winner[metric])[step];
            if (old_ms == ms)
                return ambiguous(op, op->winner[metric], row, old_ms, ms);
            if (old_ms > ms)
                continue;
        }
        op->stamp[metric] = step + 1;
        op->winner[metric] = row;
    }
    return ERR_OK;
}

/* Labels that matchers other than those of the name ask for; all when there are none. */
static bool wants_label(const struct info_op *op, struct slice name)
{
    bool any = false;
    for (uint32_t i = 0; op->selector && i < op->selector->matcher_count; i++) {
        const struct matcher *m = &op->selector->matchers[i];
        if (names_metric(m))
            continue;
        any = true;
        if (slice_eq(m->name, name))
            return true;
    }
    return !any;
}

static bool matchers_accept_empty(const struct info_op *op)
{
    for (uint32_t i = 0; op->selector && i < op->selector->matcher_count; i++)
        if (!names_metric(&op->selector->matchers[i]) &&
            !matcher_matches(&op->selector->matchers[i], (struct slice){0}))
            return false;
    return true;
}

static enum err add_labels(struct info_op *op, const struct labels *base, const struct labels *info,
                           struct labels_builder *b, struct labels_builder *added)
{
    struct exec *x = op->base.x;
    for (uint32_t i = 0; i < info->count; i++) {
        const struct label *pair = info->list[i];
        struct labels so_far = labels_builder_finish(added); /* its list is the builder's */
        if (names_metric(&(struct matcher){.name = pair->name}) || !wants_label(op, pair->name))
            continue;
        const struct label *other = labels_find(&so_far, pair->name);
        if (other && !label_eq(other, pair))
            return err_set(x->why, ERR_INVALID, "conflicting label: %.*s", SLICE_ARG(pair->name));
        if (labels_find(base, pair->name))
            continue;
        labels_builder_set_pair(added, pair);
        labels_builder_set_pair(b, pair);
    }
    return ERR_OK;
}

/* The base series' labels with those of its winners; `*drop` when there are none and some are asked for. */
static enum err enrich(struct info_op *op, uint32_t row, uint32_t step, struct labels *out, bool *drop)
{
    struct arena *arena = &op->base.x->arena;
    const struct labels *base = &op->inner->labels[row];
    struct labels_builder b, added;
    labels_builder_init(&b, arena, base);
    labels_builder_init(&added, arena, NULL);
    uint32_t signature = op->of_inner[row];
    bool matched = false;
    for (const uint32_t *m = signature == NONE ? NULL : op->metrics_of[signature]; m && *m != NONE; m++)
        if (op->stamp[*m] == step + 1) {
            TRY(add_labels(op, base, &op->info->labels[op->winner[*m]], &b, &added));
            matched = true;
        }
    *drop = !matched && !matchers_accept_empty(op);
    *out = labels_builder_finish(&b);
    return ERR_OK;
}

static enum err put_cell(struct info_op *op, uint32_t row, uint32_t step, const struct labels *labels)
{
    uint32_t out;
    bool drop_name = op_drops_name(op->inner, row);
    TRY(rowset_row(&op->rows, labels, drop_name, &out));
    if (rowset_has(&op->rows, out, step))
        return op_same_labelset(op->base.x->why);
    const struct histogram *h = op->in.h[row] ? op->in.h[row][step] : NULL;
    if (h)
        return rowset_put_hist(&op->rows, out, step, h);
    rowset_put(&op->rows, out, step, matrix_v(&op->in, row)[step]);
    return ERR_OK;
}

static enum err info_step(struct info_op *op, uint32_t step)
{
    bool any = false;
    for (uint32_t row = 0; row < op->in.rows && !any; row++)
        any = bits_get(matrix_present(&op->in, row), step);
    if (!any)
        return ERR_OK;
    TRY(choose_winners(op, step));
    for (uint32_t row = 0; row < op->in.rows; row++) {
        TRY(exec_go_on(op->base.x, 20));
        if (!bits_get(matrix_present(&op->in, row), step))
            continue;
        TRY(exec_go_on(op->base.x, 500));
        struct labels labels = op->inner->labels[row];
        bool drop = false;
        if (!op->ignored[row])
            TRY(enrich(op, row, step, &labels, &drop));
        if (!drop)
            TRY(put_cell(op, row, step, &labels));
    }
    return ERR_OK;
}

static enum err info_prepare(struct oper *base)
{
    struct info_op *op = (struct info_op *)base;
    static const struct slice identifying[] = {{(const uint8_t *)"instance", 8}, {(const uint8_t *)"job", 3}};
    struct name_list names = {2, identifying};
    struct hash_map map;
    TRY(op_prepare(op->inner));
    TRY(matrix_read(&op->in, op->inner));
    op->identifying = name_set_make(&base->x->arena, &names, NULL);
    TRY(hash_map_init(&map, base->x, 64));
    TRY(number_inner(op, &map));
    TRY(op_prepare(op->info));
    TRY(choose_infos(op));
    TRY(matrix_read(&op->infos, op->info));
    TRY(check_floats(op));
    TRY(number_infos(op, &map));
    TRY(list_metrics(op));
    TRY(rowset_init(&op->rows, base->x, base->grid.count));
    for (uint32_t s = 0; s < base->grid.count; s++)
        TRY(info_step(op, s));
    op_series_rowset(base, &op->rows);
    return ERR_OK;
}

static enum err info_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct info_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops info_ops = {
    .name = "info", .role = ROLE_KEEPS, .cost = COST_INFO, .prepare = info_prepare, .tile = info_tile};

enum err plan_info(struct exec *x, const struct node *call, const struct grid *g, struct oper **out)
{
    struct oper *inner;
    TRY(plan_op(x, call->call.args[0], g, &inner));
    const struct node *second = call->call.arg_count > 1 ? call->call.args[1] : NULL;
    while (second && second->kind != NODE_VECTOR_SELECTOR)
        second = second->kind == NODE_PAREN ? second->paren.expr : second->invariant.expr;
    struct node *node = ARENA_NEW(&x->arena, struct node);
    *node = (struct node){.kind = NODE_VECTOR_SELECTOR, .type = VALUE_VECTOR, .start = call->start, .end = call->end};
    const struct vector_selector_node *selector = second ? &second->vector : NULL;
    TRY(info_matchers(x, selector, &node->vector));
    struct info_reference ref = info_reference_of(call->call.args[0]);
    if (ref.uniform)
        node->vector.mod = (struct modifiers){.at = ref.fixed ? AT_TIME : AT_NONE,
                                              .at_ms = ref.at_ms,
                                              .offset_ns = ref.offset_ns,
                                              .offset_ms = ref.offset_ns / 1000000};
    struct oper *info = select_op_new(x, node, node, g, SELECT_TIME);
    struct info_op *op = op_new(x, sizeof *op, &info_ops, call, g);
    op->inner = inner;
    op->info = info;
    op->selector = selector;
    op->info_node = node;
    op_args(&op->base, 2, (struct oper *const[]){inner, info});
    *out = &op->base;
    return ERR_OK;
}
