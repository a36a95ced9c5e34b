/* relabel.c - label_replace and label_join: labels change, samples stay. */
#include "promql/ops.h"
#include "promql/series.h"
#include "regex/regex.h"

struct relabel_op {
    struct oper base;
    const struct regex *regex; /* label_replace */
};

static struct slice text_arg(const struct oper *op, uint32_t i)
{
    return op->node->call.args[i]->string.value;
}

static enum err bad_name(const struct oper *op, const char *what, const char *function, struct slice name)
{
    return err_set(op->x->why, ERR_INVALID, "invalid %s label name in %s(): %.*s", what, function, SLICE_ARG(name));
}

static bool name_valid(struct slice name)
{
    return name.len > 0 && utf8_valid(name);
}

/* The new value; false: the label stays as it is. */
static bool replaced(const struct relabel_op *r, const struct labels *l, struct buf *out)
{
    struct regex_groups groups;
    struct slice source = labels_get(l, text_arg(&r->base, 3));
    if (!regex_submatch(r->regex, source, &groups))
        return false;
    regex_expand(r->regex, text_arg(&r->base, 2), &groups, out);
    return true;
}

static bool joined(const struct relabel_op *r, const struct labels *l, struct buf *out)
{
    for (uint32_t i = 3; i < r->base.node->call.arg_count; i++) {
        if (i > 3)
            buf_slice(out, text_arg(&r->base, 2));
        buf_slice(out, labels_get(l, text_arg(&r->base, i)));
    }
    return true;
}

static enum err relabel_rows(struct relabel_op *r)
{
    struct oper *op = &r->base, *child = op->args[0];
    struct exec *x = op->x;
    struct labels *labels = exec_alloc(x, child->count, sizeof *labels);
    bool *drop_name = exec_alloc(x, child->count, sizeof *drop_name);
    if (!labels || !drop_name)
        return exec_no_memory(x, x->why);
    struct slice target = text_arg(op, 1);
    bool renames = slice_eq(target, SLICE_LIT(METRIC_NAME));
    struct buf value = {0};
    struct going going = {x, ERR_OK};
    for (uint32_t i = 0; i < child->count && going_on(&going, 1000); i++) {
        buf_reset(&value);
        labels[i] = child->labels[i];
        drop_name[i] = op_drops_name(child, i);
        if (!(r->regex ? replaced(r, &labels[i], &value) : joined(r, &labels[i], &value)))
            continue;
        struct labels_builder b;
        labels_builder_init(&b, &x->arena, &labels[i]);
        labels_builder_set(&b, target, buf_view(&value));
        labels[i] = labels_builder_finish(&b);
        drop_name[i] = drop_name[i] && !renames;
    }
    buf_deinit(&value);
    op->labels = labels;
    op->drop_name = drop_name;
    op->one_name = false;
    return going.err;
}

static enum err check_replace(struct relabel_op *r)
{
    struct oper *op = &r->base;
    struct slice pattern = text_arg(op, 4);
    struct errmsg ignored;
    if (regex_compile(pattern, &op->x->arena, REGEX_WRAPPED, &r->regex, &ignored) != ERR_OK)
        return err_set(op->x->why, ERR_INVALID, "invalid regular expression in label_replace(): %.*s",
                       SLICE_ARG(pattern));
    return name_valid(text_arg(op, 1)) ? ERR_OK : bad_name(op, "destination", "label_replace", text_arg(op, 1));
}

static enum err check_join(struct relabel_op *r)
{
    struct oper *op = &r->base;
    for (uint32_t i = 3; i < op->node->call.arg_count; i++)
        if (!name_valid(text_arg(op, i)))
            return bad_name(op, "source", "label_join", text_arg(op, i));
    return name_valid(text_arg(op, 1)) ? ERR_OK : bad_name(op, "destination", "label_join", text_arg(op, 1));
}

static enum err relabel_prepare(struct oper *op)
{
    struct relabel_op *r = (struct relabel_op *)op;
    bool replace = op->node->call.function->id == FUNCTION_LABEL_REPLACE;
    TRY(replace ? check_replace(r) : check_join(r));
    TRY(op_prepare(op->args[0]));
    op_series_same(op, op->args[0]);
    return relabel_rows(r);
}

static enum err relabel_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    return op_tile(op->args[0], w, first, b);
}

static const struct oper_ops relabel_ops = {
    .name = "relabel", .role = ROLE_ROWS, .cost = COST_PASS, .prepare = relabel_prepare, .tile = relabel_tile};

struct oper *relabel_op_new(const struct node *call, struct oper *child)
{
    struct relabel_op *r = op_new(child->x, sizeof *r, &relabel_ops, call, &child->grid);
    op_args(&r->base, 1, &child);
    return merge_mixed_op_new(&r->base);
}
