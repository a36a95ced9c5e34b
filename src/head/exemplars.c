/*
 * exemplars.c - the newest exemplars of all series together, in a ring.
 *
 * They hold their series' labels themselves, so they outlive a series that leaves the head.  As in
 * Prometheus an exemplar must not be older than the newest one of its series; the same one again is
 * passed over silently.
 */
#include <stdlib.h>

#include "head/record_internal.h"

enum { BUCKETS = 4096 };

struct exemplar_series {
    struct exemplar_series *next; /* in its bucket */
    uint64_t hash;
    uint32_t count;              /* in the ring */
    uint32_t newest;             /* index in the ring */
    const struct labels *wanted; /* while a reader collects: its labels, NULL when it does not want them */
    uint32_t canonical_len;
    uint8_t canonical[];
};

struct entry {
    struct exemplar_series *series;
    int64_t time_ms;
    uint64_t bits;
    uint8_t *labels;
    uint32_t labels_len;
};

struct exemplars {
    struct mutex lock;
    struct entry *ring;
    uint32_t capacity, max, next, count;
    uint64_t added, told; /* ever; how many of them when exemplars_record was called last */
    struct exemplar_series *buckets[BUCKETS];
};

struct exemplars *exemplars_new(uint32_t max)
{
    struct exemplars *e = MEM_NEW(struct exemplars);
    mutex_init(&e->lock);
    e->max = max;
    return e;
}

static void series_drop(struct exemplars *e, struct exemplar_series *s)
{
    struct exemplar_series **link = &e->buckets[s->hash % BUCKETS];
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    mem_free(s);
}

static void entry_drop(struct exemplars *e, struct entry *entry)
{
    mem_free(entry->labels);
    if (--entry->series->count == 0)
        series_drop(e, entry->series);
    *entry = (struct entry){0};
}

void exemplars_free(struct exemplars *e)
{
    for (uint32_t i = 0; i < e->capacity; i++)
        if (e->ring[i].series)
            entry_drop(e, &e->ring[i]);
    mem_free(e->ring);
    mutex_deinit(&e->lock);
    mem_free(e);
}

uint32_t exemplars_count(struct exemplars *e)
{
    mutex_lock(&e->lock);
    uint32_t count = e->count;
    mutex_unlock(&e->lock);
    return count;
}

static struct exemplar_series *series_get(struct head *h, struct exemplars *e, struct slice canonical)
{
    uint8_t *padded = mem_zalloc(canonical.len + SERIES_HASH_SLACK);
    memcpy(padded, canonical.data, canonical.len);
    uint64_t hash = series_hash(&h->key, padded, canonical.len).lo;
    mem_free(padded);
    for (struct exemplar_series *s = e->buckets[hash % BUCKETS]; s; s = s->next)
        if (s->hash == hash && slice_eq(slice_of(s->canonical, s->canonical_len), canonical))
            return s;
    struct exemplar_series *s = mem_zalloc(sizeof *s + canonical.len);
    s->hash = hash;
    s->canonical_len = (uint32_t)canonical.len;
    memcpy(s->canonical, canonical.data, canonical.len);
    s->next = e->buckets[hash % BUCKETS];
    e->buckets[hash % BUCKETS] = s;
    return s;
}

/* The place of the next one; the oldest leaves when the ring is full. */
static uint32_t ring_place(struct exemplars *e)
{
    if (e->count == e->capacity && e->capacity < e->max) {
        uint32_t capacity = e->capacity ? e->capacity * 2 : 64;
        capacity = capacity < e->max ? capacity : e->max;
        e->ring = mem_realloc(e->ring, capacity * sizeof *e->ring);
        memset(e->ring + e->capacity, 0, (capacity - e->capacity) * sizeof *e->ring);
        e->next = e->capacity;
        e->capacity = capacity;
    }
    uint32_t at = e->next;
    e->next = (at + 1) % e->capacity;
    if (e->ring[at].series)
        entry_drop(e, &e->ring[at]);
    else
        e->count++;
    return at;
}

enum exemplar_change exemplar_store(struct head *h, struct slice series, int64_t time_ms, uint64_t bits,
                                    struct slice labels)
{
    struct exemplars *e = h->exemplars;
    enum exemplar_change change = EXEMPLAR_ADDED;
    if (e->max == 0)
        return EXEMPLAR_DROPPED;
    mutex_lock(&e->lock);
    struct exemplar_series *s = series_get(h, e, series);
    if (s->count) {
        const struct entry *newest = &e->ring[s->newest];
        if (newest->time_ms == time_ms && newest->bits == bits &&
            slice_eq(slice_of(newest->labels, newest->labels_len), labels))
            change = EXEMPLAR_SAME;
        else if (time_ms < newest->time_ms)
            change = EXEMPLAR_DROPPED;
    }
    if (change == EXEMPLAR_ADDED) {
        s->count++; /* before the ring gives up its oldest: that may be of the same series */
        uint32_t at = ring_place(e);
        struct entry *entry = &e->ring[at];
        *entry = (struct entry){s, time_ms, bits, mem_alloc(labels.len), (uint32_t)labels.len};
        if (labels.len)
            memcpy(entry->labels, labels.data, labels.len);
        s->newest = at;
        e->added++;
    }
    mutex_unlock(&e->lock);
    return change;
}

bool head_exemplar_append(struct head_appender *a, series_ref ref, int64_t time_ms, double value, struct slice labels,
                          struct buf *records)
{
    struct buf canonical = {0};
    uint64_t bits = f64_bits(value);
    series_canonical(a->head, ref, &canonical);
    struct slice series = buf_view(&canonical);
    enum exemplar_change change =
        series.len ? exemplar_store(a->head, series, time_ms, bits, labels) : EXEMPLAR_DROPPED;
    if (change == EXEMPLAR_ADDED && records)
        record_exemplar(records, series, time_ms, bits, labels);
    count_add(&a->counts.exemplars, change == EXEMPLAR_ADDED);
    count_add(&a->counts.exemplars_dropped, change == EXEMPLAR_DROPPED);
    buf_deinit(&canonical);
    return change != EXEMPLAR_DROPPED;
}

/* ---- reading ---- */

/* Canonical bytes as labels in arena memory. */
static bool labels_of(struct slice canonical, struct arena *arena, struct labels *out)
{
    const uint8_t *p = canonical.data, *end = p + canonical.len;
    const struct label *found[LABEL_COUNT_MAX], **list;
    *out = (struct labels){0};
    while (p < end) {
        uint64_t len;
        struct slice name = {0}, value = {0};
        if (*p != 0x0a || !(p = varint_get(p + 1, end, &len)) || len > (uint64_t)(end - p) ||
            !wire_parse(slice_of(p, (size_t)len), &name, &value) || out->count == LABEL_COUNT_MAX)
            return false;
        found[out->count] = label_new(arena, name, value);
        out->hash = hash128_add(out->hash, found[out->count++]->hash);
        p += len;
    }
    list = ARENA_ARRAY(arena, const struct label *, out->count + 1);
    if (out->count)
        memcpy(list, found, out->count * sizeof *list);
    out->list = list;
    return true;
}

bool canonical_is_sound(struct slice canonical)
{
    struct arena arena;
    struct labels labels;
    arena_init(&arena, NULL);
    bool fine = labels_of(canonical, &arena, &labels);
    for (uint32_t i = 1; fine && i < labels.count; i++)
        fine = slice_cmp(labels.list[i - 1]->name, labels.list[i]->name) < 0;
    arena_deinit(&arena);
    return fine;
}

struct found {
    const struct labels *series;
    struct exemplar exemplar;
    uint32_t order;
};

static int by_series_and_time(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int c = x->series == y->series ? 0 : labels_cmp(x->series, y->series);
    if (c)
        return c;
    if (x->exemplar.time_ms != y->exemplar.time_ms)
        return x->exemplar.time_ms < y->exemplar.time_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

struct wanted {
    const struct matcher_set *sets;
    uint32_t set_count;
    int64_t mint_ms, maxt_ms;
};

static bool is_wanted(const struct wanted *w, const struct labels *series)
{
    for (uint32_t i = 0; i < w->set_count; i++)
        if (matchers_match(w->sets[i].list, w->sets[i].count, series))
            return true;
    return w->set_count == 0;
}

/* Looks at each series once: its labels, when they are wanted, are in the arena until the lock is free. */
static void judge_series(struct exemplars *e, const struct wanted *w, struct arena *arena) REQUIRES(e->lock)
{
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        for (struct exemplar_series *s = e->buckets[bucket]; s; s = s->next) {
            struct labels *labels = ARENA_NEW(arena, struct labels);
            bool sound = labels_of(slice_of(s->canonical, s->canonical_len), arena, labels);
            s->wanted = sound && is_wanted(w, labels) ? labels : NULL;
        }
}

static size_t collect(struct exemplars *e, const struct wanted *w, struct arena *arena, struct found **out)
{
    size_t n = 0;
    mutex_lock(&e->lock);
    *out = ARENA_ARRAY(arena, struct found, e->count + 1);
    judge_series(e, w, arena);
    for (uint32_t i = 0; i < e->capacity; i++) {
        const struct entry *entry = &e->ring[(e->next + i) % e->capacity]; /* oldest first */
        if (!entry->series || !entry->series->wanted || entry->time_ms < w->mint_ms || entry->time_ms > w->maxt_ms)
            continue;
        struct found *f = &(*out)[n];
        if (!labels_of(slice_of(entry->labels, entry->labels_len), arena, &f->exemplar.labels))
            continue;
        f->series = entry->series->wanted;
        f->exemplar.time_ms = entry->time_ms;
        f->exemplar.value = f64_from_bits(entry->bits);
        f->order = (uint32_t)n++;
    }
    mutex_unlock(&e->lock);
    return n;
}

void head_exemplars(struct head *h, const struct matcher_set *sets, uint32_t set_count, int64_t mint_ms,
                    int64_t maxt_ms, exemplar_visit visit, void *ctx)
{
    struct wanted w = {sets, set_count, mint_ms, maxt_ms};
    struct arena arena;
    struct found *list;
    arena_init(&arena, NULL);
    size_t n = collect(h->exemplars, &w, &arena, &list);
    if (n)
        qsort(list, n, sizeof *list, by_series_and_time);
    for (size_t i = 0; i < n; i++)
        if (!visit(ctx, list[i].series, &list[i].exemplar))
            break;
    arena_deinit(&arena);
}

void exemplars_record(struct head *h, struct buf *records, bool changes)
{
    struct exemplars *e = h->exemplars;
    mutex_lock(&e->lock);
    uint64_t fresh = changes ? e->added - e->told : e->capacity;
    for (uint32_t i = fresh < e->capacity ? e->capacity - (uint32_t)fresh : 0; i < e->capacity; i++) {
        const struct entry *entry = &e->ring[(e->next + i) % e->capacity];
        if (entry->series)
            record_exemplar(records, slice_of(entry->series->canonical, entry->series->canonical_len), entry->time_ms,
                            entry->bits, slice_of(entry->labels, entry->labels_len));
    }
    e->told = e->added;
    mutex_unlock(&e->lock);
}
