/*
 * hist_native.c - functions of native histograms alone: histogram_count, _sum, _avg, _stddev, _stdvar.
 */
#include "histogram/histogram.h"
#include "promql/hist.h"
#include "promql/series.h"

struct native_op {
    struct oper base;
    double (*value)(const struct histogram *h);
};

static double hist_count(const struct histogram *h)
{
    return h->count;
}

static double hist_sum(const struct histogram *h)
{
    return h->sum;
}

static bool drop_metric_name(const struct label *pair, void *ctx)
{
    (void)ctx;
    return slice_eq(pair->name, SLICE_LIT(METRIC_NAME));
}

/* Unlike others, these leave __type__ and __unit__ where they are. */
static enum err native_prepare(struct oper *op)
{
    struct oper *child = op->args[0];
    struct exec *x = op->x;
    TRY(op_prepare(child));
    op_series_same(op, child);
    op->drop_name = NULL;
    op->drop_all = true;
    if (exec_delays_names(x))
        return ERR_OK;
    struct labels *labels = exec_alloc(x, child->count, sizeof *labels);
    if (!labels)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < child->count; i++) {
        TRY(exec_go_on(x, 200));
        labels[i] = labels_filter(&child->labels[i], &x->arena, drop_metric_name, NULL);
    }
    op->labels = labels;
    return ERR_OK;
}

static enum err native_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct native_op *n = (struct native_op *)op;
    TRY(op_tile(op->args[0], w, first, b));
    for (uint32_t r = 0; r < b->rows; r++) {
        uint64_t *present = batch_present(b, r);
        double *v = batch_v(b, r);
        const struct histogram **h = batch_h(b, r);
        TRY(worker_go_on(w, h ? (uint64_t)b->steps * 200 : 10));
        BITS_EACH(s, present, b->steps)
        {
            if (h && h[s])
                v[s] = n->value(h[s]);
            else
                bits_clear(present, s);
        }
        b->has_h[r] = false;
    }
    return ERR_OK;
}

static const struct oper_ops native_ops = {
    .name = "histogram", .role = ROLE_ROWS, .cost = COST_STEPS, .prepare = native_prepare, .tile = native_tile};

static double (*native_value(enum function_id id))(const struct histogram *)
{
    switch (id) {
    case FUNCTION_HISTOGRAM_COUNT:
        return hist_count;
    case FUNCTION_HISTOGRAM_SUM:
        return hist_sum;
    case FUNCTION_HISTOGRAM_AVG:
        return histogram_avg;
    case FUNCTION_HISTOGRAM_STDDEV:
        return histogram_stddev;
    case FUNCTION_HISTOGRAM_STDVAR:
        return histogram_stdvar;
    default:
        return NULL;
    }
}

struct oper *histogram_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count)
{
    double (*value)(const struct histogram *) = native_value(call->call.function->id);
    if (!value)
        return bucket_op_new(call, args, arg_count);
    struct native_op *n = op_new(args[0]->x, sizeof *n, &native_ops, call, &args[0]->grid);
    n->value = value;
    op_args(&n->base, 1, args);
    return merge_op_new(&n->base);
}
