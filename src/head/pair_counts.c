/* pair_counts.c - what the index knows about its pairs, for pages that tell where the series come from. */
#include "head/head_internal.h"

void head_pairs(struct head *h, head_pair_visit visit, void *ctx)
{
    uint32_t names, count;
    struct label_name *const *list = vec_read(&h->names, &names);
    for (uint32_t i = 0; i < names; i++) {
        const uint32_t *ids = vec_read(&list[i]->pairs, &count);
        for (uint32_t k = 0; k < count; k++) {
            const struct pair *p = pair_of(h, ids[k]);
            uint32_t series = get_relaxed(&p->series);
            if (series && !visit(ctx, &p->label, series))
                return;
        }
    }
}
