/*
 * topk.c - topk and bottomk: a heap of k per group and step.
 *
 * Which of equal values survive, and in what order an instant query returns them, follows from the
 * reference's heap and its unstable sort; both are performed here step for step.
 */
#include "numeric/gosort.h"
#include "promql/aggregate.h"

struct entry {
    double v;
    uint32_t row;
};

struct heap {
    struct entry *list;
    uint32_t count;
    bool largest;        /* topk: the least of the largest is on top */
    struct going *going; /* while the heap is sorted */
};

struct topk_op {
    struct aggregation agg;
    bool largest;
    uint32_t *k;              /* per step */
    uint32_t *sizes;          /* rows per group */
    struct heap *heaps;       /* [groups * steps] */
    bool *met;                /* [groups] */
    uint32_t *order, ordered; /* groups, as their first sample came */
    struct rowset rows;
};

/* ---- The heap ---- */

static bool heap_less(const void *ctx, size_t i, size_t j)
{
    const struct heap *h = ctx;
    double a = h->list[i].v, b = h->list[j].v;
    if (h->going && !going_on(h->going, 10))
        return false;
    return isnan(a) || (h->largest ? a < b : a > b);
}

static bool heap_less_reversed(const void *ctx, size_t i, size_t j)
{
    return heap_less(ctx, j, i);
}

static void heap_swap(void *ctx, size_t i, size_t j)
{
    struct heap *h = ctx;
    struct entry e = h->list[i];
    h->list[i] = h->list[j];
    h->list[j] = e;
}

static const struct gosort_ops heap_ops = {heap_less, heap_swap}, reversed_ops = {heap_less_reversed, heap_swap};

static void heap_offer(struct heap *h, uint32_t k, double v, uint32_t row)
{
    if (h->count < k) {
        h->list[h->count++] = (struct entry){v, row};
        gosort_heap_up(&heap_ops, h, h->count - 1);
        return;
    }
    double top = h->list[0].v;
    if ((h->largest ? top < v : top > v) || (isnan(top) && !isnan(v))) {
        h->list[0] = (struct entry){v, row};
        if (k > 1)
            gosort_heap_fix(&heap_ops, h, 0, h->count);
    }
}

/* ---- Rows in ---- */

static enum err heap_room(struct topk_op *t, struct heap *h, uint32_t group, uint32_t k)
{
    uint32_t most = k < t->sizes[group] ? k : t->sizes[group];
    h->list = exec_alloc(t->agg.base.x, most, sizeof *h->list);
    h->largest = t->largest;
    return h->list ? ERR_OK : exec_no_memory(t->agg.base.x, t->agg.base.x->why);
}

static void note_ignored(struct topk_op *t)
{
    notes_info(&t->agg.base.x->notes, op_place(&t->agg.base), "ignored histogram in %s aggregation",
               aggregate_op_text(t->agg.node->op));
}

static enum err topk_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct topk_op *t = ctx;
    for (uint32_t i = 0; i < b->rows; i++) {
        TRY(exec_go_on(t->agg.base.x, 20 + (uint64_t)b->steps * 50));
        uint32_t group = groups_of(&t->agg.groups, first + i);
        const double *v = batch_v(b, i);
        const struct histogram **h = batch_h(b, i);
        if (!t->met[group] && bits_any(batch_present(b, i), b->steps)) {
            t->met[group] = true;
            t->order[t->ordered++] = group;
        }
        BITS_EACH(s, batch_present(b, i), b->steps)
        {
            struct heap *heap = &t->heaps[(size_t)group * b->steps + s];
            if (t->k[s] == 0)
                continue;
            if (h && h[s]) {
                note_ignored(t);
                continue;
            }
            if (!heap->list)
                TRY(heap_room(t, heap, group, t->k[s]));
            heap_offer(heap, t->k[s], v[s], first + i);
        }
    }
    return ERR_OK;
}

static enum err visit_nothing(void *ctx, uint32_t first, struct batch *b)
{
    (void)ctx;
    (void)first;
    (void)b;
    return ERR_OK;
}

/* ---- Rows out ---- */

/* In the reference's order: step by step, group by group, best first. */
static enum err topk_step(struct topk_op *t, uint32_t step, uint32_t *out_row)
{
    const struct oper *child = t->agg.child;
    struct exec *x = child->x;
    uint32_t steps = t->agg.base.grid.count;
    for (uint32_t g = 0; g < t->ordered; g++) {
        struct heap *h = &t->heaps[(size_t)t->order[g] * steps + step];
        struct going going = {x, ERR_OK};
        h->going = &going;
        if (h->count > 1)
            gosort_sort(&reversed_ops, h, h->count);
        h->going = NULL;
        TRY(going.err);
        for (uint32_t i = 0; i < h->count; i++) {
            TRY(exec_go_on(x, 200));
            uint32_t row = h->list[i].row;
            if (out_row[row] == 0) {
                uint32_t made;
                TRY(rowset_append(&t->rows, &child->labels[row], op_drops_name(child, row), &made));
                out_row[row] = made + 1;
            }
            rowset_put(&t->rows, out_row[row] - 1, step, h->list[i].v);
        }
    }
    return ERR_OK;
}

static enum err topk_rows(struct topk_op *t)
{
    struct exec *x = t->agg.base.x;
    uint32_t *out_row = exec_alloc(x, t->agg.child->count, sizeof *out_row);
    if (!out_row)
        return exec_no_memory(x, x->why);
    for (uint32_t s = 0; s < t->agg.base.grid.count; s++) {
        TRY(exec_check(x, x->why));
        TRY(topk_step(t, s, out_row));
    }
    return ERR_OK;
}

static enum err topk_alloc(struct topk_op *t)
{
    struct exec *x = t->agg.base.x;
    struct groups *groups = &t->agg.groups;
    t->heaps = exec_alloc(x, (size_t)groups->count * t->agg.base.grid.count, sizeof *t->heaps);
    t->sizes = exec_alloc(x, groups->count, sizeof *t->sizes);
    t->met = exec_alloc(x, groups->count, sizeof *t->met);
    t->order = exec_alloc(x, groups->count, sizeof *t->order);
    if (!t->heaps || !t->sizes || !t->met || !t->order)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < t->agg.child->count; i++) {
        t->sizes[groups_of(groups, i)]++;
        TRY(exec_go_on(x, 10));
    }
    return ERR_OK;
}

static enum err topk_prepare(struct oper *op)
{
    struct topk_op *t = (struct topk_op *)op;
    TRY(aggregate_op_prepare(&t->agg, NULL));
    TRY(rowset_init(&t->rows, op->x, op->grid.count));
    bool nothing;
    enum err err = aggregate_k(&t->agg, &t->k, &nothing);
    if (err != ERR_OK)
        return op_drain(t->agg.child, err);
    if (nothing) {
        TRY(op_stream(t->agg.child, visit_nothing, NULL));
    } else {
        TRY(topk_alloc(t));
        TRY(op_stream(t->agg.child, topk_visit, t));
        TRY(topk_rows(t));
    }
    op_series_rowset(op, &t->rows);
    return ERR_OK;
}

static enum err topk_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct topk_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops topk_ops = {
    .name = "topk", .role = ROLE_KEEPS, .cost = COST_AGGREGATE, .prepare = topk_prepare, .tile = topk_tile};

struct oper *topk_op_new(const struct node *n, struct oper *param, struct oper *child)
{
    struct topk_op *t = aggregate_op_base(sizeof *t, &topk_ops, n, param, child);
    t->largest = n->aggregate.op == AGGREGATE_TOPK;
    return &t->agg.base;
}
