/*
 * block_writer.c - from samples to files; the contract is in block_writer.h.
 *
 * Samples of the current series wait in `pending` until there are enough for a chunk.  The data file
 * and the index's times and chunks sections are written as they come; labels, dictionary and postings
 * follow at the end, when all names and values can be sorted.
 */
#include "block/block_writer.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/crc32c.h"
#include "block/chunk_group_internal.h"
#include "block/symbols_internal.h"
#include "block/times_internal.h"
#include "block/toc_internal.h"
#include "chunk/chunk.h"
#include "chunk/hist_chunk.h"

enum { INDEX_ZSTD_LEVEL = 6 };

/* Samples of one kind that are not in a chunk yet. */
struct pending {
    uint32_t count;
    bool histograms, starts;
    int64_t *times, *start_times; /* [2 * chunk_samples_max] */
    double *values;
    const struct histogram **hists; /* copies in `arena` */
    struct arena arena;
};

struct block_writer {
    struct fs *fs;
    char *dir;
    struct block_writer_options options;
    uint32_t max; /* samples of a chunk */
    struct page_writer index, data;
    struct times_writer times;
    struct chunk_group_writer group;
    struct symbols symbols;
    struct toc toc;
    struct buf page, payload, fences;
    uint32_t group_first; /* ordinal of the group's first series */
    bool in_series;       /* labels are known */
    bool has_chunks;      /* and at least one chunk */
    struct arena labels_arena, last_arena;
    struct labels labels, last; /* of this series, and of the last one that has chunks */
    bool has_last;
    struct chunk_hint hint;
    int64_t last_time_ms;
    bool has_time;
    struct pending pending;
    uint64_t left_out; /* histograms that cannot be stored */
};

enum err block_writer_new(struct fs *fs, const char *dir, const struct block_writer_options *options,
                          struct block_writer **out, struct errmsg *why)
{
    struct block_writer *w = MEM_NEW(struct block_writer);
    w->fs = fs;
    w->dir = mem_strdup(dir);
    w->options = *options;
    /* Pages and payloads are bounded: a writer that went on without some bytes would lose samples. */
    w->page.own = w->payload.own = w->fences.own = true;
    w->max = options->chunk_samples_max ? options->chunk_samples_max : CHUNK_SAMPLES_GOOD;
    assert(w->max >= 1 && 2 * w->max <= CHUNK_SAMPLES_MAX);
    w->toc.meta = (struct block_meta){.id = options->id,
                                      .level = options->level,
                                      .mint_ms = INT64_MAX,
                                      .maxt_ms = INT64_MIN,
                                      .seq_min = options->seq_min,
                                      .seq_max = options->seq_max};
    times_writer_init(&w->times, &options->id);
    chunk_group_init(&w->group, &w->data, options->zstd_level);
    symbols_init(&w->symbols);
    arena_init(&w->labels_arena, NULL);
    arena_init(&w->last_arena, NULL);
    arena_init(&w->pending.arena, NULL);
    w->pending.times = (int64_t *)mem_array(2 * w->max, sizeof(int64_t));
    w->pending.start_times = (int64_t *)mem_array(2 * w->max, sizeof(int64_t));
    w->pending.values = (double *)mem_array(2 * w->max, sizeof(double));
    w->pending.hists = (const struct histogram **)mem_array(2 * w->max, sizeof(struct histogram *));
    enum err err = fs_mkdir(fs, dir, why);
    if (err == ERR_OK)
        err = page_writer_open(&w->data, fs, dir, FILE_DATA, options, why);
    if (err == ERR_OK)
        err = page_writer_open(&w->index, fs, dir, FILE_INDEX, options, why);
    if (err != ERR_OK) {
        block_writer_free(w);
        return err_wrap(why, err, "write block %s", dir);
    }
    *out = w;
    return ERR_OK;
}

void block_writer_free(struct block_writer *w)
{
    if (!w)
        return;
    page_writer_deinit(&w->index);
    page_writer_deinit(&w->data);
    times_writer_deinit(&w->times);
    chunk_group_deinit(&w->group);
    symbols_deinit(&w->symbols);
    toc_deinit(&w->toc);
    buf_deinit(&w->page);
    buf_deinit(&w->payload);
    buf_deinit(&w->fences);
    arena_deinit(&w->labels_arena);
    arena_deinit(&w->last_arena);
    arena_deinit(&w->pending.arena);
    mem_free(w->pending.times);
    mem_free(w->pending.start_times);
    mem_free(w->pending.values);
    mem_free(w->pending.hists);
    mem_free(w->dir);
    mem_free(w);
}

/* Appends w->page to the index as a page of a section. */
static enum err put_index_page(struct block_writer *w, enum section section, uint64_t first, struct slice raw,
                               struct errmsg *why)
{
    uint64_t offset;
    uint32_t stored;
    TRY(page_append(&w->index, raw, INDEX_ZSTD_LEVEL, &offset, &stored, why));
    toc_add_page(&w->toc.sections[section], offset, stored, first);
    return ERR_OK;
}

static enum err put_times_pages(struct block_writer *w, bool all, struct errmsg *why)
{
    for (;;) {
        uint32_t first;
        buf_reset(&w->page);
        times_page_put(&w->times, all, &w->page, &first);
        if (w->page.len == 0)
            return ERR_OK;
        TRY(put_index_page(w, SECTION_TIMES, first, buf_view(&w->page), why));
    }
}

static enum err put_group(struct block_writer *w, struct errmsg *why)
{
    if (w->group.series_count == 0)
        return ERR_OK;
    uint32_t series = w->group.series_count;
    buf_reset(&w->page);
    TRY(chunk_group_put(&w->group, &w->page, why));
    TRY(put_index_page(w, SECTION_CHUNKS, w->group_first, buf_view(&w->page), why));
    w->group_first += series;
    return put_times_pages(w, false, why);
}

static enum err add_chunk(struct block_writer *w, struct times_cut cut, const int64_t *times, unsigned flags,
                          struct slice payload, struct errmsg *why)
{
    struct block_meta *m = &w->toc.meta;
    TRY(chunk_group_add(&w->group, cut, flags, payload, why));
    m->chunks++;
    m->samples += cut.count;
    m->histogram_samples += flags & ENTRY_HISTOGRAM ? cut.count : 0;
    m->mint_ms = times[0] < m->mint_ms ? times[0] : m->mint_ms;
    m->maxt_ms = times[cut.count - 1] > m->maxt_ms ? times[cut.count - 1] : m->maxt_ms;
    w->has_chunks = true;
    return ERR_OK;
}

static unsigned entry_flags(uint32_t chunk_flags)
{
    return (chunk_flags & CHUNK_HAS_STALE ? ENTRY_STALE : 0) | (chunk_flags & CHUNK_CONSTANT ? ENTRY_INLINE : 0);
}

/* Histogram chunks end where the scale changes, too; 0: the first one cannot be stored. */
static uint32_t histograms_that_fit(const struct pending *p)
{
    uint32_t n = p->count < HIST_CHUNK_SAMPLES_MAX ? p->count : HIST_CHUNK_SAMPLES_MAX;
    return hist_chunk_fit(p->hists, n);
}

/* Writes the first `cut.count` pending samples as a chunk. */
static enum err put_pending_chunk(struct block_writer *w, struct times_cut cut, struct errmsg *why)
{
    struct pending *p = &w->pending;
    unsigned flags;
    buf_reset(&w->payload);
    if (p->starts)
        ints_encode(p->start_times, cut.count, &w->payload);
    if (p->histograms)
        flags = ENTRY_HISTOGRAM | entry_flags(hist_chunk_encode(p->hists, cut.count, &w->payload));
    else
        flags = entry_flags(chunk_encode_values(p->values, cut.count, &w->hint, &w->payload));
    if (p->starts)
        flags = ENTRY_STARTS | (flags & ~(unsigned)ENTRY_INLINE);
    if (w->payload.len > PAGE_RAW_MAX)
        return err_set(why, ERR_LIMIT, "chunk of %zu bytes", w->payload.len);
    return add_chunk(w, cut, p->times, flags, buf_view(&w->payload), why);
}

static void drop_pending(struct pending *p, uint32_t n)
{
    uint32_t rest = p->count - n;
    memmove(p->times, p->times + n, rest * sizeof *p->times);
    memmove(p->start_times, p->start_times + n, rest * sizeof *p->start_times);
    memmove(p->values, p->values + n, rest * sizeof *p->values);
    memmove(p->hists, p->hists + n, rest * sizeof *p->hists);
    p->count = rest;
    if (rest == 0) {
        arena_deinit(&p->arena);
        p->starts = false;
    }
}

/* Chunks from what is pending, until at most `keep` samples are left; last: no more of this kind follow. */
static enum err drain(struct block_writer *w, uint32_t keep, bool last, struct errmsg *why)
{
    struct pending *p = &w->pending;
    while (p->count > keep) {
        uint32_t n = p->count;
        bool end = last;
        if (p->histograms) {
            n = histograms_that_fit(p);
            if (n == 0) {
                drop_pending(p, 1);
                w->left_out++;
                continue;
            }
            end = last || n < p->count;
        }
        struct times_cut cut = times_cut(&w->times, p->times, n, w->max, end);
        TRY(put_pending_chunk(w, cut, why));
        drop_pending(p, cut.count);
    }
    return ERR_OK;
}

static enum err end_series(struct block_writer *w, struct errmsg *why)
{
    if (!w->in_series)
        return ERR_OK;
    TRY(drain(w, 0, true, why));
    w->in_series = false;
    if (!w->has_chunks)
        return ERR_OK;
    if (w->symbols.series_count == SERIES_MAX)
        return err_set(why, ERR_LIMIT, "more than %d series in one block", SERIES_MAX);
    symbols_add_series(&w->symbols, &w->labels);
    chunk_group_end_series(&w->group);
    struct arena swap = w->last_arena;
    w->last_arena = w->labels_arena;
    w->labels_arena = swap;
    w->last = w->labels;
    w->has_last = true;
    return chunk_group_full(&w->group) ? put_group(w, why) : ERR_OK;
}

enum err block_writer_series(struct block_writer *w, const struct labels *labels, struct errmsg *why)
{
    TRY(end_series(w, why));
    if (w->has_last && block_labels_cmp(&w->last, labels) >= 0)
        return err_set(why, ERR_INVALID, "series are not in the order of block_labels_cmp");
    arena_deinit(&w->labels_arena);
    w->labels = labels_copy(labels, &w->labels_arena);
    w->in_series = true;
    w->has_chunks = false;
    w->has_time = false;
    w->hint = (struct chunk_hint){0};
    return ERR_OK;
}

static const struct histogram *copy_histogram(struct arena *arena, const struct histogram *h)
{
    struct histogram *c = ARENA_NEW(arena, struct histogram);
    *c = *h;
    c->positive_spans = (const struct histogram_span *)(const void *)arena_copy(
                            arena, slice_of(h->positive_spans, h->positive_span_count * sizeof *h->positive_spans))
                            .data;
    c->negative_spans = (const struct histogram_span *)(const void *)arena_copy(
                            arena, slice_of(h->negative_spans, h->negative_span_count * sizeof *h->negative_spans))
                            .data;
    c->positive =
        (const double *)(const void *)arena_copy(arena, slice_of(h->positive, h->positive_count * sizeof *h->positive))
            .data;
    c->negative =
        (const double *)(const void *)arena_copy(arena, slice_of(h->negative, h->negative_count * sizeof *h->negative))
            .data;
    c->bounds =
        (const double *)(const void *)arena_copy(arena, slice_of(h->bounds, h->bound_count * sizeof *h->bounds)).data;
    return c;
}

/* Takes one sample; a change of kind ends the chunks of the other. */
static enum err add_sample(struct block_writer *w, const struct samples *s, uint32_t i, struct errmsg *why)
{
    struct pending *p = &w->pending;
    const struct histogram *hist = s->hists ? s->hists[i] : NULL;
    int64_t start = s->start_times_ms ? s->start_times_ms[i] : 0;
    if (p->count && p->histograms != (hist != NULL))
        TRY(drain(w, 0, true, why));
    if (p->count == 2 * w->max)
        TRY(drain(w, p->histograms ? 0 : w->max, false, why)); /* copies of histograms are freed when all are out */
    p->histograms = hist != NULL;
    p->starts |= start != 0;
    p->times[p->count] = s->times_ms[i];
    p->start_times[p->count] = start;
    p->values[p->count] = hist ? 0 : s->values[i];
    p->hists[p->count] = hist ? copy_histogram(&p->arena, hist) : NULL;
    p->count++;
    return ERR_OK;
}

/* As many plain floats as fit, at once. */
static uint32_t add_floats(struct block_writer *w, const struct samples *s, uint32_t from)
{
    struct pending *p = &w->pending;
    uint32_t n = s->count - from, room = 2 * w->max - p->count;
    n = n < room ? n : room;
    memcpy(p->times + p->count, s->times_ms + from, n * sizeof *p->times);
    memcpy(p->values + p->count, s->values + from, n * sizeof *p->values);
    memset(p->start_times + p->count, 0, n * sizeof *p->start_times);
    p->histograms = false;
    p->count += n;
    return n;
}

static enum err check_times(struct block_writer *w, const int64_t *times, uint32_t n, struct errmsg *why)
{
    bool ascending = !w->has_time || times[0] > w->last_time_ms;
    for (uint32_t i = 1; i < n; i++)
        ascending &= times[i] > times[i - 1];
    if (!ascending)
        return err_set(why, ERR_INVALID, "times of a series do not increase");
    w->last_time_ms = times[n - 1];
    w->has_time = true;
    return ERR_OK;
}

enum err block_writer_samples(struct block_writer *w, const struct samples *s, struct errmsg *why)
{
    assert(w->in_series);
    if (s->count == 0)
        return ERR_OK;
    TRY(check_times(w, s->times_ms, s->count, why));
    if (s->hists || s->start_times_ms) {
        for (uint32_t i = 0; i < s->count; i++)
            TRY(add_sample(w, s, i, why));
        return ERR_OK;
    }
    if (w->pending.count && w->pending.histograms)
        TRY(drain(w, 0, true, why));
    for (uint32_t i = 0; i < s->count;) {
        if (w->pending.count == 2 * w->max)
            TRY(drain(w, w->max, false, why));
        i += add_floats(w, s, i);
    }
    return ERR_OK;
}

enum err block_writer_chunk(struct block_writer *w, const int64_t *times_ms, uint32_t count, struct slice chunk,
                            uint32_t chunk_flags, struct errmsg *why)
{
    assert(w->in_series && count >= 1 && count <= CHUNK_SAMPLES_MAX);
    struct pending *p = &w->pending;
    if (p->count && (p->histograms || p->count + count > w->max))
        TRY(drain(w, 0, true, why));
    if (p->count == 0 && count > w->max / 2 && count <= w->max) {
        TRY(check_times(w, times_ms, count, why));
        struct times_cut cut = times_whole(&w->times, times_ms, count);
        return add_chunk(w, cut, times_ms, entry_flags(chunk_flags), chunk, why);
    }
    double values[CHUNK_SAMPLES_MAX];
    if (chunk_decode_values(chunk, count, values) != ERR_OK)
        return err_set(why, ERR_CORRUPT, "chunk does not decode");
    struct samples s = {.count = count, .times_ms = times_ms, .values = values};
    return block_writer_samples(w, &s, why);
}

static enum err emit_symbols(void *ctx, enum symbols_page kind, uint64_t first, struct slice raw, struct errmsg *why)
{
    struct block_writer *w = (struct block_writer *)ctx;
    if (kind == SYMBOLS_POSTINGS)
        w->toc.postings_bytes = first + raw.len;
    return put_index_page(w, kind == SYMBOLS_DICT ? SECTION_DICT : SECTION_POSTINGS, first, raw, why);
}

static enum err put_labels(struct block_writer *w, struct errmsg *why)
{
    symbols_sort(&w->symbols);
    for (uint32_t g = 0; g < w->symbols.group_starts.count; g++) {
        buf_reset(&w->page);
        symbols_put_labels(&w->symbols, g, &w->page);
        TRY(put_index_page(w, SECTION_LABELS, (uint64_t)g * LABEL_GROUP_SERIES, buf_view(&w->page), why));
    }
    return symbols_put_postings(&w->symbols, emit_symbols, w, why);
}

static void fill_toc(struct block_writer *w)
{
    struct toc *t = &w->toc;
    const struct symbols *s = &w->symbols;
    struct block_meta *m = &t->meta;
    m->series = s->series_count;
    if (m->level == 0) {
        m->source_count = 1;
        m->sources[0] = m->id;
    } else if (w->options.source_count <= BLOCK_SOURCES_MAX) {
        m->source_count = w->options.source_count;
        memcpy(m->sources, w->options.sources, m->source_count * sizeof *m->sources);
    }
    t->times_count = (uint32_t)w->times.count;
    t->name_count = (uint32_t)s->name_count;
    t->names = (struct toc_name *)mem_array(s->name_count + 1, sizeof *t->names);
    for (uint32_t i = 0; i < s->name_count; i++) {
        const struct symbol_name *n = &s->names[s->name_order[i]];
        t->names[i] = (struct toc_name){n->text, n->first_pair, n->pair_count};
    }
    const struct column *pages = &t->sections[SECTION_DICT].first;
    t->fences = (struct slice *)mem_array(pages->count + 1, sizeof *t->fences);
    for (size_t i = 0; i < pages->count; i++)
        t->fences[i] = s->pairs[s->by_id[pages->v[i]]].value;
}

/* A trailer says where the table of contents before it begins. */
static enum err put_trailer(struct block_writer *w, uint64_t offset, uint32_t stored, struct errmsg *why)
{
    uint8_t trailer[FILE_TRAILER_BYTES] = {0};
    le64_put(trailer, offset);
    le32_put(trailer + 8, stored);
    le32_put(trailer + 12, FORMAT_VERSION);
    memcpy(trailer + 16, INDEX_END_MAGIC, 8);
    uint32_t crc = crc32c(crc32c(0, w->options.id.bytes, sizeof w->options.id.bytes), trailer, FILE_TRAILER_BYTES - 4);
    le32_put(trailer + FILE_TRAILER_BYTES - 4, crc);
    return page_writer_bytes(&w->index, slice_of(trailer, sizeof trailer), why);
}

/* Everything else is found through it: so it stands there twice. */
static enum err put_toc(struct block_writer *w, struct errmsg *why)
{
    enum { COPIES = 2 };
    uint64_t offset;
    uint32_t stored;
    fill_toc(w);
    buf_reset(&w->page);
    toc_put(&w->toc, &w->page);
    if (w->page.len > PAGE_RAW_MAX)
        return err_set(why, ERR_LIMIT, "table of contents of %zu bytes", w->page.len);
    for (int i = 0; i < COPIES; i++) {
        TRY(page_append(&w->index, buf_view(&w->page), INDEX_ZSTD_LEVEL, &offset, &stored, why));
        TRY(put_trailer(w, offset, stored, why));
    }
    return ERR_OK;
}

static enum err put_meta(struct block_writer *w, struct errmsg *why)
{
    struct buf path = {.own = true}, text = {.own = true};
    buf_printf(&path, "%s/meta.json", w->dir);
    block_meta_print(&w->toc.meta, &text);
    enum err err = fs_replace_file(w->fs, buf_cstr(&path), buf_view(&text), why);
    buf_deinit(&path);
    buf_deinit(&text);
    return err;
}

static enum err finish(struct block_writer *w, struct errmsg *why)
{
    TRY(end_series(w, why));
    if (w->toc.meta.samples == 0)
        return err_set(why, ERR_NOT_FOUND, "no samples");
    TRY(put_group(w, why));
    TRY(put_times_pages(w, true, why));
    TRY(page_writer_finish(&w->data, &w->toc.meta.data, why));
    TRY(put_labels(w, why));
    TRY(put_toc(w, why));
    TRY(page_writer_finish(&w->index, &w->toc.meta.index, why));
    TRY(put_meta(w, why));
    return fs_sync_dir(w->fs, w->dir, why);
}

uint64_t block_writer_left_out(const struct block_writer *w)
{
    return w->left_out;
}

enum err block_writer_finish(struct block_writer *w, struct block_meta *out, struct errmsg *why)
{
    enum err err = finish(w, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "write block %s", w->dir);
    *out = w->toc.meta;
    return ERR_OK;
}
