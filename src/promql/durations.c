/* durations.c - lengths of time; the contract is in durations.h. */
#include "promql/durations.h"

#include <math.h>

#include "base/assert.h"
#include "numeric/goformat.h"
#include "numeric/gomath.h"
#include "numeric/goparse.h"

struct duration_unit {
    const char *name;
    uint64_t ms;
    bool exact; /* printed only when nothing remains */
};

static const struct duration_unit units[] = {
    /* biggest first */
    {"y", UINT64_C(365) * 24 * 3600 * 1000, true},
    {"w", UINT64_C(7) * 24 * 3600 * 1000, true},
    {"d", UINT64_C(24) * 3600 * 1000, false},
    {"h", 3600 * 1000, false},
    {"m", 60 * 1000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static enum err refuse(struct slice text, struct errmsg *why)
{
    struct buf b = {0};
    goformat_quote(&b, text);
    enum err err = err_set(why, ERR_INVALID, "not a valid duration string: %s", buf_cstr(&b));
    buf_deinit(&b);
    return err;
}

static enum err refuse_unit(struct slice unit, struct slice text, struct errmsg *why)
{
    struct buf b = {0};
    buf_str(&b, "unknown unit ");
    goformat_quote(&b, unit);
    buf_str(&b, " in duration ");
    goformat_quote(&b, text);
    enum err err = err_set(why, ERR_INVALID, "%s", buf_cstr(&b));
    buf_deinit(&b);
    return err;
}

static struct slice take_while(struct slice *s, bool digits)
{
    size_t i = 0;
    while (i < s->len && is_digit(s->data[i]) == digits)
        i++;
    struct slice head = slice_of(s->data, i);
    *s = slice_from(*s, i);
    return head;
}

static size_t unit_find(struct slice name)
{
    size_t i = 0;
    while (i < UNIT_COUNT && !slice_eq_str(name, units[i].name))
        i++;
    return i;
}

enum err promql_duration_parse(struct slice text, int64_t *ns, struct errmsg *why)
{
    if (slice_eq_str(text, "0")) {
        *ns = 0;
        return ERR_OK;
    }
    if (text.len == 0)
        return err_set(why, ERR_INVALID, "empty duration string");
    uint64_t total = 0;
    size_t unit_min = 0; /* units go from biggest to smallest, each once */
    for (struct slice s = text; s.len > 0;) {
        struct slice digits = take_while(&s, true), name = take_while(&s, false);
        uint64_t count;
        if (digits.len == 0 || name.len == 0 || goparse_uint(digits, 10, &count, NULL) != ERR_OK)
            return refuse(text, why);
        size_t unit = unit_find(name);
        if (unit == UNIT_COUNT)
            return refuse_unit(name, text, why);
        if (unit < unit_min)
            return refuse(text, why);
        unit_min = unit + 1;
        uint64_t unit_ns = units[unit].ms * (uint64_t)NS_PER_MS;
        if (count > (UINT64_C(1) << 63) / unit_ns)
            return err_set(why, ERR_INVALID, "duration out of range");
        total += count * unit_ns;
        if (total > INT64_MAX)
            return err_set(why, ERR_INVALID, "duration out of range");
    }
    *ns = (int64_t)total;
    return ERR_OK;
}

void promql_duration_print(int64_t ns, struct buf *out)
{
    int64_t whole_ms = ns / NS_PER_MS;
    if (whole_ms == 0)
        return buf_str(out, "0s");
    if (whole_ms < 0)
        buf_str(out, "-");
    uint64_t ms = (uint64_t)(whole_ms < 0 ? -whole_ms : whole_ms);
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        uint64_t count = ms / units[i].ms;
        if (count == 0 || (units[i].exact && ms % units[i].ms != 0))
            continue;
        buf_printf(out, "%llu%s", (unsigned long long)count, units[i].name);
        ms -= count * units[i].ms;
    }
}

double promql_duration_seconds(int64_t ns)
{
    return (double)(ns / NS_PER_SECOND) + (double)(ns % NS_PER_SECOND) / 1e9;
}

#define SECONDS_MAX (9223372036854775808.0 / 1e9)

bool promql_duration_in_range(double seconds)
{
    return !(seconds > SECONDS_MAX) && !(seconds < -SECONDS_MAX);
}

int64_t promql_duration_from_seconds(double seconds)
{
    return gomath_int64(round(seconds * 1e9));
}

/* ---- Duration expressions ---- */

static enum err fail_at(const struct node *n, const char *text, struct errmsg *why)
{
    return err_set(why, ERR_INVALID, "%u:%u: %s", n->start, n->end, text);
}

static enum err evaluate(const struct node *n, const struct duration_grid *grid, double *out, struct errmsg *why);

/* l stays 0 for the unary operators, as the grammar allows only + and - there. */
static enum err evaluate_operator(const struct node *n, double l, double r, double *out, struct errmsg *why)
{
    switch (n->duration.op) {
    case OP_ADD:
        *out = n->duration.lhs ? l + r : r;
        return ERR_OK;
    case OP_SUB:
        *out = n->duration.lhs ? l - r : -r;
        return ERR_OK;
    case OP_MUL:
        *out = l * r;
        return ERR_OK;
    case OP_DIV:
        if (r == 0)
            return fail_at(n, "division by zero", why);
        *out = l / r;
        return ERR_OK;
    case OP_MOD:
        if (r == 0)
            return fail_at(n, "modulo by zero", why);
        *out = gomath_mod(l, r);
        return ERR_OK;
    case OP_POW:
        *out = gomath_pow(l, r);
        return ERR_OK;
    case OP_MIN_OF:
        *out = gomath_min(l, r);
        return ERR_OK;
    default:
        assert(n->duration.op == OP_MAX_OF);
        *out = gomath_max(l, r);
        return ERR_OK;
    }
}

static enum err evaluate(const struct node *n, const struct duration_grid *grid, double *out, struct errmsg *why)
{
    if (n->kind == NODE_NUMBER) {
        *out = n->number.value;
        return ERR_OK;
    }
    assert(n->kind == NODE_DURATION);
    if (n->duration.op == OP_STEP || n->duration.op == OP_RANGE) {
        *out = promql_duration_seconds(n->duration.op == OP_STEP ? grid->step_ns : grid->range_ns);
        return ERR_OK;
    }
    double l = 0, r = 0;
    if (n->duration.lhs)
        TRY(evaluate(n->duration.lhs, grid, &l, why));
    TRY(evaluate(n->duration.rhs, grid, &r, why));
    return evaluate_operator(n, l, r, out, why);
}

enum err promql_duration_evaluate(const struct node *n, const struct duration_grid *grid, bool may_be_negative,
                                  int64_t *ns, struct errmsg *why)
{
    double seconds;
    TRY(evaluate(n, grid, &seconds, why));
    if (isnan(seconds) || isinf(seconds))
        return fail_at(n, "duration is NaN or infinite", why);
    if (seconds <= 0 && !may_be_negative)
        return fail_at(n, "duration must be greater than 0", why);
    if (!promql_duration_in_range(seconds))
        return fail_at(n, "duration is out of range", why);
    int64_t ms = gomath_int64(seconds * 1000);
    if (__builtin_mul_overflow(ms, NS_PER_MS, ns))
        *ns = INT64_MIN;
    return ERR_OK;
}
