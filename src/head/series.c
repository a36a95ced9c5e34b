/* series.c - a series comes to be: its place, its labels, its ways to be found. */
#include "head/hist_internal.h"
#include "head/limits_internal.h"
#include "head/record_internal.h"

series_ref series_find(struct head *h, struct hash128 hash)
{
    struct tag_walk w;
    for (uint32_t id = tags_first(&w, &h->series_index, hash.lo); id; id = tags_next(&w)) {
        if (!(id & ALIAS_BIT)) {
            if (head_line_is(line_of(h, id), hash))
                return id;
            continue;
        }
        uint32_t count;
        const struct alias *a = (const struct alias *)vec_read(&h->aliases, &count) + (id & ~ALIAS_BIT);
        /* The index may be newer or older than the list: what does not fit is not found. */
        if ((id & ~ALIAS_BIT) < count && hash128_eq(a->hash, hash) && series_alive(line_of(h, a->ref)))
            return a->ref;
    }
    return 0;
}

struct series_more *series_more(struct head *h, struct series_line *line)
{
    if (!line->more) {
        line->more = MEM_NEW(struct series_more);
        bytes_add(&h->bytes_chunks, (int64_t)sizeof *line->more);
    }
    return line->more;
}

void more_free(struct head *h, struct series_more *more)
{
    if (!more)
        return;
    int64_t bytes = (int64_t)(sizeof *more + more->chunk_capacity * sizeof *more->chunks);
    for (uint32_t i = 0; i < more->chunk_count; i++) {
        bytes += more->chunks[i].bytes;
        mem_free(more->chunks[i].data);
    }
    bytes_add(&h->bytes_chunks, -bytes);
    side_free(h, &more->side);
    hist_store_free(h, more->hists);
    mem_free(more->chunks);
    mem_free(more);
}

/* The pair ids of a series, decoded; returns how many. */
uint32_t series_pairs(struct head *h, series_ref ref, uint32_t ids[LABEL_COUNT_MAX])
{
    const struct series_line *line = line_of(h, ref);
    uint32_t len;
    const uint8_t *bytes = vec_read(&page_of(h, ref / PAGE_SERIES)->labels, &len);
    const uint8_t *at = bytes + line->labels, *end = bytes + len;
    for (uint32_t i = 0; i < line->label_count; i++) {
        uint64_t id;
        at = varint_get(at, end, &id);
        assert(at != NULL);
        ids[i] = (uint32_t)id;
    }
    return line->label_count;
}

void series_canonical(struct head *h, series_ref ref, struct buf *out)
{
    uint32_t ids[LABEL_COUNT_MAX], count = series_alive(line_of(h, ref)) ? series_pairs(h, ref, ids) : 0;
    buf_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *p = pair_of(h, ids[i]);
        buf_u8(out, 0x0a);
        buf_varint(out, p->wire_bytes);
        buf_append(out, p->wire, p->wire_bytes);
    }
    assert(!out->failed);
}

struct labels series_labels(struct head *h, series_ref ref, struct arena *arena)
{
    uint32_t ids[LABEL_COUNT_MAX];
    struct labels out = {.count = series_pairs(h, ref, ids)};
    const struct label **list = arena_alloc(arena, out.count * sizeof *list);
    for (uint32_t i = 0; i < out.count; i++) {
        list[i] = &pair_of(h, ids[i])->label;
        out.hash = hash128_add(out.hash, list[i]->hash);
    }
    out.list = list;
    return out;
}

/* Labels of as many series as will probably come to the page: 8, 16, 32, 64. */
static uint32_t labels_room(uint32_t slot, uint32_t len)
{
    uint32_t series = 8;
    while (series <= slot)
        series *= 2;
    return (series - slot) * len;
}

static uint32_t labels_store(struct head *h, struct page *p, uint32_t slot, const uint32_t *pairs, uint32_t count)
{
    uint8_t code[LABEL_COUNT_MAX * VARINT_BYTES_MAX], *end = code;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        end = varint_put(end, pairs[i]);
    uint32_t at = vec_count(&p->labels), len = (uint32_t)(end - code);
    memcpy(vec_reserve_room(&p->labels, &h->epochs, len, labels_room(slot, len), 1, &bytes), code, len);
    vec_commit(&p->labels, len);
    bytes_add(&h->bytes_labels, bytes);
    return at;
}

void series_publish(struct head *h, series_ref ref, const uint32_t *pairs, uint32_t count, struct hash128 hash,
                    uint32_t label_bytes)
{
    struct page *p = page_of(h, ref / PAGE_SERIES);
    struct series_line *line = line_of(h, ref);
    uint32_t slot = ref % PAGE_SERIES, labels = labels_store(h, p, slot, pairs, count);
    int64_t bytes = 0;
    mutex_lock(&p->lock);
    line->labels = labels;
    line->label_count = (uint8_t)count;
    line->first = line->end = p->start;
    line->last = 0;
    line->run = 0;
    line->fill = 0;
    line->flags = 0;
    set_relaxed(&line->tail, 0);
    set_relaxed(&line->label_bytes, (uint16_t)label_bytes);
    set_relaxed(&line->hash_hi, hash.hi);
    atomic_store_explicit(&line->hash_lo, hash.lo, memory_order_release);
    if (get_relaxed(&p->slots) <= slot)
        set_relaxed(&p->slots, slot + 1);
    mutex_unlock(&p->lock);
    p->alive++;
    for (uint32_t i = 0; i < count; i++)
        postings_add(h, pair_of(h, pairs[i]), ref);
    tags_put(&h->series_index, &h->epochs, hash.lo, ref, &bytes);
    bytes_add(&h->bytes_index, bytes);
    set_relaxed(&h->series, get_relaxed(&h->series) + 1); /* they have one writer at a time: head->create is held */
    set_relaxed(&h->series_created, get_relaxed(&h->series_created) + 1);
}

/* ---- creation by an appender ---- */

static unsigned open_slot(const struct head_appender *a, int64_t time_ms)
{
    return (unsigned)(((uint64_t)time_ms ^ a->stream) * UINT64_C(0x9e3779b97f4a7c15) >> 56) % OPEN_PAGES;
}

void page_note_open(struct head_appender *a, uint32_t page, int64_t time_ms)
{
    unsigned i = open_slot(a, time_ms);
    a->open[i].time_ms = time_ms;
    a->open[i].stream = a->stream;
    a->open[i].page = page;
}

/*
 * A free place among series of the same sender and time; 0: refs are used up.
 * (NO_LOCK_CHECK here and below: clang does not see that the lock of a->head is the lock of h.)
 */
NO_LOCK_CHECK static series_ref place_new(struct head_appender *a, int64_t time_ms)
{
    unsigned i = open_slot(a, time_ms);
    uint32_t page = a->open[i].page;
    if (page && a->open[i].time_ms == time_ms && a->open[i].stream == a->stream) {
        struct page *p = page_of(a->head, page);
        uint32_t slots = get_relaxed(&p->slots);
        if (slots < PAGE_SERIES && p->alive)
            return page * PAGE_SERIES + slots;
    }
    page = page_new(a->head);
    if (page)
        page_note_open(a, page, time_ms);
    return page * PAGE_SERIES;
}

/* Splits canonical bytes into interned pairs; new ones get a record.  Returns how many. */
NO_LOCK_CHECK static uint32_t intern_labels(struct head_appender *a, struct slice canonical, struct buf *records,
                                            uint32_t ids[LABEL_COUNT_MAX])
{
    struct head *h = a->head;
    const uint8_t *at = canonical.data, *end = at + canonical.len;
    uint32_t count = 0;
    while (at < end) {
        uint64_t len;
        assert(*at == 0x0a && count < LABEL_COUNT_MAX);
        at = varint_get(at + 1, end, &len);
        assert(at && len <= (size_t)(end - at));
        struct slice wire = slice_of(at, len);
        uint32_t cached = count < LABEL_CACHE ? a->cached_pair[count] : 0;
        bool fresh = false;
        const struct pair *p = cached ? pair_of(h, cached) : NULL;
        if (!p || !p->wire || !slice_eq(slice_of(p->wire, p->wire_bytes), wire) || get_relaxed(&p->series) == 0)
            cached = pair_intern(h, wire, &fresh);
        if (fresh && records)
            record_pair(records, cached, wire);
        if (count < LABEL_CACHE)
            a->cached_pair[count] = cached;
        ids[count++] = cached;
        at += len;
    }
    return count;
}

NO_LOCK_CHECK void head_create_begin(struct head_appender *a)
{
    mutex_lock(&a->head->create);
}

NO_LOCK_CHECK void head_create_end(struct head_appender *a)
{
    mutex_unlock(&a->head->create);
}

NO_LOCK_CHECK enum err head_series_get(struct head_appender *a, struct slice canonical, struct hash128 hash,
                                       int64_t time_ms, struct buf *records, series_ref *out)
{
    struct head *h = a->head;
    uint32_t ids[LABEL_COUNT_MAX];
    assert(canonical.len > 0 && canonical.len <= LABELS_BYTES_MAX);
    if ((*out = series_find(h, hash)) != 0)
        return ERR_OK;
    if (!series_allowed(a, canonical))
        return ERR_LIMIT;
    series_ref ref = place_new(a, time_ms);
    if (!ref) {
        a->refusal = (struct head_refusal){HEAD_LIMIT_SERIES, get_relaxed(&h->series), {0}};
        return ERR_LIMIT;
    }
    uint32_t count = intern_labels(a, canonical, records, ids);
    if (records)
        record_series(records, ref, ids, count);
    series_publish(h, ref, ids, count, hash, (uint32_t)canonical.len);
    *out = ref;
    return ERR_OK;
}

void head_alias_add(struct head_appender *a, struct hash128 hash, series_ref ref)
{
    struct head *h = a->head;
    uint32_t count = vec_count(&h->aliases);
    int64_t bytes = 0;
    /* Senders with their own spelling have it for all of their series; more is somebody playing. */
    if (count > get_relaxed(&h->series) + 1024 || series_find(h, hash))
        return;
    uint32_t extra = count ? 1 : 2; /* entry 0 stands for nothing */
    struct alias *at = vec_reserve(&h->aliases, &h->epochs, extra, sizeof *at, &bytes);
    at[0] = at[extra - 1] = (struct alias){hash, ref};
    vec_commit(&h->aliases, extra);
    tags_put(&h->series_index, &h->epochs, hash.lo, ALIAS_BIT | (count + extra - 1), &bytes);
    bytes_add(&h->bytes_index, bytes);
}
