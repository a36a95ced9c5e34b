/* toc.c - see toc_internal.h. */
#include "block/toc_internal.h"

#include <inttypes.h>

enum { NAMES_MAX = 1 << 20, PAGES_MAX = 1 << 26 };

static void put_meta(const struct block_meta *m, struct buf *out)
{
    buf_varint(out, m->level);
    buf_varint(out, zigzag_put(m->mint_ms));
    buf_varint(out, (uint64_t)m->maxt_ms - (uint64_t)m->mint_ms);
    buf_varint(out, m->seq_min);
    buf_varint(out, m->seq_max - m->seq_min);
    buf_varint(out, m->series);
    buf_varint(out, m->chunks);
    buf_varint(out, m->samples);
    buf_varint(out, m->histogram_samples);
    buf_varint(out, m->data.bytes);
    buf_le32(out, m->data.crc);
    buf_varint(out, m->source_count);
    for (uint32_t i = 0; i < m->source_count; i++)
        buf_append(out, m->sources[i].bytes, sizeof m->sources[i].bytes);
}

void toc_put(const struct toc *toc, struct buf *out)
{
    put_meta(&toc->meta, out);
    buf_varint(out, toc->times_count);
    buf_varint(out, toc->postings_bytes);
    buf_varint(out, toc->name_count);
    for (uint32_t i = 0; i < toc->name_count; i++) {
        buf_varint(out, toc->names[i].text.len);
        buf_slice(out, toc->names[i].text);
        buf_varint(out, toc->names[i].pair_count);
    }
    for (int s = 0; s < SECTION_COUNT; s++) {
        const struct toc_section *section = &toc->sections[s];
        buf_varint(out, section->offset.count);
        column_put(&section->offset, out);
        column_put(&section->stored, out);
        column_put(&section->first, out);
    }
    for (size_t i = 0; i < toc->sections[SECTION_DICT].first.count; i++) {
        buf_varint(out, toc->fences[i].len);
        buf_slice(out, toc->fences[i]);
    }
}

void toc_deinit(struct toc *toc)
{
    for (int s = 0; s < SECTION_COUNT; s++) {
        column_deinit(&toc->sections[s].offset);
        column_deinit(&toc->sections[s].stored);
        column_deinit(&toc->sections[s].first);
    }
    mem_free(toc->names);
    mem_free(toc->fences);
    *toc = (struct toc){0};
}

static void get_meta(struct cursor *c, struct block_meta *m)
{
    m->level = (uint32_t)cursor_varint(c, BLOCK_LEVEL_MAX);
    m->mint_ms = cursor_zigzag(c);
    m->maxt_ms = (int64_t)((uint64_t)m->mint_ms + cursor_varint(c, UINT64_MAX));
    m->seq_min = cursor_varint(c, UINT64_MAX);
    m->seq_max = m->seq_min + cursor_varint(c, UINT64_MAX);
    m->series = cursor_varint(c, SERIES_MAX);
    m->chunks = cursor_varint(c, INT64_MAX);
    m->samples = cursor_varint(c, INT64_MAX);
    m->histogram_samples = cursor_varint(c, m->samples);
    m->data.bytes = cursor_varint(c, INT64_MAX);
    struct slice crc = cursor_bytes(c, 4);
    m->data.crc = crc.data ? le32_get(crc.data) : 0;
    m->source_count = (uint32_t)cursor_varint(c, BLOCK_SOURCES_MAX);
    for (uint32_t i = 0; i < m->source_count; i++) {
        struct slice id = cursor_bytes(c, sizeof m->sources[i].bytes);
        if (id.data)
            memcpy(m->sources[i].bytes, id.data, id.len);
    }
    if (m->maxt_ms < m->mint_ms || m->seq_max < m->seq_min || m->series == 0 || m->samples == 0)
        c->p = NULL;
}

static void get_names(struct cursor *c, struct toc *toc)
{
    uint32_t count = (uint32_t)cursor_varint(c, NAMES_MAX);
    if (count > cursor_left(c) / 2) { /* a name takes two bytes at least */
        c->p = NULL;
        return;
    }
    toc->names = (struct toc_name *)mem_array(count + 1, sizeof *toc->names);
    toc->name_count = count;
    uint64_t pairs = 0;
    for (uint32_t i = 0; c->p && i < count; i++) {
        struct toc_name *n = &toc->names[i];
        n->text = cursor_bytes(c, cursor_varint(c, PAGE_RAW_MAX));
        n->first_pair = (uint32_t)pairs;
        n->pair_count = (uint32_t)cursor_varint(c, UINT32_MAX);
        pairs += n->pair_count;
        if (pairs > UINT32_MAX - 1 || n->pair_count == 0 || (i && slice_cmp(n[-1].text, n->text) >= 0))
            c->p = NULL;
    }
    toc->pair_count = (uint32_t)pairs;
}

static void get_column(struct cursor *c, uint32_t count, int64_t min, struct column *out)
{
    if (!c->p || count == 0)
        return;
    out->v = (int64_t *)mem_try_alloc(count * sizeof *out->v);
    if (!out->v) {
        c->p = NULL;
        return;
    }
    out->count = out->capacity = count;
    cursor_column(c, count, min, INT64_MAX, out->v);
}

/* Pages and what they start with must ascend from 0. */
static void get_section(struct cursor *c, struct toc_section *s)
{
    uint32_t count = (uint32_t)cursor_varint(c, PAGES_MAX);
    if (count / INTS_COUNT_MAX > cursor_left(c)) {
        c->p = NULL;
        return;
    }
    get_column(c, count, FILE_HEADER_BYTES, &s->offset);
    get_column(c, count, 1, &s->stored);
    get_column(c, count, 0, &s->first);
    for (uint32_t i = 0; c->p && i < count; i++)
        if (s->stored.v[i] > PAGE_RAW_MAX || (i == 0 && s->first.v[i] != 0) ||
            (i && (s->first.v[i] <= s->first.v[i - 1] || s->offset.v[i] <= s->offset.v[i - 1])))
            c->p = NULL;
}

/* The last page of a section must start inside what the section has. */
static bool section_fits(const struct toc_section *s, uint64_t total)
{
    return (s->first.count == 0) == (total == 0) && (total == 0 || (uint64_t)s->first.v[s->first.count - 1] < total);
}

enum err toc_get(struct slice raw, struct toc *toc, struct errmsg *why)
{
    struct cursor c = cursor_of(raw);
    *toc = (struct toc){0};
    get_meta(&c, &toc->meta);
    toc->times_count = (uint32_t)cursor_varint(&c, UINT32_MAX - 1);
    toc->postings_bytes = cursor_varint(&c, INT64_MAX);
    get_names(&c, toc);
    for (int s = 0; s < SECTION_COUNT; s++)
        get_section(&c, &toc->sections[s]);
    size_t fences = toc->sections[SECTION_DICT].first.count;
    toc->fences = (struct slice *)mem_array(fences + 1, sizeof *toc->fences);
    for (size_t i = 0; c.p && i < fences; i++)
        toc->fences[i] = cursor_bytes(&c, cursor_varint(&c, PAGE_RAW_MAX));
    bool fits = c.p && c.p == c.end && section_fits(&toc->sections[SECTION_TIMES], toc->times_count) &&
                section_fits(&toc->sections[SECTION_CHUNKS], toc->meta.series) &&
                section_fits(&toc->sections[SECTION_LABELS], toc->meta.series) &&
                section_fits(&toc->sections[SECTION_DICT], toc->pair_count) &&
                section_fits(&toc->sections[SECTION_POSTINGS], toc->postings_bytes);
    if (fits)
        return ERR_OK;
    toc_deinit(toc);
    return err_set(why, ERR_CORRUPT, "index: table of contents contradicts itself%s", c.p ? "" : " or is cut off");
}
