/* engine_test.c - queries and answers as text; the contract is in engine_test.h. */
#include "engine_test.h"

#include <criterion/criterion.h>

#include "compat/script.h"
#include "histogram/histogram.h"
#include "lib/memory_storage.h"
#include "numeric/goformat.h"

static void load(struct memory_storage *m, const struct script_load *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        for (uint32_t k = 0; k < l->series[i].values.count; k++) {
            const struct script_value *v = &l->series[i].values.list[k];
            if (!v->omitted)
                memory_storage_append(m, &l->series[i].labels, (int64_t)k * l->step_ms, v->value, v->h, 0);
        }
}

void engine_test_init(struct engine_test *t, unsigned features, const char *text)
{
    struct script script;
    struct errmsg why;
    *t = (struct engine_test){.storage = memory_storage_new(), .budget = {.name = "test"}};
    cr_assert_eq(script_parse(slice_str(text), &script, &why), ERR_OK, "%s", why.text);
    for (size_t i = 0; i < script.count; i++)
        if (script.commands[i].kind == SCRIPT_LOAD)
            load(t->storage, &script.commands[i].load);
    script_deinit(&script);
    arena_init(&t->texts, NULL);
    engine_options_default(&t->options);
    t->options.storage = memory_storage_storage(t->storage);
    t->options.features = features;
    t->options.budget = &t->budget;
    t->engine = engine_new(&t->options);
}

void engine_test_restart(struct engine_test *t)
{
    engine_free(t->engine);
    t->engine = engine_new(&t->options);
}

void engine_test_deinit(struct engine_test *t)
{
    engine_free(t->engine);
    cr_expect_eq(atomic_load(&t->budget.used), 0, "queries gave all memory back");
    memory_storage_free(t->storage);
    arena_deinit(&t->texts);
}

static void print_point(struct buf *out, const struct point *p)
{
    buf_u8(out, ' ');
    if (p->h)
        histogram_print(p->h, out);
    else
        goformat_append(out, p->v, 'g', -1);
}

static void print_series(struct buf *out, const struct result_series *s, const struct exec_params *p)
{
    uint32_t at = 0;
    struct point *scratch = mem_array(s->point_count, sizeof *scratch);
    const struct point *points = promql_points(s, scratch);
    labels_print(&s->labels, out);
    for (int64_t t = p->start_ms; p->step_ms > 0 && t <= p->end_ms; t += p->step_ms) {
        if (at < s->point_count && points[at].t_ms == t)
            print_point(out, &points[at++]);
        else
            buf_str(out, " _");
    }
    for (; p->step_ms == 0 && at < s->point_count; at++)
        print_point(out, &points[at]);
    mem_free(scratch);
}

static void print_result(struct buf *out, const struct result *r, const struct exec_params *p)
{
    if (r->type == VALUE_SCALAR)
        goformat_append(out, r->scalar, 'g', -1);
    if (r->type == VALUE_STRING)
        buf_slice(out, r->string);
    for (uint64_t i = 0; i < r->series_count; i++) {
        buf_str(out, i ? "; " : "");
        print_series(out, &r->series[i], p);
    }
    for (uint32_t i = 0; i < r->warning_count; i++)
        buf_printf(out, " | %s", r->warnings[i]);
    for (uint32_t i = 0; i < r->info_count; i++)
        buf_printf(out, " | %s", r->infos[i]);
}

const char *engine_test_exec(struct engine_test *t, const char *expression, const struct exec_params *p,
                             struct cancel *cancel)
{
    struct query *q = NULL;
    struct result *r = NULL;
    struct errmsg why;
    struct buf out = {0};
    t->err = promql_parse(t->engine, slice_str(expression), &q, &why);
    if (t->err == ERR_OK)
        t->err = promql_exec(t->engine, q, p, cancel, &r, &why);
    if (t->err == ERR_OK) {
        if (p->packed)
            cr_expect(promql_result_detach(r, 0)); /* what is kept is all that is needed */
        print_result(&out, r, p);
        t->stats = r->stats;
        t->stats.per_step = t->stats.read_per_step = NULL;
    } else {
        buf_printf(&out, "error: %s", why.text);
    }
    promql_result_free(r);
    promql_query_free(q);
    const char *text = arena_strdup(&t->texts, buf_view(&out));
    buf_deinit(&out);
    return text;
}

const char *engine_test_ask(struct engine_test *t, const char *expression, int64_t t_ms)
{
    struct exec_params p = {.start_ms = t_ms, .end_ms = t_ms};
    return engine_test_exec(t, expression, &p, NULL);
}

const char *engine_test_range(struct engine_test *t, const char *expression, int64_t start_ms, int64_t end_ms,
                              int64_t step_ms)
{
    struct exec_params p = {.start_ms = start_ms, .end_ms = end_ms, .step_ms = step_ms};
    return engine_test_exec(t, expression, &p, NULL);
}
