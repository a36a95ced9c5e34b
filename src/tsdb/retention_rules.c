/* retention_rules.c - rules put in force, and what they would free. */
#include "base/assert.h"
#include "base/mem.h"
#include "tsdb/matchers.h"
#include "tsdb/tsdb_internal.h"

int64_t tsdb_horizon_ms(struct tsdb *db)
{
    struct floors floors;
    mutex_lock(&db->set_lock);
    struct rules *rules = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    rules_floors(rules, clock_now_ms(db->o.clock), db->o.retention_ms, &floors);
    rules_release(rules);
    return floors.min_ms;
}

enum err tsdb_set_rules(struct tsdb *db, const struct tsdb_rule *given, uint32_t count, struct errmsg *why)
{
    struct rules *next;
    TRY(rules_new(given, count, 0, &next, why));
    mutex_lock(&db->set_lock);
    struct rules *old = db->rules;
    next->version = old->version + 1;
    db->rules = next;
    mutex_unlock(&db->set_lock);
    rules_release(old);
    TSDB_SET(db, retention_rules, count);
    return ERR_OK;
}

struct tsdb_rule *tsdb_rules(struct tsdb *db, struct arena *arena, uint32_t *count)
{
    mutex_lock(&db->set_lock);
    struct rules *r = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    struct tsdb_rule *out = ARENA_ARRAY(arena, struct tsdb_rule, (size_t)r->count + 1);
    *count = r->count;
    for (uint32_t i = 0; i < r->count; i++) {
        struct matcher *copy;
        enum err err =
            matchers_copy(r->list[i].selector.matchers, r->list[i].selector.matcher_count, arena, &copy, NULL);
        assert(err == ERR_OK); /* it was copied before */
        out[r->given[i]] = (struct tsdb_rule){{copy, r->list[i].selector.matcher_count}, r->list[i].keep_ms};
    }
    rules_release(r);
    return out;
}

void tsdb_selector_print(const struct tsdb_selector *selector, struct buf *out)
{
    matchers_print(selector->matchers, selector->count, out);
}

/* ---- dry run ---- */

struct dry {
    struct tsdb *db;
    struct rules *rules; /* that are tried */
    struct floors floors;
    struct cancel *cancel;
    struct tsdb_affected by_class[BLOCK_CLASSES_MAX];
};

/* Only the floor of one class, so that what it hides can be told apart. */
static enum err dry_class(struct dry *d, struct block *block, struct block_view *view, uint32_t class,
                          struct errmsg *why)
{
    struct block_tally before = {0}, after = {0};
    TRY(block_view_tally(block, view, d->cancel, &before, why));
    view->floors[class] = d->floors.of[class];
    TRY(block_view_tally(block, view, d->cancel, &after, why));
    view->floors[class] = INT64_MIN;
    struct tsdb_affected *a = &d->by_class[class];
    if (after.samples > before.samples) {
        a->series += after.series - before.series;
        a->samples += after.samples - before.samples;
        a->bytes += after.bytes - before.bytes;
        a->blocks++;
    }
    return ERR_OK;
}

static enum err dry_block(struct dry *d, struct block *block, struct errmsg *why)
{
    struct block_selector selectors[TSDB_RULES_MAX];
    struct floors open = {.min_ms = INT64_MIN, .max_ms = INT64_MIN};
    struct block_view view;
    for (uint32_t i = 0; i < d->rules->count; i++)
        selectors[i] = d->rules->list[i].selector;
    open.of[0] = INT64_MIN;
    TRY(masks_view(d->db, block, d->rules, &open, INT64_MIN, &view, why)); /* with what is deleted already */
    enum err err = block_classes_find(block, selectors, d->rules->count, d->cancel, &view.classes, why);
    for (uint32_t class = 0; class <= d->rules->count && err == ERR_OK; class ++)
        if (d->floors.of[class] > block_meta(block)->mint_ms && (class == 0 || view.classes))
            err = dry_class(d, block, &view, class, why);
    view_release(&view);
    return err;
}

enum err tsdb_rules_dry_run(struct tsdb *db, const struct tsdb_rule *given, uint32_t count, struct cancel *cancel,
                            struct tsdb_affected *out, struct errmsg *why)
{
    struct dry *d = MEM_NEW(struct dry);
    d->db = db;
    d->cancel = cancel;
    enum err err = rules_new(given, count, UINT64_MAX, &d->rules, why);
    if (err != ERR_OK) {
        mem_free(d);
        return err;
    }
    rules_floors(d->rules, clock_now_ms(db->o.clock), db->o.retention_ms, &d->floors);
    struct block_set *set = block_set_acquire(db);
    for (uint32_t i = 0; i < set->count && err == ERR_OK; i++)
        err = dry_block(d, set->list[i], why);
    block_set_release(set);
    for (uint32_t i = 0; i < count; i++)
        out[d->rules->given[i]] = d->by_class[i + 1];
    out[count] = d->by_class[0];
    rules_release(d->rules);
    mem_free(d);
    return err;
}
