/*
 * block_set.c - the blocks that are in use, and every change of them.
 *
 * Publishing a block:
 *     1. blocks/<id>.tmp is written, its files and itself fsynced     (block_writer_finish)
 *     2. rename to blocks/<id>, fsync of blocks/
 *     3. opened, which checks it
 *     4. manifest with the block added and others removed replaces the old one
 *     5. the new set replaces the old one; queriers that run keep the old set
 *     6. directories of removed blocks are deleted (their open files live until the last querier closes)
 * A crash before 4 leaves a directory that is not listed: deleted at the next start.  After 4 the
 * removed ones are not listed: deleted at the next start.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

/* ---- sets ---- */

static struct block_set *set_new(uint32_t blocks, uint32_t problems)
{
    struct block_set *set = MEM_NEW(struct block_set);
    set->refs = 1;
    set->list = mem_array((size_t)blocks + 1, sizeof(struct block *));
    set->problems = mem_array((size_t)problems + 1, sizeof *set->problems);
    return set;
}

void block_sets_init(struct tsdb *db)
{
    db->set = set_new(0, 0);
}

struct block_set *block_set_acquire(struct tsdb *db)
{
    mutex_lock(&db->set_lock);
    struct block_set *set = db->set;
    set->refs++;
    mutex_unlock(&db->set_lock);
    return set;
}

void block_set_release(struct block_set *set)
{
    if (!set || --set->refs > 0)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        block_release(set->list[i]);
    mem_free(set->list);
    mem_free(set->problems);
    mem_free(set);
}

static int by_sequence(const void *a, const void *b)
{
    const struct block_meta *x = block_meta(*(struct block *const *)a), *y = block_meta(*(struct block *const *)b);
    if (x->seq_max != y->seq_max)
        return x->seq_max < y->seq_max ? -1 : 1;
    return memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
}

/* manifest_lock held: problems are what the manifest says of losses and of blocks that are not open, and nobody has
 * acknowledged. */
static void problems_fill(const struct manifest *m, struct block_set *set)
{
    for (size_t i = 0; i < m->loss_count; i++) {
        const struct manifest_loss *l = &m->losses[i];
        if (l->acknowledged)
            continue;
        struct block_problem *p = &set->problems[set->problem_count++];
        *p = (struct block_problem){.mint_ms = l->mint_ms, .maxt_ms = l->maxt_ms};
        snprintf(p->text, sizeof p->text, "samples are lost: %s", l->why);
    }
    for (size_t i = 0; i < m->block_count; i++) {
        const struct manifest_block *b = &m->blocks[i];
        const char *reason = b->quarantined[0] ? b->quarantined : b->problem;
        if (!reason[0] || b->acknowledged)
            continue;
        struct block_problem *p = &set->problems[set->problem_count++];
        char id[BLOCK_ID_TEXT];
        block_id_text(&b->id, id);
        *p = (struct block_problem){.mint_ms = b->mint_ms, .maxt_ms = b->maxt_ms};
        snprintf(p->text, sizeof p->text, "block %s is not used: %s", id, reason);
    }
}

/* manifest_lock held: replaces the set and updates the figures; takes set. */
static void set_install(struct tsdb *db, struct block_set *set)
{
    if (set->count > 1)
        qsort(set->list, set->count, sizeof(struct block *), by_sequence);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < set->count; i++)
        bytes += block_meta(set->list[i])->index.bytes + block_meta(set->list[i])->data.bytes;
    TSDB_SET(db, blocks, set->count);
    struct manifest_problems problems = manifest_problems(&db->manifest);
    TSDB_SET(db, losses, problems.losses);
    TSDB_SET(db, losses_acknowledged, problems.acknowledged);
    TSDB_SET(db, blocks_quarantined, problems.quarantined);
    TSDB_SET(db, blocks_missing, problems.missing);
    TSDB_SET(db, block_bytes, bytes);
    mutex_lock(&db->set_lock);
    struct block_set *old = db->set;
    db->set = set;
    mutex_unlock(&db->set_lock);
    block_set_release(old);
}

static bool id_in(const struct block_id *id, const struct block_id *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (block_id_eq(id, &list[i]))
            return true;
    return false;
}

/* manifest_lock held: the next set is the current one without some, with one more. */
static void set_change(struct tsdb *db, struct block *add, const struct block_id *remove, uint32_t remove_count)
{
    struct block_set *old = block_set_acquire(db);
    struct block_set *set = set_new(old->count + 1, (uint32_t)(db->manifest.block_count + db->manifest.loss_count));
    for (uint32_t i = 0; i < old->count; i++)
        if (!id_in(&block_meta(old->list[i])->id, remove, remove_count))
            set->list[set->count++] = block_acquire(old->list[i]);
    if (add)
        set->list[set->count++] = add;
    problems_fill(&db->manifest, set);
    set_install(db, set);
    block_set_release(old);
}

/* ---- changes ---- */

/*
 * manifest_lock held.  On a full disk the reserve file makes room for the few KB: without them retention
 * could not unlist blocks, and the disk would stay full.
 */
static enum err manifest_write(struct tsdb *db, const struct manifest *m, struct errmsg *why)
{
    char path[TSDB_PATH_BYTES], reserve[TSDB_PATH_BYTES];
    tsdb_path(db, path, "MANIFEST");
    tsdb_path(db, reserve, "reserve");
    enum err err = manifest_store(db->o.fs, path, m, why);
    if (err == ERR_NO_SPACE && fs_unlink(db->o.fs, reserve, NULL) == ERR_OK)
        err = manifest_store(db->o.fs, path, m, why);
    return err;
}

enum err blocks_commit(struct tsdb *db, const struct blocks_change *change, struct errmsg *why)
{
    struct manifest next;
    mutex_lock(&db->manifest_lock);
    manifest_copy(&next, &db->manifest);
    if (change->add) {
        struct manifest_block block;
        manifest_block_of(block_meta(change->add), &block);
        manifest_add(&next, &block);
    }
    for (uint32_t i = 0; i < change->remove_count; i++)
        manifest_remove(&next, &change->remove[i]);
    for (uint32_t i = 0; i < change->quarantined_count; i++)
        manifest_add(&next, &change->quarantined[i]);
    if (change->flushed_ms)
        next.flushed_ms = *change->flushed_ms;
    if (change->edit)
        change->edit(&next, change->ctx);
    enum err err = manifest_write(db, &next, why);
    if (err == ERR_OK) {
        manifest_deinit(&db->manifest);
        db->manifest = next;
        set_change(db, change->add, change->remove, change->remove_count);
    } else {
        manifest_deinit(&next);
    }
    mutex_unlock(&db->manifest_lock);
    return err;
}

void blocks_loss_add(struct tsdb *db, const struct manifest_loss *loss)
{
    struct errmsg why = {0};
    mutex_lock(&db->manifest_lock);
    manifest_loss_add(&db->manifest, loss);
    set_change(db, NULL, NULL, 0);
    if (manifest_write(db, &db->manifest, &why) != ERR_OK) /* the next change writes it */
        log_warn("tsdb", "manifest could not be written", "err=\"%s\"", why.text);
    mutex_unlock(&db->manifest_lock);
}

void blocks_tmp_path(const struct tsdb *db, const struct block_id *id, char out[TSDB_PATH_BYTES])
{
    char name[BLOCK_ID_TEXT];
    block_id_text(id, name);
    tsdb_path2(db, out, "blocks", name, ".tmp");
}

static void block_path(const struct tsdb *db, const char *folder, const struct block_id *id, char out[TSDB_PATH_BYTES])
{
    char name[BLOCK_ID_TEXT];
    block_id_text(id, name);
    tsdb_path2(db, out, folder, name, "");
}

enum err blocks_set_aside(struct tsdb *db, const struct block_id *id, struct errmsg *why)
{
    char from[TSDB_PATH_BYTES], to[TSDB_PATH_BYTES];
    tsdb_path(db, to, "quarantine");
    TRY(fs_mkdir_all(db->o.fs, to, why));
    block_path(db, "blocks", id, from);
    block_path(db, "quarantine", id, to);
    return fs_rename(db->o.fs, from, to, why);
}

void blocks_delete_dir(struct tsdb *db, const struct block_id *id)
{
    char path[TSDB_PATH_BYTES];
    struct errmsg why = {0};
    block_path(db, "blocks", id, path);
    if (fs_remove_all(db->o.fs, path, &why) != ERR_OK)
        log_warn("tsdb", "block directory could not be removed", "path=\"%s\" err=\"%s\"", path, why.text);
}

enum err blocks_publish(struct tsdb *db, const struct block_meta *meta, struct blocks_change change, struct errmsg *why)
{
    char tmp[TSDB_PATH_BYTES], path[TSDB_PATH_BYTES], folder[TSDB_PATH_BYTES];
    struct block *block = NULL;
    blocks_tmp_path(db, &meta->id, tmp);
    block_path(db, "blocks", &meta->id, path);
    tsdb_path(db, folder, "blocks");
    TRY(fs_rename(db->o.fs, tmp, path, why));
    enum err err = fs_sync_dir(db->o.fs, folder, why);
    if (err == ERR_OK)
        err = block_open(db->o.fs, path, db->cache, &block, why);
    if (err != ERR_OK) {
        blocks_delete_dir(db, &meta->id);
        return err_wrap(why, err, "publish block");
    }
    change.add = block;
    err = blocks_commit(db, &change, why);
    if (err != ERR_OK) {
        block_release(block); /* the directory stays: the manifest on the disk may list it already */
        return err_wrap(why, err, "publish block");
    }
    return ERR_OK;
}

/* ---- opening ---- */

/* Failures that another try may not have. */
static bool passes(enum err err)
{
    return err == ERR_IO || err == ERR_NO_MEMORY || err == ERR_LIMIT || err == ERR_NO_SPACE;
}

static void quarantine(struct tsdb *db, struct manifest_block *b, const char *reason)
{
    char id[BLOCK_ID_TEXT];
    struct errmsg why = {0};
    block_id_text(&b->id, id);
    if (blocks_set_aside(db, &b->id, &why) == ERR_OK)
        snprintf(b->quarantined, sizeof b->quarantined, "%s", reason);
    else
        snprintf(b->problem, sizeof b->problem, "%s", reason); /* stays where it is, tried at the next start */
    log_error("tsdb", "damaged block was moved to quarantine", "block=%s mint=%lld maxt=%lld err=\"%s\"", id,
              (long long)b->mint_ms, (long long)b->maxt_ms, reason);
}

/* One listed block: open, or with the reason why not. */
static struct block *listed_open(struct tsdb *db, struct manifest_block *b)
{
    char path[TSDB_PATH_BYTES];
    struct errmsg why = {0};
    struct block *block = NULL;
    struct fs_stat st;
    block_path(db, "blocks", &b->id, path);
    enum err err = fs_stat_path(db->o.fs, path, &st, &why);
    if (err == ERR_NOT_FOUND) {
        snprintf(b->problem, sizeof b->problem, "its directory is missing");
        log_error("tsdb", "listed block is missing", "path=\"%s\" mint=%lld maxt=%lld samples=%llu", path,
                  (long long)b->mint_ms, (long long)b->maxt_ms, (unsigned long long)b->samples);
        return NULL;
    }
    if (err == ERR_OK)
        err = block_open(db->o.fs, path, db->cache, &block, &why);
    if (err == ERR_OK && !block_id_eq(&block_meta(block)->id, &b->id)) {
        err = err_set(&why, ERR_CORRUPT, "it holds another block");
        block_release(block);
    }
    if (err == ERR_OK) {
        b->problem[0] = 0;
        b->acknowledged = false; /* it is there again */
        return block;
    }
    if (passes(err)) {
        snprintf(b->problem, sizeof b->problem, "%.*s", (int)sizeof b->problem - 1, why.text);
        log_warn("tsdb", "block cannot be read now", "path=\"%s\" err=\"%s\"", path, why.text);
    } else {
        char reason[MANIFEST_REASON_BYTES];
        snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, why.text);
        for (char *p = reason; *p; p++)
            *p = *p == '\n' ? ' ' : *p; /* it becomes a line of the manifest */
        quarantine(db, b, reason);
    }
    return NULL;
}

/* After a crash between the manifest's line and the rename. */
static void listed_move(struct tsdb *db, const struct block_id *id)
{
    char path[TSDB_PATH_BYTES];
    struct fs_stat st;
    struct errmsg why = {0};
    block_path(db, "blocks", id, path);
    if (fs_stat_path(db->o.fs, path, &st, NULL) == ERR_OK && blocks_set_aside(db, id, &why) != ERR_OK)
        log_warn("tsdb", "damaged block could not be set aside", "err=\"%s\"", why.text);
}

void blocks_open(struct tsdb *db)
{
    mutex_lock(&db->manifest_lock);
    struct manifest *m = &db->manifest;
    struct block_set *set = set_new((uint32_t)m->block_count, (uint32_t)(m->block_count + m->loss_count));
    bool changed = false;
    for (size_t i = 0; i < m->block_count; i++) {
        if (m->blocks[i].quarantined[0]) {
            listed_move(db, &m->blocks[i].id);
            continue;
        }
        struct block *block = listed_open(db, &m->blocks[i]);
        if (block)
            set->list[set->count++] = block;
        changed = changed || m->blocks[i].quarantined[0];
    }
    problems_fill(m, set);
    set_install(db, set);
    if (changed && manifest_write(db, m, NULL) != ERR_OK)
        log_warn("tsdb", "manifest could not be written", "dir=\"%s\"", db->dir); /* the next change writes it */
    mutex_unlock(&db->manifest_lock);
}

void blocks_retry(struct tsdb *db)
{
    mutex_lock(&db->manifest_lock);
    for (size_t i = 0; i < db->manifest.block_count; i++) {
        struct manifest_block *b = &db->manifest.blocks[i];
        struct fs_stat st;
        char path[TSDB_PATH_BYTES];
        if (!b->problem[0])
            continue;
        block_path(db, "blocks", &b->id, path);
        if (fs_stat_path(db->o.fs, path, &st, NULL) != ERR_OK)
            continue;
        struct block *block = listed_open(db, b);
        set_change(db, block, NULL, 0); /* also when it is quarantined now: the texts change */
    }
    mutex_unlock(&db->manifest_lock);
}
