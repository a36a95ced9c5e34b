/*
 * sample_reader.c - samples of one series after the other, decoded late; see block_internal.h.
 *
 * When all that is wanted lies in one chunk, its times are handed out where they stand in the cache;
 * else chunks are put together in the reader's own arrays.  A chunk that is damaged or unreadable is left
 * out with a warning; only what would hit every chunk (the memory budget) ends the read.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "block/block_internal.h"
#include "chunk/chunk.h"
#include "chunk/hist_chunk.h"

enum { NO_PAGE = UINT32_MAX, BYTES_PER_SAMPLE = 2 * sizeof(int64_t) + sizeof(double) + sizeof(void *) };

void sample_reader_init(struct sample_reader *r, struct block *b, struct warnings *warnings, struct mem_budget *budget)
{
    *r = (struct sample_reader){
        .block = b, .warnings = warnings, .budget = budget, .group_number = NO_PAGE, .times_number = NO_PAGE};
    arena_init(&r->arena, budget);
}

void sample_reader_deinit(struct sample_reader *r)
{
    page_release(r->group_page);
    page_release(r->times_page);
    page_release(r->column_page);
    page_release(r->data_page);
    mem_free(r->times_ms);
    mem_free(r->start_times_ms);
    mem_free(r->values);
    mem_free(r->hists);
    if (r->budget && r->capacity)
        mem_budget_give(r->budget, r->capacity * BYTES_PER_SAMPLE);
    arena_deinit(&r->arena);
    *r = (struct sample_reader){0};
}

enum err sample_reader_entries(struct sample_reader *r, uint32_t ordinal, const struct chunk_entry **first,
                               uint32_t *count, struct errmsg *why)
{
    const struct toc_section *s = &r->block->toc.sections[SECTION_CHUNKS];
    uint32_t number = toc_find_page(s, ordinal), at = ordinal - (uint32_t)s->first.v[number];
    if (number != r->group_number) {
        page_release(r->group_page);
        r->group_page = NULL;
        r->group_number = NO_PAGE;
        TRY(block_chunk_group(r->block, number, &r->group_page, &r->group, why));
        r->group_number = number;
    }
    if (at >= r->group->series_count)
        return err_set(why, ERR_CORRUPT, "block %s: index: offset %" PRId64 ": no chunks of series %" PRIu32,
                       r->block->dir, s->offset.v[number], ordinal);
    *first = r->group->entries + r->group->starts[at];
    *count = r->group->starts[at + 1] - r->group->starts[at];
    return ERR_OK;
}

enum err sample_reader_times_info(struct sample_reader *r, uint32_t times_id, struct times_info *out,
                                  struct errmsg *why)
{
    const struct toc_section *s = &r->block->toc.sections[SECTION_TIMES];
    uint32_t number = toc_find_page(s, times_id), at = times_id - (uint32_t)s->first.v[number];
    if (number != r->times_number) {
        page_release(r->times_page);
        r->times_page = NULL;
        r->times_number = NO_PAGE;
        TRY(block_times_page(r->block, number, &r->times_page, &r->times, why));
        r->times_number = number;
    }
    if (at >= r->times->count)
        return err_set(why, ERR_CORRUPT, "block %s: index: no timestamp column %" PRIu32, r->block->dir, times_id);
    *out = r->times->columns[at];
    return ERR_OK;
}

enum err sample_reader_times(struct sample_reader *r, const struct chunk_entry *e, const int64_t **times,
                             struct errmsg *why)
{
    if (!r->column_page || r->column_id != e->times_id) {
        page_release(r->column_page);
        r->column_page = NULL;
        TRY(block_times_column(r->block, e->times_id, &r->column_page, why));
        r->column_id = e->times_id;
    }
    if ((size_t)e->first + e->count > r->column_page->bytes / sizeof(int64_t))
        return err_set(why, ERR_CORRUPT, "block %s: index: a chunk needs %u times of column %" PRIu32 ", which has %zu",
                       r->block->dir, e->first + e->count, e->times_id, r->column_page->bytes / sizeof(int64_t));
    *times = (const int64_t *)(const void *)r->column_page->data + e->first;
    return ERR_OK;
}

enum err sample_reader_payload(struct sample_reader *r, const struct chunk_entry *e, struct slice *out,
                               struct errmsg *why)
{
    if (e->flags & ENTRY_INLINE) {
        *out = slice_of(r->group->inline_bytes + e->offset, e->bytes);
        return ERR_OK;
    }
    if (!r->data_page || r->data_page->key.what != e->page || r->data_page->key.block != r->block->serial) {
        page_release(r->data_page);
        r->data_page = NULL;
        TRY(block_data_page(r->block, e->page, e->stored, &r->data_page, why));
    }
    if ((size_t)e->offset + e->bytes > r->data_page->bytes)
        return err_set(why, ERR_CORRUPT, "block %s: data: offset %" PRIu64 ": chunk lies outside its page",
                       r->block->dir, e->page);
    *out = slice_of(r->data_page->data + e->offset, e->bytes);
    return ERR_OK;
}

/* Room for `need` samples in the arrays; refuses past the query's budget. */
static enum err reserve(struct sample_reader *r, size_t need, struct errmsg *why)
{
    if (need <= r->capacity)
        return ERR_OK;
    size_t capacity = r->capacity ? r->capacity : CHUNK_SAMPLES_GOOD;
    while (capacity < need)
        capacity *= 2;
    size_t more = (capacity - r->capacity) * BYTES_PER_SAMPLE;
    if (r->budget && !mem_budget_take(r->budget, more))
        return err_set(why, ERR_LIMIT, "%zu samples of one series are over the memory budget of the query", need);
    r->times_ms = (int64_t *)mem_realloc(r->times_ms, capacity * sizeof *r->times_ms);
    r->start_times_ms = (int64_t *)mem_realloc(r->start_times_ms, capacity * sizeof *r->start_times_ms);
    r->values = (double *)mem_realloc(r->values, capacity * sizeof *r->values);
    r->hists = (const struct histogram **)mem_realloc(r->hists, capacity * sizeof *r->hists);
    r->capacity = capacity;
    return ERR_OK;
}

static enum err decode_payload(struct sample_reader *r, const struct chunk_entry *e, struct slice payload, size_t at)
{
    if (e->flags & ENTRY_STARTS) {
        size_t used;
        TRY(ints_decode(payload, e->count, r->start_times_ms + at, &used));
        payload = slice_from(payload, used);
    }
    if (e->flags & ENTRY_HISTOGRAM)
        return hist_chunk_decode(payload, e->count, &r->arena, r->hists + at);
    return chunk_decode_values(payload, e->count, r->values + at);
}

/* Decodes a whole chunk into the arrays from `at` on (there is room). */
static enum err decode(struct sample_reader *r, const struct chunk_entry *e, size_t at, struct errmsg *why)
{
    struct slice payload = {0};
    TRY(sample_reader_payload(r, e, &payload, why));
    enum err err = decode_payload(r, e, payload, at);
    if (err == ERR_LIMIT)
        return err_set(why, err, "histograms of one series are over the memory budget of the query");
    if (err != ERR_OK && e->flags & ENTRY_INLINE)
        block_note_damage(r->block, SECTION_CHUNKS, r->group_number);
    else if (err != ERR_OK)
        block_note_damage(r->block, DAMAGE_DATA_PAGE, e->page);
    if (err != ERR_OK)
        return err_set(why, err, "block %s: %s: offset %" PRIu64 ": chunk at %" PRIu32 " does not decode",
                       r->block->dir, e->flags & ENTRY_INLINE ? "index" : "data", e->page, e->offset);
    return ERR_OK;
}

static uint32_t first_not_before(const int64_t *times, uint32_t n, int64_t t)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (times[mid] < t)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* What a read has put together. */
struct gather {
    uint32_t count;
    bool any_hist, any_start;
    const int64_t *single; /* times of the only chunk, in the cache: not copied yet */
    struct times_run single_run;
    uint32_t runs; /* in times_ms */
    uint64_t times_id;
    int64_t last_ms;
};

static void shift(struct sample_reader *r, const struct chunk_entry *e, size_t at, uint32_t skip, uint32_t n)
{
    if (skip && e->flags & ENTRY_STARTS)
        memmove(r->start_times_ms + at, r->start_times_ms + at + skip, n * sizeof *r->start_times_ms);
    if (skip && e->flags & ENTRY_HISTOGRAM)
        memmove(r->hists + at, r->hists + at + skip, n * sizeof *r->hists);
    else if (skip)
        memmove(r->values + at, r->values + at + skip, n * sizeof *r->values);
}

/* Columns that a chunk does not have get their neutral value as soon as another chunk has them. */
static void level(struct sample_reader *r, const struct chunk_entry *e, struct gather *g, uint32_t n)
{
    bool hist = e->flags & ENTRY_HISTOGRAM, start = e->flags & ENTRY_STARTS;
    if (hist && !g->any_hist)
        memset(r->hists, 0, g->count * sizeof *r->hists);
    if (start && !g->any_start)
        memset(r->start_times_ms, 0, g->count * sizeof *r->start_times_ms);
    g->any_hist |= hist;
    g->any_start |= start;
    if (g->any_hist && !hist)
        memset(r->hists + g->count, 0, n * sizeof *r->hists);
    if (hist)
        memset(r->values + g->count, 0, n * sizeof *r->values);
    if (g->any_start && !start)
        memset(r->start_times_ms + g->count, 0, n * sizeof *r->start_times_ms);
}

/* Puts times behind those that are there, unless the series before had the same ones here. */
static void put_times(struct sample_reader *r, size_t at, uint32_t number, const int64_t *times, struct times_run run)
{
    const struct times_run *kept = number < r->run_count ? &r->runs[number] : NULL;
    if (kept && kept->column == run.column && kept->first == run.first && kept->count == run.count)
        return;
    memcpy(r->times_ms + at, times, run.count * sizeof *times);
    if (number < TIMES_RUNS_KEPT) {
        r->runs[number] = run;
        r->run_count = number + 1;
    }
}

/* Copies the times of the first chunk, before those of another are looked for. */
static void settle(struct sample_reader *r, struct gather *g)
{
    if (g->single)
        put_times(r, 0, g->runs++, g->single, g->single_run);
    g->single = NULL;
}

/* Adds what of a chunk lies in [mint, maxt]. */
static enum err add_chunk(struct sample_reader *r, const struct chunk_entry *e, int64_t mint_ms, int64_t maxt_ms,
                          struct gather *g, struct errmsg *why)
{
    struct times_info info;
    const int64_t *times;
    TRY(sample_reader_times_info(r, e->times_id, &info, why));
    if (info.first_ms > maxt_ms || info.last_ms < mint_ms)
        return ERR_OK;
    settle(r, g);
    TRY(sample_reader_times(r, e, &times, why));
    uint32_t from = first_not_before(times, e->count, mint_ms);
    uint32_t end = maxt_ms == INT64_MAX ? e->count : first_not_before(times, e->count, maxt_ms + 1);
    if (from >= end)
        return ERR_OK;
    if (g->count && times[from] <= g->last_ms)
        return err_set(why, ERR_CORRUPT, "block %s: index: chunks of a series overlap", r->block->dir);
    TRY(reserve(r, (size_t)g->count + e->count, why));
    TRY(decode(r, e, g->count, why));
    shift(r, e, g->count, from, end - from);
    level(r, e, g, end - from);
    struct times_run run = {e->times_id, e->first + from, end - from};
    if (g->count) {
        put_times(r, g->count, g->runs++, times + from, run);
    } else {
        g->single = times + from;
        g->single_run = run;
    }
    g->times_id = mix(g->times_id, (uint64_t)e->times_id << 16 | e->first);
    g->count += end - from;
    g->last_ms = times[end - 1];
    return ERR_OK;
}

/* Damage costs the chunk; everything else ends the read. */
enum err sample_reader_forgive(struct sample_reader *r, enum err err, const struct errmsg *why)
{
    if (err != ERR_CORRUPT && !(err == ERR_IO && r->forgive_io))
        return err;
    atomic_fetch_add_explicit(&r->block->stats.corrupt_chunks, 1, memory_order_relaxed);
    warnings_add(r->warnings, "some samples are left out: %s", why->text);
    return ERR_OK;
}

static void hand_out(struct sample_reader *r, const struct gather *g, struct samples *out)
{
    *out = (struct samples){.count = g->count,
                            .times_ms = g->single ? g->single : r->times_ms,
                            .values = r->values,
                            .hists = g->any_hist ? r->hists : NULL,
                            .start_times_ms = g->any_start ? r->start_times_ms : NULL};
    uint64_t id = mix(g->times_id, r->block->serial) & INT64_MAX; /* bit 63 is the head's */
    out->times_id = g->count ? (id ? id : 1) : 0;
}

enum err sample_reader_chunk(struct sample_reader *r, const struct chunk_entry *e, int64_t mint_ms, int64_t maxt_ms,
                             struct samples *out, struct errmsg *why)
{
    struct gather g = {0};
    arena_deinit(&r->arena);
    TRY(add_chunk(r, e, mint_ms, maxt_ms, &g, why));
    hand_out(r, &g, out);
    return ERR_OK;
}

enum err sample_reader_read(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    const struct chunk_entry *e;
    uint32_t count;
    struct gather g = {0};
    struct errmsg damage;
    arena_deinit(&r->arena);
    enum err err = sample_reader_forgive(r, sample_reader_entries(r, ordinal, &e, &count, &damage), &damage);
    if (err == ERR_OK && r->group_number == NO_PAGE)
        count = 0;
    for (uint32_t i = 0; err == ERR_OK && i < count; i++)
        err = sample_reader_forgive(r, add_chunk(r, &e[i], mint_ms, maxt_ms, &g, &damage), &damage);
    if (err != ERR_OK)
        return err_set(why, err, "%s", damage.text);
    hand_out(r, &g, out);
    return ERR_OK;
}

/* The newest sample of one chunk in the range, as the only one in the arrays. */
static enum err last_of_chunk(struct sample_reader *r, const struct chunk_entry *e, int64_t mint_ms, int64_t maxt_ms,
                              struct gather *g, struct errmsg *why)
{
    struct times_info info;
    const int64_t *times;
    TRY(sample_reader_times_info(r, e->times_id, &info, why));
    if (info.first_ms > maxt_ms || info.last_ms < mint_ms)
        return ERR_OK;
    TRY(sample_reader_times(r, e, &times, why));
    uint32_t end = maxt_ms == INT64_MAX ? e->count : first_not_before(times, e->count, maxt_ms + 1);
    if (end == 0 || times[end - 1] < mint_ms)
        return ERR_OK;
    TRY(reserve(r, e->count, why));
    struct slice payload = {0};
    TRY(sample_reader_payload(r, e, &payload, why));
    if (!(e->flags & ENTRY_INLINE) || !chunk_constant(payload, r->values)) {
        TRY(decode(r, e, 0, why));
        shift(r, e, 0, end - 1, 1);
    }
    level(r, e, g, 1);
    r->times_ms[0] = times[end - 1];
    r->run_count = 0;
    g->count = 1;
    g->times_id = mix(g->times_id, (uint64_t)e->times_id << 16 | e->first);
    return ERR_OK;
}

enum err sample_reader_last(struct sample_reader *r, uint32_t ordinal, int64_t mint_ms, int64_t maxt_ms,
                            struct samples *out, struct errmsg *why)
{
    const struct chunk_entry *e;
    uint32_t count;
    struct gather g = {0};
    struct errmsg damage;
    arena_deinit(&r->arena);
    enum err err = sample_reader_forgive(r, sample_reader_entries(r, ordinal, &e, &count, &damage), &damage);
    if (err == ERR_OK && r->group_number == NO_PAGE)
        count = 0;
    for (uint32_t i = count; err == ERR_OK && i-- > 0 && g.count == 0;)
        err = sample_reader_forgive(r, last_of_chunk(r, &e[i], mint_ms, maxt_ms, &g, &damage), &damage);
    if (err != ERR_OK)
        return err_set(why, err, "%s", damage.text);
    hand_out(r, &g, out);
    return ERR_OK;
}
