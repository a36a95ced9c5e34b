/*
 * masks.c - the contract is in masks.h.
 *
 * A mask grows by the tombstones that came since it was made.  It is made outside the lock; when two make one
 * at the same time, the one that knows more tombstones stays.
 */
#include "tsdb/masks.h"

#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

void masks_init(struct masks *m)
{
    mutex_init(&m->lock);
}

static void slot_deinit(struct mask_slot *slot)
{
    block_mask_release(slot->mask);
    block_classes_release(slot->classes);
}

void masks_deinit(struct masks *m)
{
    for (size_t i = 0; i < m->count; i++)
        slot_deinit(&m->list[i]);
    mem_free(m->list);
    mutex_deinit(&m->lock);
}

/* The block's slot, made when missing. */
static struct mask_slot *slot_of(struct masks *m, const struct block_id *id) REQUIRES(m->lock)
{
    for (size_t i = 0; i < m->count; i++)
        if (block_id_eq(&m->list[i].id, id))
            return &m->list[i];
    m->list = mem_grow(m->list, &m->capacity, m->count + 1, sizeof *m->list);
    m->list[m->count] = (struct mask_slot){.id = *id};
    return &m->list[m->count++];
}

/* ---- deletions ---- */

struct block_cut *masks_cuts(const struct tombstones *stones, const struct block_meta *meta, uint64_t through,
                             uint32_t *count)
{
    struct block_cut *cuts = NULL;
    size_t capacity = 0;
    *count = 0;
    for (size_t i = stones->count; i > 0 && stones->list[i - 1]->number > through; i--) {
        const struct tombstone *s = stones->list[i - 1];
        if (meta->seq_max > s->sequence || s->mint_ms > meta->maxt_ms || s->maxt_ms < meta->mint_ms)
            continue;
        cuts = mem_grow(cuts, &capacity, (size_t)*count + 1, sizeof *cuts);
        cuts[(*count)++] = (struct block_cut){s->matchers, s->matcher_count, s->mint_ms, s->maxt_ms};
    }
    return cuts;
}

static enum err mask_extend(struct tsdb *db, struct block *block, const struct tombstones *stones, uint64_t through,
                            struct block_mask **mask, struct errmsg *why)
{
    uint32_t count;
    struct block_cut *cuts = masks_cuts(stones, block_meta(block), through, &count);
    struct block_mask *next = NULL;
    enum err err = count ? block_mask_extend(block, *mask, cuts, count, &db->stop, &next, why) : ERR_OK;
    mem_free(cuts);
    if (err != ERR_OK || count == 0)
        return err;
    block_mask_release(*mask);
    *mask = next;
    return ERR_OK;
}

static enum err mask_find(struct tsdb *db, struct block *block, struct block_mask **out, struct errmsg *why)
{
    struct tombstones *stones = stones_acquire(db);
    struct masks *m = &db->masks;
    uint64_t last = stones->next_number - 1;
    *out = NULL;
    if (stones->count == 0) {
        tombstones_release(stones);
        return ERR_OK;
    }
    mutex_lock(&m->lock);
    struct mask_slot *slot = slot_of(m, &block_meta(block)->id);
    uint64_t through = slot->through;
    struct block_mask *mask = block_mask_acquire(slot->mask);
    mutex_unlock(&m->lock);
    enum err err = through < last ? mask_extend(db, block, stones, through, &mask, why) : ERR_OK;
    tombstones_release(stones);
    if (err != ERR_OK) {
        block_mask_release(mask);
        return err;
    }
    mutex_lock(&m->lock);
    slot = slot_of(m, &block_meta(block)->id);
    if (slot->through < last) {
        block_mask_release(slot->mask);
        slot->mask = block_mask_acquire(mask);
        slot->through = last;
    }
    mutex_unlock(&m->lock);
    *out = mask;
    return ERR_OK;
}

/* ---- rules ---- */

static enum err classes_find(struct tsdb *db, struct block *block, const struct rules *rules,
                             struct block_classes **out, struct errmsg *why)
{
    struct masks *m = &db->masks;
    struct block_selector selectors[TSDB_RULES_MAX];
    mutex_lock(&m->lock);
    struct mask_slot *slot = slot_of(m, &block_meta(block)->id);
    bool known = slot->rules_version == rules->version;
    *out = known ? block_classes_acquire(slot->classes) : NULL;
    mutex_unlock(&m->lock);
    if (known)
        return ERR_OK;
    for (uint32_t i = 0; i < rules->count; i++)
        selectors[i] = rules->list[i].selector;
    TRY(block_classes_find(block, selectors, rules->count, &db->stop, out, why));
    mutex_lock(&m->lock);
    slot = slot_of(m, &block_meta(block)->id);
    if (slot->rules_version < rules->version) {
        block_classes_release(slot->classes);
        slot->classes = block_classes_acquire(*out);
        slot->rules_version = rules->version;
    }
    mutex_unlock(&m->lock);
    return ERR_OK;
}

enum err masks_view(struct tsdb *db, struct block *block, const struct rules *rules, const struct floors *floors,
                    int64_t from_ms, struct block_view *out, struct errmsg *why)
{
    int64_t first = block_meta(block)->mint_ms > from_ms ? block_meta(block)->mint_ms : from_ms;
    block_view_init(out);
    TRY(mask_find(db, block, &out->mask, why));
    out->floors[0] = floors->of[0];
    if (rules->count == 0 || floors->max_ms <= first)
        return ERR_OK;
    enum err err = classes_find(db, block, rules, &out->classes, why);
    if (err != ERR_OK) {
        view_release(out);
        return err;
    }
    for (uint32_t i = 0; i < BLOCK_CLASSES_MAX; i++)
        out->floors[i] = floors->of[i];
    return ERR_OK;
}

void view_release(struct block_view *view)
{
    block_mask_release(view->mask);
    block_classes_release(view->classes);
    block_view_init(view);
}

/* ---- looking ---- */

uint64_t masks_gone(struct tsdb *db, const struct block_id *id)
{
    struct block_set *set = block_set_acquire(db);
    uint64_t gone = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct block_mask *mask = NULL;
        if (!block_id_eq(&block_meta(set->list[i])->id, id) || mask_find(db, set->list[i], &mask, NULL) != ERR_OK)
            continue;
        gone = block_mask_gone(mask);
        block_mask_release(mask);
    }
    block_set_release(set);
    return gone;
}

bool masks_look_due(struct masks *m, const struct block *block, uint64_t stones, uint64_t rules, int64_t now_ns,
                    int64_t age_ns)
{
    mutex_lock(&m->lock);
    struct mask_slot *s = slot_of(m, &block_meta(block)->id);
    bool due = !s->looked || s->looked_stones != stones || s->looked_rules != rules || now_ns - s->looked_ns > age_ns;
    if (due) {
        s->looked = true;
        s->looked_stones = stones;
        s->looked_rules = rules;
        s->looked_ns = now_ns;
    }
    mutex_unlock(&m->lock);
    return due;
}

/* ---- blocks that went ---- */

static bool in_use(const struct block_set *set, const struct block_id *id)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (block_id_eq(&block_meta(set->list[i])->id, id))
            return true;
    return false;
}

void masks_prune(struct tsdb *db)
{
    struct masks *m = &db->masks;
    struct block_set *set = block_set_acquire(db);
    size_t kept = 0;
    mutex_lock(&m->lock);
    for (size_t i = 0; m->count > set->count && i < m->count; i++) {
        if (in_use(set, &m->list[i].id))
            m->list[kept++] = m->list[i];
        else
            slot_deinit(&m->list[i]);
    }
    m->count = m->count > set->count ? kept : m->count;
    mutex_unlock(&m->lock);
    block_set_release(set);
}
