/*
 * tsdb_querier.c - struct storage over the directory: head and the blocks that a range touches.
 *
 * The head's querier is opened before the block set is taken: a flush publishes its blocks before it
 * frees the head's samples, and it waits for queriers that are open.  So whatever moves from head to
 * block is seen here in at least one of them, and equal samples in both count once.
 */
#include <stdio.h>

#include "base/mem.h"
#include "tsdb/kept_querier.h"
#include "tsdb/merge_querier.h"
#include "tsdb/tsdb_internal.h"

/* What a querier keeps until it is closed. */
struct pin {
    struct block_set *set;
    const char **texts;
    char replaying[128];
    char unreadable[320]; /* the first block whose deletions could not be told */
    uint32_t text_count;
};

static void pin_release(void *ctx)
{
    struct pin *pin = ctx;
    block_set_release(pin->set);
    mem_free(pin->texts);
    mem_free(pin);
}

static void pin_problems(struct tsdb *db, struct pin *pin, int64_t mint_ms, int64_t maxt_ms)
{
    pin->texts = mem_array((size_t)pin->set->problem_count + 2, sizeof *pin->texts);
    for (uint32_t i = 0; i < pin->set->problem_count; i++) {
        const struct block_problem *p = &pin->set->problems[i];
        if (p->mint_ms <= maxt_ms && p->maxt_ms >= mint_ms)
            pin->texts[pin->text_count++] = p->text;
    }
    if (pin->unreadable[0])
        pin->texts[pin->text_count++] = pin->unreadable;
    if (tsdb_ready(db))
        return;
    uint64_t done = db->stats.replay_bytes_done, all = db->stats.replay_bytes;
    int state = atomic_load(&db->state);
    if (state == TSDB_REPLAYED)
        snprintf(pin->replaying, sizeof pin->replaying, "the newest samples are still being applied");
    else if (state == TSDB_REPLAYING)
        snprintf(pin->replaying, sizeof pin->replaying, "the newest samples are still being read from the log (%d %%)",
                 all ? (int)(done * 100 / all) : 0);
    else
        snprintf(pin->replaying, sizeof pin->replaying, "the newest samples are missing: the log could not be read");
    pin->texts[pin->text_count++] = pin->replaying;
}

struct opened {
    struct merge_source *list; /* rising precedence: blocks by sequence, then the head */
    uint32_t count;
    struct rules *rules; /* of now */
    struct floors floors;
};

static enum err block_open_querier(struct tsdb *db, struct block *block, int64_t mint_ms, int64_t maxt_ms,
                                   const struct opened *sources, struct querier **out, struct errmsg *why)
{
    struct block_view view;
    TRY(masks_view(db, block, sources->rules, &sources->floors, mint_ms, &view, why));
    enum err err = block_querier_view(block, &view, mint_ms, maxt_ms, out, why);
    view_release(&view);
    return err;
}

static enum err blocks_open_queriers(struct tsdb *db, struct pin *pin, int64_t mint_ms, int64_t maxt_ms,
                                     struct opened *sources, struct errmsg *why)
{
    for (uint32_t i = 0; i < pin->set->count; i++) {
        const struct block_meta *meta = block_meta(pin->set->list[i]);
        struct merge_source *source = &sources->list[sources->count];
        if (meta->mint_ms > maxt_ms || meta->maxt_ms < mint_ms)
            continue;
        struct errmsg text = {0};
        enum err err = block_open_querier(db, pin->set->list[i], mint_ms, maxt_ms, sources, &source->querier, &text);
        if (err == ERR_IO) { /* better without it than with what is deleted */
            snprintf(pin->unreadable, sizeof pin->unreadable, "a block is left out: %.280s", text.text);
            continue;
        }
        if (err != ERR_OK)
            return err_set(why, err, "%s", text.text);
        source->maxt_ms = meta->maxt_ms;
        sources->count++;
    }
    return ERR_OK;
}

static enum err sources_open(struct tsdb *db, struct pin *pin, int64_t mint_ms, int64_t maxt_ms, struct opened *sources,
                             struct errmsg *why)
{
    struct querier *head = NULL;
    TRY(head_querier(db->head, mint_ms, maxt_ms, &head, why)); /* during a replay: what is there so far */
    if (mint_ms < sources->floors.max_ms && sources->rules->count)
        head = kept_querier_new(head, sources->rules, &sources->floors);
    pin->set = block_set_acquire(db); /* after the head: see above */
    sources->list = mem_array((size_t)pin->set->count + 1, sizeof *sources->list);
    enum err err = blocks_open_queriers(db, pin, mint_ms, maxt_ms, sources, why);
    if (head)
        sources->list[sources->count++] = (struct merge_source){head, INT64_MAX};
    return err;
}

static enum err tsdb_querier(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                             struct errmsg *why)
{
    struct tsdb *db = (struct tsdb *)s;
    struct pin *pin = MEM_NEW(struct pin);
    struct opened sources = {0};
    mutex_lock(&db->set_lock);
    sources.rules = rules_acquire(db->rules);
    mutex_unlock(&db->set_lock);
    rules_floors(sources.rules, clock_now_ms(db->o.clock), db->o.retention_ms, &sources.floors);
    int64_t oldest = sources.floors.min_ms, from = mint_ms < oldest ? oldest : mint_ms;
    enum err err = sources_open(db, pin, from, maxt_ms, &sources, why);
    if (err == ERR_OK) {
        pin_problems(db, pin, from, maxt_ms);
        *out = merge_querier_new(&(struct merge_options){
            .mint_ms = from,
            .maxt_ms = maxt_ms,
            .sources = sources.list,
            .source_count = sources.count,
            .problems = pin->texts,
            .problem_count = pin->text_count,
            .times_ids = &db->times_ids,
            .release = pin_release,
            .release_ctx = pin,
        });
    } else {
        for (uint32_t i = 0; i < sources.count; i++)
            sources.list[i].querier->ops->close(sources.list[i].querier);
        pin_release(pin);
    }
    mem_free(sources.list);
    rules_release(sources.rules);
    return err;
}

const struct storage_ops tsdb_storage_ops = {.querier = tsdb_querier};
