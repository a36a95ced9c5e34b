/* binop.c - binary operators on floats, cells and rows; the contract is in binop.h. */
#include "promql/binop.h"

#include "base/assert.h"
#include "histogram/histogram.h"
#include "numeric/gomath.h"

bool binop_compare(enum op op, double a, double b)
{
    switch (op) {
    case OP_EQL:
        return a == b;
    case OP_NEQ:
        return a != b;
    case OP_GTR:
        return a > b;
    case OP_GTE:
        return a >= b;
    case OP_LSS:
        return a < b;
    default:
        assert(op == OP_LTE);
        return a <= b;
    }
}

double binop_scalars(enum op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_MOD:
        return gomath_mod(a, b);
    case OP_POW:
        return gomath_pow(a, b);
    case OP_ATAN2:
        return gomath_atan2(a, b);
    case OP_MAX_OF:
        return gomath_max(a, b);
    case OP_MIN_OF:
        return gomath_min(a, b);
    default:
        return binop_compare(op, a, b) ? 1 : 0;
    }
}

/* ---- Rows ---- */

static void row_arithmetic(const struct step_kernels *k, enum op op, double *out, const uint64_t *present,
                           const double *a, const double *b, uint32_t steps)
{
    switch (op) {
    case OP_ADD:
        k->add(out, a, b, steps);
        break;
    case OP_SUB:
        k->sub(out, a, b, steps);
        break;
    case OP_MUL:
        k->mul(out, a, b, steps);
        break;
    case OP_DIV:
        k->div(out, a, b, steps);
        break;
    default: /* costly ones: only where there is a value */
        BITS_EACH(s, present, steps)
        out[s] = binop_scalars(op, a[s], b[s]);
    }
}

#define COMPARE_WORD(relation)                                                                                         \
    for (uint32_t i = 0; i < n; i++)                                                                                   \
    word |= (uint64_t)(a[i] relation b[i]) << i

static uint64_t compare_word(enum op op, const double *a, const double *b, uint32_t n)
{
    uint64_t word = 0;
    switch (op) {
    case OP_EQL:
        COMPARE_WORD(==);
        break;
    case OP_NEQ:
        COMPARE_WORD(!=);
        break;
    case OP_GTR:
        COMPARE_WORD(>);
        break;
    case OP_GTE:
        COMPARE_WORD(>=);
        break;
    case OP_LSS:
        COMPARE_WORD(<);
        break;
    default:
        COMPARE_WORD(<=);
    }
    return word;
}

static void row_comparison(enum op op, bool return_bool, double *out, uint64_t *present, const double *a,
                           const double *b, const double *kept, uint32_t steps)
{
    for (uint32_t w = 0, at = 0; at < steps; w++, at += 64) {
        uint32_t n = steps - at < 64 ? steps - at : 64;
        uint64_t word = compare_word(op, a + at, b + at, n);
        if (return_bool) {
            for (uint32_t i = 0; i < n; i++)
                out[at + i] = word >> i & 1 ? 1 : 0;
        } else {
            present[w] &= word;
            if (out != kept)
                memcpy(out + at, kept + at, n * sizeof *out);
        }
    }
}

enum { PART = 1 << 16 }; /* steps; a row can be millions of them long */

enum err binop_row(struct worker *w, enum op op, bool return_bool, double *out, uint64_t *present, const double *a,
                   const double *b, const double *kept, uint32_t steps)
{
    uint64_t each_ns = op == OP_POW || op == OP_ATAN2 || op == OP_MOD ? 50 : 1;
    for (uint32_t from = 0; from < steps; from += PART) {
        uint32_t n = steps - from < PART ? steps - from : PART;
        TRY(worker_go_on(w, n * each_ns));
        if (op_is_arithmetic(op))
            row_arithmetic(w->x->kernels, op, out + from, present + from / 64, a + from, b + from, n);
        else
            row_comparison(op, return_bool, out + from, present + from / 64, a + from, b + from, kept + from, n);
    }
    return ERR_OK;
}

/* ---- Cells ---- */

static struct cell_result incompatible(struct arena *arena, enum op op, const char *left, const char *right)
{
    return (struct cell_result){
        .none = true,
        .note = arena_printf(arena, "incompatible sample types encountered for binary operator \"%s\": %s %s %s",
                             op_text(op), left, op_text(op), right)};
}

static struct cell_result floats_result(struct arena *arena, enum op op, double a, double b)
{
    if (op_is_arithmetic(op))
        return (struct cell_result){.cell.v = binop_scalars(op, a, b), .keep = true};
    if (op_is_comparison(op))
        return (struct cell_result){.cell.v = a, .keep = binop_compare(op, a, b)};
    return incompatible(arena, op, "float", "float");
}

static struct cell_result hist_result(const struct histogram *h)
{
    return (struct cell_result){.cell.h = h, .keep = true};
}

static struct cell_result hist_float_result(struct arena *arena, enum op op, const struct histogram *h, double v)
{
    switch (op) {
    case OP_MUL:
        return hist_result(histogram_compact(arena, histogram_mul(arena, h, v)));
    case OP_DIV:
        return hist_result(histogram_compact(arena, histogram_div(arena, h, v)));
    case OP_TRIM_UPPER:
        return hist_result(histogram_trim_upper(arena, h, v));
    case OP_TRIM_LOWER:
        return hist_result(histogram_trim_lower(arena, h, v));
    default:
        return incompatible(arena, op, "histogram", "float");
    }
}

/* Sum or difference; conflicting resets leave no result, only the warning. */
static struct cell_result hists_add(struct arena *arena, enum op op, const struct histogram *a,
                                    const struct histogram *b)
{
    const struct histogram *h;
    unsigned notes = 0;
    bool add = op == OP_ADD;
    enum err err = add ? histogram_add(arena, a, b, &h, &notes) : histogram_sub(arena, a, b, &h, &notes);
    const char *what = add ? "addition" : "subtraction";
    if (err != ERR_OK)
        return (struct cell_result){
            .none = true,
            .warning = true,
            .note = arena_printf(arena, "incompatible bucket layout encountered for binary operator %s", op_text(op))};
    if (notes & HISTOGRAM_COLLISION)
        return (struct cell_result){.none = true,
                                    .warning = true,
                                    .note =
                                        arena_printf(arena, "conflicting counter resets during histogram %s", what)};
    if (!add)
        h = histogram_with_hint(arena, h, RESET_GAUGE);
    struct cell_result r = hist_result(histogram_compact(arena, h));
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        r.note = arena_printf(arena, "mismatched custom buckets were reconciled during %s", what);
    return r;
}

static struct cell_result hists_result(struct arena *arena, enum op op, const struct histogram *a,
                                       const struct histogram *b)
{
    switch (op) {
    case OP_ADD:
    case OP_SUB:
        return hists_add(arena, op, a, b);
    case OP_EQL:
        return (struct cell_result){.cell.h = a, .keep = histogram_equal(a, b)};
    case OP_NEQ:
        return (struct cell_result){.cell.h = a, .keep = !histogram_equal(a, b)};
    default:
        return incompatible(arena, op, "histogram", "histogram");
    }
}

struct cell_result binop_cells(struct arena *arena, enum op op, struct cell a, struct cell b)
{
    if (a.h && b.h)
        return hists_result(arena, op, a.h, b.h);
    if (a.h)
        return hist_float_result(arena, op, a.h, b.v);
    if (b.h)
        return op == OP_MUL ? hist_float_result(arena, op, b.h, a.v) : incompatible(arena, op, "float", "histogram");
    return floats_result(arena, op, a.v, b.v);
}
