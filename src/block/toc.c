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

/* Pages lie one after the other inside the file, and what they start with ascends from 0. */
static void get_section(struct cursor *c, uint64_t file_bytes, struct toc_section *s)
{
    uint32_t count = (uint32_t)cursor_varint(c, PAGES_MAX);
    if (count / INTS_COUNT_MAX > cursor_left(c)) {
        c->p = NULL;
        return;
    }
    get_column(c, count, FILE_HEADER_BYTES, &s->offset);
    get_column(c, count, 1, &s->stored);
    get_column(c, count, 0, &s->first);
    uint64_t free_from = FILE_HEADER_BYTES;
    for (uint32_t i = 0; c->p && i < count; i++) {
        uint64_t offset = (uint64_t)s->offset.v[i], bytes = PAGE_HEADER_BYTES + (uint64_t)s->stored.v[i];
        if (offset < free_from || s->stored.v[i] > PAGE_RAW_MAX || offset > file_bytes || bytes > file_bytes - offset ||
            (i == 0 ? s->first.v[i] != 0 : s->first.v[i] <= s->first.v[i - 1]))
            c->p = NULL;
        free_from = offset + bytes;
    }
}

/* No page of a section begins further than `most` after the one before, nor ends the section too early: so counts
 * cannot exceed what pages of the file can hold. */
static bool section_fits(const struct toc_section *s, uint64_t total, uint64_t most)
{
    size_t n = s->first.count;
    bool fits = (n == 0) == (total == 0);
    for (size_t i = 0; fits && i < n; i++) {
        uint64_t first = (uint64_t)s->first.v[i], next = i + 1 < n ? (uint64_t)s->first.v[i + 1] : total;
        fits = first < next && next - first <= most;
    }
    return fits;
}

enum err toc_get(struct slice raw, uint64_t file_bytes, struct toc *toc, struct errmsg *why)
{
    struct cursor c = cursor_of(raw);
    *toc = (struct toc){0};
    get_meta(&c, &toc->meta);
    toc->times_count = (uint32_t)cursor_varint(&c, UINT32_MAX - 1);
    toc->postings_bytes = cursor_varint(&c, INT64_MAX);
    get_names(&c, toc);
    for (int s = 0; s < SECTION_COUNT; s++)
        get_section(&c, file_bytes, &toc->sections[s]);
    size_t fences = toc->sections[SECTION_DICT].first.count;
    toc->fences = (struct slice *)mem_array(fences + 1, sizeof *toc->fences);
    for (size_t i = 0; c.p && i < fences; i++)
        toc->fences[i] = cursor_bytes(&c, cursor_varint(&c, PAGE_RAW_MAX));
    const struct toc_section *sections = toc->sections;
    bool fits = c.p && c.p == c.end && section_fits(&sections[SECTION_TIMES], toc->times_count, INTS_COUNT_MAX) &&
                section_fits(&sections[SECTION_CHUNKS], toc->meta.series, CHUNK_GROUP_SERIES) &&
                section_fits(&sections[SECTION_LABELS], toc->meta.series, LABEL_GROUP_SERIES) &&
                section_fits(&sections[SECTION_DICT], toc->pair_count, PAGE_RAW_MAX) &&
                section_fits(&sections[SECTION_POSTINGS], toc->postings_bytes, PAGE_RAW_MAX);
    if (fits)
        return ERR_OK;
    toc_deinit(toc);
    return err_set(why, ERR_CORRUPT, "index: table of contents contradicts itself%s", c.p ? "" : " or is cut off");
}
