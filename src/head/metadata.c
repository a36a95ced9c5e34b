/* metadata.c - type, help and unit per metric family: a small hash table behind one lock. */
#include <xxhash.h>

#include "head/record_internal.h"

enum { BUCKETS = 8192 };

struct family {
    struct family *next;
    struct metadata entry; /* its texts stand behind the struct */
    uint64_t hash;
    bool told; /* stands in the newest checkpoint */
};

struct families {
    struct mutex lock;
    uint32_t count, max;
    int64_t bytes;
    struct family *buckets[BUCKETS];
};

struct families *families_new(uint32_t max)
{
    struct families *f = MEM_NEW(struct families);
    mutex_init(&f->lock);
    f->max = max;
    return f;
}

void families_free(struct families *f)
{
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct family *next, *at = f->buckets[i]; at; at = next) {
            next = at->next;
            mem_free(at);
        }
    mutex_deinit(&f->lock);
    mem_free(f);
}

uint32_t families_count(struct families *f)
{
    mutex_lock(&f->lock);
    uint32_t count = f->count;
    mutex_unlock(&f->lock);
    return count;
}

static struct slice put_text(uint8_t **at, struct slice text)
{
    struct slice copy = slice_of(*at, text.len);
    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static struct family *family_new(const struct metadata *m, uint64_t hash)
{
    struct family *f = mem_alloc(sizeof *f + m->metric.len + m->help.len + m->unit.len);
    uint8_t *at = (uint8_t *)(f + 1);
    *f = (struct family){.hash = hash, .entry.type = m->type};
    f->entry.metric = put_text(&at, m->metric);
    f->entry.help = put_text(&at, m->help);
    f->entry.unit = put_text(&at, m->unit);
    return f;
}

static struct family **family_find(struct families *f, struct slice metric, uint64_t hash)
{
    struct family **link = &f->buckets[hash % BUCKETS];
    while (*link && !((*link)->hash == hash && slice_eq((*link)->entry.metric, metric)))
        link = &(*link)->next;
    return link;
}

enum metadata_change metadata_store(struct head *h, const struct metadata *m)
{
    struct families *f = h->families;
    enum metadata_change change = METADATA_SAME;
    uint64_t hash = XXH3_64bits(m->metric.data, m->metric.len);
    mutex_lock(&f->lock);
    struct family **link = family_find(f, m->metric, hash), *old = *link;
    if (!old && f->count >= f->max) {
        change = METADATA_FULL;
    } else if (!old || old->entry.type != m->type || !slice_eq(old->entry.help, m->help) ||
               !slice_eq(old->entry.unit, m->unit)) {
        struct family *fresh = family_new(m, hash);
        fresh->next = old ? old->next : NULL;
        *link = fresh;
        f->count += old == NULL;
        mem_free(old);
        change = METADATA_CHANGED;
    }
    mutex_unlock(&f->lock);
    return change;
}

bool head_metadata_set(struct head_appender *a, const struct metadata *m, struct buf *records)
{
    enum metadata_change change = metadata_store(a->head, m);
    if (change == METADATA_CHANGED) {
        count_add(&a->counts.metadata_updates, 1);
        if (records)
            record_metadata(records, m);
    }
    if (change == METADATA_FULL)
        count_add(&a->counts.metadata_dropped, 1);
    return change != METADATA_FULL;
}

void metadata_record(struct head *h, struct buf *records, bool changes)
{
    struct families *f = h->families;
    mutex_lock(&f->lock);
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct family *at = f->buckets[i]; at; at = at->next) {
            if (!(changes && at->told))
                record_metadata(records, &at->entry);
            at->told = true;
        }
    mutex_unlock(&f->lock);
}

void head_metadata(struct head *h, struct slice metric, metadata_visit visit, void *ctx)
{
    struct families *f = h->families;
    mutex_lock(&f->lock);
    if (metric.len) {
        struct family *one = *family_find(f, metric, XXH3_64bits(metric.data, metric.len));
        if (one)
            visit(ctx, &one->entry);
    } else {
        bool more = true;
        for (uint32_t i = 0; i < BUCKETS && more; i++)
            for (struct family *at = f->buckets[i]; at && more; at = at->next)
                more = visit(ctx, &at->entry);
    }
    mutex_unlock(&f->lock);
}
