/*
 * fuzz_eval.c - any expression over small, nasty data: no crash, bounded memory, the same answer twice.
 *
 * The input is either a query's text (first byte even) or a list of choices from which an expression is
 * built (odd), because random text seldom gets past the parser.  Each expression is evaluated at one time
 * and over a range, with and without names removed late, and a second time with kernels' twin: one that
 * shares nothing with the first run.  What the two answer must be the same, bit by bit.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "lib/memory_storage.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES = 40, STEP_MS = 15000, QUERY_BYTES_MAX = 32 << 20, SAMPLES_MAX = 200000 };

/* ---- Data ---- */

static double nasty(uint32_t i, uint32_t k)
{
    static const double v[] = {0, -0.0, 1, -1, 0.1, INFINITY, -INFINITY, NAN, 1e308, -1e308, 5e-324, 9007199254740994};
    return (i + k) % 5 ? (double)(k * (i % 4)) : v[(i * 7 + k) % (sizeof v / sizeof v[0])];
}

static void append(struct memory_storage *m, struct arena *arena, const char *name, uint32_t i)
{
    static const double counts[] = {1, 0, 2, 3};
    static const char *const bounds[] = {"0.1", "1", "5", "+Inf"};
    static const double custom[] = {1, 5, 10};
    static const struct histogram_span span = {-1, 4};
    struct labels_builder b;
    char text[8] = {(char)('a' + i % 3)};
    labels_builder_init(&b, arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), slice_str(name));
    labels_builder_set(&b, SLICE_LIT("i"), slice_str(text));
    text[0] = (char)('0' + i / 3);
    labels_builder_set(&b, SLICE_LIT("j"), slice_str(text));
    if (name[0] == 'b')
        labels_builder_set(&b, SLICE_LIT("le"), slice_str(bounds[i % 4]));
    struct labels labels = labels_builder_finish(&b);
    for (uint32_t k = 0; k < SAMPLES; k++) {
        struct histogram h = {.count = 6.0 + k,
                              .sum = k,
                              .zero_threshold = 0.001,
                              .positive_span_count = 1,
                              .positive_count = 4,
                              .positive_spans = &span,
                              .positive = counts,
                              .reset_hint = k % 11 == 0 ? RESET_YES : i % 4};
        if (i % 3 == 1) {
            h.schema = HISTOGRAM_SCHEMA_CUSTOM;
            h.zero_threshold = 0;
            h.bounds = custom;
            h.bound_count = 3 - k % 2;
            h.positive_count = 3;
        }
        static const struct histogram_span custom_span = {0, 3};
        if (i % 3 == 1)
            h.positive_spans = &custom_span;
        bool hist = name[0] == 'h' && (i + k) % 9 != 0;
        if ((i * 5 + k) % 13 != 0)
            memory_storage_append(m, &labels, (int64_t)k * STEP_MS, nasty(i, k), hist ? &h : NULL, 0);
    }
}

static struct memory_storage *storage_get(void)
{
    static struct memory_storage *m;
    struct arena arena;
    if (m)
        return m;
    m = memory_storage_new();
    arena_init(&arena, NULL);
    for (uint32_t i = 0; i < 7; i++) {
        append(m, &arena, "m", i);
        append(m, &arena, "n_total", i);
        append(m, &arena, "b_bucket", i);
        append(m, &arena, "h", i);
    }
    arena_deinit(&arena);
    return m;
}

/* ---- Expressions from choices ---- */

struct choices {
    const uint8_t *at, *end;
    struct buf text;
};

static uint32_t choose(struct choices *c, uint32_t count)
{
    return c->at < c->end ? *c->at++ % count : 0;
}

#define PICK(c, ...)                                                                                                   \
    ((const char *const[]){__VA_ARGS__})[choose(c, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))]

static void vector(struct choices *c, int depth);

static void put(struct choices *c, const char *text)
{
    if (c->text.len < 4000)
        buf_str(&c->text, text);
}

static void scalar(struct choices *c)
{
    put(c, PICK(c, "1", "0", "-1", "0.5", "NaN", "Inf", "2", "time()", "scalar(m)", "1e300", "(2 ^ 3)", "-Inf", "step()",
                "range()", "start()", "end() - 60", "max_of(1, time())", "min_of(NaN, 2)", "pi()", "5m", "0x1F",
                "(1 > bool 2)", "scalar(sum(m))"));
}

static void grouping(struct choices *c)
{
    put(c, PICK(c, "", "", " by (i)", " by (i, j)", " without (i)", " by (le)", " without ()", " by (__name__)",
                " by (k)", " without (le, j)"));
}

static void selector(struct choices *c)
{
    put(c, PICK(c, "m", "n_total", "b_bucket", "h", "m{i=\"a\"}", "{__name__=~\"m|h\"}", "h{j!=\"0\"}", "nope",
                "{__name__=~\".+\",i=~\"a|b\"}", "m{j!~\"0|1\"}", "n_total{i=~\".*a.*\"}", "{\"h\", i=\"b\"}"));
}

static void modifiers(struct choices *c)
{
    put(c, PICK(c, "", "", "", " offset 30s", " @ 300", " @ end()", " offset -1m", " @ start() offset 15s",
                " offset (step() - 1m)", " @ 1e9", " offset -(range())"));
}

static void range_vector(struct choices *c, int depth)
{
    if (depth > 0 && choose(c, 4) == 0) {
        put(c, "(");
        vector(c, depth - 1);
        put(c, PICK(c, ")[2m:30s]", ")[1m:7s]", ")[5m:]", ")[10s:1m]", ")[4m:15s] offset 20s", ")[2m:1m] @ 200",
                    ")[max_of(step(), 1m):step() + 5]", ")[range() + 1:30s] offset -1m"));
        return;
    }
    selector(c);
    put(c, PICK(c, "[1m]", "[15s]", "[5m]", "[2m]", "[1s]", "[3m] anchored", "[1m] smoothed",
                "[2 * step() + 1]", "[min_of(5m, range() + 15s)]", "[37s] smoothed", "[45s] anchored"));
    modifiers(c);
}

static void range_call(struct choices *c, int depth)
{
    switch (choose(c, 7)) {
    case 0:
        put(c, "quantile_over_time(");
        scalar(c);
        put(c, ", ");
        range_vector(c, depth);
        break;
    case 1:
        put(c, "predict_linear(");
        range_vector(c, depth);
        put(c, ", ");
        scalar(c);
        break;
    case 2:
        put(c, "double_exponential_smoothing(");
        range_vector(c, depth);
        put(c, PICK(c, ", 0.5, 0.1", ", 0.9, 0.9", ", 1, 0.5", ", NaN, 0.5"));
        break;
    default:
        put(c, PICK(c, "rate", "increase", "delta", "irate", "idelta", "changes", "resets", "sum_over_time",
                    "avg_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
                    "first_over_time", "present_over_time", "absent_over_time", "stddev_over_time", "deriv",
                    "mad_over_time", "ts_of_max_over_time", "ts_of_last_over_time", "stdvar_over_time",
                    "ts_of_min_over_time", "ts_of_first_over_time"));
        put(c, "(");
        range_vector(c, depth);
    }
    put(c, ")");
}

static void aggregation(struct choices *c, int depth)
{
    const char *op = PICK(c, "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk",
                          "quantile", "limitk", "limit_ratio", "count_values");
    put(c, op);
    grouping(c);
    put(c, " (");
    if (op[0] == 't' || op[0] == 'b' || op[0] == 'q' || op[0] == 'l') {
        scalar(c);
        put(c, ", ");
    } else if (op[0] == 'c' && op[5]) {
        put(c, "\"v\", ");
    }
    vector(c, depth - 1);
    put(c, ")");
}

static void function(struct choices *c, int depth)
{
    switch (choose(c, 13)) {
    case 0:
        put(c, PICK(c, "histogram_quantile(0.9, ", "histogram_fraction(0, 1, ", "histogram_quantile(2, "));
        vector(c, depth - 1);
        break;
    case 1:
        put(c, "label_replace(");
        vector(c, depth - 1);
        put(c, PICK(c, ", \"i\", \"$1\", \"j\", \"(.*)\"", ", \"__name__\", \"x\", \"i\", \"a\"",
                    ", \"k\", \"\", \"\", \"\""));
        break;
    case 2:
        put(c, "clamp(");
        vector(c, depth - 1);
        put(c, ", ");
        scalar(c);
        put(c, ", ");
        scalar(c);
        break;
    case 3:
        put(c, "info(");
        vector(c, depth - 1);
        put(c, PICK(c, "", ", {__name__=\"m\"}", ", {i=~\".+\"}"));
        break;
    case 4:
        put(c, "histogram_quantiles(");
        vector(c, depth - 1);
        put(c, ", \"q\", 0.1, 0.9");
        break;
    case 5:
        put(c, "sort_by_label(");
        vector(c, depth - 1);
        put(c, ", \"j\"");
        break;
    case 6:
        put(c, "label_join(");
        vector(c, depth - 1);
        put(c, PICK(c, ", \"i\", \"-\", \"i\", \"j\"", ", \"k\", \"\"", ", \"__name__\", \"\", \"j\""));
        break;
    case 7:
        put(c, "sort_by_label_desc(");
        vector(c, depth - 1);
        put(c, PICK(c, "", ", \"i\", \"j\"", ", \"nope\""));
        break;
    case 8:
        put(c, PICK(c, "clamp_min(", "clamp_max(", "round("));
        vector(c, depth - 1);
        put(c, ", ");
        scalar(c);
        break;
    case 9:
        put(c, "vector(");
        scalar(c);
        break;
    default:
        put(c, PICK(c, "abs(", "exp(", "round(", "sgn(", "timestamp(", "year(", "absent(", "sort(", "sort_desc(",
                    "histogram_count(", "histogram_avg(", "histogram_stddev(", "-(", "log2(", "histogram_stdvar(",
                    "histogram_sum(", "ceil(", "floor(", "sqrt(", "ln(", "log10(", "sin(", "tan(", "acosh(", "atanh(",
                    "tanh(", "deg(", "rad(", "hour(", "day_of_week(", "days_in_month(", "month(", "start_timestamp(",
                    "+("));
        vector(c, depth - 1);
    }
    put(c, ")");
}

static void binary(struct choices *c, int depth)
{
    uint32_t kind = choose(c, 4);
    if (kind == 0)
        scalar(c);
    else
        vector(c, depth - 1);
    put(c, PICK(c, " + ", " - ", " * ", " / ", " % ", " ^ ", " == ", " != ", " > bool ", " < ", " and ", " or ",
                " unless ", " </ ", " >/ ", " + on (i) ", " * ignoring (le) ", " - on (i) group_left () ",
                " + on (i, j) group_right (le) ", " + fill(1) ", " and on (i) ", " / on () ",
                " >= ", " <= bool ", " atan2 ", " + on (i) fill_left(0) ", " - fill_right(NaN) ", " or on () ",
                " unless ignoring (j) ", " == on (i, j) ", " * on (i, j, __name__) group_left (k) ", " > on (j) "));
    if (kind == 1)
        scalar(c);
    else
        vector(c, depth - 1);
}

static void vector(struct choices *c, int depth)
{
    switch (depth > 0 ? choose(c, 6) : 0) {
    case 0:
        selector(c);
        put(c, PICK(c, "", "", "", " smoothed"));
        modifiers(c);
        break;
    case 1:
        aggregation(c, depth);
        break;
    case 2:
        function(c, depth);
        break;
    case 3:
        put(c, "(");
        binary(c, depth);
        put(c, ")");
        break;
    default:
        range_call(c, depth);
    }
}

/* ---- Evaluation ---- */

static void print_result(struct buf *out, const struct result *r)
{
    for (uint64_t i = 0; i < r->series_count; i++) {
        labels_print(&r->series[i].labels, out);
        for (uint32_t k = 0; k < r->series[i].point_count; k++) {
            const struct point *p = &r->series[i].points[k];
            buf_printf(out, " %lld:%a", (long long)p->t_ms, p->h ? p->h->count : p->v);
        }
    }
    for (uint32_t i = 0; i < r->warning_count; i++)
        buf_str(out, r->warnings[i]);
    for (uint32_t i = 0; i < r->info_count; i++)
        buf_str(out, r->infos[i]);
}

static void ask(struct engine *e, struct slice text, const struct exec_params *p, struct buf *out)
{
    struct errmsg why = {{0}};
    struct query *q = NULL;
    struct result *r = NULL;
    if (promql_parse(e, text, &q, &why) == ERR_OK && promql_exec(e, q, p, NULL, &r, &why) == ERR_OK)
        print_result(out, r);
    else
        buf_str(out, why.text);
    promql_result_free(r);
    promql_query_free(q);
}

static void evaluate(struct slice text, unsigned features)
{
    static const struct exec_params params[] = {{.start_ms = 300000, .end_ms = 300000},
                                                {.start_ms = 0, .end_ms = 600000, .step_ms = 37000}};
    struct mem_budget budget = {.name = "fuzz"};
    struct engine_options o;
    engine_options_default(&o);
    o.storage = memory_storage_storage(storage_get());
    o.features = features;
    o.budget = &budget;
    o.query_bytes_max = QUERY_BYTES_MAX;
    o.samples_max = SAMPLES_MAX;
    struct engine *e = engine_new(&o);
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        struct buf once = {0}, again = {0};
        ask(e, text, &params[i], &once);
        ask(e, text, &params[i], &again);
        assert(slice_eq(buf_view(&once), buf_view(&again)));
        buf_deinit(&once);
        buf_deinit(&again);
    }
    engine_free(e);
    assert(atomic_load(&budget.used) == 0);
    assert(atomic_load(&budget.peak) < (int64_t)QUERY_BYTES_MAX * 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 2048)
        return 0;
    unsigned features = PROMQL_ALL_FEATURES & ~(unsigned)PROMQL_TYPE_AND_UNIT_LABELS;
    if (data[0] & 2)
        features &= ~(unsigned)PROMQL_DELAYED_NAME_REMOVAL;
    if (data[0] & 1) {
        struct choices c = {data + 1, data + size, {0}};
        vector(&c, 4);
        if (getenv("FUZZ_EVAL_PRINT"))
            fprintf(stderr, "%s\n", buf_cstr(&c.text));
        evaluate(buf_view(&c.text), features);
        buf_deinit(&c.text);
    } else {
        evaluate(slice_of(data + 1, size - 1), features);
    }
    return 0;
}
