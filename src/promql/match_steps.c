/*
 * match_steps.c - vector matching step by step, in the order of the reference.
 *
 * At each step: the one side is entered by signature (a second sample of one is an error), then every
 * sample of the many side looks for its partner, a fill value, or nothing.  Types that do not go
 * together leave no trace but a note; of several notes of one step only the last is told.
 */
#include "promql/binop.h"
#include "promql/match.h"
#include "promql/series.h"

enum { FILLED_IN = 1 };

/* A row's last partner and where the result went. */
struct paired {
    uint32_t one; /* row + 2, FILLED_IN, or 0: never paired yet */
    uint32_t out; /* row of the result */
};

struct stepping {
    struct match *m;
    struct exec *x;
    const struct matching *matching;
    uint32_t step;
    uint32_t *one_at;                                  /* [signatures]: row of the one side at this step, + 1 */
    uint32_t *one_stamp;                               /* [signatures]: step + 1 for which one_at holds */
    uint32_t *used_stamp;                              /* [signatures]: step + 1 at which a result was entered */
    uint32_t *out_stamp, *out_signature, out_capacity; /* [result rows]: likewise, and for which signature */
    struct paired *paired;                             /* [many rows] */
    struct paired *paired_filled;                      /* [one rows], whose partner was filled in */
    bool same_labelset;
    bool warning;
    const char *note; /* the last one of this step */
};

static struct cell matrix_cell(const struct matrix *m, uint32_t row, uint32_t step)
{
    return (struct cell){matrix_v(m, row)[step], m->h[row] ? m->h[row][step] : NULL};
}

static enum err stepping_init(struct stepping *s, struct match *m)
{
    struct exec *x = m->base.x;
    uint32_t signatures = m->signatures.count;
    *s = (struct stepping){.m = m, .x = x, .matching = m->node->matching};
    s->one_at = exec_alloc(x, signatures, sizeof *s->one_at);
    s->one_stamp = exec_alloc(x, signatures, sizeof *s->one_stamp);
    s->used_stamp = exec_alloc(x, signatures, sizeof *s->used_stamp);
    s->paired = exec_alloc(x, m->many.op->count, sizeof *s->paired);
    s->paired_filled = exec_alloc(x, m->one.op->count, sizeof *s->paired_filled);
    if (!s->one_at || !s->one_stamp || !s->used_stamp || !s->paired || !s->paired_filled)
        return exec_no_memory(x, x->why);
    return rowset_init(&m->rows, x, m->base.grid.count);
}

static enum err duplicate(struct stepping *s, uint32_t row, uint32_t other)
{
    const struct labels *labels = s->m->one.op->labels;
    struct labels group = signature_labels(s->matching, &labels[row], &s->x->arena);
    struct buf text = {0}, a = {0}, b = {0};
    labels_text(&group, &text);
    labels_text(&labels[row], &a);
    labels_text(&labels[other], &b);
    if (slice_cmp(buf_view(&a), buf_view(&b)) > 0) {
        struct buf t = a;
        a = b;
        b = t;
    }
    enum err err = err_set(s->x->why, ERR_INVALID,
                           "found duplicate series for the match group %s on the %s hand-side of the operation: "
                           "[%s, %s];many-to-many matching not allowed: matching labels must be unique on one side",
                           buf_cstr(&text), s->m->swapped ? "left" : "right", buf_cstr(&a), buf_cstr(&b));
    buf_deinit(&text);
    buf_deinit(&a);
    buf_deinit(&b);
    return err;
}

static enum err enter_one_side(struct stepping *s)
{
    const struct match_side *one = &s->m->one;
    for (uint32_t row = 0; row < one->rows.rows; row++) {
        TRY(exec_go_on(s->x, 20));
        if (!bits_get(matrix_present(&one->rows, row), s->step))
            continue;
        uint32_t signature = one->signature[row];
        if (s->one_stamp[signature] == s->step + 1)
            return duplicate(s, row, s->one_at[signature] - 1);
        s->one_stamp[signature] = s->step + 1;
        s->one_at[signature] = row + 1;
    }
    return ERR_OK;
}

static bool side_has_samples(const struct match_side *side, uint32_t step)
{
    for (uint32_t row = 0; row < side->rows.rows; row++)
        if (bits_get(matrix_present(&side->rows, row), step))
            return true;
    return false;
}

/* The result row of a pair; labels are made when its partner is not the one of the step before. */
static enum err result_row(struct stepping *s, struct paired *p, uint32_t partner, const struct labels *labels,
                           const struct labels *one, uint32_t *out)
{
    if (p->one != partner) {
        struct labels l = match_labels(s->m, labels, one);
        TRY(rowset_row(&s->m->rows, &l, s->m->node->return_bool, &p->out));
        p->one = partner;
    }
    *out = p->out;
    if (*out < s->out_capacity)
        return ERR_OK;
    uint32_t capacity = (*out + 8) * 2;
    uint32_t *stamp = exec_alloc(s->x, capacity, sizeof *stamp), *sig = exec_alloc(s->x, capacity, sizeof *sig);
    if (!stamp || !sig)
        return exec_no_memory(s->x, s->x->why);
    if (s->out_capacity) {
        memcpy(stamp, s->out_stamp, s->out_capacity * sizeof *stamp);
        memcpy(sig, s->out_signature, s->out_capacity * sizeof *sig);
    }
    s->out_stamp = stamp;
    s->out_signature = sig;
    s->out_capacity = capacity;
    return ERR_OK;
}

/* A signature may have one result, or results with different labels when grouping. */
static enum err claim(struct stepping *s, uint32_t signature, uint32_t out)
{
    if (s->matching->card == CARD_ONE_TO_ONE) {
        if (s->used_stamp[signature] == s->step + 1)
            return err_set(s->x->why, ERR_INVALID,
                           "multiple matches for labels: many-to-one matching must be explicit "
                           "(group_left/group_right)");
    } else if (s->out_stamp[out] == s->step + 1 && s->out_signature[out] == signature) {
        return err_set(s->x->why, ERR_INVALID,
                       "multiple matches for labels: grouping labels must ensure unique matches");
    }
    s->used_stamp[signature] = s->step + 1;
    s->out_stamp[out] = s->step + 1;
    s->out_signature[out] = signature;
    return ERR_OK;
}

static enum err put_result(struct stepping *s, uint32_t out, struct cell_result r)
{
    const struct binary_node *n = s->m->node;
    if (!r.keep && !n->return_bool)
        return ERR_OK;
    if (n->return_bool)
        r.cell = (struct cell){.v = r.keep ? 1 : 0};
    if (rowset_has(&s->m->rows, out, s->step)) {
        if (!exec_delays_names(s->x) || !grid_is_instant(&s->m->base.grid)) {
            s->same_labelset = true;
            return ERR_OK;
        }
        struct labels same = s->m->rows.labels[out]; /* equal labels are not looked for before the end */
        TRY(rowset_append(&s->m->rows, &same, s->m->rows.drop_name[out], &out));
    }
    if (r.cell.h)
        return rowset_put_hist(&s->m->rows, out, s->step, r.cell.h);
    rowset_put(&s->m->rows, out, s->step, r.cell.v);
    return ERR_OK;
}

/* A side that was filled in has the labels of the signature. */
static enum err combine(struct stepping *s, uint32_t signature, struct paired *p, struct cell many_cell,
                        const struct labels *labels, uint32_t partner, struct cell one_cell,
                        const struct labels *one_labels)
{
    struct match *m = s->m;
    struct cell left = m->swapped ? one_cell : many_cell, right = m->swapped ? many_cell : one_cell;
    struct cell_result r = binop_cells(&s->x->arena, m->node->op, left, right);
    if (r.note) {
        s->note = r.note;
        s->warning = r.warning;
    }
    if (r.none)
        return ERR_OK;
    uint32_t out;
    TRY(result_row(s, p, partner, labels, one_labels, &out));
    TRY(claim(s, signature, out));
    return put_result(s, out, r);
}

static enum err many_side(struct stepping *s)
{
    const struct match_side *many = &s->m->many, *one = &s->m->one;
    for (uint32_t row = 0; row < many->rows.rows; row++) {
        TRY(exec_go_on(s->x, s->paired[row].one ? 50 : 500)); /* labels are made for new pairs */
        if (!bits_get(matrix_present(&many->rows, row), s->step))
            continue;
        uint32_t signature = many->signature[row];
        struct cell cell = matrix_cell(&many->rows, row, s->step);
        if (s->one_stamp[signature] == s->step + 1) {
            uint32_t partner = s->one_at[signature] - 1;
            TRY(combine(s, signature, &s->paired[row], cell, &many->op->labels[row], partner + 2,
                        matrix_cell(&one->rows, partner, s->step), &one->op->labels[partner]));
        } else if (s->matching->fill_right) {
            struct cell fill = {.v = s->matching->fill_right_value};
            struct paired *p = &s->paired[row];
            struct labels labels = {0};
            if (p->one != FILLED_IN)
                labels = signature_labels(s->matching, &many->op->labels[row], &s->x->arena);
            TRY(combine(s, signature, p, cell, &many->op->labels[row], FILLED_IN, fill, &labels));
        }
    }
    return ERR_OK;
}

/* Samples of the one side that nobody asked for get a partner with the fill value. */
static enum err fill_many_side(struct stepping *s)
{
    const struct match_side *one = &s->m->one;
    for (uint32_t row = 0; row < one->rows.rows; row++) {
        uint32_t signature = one->signature[row];
        TRY(exec_go_on(s->x, s->paired_filled[row].one ? 50 : 500));
        if (!bits_get(matrix_present(&one->rows, row), s->step) || s->used_stamp[signature] == s->step + 1)
            continue;
        struct paired *p = &s->paired_filled[row];
        struct labels labels = {0};
        if (!p->one)
            labels = signature_labels(s->matching, &one->op->labels[row], &s->x->arena);
        struct cell fill = {.v = s->matching->fill_left_value};
        TRY(combine(s, signature, p, fill, &labels, row + 2, matrix_cell(&one->rows, row, s->step),
                    &one->op->labels[row]));
    }
    return ERR_OK;
}

static enum err match_step(struct stepping *s)
{
    bool any_one = side_has_samples(&s->m->one, s->step), any_many = side_has_samples(&s->m->many, s->step);
    bool fills = s->matching->fill_left || s->matching->fill_right;
    if (!any_one && !any_many)
        return ERR_OK;
    if ((!any_one || !any_many) && !fills)
        return ERR_OK;
    s->note = NULL;
    TRY(enter_one_side(s));
    TRY(many_side(s));
    if (s->matching->fill_left)
        TRY(fill_many_side(s));
    if (s->note && s->warning)
        notes_warn(&s->x->notes, op_place(&s->m->base), "%s", s->note);
    else if (s->note)
        notes_info(&s->x->notes, op_place(&s->m->base), "%s", s->note);
    return s->same_labelset ? op_same_labelset(s->x->why) : ERR_OK;
}

enum err match_by_steps(struct match *m)
{
    struct stepping s;
    TRY(stepping_init(&s, m));
    for (s.step = 0; s.step < m->base.grid.count; s.step++) {
        TRY(exec_check(s.x, s.x->why));
        TRY(match_step(&s));
    }
    return ERR_OK;
}
