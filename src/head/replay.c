/*
 * replay.c - a head from its records.
 *
 * Frames come in order, but within a frame the lanes stand one after the other: a record of one lane
 * may build on one of a lane behind it.  So pairs are defined first, then series are made, then the
 * sample runs are sorted by page and by the page's own sequence numbers.  Series and runs of many frames
 * are collected and made and applied together by several threads: a page is touched by one thread.
 *
 * The sequence numbers also make the replay idempotent (a checkpoint may contain what its log repeats)
 * and show where records are missing: values are differences to their predecessors, so the series of
 * such a page are marked and their samples counted as lost until a checkpoint starts them anew.
 *
 * Every byte is checked as if anybody could have written it.
 */
#include "head/replay_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BATCH_BYTES = 4 << 20,
    BATCH_RUNS = 1 << 18,
    /* Numbers are given out in order; one far beyond what is known is damage, not a reason to take memory. */
    PAGE_JUMP_MAX = 1 << 18,
    PAIR_JUMP_MAX = 1 << 22,
};

static bool page_is_near(struct head *h, uint64_t page)
{
    return page > 0 && page < (uint64_t)SEGMENTS_MAX * SEGMENT_PAGES &&
           page < get_relaxed(&h->page_count) + PAGE_JUMP_MAX;
}

struct head_replay *head_replay_new(struct head *h, unsigned threads)
{
    struct head_replay *r = MEM_NEW(struct head_replay);
    r->head = h;
    r->leaving.head = h;
    r->threads = threads < 1 ? 1 : threads > REPLAY_THREADS_MAX ? REPLAY_THREADS_MAX : threads;
    for (unsigned i = 0; i < r->threads; i++)
        r->appenders[i] = head_appender_new(h);
    return r;
}

enum err replay_damaged(struct head_replay *r, struct errmsg *why, const char *what)
{
    if (r->report.damaged++ == 0)
        snprintf(r->report.first_damage, sizeof r->report.first_damage, "%s", what);
    return err_set(why, ERR_CORRUPT, "replay: %s", what);
}

/* ---- parsing ---- */

static const uint8_t *get_bytes(const uint8_t *p, const uint8_t *end, struct slice *out)
{
    uint64_t len;
    p = varint_get(p, end, &len);
    if (!p || len > (uint64_t)(end - p))
        return NULL;
    *out = slice_of(p, (size_t)len);
    return p + len;
}

/* A page of which the log knows keeps its number, even when what its series are is lost. */
bool replay_page_reserve(struct head_replay *r, uint64_t page)
{
    if (!page_is_near(r->head, page))
        return false;
    if (page >= get_relaxed(&r->head->page_count)) {
        mutex_lock(&r->head->create);
        page_begin(r->head, (uint32_t)page);
        mutex_unlock(&r->head->create);
    }
    return true;
}

static const uint8_t *parse_histogram(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t ref, sequence;
    struct slice code;
    if (!(p = varint_get(p, end, &ref)) || !(p = varint_get(p, end, &sequence)) || end - p < 8)
        return NULL;
    int64_t time_ms = (int64_t)le64_get(p);
    if (!(p = get_bytes(p + 8, end, &code)))
        return NULL;
    if (sequence > UINT32_MAX || !replay_page_reserve(r, ref / PAGE_SERIES))
        return NULL;
    r->runs = mem_grow(r->runs, &r->run_capacity, r->run_count + 1, sizeof *r->runs);
    r->runs[r->run_count++] = (struct replay_run){.kind = REPLAY_HISTOGRAM,
                                                  .page = (uint32_t)ref / PAGE_SERIES,
                                                  .slot = (uint8_t)(ref % PAGE_SERIES),
                                                  .sequence = (uint32_t)sequence,
                                                  .time_ms = time_ms,
                                                  .at = (uint32_t)(code.data - r->batch.data),
                                                  .logged = code.len,
                                                  .frame = r->frame};
    return p;
}

static const uint8_t *parse_exemplar(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    struct slice series, labels;
    if (!(p = get_bytes(p, end, &series)) || end - p < 16)
        return NULL;
    int64_t time_ms = (int64_t)le64_get(p);
    uint64_t bits = le64_get(p + 8);
    if (!(p = get_bytes(p + 16, end, &labels)) || series.len == 0 || series.len > LABELS_BYTES_MAX ||
        labels.len > LABELS_BYTES_MAX || !canonical_is_sound(series) || !canonical_is_sound(labels))
        return NULL;
    exemplar_store(r->head, series, time_ms, bits, labels);
    r->report.exemplars++;
    return p;
}

/*
 * A series that a record makes anew at another place had left the head before that record, and all its samples were
 * in blocks then; nothing says so in the log.  The older checkpoint from which we come may still have it.
 */
NO_LOCK_CHECK void replay_series_left(struct head_replay *r, series_ref ref)
{
    replay_land(r); /* what came before may be its samples */
    leave_now(&r->leaving, ref);
    line_of(r->head, ref)->flags |= LINE_LEFT;
}

/* The same of a pair: all series that had it had left. */
NO_LOCK_CHECK static void pair_left(struct head_replay *r, uint32_t id)
{
    struct pair *p = pair_of(r->head, id);
    struct refs refs = {0};
    postings_read(p, &refs);
    for (size_t i = 0; i < refs.count; i++)
        if (series_alive(line_of(r->head, refs.list[i])))
            replay_series_left(r, refs.list[i]);
    refs_deinit(&refs);
    p->left = true;
    r->leaving.pairs = mem_grow(r->leaving.pairs, &r->leaving.pair_capacity, r->leaving.pair_count + 1, sizeof id);
    r->leaving.pairs[r->leaving.pair_count++] = id;
}

/* clang does not see that the lock of r->head is that of h. */
NO_LOCK_CHECK static bool define_pair(struct head_replay *r, uint32_t id, struct slice wire)
{
    struct head *h = r->head;
    mutex_lock(&h->create);
    bool fine = pair_define(h, id, wire);
    bool taken = id < get_relaxed(&h->pair_count) && pair_of(h, id)->wire;
    if (!fine && !taken) {
        mutex_unlock(&h->create);
        r->contradicted = !replay_make_series(r, r->frame_news) || r->contradicted; /* they came before this record */
        r->frame_news = 0;
        mutex_lock(&h->create);
        pair_left(r, pair_find_bytes(h, wire));
        fine = pair_define(h, id, wire);
    }
    mutex_unlock(&h->create);
    return fine;
}

static const uint8_t *parse_numbers(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t pair;
    if (!(p = varint_get(p, end, &pair)) || pair >= (uint64_t)PAIR_SEGMENT * PAIR_SEGMENTS_MAX ||
        pair >= get_relaxed(&r->head->pair_count) + (uint64_t)PAIR_JUMP_MAX)
        return NULL;
    mutex_lock(&r->head->create);
    pairs_reach(r->head, (uint32_t)pair);
    mutex_unlock(&r->head->create);
    return p;
}

static const uint8_t *parse_pair(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t id;
    struct slice wire, name, value;
    if (!(p = varint_get(p, end, &id)) || !(p = get_bytes(p, end, &wire)))
        return NULL;
    if (id == 0 || id >= (uint64_t)PAIR_SEGMENT * PAIR_SEGMENTS_MAX ||
        id >= get_relaxed(&r->head->pair_count) + PAIR_JUMP_MAX || wire.len > LABELS_BYTES_MAX ||
        !wire_parse(wire, &name, &value))
        return NULL;
    return define_pair(r, (uint32_t)id, wire) ? p : NULL;
}

static const uint8_t *parse_metadata(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    struct metadata m = {0};
    if (p == end || *p > METADATA_STATESET)
        return NULL;
    m.type = (enum metadata_type) * p++;
    if (!(p = get_bytes(p, end, &m.metric)) || !(p = get_bytes(p, end, &m.help)) || !(p = get_bytes(p, end, &m.unit)))
        return NULL;
    metadata_store(r->head, &m);
    r->report.metadata++;
    return p;
}

/* Remembers a series record until all pairs of the frame are known. */
static const uint8_t *parse_series(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t ref, count, id;
    uint32_t at = (uint32_t)(p - r->batch.data);
    if (!(p = varint_get(p, end, &ref)) || !(p = varint_get(p, end, &count)) || count == 0 || count > LABEL_COUNT_MAX)
        return NULL;
    for (uint64_t i = 0; i < count; i++)
        if (!(p = varint_get(p, end, &id)))
            return NULL;
    if (!replay_page_reserve(r, ref / PAGE_SERIES)) {
        r->contradicted = true;
        return p;
    }
    r->news = mem_grow(r->news, &r->new_capacity, r->new_count + 1, sizeof *r->news);
    r->news[r->new_count++] = (struct replay_new){at, r->frame};
    return p;
}

/* Remembers a page; series that stand before it in the frame are made first. */
static const uint8_t *parse_page(struct head_replay *r, const uint8_t *p, const uint8_t *end, bool changes)
{
    uint64_t page;
    struct slice content;
    if (!(p = varint_get(p, end, &page)) || !(p = get_bytes(p, end, &content)))
        return NULL;
    if (!page_is_near(r->head, page))
        return NULL;
    mutex_lock(&r->head->create);
    page_begin(r->head, (uint32_t)page);
    mutex_unlock(&r->head->create);
    r->pages = mem_grow(r->pages, &r->page_capacity, r->page_count + 1, sizeof *r->pages);
    r->pages[r->page_count++] =
        (struct replay_page){(uint32_t)page, (uint32_t)(content.data - r->batch.data), (uint32_t)content.len, changes};
    return p;
}

static const uint8_t *parse_deferred(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    struct head_deferred d;
    if (end - p < 8)
        return NULL;
    d.life = le64_get(p);
    if (!(p = varint_get(p + 8, end, &d.number)) || end - p < 16)
        return NULL;
    d.now_ms = (int64_t)le64_get(p);
    d.stream = le64_get(p + 8);
    p = get_bytes(p + 16, end, &d.body);
    return p && deferred_keep(r->head, &d) ? p : NULL;
}

/* Remembered until the end of the frame: another lane may have it before the request itself. */
static const uint8_t *parse_applied(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    uint64_t number;
    if (end - p < 8 || !varint_get(p + 8, end, &number))
        return NULL;
    r->applied = mem_grow(r->applied, &r->applied_capacity, r->applied_count + 1, sizeof *r->applied);
    r->applied[r->applied_count].life = le64_get(p);
    r->applied[r->applied_count++].number = number;
    return varint_get(p + 8, end, &number);
}

static void settle_applied(struct head_replay *r)
{
    for (size_t i = 0; i < r->applied_count; i++)
        deferred_applied(r->head, r->applied[i].life, r->applied[i].number);
    r->applied_count = 0;
}

static const uint8_t *parse_record(struct head_replay *r, const uint8_t *p, const uint8_t *end)
{
    r->report.records++;
    uint8_t type = *p++;
    if ((type & ~TRACK_FLAGS) == RECORD_TRACK)
        return parse_track(r, type & TRACK_FLAGS, p, end);
    if ((type & ~RUN_FLAGS) == RECORD_RUN)
        return parse_run(r, type & RUN_FLAGS, p, end);
    switch (type) {
    case RECORD_REQUEST:
        r->before = (struct record_place){.time_ms = NO_TIME};
        return p;
    case RECORD_PAIR:
        return parse_pair(r, p, end);
    case RECORD_SERIES:
        return parse_series(r, p, end);
    case RECORD_SAMPLES:
        return parse_samples(r, p, end);
    case RECORD_METADATA:
        return parse_metadata(r, p, end);
    case RECORD_EXEMPLAR:
        return parse_exemplar(r, p, end);
    case RECORD_HISTOGRAM:
        return parse_histogram(r, p, end);
    case RECORD_PAGE:
    case RECORD_CHANGES:
        return parse_page(r, p, end, p[-1] == RECORD_CHANGES);
    case RECORD_DEFERRED:
        return parse_deferred(r, p, end);
    case RECORD_APPLIED:
        return parse_applied(r, p, end);
    case RECORD_NUMBERS:
        return parse_numbers(r, p, end);
    default:
        return NULL;
    }
}

/* ---- series ---- */

/* Canonical bytes of these pairs; false when one is not known, or the order is wrong. */
static bool canonical_of(struct head *h, const uint32_t *ids, uint32_t count, struct buf *out)
{
    struct slice before = {0};
    buf_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *p = ids[i] < atomic_load(&h->pair_count) ? pair_of(h, ids[i]) : NULL;
        if (!p || !p->wire || p->left)
            return false;
        if (slice_cmp(before, p->label.name) >= 0)
            return false;
        before = p->label.name;
        buf_u8(out, 0x0a);
        buf_varint(out, p->wire_bytes);
        buf_append(out, p->wire, p->wire_bytes);
    }
    size_t len = out->len;
    buf_append(out, (const uint8_t[SERIES_HASH_SLACK]){0}, SERIES_HASH_SLACK);
    out->len = len;
    return !out->failed && len <= LABELS_BYTES_MAX;
}

/* (The caller holds the lock: clang does not see that the lock of r->head is that of h.) */
NO_LOCK_CHECK bool replay_series(struct head_replay *r, uint64_t ref, const uint32_t *ids, uint32_t count,
                                 uint32_t frame)
{
    struct head *h = r->head;
    if (!page_is_near(h, ref / PAGE_SERIES) || !canonical_of(h, ids, count, &r->canonical))
        return false;
    struct hash128 hash = series_hash(&h->key, r->canonical.data, r->canonical.len);
    series_ref known = series_find(h, hash);
    if (known == ref && known)
        return true;
    page_begin(h, (uint32_t)ref / PAGE_SERIES);
    /* The number of one that left is given out again only when no record tells the older one any more. */
    if (series_alive(line_of(h, (series_ref)ref)) || line_of(h, (series_ref)ref)->flags & LINE_LEFT)
        return false;
    if (known)
        replay_series_left(r, known);
    series_publish(h, (series_ref)ref, ids, count, hash, (uint32_t)r->canonical.len);
    line_of(h, (series_ref)ref)->flags = frame << LINE_BORN_SHIFT;
    r->report.series++;
    return true;
}

/* ---- frames ---- */

enum err head_replay_frame(struct head_replay *r, struct slice payload, struct errmsg *why)
{
    r->contradicted = false;
    if (r->batch.len + payload.len > BATCH_BYTES || r->run_count > BATCH_RUNS)
        replay_apply(r);
    else if (r->new_count >= REPLAY_SERIES_MANY)
        r->contradicted = !replay_make_series(r, r->new_count);
    r->frame_news = r->new_count;
    size_t start = r->batch.len;
    if (buf_reserve(&r->batch, payload.len + 8))
        buf_slice(&r->batch, payload);
    if (r->batch.failed || r->batch.len > UINT32_MAX)
        return err_set(why, ERR_NO_MEMORY, "replay: a frame of %zu bytes does not fit into memory", payload.len);
    const uint8_t *p = r->batch.data + start, *end = r->batch.data + r->batch.len;
    r->frame++;
    r->before = (struct record_place){.time_ms = NO_TIME};
    while (p && p < end)
        p = parse_record(r, p, end);
    settle_applied(r);
    if (!p)
        return replay_damaged(r, why, "a record breaks the format");
    return r->contradicted ? replay_damaged(r, why, "a series contradicts what is known") : ERR_OK;
}

/*
 * Numbers that no record uses.  They may be in the checkpoint before the one that was read, which stands in for it as
 * long as no other is published, so they wait like those of series that leave.
 */
static void find_free(struct head *h)
{
    mutex_lock(&h->create);
    uint32_t pages = get_relaxed(&h->page_count), pairs = get_relaxed(&h->pair_count);
    for (uint32_t page = 1; page < pages; page++)
        if (page_of(h, page)->alive == 0)
            page_leave(h, page);
    for (uint32_t id = 1; id < pairs; id++)
        if (!pair_of(h, id)->wire) {
            h->left_pairs = mem_grow(h->left_pairs, &h->left_pair_capacity, h->left_pair_count + 1, sizeof id);
            h->left_pairs[h->left_pair_count++] = id;
        }
    h->old_pages = h->left_page_count;
    h->old_pairs = h->left_pair_count;
    mutex_unlock(&h->create);
}

void head_replay_settle(struct head_replay *r)
{
    replay_apply(r);
    replay_land(r);
}

void head_replay_finish(struct head_replay *r, struct head_replay_report *out)
{
    replay_apply(r);
    replay_land(r);
    replay_flight_deinit(&r->flight);
    leave_settle(&r->leaving);
    find_free(r->head);
    count_add(&r->head->replay_lost, r->report.lost);
    *out = r->report;
    for (unsigned i = 0; i < r->threads; i++)
        head_appender_free(r->appenders[i]);
    epoch_reclaim(&r->head->epochs);
    buf_deinit(&r->batch);
    buf_deinit(&r->canonical);
    mem_free(r->runs);
    mem_free(r->pages);
    mem_free(r->news);
    mem_free(r->applied);
    mem_free(r);
}
