/*
 * losses.c - what damage took: noted, listed, acknowledged, forgotten when retention has passed it.
 */
#include "base/log.h"
#include "tsdb/tsdb_internal.h"

void losses_note(struct tsdb *db, const struct manifest_loss *loss)
{
    log_error("tsdb", "samples are lost", "mint=%lld maxt=%lld why=\"%s\"", (long long)loss->mint_ms,
              (long long)loss->maxt_ms, loss->why);
    blocks_loss_add(db, loss);
}

static void losses_forget(struct manifest *m, void *ctx)
{
    int64_t oldest = *(int64_t *)ctx;
    size_t kept = 0;
    for (size_t i = 0; i < m->loss_count; i++)
        if (m->losses[i].maxt_ms >= oldest)
            m->losses[kept++] = m->losses[i];
    m->loss_count = kept;
}

void losses_age(struct tsdb *db)
{
    int64_t oldest = tsdb_oldest_ms(db);
    bool any = false;
    mutex_lock(&db->manifest_lock);
    for (size_t i = 0; i < db->manifest.loss_count; i++)
        any = any || db->manifest.losses[i].maxt_ms < oldest;
    mutex_unlock(&db->manifest_lock);
    if (!any)
        return;
    enum err err = blocks_commit(db, &(struct blocks_change){.edit = losses_forget, .ctx = &oldest}, NULL);
    (void)err; /* tried again */
}

void tsdb_losses(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_loss_info *info), void *ctx)
{
    struct manifest copy;
    mutex_lock(&db->manifest_lock);
    manifest_copy(&copy, &db->manifest);
    mutex_unlock(&db->manifest_lock);
    for (size_t i = 0; i < copy.loss_count; i++) {
        const struct manifest_loss *l = &copy.losses[i];
        struct tsdb_loss_info info = {l->mint_ms, l->maxt_ms, l->why, l->acknowledged};
        if (!visit(ctx, &info))
            break;
    }
    manifest_deinit(&copy);
}

/* ---- acknowledging ---- */

/* Damaged blocks of the range are replaced by what can be read of them; then the manifest lists them as out of use. */
static enum err damaged_rewrite(struct tsdb *db, int64_t mint_ms, int64_t maxt_ms, struct tsdb_acknowledged *out)
    REQUIRES(db->block_work)
{
    struct block_set *set = block_set_acquire(db);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < set->count && err == ERR_OK; i++) {
        struct block *block = set->list[i];
        const struct block_meta *m = block_meta(block);
        struct errmsg why = {0};
        char reason[MANIFEST_REASON_BYTES];
        bool within = m->mint_ms >= mint_ms && m->maxt_ms <= maxt_ms;
        if (!within || !damage_reason(db, block, reason, sizeof reason))
            continue;
        if (compact_rewrite(db, block, &why) == ERR_OK) {
            out->rewritten++;
        } else {
            out->left++;
            log_warn("tsdb", "damaged block could not be written anew", "err=\"%s\"", why.text);
        }
        err = cancel_check(&db->stop);
    }
    block_set_release(set);
    return err;
}

struct acknowledgement {
    int64_t mint_ms, maxt_ms;
    size_t count;
};

static void acknowledge_edit(struct manifest *m, void *ctx)
{
    struct acknowledgement *a = ctx;
    a->count = manifest_acknowledge(m, a->mint_ms, a->maxt_ms);
}

enum err tsdb_acknowledge(struct tsdb *db, int64_t mint_ms, int64_t maxt_ms, struct tsdb_acknowledged *out,
                          struct errmsg *why)
{
    struct acknowledgement a = {mint_ms, maxt_ms, 0};
    *out = (struct tsdb_acknowledged){0};
    mutex_lock(&db->block_work);
    enum err err = damaged_rewrite(db, mint_ms, maxt_ms, out);
    mutex_unlock(&db->block_work);
    if (err != ERR_OK)
        return err_set(why, err, "closing");
    TRY(blocks_commit(db, &(struct blocks_change){.edit = acknowledge_edit, .ctx = &a}, why));
    out->count = a.count;
    if (a.count)
        log_warn("tsdb", "lost samples were acknowledged: answers do not warn of them any more",
                 "count=%zu mint=%lld maxt=%lld", a.count, (long long)mint_ms, (long long)maxt_ms);
    return ERR_OK;
}
