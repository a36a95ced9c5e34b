/* script_check.c - is an answer what a script expects?  The tolerances are the reference's. */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "compat/script_run.h"
#include "histogram/histogram.h"
#include "model/value.h"
#include "numeric/goformat.h"

static const double EPSILON = 1e-6;

static bool almost_equal(double a, double b)
{
    if (value_is_stale(a) || value_is_stale(b))
        return value_is_stale(a) && value_is_stale(b);
    if (isnan(a) && isnan(b))
        return true;
    if (a == b)
        return true;
    double sum = fabs(a) + fabs(b), difference = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return difference < EPSILON * DBL_MIN;
    return difference / fmin(sum, DBL_MAX) < EPSILON;
}

/* ---- Histograms ---- */

static bool counts_equal(const double *a, uint32_t a_count, const double *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (!almost_equal(a[i], b[i]))
            return false;
    return true;
}

/* Both are compact, so equal layouts have equal spans. */
static bool spans_equal(const struct histogram_span *a, uint32_t a_count, const struct histogram_span *b,
                        uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i].offset != b[i].offset || a[i].length != b[i].length)
            return false;
    return true;
}

static bool histograms_equal(const struct script_value *want, const struct histogram *got)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const struct histogram *a = histogram_compact(&arena, want->h), *b = histogram_compact(&arena, got);
    bool equal = a->schema == b->schema && almost_equal(a->count, b->count) && almost_equal(a->sum, b->sum) &&
                 (!histogram_is_custom(a) || histogram_bounds_equal(a, b)) && a->zero_threshold == b->zero_threshold &&
                 almost_equal(a->zero_count, b->zero_count) &&
                 spans_equal(a->positive_spans, a->positive_span_count, b->positive_spans, b->positive_span_count) &&
                 spans_equal(a->negative_spans, a->negative_span_count, b->negative_spans, b->negative_span_count) &&
                 counts_equal(a->positive, a->positive_count, b->positive, b->positive_count) &&
                 counts_equal(a->negative, a->negative_count, b->negative, b->negative_count) &&
                 (!want->hint_given || a->reset_hint == b->reset_hint);
    arena_deinit(&arena);
    return equal;
}

static bool values_equal(const struct script_value *want, const struct point *got)
{
    if (want->h || got->h)
        return want->h && got->h && histograms_equal(want, got->h);
    return almost_equal(want->value, got->v);
}

/* ---- Texts ---- */

static const char *hint_name(uint32_t hint)
{
    static const char *const names[] = {"unknown", "reset", "not_reset", "gauge"};
    return hint < 4 ? names[hint] : "?";
}

static void print_value(double v, const struct histogram *h, bool hint, struct buf *out)
{
    if (!h)
        return goformat_append(out, v, 'g', -1);
    histogram_print_expression(h, out);
    if (hint)
        buf_printf(out, "(hint %s)", hint_name(h->reset_hint));
}

static void print_point(const struct point *p, bool hint, struct buf *out)
{
    print_value(p->v, p->h, hint, out);
    buf_printf(out, "@%lld", (long long)p->t_ms);
}

static enum err differ(const struct labels *labels, int64_t t_ms, const struct script_value *want,
                       const struct point *got, struct errmsg *why)
{
    struct buf b = {0};
    labels_print(labels, &b);
    buf_printf(&b, " at %lld: want ", (long long)t_ms);
    if (want)
        print_value(want->value, want->h, want->hint_given, &b);
    else
        buf_str(&b, "nothing");
    buf_str(&b, ", got ");
    if (got)
        print_point(got, want && want->hint_given, &b);
    else
        buf_str(&b, "nothing");
    enum err err = err_set(why, ERR_INVALID, "%s", buf_cstr(&b));
    buf_deinit(&b);
    return err;
}

static enum err about_series(const char *text, const struct labels *labels, struct errmsg *why)
{
    struct buf b = {0};
    labels_print(labels, &b);
    enum err err = err_set(why, ERR_INVALID, "%s %s", text, buf_cstr(&b));
    buf_deinit(&b);
    return err;
}

/* ---- Vectors and matrices ---- */

static const struct script_series *find_expected(const struct script_eval *e, const struct labels *labels,
                                                 uint32_t *position)
{
    const struct script_series *found = NULL;
    for (uint32_t i = 0; i < e->count; i++) /* the last of equal ones counts */
        if (labels_eq(&e->series[i].labels, labels)) {
            found = &e->series[i];
            *position = i;
        }
    return found;
}

static enum err check_vector_series(const struct script_eval *e, const struct result_series *got, uint64_t index,
                                    struct errmsg *why)
{
    uint32_t position = 0;
    const struct script_series *want = find_expected(e, &got->labels, &position);
    if (!want)
        return about_series("unexpected series", &got->labels, why);
    if (want->values.count == 0)
        return about_series("no value is expected for", &got->labels, why);
    if (e->expects[EXPECT_ORDERED].count && position != index)
        return about_series("in another place than expected:", &got->labels, why);
    if (!values_equal(&want->values.list[0], &got->points[0]))
        return differ(&got->labels, got->points[0].t_ms, &want->values.list[0], &got->points[0], why);
    return ERR_OK;
}

static enum err check_points(const struct script_eval *e, const struct script_series *want,
                             const struct result_series *got, struct errmsg *why)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < want->values.count; i++) {
        const struct script_value *v = &want->values.list[i];
        int64_t t_ms = e->start_ms + (int64_t)i * e->step_ms;
        const struct point *p = k < got->point_count ? &got->points[k] : NULL;
        if (v->omitted)
            continue;
        if (!p || p->t_ms != t_ms || !values_equal(v, p))
            return differ(&got->labels, t_ms, v, p, why);
        k++;
    }
    if (k < got->point_count)
        return differ(&got->labels, got->points[k].t_ms, NULL, &got->points[k], why);
    return ERR_OK;
}

static enum err check_matrix_series(const struct script_eval *e, const struct result_series *got, struct errmsg *why)
{
    uint32_t position;
    const struct script_series *want = find_expected(e, &got->labels, &position);
    if (!want)
        return about_series("unexpected series", &got->labels, why);
    return check_points(e, want, got, why);
}

static enum err check_missing(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    for (uint32_t i = 0; i < e->count; i++) {
        bool found = false;
        for (uint64_t k = 0; k < result->series_count && !found; k++)
            found = labels_eq(&e->series[i].labels, &result->series[k].labels);
        if (!found)
            return about_series("missing series", &e->series[i].labels, why);
    }
    return ERR_OK;
}

enum err script_check_order(const struct result *result, struct errmsg *why)
{
    for (uint64_t i = 1; i < result->series_count; i++)
        if (labels_cmp(&result->series[i - 1].labels, &result->series[i].labels) >= 0)
            return about_series("not in label order:", &result->series[i].labels, why);
    return ERR_OK;
}

static enum err check_series(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    if (e->has_scalar)
        return err_set(why, ERR_INVALID, "a scalar is expected, got a %s", value_type_name(result->type));
    if (result->type == VALUE_MATRIX && e->expects[EXPECT_ORDERED].count)
        return err_set(why, ERR_INVALID, "a matrix has no order of its own");
    if (result->type == VALUE_MATRIX)
        TRY(script_check_order(result, why));
    for (uint64_t i = 0; i < result->series_count; i++)
        TRY(result->type == VALUE_MATRIX ? check_matrix_series(e, &result->series[i], why)
                                         : check_vector_series(e, &result->series[i], i, why));
    return check_missing(e, result, why);
}

static enum err check_scalar(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    char want[GOFORMAT_BYTES_MAX], got[GOFORMAT_BYTES_MAX];
    if (!e->has_scalar)
        return err_set(why, ERR_INVALID, "a vector or matrix is expected, got a scalar");
    if (almost_equal(e->scalar, result->scalar))
        return ERR_OK;
    size_t want_len = goformat_float(want, e->scalar, 'g', -1), got_len = goformat_float(got, result->scalar, 'g', -1);
    return err_set(why, ERR_INVALID, "want %.*s, got %.*s", (int)want_len, want, (int)got_len, got);
}

enum err script_check_result(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    switch (result->type) {
    case VALUE_VECTOR:
    case VALUE_MATRIX:
        return check_series(e, result, why);
    case VALUE_SCALAR:
        return check_scalar(e, result, why);
    default:
        if (slice_eq(e->string, result->string))
            return ERR_OK;
        return err_set(why, ERR_INVALID, "want \"%.*s\", got \"%.*s\"", SLICE_ARG(e->string),
                       SLICE_ARG(result->string));
    }
}

/* ---- Errors, warnings and infos ---- */

static bool expect_matches(const struct script_expect *e, const char *text)
{
    if (e->regex)
        return regex_match(e->regex, slice_str(text));
    return slice_eq_str(e->text, text);
}

enum err script_check_error(const struct script_eval *e, const char *error, struct errmsg *why)
{
    const struct script_expects *fail = &e->expects[EXPECT_FAIL];
    if (fail->count == 0)
        return err_set(why, ERR_INVALID, "error: %s", error);
    if (!expect_matches(&fail->list[0], error))
        return err_set(why, ERR_INVALID, "want error: %.*s, got: %s", SLICE_ARG(fail->list[0].text), error);
    return ERR_OK;
}

static bool any_matches(const struct script_expects *expects, const char *text)
{
    for (uint32_t i = 0; i < expects->count; i++)
        if (expect_matches(&expects->list[i], text))
            return true;
    return false;
}

static enum err check_texts(const char *what, const struct script_expects *some, const struct script_expects *none,
                            const char *const *texts, uint32_t count, struct errmsg *why)
{
    if (none->count && count)
        return err_set(why, ERR_INVALID, "no %s is expected, got: %s", what, texts[0]);
    for (uint32_t i = 0; i < some->count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < count && !found; k++)
            found = expect_matches(&some->list[i], texts[k]);
        if (!found)
            return err_set(why, ERR_INVALID, "missing %s: %.*s, got: %s", what, SLICE_ARG(some->list[i].text),
                           count ? texts[0] : "none");
    }
    for (uint32_t k = 0; some->count && k < count; k++)
        if (!any_matches(some, texts[k]))
            return err_set(why, ERR_INVALID, "unexpected %s: %s", what, texts[k]);
    return ERR_OK;
}

enum err script_check_notes(const struct script_eval *e, const struct result *result, struct errmsg *why)
{
    if (e->must_warn && result->warning_count == 0)
        return err_set(why, ERR_INVALID, "a warning is expected");
    if (e->must_info && result->info_count == 0)
        return err_set(why, ERR_INVALID, "an info is expected");
    TRY(check_texts("warning", &e->expects[EXPECT_WARN], &e->expects[EXPECT_NO_WARN], result->warnings,
                    result->warning_count, why));
    return check_texts("info", &e->expects[EXPECT_INFO], &e->expects[EXPECT_NO_INFO], result->infos, result->info_count,
                       why);
}
