/*
 * share.c - an expression that a query contains several times is evaluated once.
 *
 * Same text, same grid, same place in the statistics: then the rows are the same.  They are kept when
 * they are not too many; else every occurrence streams its own.  An occurrence that takes over kept rows takes
 * over what was counted and told, too - the notes with its own places.
 */
#include "base/assert.h"
#include "promql/ops.h"
#include "promql/query_internal.h"
#include "promql/series.h"

enum { KEPT_CELLS_MAX = 1 << 22 };

struct share_op;

struct share {
    struct share *next;
    const struct node *node; /* of the first occurrence */
    struct grid grid;
    enum op_scope scope;
    const uint32_t *step_of;
    uint64_t repeat;
    uint32_t users;
    const struct share_op *keeper; /* whose rows are kept; NULL: nobody's yet */
    struct matrix rows;
};

struct share_op {
    struct oper base;
    struct share *share;
    uint32_t first_id; /* the operators of this occurrence are first_id .. args[0]->id */
};

static struct slice node_text(const struct exec *x, const struct node *n)
{
    return slice_of(x->query->text.data + n->start, n->end - n->start);
}

/* Whether the text occurs in the query a second time; says nothing about where, so it only spares work. */
static bool occurs_twice(struct slice query, struct slice text)
{
    const uint8_t *first = memmem(query.data, query.len, text.data, text.len);
    if (!first)
        return false;
    size_t behind = (size_t)(first - query.data) + 1;
    return memmem(query.data + behind, query.len - behind, text.data, text.len) != NULL;
}

bool share_worthwhile(const struct exec *x, const struct node *n)
{
    bool kind = n->kind == NODE_VECTOR_SELECTOR || n->kind == NODE_AGGREGATE ||
                (n->kind == NODE_CALL && n->type == VALUE_VECTOR);
    return kind && !x->step_queryable && n->end > n->start && occurs_twice(x->query->text, node_text(x, n));
}

static void take_over(struct share_op *s)
{
    struct exec *x = s->base.x;
    const struct share_op *keeper = s->share->keeper;
    uint32_t count = s->base.id - s->first_id;
    assert(keeper->base.id - keeper->first_id == count);
    for (uint32_t i = 0; i < count; i++) {
        x->ops[s->first_id + i]->tally = x->ops[keeper->first_id + i]->tally;
        x->ops[s->first_id + i]->counts_id = x->ops[keeper->first_id + i]->counts_id;
    }
    notes_repeat(&x->notes, keeper->first_id, keeper->base.id, s->first_id - keeper->first_id,
                 s->base.node->start - keeper->base.node->start);
    op_series_same(&s->base, &keeper->base);
}

static enum err share_prepare(struct oper *op)
{
    struct share_op *s = (struct share_op *)op;
    struct share *share = s->share;
    if (share->keeper) {
        take_over(s);
        return ERR_OK;
    }
    TRY(op_prepare(op->args[0]));
    op_series_same(op, op->args[0]);
    if (share->users < 2 || (uint64_t)op->count * op->grid.count > KEPT_CELLS_MAX)
        return ERR_OK;
    TRY(matrix_read(&share->rows, op->args[0]));
    share->keeper = s;
    return ERR_OK;
}

static enum err share_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct share_op *s = (struct share_op *)op;
    if (!s->share->keeper)
        return op_tile(op->args[0], w, first, b);
    matrix_tile(&s->share->rows, first, b);
    return ERR_OK;
}

/* The text may stand in the query twice and be an expression once. */
static bool share_skip(struct oper *op, const uint64_t *wanted)
{
    return ((struct share_op *)op)->share->users < 2 && op_skip_input(op, wanted);
}

static const struct oper_ops share_ops = {.name = "evaluated once",
                                          .role = ROLE_ROWS,
                                          .cost = COST_PASS,
                                          .prepare = share_prepare,
                                          .tile = share_tile,
                                          .skip = share_skip};

static bool same_modifiers(const struct modifiers *a, const struct modifiers *b)
{
    return a->at == b->at && a->at_ms == b->at_ms && a->offset_ms == b->offset_ms;
}

/* Equal texts may be read differently: with or without the buckets of histograms, or because more follows. */
static bool same_selector(const struct vector_selector_node *a, const struct vector_selector_node *b)
{
    bool same_sight =
        a->bounded == b->bounded && (!a->bounded || (a->first_ms == b->first_ms && a->last_ms == b->last_ms));
    return a->stats_only == b->stats_only && a->smoothed == b->smoothed && a->anchored == b->anchored && same_sight &&
           same_modifiers(&a->mod, &b->mod);
}

static bool same_reading(const struct node *a, const struct node *b)
{
    if (a->kind != b->kind || node_child_count(a) != node_child_count(b))
        return false;
    if (a->kind == NODE_VECTOR_SELECTOR && !same_selector(&a->vector, &b->vector))
        return false;
    if (a->kind == NODE_SUBQUERY && a->subquery.shift_ms != b->subquery.shift_ms)
        return false;
    for (uint32_t i = 0; i < node_child_count(a); i++)
        if (!same_reading(node_child(a, i), node_child(b, i)))
            return false;
    return true;
}

static bool same_grid(const struct grid *a, const struct grid *b)
{
    return a->start_ms == b->start_ms && a->step_ms == b->step_ms && a->end_ms == b->end_ms && a->count == b->count;
}

struct oper *share_op_new(const struct node *n, uint32_t first_id, struct oper *child)
{
    struct exec *x = child->x;
    struct share *share = x->shares;
    while (share && !(share->scope == x->scope && share->step_of == x->step_of && share->repeat == x->repeat &&
                      slice_eq(node_text(x, share->node), node_text(x, n)) && same_grid(&share->grid, &child->grid) &&
                      same_reading(share->node, n)))
        share = share->next;
    if (!share) {
        share = ARENA_NEW(&x->arena, struct share);
        *share = (struct share){.next = x->shares,
                                .node = n,
                                .grid = child->grid,
                                .scope = x->scope,
                                .step_of = x->step_of,
                                .repeat = x->repeat};
        x->shares = share;
    }
    share->users++;
    struct share_op *s = op_new(x, sizeof *s, &share_ops, n, &child->grid);
    s->share = share;
    s->first_id = first_id;
    op_args(&s->base, 1, &child);
    return &s->base;
}
