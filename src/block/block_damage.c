/*
 * block_damage.c - which places of an open block are damaged, and which series and times that concerns.
 *
 * Places are remembered as readers meet them.  Who asks about them (the background thread of the store, verify)
 * pays for finding the series: one walk over the chunk lists, one over the labels when a dictionary page is damaged.
 */
#include <inttypes.h>

#include "block/block_internal.h"

enum { CANCEL_EVERY = 4096 };

static void note(struct block *b, unsigned kind, uint64_t number, bool repaired)
{
    mutex_lock(&b->damage_lock);
    uint32_t i = 0;
    while (i < b->damage_count && (b->damage[i].kind != kind || b->damage[i].number != number))
        i++;
    if (i < b->damage_count)
        b->damage[i].repaired = b->damage[i].repaired || repaired;
    else if (i < DAMAGE_PLACES_MAX)
        b->damage[b->damage_count++] = (struct damage_place){(uint8_t)kind, repaired, number};
    mutex_unlock(&b->damage_lock);
}

void block_note_damage(struct block *b, unsigned kind, uint64_t number)
{
    /* what is wrong with these costs nothing: it stands elsewhere, too */
    note(b, kind, number, kind == SECTION_POSTINGS || (kind > DAMAGE_DATA_PAGE && kind != DAMAGE_DATA_CUT));
}

void block_note_repaired(struct block *b, unsigned kind, uint64_t number)
{
    note(b, kind, number, true);
}

uint32_t block_damage_places(struct block *b)
{
    mutex_lock(&b->damage_lock);
    uint32_t count = b->damage_count;
    mutex_unlock(&b->damage_lock);
    return count;
}

/* ---- whom it concerns ---- */

struct finding {
    struct block *b;
    struct cancel *cancel;
    struct errmsg *why;
    struct damage_place places[DAMAGE_PLACES_MAX];
    uint32_t count;
    uint64_t *hit; /* bitmap of ordinals */
    int64_t mint_ms, maxt_ms;
};

static bool is_hit(const struct finding *f, uint64_t ordinal)
{
    return f->hit[ordinal >> 6] >> (ordinal & 63) & 1;
}

/* Series [from, end), and whatever time: their chunks cannot be told. */
static void hit_range(struct finding *f, uint64_t from, uint64_t end)
{
    for (uint64_t i = from; i < end; i++)
        f->hit[i >> 6] |= UINT64_C(1) << (i & 63);
    f->mint_ms = f->b->toc.meta.mint_ms;
    f->maxt_ms = f->b->toc.meta.maxt_ms;
}

/* The numbers that page `number` of a section begins and ends with. */
static void page_range(const struct finding *f, const struct damage_place *p, uint64_t total, uint64_t *from,
                       uint64_t *end)
{
    const struct column *first = &f->b->toc.sections[p->kind].first;
    *from = (uint64_t)first->v[p->number];
    *end = p->number + 1 < first->count ? (uint64_t)first->v[p->number + 1] : total;
}

static bool has_kind(const struct finding *f, unsigned kind)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->places[i].kind == kind && !f->places[i].repaired)
            return true;
    return false;
}

/* Whether a chunk needs a damaged page; whole: its times cannot be told. */
static bool chunk_is_hit(const struct finding *f, const struct chunk_entry *e, bool *whole)
{
    bool paged = !(e->flags & ENTRY_INLINE), hit = false;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct damage_place *p = &f->places[i];
        uint64_t from, end;
        if (p->kind == SECTION_TIMES) {
            page_range(f, p, f->b->toc.times_count, &from, &end);
            *whole = *whole || (e->times_id >= from && e->times_id < end);
            hit = hit || *whole;
        } else if (p->kind == DAMAGE_DATA_PAGE) {
            hit = hit || (paged && e->page == p->number);
        } else if (p->kind == DAMAGE_DATA_CUT) {
            hit = hit || (paged && e->page + PAGE_HEADER_BYTES + e->stored > p->number);
        }
    }
    return hit;
}

static void hit_chunk(struct finding *f, struct sample_reader *r, uint32_t ordinal, const struct chunk_entry *e)
{
    struct times_info info;
    bool whole = false;
    if (!chunk_is_hit(f, e, &whole))
        return;
    if (whole || sample_reader_times_info(r, e->times_id, &info, NULL) != ERR_OK) {
        hit_range(f, ordinal, (uint64_t)ordinal + 1);
        return;
    }
    f->hit[ordinal >> 6] |= UINT64_C(1) << (ordinal & 63);
    f->mint_ms = info.first_ms < f->mint_ms ? info.first_ms : f->mint_ms;
    f->maxt_ms = info.last_ms > f->maxt_ms ? info.last_ms : f->maxt_ms;
}

static enum err hit_by_chunks(struct finding *f)
{
    struct sample_reader r;
    enum err err = ERR_OK;
    sample_reader_init(&r, f->b, NULL, NULL);
    for (uint32_t i = 0; err == ERR_OK && i < f->b->toc.meta.series; i++) {
        const struct chunk_entry *e;
        uint32_t count = 0;
        if (i % CANCEL_EVERY == 0)
            err = cancel_check(f->cancel);
        if (err != ERR_OK || sample_reader_entries(&r, i, &e, &count, NULL) != ERR_OK)
            continue; /* its page is one of the places */
        for (uint32_t k = 0; k < count; k++)
            hit_chunk(f, &r, i, &e[k]);
    }
    sample_reader_deinit(&r);
    return err;
}

/* Series that have a label whose value cannot be read. */
static enum err hit_by_values(struct finding *f)
{
    struct label_view view = {0};
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < f->b->toc.meta.series; i++) {
        if (i % CANCEL_EVERY == 0)
            err = cancel_check(f->cancel);
        if (err != ERR_OK || label_view_load(f->b, &view, i, NULL) != ERR_OK)
            continue;
        for (uint32_t k = 0; k < view.name_count; k++) {
            uint32_t id = label_view_id(&view.names[k], i % LABEL_GROUP_SERIES);
            uint64_t pair = (uint64_t)f->b->toc.names[view.names[k].name].first_pair + id - 1, from, end;
            for (uint32_t p = 0; id && p < f->count; p++) {
                if (f->places[p].kind != SECTION_DICT)
                    continue;
                page_range(f, &f->places[p], f->b->toc.pair_count, &from, &end);
                if (pair >= from && pair < end)
                    hit_range(f, i, (uint64_t)i + 1);
            }
        }
    }
    label_view_deinit(&view);
    return err;
}

static enum err hit_all(struct finding *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct damage_place *p = &f->places[i];
        uint64_t from, end;
        if (p->repaired || (p->kind != SECTION_CHUNKS && p->kind != SECTION_LABELS))
            continue;
        page_range(f, p, f->b->toc.meta.series, &from, &end);
        hit_range(f, from, end);
    }
    if (has_kind(f, SECTION_DICT))
        TRY(hit_by_values(f));
    if (has_kind(f, SECTION_TIMES) || has_kind(f, DAMAGE_DATA_PAGE) || has_kind(f, DAMAGE_DATA_CUT))
        TRY(hit_by_chunks(f));
    return ERR_OK;
}

/* ---- the answer ---- */

static void print_place(const struct finding *f, const struct damage_place *p, struct buf *out)
{
    static const char *const others[] = {
        [DAMAGE_TOC] = "index: one of two tables of contents",
        [DAMAGE_INDEX_HEADER] = "index: header",
        [DAMAGE_DATA_HEADER] = "data: header",
        [DAMAGE_DATA_CUT] = "data: cut off",
        [DAMAGE_DATA_LONGER] = "data: longer than it was written",
    };
    if (p->kind < SECTION_COUNT)
        buf_printf(out, "index: %s page at offset %" PRId64, section_names[p->kind],
                   f->b->toc.sections[p->kind].offset.v[p->number]);
    else if (p->kind == DAMAGE_DATA_PAGE)
        buf_printf(out, "data: page at offset %" PRIu64, p->number);
    else
        buf_str(out, others[p->kind]);
    if (p->kind == DAMAGE_DATA_CUT || p->kind == DAMAGE_DATA_LONGER)
        buf_printf(out, " at offset %" PRIu64, p->number);
    if (p->repaired)
        buf_str(out, " (nothing is lost by it)");
}

static void name_series(struct finding *f, struct arena *arena, struct block_damage *out)
{
    struct label_view view = {0};
    struct pair_table pairs;
    pair_table_init(&pairs, f->b, arena, BLOCK_DAMAGE_NAMES);
    for (uint64_t i = 0; i < f->b->toc.meta.series; i++) {
        struct labels labels;
        struct buf text = {.limit = 1024};
        if (!is_hit(f, i))
            continue;
        out->series++;
        if (out->named == BLOCK_DAMAGE_NAMES)
            continue;
        if (label_view_load(f->b, &view, (uint32_t)i, NULL) == ERR_OK &&
            block_series_labels(&pairs, &view, (uint32_t)i, arena, &labels, NULL) == ERR_OK) {
            labels_print(&labels, &text);
            out->names[out->named++] = arena_strdup(arena, buf_view(&text));
        }
        buf_deinit(&text);
    }
    pair_table_deinit(&pairs);
    label_view_deinit(&view);
}

enum err block_damage_find(struct block *b, struct cancel *cancel, struct arena *arena, struct block_damage *out,
                           struct errmsg *why)
{
    struct finding *f = MEM_NEW(struct finding);
    *f = (struct finding){.b = b, .cancel = cancel, .why = why, .mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    mutex_lock(&b->damage_lock);
    f->count = b->damage_count;
    memcpy(f->places, b->damage, f->count * sizeof *f->places);
    mutex_unlock(&b->damage_lock);
    *out = (struct block_damage){.places = f->count, .mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    f->hit = (uint64_t *)mem_array((size_t)(b->toc.meta.series / 64) + 1, sizeof *f->hit);
    enum err err = f->count ? hit_all(f) : ERR_OK;
    if (err == ERR_OK) {
        name_series(f, arena, out);
        out->mint_ms = f->mint_ms;
        out->maxt_ms = f->maxt_ms;
        struct buf text = {.limit = 2048};
        for (uint32_t i = 0; i < f->count; i++) {
            if (i)
                buf_str(&text, "; ");
            print_place(f, &f->places[i], &text);
        }
        out->text = arena_strdup(arena, buf_view(&text));
        buf_deinit(&text);
    } else {
        err_set(why, err, "looking for the damaged series was stopped");
    }
    mem_free(f->hit);
    mem_free(f);
    return err;
}
