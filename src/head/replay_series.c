/*
 * replay_series.c - the series that records tell of come to be, many at once and side by side.
 *
 * Series of many frames are collected and made together, SLICE at a time, in order of their numbers:
 *
 *     1. one thread:   numbers are read, the slice is put in order
 *     2. all threads:  labels are read and checked, hashes taken, known series looked for; nothing is changed
 *     3. all threads:  lines and labels (a page belongs to one thread), index (a range of tags does),
 *                      postings (a pair does)
 *
 * What is out of the ordinary - one number told twice, a number that has another series - is left to the plain way, one
 * series after the other in the order of the records.  A reader may find a series in postings or index before its line
 * is there, or the other way round: as with one that left, it is not alive or its hash is another.
 */
#include <string.h>

#include "head/replay_internal.h"

enum {
    SLICE = 65536,
    SLICE_FEW = 512,      /* not worth a second thread */
    SPREAD = 64,          /* numbers of a slice may lie in a range of so many times their count ... */
    SPREAD_MIN = 1 << 16, /* ... and this */
    GROUP = 32,           /* hashed together, so that the index is at hand when it is asked */
    PAIRS_TOGETHER = 16,  /* pairs that share lines of the cache have one thread */
};

/* A series of the slice. */
struct made {
    struct hash128 hash;
    series_ref ref, known;      /* known: another one has these labels; it left, but nothing says so */
    uint32_t at, frame;         /* of its record in the batch; in which frame it came */
    uint32_t ids_at, ids_bytes; /* numbers of its pairs within the batch */
    uint16_t label_bytes;
    uint8_t count;
    bool pass; /* it is there already, or its record is wrong */
};

/* A pair that some series have, one after the other in the slice. */
struct event {
    uint32_t id, first, end; /* the pair; of made[] */
};

struct events {
    struct event *list;
    size_t count, capacity;
};

struct slice_work;
/* One thread's part. */
struct part {
    struct slice_work *work;
    unsigned number;
    uint32_t first, end;                      /* of made[]: whole pages */
    struct events events[REPLAY_THREADS_MAX]; /* by the thread that puts them into the postings */
    uint32_t *late;                           /* of made[]: the slot was beyond the part's range */
    size_t late_count, late_capacity;
    struct twice {
        uint32_t one, other;
    } * twice; /* of made[]: equal labels */
    size_t twice_count, twice_capacity;
    uint64_t bad, fresh;
    int64_t bytes_index, bytes_labels, bytes_postings;
    bool odd; /* something is out of the ordinary */
    /* The series before: most labels of the next one are equal. */
    uint8_t *canonical;
    uint32_t ids[LABEL_COUNT_MAX], names[LABEL_COUNT_MAX], offsets[LABEL_COUNT_MAX + 1], count;
    struct event open[LABEL_COUNT_MAX]; /* by the label's place: the series so far with the same pair there */
    uint32_t open_count;
};

struct slice_work {
    struct head_replay *replay;
    struct head *head;
    struct made *made;
    uint32_t count;
    uint32_t *place; /* [ref - base]: index in made, plus 1 */
    uint32_t base, span;
    unsigned threads;
    struct part *parts;
};

/* ---- 1: numbers ---- */

/* The number a record at an offset begins with; it was looked at before. */
static uint32_t ref_at(const struct head_replay *r, uint32_t at)
{
    uint64_t ref = 0;
    const uint8_t *p = varint_get(r->batch.data + at, r->batch.data + r->batch.len, &ref);
    assert(p != NULL);
    return (uint32_t)ref;
}

/* False: a number stands twice, or they lie too far apart. */
static bool slice_order(struct slice_work *w, const struct replay_new *news, uint32_t count)
{
    uint32_t low = UINT32_MAX, high = 0, n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ref = ref_at(w->replay, news[i].at);
        low = ref < low ? ref : low;
        high = ref > high ? ref : high;
    }
    w->base = low;
    w->span = high - low + 1;
    if (w->span > SPREAD * count + SPREAD_MIN)
        return false;
    w->place = mem_array(w->span, sizeof *w->place);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = &w->place[ref_at(w->replay, news[i].at) - low];
        if (*place)
            return false;
        *place = i + 1;
    }
    w->made = mem_array(count, sizeof *w->made);
    for (uint32_t k = 0; k < w->span; k++) {
        if (!w->place[k])
            continue;
        const struct replay_new *from = &news[w->place[k] - 1];
        w->made[n] = (struct made){.ref = low + k, .at = from->at, .frame = from->frame};
        w->place[k] = ++n;
    }
    w->count = n;
    return true;
}

/* ---- 2: labels ---- */

/* Numbers of pairs; false: the record is wrong. */
static bool read_ids(struct part *part, struct made *m, uint32_t *ids)
{
    const struct buf *batch = &part->work->replay->batch;
    const uint8_t *p = batch->data + m->at, *end = batch->data + batch->len;
    uint64_t ref, count, id;
    p = varint_get(p, end, &ref);
    p = p ? varint_get(p, end, &count) : NULL;
    if (!p)
        return false;
    m->count = (uint8_t)count;
    m->ids_at = (uint32_t)(p - batch->data);
    uint32_t pairs = atomic_load_explicit(&part->work->head->pair_count, memory_order_acquire);
    for (uint64_t i = 0; i < count; i++) {
        if (!(p = varint_get(p, end, &id)) || id >= pairs)
            return false;
        ids[i] = (uint32_t)id;
    }
    m->ids_bytes = (uint32_t)(p - batch->data) - m->ids_at;
    return true;
}

/* Puts a pair behind the label bytes there are; the new length, 0: too long. */
static uint32_t put_pair(uint8_t *canonical, uint32_t len, const struct pair *p)
{
    if (p->wire_bytes > LABELS_BYTES_MAX - len)
        return 0;
    uint8_t *at = canonical + len;
    *at++ = 0x0a;
    at = varint_put(at, p->wire_bytes);
    memcpy(at, p->wire, p->wire_bytes);
    len = (uint32_t)(at - canonical) + p->wire_bytes;
    return len <= LABELS_BYTES_MAX ? len : 0;
}

/*
 * Canonical bytes of these pairs into part->canonical, from the first one on in which the series before differs. False:
 * a pair is not known, the names do not ascend, or they are too long.
 */
static bool make_canonical(struct part *part, const uint32_t *ids, uint32_t count)
{
    uint32_t i = 0, before = part->count;
    bool as_before = true; /* the names of the last two are those of the series before, so they ascend */
    while (i < count && i < before && ids[i] == part->ids[i])
        i++;
    for (; i < count; i++) {
        const struct pair *p = pair_of(part->work->head, ids[i]);
        bool known = p->wire && !p->left, same = known && i < before && p->name == part->names[i];
        if (!known || (i && !(same && as_before) &&
                         slice_cmp(pair_of(part->work->head, ids[i - 1])->label.name, p->label.name) >= 0))
            return false;
        as_before = same;
        part->ids[i] = ids[i];
        part->names[i] = p->name;
        part->offsets[i + 1] = put_pair(part->canonical, part->offsets[i], p);
        if (part->offsets[i + 1] == 0)
            return false;
    }
    part->count = count;
    return true;
}

static void close_event(struct part *part, const struct event *open)
{
    unsigned threads = part->work->threads;
    struct events *e = &part->events[threads > 1 ? open->id / PAIRS_TOGETHER % threads : 0];
    if (open->end > open->first) {
        e->list = mem_grow(e->list, &e->capacity, e->count + 1, sizeof *e->list);
        e->list[e->count++] = *open;
    }
}

/* The pairs of a series; those that the series before had at the same place go on. */
static void note_events(struct part *part, uint32_t index)
{
    for (uint32_t i = 0; i < part->count; i++) {
        struct event *open = &part->open[i];
        if (i < part->open_count && open->id == part->ids[i] && open->end == index) {
            open->end++;
            continue;
        }
        if (i < part->open_count)
            close_event(part, open);
        *open = (struct event){part->ids[i], index, index + 1};
    }
    for (uint32_t i = part->count; i < part->open_count; i++)
        close_event(part, &part->open[i]);
    part->open_count = part->count;
}

static void look_at(struct part *part, uint32_t index)
{
    struct made *m = &part->work->made[index];
    struct head *h = part->work->head;
    uint32_t ids[LABEL_COUNT_MAX];
    if (!read_ids(part, m, ids) || !make_canonical(part, ids, m->count)) {
        part->count = 0;
        part->bad++;
        m->pass = true;
        return;
    }
    m->label_bytes = (uint16_t)part->offsets[m->count];
    m->hash = series_hash(&h->key, part->canonical, m->label_bytes);
    tags_prefetch(&h->series_index, m->hash.lo);
    note_events(part, index);
}

static void look_whether_known(struct part *part, struct made *m)
{
    struct head *h = part->work->head;
    const struct series_line *line = line_of(h, m->ref);
    if (m->pass)
        return;
    if (series_alive(line)) {
        m->pass = head_line_is(line, m->hash);
        part->odd = part->odd || !m->pass;
    } else if (line->flags & LINE_LEFT) {
        part->odd = true;
    } else {
        m->known = series_find(h, m->hash);
        part->fresh++;
    }
}

static void *look(void *arg)
{
    struct part *part = arg;
    part->canonical = mem_zalloc(LABELS_BYTES_MAX + VARINT_BYTES_MAX + 1 + SERIES_HASH_SLACK);
    for (uint32_t from = part->first; from < part->end; from += GROUP) {
        uint32_t to = part->end - from < GROUP ? part->end : from + GROUP;
        for (uint32_t i = from; i < to; i++)
            look_at(part, i);
        for (uint32_t i = from; i < to; i++)
            look_whether_known(part, &part->work->made[i]);
    }
    for (uint32_t i = 0; i < part->open_count; i++)
        close_event(part, &part->open[i]);
    mem_free(part->canonical);
    return NULL;
}

/* ---- 3: making ---- */

static void make_line(struct head *h, struct page *p, const struct made *m, uint32_t labels)
{
    struct series_line *line = line_of(h, m->ref);
    uint32_t slot = m->ref % PAGE_SERIES;
    line->labels = labels;
    line->label_count = m->count;
    line->first = line->end = p->start;
    line->last = 0;
    line->run = 0;
    line->fill = 0;
    line->flags = m->frame << LINE_BORN_SHIFT;
    set_relaxed(&line->tail, 0);
    set_relaxed(&line->label_bytes, m->label_bytes);
    set_relaxed(&line->hash_hi, m->hash.hi);
    atomic_store_explicit(&line->hash_lo, m->hash.lo, memory_order_release);
    if (get_relaxed(&p->slots) <= slot)
        set_relaxed(&p->slots, slot + 1);
}

/* The series [from, to) of one page. */
static void make_page(struct part *part, uint32_t from, uint32_t to)
{
    struct slice_work *w = part->work;
    struct head *h = w->head;
    struct page *p = page_of(h, w->made[from].ref / PAGE_SERIES);
    uint32_t bytes = 0, at = vec_count(&p->labels), alive = 0;
    for (uint32_t i = from; i < to; i++)
        bytes += w->made[i].pass ? 0 : w->made[i].ids_bytes;
    if (bytes == 0)
        return;
    uint8_t *out = vec_reserve(&p->labels, &h->epochs, bytes, 1, &part->bytes_labels);
    for (uint32_t i = from; i < to; i++) {
        const struct made *m = &w->made[i];
        if (m->pass)
            continue;
        memcpy(out, w->replay->batch.data + m->ids_at, m->ids_bytes);
        out += m->ids_bytes;
    }
    vec_commit(&p->labels, bytes);
    mutex_lock(&p->lock);
    for (uint32_t i = from; i < to; i++) {
        const struct made *m = &w->made[i];
        if (m->pass)
            continue;
        make_line(h, p, m, at);
        at += m->ids_bytes;
        alive++;
    }
    mutex_unlock(&p->lock);
    p->alive = (uint16_t)(p->alive + alive); /* head->create is held by who started us */
}

static void make_pages(struct part *part)
{
    const struct made *made = part->work->made;
    for (uint32_t from = part->first, to; from < part->end; from = to) {
        for (to = from + 1; to < part->end && made[to].ref / PAGE_SERIES == made[from].ref / PAGE_SERIES;)
            to++;
        make_page(part, from, to);
    }
}

/* An entry of the index has the tag of made[index]: whether it is of this slice, with the same labels. */
static void note_equal(struct part *part, uint32_t index, uint32_t id)
{
    const struct slice_work *w = part->work;
    uint32_t other = id >= w->base && id - w->base < w->span ? w->place[id - w->base] : 0;
    if (other == 0 || other - 1 == index || w->made[other - 1].pass ||
        !hash128_eq(w->made[other - 1].hash, w->made[index].hash))
        return;
    part->twice = mem_grow(part->twice, &part->twice_capacity, part->twice_count + 1, sizeof *part->twice);
    part->twice[part->twice_count++] = (struct twice){index, other - 1};
}

static void note_late(struct part *part, uint32_t index)
{
    part->late = mem_grow(part->late, &part->late_capacity, part->late_count + 1, sizeof *part->late);
    part->late[part->late_count++] = index;
}

/* Entries whose place is within this part's share of the table; what would run out of it waits. */
static void put_into_index(struct part *part)
{
    enum { AHEAD = 16 };
    const struct slice_work *w = part->work;
    struct tags *index = &w->head->series_index;
    uint64_t low, high;
    tags_share(index, part->number, w->threads, &low, &high);
    for (uint32_t i = 0; i < w->count; i++) {
        if (i + AHEAD < w->count)
            tags_prefetch(index, w->made[i + AHEAD].hash.lo);
        const struct made *m = &w->made[i];
        if (m->pass || !tags_in_share(index, m->hash.lo, low, high))
            continue;
        struct tag_walk walk;
        for (uint32_t id = tags_first(&walk, index, m->hash.lo); id; id = tags_next(&walk))
            note_equal(part, i, id);
        for (size_t k = 0; k < part->late_count; k++)
            note_equal(part, i, w->made[part->late[k]].ref);
        if (!tags_put_in_share(index, m->hash.lo, m->ref, high))
            note_late(part, i);
    }
}

static void put_into_postings(struct part *part)
{
    const struct slice_work *w = part->work;
    for (unsigned k = 0; k < w->threads; k++) {
        const struct events *e = &w->parts[k].events[part->number];
        for (size_t i = 0; i < e->count; i++) {
            struct pair *p = pair_of(w->head, e->list[i].id);
            for (uint32_t n = e->list[i].first; n < e->list[i].end; n++)
                if (!w->made[n].pass)
                    postings_put(w->head, p, w->made[n].ref, &part->bytes_postings);
        }
    }
}

static void *make(void *arg)
{
    struct part *part = arg;
    make_pages(part);
    put_into_index(part);
    put_into_postings(part);
    return NULL;
}

/* ---- a slice ---- */

static void parts_cut(struct slice_work *w)
{
    for (uint32_t i = 0, start = 0, end; i < w->threads; i++, start = end) {
        end = i + 1 == w->threads ? w->count : (uint32_t)((uint64_t)w->count * (i + 1) / w->threads);
        end = end < start ? start : end;
        while (end > start && end < w->count && w->made[end].ref / PAGE_SERIES == w->made[end - 1].ref / PAGE_SERIES)
            end++;
        w->parts[i].work = w;
        w->parts[i].number = i;
        w->parts[i].first = start;
        w->parts[i].end = end;
    }
}

static void parts_run(struct slice_work *w, void *(*run)(void *part))
{
    pthread_t threads[REPLAY_THREADS_MAX];
    for (unsigned i = 1; i < w->threads; i++)
        threads[i] = thread_start("replay", run, &w->parts[i]);
    run(&w->parts[0]);
    for (unsigned i = 1; i < w->threads; i++)
        pthread_join(threads[i], NULL);
}

/* The labels are there under another number, too: that series had left before the record was written. */
NO_LOCK_CHECK static void left(struct slice_work *w, series_ref ref, struct hash128 hash)
{
    const struct series_line *line = line_of(w->head, ref);
    if (series_alive(line) && head_line_is(line, hash))
        replay_series_left(w->replay, ref);
}

/* What the threads could not do side by side. */
NO_LOCK_CHECK static void parts_settle(struct slice_work *w)
{
    struct head *h = w->head;
    uint64_t fresh = 0;
    for (unsigned i = 0; i < w->threads; i++) {
        struct part *part = &w->parts[i];
        for (size_t k = 0; k < part->late_count; k++) {
            const struct made *m = &w->made[part->late[k]];
            tags_put(&h->series_index, &h->epochs, m->hash.lo, m->ref, &part->bytes_index);
        }
        bytes_add(&h->bytes_index, part->bytes_index);
        bytes_add(&h->bytes_labels, part->bytes_labels);
        bytes_add(&h->bytes_postings, part->bytes_postings);
        fresh += part->fresh;
    }
    atomic_fetch_add_explicit(&h->series, fresh, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->series_created, fresh, memory_order_relaxed);
    w->replay->report.series += fresh;
    for (uint32_t k = 0; k < w->count; k++)
        if (w->made[k].known)
            left(w, w->made[k].known, w->made[k].hash);
    for (unsigned i = 0; i < w->threads; i++)
        for (size_t k = 0; k < w->parts[i].twice_count; k++) {
            const struct made *a = &w->made[w->parts[i].twice[k].one], *b = &w->made[w->parts[i].twice[k].other];
            left(w, a->at < b->at ? a->ref : b->ref, a->hash); /* the one that was told first */
        }
}

/* False: out of the ordinary, and nothing was done. */
NO_LOCK_CHECK static bool make_side_by_side(struct slice_work *w, bool *fine)
{
    bool odd = false;
    uint64_t fresh = 0, late = 0;
    parts_cut(w);
    parts_run(w, look);
    for (unsigned i = 0; i < w->threads; i++) {
        odd = odd || w->parts[i].odd;
        fresh += w->parts[i].fresh;
    }
    if (odd)
        return false;
    for (unsigned i = 0; i < w->threads; i++)
        *fine = *fine && w->parts[i].bad == 0;
    tags_room(&w->head->series_index, &w->head->epochs, fresh, &w->parts[0].bytes_index);
    parts_run(w, make);
    for (unsigned i = 0; i < w->threads; i++)
        late += w->parts[i].late_count;
    tags_used(&w->head->series_index, fresh - late);
    parts_settle(w);
    return true;
}

/* One after the other, as they were written. */
NO_LOCK_CHECK static bool make_plainly(struct head_replay *r, const struct replay_new *news, uint32_t n)
{
    const uint8_t *end = r->batch.data + r->batch.len;
    bool fine = true;
    replay_land(r); /* a sample of before must not meet a series that is only half made */
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *p = r->batch.data + news[i].at;
        uint32_t ids[LABEL_COUNT_MAX];
        uint64_t ref, count = 0, id;
        p = varint_get(p, end, &ref);
        p = p ? varint_get(p, end, &count) : NULL;
        for (uint64_t k = 0; p && k < count; k++) {
            p = varint_get(p, end, &id);
            ids[k] = id < UINT32_MAX ? (uint32_t)id : UINT32_MAX;
        }
        fine = p && replay_series(r, ref, ids, (uint32_t)count, news[i].frame) && fine;
    }
    return fine;
}

static void work_deinit(struct slice_work *w)
{
    for (unsigned i = 0; i < w->threads; i++) {
        for (unsigned k = 0; k < w->threads; k++)
            mem_free(w->parts[i].events[k].list);
        mem_free(w->parts[i].late);
        mem_free(w->parts[i].twice);
    }
    mem_free(w->parts);
    mem_free(w->made);
    mem_free(w->place);
}

static bool make_slice(struct head_replay *r, const struct replay_new *news, uint32_t count)
{
    bool fine = true;
    struct slice_work w = {.replay = r, .head = r->head, .threads = count < SLICE_FEW ? 1 : r->threads};
    w.parts = mem_array(w.threads, sizeof *w.parts);
    if (!slice_order(&w, news, count) || !make_side_by_side(&w, &fine))
        fine = make_plainly(r, news, count);
    work_deinit(&w);
    return fine;
}

NO_LOCK_CHECK bool replay_make_series(struct head_replay *r, size_t count)
{
    bool fine = true;
    assert(count <= r->new_count);
    if (count == 0)
        return true;
    mutex_lock(&r->head->create);
    for (size_t i = 0; i < count; i += SLICE)
        fine = make_slice(r, r->news + i, (uint32_t)(count - i < SLICE ? count - i : SLICE)) && fine;
    mutex_unlock(&r->head->create);
    r->new_count -= count;
    if (r->new_count)
        memmove(r->news, r->news + count, r->new_count * sizeof *r->news);
    epoch_tidy(&r->head->epochs);
    return fine;
}
