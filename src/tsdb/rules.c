/* rules.c - the contract is in rules.h. */
#include "tsdb/rules.h"

#include "base/assert.h"
#include "storage/querier.h"
#include "tsdb/matchers.h"

static int64_t order_of(int64_t keep_ms)
{
    return keep_ms > 0 ? keep_ms : INT64_MAX;
}

/* Into its place: longest first, of equal ones in the order given. */
static void insert(struct rules *r, const struct rule *rule, uint32_t given)
{
    uint32_t at = r->count++;
    for (; at > 0 && order_of(r->list[at - 1].keep_ms) < order_of(rule->keep_ms); at--) {
        r->list[at] = r->list[at - 1];
        r->given[at] = r->given[at - 1];
    }
    r->list[at] = *rule;
    r->given[at] = given;
}

enum err rules_new(const struct tsdb_rule *given, uint32_t count, uint64_t version, struct rules **out,
                   struct errmsg *why)
{
    if (count > TSDB_RULES_MAX)
        return err_set(why, ERR_LIMIT, "at most %d retention rules are possible", TSDB_RULES_MAX);
    struct rules *r = MEM_NEW(struct rules);
    enum err err = ERR_OK;
    r->references = 1;
    r->version = version;
    arena_init(&r->arena, NULL);
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        struct matcher *matchers;
        err = matchers_copy(given[i].selector.matchers, given[i].selector.count, &r->arena, &matchers, why);
        if (err == ERR_OK)
            insert(r, &(struct rule){{matchers, given[i].selector.count}, given[i].keep_ms}, i);
    }
    if (err != ERR_OK) {
        rules_release(r);
        return err;
    }
    *out = r;
    return ERR_OK;
}

struct rules *rules_acquire(struct rules *r)
{
    atomic_fetch_add(&r->references, 1);
    return r;
}

void rules_release(struct rules *r)
{
    if (!r || atomic_fetch_sub(&r->references, 1) > 1)
        return;
    arena_deinit(&r->arena);
    mem_free(r);
}

static int64_t floor_of(int64_t now_ms, int64_t keep_ms)
{
    return keep_ms > 0 ? now_ms - keep_ms : INT64_MIN;
}

void rules_floors(const struct rules *r, int64_t now_ms, int64_t retention_ms, struct floors *out)
{
    for (uint32_t i = 0; i < BLOCK_CLASSES_MAX; i++)
        out->of[i] = INT64_MIN;
    out->of[0] = out->min_ms = out->max_ms = floor_of(now_ms, retention_ms);
    for (uint32_t i = 0; i < r->count; i++) {
        int64_t floor = floor_of(now_ms, r->list[i].keep_ms);
        out->of[i + 1] = floor;
        out->min_ms = floor < out->min_ms ? floor : out->min_ms;
        out->max_ms = floor > out->max_ms ? floor : out->max_ms;
    }
}

uint32_t rules_class(const struct rules *r, const struct labels *labels)
{
    for (uint32_t i = r->count; i > 0; i--)
        if (matchers_match(r->list[i - 1].selector.matchers, r->list[i - 1].selector.matcher_count, labels))
            return i;
    return 0;
}
