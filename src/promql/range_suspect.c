/*
 * range_suspect.c - rate and increase of what is no counter, judged by its name or by its type label.
 *
 * Once for each series that got at least one float; a histogram carries its own mark (range_hist.c).
 */
#include "promql/range.h"

static bool name_says_counter(struct slice name)
{
    static const char *const suffixes[] = {"_total", "_sum", "_count", "_bucket"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t len = strlen(suffixes[i]);
        if (name.len >= len && memcmp(name.data + name.len - len, suffixes[i], len) == 0)
            return true;
    }
    return false;
}

static bool any_float(const struct range_call *c)
{
    const struct histogram **h = batch_h(c->b, c->row);
    if (!h)
        return bits_any(c->present, c->steps);
    for (uint32_t s = 0; s < c->steps; s++)
        if (bits_get(c->present, s) && !h[s])
            return true;
    return false;
}

/* Series of one metric follow each other: told once, not formatted again for each to find that it is there. */
static void tell_name(struct notes *n, struct note_place at, struct slice metric)
{
    if (n->suspect_at.rank == at.rank && n->suspect_at.position == at.position && slice_eq(n->suspect, metric))
        return;
    n->suspect = slice_of(arena_strdup(n->arena, metric), metric.len);
    n->suspect_at = at;
    notes_info(n, at, "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: %s",
               notes_quote(n, metric));
}

void range_suspect(struct range_call *c, const struct labels *labels)
{
    enum function_id id = c->op->function->id;
    struct notes *n = &c->w->notes;
    if ((id != FUNCTION_RATE && id != FUNCTION_INCREASE) || c->metric.len == 0 || !any_float(c))
        return;
    if (exec_has(c->w->x, PROMQL_TYPE_AND_UNIT_LABELS)) {
        struct slice type = labels_get(labels, SLICE_LIT("__type__"));
        if (!slice_eq_str(type, "counter") && !slice_eq_str(type, "histogram"))
            notes_info(n, range_place(c),
                       "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", "
                       "got %s: %s",
                       notes_quote(n, type), notes_quote(n, c->metric));
    } else if (!name_says_counter(c->metric)) {
        tell_name(n, range_place(c), c->metric);
    }
}
