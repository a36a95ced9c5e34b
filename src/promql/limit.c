/*
 * limit.c - limitk and limit_ratio: some of the series, as they are.
 *
 * limitk takes the first k of each group that are present at a step; their order in an instant query
 * is that of the reference's heap.  limit_ratio takes those whose label hash falls into a share of the hash's range.
 */
#include "numeric/gosort.h"
#include "promql/aggregate.h"

struct limit_op {
    struct aggregation agg;
    struct rowset rows;
    uint32_t *k;                /* limitk: per step */
    uint32_t *taken;            /* limitk: [groups * steps] */
    uint32_t *number, numbered; /* [groups]: + 1, as their first sample came, taken or not */
    uint32_t *group;            /* of each row in `rows`; room for all of the child's */
    double *ratios;             /* limit_ratio: per step, capped */
};

static enum err visit_nothing(void *ctx, uint32_t first, struct batch *b)
{
    (void)ctx;
    (void)first;
    (void)b;
    return ERR_OK;
}

static enum err limit_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct limit_op *)op)->rows, first, b);
    return ERR_OK;
}

/* Before anything of the row is left out. */
static void limit_meet(struct limit_op *l, uint32_t child_row, const struct batch *b, uint32_t i)
{
    uint32_t *number = &l->number[groups_of(&l->agg.groups, child_row)];
    if (*number == 0 && bits_any(batch_present(b, i), b->steps))
        *number = ++l->numbered;
}

/* Copies the cells in `present` of a row to a row of the output. */
static enum err limit_keep(struct limit_op *l, uint32_t child_row, struct batch *b, uint32_t i)
{
    const struct oper *child = l->agg.child;
    const uint64_t *present = batch_present(b, i);
    const struct histogram **h = batch_h(b, i);
    uint32_t row;
    if (!bits_any(present, b->steps))
        return ERR_OK;
    TRY(exec_go_on(child->x, 500 + (uint64_t)b->steps * 4));
    TRY(rowset_append(&l->rows, &child->labels[child_row], op_drops_name(child, child_row), &row));
    l->group[row] = groups_of(&l->agg.groups, child_row);
    BITS_EACH(s, present, b->steps)
    {
        if (h && h[s])
            TRY(rowset_put_hist(&l->rows, row, s, histogram_keep(&l->agg.base.x->arena, h[s])));
        else
            rowset_put(&l->rows, row, s, batch_v(b, i)[s]);
    }
    return ERR_OK;
}

/* ---- limitk ---- */

static enum err limitk_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct limit_op *l = ctx;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t *taken = l->taken + (size_t)groups_of(&l->agg.groups, first + i) * b->steps;
        uint64_t *present = batch_present(b, i);
        limit_meet(l, first + i, b, i);
        BITS_EACH(s, present, b->steps)
        {
            if (taken[s] < l->k[s])
                taken[s]++;
            else
                bits_clear(present, s);
        }
        TRY(limit_keep(l, first + i, b, i));
    }
    return ERR_OK;
}

/* Rows of an instant query, by group, in the order of the reference's heap. */
struct heap_order {
    struct limit_op *l;
    uint32_t *rows;
};

static double heap_value(const struct heap_order *h, size_t i)
{
    const struct rowset *r = &h->l->rows;
    uint32_t row = h->rows[i];
    return r->h[row] ? 0 : r->v[row][0];
}

static bool heap_less(const void *ctx, size_t i, size_t j)
{
    double a = heap_value(ctx, i);
    return isnan(a) || a < heap_value(ctx, j);
}

static void heap_swap(void *ctx, size_t i, size_t j)
{
    uint32_t *rows = ((struct heap_order *)ctx)->rows;
    uint32_t row = rows[i];
    rows[i] = rows[j];
    rows[j] = row;
}

static const struct gosort_ops heap_ops = {heap_less, heap_swap};

/* The same rows in another order. */
static enum err reorder(struct limit_op *l, const uint32_t *order)
{
    struct rowset old = l->rows;
    TRY(rowset_init(&l->rows, old.x, old.steps));
    for (uint32_t i = 0; i < old.count; i++) {
        uint32_t from = order[i], to;
        TRY(rowset_append(&l->rows, &old.labels[from], old.drop_name[from], &to));
        TRY(exec_go_on(old.x, 500));
        l->rows.v[to] = old.v[from];
        l->rows.present[to] = old.present[from];
        l->rows.h[to] = old.h[from];
    }
    return ERR_OK;
}

static void renumber_groups(struct limit_op *l)
{
    for (uint32_t i = 0; i < l->rows.count; i++)
        l->group[i] = l->number[l->group[i]] - 1;
}

/* Group by group, each in heap order. */
static enum err instant_order(struct limit_op *l)
{
    struct exec *x = l->agg.base.x;
    struct groups groups = {.count = l->agg.groups.count, .of_row = l->group};
    uint32_t *start, *order;
    renumber_groups(l);
    TRY(groups_lists(&groups, x, l->rows.count, &start, &order));
    for (uint32_t g = 0; g < groups.count; g++) {
        struct heap_order heap = {l, order + start[g]};
        for (uint32_t i = 0; i < start[g + 1] - start[g]; i++) {
            gosort_heap_up(&heap_ops, &heap, i);
            TRY(exec_go_on(x, 100));
        }
    }
    return reorder(l, order);
}

static enum err limit_init(struct limit_op *l)
{
    struct exec *x = l->agg.base.x;
    TRY(aggregate_op_prepare(&l->agg, NULL));
    l->group = exec_alloc(x, l->agg.child->count, sizeof *l->group);
    l->number = exec_alloc(x, l->agg.groups.count, sizeof *l->number);
    return l->group && l->number ? rowset_init(&l->rows, x, l->agg.base.grid.count) : exec_no_memory(x, x->why);
}

static enum err limitk_prepare(struct oper *op)
{
    struct limit_op *l = (struct limit_op *)op;
    TRY(limit_init(l));
    bool nothing;
    enum err err = aggregate_k(&l->agg, &l->k, &nothing);
    if (err != ERR_OK)
        return op_drain(l->agg.child, err);
    if (nothing) {
        TRY(op_stream(l->agg.child, visit_nothing, NULL));
    } else {
        l->taken = exec_alloc(op->x, (size_t)l->agg.groups.count * op->grid.count, sizeof *l->taken);
        if (!l->taken)
            return exec_no_memory(op->x, op->x->why);
        TRY(op_stream(l->agg.child, limitk_visit, l));
        if (grid_is_instant(&op->grid))
            TRY(instant_order(l));
    }
    op_series_rowset(op, &l->rows);
    return ERR_OK;
}

static const struct oper_ops limitk_ops = {
    .name = "limitk", .role = ROLE_KEEPS, .cost = COST_AGGREGATE, .prepare = limitk_prepare, .tile = limit_tile};

struct oper *limitk_op_new(const struct node *n, struct oper *param, struct oper *child)
{
    struct limit_op *l = aggregate_op_base(sizeof *l, &limitk_ops, n, param, child);
    return &l->agg.base;
}

/* ---- limit_ratio ---- */

static bool ratio_takes(double ratio, double offset)
{
    return ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
}

static enum err ratio_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct limit_op *l = ctx;
    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t *present = batch_present(b, i);
        limit_meet(l, first + i, b, i);
        double offset = (double)labels_prometheus_hash(&l->agg.child->labels[first + i]) / 18446744073709551616.0;
        BITS_EACH(s, present, b->steps)
        if (!ratio_takes(l->ratios[s], offset))
            bits_clear(present, s);
        TRY(limit_keep(l, first + i, b, i));
    }
    return ERR_OK;
}

static void cap_warning(struct limit_op *l, double ratio, double cap)
{
    struct notes *n = &l->agg.base.x->notes;
    notes_warn(n, aggregate_place_param(&l->agg), "ratio value should be between -1 and 1, got %s, capping to %s",
               notes_number(n, ratio), notes_number(n, cap));
}

static enum err ratio_values(struct limit_op *l, struct param_range range)
{
    struct exec *x = l->agg.base.x;
    if (range.any_nan)
        return err_set(x->why, ERR_INVALID, "Ratio value is NaN");
    if (range.max > 1)
        cap_warning(l, range.max, 1);
    if (range.min < -1)
        cap_warning(l, range.min, -1);
    l->ratios = exec_alloc(x, l->agg.base.grid.count, sizeof *l->ratios);
    if (!l->ratios)
        return exec_no_memory(x, x->why);
    for (uint32_t s = 0; s < l->agg.base.grid.count; s++) {
        double r = l->agg.params[s];
        l->ratios[s] = r > 1 ? 1 : r < -1 ? -1 : r;
    }
    return ERR_OK;
}

/* Groups keep their members together in an instant query, as the reference's output does. */
static enum err limit_ratio_prepare(struct oper *op)
{
    struct limit_op *l = (struct limit_op *)op;
    TRY(limit_init(l));
    struct param_range range = aggregate_params(&l->agg);
    if (!range.any_nan && range.max == 0 && range.min == 0) {
        TRY(op_stream(l->agg.child, visit_nothing, NULL));
    } else {
        enum err err = ratio_values(l, range);
        if (err != ERR_OK)
            return op_drain(l->agg.child, err);
        TRY(op_stream(l->agg.child, ratio_visit, l));
        if (grid_is_instant(&op->grid))
            TRY(instant_order(l));
    }
    op_series_rowset(op, &l->rows);
    return ERR_OK;
}

static const struct oper_ops limit_ratio_ops = {.name = "limit_ratio",
                                                .role = ROLE_KEEPS,
                                                .cost = COST_AGGREGATE,
                                                .prepare = limit_ratio_prepare,
                                                .tile = limit_tile};

struct oper *limit_ratio_op_new(const struct node *n, struct oper *param, struct oper *child)
{
    struct limit_op *l = aggregate_op_base(sizeof *l, &limit_ratio_ops, n, param, child);
    return &l->agg.base;
}
