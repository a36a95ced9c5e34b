/*
 * params.c - time, duration, limit and match[] as Prometheus reads them, with its texts.
 *
 * One difference on purpose: NaN, infinities and times outside of int64 milliseconds are no timestamps
 * here; Go turns them into arbitrary dates.
 */
#include <math.h>

#include "api/api_internal.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"
#include "numeric/timetext.h"

static enum err set_quoted(struct errmsg *why, const char *before, struct slice text, const char *after)
{
    struct buf quoted = {0};
    goformat_quote(&quoted, text);
    err_set(why, ERR_INVALID, "%s%s%s", before, buf_cstr(&quoted), after);
    buf_deinit(&quoted);
    return ERR_INVALID;
}

int64_t instant_ms(struct instant t)
{
    return t.seconds * 1000 + t.ns / 1000000;
}

/* Seconds as Go splits them: whole part, and the fraction rounded to milliseconds. */
static bool instant_from_float(double v, struct instant *out)
{
    double whole, fraction = modf(v, &whole);
    if (!isfinite(v) || fabs(whole) > 9.2e15)
        return false;
    fraction = round(fraction * 1000) / 1000;
    out->seconds = (int64_t)whole;
    out->ns = (int64_t)(fraction * 1e9);
    if (out->ns < 0) {
        out->ns += 1000000000;
        out->seconds--;
    } else if (out->ns >= 1000000000) {
        out->ns -= 1000000000;
        out->seconds++;
    }
    return true;
}

enum err instant_parse(struct slice text, struct instant *out, struct errmsg *why)
{
    static const struct slice min_text = SLICE_LIT("-292273086-05-16T16:47:06Z");
    static const struct slice max_text = SLICE_LIT("292277025-08-18T07:12:54.999999999Z");
    double v;
    struct timetext_time t;
    if (goparse_float(text, &v, NULL) == ERR_OK && instant_from_float(v, out))
        return ERR_OK;
    if (timetext_rfc3339_parse(text, &t, NULL) == ERR_OK) {
        *out = (struct instant){t.seconds, t.ns};
        return ERR_OK;
    }
    bool is_min = slice_eq(text, min_text);
    if (is_min || slice_eq(text, max_text)) {
        *out = is_min ? (struct instant){TIME_MIN_MS / 1000, 0} : (struct instant){TIME_MAX_MS / 1000, 999999999};
        return ERR_OK;
    }
    return set_quoted(why, "cannot parse ", text, " to a valid timestamp");
}

enum err duration_ns_parse(struct slice text, int64_t *ns, struct errmsg *why)
{
    double v;
    int64_t ms;
    if (goparse_float(text, &v, NULL) == ERR_OK) {
        v = isnan(v) ? -9223372036854775808.0 : v * 1e9; /* what Go's conversion makes of it on amd64 */
        if (!(v <= 9223372036854775807.0 && v >= -9223372036854775808.0))
            return set_quoted(why, "cannot parse ", text, " to a valid duration. It overflows int64");
        *ns = v >= 9223372036854775807.0 ? INT64_MAX : (int64_t)v;
        return ERR_OK;
    }
    if (timetext_duration_parse(text, &ms, NULL) == ERR_OK && ms <= INT64_MAX / 1000000) {
        *ns = ms * 1000000;
        return ERR_OK;
    }
    return set_quoted(why, "cannot parse ", text, " to a valid duration");
}

struct slice param(struct http_request *r, const char *name)
{
    return http_param_get(r, name, NULL);
}

enum err invalid_param(struct errmsg *why, const char *name)
{
    return err_wrap(why, ERR_INVALID, "invalid parameter \"%s\"", name);
}

enum err param_time(struct http_request *r, const char *name, int64_t def_ms, int64_t *ms, struct errmsg *why)
{
    struct slice text = param(r, name);
    struct instant t;
    *ms = def_ms;
    if (!text.len)
        return ERR_OK;
    if (instant_parse(text, &t, why) != ERR_OK) {
        err_wrap(why, ERR_INVALID, "invalid time value for '%s'", name);
        return invalid_param(why, name);
    }
    *ms = instant_ms(t);
    return ERR_OK;
}

enum err param_limit(struct http_request *r, uint64_t *limit, struct errmsg *why)
{
    struct slice text = param(r, "limit");
    int64_t v = 0;
    *limit = 0;
    if (!text.len)
        return ERR_OK;
    enum err err = goparse_int(text, 10, &v, NULL);
    if (err != ERR_OK)
        set_quoted(why, "strconv.Atoi: parsing ", text, err == ERR_LIMIT ? ": value out of range" : ": invalid syntax");
    else if (v < 0)
        err = err_set(why, ERR_INVALID, "limit must be non-negative");
    if (err != ERR_OK)
        return invalid_param(why, "limit");
    *limit = (uint64_t)v;
    return ERR_OK;
}

bool bool_parse(struct slice text, bool *out)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_eq_str(text, words[i])) {
            *out = i < sizeof words / sizeof *words / 2;
            return true;
        }
    return false;
}

enum err form_parse(struct http_request *r, struct errmsg *why)
{
    if (http_params_parse(r, why))
        return ERR_OK;
    return err_wrap(why, ERR_INVALID, "error parsing form values");
}

/* Whether the series without labels would be taken: then the selector says nothing. */
static bool matches_nothing_in_particular(const struct matcher_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (!matcher_matches(&set->list[i], (struct slice){0}))
            return false;
    return true;
}

static bool is_among(struct slice text, const struct slice *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (slice_eq(texts[i], text))
            return true;
    return false;
}

/* What is there twice is asked for once. */
enum err param_selectors(struct http_request *r, struct match_list *out, struct errmsg *why)
{
    struct slice *texts;
    uint32_t count = http_param_all(r, "match[]", &texts);
    out->sets = ARENA_ARRAY(r->arena, struct matcher_set, count ? count : 1);
    out->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_among(texts[i], texts, out->count))
            continue;
        TRY(promql_parse_selector(texts[i], r->arena, &out->sets[out->count], why));
        texts[out->count++] = texts[i];
    }
    return ERR_OK;
}

enum err param_match(struct http_request *r, struct match_list *out, struct errmsg *why)
{
    TRY(param_selectors(r, out, why));
    for (uint32_t i = 0; i < out->count; i++)
        if (matches_nothing_in_particular(&out->sets[i]))
            return err_set(why, ERR_INVALID, "match[] must contain at least one non-empty matcher");
    return ERR_OK;
}
