/* script_run.c - loads, evaluates, compares; the contract is in script_run.h. */
#include "compat/script_run.h"

#include "base/mem.h"
#include "lib/memory_storage.h"
#include "promql/query_internal.h"

enum { MINUTE_MS = 60 * 1000, AT_TIMES_MAX = 6 };

struct runner {
    struct memory_storage *storage;
    struct engine *engine;
    struct script_report *report;
};

/* ---- Storage and engine ---- */

static void runner_clear(struct runner *r)
{
    engine_free(r->engine);
    memory_storage_free(r->storage);
    r->storage = memory_storage_new();
    struct engine_options o;
    engine_options_default(&o);
    o.storage = memory_storage_storage(r->storage);
    o.features = PROMQL_ALL_FEATURES & ~(unsigned)PROMQL_TYPE_AND_UNIT_LABELS; /* as the reference's test engine */
    o.samples_max = 10000;
    r->engine = engine_new(&o);
}

static void load_series(struct runner *r, const struct script_load *load, const struct script_series *s)
{
    for (uint32_t i = 0; i < s->values.count; i++) {
        const struct script_value *v = &s->values.list[i];
        int64_t t_ms = (int64_t)i * load->step_ms, start_ms = 0;
        if (v->omitted)
            continue;
        if (s->start_offsets.count && !s->start_offsets.list[i].omitted)
            start_ms = t_ms + (int64_t)s->start_offsets.list[i].value;
        memory_storage_append(r->storage, &s->labels, t_ms, v->value, v->h, start_ms);
    }
}

static enum err run_load(struct runner *r, const struct script_load *load, struct errmsg *why)
{
    for (uint32_t i = 0; i < load->count; i++)
        load_series(r, load, &load->series[i]);
    return load->with_nhcb ? script_load_nhcb(load, r->storage, why) : ERR_OK;
}

/* ---- One query ---- */

struct answer {
    struct query *query;
    struct result *result; /* NULL: it failed, as expected */
};

static void answer_deinit(struct answer *a)
{
    promql_result_free(a->result);
    promql_query_free(a->query);
}

/* An error that the eval expects is fine. */
static enum err ask(struct runner *r, const struct script_eval *e, struct slice expr, const struct exec_params *p,
                    struct answer *out, struct errmsg *why)
{
    struct errmsg text = {""};
    *out = (struct answer){0};
    enum err err = promql_parse(r->engine, expr, &out->query, &text);
    if (err == ERR_OK)
        err = promql_exec(r->engine, out->query, p, NULL, &out->result, &text);
    if (err != ERR_OK)
        return script_check_error(e, text.text, why);
    if (e->expects[EXPECT_FAIL].count)
        return err_set(why, ERR_INVALID, "an error is expected");
    return ERR_OK;
}

static enum err check(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    TRY(script_check_notes(e, result, why));
    return script_check_result(e, result, why);
}

static enum err run_range(struct runner *r, const struct script_eval *e, struct errmsg *why)
{
    struct exec_params p = {.start_ms = e->start_ms, .end_ms = e->end_ms, .step_ms = e->step_ms};
    struct answer a;
    enum err err = ask(r, e, e->expr, &p, &a, why);
    if (err == ERR_OK && a.result)
        err = check(e, a.result, why);
    answer_deinit(&a);
    return err;
}

/* ---- An instant query in the middle of a range ---- */

static bool mentions_grid(struct slice expr)
{
    static const char *const calls[] = {"start()", "end()", "range()", "step()"};
    for (size_t i = 0; i < 4; i++)
        if (memmem(expr.data, expr.len, calls[i], strlen(calls[i])))
            return true;
    return false;
}

/* The points of one step as a vector (or scalar); series without one are left out. */
static struct result slice_of_matrix(const struct result *matrix, int64_t t_ms, bool scalar, struct arena *arena)
{
    struct result v = {.type = scalar ? VALUE_SCALAR : VALUE_VECTOR};
    v.series = ARENA_ARRAY(arena, struct result_series, matrix->series_count + 1);
    for (uint64_t i = 0; i < matrix->series_count; i++) {
        const struct result_series *s = &matrix->series[i];
        for (uint32_t k = 0; k < s->point_count; k++)
            if (s->points[k].t_ms == t_ms)
                v.series[v.series_count++] = (struct result_series){s->labels, 1, &s->points[k], NULL};
    }
    if (scalar && v.series_count)
        v.scalar = v.series[0].points[0].v;
    return v;
}

static enum err compare_middle(const struct script_eval *e, const struct result *matrix, int64_t t_ms, bool scalar,
                               struct errmsg *why)
{
    struct arena arena;
    TRY(script_check_order(matrix, why));
    arena_init(&arena, NULL);
    struct result vector = slice_of_matrix(matrix, t_ms, scalar, &arena);
    enum err err = script_check_result(e, &vector, why);
    arena_deinit(&arena);
    return err;
}

static enum err run_middle(struct runner *r, const struct script_eval *e, struct slice expr, int64_t t_ms, bool scalar,
                           struct errmsg *why)
{
    struct exec_params p = {.start_ms = t_ms - MINUTE_MS, .end_ms = t_ms + MINUTE_MS, .step_ms = MINUTE_MS};
    struct answer a;
    enum err err = ask(r, e, expr, &p, &a, why);
    if (err == ERR_OK && a.result && e->expects[EXPECT_ORDERED].count == 0)
        err = compare_middle(e, a.result, t_ms, scalar, why);
    answer_deinit(&a);
    return err == ERR_OK ? err : err_wrap(why, err, "as a step of a range query");
}

static enum err run_instant(struct runner *r, const struct script_eval *e, struct slice expr, int64_t t_ms,
                            struct errmsg *why)
{
    struct exec_params p = {.start_ms = t_ms, .end_ms = t_ms};
    struct answer a;
    bool scalar = false, middle = !e->no_range_check && !mentions_grid(expr);
    enum err err = ask(r, e, expr, &p, &a, why);
    if (err == ERR_OK && a.result) {
        err = check(e, a.result, why);
        scalar = a.result->type == VALUE_SCALAR;
    }
    middle = middle && err == ERR_OK && a.result;
    answer_deinit(&a);
    return middle ? run_middle(r, e, expr, t_ms, scalar, why) : err;
}

/* ---- The same at other times, fixed by @ ---- */

struct at_rewrite {
    int64_t at_ms;
    bool depends_on_time;
};

static bool below_fixed_subquery(struct node *const *path, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++)
        if (path[i]->kind == NODE_SUBQUERY && path[i]->subquery.mod.at == AT_TIME)
            return true;
    return false;
}

static void fix_time(struct modifiers *mod, int64_t at_ms)
{
    if (mod->at != AT_TIME)
        mod->at_ms = at_ms;
    mod->at = AT_TIME;
}

static bool depends_on_time(const struct node *n)
{
    static const char *const names[] = {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "end",
                                        "hour",          "minute",       "month",       "year",        "predict_linear",
                                        "range",         "start",        "step",        "time",        "timestamp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(n->call.function->name, names[i]) == 0)
            return true;
    return false;
}

static bool rewrite_node(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    struct at_rewrite *w = ctx;
    if (below_fixed_subquery(path, depth))
        return true;
    if (n->kind == NODE_VECTOR_SELECTOR)
        fix_time(&n->vector.mod, w->at_ms);
    else if (n->kind == NODE_SUBQUERY)
        fix_time(&n->subquery.mod, w->at_ms);
    else if (n->kind == NODE_CALL && depends_on_time(n))
        w->depends_on_time = true;
    return true;
}

/* False when the expression cannot be tested so. */
static bool rewrite(struct slice expr, int64_t at_ms, struct buf *out)
{
    struct parse_options o = {.features = PROMQL_ALL_FEATURES};
    struct query *q;
    if (query_parse(expr, &o, &q, NULL) != ERR_OK)
        return false;
    struct at_rewrite w = {.at_ms = at_ms};
    node_walk(q->root, rewrite_node, &w);
    promql_print(q, out);
    promql_query_free(q);
    return !w.depends_on_time;
}

static size_t other_times(int64_t t_ms, int64_t times[AT_TIMES_MAX])
{
    if (t_ms == 0) {
        times[0] = -1000, times[1] = 0, times[2] = 1000;
        return 3;
    }
    times[0] = -10 * t_ms, times[1] = 0, times[2] = t_ms / 5, times[3] = t_ms, times[4] = 10 * t_ms;
    return 5;
}

static enum err run_instants(struct runner *r, const struct script_eval *e, struct errmsg *why)
{
    int64_t times[AT_TIMES_MAX];
    struct buf fixed = {0};
    enum err err = run_instant(r, e, e->expr, e->eval_ms, why);
    if (err == ERR_OK && rewrite(e->expr, e->eval_ms, &fixed)) {
        size_t count = other_times(e->eval_ms, times);
        for (size_t i = 0; i < count && err == ERR_OK; i++) {
            err = run_instant(r, e, buf_view(&fixed), times[i], why);
            if (err != ERR_OK)
                err = err_wrap(why, err, "as %.*s at %lld", SLICE_ARG(buf_view(&fixed)), (long long)times[i]);
        }
    }
    buf_deinit(&fixed);
    return err;
}

/* ---- Scripts ---- */

static void note_failure(struct script_report *r, uint32_t line, struct slice expr, const struct errmsg *why)
{
    r->failures = mem_grow(r->failures, &r->capacity, r->failed + 1u, sizeof *r->failures);
    r->failures[r->failed++] =
        (struct script_failure){line, arena_copy(&r->arena, expr), arena_strdup(&r->arena, slice_str(why->text))};
}

static void run_eval(struct runner *r, const struct script_eval *e, uint32_t line)
{
    struct errmsg why = {""};
    enum err err = e->range ? run_range(r, e, &why) : run_instants(r, e, &why);
    if (err == ERR_OK)
        r->report->passed++;
    else
        note_failure(r->report, line, e->expr, &why);
}

void script_run(const struct script *s, struct script_report *out)
{
    struct runner r = {.report = out};
    *out = (struct script_report){0};
    arena_init(&out->arena, NULL);
    runner_clear(&r);
    for (size_t i = 0; i < s->count; i++) {
        const struct script_command *c = &s->commands[i];
        struct errmsg why = {""};
        if (c->kind == SCRIPT_CLEAR)
            runner_clear(&r);
        else if (c->kind == SCRIPT_EVAL)
            run_eval(&r, &c->eval, c->line);
        else if (run_load(&r, &c->load, &why) != ERR_OK)
            note_failure(out, c->line, SLICE_LIT("load"), &why);
    }
    engine_free(r.engine);
    memory_storage_free(r.storage);
}

void script_report_deinit(struct script_report *r)
{
    mem_free(r->failures);
    arena_deinit(&r->arena);
    *r = (struct script_report){0};
}
