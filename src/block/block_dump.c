/* block_dump.c - a block as text; the contract is in block.h. */
#include <inttypes.h>

#include "block/block_internal.h"
#include "chunk/chunk.h"

struct dump {
    struct block *block;
    int flags;
    enum err (*write)(void *ctx, struct slice text);
    void *ctx;
    struct buf text;
    struct errmsg *why;
};

/* Hands out what is collected when it is much. */
static enum err flush(struct dump *d, size_t least)
{
    if (d->text.len < least || d->text.len == 0)
        return ERR_OK;
    enum err err = d->write(d->ctx, buf_view(&d->text));
    buf_reset(&d->text);
    return err == ERR_OK ? ERR_OK : err_set(d->why, err, "output");
}

void block_index_info(const struct block *b, struct block_index_info *out)
{
    _Static_assert((int)BLOCK_SECTIONS == (int)SECTION_COUNT, "all sections are told");
    const struct toc *t = &b->toc;
    *out = (struct block_index_info){
        .time_columns = t->times_count, .label_names = t->name_count, .label_pairs = t->pair_count};
    for (int s = 0; s < SECTION_COUNT; s++) {
        const struct column *stored = &t->sections[s].stored;
        out->sections[s].name = section_names[s];
        out->sections[s].pages = stored->count;
        for (size_t i = 0; i < stored->count; i++)
            out->sections[s].bytes += (uint64_t)stored->v[i] + PAGE_HEADER_BYTES;
    }
}

static void print_head(struct dump *d)
{
    const struct block_meta *m = &d->block->toc.meta;
    const struct toc *t = &d->block->toc;
    char id[BLOCK_ID_TEXT];
    block_id_text(&m->id, id);
    buf_printf(&d->text, "block %s level %" PRIu32 "\n", id, m->level);
    buf_printf(&d->text, "times %" PRId64 " to %" PRId64 " ms, sequences %" PRIu64 " to %" PRIu64 "\n", m->mint_ms,
               m->maxt_ms, m->seq_min, m->seq_max);
    buf_printf(&d->text, "series %" PRIu64 ", chunks %" PRIu64 ", samples %" PRIu64 " (%" PRIu64 " histograms)\n",
               m->series, m->chunks, m->samples, m->histogram_samples);
    buf_printf(&d->text, "data %" PRIu64 " bytes (%.4f per sample), index %" PRIu64 " bytes (%.1f per series)\n",
               m->data.bytes, (double)m->data.bytes / (double)m->samples, m->index.bytes,
               (double)m->index.bytes / (double)m->series);
    for (int s = 0; s < SECTION_COUNT; s++) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < t->sections[s].stored.count; i++)
            bytes += (uint64_t)t->sections[s].stored.v[i] + PAGE_HEADER_BYTES;
        buf_printf(&d->text, "section %s: %zu pages, %" PRIu64 " bytes\n", section_names[s],
                   t->sections[s].stored.count, bytes);
    }
    buf_printf(&d->text, "timestamp columns %" PRIu32 ", label names %" PRIu32 ", label pairs %" PRIu32 "\n",
               t->times_count, t->name_count, t->pair_count);
    for (uint32_t i = 0; i < t->name_count; i++)
        buf_printf(&d->text, "label %.*s: %" PRIu32 " values\n", SLICE_ARG(t->names[i].text), t->names[i].pair_count);
}

static void print_samples(struct dump *d, struct sample_reader *r, const struct chunk_entry *e)
{
    struct samples s;
    struct errmsg why;
    if (sample_reader_chunk(r, e, INT64_MIN, INT64_MAX, &s, &why) != ERR_OK) {
        buf_printf(&d->text, "    damaged: %s\n", why.text);
        return;
    }
    for (uint32_t i = 0; i < s.count; i++) {
        const struct histogram *h = s.hists ? s.hists[i] : NULL;
        buf_printf(&d->text, "    %" PRId64, s.times_ms[i]);
        if (h)
            buf_printf(&d->text, " histogram schema=%" PRId32 " count=%.17g sum=%.17g buckets=%" PRIu32, h->schema,
                       h->count, h->sum, h->positive_count + h->negative_count);
        else
            buf_printf(&d->text, " %.17g", s.values[i]);
        if (s.start_times_ms && s.start_times_ms[i])
            buf_printf(&d->text, " start=%" PRId64, s.start_times_ms[i]);
        buf_u8(&d->text, '\n');
    }
}

static void print_chunk(struct dump *d, struct sample_reader *r, const struct chunk_entry *e)
{
    struct slice payload;
    struct errmsg why;
    char text[64];
    const char *what = "histograms";
    if (sample_reader_payload(r, e, &payload, &why) != ERR_OK)
        what = why.text;
    else if (e->flags & ENTRY_STARTS)
        what = "with start times";
    else if (!(e->flags & ENTRY_HISTOGRAM))
        what = chunk_describe(payload, text);
    buf_printf(&d->text, "  chunk column %" PRIu32 " [%u, %u) %" PRIu32 " bytes", e->times_id, e->first,
               e->first + e->count, e->bytes);
    if (e->flags & ENTRY_INLINE)
        buf_str(&d->text, " inline");
    else
        buf_printf(&d->text, " page %" PRIu64 "+%" PRIu32, e->page, e->offset);
    buf_printf(&d->text, "%s%s: %s\n", e->flags & ENTRY_SHARED ? " shared" : "", e->flags & ENTRY_STALE ? " stale" : "",
               what);
    if (d->flags & BLOCK_DUMP_SAMPLES)
        print_samples(d, r, e);
}

static enum err print_series(struct dump *d, struct label_view *view, struct pair_table *pairs, struct sample_reader *r,
                             uint32_t ordinal)
{
    struct labels labels;
    struct errmsg why;
    struct arena lists;
    const struct chunk_entry *e;
    uint32_t count;
    arena_init(&lists, NULL);
    buf_printf(&d->text, "series %" PRIu32 " ", ordinal);
    if (label_view_load(d->block, view, ordinal, &why) == ERR_OK &&
        block_series_labels(pairs, view, ordinal, &lists, &labels, &why) == ERR_OK)
        labels_print(&labels, &d->text);
    else
        buf_printf(&d->text, "damaged: %s", why.text);
    arena_deinit(&lists);
    buf_u8(&d->text, '\n');
    if (!(d->flags & (BLOCK_DUMP_CHUNKS | BLOCK_DUMP_SAMPLES)))
        return flush(d, 1 << 16);
    if (sample_reader_entries(r, ordinal, &e, &count, &why) != ERR_OK) {
        buf_printf(&d->text, "  damaged: %s\n", why.text);
        count = 0;
    }
    for (uint32_t k = 0; k < count; k++) {
        print_chunk(d, r, &e[k]);
        TRY(flush(d, 1 << 16));
    }
    return ERR_OK;
}

static enum err print_all_series(struct dump *d)
{
    struct label_view view = {0};
    struct pair_table pairs;
    struct sample_reader r;
    struct arena arena;
    enum err err = ERR_OK;
    arena_init(&arena, NULL);
    pair_table_init(&pairs, d->block, &arena, d->block->toc.meta.series);
    sample_reader_init(&r, d->block, NULL, NULL);
    for (uint32_t i = 0; err == ERR_OK && i < d->block->toc.meta.series; i++)
        err = print_series(d, &view, &pairs, &r, i);
    sample_reader_deinit(&r);
    pair_table_deinit(&pairs);
    label_view_deinit(&view);
    arena_deinit(&arena);
    return err;
}

enum err block_dump(struct block *b, int flags, enum err (*write)(void *ctx, struct slice text), void *ctx,
                    struct errmsg *why)
{
    struct dump d = {.block = b, .flags = flags, .write = write, .ctx = ctx, .why = why};
    print_head(&d);
    enum err err = flags ? print_all_series(&d) : ERR_OK;
    if (err == ERR_OK)
        err = flush(&d, 0);
    buf_deinit(&d.text);
    return err;
}
