/*
 * explain.c - what a query is going to do, and what it did; the contract is in explain.h.
 *
 * Series are counted by the index, samples are looked for in a few of them; rows and memory of all other operators
 * follow from their inputs.
 */
#include "promql/explain.h"

#include "promql/grouping.h"
#include "promql/query_internal.h"
#include "promql/range.h"
#include "promql/select.h"

enum { PROBES = 8, OPERATORS_MAX = 500, LABELS_BYTES = 112, STATE_BYTES = 24 };

/* What is expected of an operator's rows. */
struct expected {
    uint64_t rows, samples, bytes;
    const struct labels *labels; /* [rows], more or less; NULL: unknown */
    bool reads;                  /* from the storage */
};

/* ---- Before ---- */

static uint64_t cells_bytes(uint64_t rows, uint32_t steps)
{
    return rows * (steps * sizeof(double) + bits_words(steps) * sizeof(uint64_t));
}

/* Samples in the range, from those of a few series all over the set. */
static enum err probe(struct exec *x, struct series_set *set, int64_t mint_ms, int64_t maxt_ms, uint64_t *out)
{
    uint32_t probes = set->count < PROBES ? set->count : PROBES;
    uint64_t found = 0;
    enum err err = ERR_OK;
    if (probes == 0)
        return ERR_OK;
    struct series_reader *reader = exec_reader(x, set);
    for (uint32_t i = 0; i < probes && err == ERR_OK; i++) {
        struct samples samples;
        err = reader->ops->read(reader, (uint32_t)((uint64_t)set->count * i / probes), mint_ms, maxt_ms, &samples,
                                x->why);
        found += err == ERR_OK ? samples.count : 0;
    }
    reader->ops->close(reader);
    *out = found * set->count / probes;
    return err;
}

static enum err expect_reading(struct exec *x, const struct reading_op *r, struct expected *out)
{
    struct series_set *set;
    if (!x->querier)
        return ERR_OK;
    TRY(exec_select(x, r, true, NULL, &set));
    *out = (struct expected){
        .rows = set->count, .bytes = (uint64_t)set->count * LABELS_BYTES, .labels = set->labels, .reads = true};
    out->samples = set->count;
    return r->newest_only ? ERR_OK : probe(x, set, r->mint_ms, r->maxt_ms, &out->samples);
}

static enum err expect_groups(const struct oper *op, const struct expected *in, struct expected *out)
{
    struct exec *x = op->x;
    struct oper like = {.x = x, .count = (uint32_t)in->rows, .labels = in->labels};
    struct grouping grouping = grouping_make(&x->arena, &op->node->aggregate, NULL);
    struct groups groups = {.count = (uint32_t)in->rows};
    bool single = !grouping.without && grouping.names.count == 0;
    if (in->labels || single)
        TRY(groups_make(&groups, &like, &grouping));
    out->rows = groups.count < in->rows ? groups.count : in->rows;
    out->labels = groups.labels;
    return ERR_OK;
}

/* The input that has the most rows: scalars have one. */
static const struct expected *widest(const struct oper *op, const struct expected *all)
{
    const struct expected *most = op->arg_count ? &all[op->args[0]->id] : NULL;
    for (uint32_t i = 1; i < op->arg_count; i++)
        if (all[op->args[i]->id].rows > most->rows)
            most = &all[op->args[i]->id];
    return most;
}

static uint64_t inputs_bytes(const struct oper *op, const struct expected *all)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < op->arg_count; i++)
        bytes += cells_bytes(all[op->args[i]->id].rows, op->args[i]->grid.count);
    return bytes;
}

static void expect_set(const struct oper *op, const struct expected *all, struct expected *out)
{
    const struct expected *left = &all[op->args[0]->id], *right = &all[op->args[1]->id];
    if (op->node->binary.op == OP_OR)
        *out = (struct expected){.rows = left->rows + right->rows, .bytes = cells_bytes(left->rows, op->grid.count)};
    else
        *out = (struct expected){.rows = left->rows, .labels = left->labels};
}

static enum err expect(const struct oper *op, const struct expected *all, struct expected *out)
{
    struct reading_op reading;
    const struct expected *in = widest(op, all);
    uint32_t steps = op->grid.count;
    if (select_op_reading(op, &reading) || range_op_reading(op, &reading))
        return expect_reading(op->x, &reading, out);
    if (in)
        *out = (struct expected){.rows = in->rows, .labels = in->labels};
    switch (op->ops->role) {
    case ROLE_ONE_ROW:
        *out = (struct expected){.rows = 1, .bytes = steps * sizeof(double)};
        break;
    case ROLE_GROUPS:
        TRY(expect_groups(op, in, out));
        out->bytes = out->rows * steps * STATE_BYTES;
        break;
    case ROLE_GROUPS_OF_KEPT:
        TRY(expect_groups(op, in, out));
        out->bytes = inputs_bytes(op, all) + cells_bytes(out->rows, steps);
        break;
    case ROLE_KEEPS:
        out->bytes = inputs_bytes(op, all) + cells_bytes(out->rows, steps);
        break;
    case ROLE_SET:
        expect_set(op, all, out);
        break;
    case ROLE_JOIN:
        out->bytes = cells_bytes(all[op->args[1]->id].rows, steps);
        break;
    default:
        break;
    }
    return ERR_OK;
}

static struct slice expression_of(const struct oper *op)
{
    return slice_of(op->x->query->text.data + op->node->start, op->node->end - op->node->start);
}

static void plan_operator_fill(struct plan_operator *out, const struct oper *op, const struct expected *expected)
{
    *out = (struct plan_operator){.name = op->ops->name,
                                  .expression = expression_of(op),
                                  .id = op->id,
                                  .steps = op->grid.count,
                                  .input_count = op->arg_count,
                                  .spared = op->remark,
                                  .expected = {expected->rows, expected->samples, expected->bytes}};
    for (uint32_t i = 0; i < op->arg_count; i++)
        out->inputs[i] = op->args[i]->id;
}

enum err explain_plan(struct exec *x, const struct oper *root, struct query_plan **out)
{
    struct query_plan *plan = ARENA_NEW(&x->arena, struct query_plan);
    struct expected *all = exec_alloc(x, (size_t)x->op_count + 1, sizeof *all);
    uint32_t shown = x->op_count < OPERATORS_MAX ? x->op_count : OPERATORS_MAX;
    if (!all)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < x->op_count; i++) { /* inputs come before those who read them */
        TRY(exec_go_on(x, 1000));
        TRY(expect(x->ops[i], all, &all[i]));
        plan->expected.series += all[i].reads ? all[i].rows : 0;
        plan->expected.samples += all[i].samples;
        plan->expected.bytes += all[i].bytes;
    }
    plan->expected.bytes += root ? cells_bytes(all[root->id].rows, root->grid.count) : 0;
    plan->steps = x->grid.count;
    plan->count = shown;
    plan->omitted = x->op_count - shown;
    plan->operators = ARENA_ARRAY(&x->arena, struct plan_operator, shown);
    for (uint32_t i = 0; i < shown; i++) { /* the root first */
        const struct oper *op = x->ops[x->op_count - 1 - i];
        plan_operator_fill(&plan->operators[i], op, &all[op->id]);
    }
    *out = plan;
    return ERR_OK;
}

enum err explain_samples(struct exec *x, const struct node *matrix, const struct reading_op *reading,
                         struct query_plan **out)
{
    struct query_plan *plan = ARENA_NEW(&x->arena, struct query_plan);
    struct expected e = {0};
    TRY(expect_reading(x, reading, &e));
    e.bytes += e.samples * sizeof(struct point);
    plan->steps = plan->count = 1;
    plan->expected = (struct plan_expected){e.rows, e.samples, e.bytes};
    plan->operators = ARENA_NEW(&x->arena, struct plan_operator);
    *plan->operators =
        (struct plan_operator){.name = "samples",
                               .expression = slice_of(x->query->text.data + matrix->start, matrix->end - matrix->start),
                               .steps = 1,
                               .expected = plan->expected};
    *out = plan;
    return ERR_OK;
}

/* ---- While it runs ---- */

enum err profile_start(struct exec *x, struct clock *clock)
{
    for (uint32_t i = 0; i < x->worker_count; i++) {
        struct worker *w = &x->workers[i];
        w->profile = worker_alloc(w, (size_t)x->op_count + 1, sizeof *w->profile);
        if (!w->profile)
            return exec_no_memory(x, x->why);
    }
    x->clock = clock;
    return ERR_OK;
}

struct profile_frame profile_begin(struct worker *w)
{
    struct profile_frame frame = {clock_mono_ns(w->x->clock), w->inner_ns};
    w->inner_ns = 0;
    return frame;
}

void profile_end(struct worker *w, const struct oper *op, struct profile_frame frame)
{
    int64_t took_ns = clock_mono_ns(w->x->clock) - frame.began_ns;
    if (op)
        w->profile[op->id].ns += took_ns - w->inner_ns;
    w->inner_ns = frame.inner_ns + took_ns;
}

void profile_finish(const struct exec *x, struct query_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct plan_operator *p = &plan->operators[i];
        const struct oper *op = x->op_count ? x->ops[p->id] : NULL;
        for (uint32_t w = 0; op && w < x->worker_count; w++) {
            p->seconds += (double)x->workers[w].profile[op->id].ns / 1e9;
            p->tiles += x->workers[w].profile[op->id].tiles;
        }
        p->spared = op ? op->remark : NULL;
        p->rows = op ? op->count : 0;
        p->points = op ? op->tally.points : 0;
        p->samples = op ? op->tally.queryable : 0;
    }
    plan->analyzed = true;
}
