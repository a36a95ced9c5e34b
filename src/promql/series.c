/* series.c - label sets of operators; the contract is in series.h. */
#include "promql/series.h"

#include "base/assert.h"
#include "numeric/goformat.h"

bool label_is_metadata(struct slice name)
{
    return name.len >= 8 && name.data[0] == '_' && name.data[1] == '_' &&
           (slice_eq(name, SLICE_LIT("__name__")) || slice_eq(name, SLICE_LIT("__type__")) ||
            slice_eq(name, SLICE_LIT("__unit__")));
}

static bool drop_metadata(const struct label *pair, void *ctx)
{
    (void)ctx;
    return label_is_metadata(pair->name);
}

struct labels labels_drop_metadata(const struct labels *l, struct arena *arena)
{
    struct labels out = *l;
    while (out.count && label_is_metadata(out.list[0]->name)) {
        out.hash = hash128_sub(out.hash, out.list[0]->hash);
        out.list++;
        out.count--;
    }
    if (!labels_have_metadata(&out, false))
        return out;
    return labels_filter(&out, arena, drop_metadata, NULL);
}

bool labels_have_metadata(const struct labels *l, bool besides_name)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct slice name = l->list[i]->name;
        if (name.len && name.data[0] > '_') /* names are sorted: the rest need not be looked at */
            return false;
        if (label_is_metadata(name) && !(besides_name && slice_eq(name, SLICE_LIT(METRIC_NAME))))
            return true;
    }
    return false;
}

enum err series_classes(struct exec *x, const struct labels *labels, uint32_t count, uint32_t **out,
                        uint32_t *class_count)
{
    *out = NULL;
    *class_count = count;
    if (count < 2)
        return ERR_OK;
    struct hash_map map;
    TRY(hash_map_init(&map, x, count));
    uint32_t *class = exec_alloc(x, count, sizeof *class);
    if (!class)
        return exec_no_memory(x, x->why);
    uint32_t classes = 0;
    for (uint32_t i = 0; i < count; i++) {
        TRY(hash_map_put(&map, labels[i].hash, classes, &class[i]));
        classes += class[i] == classes;
        TRY(exec_go_on(x, 150));
    }
    *class_count = classes;
    if (classes != count)
        *out = class;
    return ERR_OK;
}

struct sorting {
    struct exec *x;
    row_compare compare;
    const void *ctx;
    uint32_t *spare; /* [half of the rows] */
};

static enum err merge_sort(const struct sorting *s, uint32_t *rows, uint32_t count)
{
    uint32_t half = count / 2, a = 0, b = half, n = 0;
    if (count < 2)
        return ERR_OK;
    TRY(merge_sort(s, rows, half));
    TRY(merge_sort(s, rows + half, count - half));
    TRY(exec_go_on(s->x, 100));
    if (s->compare(s->ctx, rows[half - 1], rows[half]) <= 0)
        return ERR_OK;
    memcpy(s->spare, rows, half * sizeof *rows);
    while (a < half && b < count) {
        TRY(exec_go_on(s->x, 300));
        rows[n++] = s->compare(s->ctx, s->spare[a], rows[b]) <= 0 ? s->spare[a++] : rows[b++];
    }
    memcpy(rows + n, s->spare + a, (half - a) * sizeof *rows);
    return ERR_OK;
}

enum err rows_sort(struct exec *x, uint32_t *rows, uint32_t count, row_compare compare, const void *ctx)
{
    struct sorting s = {x, compare, ctx, exec_alloc(x, count / 2, sizeof *rows)};
    return s.spare ? merge_sort(&s, rows, count) : exec_no_memory(x, x->why);
}

void op_series_same(struct oper *op, const struct oper *from)
{
    op->count = from->count;
    op->labels = from->labels;
    op->drop_name = from->drop_name;
    op->drop_all = from->drop_all;
    op->one_name = from->one_name;
}

enum err op_series_renamed(struct oper *op, const struct oper *from)
{
    struct exec *x = op->x;
    op_series_same(op, from);
    op->drop_name = NULL;
    op->drop_all = true;
    if (exec_delays_names(x))
        return ERR_OK;
    struct labels *labels = exec_alloc(x, from->count, sizeof *labels);
    if (!labels)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < from->count; i++) {
        TRY(exec_go_on(x, 200));
        if (op->one_name && labels_have_metadata(&from->labels[i], true))
            op->one_name = false;
        labels[i] = labels_drop_metadata(&from->labels[i], &x->arena);
    }
    op->labels = labels;
    return ERR_OK;
}

enum err op_same_labelset(struct errmsg *why)
{
    return err_set(why, ERR_INVALID, "vector cannot contain metrics with the same labelset");
}

void labels_text(const struct labels *l, struct buf *out)
{
    buf_u8(out, '{');
    for (uint32_t i = 0; i < l->count; i++) {
        const struct label *pair = l->list[i];
        if (i)
            buf_str(out, ", ");
        if (label_name_valid_legacy(pair->name))
            buf_slice(out, pair->name);
        else
            goformat_quote(out, pair->name);
        buf_u8(out, '=');
        goformat_quote(out, pair->value);
    }
    buf_u8(out, '}');
}
