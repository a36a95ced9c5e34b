/*
 * script_series.c - one line of a load or of an expected result.
 *
 * Values: _ (none), 1, 1x3 (1 four times), 1+2x3 (1 3 5 7), _x3, stale, and the same with histograms.
 */
#include "base/mem.h"
#include "compat/script.h"
#include "histogram/histogram.h"
#include "model/value.h"
#include "promql/promql.h"

enum { VALUES_MAX = 1000000 };

struct values {
    struct script_value *list;
    size_t count, capacity;
};

static enum err add_value(struct values *v, struct script_value value, struct errmsg *why)
{
    if (v->count == VALUES_MAX)
        return err_set(why, ERR_LIMIT, "more than %d values in one line", VALUES_MAX);
    v->list = mem_grow(v->list, &v->capacity, v->count + 1, sizeof *v->list);
    v->list[v->count++] = value;
    return ERR_OK;
}

static enum err bad_item(struct slice s, struct errmsg *why)
{
    return err_set(why, ERR_INVALID, "bad series value at %.*s", SLICE_ARG(s));
}

/* xN, if it comes next: *count more of the value. */
static bool repetition(struct slice *s, uint64_t *count)
{
    *count = 0;
    return !script_skip(s, "x") || (script_count(s, count) && *count < VALUES_MAX);
}

static enum err parse_omitted(struct slice *s, struct values *v, struct errmsg *why)
{
    uint64_t count;
    bool repeated = s->len && s->data[0] == 'x';
    if (!repetition(s, &count))
        return bad_item(*s, why);
    for (uint64_t i = 0; i < (repeated ? count : 1); i++)
        TRY(add_value(v, (struct script_value){.omitted = true}, why));
    return ERR_OK;
}

static enum err parse_float(struct slice *s, struct values *v, struct errmsg *why)
{
    double value, step = 0;
    uint64_t count;
    if (script_skip(s, "stale"))
        value = f64_from_bits(STALE_NAN_BITS);
    else if (!script_number(s, &value))
        return bad_item(*s, why);
    bool stepped = s->len && (s->data[0] == '+' || s->data[0] == '-');
    if ((stepped && !script_number(s, &step)) || !repetition(s, &count))
        return bad_item(*s, why);
    for (uint64_t i = 0; i <= count; i++) {
        TRY(add_value(v, (struct script_value){.value = value}, why));
        if (stepped)
            value += step;
    }
    return ERR_OK;
}

static enum err step_histogram(struct arena *arena, struct script_value *v, const struct script_value *step, char sign,
                               struct errmsg *why)
{
    unsigned notes = 0;
    if (v->h->schema > step->h->schema)
        return err_set(why, ERR_INVALID, "cannot merge from schema %d to %d", step->h->schema, v->h->schema);
    return sign == '+' ? histogram_add(arena, v->h, step->h, &v->h, &notes)
                       : histogram_sub(arena, v->h, step->h, &v->h, &notes);
}

static enum err parse_histogram(struct slice *s, struct arena *arena, struct values *v, struct errmsg *why)
{
    struct script_value value, step = {0};
    uint64_t count;
    TRY(script_parse_histogram(*s, arena, &value, s, why));
    char sign = s->len && s->data[0] != 'x' ? (char)s->data[0] : 0;
    if (sign == '+' || sign == '-') {
        TRY(script_parse_histogram(slice_from(*s, 1), arena, &step, s, why));
        value.hint_given = step.hint_given; /* as the reference has it */
    }
    if (!repetition(s, &count))
        return bad_item(*s, why);
    for (uint64_t i = 0; i <= count; i++) {
        TRY(add_value(v, value, why));
        if (step.h && i < count)
            TRY(step_histogram(arena, &value, &step, sign, why));
    }
    return ERR_OK;
}

static enum err parse_item(struct slice *s, struct arena *arena, struct values *v, struct errmsg *why)
{
    if (script_skip(s, "_"))
        return parse_omitted(s, v, why);
    if (slice_starts_with(*s, SLICE_LIT("{{")))
        return parse_histogram(s, arena, v, why);
    return parse_float(s, v, why);
}

/* ---- Labels ---- */

/* Bytes up to the end of name{...}; strings inside may hold braces. */
static size_t metric_length(struct slice s)
{
    size_t i = 0;
    while (i < s.len && !strchr(" \t{@", s.data[i]))
        i++;
    if (i == s.len || s.data[i] != '{')
        return i;
    uint8_t quote = 0;
    for (; i < s.len; i++) {
        if (quote && s.data[i] == '\\' && quote != '`')
            i++;
        else if (quote)
            quote = s.data[i] == quote ? 0 : quote;
        else if (strchr("\"'`", s.data[i]))
            quote = s.data[i];
        else if (s.data[i] == '}')
            return i + 1;
    }
    return i;
}

enum err script_parse_metric(struct slice line, struct arena *arena, struct labels *out, struct slice *rest,
                             struct errmsg *why)
{
    struct matcher_set set;
    struct slice metric = slice_of(line.data, metric_length(line));
    TRY(promql_parse_selector(metric, arena, &set, why));
    struct labels_builder b;
    labels_builder_init(&b, arena, NULL);
    for (uint32_t i = 0; i < set.count; i++) {
        if (set.list[i].op != MATCH_EQUAL)
            return err_set(why, ERR_INVALID, "labels are set with =: %.*s", SLICE_ARG(metric));
        labels_builder_set(&b, set.list[i].name, set.list[i].value);
    }
    *out = labels_builder_finish(&b);
    *rest = slice_from(line, metric.len);
    return ERR_OK;
}

enum err script_parse_series(struct slice line, struct arena *arena, struct script_series *out, struct errmsg *why)
{
    struct slice s;
    struct values v = {0};
    TRY(script_parse_metric(line, arena, &out->labels, &s, why));
    enum err err = ERR_OK;
    for (s = script_trim(s); err == ERR_OK && s.len > 0; s = script_trim(s)) {
        err = parse_item(&s, arena, &v, why);
        if (err == ERR_OK && s.len > 0 && s.data[0] != ' ' && s.data[0] != '\t')
            err = bad_item(s, why);
    }
    out->values = (struct script_values){(uint32_t)v.count, ARENA_ARRAY(arena, struct script_value, v.count + 1)};
    if (v.count)
        memcpy(out->values.list, v.list, v.count * sizeof *v.list);
    mem_free(v.list);
    return err;
}
