/*
 * stones.c - the tombstones of a directory: loaded, replaced, forgotten when they cover nothing any more.
 *
 * Deleted data that comes back is as bad as data that is lost, so the file is kept twice.  The first copy
 * decides; the second is read when the first is damaged.  A damaged copy is moved to quarantine/.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

static const char *const names[] = {"tombstones", "tombstones.copy"};
enum { COPIES = 2 };

struct tombstones *stones_acquire(struct tsdb *db)
{
    mutex_lock(&db->set_lock);
    struct tombstones *t = tombstones_acquire(db->stones);
    mutex_unlock(&db->set_lock);
    return t;
}

static void install(struct tsdb *db, struct tombstones *next)
{
    mutex_lock(&db->set_lock);
    struct tombstones *old = db->stones;
    db->stones = next;
    mutex_unlock(&db->set_lock);
    tombstones_release(old);
    TSDB_SET(db, tombstones, next->count);
}

/* On a full disk the reserve makes room, so that deleting can free space. */
static enum err copy_write(struct tsdb *db, const char *name, struct slice content, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES], reserve[TSDB_PATH_BYTES];
    tsdb_path(db, path, name);
    tsdb_path(db, reserve, "reserve");
    enum err err = fs_replace_file(db->o.fs, path, content, why);
    if (err == ERR_NO_SPACE && fs_unlink(db->o.fs, reserve, NULL) == ERR_OK)
        err = fs_replace_file(db->o.fs, path, content, why);
    return err;
}

enum err stones_store(struct tsdb *db, struct tombstones *next, struct errmsg *why)
{
    struct buf text = {.own = true};
    struct errmsg second = {0};
    tombstones_print(next, db->id, &text);
    enum err err = copy_write(db, names[0], buf_view(&text), why);
    if (err == ERR_OK && copy_write(db, names[1], buf_view(&text), &second) != ERR_OK)
        log_warn("tsdb", "the second copy of the tombstones could not be written", "err=\"%s\"", second.text);
    buf_deinit(&text);
    if (err == ERR_OK)
        install(db, next);
    else
        tombstones_release(next);
    return err;
}

/* ---- loading ---- */

struct copy {
    enum err err; /* of reading and of the header; ERR_NOT_FOUND: there is none */
    struct tombstones *stones;
    uint64_t damaged;
    struct errmsg why;
};

static void copy_read(struct tsdb *db, const char *name, struct copy *c)
{
    char path[TSDB_PATH_BYTES];
    struct buf text = {.own = true};
    tsdb_path(db, path, name);
    c->err = fs_read_file(db->o.fs, path, TOMBSTONES_FILE_BYTES_MAX, &text, &c->why);
    if (c->err == ERR_OK)
        c->err = tombstones_parse(buf_view(&text), db->id, &c->stones, &c->damaged, &c->why);
    buf_deinit(&text);
}

static bool is_whole(const struct copy *c)
{
    return c->err == ERR_OK && c->damaged == 0;
}

static void copy_set_aside(struct tsdb *db, const char *name, const struct copy *c)
{
    char from[TSDB_PATH_BYTES], to[TSDB_PATH_BYTES], suffix[32];
    TSDB_COUNT(db, tombstone_files_damaged, 1);
    log_error("tsdb", "the tombstones are damaged", "file=%s err=\"%s\"", name, c->why.text);
    tsdb_path(db, from, name);
    tsdb_path(db, to, "quarantine");
    snprintf(suffix, sizeof suffix, ".%lld", (long long)clock_now_ms(db->o.clock));
    enum err err = fs_mkdir_all(db->o.fs, to, NULL);
    tsdb_path2(db, to, "quarantine", name, suffix);
    if (err == ERR_OK)
        err = fs_rename(db->o.fs, from, to, NULL);
    if (err != ERR_OK)
        log_warn("tsdb", "the damaged tombstones could not be set aside", "file=%s", name);
}

/* Both are damaged: what one of them has.  Each list is in the order of numbers. */
static struct tombstones *unite(const struct tombstones *a, const struct tombstones *b)
{
    struct tombstones *out = tombstones_new();
    size_t i = 0, k = 0, na = a ? a->count : 0, nb = b ? b->count : 0;
    while (i < na || k < nb) {
        bool from_a = k == nb || (i < na && a->list[i]->number <= b->list[k]->number);
        const struct tombstone *stone = from_a ? a->list[i] : b->list[k];
        k += k < nb && b->list[k]->number == stone->number;
        i += from_a;
        enum err ignored = tombstones_add(out, stone, NULL);
        (void)ignored; /* it was read a moment ago; a limit costs the rest */
    }
    for (int n = 0; n < COPIES; n++) {
        const struct tombstones *t = n ? b : a;
        if (t && t->next_number > out->next_number)
            out->next_number = t->next_number;
    }
    return out;
}

enum err stones_load(struct tsdb *db, struct errmsg *why)
{
    struct copy copies[COPIES] = {0};
    struct tombstones *found;
    for (int i = 0; i < COPIES; i++) {
        copy_read(db, names[i], &copies[i]);
        if (copies[i].err == ERR_UNSUPPORTED || copies[i].err == ERR_IO) {
            for (int k = 0; k <= i; k++)
                tombstones_release(copies[k].stones);
            return err_set(why, copies[i].err, "%s: %s", names[i], copies[i].why.text);
        }
    }
    bool none = copies[0].err == ERR_NOT_FOUND && copies[1].err == ERR_NOT_FOUND;
    if (is_whole(&copies[0]))
        found = tombstones_acquire(copies[0].stones);
    else if (is_whole(&copies[1]))
        found = tombstones_acquire(copies[1].stones);
    else
        found = unite(copies[0].stones, copies[1].stones);
    bool same = true;
    for (int i = 0; i < COPIES; i++) {
        if (!is_whole(&copies[i]) && copies[i].err != ERR_NOT_FOUND)
            copy_set_aside(db, names[i], &copies[i]);
        same = same && is_whole(&copies[i]) && copies[i].stones->next_number == found->next_number &&
               copies[i].stones->count == found->count;
        tombstones_release(copies[i].stones);
    }
    if (none || same) {
        install(db, found);
        return ERR_OK;
    }
    struct errmsg text = {0};
    mutex_lock(&db->stones_lock);
    struct tombstones *kept = tombstones_acquire(found);
    if (stones_store(db, found, &text) != ERR_OK) {
        log_warn("tsdb", "the tombstones could not be written", "err=\"%s\"", text.text);
        install(db, tombstones_acquire(kept)); /* the next deletion writes them */
    }
    mutex_unlock(&db->stones_lock);
    tombstones_release(kept);
    return ERR_OK;
}

/* ---- forgetting ---- */

/* Whether a listed block that is not open now may hold what the tombstone covers. */
static bool covers_unreadable(struct tsdb *db, const struct tombstone *s)
{
    bool found = false;
    mutex_lock(&db->manifest_lock);
    for (size_t i = 0; i < db->manifest.block_count && !found; i++) {
        const struct manifest_block *b = &db->manifest.blocks[i];
        found = b->problem[0] && b->seq_max <= s->sequence && b->mint_ms <= s->maxt_ms && b->maxt_ms >= s->mint_ms;
    }
    mutex_unlock(&db->manifest_lock);
    return found;
}

/* Whether a block in use may still hold samples that the tombstone covers; not knowing counts as yes. */
static bool covers_block(struct tsdb *db, const struct block_set *set, const struct tombstone *s)
{
    struct floors floors = {.min_ms = INT64_MIN, .max_ms = INT64_MIN};
    struct rules *rules = NULL;
    mutex_lock(&db->set_lock);
    rules = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    bool covers = false;
    for (uint32_t i = 0; i < set->count && !covers; i++) {
        const struct block_meta *meta = block_meta(set->list[i]);
        struct block_view view;
        if (meta->seq_max > s->sequence || meta->mint_ms > s->maxt_ms || meta->maxt_ms < s->mint_ms)
            continue;
        floors.of[0] = INT64_MIN;
        covers = masks_view(db, set->list[i], rules, &floors, INT64_MIN, &view, NULL) != ERR_OK || view.mask;
        view_release(&view);
    }
    rules_release(rules);
    return covers;
}

void stones_retire(struct tsdb *db)
{
    struct errmsg why = {0};
    mutex_lock(&db->stones_lock);
    struct tombstones *now = stones_acquire(db);
    if (now->count == 0) {
        tombstones_release(now);
        mutex_unlock(&db->stones_lock);
        return;
    }
    struct tombstones *next = tombstones_copy(now);
    struct block_set *set = block_set_acquire(db);
    for (size_t i = next->count; i > 0; i--)
        if (!covers_block(db, set, next->list[i - 1]) && !covers_unreadable(db, next->list[i - 1]))
            tombstones_remove(next, i - 1);
    block_set_release(set);
    if (next->count == now->count)
        tombstones_release(next);
    else if (stones_store(db, next, &why) != ERR_OK)
        log_warn("tsdb", "the tombstones could not be written", "err=\"%s\"", why.text);
    tombstones_release(now);
    mutex_unlock(&db->stones_lock);
}
