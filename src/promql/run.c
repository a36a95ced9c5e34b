/*
 * run.c - promql_exec: resolve, plan, read, account.
 *
 * The execution lives on inside the result, because labels and histograms of the result are in its
 * arena or in the storage that its querier keeps open.
 */
#include "promql/run.h"

#include "base/assert.h"
#include "promql/explain.h"
#include "promql/ops.h"
#include "promql/query_internal.h"
#include "promql/select.h"
#include "promql/series.h"

static double seconds_since(const struct run *r, int64_t start_ns)
{
    return (double)(clock_mono_ns(r->clock) - start_ns) / 1e9;
}

static struct run *run_new(struct engine *e, const struct query *q, const struct exec_params *p, struct cancel *cancel,
                           struct errmsg *why)
{
    struct run *r = MEM_NEW(struct run);
    struct exec *x = &r->x;
    r->clock = cancel && cancel->clock ? cancel->clock : clock_system();
    x->engine = e;
    x->storage = p->storage ? p->storage : e->options.storage;
    x->query = q;
    x->budget = (struct mem_budget){
        .name = "query memory", .limit = (int64_t)e->options.query_bytes_max, .parent = e->options.budget};
    mutex_init(&x->lock);
    arena_init(&x->arena, &x->budget);
    notes_init(&x->notes, &x->arena);
    x->warnings.arena = &x->arena;
    int64_t step = p->step_ms > 0 && p->start_ms != p->end_ms ? p->step_ms : 1;
    x->grid = grid_make(p->start_ms, p->end_ms, step);
    x->lookback_ms = p->lookback_ms > 0 ? p->lookback_ms : e->options.lookback_ms;
    x->features = e->options.features;
    x->cancel = cancel;
    x->why = why;
    x->kernels = e->kernels;
    x->repeat = 1;
    x->mint_ms = INT64_MAX;
    x->maxt_ms = INT64_MIN;
    x->exact_stats = p->stats || p->per_step_stats;
    r->packed = p->packed;
    if (p->per_step_stats) {
        x->step_queryable = ARENA_ARRAY(&x->arena, uint64_t, x->grid.count);
        x->step_read = ARENA_ARRAY(&x->arena, uint64_t, x->grid.count);
    }
    return r;
}

static void run_free(struct run *r)
{
    exec_workers_stop(&r->x);
    if (r->x.querier)
        r->x.querier->ops->close(r->x.querier);
    arena_deinit(&r->x.arena);
    mutex_deinit(&r->x.lock);
    mem_free(r);
}

static enum err no_answer(struct run *r, const struct exec_params *p)
{
    r->result.type = p->step_ms > 0 ? VALUE_MATRIX : VALUE_VECTOR;
    return ERR_OK;
}

static enum err evaluate_op(struct run *r, const struct exec_params *p)
{
    struct exec *x = &r->x;
    struct oper *root;
    TRY(plan_op(x, r->root, &x->grid, &root));
    if (exec_delays_names(x))
        root = clean_op_new(root);
    merge_op_is_result(root);
    TRY(exec_open_querier(x));
    exec_workers_start(x, x->engine->options.workers);
    if (p->look) {
        struct query_plan *plan;
        TRY(explain_plan(x, root, &plan));
        r->result.plan = r->plan = plan;
    }
    if (p->look == PLAN_EXPLAIN)
        return no_answer(r, p);
    if (p->look == PLAN_ANALYZE)
        TRY(profile_start(x, r->clock));
    TRY(op_prepare(root));
    if (p->step_ms > 0)
        TRY(result_read_matrix(r, root));
    else if (r->root->type == VALUE_SCALAR)
        TRY(result_read_scalar(r, root));
    else
        TRY(result_read_vector(r, root));
    struct query_stats *stats = &r->result.stats;
    op_samples(root, &stats->total_queryable_samples, &stats->samples_read);
    stats->peak_samples = (uint64_t)op_cost(root).peak;
    return stats->peak_samples > x->engine->options.samples_max ? exec_too_many_samples(x->why) : ERR_OK;
}

static enum err evaluate(struct run *r, const struct exec_params *p)
{
    const struct node *root = node_strip_parens(r->root);
    enum value_type type = r->root->type;
    if (p->step_ms > 0 && type != VALUE_SCALAR && type != VALUE_VECTOR)
        return err_set(r->x.why, ERR_INVALID,
                       "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                       type == VALUE_STRING ? "string" : "range vector");
    if (type == VALUE_MATRIX)
        return result_read_samples(r, root, p->look);
    if (type != VALUE_STRING)
        return evaluate_op(r, p);
    r->result.type = VALUE_STRING;
    r->result.scalar_t_ms = p->start_ms;
    r->result.string = root->string.value;
    return ERR_OK;
}

static void finish(struct run *r, const struct exec_params *p)
{
    struct exec *x = &r->x;
    struct note_texts texts;
    for (uint32_t i = 0; i < x->warnings.count; i++)
        notes_plain_warning(&x->notes, x->warnings.list[i]);
    notes_render(&x->notes, x->query->text, &x->arena, &texts);
    r->result.warnings = texts.warnings;
    r->result.warning_count = texts.warning_count;
    r->result.infos = texts.infos;
    r->result.info_count = texts.info_count;
    r->result.stats.series_fetched = x->series_fetched;
    r->result.stats.peak_bytes = (uint64_t)atomic_load_explicit(&x->budget.peak, memory_order_relaxed);
    if (!p->per_step_stats)
        return;
    r->result.stats.step_count = x->grid.count;
    r->result.stats.per_step = x->step_queryable;
    r->result.stats.read_per_step = x->step_read;
}

static struct resolve_params resolve_params_of(const struct engine *e, const struct exec_params *p)
{
    return (struct resolve_params){p->start_ms, p->end_ms, p->step_ms, e->options.default_interval_ms,
                                   p->lookback_ms > 0 ? p->lookback_ms : e->options.lookback_ms};
}

enum err promql_prepare(struct engine *e, const struct query *q, const struct exec_params *p, struct errmsg *why)
{
    struct resolve_params resolve = resolve_params_of(e, p);
    struct arena arena;
    struct node *root;
    arena_init(&arena, e->options.budget);
    enum err err = query_resolve(q, &resolve, &arena, &root, why);
    arena_deinit(&arena);
    return err;
}

enum err promql_exec(struct engine *e, struct query *q, const struct exec_params *p, struct cancel *cancel,
                     struct result **out, struct errmsg *why)
{
    struct errmsg unread;
    *out = NULL;
    if (p->step_ms > 0 && p->start_ms <= p->end_ms && !grid_fits(p->start_ms, p->end_ms, p->step_ms))
        return exec_too_many_samples(why);
    struct run *r = run_new(e, q, p, cancel, why ? why : &unread);
    int64_t start_ns = clock_mono_ns(r->clock), inner_ns;
    struct resolve_params resolve = resolve_params_of(e, p);
    enum err err;
    if ((err = query_resolve(q, &resolve, &r->x.arena, &r->root, r->x.why)) != ERR_OK)
        goto fail;
    r->result.stats.preparation_s = seconds_since(r, start_ns);
    inner_ns = clock_mono_ns(r->clock);
    if ((err = evaluate(r, p)) != ERR_OK)
        goto fail;
    r->result.stats.inner_eval_s = seconds_since(r, inner_ns);
    finish(r, p);
    if (p->look == PLAN_ANALYZE && r->plan)
        profile_finish(&r->x, r->plan);
    exec_workers_stop(&r->x); /* their memory, while the result is read */
    r->result.stats.eval_total_s = r->result.stats.exec_total_s = seconds_since(r, start_ns);
    *out = &r->result;
    return ERR_OK;
fail:
    if (p->keep_failed)
        *out = &r->result;
    else
        run_free(r);
    return err;
}

void promql_result_free(struct result *result)
{
    if (result)
        run_free((struct run *)result);
}
