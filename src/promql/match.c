/*
 * match.c - arithmetic and comparison of two vectors.
 *
 * The general case is decided step by step (match_steps.c): partners may change from step to step, and
 * errors depend on who is present.  But when every signature belongs to one series of the one side and
 * results cannot collide - known from labels alone - no error is possible and a row has the same
 * partner at all steps: then the one side is kept and rows of the many side stream past it.
 */
#include "promql/match.h"

#include "base/assert.h"
#include "promql/binop.h"
#include "promql/ops.h"
#include "promql/series.h"

/* ---- Signatures ---- */

static struct name_set signature_names(const struct matching *m, struct arena *arena)
{
    static const struct slice name = {(const uint8_t *)METRIC_NAME, sizeof METRIC_NAME - 1};
    return name_set_make(arena, &m->labels, m->on ? NULL : &name);
}

static enum err number_rows(const struct matching *m, const struct name_set *names, const struct oper *op,
                            struct hash_map *map, uint32_t *count, uint32_t **out)
{
    uint32_t *ids = exec_alloc(op->x, op->count, sizeof *ids);
    if (!ids)
        return exec_no_memory(op->x, op->x->why);
    for (uint32_t i = 0; i < op->count; i++) {
        struct hash128 named = name_set_hash(names, &op->labels[i]);
        struct hash128 key = m->on ? named : hash128_sub(op->labels[i].hash, named);
        TRY(hash_map_put(map, key, *count, &ids[i]));
        *count += ids[i] == *count;
        TRY(exec_go_on(op->x, 150));
    }
    *out = ids;
    return ERR_OK;
}

enum err signatures_make(struct signatures *out, const struct matching *m, const struct oper *left,
                         const struct oper *right)
{
    struct hash_map map;
    struct name_set names = signature_names(m, &left->x->arena);
    *out = (struct signatures){0};
    TRY(hash_map_init(&map, left->x, left->count));
    TRY(number_rows(m, &names, left, &map, &out->count, &out->of_left));
    return number_rows(m, &names, right, &map, &out->count, &out->of_right);
}

struct labels signature_labels(const struct matching *m, const struct labels *labels, struct arena *arena)
{
    struct name_set names = signature_names(m, arena);
    return m->on ? name_set_keep(&names, labels, arena) : name_set_drop(&names, labels, arena);
}

/* ---- Labels of results ---- */

static struct labels include_labels(const struct matching *m, const struct labels *labels, const struct labels *one,
                                    struct arena *arena)
{
    struct labels_builder b;
    labels_builder_init(&b, arena, labels);
    for (uint32_t i = 0; i < m->include.count; i++) {
        struct slice name = m->include.list[i];
        const struct label *pair = labels_find(one, name);
        if (pair)
            labels_builder_set_pair(&b, pair);
        else
            labels_builder_del(&b, name);
    }
    return labels_builder_finish(&b);
}

struct labels match_labels(const struct match *m, const struct labels *many, const struct labels *one)
{
    const struct binary_node *n = m->node;
    struct arena *arena = &m->base.x->arena;
    struct labels l = *many;
    if (op_is_arithmetic(n->op) || (n->return_bool && !exec_delays_names(m->base.x)))
        l = labels_drop_metadata(&l, arena);
    if (n->matching->card == CARD_ONE_TO_ONE && n->matching->on)
        l = name_set_keep(&m->names, &l, arena);
    else if (n->matching->card == CARD_ONE_TO_ONE && m->names.count)
        l = name_set_drop(&m->names, &l, arena);
    if (n->matching->include.count)
        l = include_labels(n->matching, &l, one, arena);
    return l;
}

/* ---- Row by row, where nothing can go wrong ---- */

/* The only row of each signature, + 1; false when one has several. */
static enum err only_rows(const struct match *m, uint32_t **out, bool *unique)
{
    struct exec *x = m->base.x;
    uint32_t *row = exec_alloc(x, m->signatures.count, sizeof *row);
    if (!row)
        return exec_no_memory(x, x->why);
    *unique = true;
    for (uint32_t i = 0; i < m->one.op->count && *unique; i++) {
        *unique = row[m->one.signature[i]] == 0;
        row[m->one.signature[i]] = i + 1;
        TRY(exec_go_on(x, 20));
    }
    *out = row;
    return ERR_OK;
}

/* Finds each row's partner and the result's labels; `*fits` tells whether all are different. */
static enum err pair_rows(struct match *m, const uint32_t *one_row, bool *fits)
{
    struct oper *op = &m->base;
    struct exec *x = op->x;
    uint32_t count = m->many.op->count, *classes, class_count;
    uint64_t *used = exec_alloc(x, bits_words(m->signatures.count), sizeof *used);
    struct labels *labels = exec_alloc(x, count, sizeof *labels);
    m->partner = exec_alloc(x, count, sizeof *m->partner);
    if (!used || !labels || !m->partner)
        return exec_no_memory(x, x->why);
    bool one_to_one = m->node->matching->card == CARD_ONE_TO_ONE;
    *fits = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t signature = m->many.signature[i];
        TRY(exec_go_on(x, 400));
        m->partner[i] = one_row[signature];
        labels[i] = m->many.op->labels[i];
        if (!m->partner[i])
            continue;
        if (one_to_one && bits_get(used, signature))
            return ERR_OK;
        bits_set(used, signature);
        labels[i] = match_labels(m, &m->many.op->labels[i], &m->one.op->labels[m->partner[i] - 1]);
    }
    TRY(series_classes(x, labels, count, &classes, &class_count));
    *fits = classes == NULL;
    op->count = count;
    op->labels = labels;
    return ERR_OK;
}

static enum err try_rows(struct match *m, bool *fits)
{
    const struct matching *matching = m->node->matching;
    *fits = false;
    if (matching->fill_left || matching->fill_right)
        return ERR_OK;
    uint32_t *one_row;
    TRY(only_rows(m, &one_row, fits));
    return *fits ? pair_rows(m, one_row, fits) : ERR_OK;
}

/* ---- The operator ---- */

/* Rows of either side whose signature the other does not have: no error can come of them here, and no result. */
static enum err skip_unpaired(struct match *m)
{
    struct exec *x = m->base.x;
    uint64_t *many, *one;
    if (!rows_may_be_skipped(m->many.op, m->one.op))
        return ERR_OK;
    TRY(signatures_seen(x, m->many.signature, m->many.op->count, m->signatures.count, &many));
    TRY(signatures_seen(x, m->one.signature, m->one.op->count, m->signatures.count, &one));
    TRY(rows_skip(&m->base, m->one.op, m->one.signature, many));
    return rows_skip(&m->base, m->many.op, m->many.signature, one);
}

static void match_flags(struct match *m)
{
    struct oper *op = &m->base;
    op->drop_name = NULL;
    op->drop_all = m->node->return_bool;
    op->one_name = false;
}

/* Left before right, as errors have to come; the rows of the many side are read later. */
static enum err read_one_side(struct match *m)
{
    enum err err = matrix_read(&m->one.rows, m->one.op);
    return err != ERR_OK && !m->swapped ? op_drain(m->many.op, err) : err;
}

static enum err read_both_sides(struct match *m)
{
    struct match_side *left = m->swapped ? &m->one : &m->many, *right = m->swapped ? &m->many : &m->one;
    TRY(matrix_read(&left->rows, left->op));
    return matrix_read(&right->rows, right->op);
}

static enum err match_prepare(struct oper *op)
{
    struct match *m = (struct match *)op;
    TRY(op_prepare(op->args[0]));
    enum err err = op_prepare(op->args[1]);
    if (err != ERR_OK)
        return op_drain(op->args[0], err);
    TRY(signatures_make(&m->signatures, m->node->matching, op->args[0], op->args[1]));
    m->names = name_set_make(&op->x->arena, &m->node->matching->labels, NULL);
    struct match_side left = {.op = op->args[0], .signature = m->signatures.of_left};
    struct match_side right = {.op = op->args[1], .signature = m->signatures.of_right};
    m->many = m->swapped ? right : left;
    m->one = m->swapped ? left : right;
    bool fits;
    TRY(try_rows(m, &fits));
    match_flags(m);
    if (fits) {
        TRY(skip_unpaired(m));
        return read_one_side(m);
    }
    m->partner = NULL;
    TRY(read_both_sides(m));
    TRY(match_by_steps(m));
    op_series_rowset(op, &m->rows);
    return ERR_OK;
}

/* A pair of rows with histograms. */
static void cells_row(struct match *m, struct worker *w, struct batch *b, uint32_t i, uint32_t one)
{
    enum op how = m->node->op;
    double *v = batch_v(b, i);
    uint64_t *present = batch_present(b, i);
    const struct histogram **h = m->one.rows.h[one] ? batch_need_h(b, i) : batch_h(b, i), **one_h = m->one.rows.h[one];
    BITS_EACH(s, present, b->steps)
    {
        struct cell many = {v[s], h ? h[s] : NULL}, other = {matrix_v(&m->one.rows, one)[s], one_h ? one_h[s] : NULL};
        struct cell left = m->swapped ? other : many, right = m->swapped ? many : other;
        struct cell_result r = binop_cells(&w->tile, how, left, right);
        if (r.note)
            worker_note_late(w, &m->base, s, r.warning, r.note);
        if (r.none || (!r.keep && !m->node->return_bool)) {
            bits_clear(present, s);
            continue;
        }
        if (m->node->return_bool)
            r.cell = (struct cell){.v = r.keep ? 1 : 0};
        v[s] = r.cell.v;
        if (h)
            h[s] = r.cell.h;
    }
}

static enum err pair_row(struct match *m, struct worker *w, struct batch *b, uint32_t i, uint32_t one)
{
    uint64_t *present = batch_present(b, i);
    const uint64_t *one_present = matrix_present(&m->one.rows, one);
    for (uint32_t k = 0; k < b->words; k++)
        present[k] &= one_present[k];
    if (b->has_h[i] || m->one.rows.h[one] || op_is_trim(m->node->op)) {
        TRY(worker_go_on(w, (uint64_t)b->steps * 500));
        cells_row(m, w, b, i, one);
        return ERR_OK;
    }
    double *v = batch_v(b, i);
    const double *other = matrix_v(&m->one.rows, one);
    const double *left = m->swapped ? other : v, *right = m->swapped ? v : other;
    return binop_row(w, m->node->op, m->node->return_bool, v, present, left, right, left, b->steps);
}

static enum err match_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct match *m = (struct match *)op;
    if (!m->partner) {
        rowset_tile(&m->rows, first, b);
        return ERR_OK;
    }
    TRY(op_tile(m->many.op, w, first, b));
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t one = m->partner[first + i];
        if (one)
            TRY(pair_row(m, w, b, i, one - 1));
        else
            bits_zero(batch_present(b, i), b->steps);
    }
    return ERR_OK;
}

static const struct oper_ops match_ops = {
    .name = "match", .role = ROLE_JOIN, .cost = COST_STEPS, .prepare = match_prepare, .tile = match_tile};

struct oper *match_op_new(const struct node *n, struct oper *lhs, struct oper *rhs)
{
    struct match *m = op_new(lhs->x, sizeof *m, &match_ops, n, &lhs->grid);
    m->node = &n->binary;
    m->swapped = n->binary.matching->card == CARD_ONE_TO_MANY;
    op_args(&m->base, 2, (struct oper *const[]){lhs, rhs});
    if (!m->node->matching->fill_left && !m->node->matching->fill_right) {
        rows_skip_remark(lhs);
        rows_skip_remark(rhs);
    }
    return &m->base;
}
