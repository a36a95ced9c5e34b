/* absent.c - absent() and absent_over_time(): 1 where nothing is. */
#include "promql/ops.h"
#include "promql/series.h"

struct absent_op {
    struct oper base;
    uint64_t *present; /* steps at which some series is there */
    struct labels labels;
};

static bool negative(const struct matcher *m)
{
    return m->op == MATCH_NOT_EQUAL || m->op == MATCH_NOT_REGEX;
}

/* Whether some matcher wants the label to be there. */
static bool label_needed(const struct vector_selector_node *vs, struct slice name)
{
    for (uint32_t i = 0; i < vs->matcher_count; i++)
        if (slice_eq(vs->matchers[i].name, name) && !matcher_matches(&vs->matchers[i], SLICE_LIT("")))
            return true;
    return false;
}

/*
 * The reference's index puts matchers that only take series away behind the others, in the very list that
 * absent() reads afterwards: a!="1",a="2" counts as a="2",a!="1".
 */
static bool taken_last(const struct vector_selector_node *vs, const struct matcher *m)
{
    return !label_needed(vs, m->name) || (negative(m) && matcher_matches(m, SLICE_LIT("")));
}

static void take_matcher(struct labels_builder *b, const struct matcher *m, struct labels_builder *seen)
{
    struct labels before = labels_builder_finish(seen);
    if (slice_eq(m->name, SLICE_LIT(METRIC_NAME)))
        return;
    if (m->op != MATCH_EQUAL || labels_find(&before, m->name)) {
        labels_builder_del(b, m->name);
        return;
    }
    labels_builder_set(b, m->name, m->value);
    labels_builder_set(seen, m->name, SLICE_LIT("seen"));
}

/* From the first `=` of each name; any further matcher of a name takes it out again. */
static struct labels labels_of_matchers(const struct node *arg, struct arena *arena)
{
    while (arg->kind == NODE_PAREN || arg->kind == NODE_STEP_INVARIANT)
        arg = arg->kind == NODE_PAREN ? arg->paren.expr : arg->invariant.expr;
    if (arg->kind == NODE_MATRIX_SELECTOR)
        arg = arg->matrix.selector;
    struct labels_builder b, seen;
    labels_builder_init(&b, arena, NULL);
    labels_builder_init(&seen, arena, NULL);
    const struct vector_selector_node *vs = &arg->vector;
    for (int last = 0; arg->kind == NODE_VECTOR_SELECTOR && last < 2; last++)
        for (uint32_t i = 0; i < vs->matcher_count; i++)
            if (taken_last(vs, &vs->matchers[i]) == (last == 1))
                take_matcher(&b, &vs->matchers[i], &seen);
    return labels_builder_finish(&b);
}

static enum err absent_visit(void *ctx, uint32_t first, struct batch *b)
{
    (void)first;
    struct absent_op *a = ctx;
    for (uint32_t r = 0; r < b->rows; r++)
        for (uint32_t w = 0; w < b->words; w++)
            a->present[w] |= batch_present(b, r)[w];
    return ERR_OK;
}

static enum err absent_prepare(struct oper *op)
{
    struct absent_op *a = (struct absent_op *)op;
    a->present = ARENA_ARRAY(&op->x->arena, uint64_t, bits_words(op->grid.count));
    TRY(op_prepare(op->args[0]));
    TRY(op_stream(op->args[0], absent_visit, a));
    a->labels = labels_of_matchers(op->node->call.args[0], &op->x->arena);
    op->count = 1;
    op->labels = &a->labels;
    return ERR_OK;
}

static enum err absent_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    (void)first;
    struct absent_op *a = (struct absent_op *)op;
    for (uint32_t s = 0; s < b->steps; s++)
        if (!bits_get(a->present, s))
            batch_put(b, 0, s, 1);
    return ERR_OK;
}

static const struct oper_ops absent_ops = {
    .name = "absent", .role = ROLE_ONE_ROW, .cost = COST_STEPS, .prepare = absent_prepare, .tile = absent_tile};
/* absent_over_time() turns into one series what the range function has made. */
static const struct oper_ops absent_over_time_ops = {.name = "absent over time",
                                                     .role = ROLE_ONE_ROW,
                                                     .cost = COST_PASS,
                                                     .prepare = absent_prepare,
                                                     .tile = absent_tile};

struct oper *absent_op_new(const struct node *call, struct oper *child)
{
    bool over_time = call->call.function->id == FUNCTION_ABSENT_OVER_TIME;
    const struct oper_ops *ops = over_time ? &absent_over_time_ops : &absent_ops;
    struct absent_op *a = op_new(child->x, sizeof *a, ops, call, &child->grid);
    op_args(&a->base, 1, &child);
    return &a->base;
}
