/* damage.c - the contract is in damage.h. */
#include "tsdb/damage.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb_internal.h"

void damages_init(struct damages *d)
{
    mutex_init(&d->lock);
}

static void damaged_free(struct damaged_block *b)
{
    arena_deinit(&b->arena);
    mem_free(b);
}

void damages_deinit(struct damages *d)
{
    for (size_t i = 0; i < d->count; i++)
        damaged_free(d->list[i]);
    mem_free(d->list);
    mutex_deinit(&d->lock);
}

/* d->lock held. */
static struct damaged_block **place_of(struct damages *d, const struct block_id *id)
{
    for (size_t i = 0; i < d->count; i++)
        if (block_id_eq(&d->list[i]->id, id))
            return &d->list[i];
    return NULL;
}

static uint32_t places_known(struct damages *d, const struct block_id *id)
{
    mutex_lock(&d->lock);
    struct damaged_block **place = place_of(d, id);
    uint32_t known = place ? (*place)->found.places : 0;
    mutex_unlock(&d->lock);
    return known;
}

static void say(const struct damaged_block *b)
{
    char id[BLOCK_ID_TEXT];
    const struct block_damage *f = &b->found;
    block_id_text(&b->id, id);
    if (f->series == 0)
        log_warn("tsdb", "a block is damaged, nothing of it is lost", "block=%s damage=\"%s\"", id, f->text);
    else
        log_error("tsdb", "a block is damaged", "block=%s damage=\"%s\" series=%llu from=%lld to=%lld first=%s", id,
                  f->text, (unsigned long long)f->series, (long long)f->mint_ms, (long long)f->maxt_ms,
                  f->named ? f->names[0] : "unknown");
}

static void take(struct tsdb *db, struct damaged_block *b)
{
    struct damages *d = &db->damages;
    struct damaged_block *old = NULL;
    mutex_lock(&d->lock);
    struct damaged_block **place = place_of(d, &b->id);
    if (place) {
        old = *place;
        *place = b;
    } else {
        d->list = mem_grow(d->list, &d->capacity, d->count + 1, sizeof *d->list);
        d->list[d->count++] = b;
    }
    mutex_unlock(&d->lock);
    if (old)
        damaged_free(old);
}

/* Blocks that are not in use any more are forgotten; figures of the others. */
static void sum_up(struct tsdb *db, const struct block_set *set)
{
    struct damages *d = &db->damages;
    uint64_t places = 0, series = 0;
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count;) {
        bool used = false;
        for (uint32_t k = 0; k < set->count && !used; k++)
            used = block_id_eq(&block_meta(set->list[k])->id, &d->list[i]->id);
        if (used) {
            places += d->list[i]->found.places;
            series += d->list[i]->found.series;
            i++;
        } else {
            damaged_free(d->list[i]);
            d->list[i] = d->list[--d->count];
        }
    }
    TSDB_SET(db, damaged_blocks, d->count);
    mutex_unlock(&d->lock);
    TSDB_SET(db, damaged_places, places);
    TSDB_SET(db, damaged_series, series);
}

void damages_look(struct tsdb *db)
{
    struct block_set *set = block_set_acquire(db);
    for (uint32_t i = 0; i < set->count; i++) {
        struct block *block = set->list[i];
        const struct block_id *id = &block_meta(block)->id;
        if (block_damage_places(block) == places_known(&db->damages, id))
            continue;
        struct damaged_block *b = MEM_NEW(struct damaged_block);
        b->id = *id;
        arena_init(&b->arena, NULL);
        if (block_damage_find(block, &db->stop, &b->arena, &b->found, NULL) != ERR_OK) {
            damaged_free(b);
            break;
        }
        say(b);
        take(db, b);
    }
    sum_up(db, set);
    block_set_release(set);
}

bool damage_reason(struct tsdb *db, struct block *block, char *out, size_t bytes)
{
    struct block_damage found;
    struct arena arena;
    bool lost = false;
    if (block_damage_places(block) == 0)
        return false;
    arena_init(&arena, NULL);
    if (block_damage_find(block, &db->stop, &arena, &found, NULL) == ERR_OK && found.series) {
        lost = true;
        snprintf(out, bytes, "%llu series lack samples: %s, ...: %s", (unsigned long long)found.series,
                 found.named ? found.names[0] : "labels unknown", found.text);
        for (char *p = out; *p; p++)
            *p = (unsigned char)*p < ' ' ? ' ' : *p; /* a line of the manifest */
    }
    arena_deinit(&arena);
    return lost;
}

/* ---- for status pages ---- */

static bool unused_visit(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_damage_info *info), void *ctx)
{
    struct manifest copy;
    bool more = true;
    mutex_lock(&db->manifest_lock);
    manifest_copy(&copy, &db->manifest);
    mutex_unlock(&db->manifest_lock);
    for (size_t i = 0; more && i < copy.block_count; i++) {
        const struct manifest_block *b = &copy.blocks[i];
        if (!b->quarantined[0] && !b->problem[0])
            continue;
        struct tsdb_damage_info info = {.state = b->quarantined[0] ? "quarantined" : "unreadable",
                                        .what = b->quarantined[0] ? b->quarantined : b->problem,
                                        .mint_ms = b->mint_ms,
                                        .maxt_ms = b->maxt_ms,
                                        .acknowledged = b->acknowledged,
                                        .series = b->series};
        block_id_text(&b->id, info.ulid);
        more = visit(ctx, &info);
    }
    manifest_deinit(&copy);
    return more;
}

void tsdb_damage(struct tsdb *db, bool (*visit)(void *ctx, const struct tsdb_damage_info *info), void *ctx)
{
    if (!unused_visit(db, visit, ctx))
        return;
    struct damages *d = &db->damages;
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        const struct block_damage *f = &d->list[i]->found;
        struct tsdb_damage_info info = {.state = f->series ? "damaged" : "repaired",
                                        .what = f->text,
                                        .mint_ms = f->mint_ms,
                                        .maxt_ms = f->maxt_ms,
                                        .series = f->series,
                                        .named = f->named,
                                        .names = f->names};
        block_id_text(&d->list[i]->id, info.ulid);
        if (!visit(ctx, &info))
            break;
    }
    mutex_unlock(&d->lock);
}
