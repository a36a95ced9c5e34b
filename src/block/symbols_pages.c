/*
 * symbols_pages.c - label pages, dictionary and postings from the collected lists.
 *
 * Labels are arrays of whole bytes per name and group, not packed bits: series of one metric repeat
 * the pattern of the metric before, and zstd finds repeats only in bytes.  A reader also gets at one
 * series' value without decoding its neighbours.
 *
 * Postings need the lists by pair, but they are kept by series; they are turned over for as many
 * pairs at a time as have BATCH_ENTRIES series together, so memory stays bounded.
 */
#include "base/assert.h"
#include "block/symbols_internal.h"

enum { BATCH_ENTRIES = 1 << 22 };

/* Value ids of one group: [name rank][series]. */
struct label_matrix {
    uint32_t series;
    uint32_t *ids;
    bool *present; /* [name] */
};

/* Calls visit(series in the group, pair number) for all labels of a group. */
static uint32_t walk_group(const struct symbols *s, uint32_t group,
                           void (*visit)(void *ctx, uint32_t series, uint32_t pair), void *ctx)
{
    const uint8_t *p = s->lists.data + s->group_starts.v[group], *end = s->lists.data + s->lists.len;
    uint32_t series = s->series_count - group * LABEL_GROUP_SERIES;
    series = series < LABEL_GROUP_SERIES ? series : LABEL_GROUP_SERIES;
    for (uint32_t i = 0; i < series; i++) {
        uint64_t count = 0, pair = 0;
        p = varint_get(p, end, &count);
        for (uint64_t k = 0; k < count; k++) {
            p = varint_get(p, end, &pair);
            visit(ctx, i, (uint32_t)pair);
        }
    }
    return series;
}

struct matrix_fill {
    const struct symbols *s;
    struct label_matrix *m;
};

static void fill_matrix(void *ctx, uint32_t series, uint32_t pair)
{
    const struct matrix_fill *f = (const struct matrix_fill *)ctx;
    const struct symbol_pair *p = &f->s->pairs[pair];
    const struct symbol_name *n = &f->s->names[p->name];
    f->m->ids[(size_t)n->rank * LABEL_GROUP_SERIES + series] = 1 + p->id - n->first_pair;
    f->m->present[n->rank] = true;
}

static void ids_range(const uint32_t *ids, uint32_t n, uint32_t *low, uint32_t *high)
{
    *low = *high = ids[0];
    for (uint32_t i = 1; i < n; i++) {
        *low = ids[i] < *low ? ids[i] : *low;
        *high = ids[i] > *high ? ids[i] : *high;
    }
}

static unsigned width_of(uint32_t range)
{
    return range == 0 ? 0 : range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : 4;
}

static void put_ids(const uint32_t *ids, uint32_t n, uint32_t low, unsigned width, struct buf *out)
{
    uint8_t *p = buf_reserve(out, (size_t)n * width);
    if (!p)
        return; /* the writer looks at out->failed */
    for (uint32_t i = 0; i < n && width; i++) {
        uint8_t le[4];
        le32_put(le, ids[i] - low);
        memcpy(p + (size_t)i * width, le, width);
    }
    out->len += (size_t)n * width;
}

void symbols_put_labels(const struct symbols *s, uint32_t group, struct buf *out)
{
    struct label_matrix m = {.ids = (uint32_t *)mem_array(s->name_count * LABEL_GROUP_SERIES, sizeof *m.ids),
                             .present = (bool *)mem_array(s->name_count + 1, sizeof *m.present)};
    struct matrix_fill f = {s, &m};
    m.series = walk_group(s, group, fill_matrix, &f);
    uint32_t names = 0;
    for (uint32_t rank = 0; rank < s->name_count; rank++)
        names += m.present[rank];
    buf_varint(out, m.series);
    buf_varint(out, names);
    for (int pass = 0; pass < 2; pass++) /* the table, then the arrays */
        for (uint32_t rank = 0; rank < s->name_count; rank++) {
            const uint32_t *ids = m.ids + (size_t)rank * LABEL_GROUP_SERIES;
            uint32_t low, high;
            if (!m.present[rank])
                continue;
            ids_range(ids, m.series, &low, &high);
            if (pass == 0) {
                buf_varint(out, rank);
                buf_varint(out, low);
                buf_u8(out, (uint8_t)width_of(high - low));
            } else {
                put_ids(ids, m.series, low, width_of(high - low), out);
            }
        }
    mem_free(m.ids);
    mem_free(m.present);
}

/* The ordinals of the pairs with final ids [first, end). */
struct batch {
    const struct symbols *s;
    uint32_t first, end, group;
    uint32_t *next; /* [end - first] where the pair's next ordinal goes */
    uint32_t *ordinals;
};

static void fill_batch(void *ctx, uint32_t series, uint32_t pair)
{
    struct batch *b = (struct batch *)ctx;
    uint32_t id = b->s->pairs[pair].id;
    if (id >= b->first && id < b->end)
        b->ordinals[b->next[id - b->first]++] = b->group * LABEL_GROUP_SERIES + series;
}

static void load_batch(struct batch *b, uint32_t first)
{
    uint64_t entries = 0;
    b->first = b->end = first;
    while (b->end < b->s->pair_count && (b->end == first || entries < BATCH_ENTRIES))
        entries += b->s->pairs[b->s->by_id[b->end++]].count;
    b->next = (uint32_t *)mem_array(b->end - first, sizeof *b->next);
    b->ordinals = (uint32_t *)mem_array(entries + 1, sizeof *b->ordinals);
    uint32_t at = 0;
    for (uint32_t id = first; id < b->end; id++) {
        b->next[id - first] = at;
        at += b->s->pairs[b->s->by_id[id]].count;
    }
    for (b->group = 0; b->group < b->s->group_starts.count; b->group++)
        walk_group(b->s, b->group, fill_batch, b);
}

/* One dictionary page and the postings stream while they grow. */
struct postings_writer {
    const struct symbols *s;
    symbols_emit emit;
    void *ctx;
    struct buf stream, entries, page, restarts;
    uint64_t stream_start;  /* offset of stream.data in SECTION_POSTINGS */
    uint64_t page_postings; /* offset of the page's first pair */
    uint32_t page_first, page_count;
    struct slice before;
};

static enum err flush_stream(struct postings_writer *w, bool all, struct errmsg *why)
{
    size_t at = 0;
    while (w->stream.len - at >= PAGE_RAW_TARGET || (all && w->stream.len > at)) {
        size_t n = w->stream.len - at < PAGE_RAW_TARGET ? w->stream.len - at : PAGE_RAW_TARGET;
        TRY(w->emit(w->ctx, SYMBOLS_POSTINGS, w->stream_start, slice_of(w->stream.data + at, n), why));
        at += n;
        w->stream_start += n;
    }
    if (at)
        memmove(w->stream.data, w->stream.data + at, w->stream.len - at);
    w->stream.len -= at;
    return ERR_OK;
}

static enum err flush_page(struct postings_writer *w, struct errmsg *why)
{
    if (w->page_count == 0)
        return ERR_OK;
    buf_reset(&w->page);
    buf_varint(&w->page, w->page_count);
    buf_varint(&w->page, w->page_postings);
    buf_slice(&w->page, buf_view(&w->restarts));
    buf_slice(&w->page, buf_view(&w->entries));
    enum err err = w->emit(w->ctx, SYMBOLS_DICT, w->page_first, buf_view(&w->page), why);
    buf_reset(&w->entries);
    buf_reset(&w->restarts);
    w->page_first += w->page_count;
    w->page_count = 0;
    return err;
}

static size_t shared_bytes(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* The ordinals as streams, appended to the postings; one alone stands in the entry. */
static void put_list(struct postings_writer *w, const uint32_t *ordinals, uint32_t count)
{
    buf_varint(&w->entries, count);
    if (count == 1) {
        buf_varint(&w->entries, ordinals[0]);
        return;
    }
    size_t start = w->stream.len;
    int64_t piece[INTS_COUNT_MAX];
    for (uint32_t i = 0; i < count; i += INTS_COUNT_MAX) {
        uint32_t n = count - i < INTS_COUNT_MAX ? count - i : INTS_COUNT_MAX;
        for (uint32_t k = 0; k < n; k++)
            piece[k] = ordinals[i + k];
        ints_encode(piece, n, &w->stream);
    }
    buf_varint(&w->entries, w->stream.len - start);
}

static enum err put_pair(struct postings_writer *w, const struct symbol_pair *pair, const uint32_t *ordinals,
                         struct errmsg *why)
{
    if (w->entries.len + w->restarts.len + pair->value.len > PAGE_RAW_TARGET)
        TRY(flush_page(w, why));
    uint64_t postings = w->stream_start + w->stream.len;
    if (w->page_count == 0)
        w->page_postings = postings;
    bool restart = w->page_count % DICT_RESTART == 0;
    if (restart) {
        buf_le32(&w->restarts, (uint32_t)w->entries.len);
        buf_le32(&w->restarts, (uint32_t)(postings - w->page_postings));
    }
    size_t shared = restart ? 0 : shared_bytes(w->before, pair->value);
    buf_varint(&w->entries, shared);
    buf_varint(&w->entries, pair->value.len - shared);
    buf_slice(&w->entries, slice_from(pair->value, shared));
    put_list(w, ordinals, pair->count);
    w->before = pair->value;
    w->page_count++;
    return flush_stream(w, false, why);
}

static enum err put_all(struct postings_writer *w, struct errmsg *why)
{
    struct batch b = {.s = w->s};
    enum err err = ERR_OK;
    for (uint32_t first = 0; err == ERR_OK && first < w->s->pair_count; first = b.end) {
        load_batch(&b, first);
        uint32_t at = 0;
        for (uint32_t id = first; err == ERR_OK && id < b.end; id++) {
            const struct symbol_pair *pair = &w->s->pairs[w->s->by_id[id]];
            assert(b.next[id - first] == at + pair->count);
            err = put_pair(w, pair, b.ordinals + at, why);
            at += pair->count;
        }
        mem_free(b.next);
        mem_free(b.ordinals);
    }
    if (err == ERR_OK)
        err = flush_page(w, why);
    return err == ERR_OK ? flush_stream(w, true, why) : err;
}

enum err symbols_put_postings(const struct symbols *s, symbols_emit emit, void *ctx, struct errmsg *why)
{
    struct postings_writer w = {.s = s,
                                .emit = emit,
                                .ctx = ctx,
                                .stream.own = true,
                                .entries.own = true,
                                .page.own = true,
                                .restarts.own = true};
    enum err err = put_all(&w, why);
    buf_deinit(&w.stream);
    buf_deinit(&w.entries);
    buf_deinit(&w.page);
    buf_deinit(&w.restarts);
    return err;
}
