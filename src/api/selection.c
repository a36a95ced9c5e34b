/* selection.c - see selection.h. */
#include "api/selection.h"

#include <stdlib.h>

#include "base/mem.h"

static int by_labels(const void *a, const void *b)
{
    const struct labels *x = ((const struct selected *)a)->labels, *y = ((const struct selected *)b)->labels;
    int c = slice_cmp(labels_name(x), labels_name(y));
    return c ? c : labels_cmp(x, y);
}

#define NONE ((struct slice){0})

enum err selection_open(struct selection *s, struct api *api, struct http_request *r, const struct match_list *match,
                        int64_t mint_ms, int64_t maxt_ms, struct errmsg *why)
{
    struct storage *storage = api->o.storage;
    *s = (struct selection){.readers = ARENA_ARRAY(r->arena, struct series_reader *, match->count ? match->count : 1),
                            .warnings = ARENA_NEW(r->arena, struct warnings)};
    s->warnings->arena = r->arena;
    if (mint_ms > maxt_ms)
        return ERR_OK;
    TRY(storage->ops->querier(storage, mint_ms, maxt_ms, &s->querier, why));
    for (uint32_t m = 0; m < match->count; m++) {
        struct selector sel = {.matchers = match->sets[m].list,
                               .matcher_count = match->sets[m].count,
                               .mint_ms = mint_ms,
                               .maxt_ms = maxt_ms,
                               .warnings = s->warnings};
        struct series_set *set;
        if (!sel.matcher_count)
            continue;
        TRY(s->querier->ops->select(s->querier, &sel, r->arena, &r->cancel, &set, why));
        struct series_reader *reader = set->ops->reader(set);
        s->readers[s->reader_count++] = reader;
        s->list = mem_grow(s->list, &s->capacity, s->count + set->count, sizeof *s->list);
        for (uint32_t i = 0; i < set->count; i++)
            if (match->count == 1 || counts_add(&s->seen, set->labels[i].hash, NONE, NONE, 1))
                s->list[s->count++] = (struct selected){&set->labels[i], reader, i};
    }
    if (s->count)
        qsort(s->list, s->count, sizeof *s->list, by_labels);
    return ERR_OK;
}

void selection_close(struct selection *s)
{
    for (uint32_t i = 0; i < s->reader_count; i++)
        s->readers[i]->ops->close(s->readers[i]);
    mem_free(s->list);
    counts_deinit(&s->seen);
    if (s->querier)
        s->querier->ops->close(s->querier);
    *s = (struct selection){0};
}
