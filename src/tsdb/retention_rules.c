/* retention_rules.c - rules put in force, and what they would free. */
#include "base/assert.h"
#include "base/mem.h"
#include "tsdb/dir_store.h"
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

/* mask: what is deleted of it already; taken. */
static enum err dry_block(struct dry *d, struct block *block, struct block_mask *mask, struct errmsg *why)
{
    struct block_selector selectors[TSDB_RULES_MAX];
    struct block_view view;
    for (uint32_t i = 0; i < d->rules->count; i++)
        selectors[i] = d->rules->list[i].selector;
    block_view_init(&view);
    view.mask = mask;
    enum err err = block_classes_find(block, selectors, d->rules->count, d->cancel, &view.classes, why);
    for (uint32_t class = 0; class <= d->rules->count && err == ERR_OK; class ++)
        if (d->floors.of[class] > block_meta(block)->mint_ms && (class == 0 || view.classes))
            err = dry_class(d, block, &view, class, why);
    view_release(&view);
    return err;
}

/* What is deleted of a block of the store. */
static enum err store_mask(struct tsdb *db, const struct rules *rules, struct block *block, struct block_mask **out,
                           struct errmsg *why)
{
    struct floors open = {.min_ms = INT64_MIN, .max_ms = INT64_MIN};
    struct block_view view;
    open.of[0] = INT64_MIN;
    TRY(masks_view(db, block, rules, &open, INT64_MIN, &view, why));
    *out = block_mask_acquire(view.mask);
    view_release(&view);
    return ERR_OK;
}

static enum err dry_new(const struct tsdb_rule *given, uint32_t count, int64_t now_ms, int64_t retention_ms,
                        struct dry **out, struct errmsg *why)
{
    struct dry *d = MEM_NEW(struct dry);
    enum err err = rules_new(given, count, UINT64_MAX, &d->rules, why);
    if (err != ERR_OK) {
        mem_free(d);
        return err;
    }
    rules_floors(d->rules, now_ms, retention_ms, &d->floors);
    *out = d;
    return ERR_OK;
}

/* The sums by rule; frees it. */
static void dry_end(struct dry *d, uint32_t count, struct tsdb_affected *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[d->rules->given[i]] = d->by_class[i + 1];
    out[count] = d->by_class[0];
    rules_release(d->rules);
    mem_free(d);
}

enum err tsdb_rules_dry_run(struct tsdb *db, const struct tsdb_rule *given, uint32_t count, struct cancel *cancel,
                            struct tsdb_affected *out, struct errmsg *why)
{
    struct dry *d;
    TRY(dry_new(given, count, clock_now_ms(db->o.clock), db->o.retention_ms, &d, why));
    d->cancel = cancel;
    enum err err = ERR_OK;
    struct block_set *set = block_set_acquire(db);
    for (uint32_t i = 0; i < set->count && err == ERR_OK; i++) {
        struct block_mask *mask = NULL;
        err = store_mask(db, d->rules, set->list[i], &mask, why);
        if (err == ERR_OK)
            err = dry_block(d, set->list[i], mask, why);
    }
    block_set_release(set);
    dry_end(d, count, out);
    return err;
}

/* ---- dry run from outside ---- */

static struct tombstones *stones_of(struct dir_store *s)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct buf text = {0};
    struct tombstones *stones = NULL;
    uint64_t damaged;
    dir_view_path(&s->view, path, "tombstones", "", "");
    enum err err = fs_read_file(s->view.fs, path, TOMBSTONES_FILE_BYTES_MAX, &text, NULL);
    if (err == ERR_OK && tombstones_parse(buf_view(&text), s->view.id, &stones, &damaged, NULL) != ERR_OK)
        stones = NULL;
    buf_deinit(&text);
    return stones;
}

static enum err dir_mask(const struct tombstones *stones, struct block *block, struct block_mask **out,
                         struct errmsg *why)
{
    uint32_t count = 0;
    *out = NULL;
    struct block_cut *cuts = stones ? masks_cuts(stones, block_meta(block), 0, &count) : NULL;
    enum err err = count ? block_mask_extend(block, NULL, cuts, count, NULL, out, why) : ERR_OK;
    mem_free(cuts);
    return err;
}

static enum err drop_count(struct querier *q, const struct tsdb_selector *s, struct tsdb_affected *out,
                           struct errmsg *why)
{
    struct arena arena;
    struct series_set *set;
    struct selector sel = {
        .matchers = s->matchers, .matcher_count = s->count, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    enum err err = q->ops->select(q, &sel, &arena, NULL, &set, why);
    struct series_reader *r = err == ERR_OK ? set->ops->reader(set) : NULL;
    for (uint32_t i = 0; err == ERR_OK && i < set->count; i++) {
        struct samples samples;
        err = r->ops->read(r, i, INT64_MIN, INT64_MAX, &samples, why);
        out->series++;
        out->samples += err == ERR_OK ? samples.count : 0;
    }
    if (r)
        r->ops->close(r);
    arena_deinit(&arena);
    return err;
}

static enum err check_drops(struct dir_store *s, const struct tsdb_rules_request *q, struct tsdb_affected *by_drop,
                            struct errmsg *why)
{
    struct querier *querier;
    TRY(dir_store_querier(s, &querier, why));
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < q->drop_count; i++)
        err = drop_count(querier, &q->drops[i], &by_drop[i], why);
    querier->ops->close(querier);
    return err;
}

static enum err check_rules(struct dir_store *s, struct dry *d, struct errmsg *why)
{
    struct tombstones *stones = stones_of(s);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < s->count; i++) {
        struct block_mask *mask;
        err = dir_mask(stones, s->blocks[i], &mask, why);
        if (err == ERR_OK)
            err = dry_block(d, s->blocks[i], mask, why);
    }
    tombstones_release(stones);
    return err;
}

enum err tsdb_rules_check(struct fs *fs, const char *dir, const struct tsdb_rules_request *q,
                          struct tsdb_affected *by_rule, struct tsdb_affected *by_drop, struct errmsg *why)
{
    struct dir_store s;
    struct dry *d;
    memset(by_rule, 0, ((size_t)q->rule_count + 1) * sizeof *by_rule);
    memset(by_drop, 0, q->drop_count * sizeof *by_drop);
    TRY(dry_new(q->rules, q->rule_count, q->now_ms, q->retention_ms, &d, why));
    enum err err = dir_store_open(&s, fs, dir, q->drop_count > 0, why);
    if (err == ERR_OK)
        err = check_rules(&s, d, why);
    if (err == ERR_OK && q->drop_count)
        err = check_drops(&s, q, by_drop, why);
    dir_store_close(&s);
    dry_end(d, q->rule_count, by_rule);
    return err;
}
