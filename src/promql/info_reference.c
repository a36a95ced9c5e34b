/* info_reference.c - see info_reference.h. */
#include "promql/info_reference.h"

#include "promql/durations.h"

struct search {
    struct info_reference first;
    bool found, differ;
    bool free; /* some vector comes from no selector, so it has no time but that of evaluation */
};

/* The reference of what stands inside `mod`, when what stands around has `outer`. */
static struct info_reference combine(const struct modifiers *mod, const struct info_reference *outer)
{
    if (mod->at == AT_TIME)
        return (struct info_reference){.fixed = true, .at_ms = mod->at_ms, .offset_ns = mod->offset_ns};
    struct info_reference r = *outer;
    r.offset_ns += mod->offset_ns;
    return r;
}

static bool same(const struct info_reference *a, const struct info_reference *b)
{
    int64_t a_ms = a->offset_ns / NS_PER_MS, b_ms = b->offset_ns / NS_PER_MS;
    return a->fixed == b->fixed && a->at_ms - a_ms == b->at_ms - b_ms;
}

static bool note(struct search *s, const struct info_reference *r)
{
    if (s->found)
        s->differ = s->differ || !same(&s->first, r);
    else
        s->first = *r;
    return s->found = true;
}

/* Whether a selector is below. */
static bool inspect(struct search *s, const struct node *n, const struct info_reference *outer)
{
    if (n->type != VALUE_VECTOR && n->type != VALUE_MATRIX)
        return false;
    struct info_reference own = *outer;
    if (n->kind == NODE_VECTOR_SELECTOR) {
        own = combine(&n->vector.mod, outer);
        return note(s, &own);
    }
    if (n->kind == NODE_SUBQUERY)
        own = combine(&n->subquery.mod, outer);
    bool info = n->kind == NODE_CALL && n->call.function->id == FUNCTION_INFO;
    bool below = false;
    for (uint32_t i = 0; i < node_child_count(n) && !(info && i > 0); i++)
        below = inspect(s, node_child(n, i), &own) || below;
    if (!below && !info)
        s->free = true;
    return below;
}

struct info_reference info_reference_of(const struct node *n)
{
    struct search s = {0};
    struct info_reference none = {0};
    inspect(&s, n, &none);
    if (!s.found || s.differ || s.free)
        return none;
    s.first.uniform = true;
    return s.first;
}
