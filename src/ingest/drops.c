/*
 * drops.c - series that are not wanted: their samples are passed over, and counted by rule.
 *
 * Only series that are not in the head are looked at, so a known series pays nothing; a dropped one is unknown each
 * time it comes and costs its parsing and the rules.  A request that has unknown series holds a reference of the rules
 * until it ends.
 */
#include "base/assert.h"
#include "base/wire.h"
#include "head/appender.h"
#include "ingest/ingest_internal.h"
#include "storage/querier.h"

struct drop {
    const struct matcher *matchers;
    uint32_t count;
    const char *text;
    _Atomic uint64_t samples;
};

struct ingest_drops {
    _Atomic uint32_t references;
    struct arena arena;
    uint32_t count;
    struct drop list[INGEST_DROPS_MAX];
};

struct ingest_drops *ingest_drops_new(void)
{
    struct ingest_drops *d = MEM_NEW(struct ingest_drops);
    d->references = 1;
    arena_init(&d->arena, NULL);
    return d;
}

struct arena *ingest_drops_arena(struct ingest_drops *d)
{
    return &d->arena;
}

void ingest_drops_add(struct ingest_drops *d, const struct matcher *matchers, uint32_t count, const char *text)
{
    assert(d->count < INGEST_DROPS_MAX);
    struct drop *drop = &d->list[d->count++];
    drop->matchers = matchers;
    drop->count = count;
    drop->text = text;
}

void ingest_drops_free(struct ingest_drops *d)
{
    if (!d || atomic_fetch_sub(&d->references, 1) > 1)
        return;
    arena_deinit(&d->arena);
    mem_free(d);
}

/* A rule that stays goes on counting. */
static void take_counts(struct ingest_drops *to, struct ingest_drops *from)
{
    for (uint32_t i = 0; from && i < to->count; i++)
        for (uint32_t k = 0; k < from->count; k++)
            if (strcmp(to->list[i].text, from->list[k].text) == 0)
                to->list[i].samples = atomic_load(&from->list[k].samples);
}

void ingest_set_drops(struct ingest *ingest, struct ingest_drops *d)
{
    if (d && d->count == 0) {
        ingest_drops_free(d);
        d = NULL;
    }
    mutex_lock(&ingest->drops_lock);
    struct ingest_drops *old = ingest->drops;
    if (d)
        take_counts(d, old);
    ingest->drops = d;
    atomic_store(&ingest->has_drops, d != NULL);
    mutex_unlock(&ingest->drops_lock);
    ingest_drops_free(old);
}

uint32_t ingest_drop_counts(struct ingest *ingest, ingest_drop_visit visit, void *ctx)
{
    mutex_lock(&ingest->drops_lock);
    struct ingest_drops *d = ingest->drops;
    if (d)
        atomic_fetch_add(&d->references, 1);
    mutex_unlock(&ingest->drops_lock);
    uint32_t count = d ? d->count : 0;
    for (uint32_t i = 0; i < count; i++)
        visit(ctx, d->list[i].text, atomic_load_explicit(&d->list[i].samples, memory_order_relaxed));
    ingest_drops_free(d);
    return count;
}

/* ---- matching ---- */

struct pair_view {
    struct slice name, value;
};

/* Canonical bytes as pairs; they were made or checked a moment ago. */
static uint32_t pairs_of(struct slice canonical, struct pair_view pairs[LABEL_COUNT_MAX])
{
    const uint8_t *p = canonical.data, *end = p + canonical.len;
    uint32_t count = 0;
    while (p < end && count < LABEL_COUNT_MAX) {
        size_t len, name_len, value_len;
        const uint8_t *q = wire_len(p + 1, end, &len), *label_end = q ? q + len : NULL;
        const uint8_t *name = q ? wire_len(q + 1, label_end, &name_len) : NULL;
        const uint8_t *value = name ? wire_len(name + name_len + 1, label_end, &value_len) : NULL;
        if (!value)
            break;
        pairs[count++] = (struct pair_view){slice_of(name, name_len), slice_of(value, value_len)};
        p = label_end;
    }
    return count;
}

static bool drop_matches(const struct drop *d, const struct pair_view *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < d->count; i++) {
        struct slice value = {0};
        for (uint32_t k = 0; k < count; k++)
            if (slice_eq(pairs[k].name, d->matchers[i].name))
                value = pairs[k].value;
        if (!matcher_matches(&d->matchers[i], value))
            return false;
    }
    return true;
}

void drops_check(struct lane *l, struct miss *m)
{
    struct ingest *ingest = l->ingest;
    struct pair_view pairs[LABEL_COUNT_MAX];
    m->dropped = NULL;
    if (!atomic_load_explicit(&ingest->has_drops, memory_order_relaxed) || m->ref || m->reason != INGEST_REASONS)
        return;
    if (!l->drops) {
        mutex_lock(&ingest->drops_lock);
        l->drops = ingest->drops;
        if (l->drops)
            atomic_fetch_add(&l->drops->references, 1);
        mutex_unlock(&ingest->drops_lock);
    }
    uint32_t count = l->drops ? pairs_of(m->canonical, pairs) : 0;
    for (uint32_t i = 0; l->drops && i < l->drops->count; i++)
        if (drop_matches(&l->drops->list[i], pairs, count)) {
            m->reason = INGEST_DROPPED;
            m->dropped = &l->drops->list[i].samples;
            return;
        }
}

void drops_count(const struct miss *m)
{
    if (m->dropped)
        atomic_fetch_add_explicit(m->dropped, 1, memory_order_relaxed);
}

void drops_release(struct lane *l)
{
    ingest_drops_free(l->drops);
    l->drops = NULL;
}
