/*
 * count_values.c - how often each value occurs: groups are made of labels and of the value's text.
 */
#include "histogram/histogram.h"
#include "numeric/goformat.h"
#include "promql/aggregate.h"

struct count_values_op {
    struct aggregation agg;
    struct slice label; /* that holds the value */
    struct grouping grouping;
    bool label_stays; /* without() may name it */
    struct rowset rows;
};

/* The row of a value: the series' labels with the value's label set, then grouped. */
static enum err value_row(struct count_values_op *c, uint32_t row, struct slice text, uint32_t *out)
{
    struct exec *x = c->agg.base.x;
    const struct labels *labels = &c->agg.child->labels[row];
    const struct label *old = labels_find(labels, c->label);
    struct hash128 key = grouping_hash(&c->grouping, labels);
    if (old && c->label_stays)
        key = hash128_sub(key, old->hash);
    if (c->label_stays)
        key = hash128_add(key, label_hash(c->label, text));
    if (hash_map_get(&c->rows.by_labels, key, out))
        return ERR_OK;
    struct labels_builder b;
    labels_builder_init(&b, &x->arena, labels);
    labels_builder_set(&b, c->label, text);
    struct labels full = labels_builder_finish(&b);
    struct labels group = grouping_labels(&c->grouping, &full, &x->arena);
    return rowset_row(&c->rows, &group, false, out);
}

static enum err count_cell(struct count_values_op *c, uint32_t row, uint32_t step, struct slice text)
{
    uint32_t out;
    TRY(exec_go_on(c->agg.base.x, 200));
    TRY(value_row(c, row, text, &out));
    double before = rowset_has(&c->rows, out, step) ? c->rows.v[out][step] : 0;
    rowset_put(&c->rows, out, step, before + 1);
    return ERR_OK;
}

static enum err count_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct count_values_op *c = ctx;
    struct buf hist_text = {0};
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < b->rows && err == ERR_OK; i++) {
        const struct histogram **h = batch_h(b, i);
        BITS_EACH(s, batch_present(b, i), b->steps)
        {
            char text[GOFORMAT_BYTES_MAX];
            struct slice value;
            if (h && h[s]) {
                buf_reset(&hist_text);
                histogram_print(h[s], &hist_text);
                value = buf_view(&hist_text);
            } else {
                value = slice_of(text, goformat_float(text, batch_v(b, i)[s], 'f', -1));
            }
            if ((err = count_cell(c, first + i, s, value)) != ERR_OK)
                break;
        }
    }
    buf_deinit(&hist_text);
    return err;
}

static enum err check_label(struct count_values_op *c)
{
    struct exec *x = c->agg.base.x;
    if (c->label.len > 0 && utf8_valid(c->label))
        return ERR_OK;
    struct buf quoted = {0};
    goformat_quote(&quoted, c->label);
    enum err err = err_set(x->why, ERR_INVALID, "invalid label name %s", buf_cstr(&quoted));
    buf_deinit(&quoted);
    return err;
}

static enum err count_values_prepare(struct oper *op)
{
    struct count_values_op *c = (struct count_values_op *)op;
    c->label = c->agg.node->param->string.value;
    TRY(check_label(c));
    TRY(op_prepare(c->agg.child));
    c->grouping = grouping_make(&op->x->arena, c->agg.node, c->agg.node->without ? NULL : &c->label);
    c->label_stays = !c->agg.node->without || !name_set_has(&c->grouping.names, c->label);
    TRY(rowset_init(&c->rows, op->x, op->grid.count));
    TRY(op_stream(c->agg.child, count_visit, c));
    op_series_rowset(op, &c->rows);
    return ERR_OK;
}

static enum err count_values_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct count_values_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops count_values_ops = {.name = "count values",
                                                 .role = ROLE_KEEPS,
                                                 .cost = COST_STEPS,
                                                 .prepare = count_values_prepare,
                                                 .tile = count_values_tile};

struct oper *count_values_op_new(const struct node *n, struct oper *child)
{
    struct count_values_op *c = aggregate_op_base(sizeof *c, &count_values_ops, n, NULL, child);
    return &c->agg.base;
}
