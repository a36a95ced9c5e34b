/* selectors.c - the selectors of a query, for those who look for what is stored beside samples: exemplars. */
#include "promql/query_internal.h"

struct gathered {
    struct matcher_set *list; /* NULL: only counted */
    uint32_t count;
};

static bool gather(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    struct gathered *g = ctx;
    (void)path, (void)depth;
    if (n->kind != NODE_VECTOR_SELECTOR)
        return true;
    if (g->list)
        g->list[g->count] = (struct matcher_set){n->vector.matchers, n->vector.matcher_count};
    g->count++;
    return true;
}

uint32_t promql_selectors(const struct query *q, struct arena *arena, struct matcher_set **out)
{
    struct gathered g = {0};
    node_walk(q->root, gather, &g);
    g.list = ARENA_ARRAY(arena, struct matcher_set, (size_t)g.count + 1);
    g.count = 0;
    node_walk(q->root, gather, &g);
    *out = g.list;
    return g.count;
}
