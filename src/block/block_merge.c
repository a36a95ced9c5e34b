/*
 * block_merge.c - several blocks into one; the contract is in block.h.
 *
 * Series are taken in order from all inputs.  Where the inputs follow each other in time, whole chunks
 * are copied as bytes; where they overlap, samples are merged and the block with the highest sequence
 * wins a time that several have.
 */
#include "base/assert.h"
#include "block/mask_internal.h"
#include "chunk/chunk.h"

enum { BATCH = 4096, CANCEL_EVERY = 64 };

struct input {
    struct block *block;
    const struct block_view *counts; /* NULL: everything counts */
    uint32_t ordinal;                /* of the current series; done when it is the block's count */
    struct labels labels;
    struct label_view view;
    struct pair_table pairs;
    struct arena pair_arena, list_arena;
    struct sample_reader reader;
    /* of the series being merged */
    const struct chunk_entry *entries;
    uint32_t entry_count;
    int64_t first_ms, last_ms; /* bounds */
    struct samples samples;    /* when overlapping */
    uint32_t at;
};

struct merge {
    struct input *inputs;
    uint32_t count;
    struct input **same; /* [count] inputs that have the current series, in order of time */
    uint32_t same_count;
    const struct block_merge_options *options;
    struct block_writer *writer;
    int64_t last_ms; /* newest time copied of the current series */
    bool has_last;
    /* a batch of merged samples */
    int64_t times[BATCH], starts[BATCH];
    double values[BATCH];
    const struct histogram *hists[BATCH];
    uint32_t batch;
    bool any_hist, any_start;
};

static bool input_done(const struct input *in)
{
    return in->ordinal >= in->block->toc.meta.series;
}

/* The labels of the current series; those that are damaged are passed over, with a warning. */
static enum err load_labels(struct input *in, struct errmsg *why)
{
    for (; !input_done(in); in->ordinal++) {
        if (view_is_gone(in->counts, in->ordinal))
            continue;
        arena_deinit(&in->list_arena);
        enum err err = label_view_load(in->block, &in->view, in->ordinal, why);
        bool page = err != ERR_OK;
        if (err == ERR_OK)
            err = block_series_labels(&in->pairs, &in->view, in->ordinal, &in->list_arena, &in->labels, why);
        if (err == ERR_OK)
            return ERR_OK;
        TRY(sample_reader_forgive(&in->reader, err, why));
        if (page)
            in->ordinal |= LABEL_GROUP_SERIES - 1; /* on to the next page */
    }
    return ERR_OK;
}

static void input_init(struct input *in, struct block *b, const struct block_view *view, struct warnings *warnings)
{
    in->block = b;
    in->counts = view;
    arena_init(&in->pair_arena, NULL);
    arena_init(&in->list_arena, NULL);
    pair_table_init(&in->pairs, b, &in->pair_arena, b->toc.meta.series);
    sample_reader_init(&in->reader, b, warnings, NULL);
}

static void input_deinit(struct input *in)
{
    label_view_deinit(&in->view);
    pair_table_deinit(&in->pairs);
    sample_reader_deinit(&in->reader);
    arena_deinit(&in->pair_arena);
    arena_deinit(&in->list_arena);
}

/* The inputs whose current series is the smallest. */
static void find_same(struct merge *m)
{
    m->same_count = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct input *in = &m->inputs[i];
        if (input_done(in))
            continue;
        int c = m->same_count ? block_labels_cmp(&in->labels, &m->same[0]->labels) : 0;
        if (c < 0)
            m->same_count = 0;
        if (c <= 0)
            m->same[m->same_count++] = in;
    }
}

/* The chunks of an input and the time they cover at most; an unreadable list counts as none. */
static enum err load_entries(struct input *in, struct errmsg *why)
{
    struct times_info first, last;
    in->entry_count = 0;
    in->first_ms = in->last_ms = INT64_MIN;
    enum err err = sample_reader_entries(&in->reader, in->ordinal, &in->entries, &in->entry_count, why);
    if (err == ERR_OK && in->entry_count)
        err = sample_reader_times_info(&in->reader, in->entries[0].times_id, &first, why);
    if (err == ERR_OK && in->entry_count)
        err = sample_reader_times_info(&in->reader, in->entries[in->entry_count - 1].times_id, &last, why);
    if (err != ERR_OK) {
        in->entry_count = 0;
        return sample_reader_forgive(&in->reader, err, why);
    }
    if (in->entry_count) {
        in->first_ms = first.first_ms;
        in->last_ms = last.last_ms;
    }
    return ERR_OK;
}

/* Sorts the inputs by time; returns whether two of them overlap. */
static bool sort_by_time(struct merge *m)
{
    bool overlap = false;
    for (uint32_t i = 1; i < m->same_count; i++) /* a dozen at most, nearly sorted */
        for (uint32_t k = i; k > 0 && m->same[k]->first_ms < m->same[k - 1]->first_ms; k--) {
            struct input *swap = m->same[k];
            m->same[k] = m->same[k - 1];
            m->same[k - 1] = swap;
        }
    for (uint32_t i = 1; i < m->same_count; i++)
        overlap |= m->same[i]->first_ms <= m->same[i - 1]->last_ms;
    return overlap;
}

static enum err copy_chunk(struct merge *m, struct input *in, const struct chunk_entry *e, struct errmsg *why)
{
    const int64_t floor = view_floor(in->counts, in->ordinal), maxt = m->options->maxt_ms;
    const int64_t mint = m->options->mint_ms < floor ? floor : m->options->mint_ms;
    const struct mask_cuts cuts = view_cuts(in->counts, in->ordinal);
    const int64_t *times;
    struct slice payload;
    struct samples s;
    enum err err;
    if ((err = sample_reader_times(&in->reader, e, &times, why)) != ERR_OK)
        return sample_reader_forgive(&in->reader, err, why);
    if (times[0] > maxt || times[e->count - 1] < mint)
        return ERR_OK;
    if (m->has_last && times[0] <= m->last_ms) {
        err = err_set(why, ERR_CORRUPT, "block %s: index: chunks of a series overlap", in->block->dir);
        return sample_reader_forgive(&in->reader, err, why);
    }
    m->last_ms = times[e->count - 1];
    m->has_last = true;
    bool whole = times[0] >= mint && times[e->count - 1] <= maxt && !mask_touches(cuts, times[0], times[e->count - 1]);
    if (whole && !(e->flags & (ENTRY_HISTOGRAM | ENTRY_STARTS))) {
        if ((err = sample_reader_payload(&in->reader, e, &payload, why)) != ERR_OK)
            return sample_reader_forgive(&in->reader, err, why);
        uint32_t flags =
            (e->flags & ENTRY_STALE ? CHUNK_HAS_STALE : 0) | (e->flags & ENTRY_INLINE ? CHUNK_CONSTANT : 0);
        err = block_writer_chunk(m->writer, times, e->count, payload, flags, why);
        return sample_reader_forgive(&in->reader, err, why);
    }
    if ((err = masked_chunk(&in->reader, cuts, e, mint, maxt, &s, why)) != ERR_OK)
        return sample_reader_forgive(&in->reader, err, why);
    return s.count == 0 ? ERR_OK : block_writer_samples(m->writer, &s, why);
}

static enum err copy_series(struct merge *m, struct errmsg *why)
{
    m->has_last = false;
    for (uint32_t i = 0; i < m->same_count; i++)
        for (uint32_t k = 0; k < m->same[i]->entry_count; k++)
            TRY(copy_chunk(m, m->same[i], &m->same[i]->entries[k], why));
    return ERR_OK;
}

static enum err flush_batch(struct merge *m, struct errmsg *why)
{
    struct samples s = {.count = m->batch,
                        .times_ms = m->times,
                        .values = m->values,
                        .hists = m->any_hist ? m->hists : NULL,
                        .start_times_ms = m->any_start ? m->starts : NULL};
    m->batch = 0;
    m->any_hist = m->any_start = false;
    return block_writer_samples(m->writer, &s, why);
}

/* Takes the sample of `in`, which has the next time, into the batch. */
static enum err take_sample(struct merge *m, const struct input *in, struct errmsg *why)
{
    const struct samples *s = &in->samples;
    uint32_t n = m->batch;
    m->times[n] = s->times_ms[in->at];
    m->values[n] = s->values[in->at];
    m->hists[n] = s->hists ? s->hists[in->at] : NULL;
    m->starts[n] = s->start_times_ms ? s->start_times_ms[in->at] : 0;
    m->any_hist |= m->hists[n] != NULL;
    m->any_start |= m->starts[n] != 0;
    m->batch++;
    return m->batch == BATCH ? flush_batch(m, why) : ERR_OK;
}

/* The input with the smallest next time; of several, the one written last.  NULL: all are at their end. */
static struct input *next_input(struct merge *m)
{
    struct input *best = NULL;
    for (uint32_t i = 0; i < m->same_count; i++) {
        struct input *in = m->same[i];
        if (in->at == in->samples.count)
            continue;
        int64_t t = in->samples.times_ms[in->at], least = best ? best->samples.times_ms[best->at] : INT64_MAX;
        if (!best || t < least || (t == least && in->block->toc.meta.seq_max >= best->block->toc.meta.seq_max))
            best = in;
    }
    return best;
}

static enum err merge_overlapping(struct merge *m, struct errmsg *why)
{
    for (uint32_t i = 0; i < m->same_count; i++) {
        struct input *in = m->same[i];
        in->at = 0;
        TRY(masked_read(&in->reader, in->counts, in->ordinal, m->options->mint_ms, m->options->maxt_ms, &in->samples,
                        why));
    }
    for (struct input *in; (in = next_input(m));) {
        int64_t t = in->samples.times_ms[in->at];
        TRY(take_sample(m, in, why));
        for (uint32_t i = 0; i < m->same_count; i++) {
            struct input *other = m->same[i];
            other->at += other->at < other->samples.count && other->samples.times_ms[other->at] == t;
        }
    }
    return m->batch ? flush_batch(m, why) : ERR_OK;
}

static enum err merge_series(struct merge *m, struct errmsg *why)
{
    TRY(block_writer_series(m->writer, &m->same[0]->labels, why));
    for (uint32_t i = 0; i < m->same_count; i++)
        TRY(load_entries(m->same[i], why));
    TRY(sort_by_time(m) ? merge_overlapping(m, why) : copy_series(m, why));
    for (uint32_t i = 0; i < m->same_count; i++) {
        m->same[i]->ordinal++;
        TRY(load_labels(m->same[i], why));
    }
    return ERR_OK;
}

static enum err merge_all(struct merge *m, struct errmsg *why)
{
    for (uint32_t i = 0; i < m->count; i++)
        TRY(load_labels(&m->inputs[i], why));
    for (uint32_t n = 0;; n++) {
        find_same(m);
        if (m->same_count == 0)
            return ERR_OK;
        if (n % CANCEL_EVERY == 0) {
            enum err err = cancel_check(m->options->cancel);
            if (err != ERR_OK)
                return err_set(why, err, "merge was stopped");
        }
        TRY(merge_series(m, why));
    }
}

enum err block_merge(struct block *const *blocks, uint32_t count, const struct block_merge_options *options,
                     struct block_writer *w, struct errmsg *why)
{
    struct errmsg own;
    struct merge *m = MEM_NEW(struct merge);
    m->inputs = (struct input *)mem_array(count, sizeof *m->inputs);
    m->same = (struct input **)mem_array(count, sizeof(struct input *));
    m->count = count;
    m->options = options;
    m->writer = w;
    for (uint32_t i = 0; i < count; i++)
        input_init(&m->inputs[i], blocks[i], options->views ? &options->views[i] : NULL, options->warnings);
    enum err err = merge_all(m, why ? why : &own);
    for (uint32_t i = 0; i < count; i++)
        input_deinit(&m->inputs[i]);
    mem_free(m->inputs);
    mem_free(m->same);
    mem_free(m);
    return err == ERR_OK ? ERR_OK : err_wrap(why, err, "merge blocks");
}

void block_merge_inherit(struct block *const *blocks, uint32_t count, struct block_id sources[BLOCK_SOURCES_MAX],
                         struct block_writer_options *o)
{
    assert(count > 0);
    uint32_t level = 0, n = 0;
    bool all = true;
    o->seq_min = UINT64_MAX;
    o->seq_max = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct block_meta *m = &blocks[i]->toc.meta;
        level = m->level > level ? m->level : level;
        o->seq_min = m->seq_min < o->seq_min ? m->seq_min : o->seq_min;
        o->seq_max = m->seq_max > o->seq_max ? m->seq_max : o->seq_max;
        all &= m->source_count > 0 && n + m->source_count <= BLOCK_SOURCES_MAX;
        for (uint32_t k = 0; all && k < m->source_count; k++)
            sources[n++] = m->sources[k];
    }
    o->level = level < BLOCK_LEVEL_MAX ? level + 1 : level;
    o->sources = sources;
    o->source_count = all ? n : 0;
}
