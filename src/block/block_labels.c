/* block_labels.c - labels of series: value ids of a group, and pairs as structs; see block_internal.h. */
#include <inttypes.h>

#include "base/assert.h"
#include "block/block_internal.h"

enum { DIRECT_PAIRS_MIN = 256, DIRECT_PAIRS_MAX = 1 << 16, SLOTS_MIN = 256 };

static enum err damaged(struct block *b, uint32_t group, struct errmsg *why)
{
    atomic_fetch_add_explicit(&b->stats.corrupt_pages, 1, memory_order_relaxed);
    block_note_damage(b, SECTION_LABELS, group);
    return err_set(why, ERR_CORRUPT, "block %s: index: offset %" PRId64 ": label page contradicts itself", b->dir,
                   b->toc.sections[SECTION_LABELS].offset.v[group]);
}

static bool parse(const struct block *b, struct label_view *v, uint32_t expected)
{
    struct cursor c = cursor_of(slice_of(v->page->data, v->page->bytes));
    v->series = (uint32_t)cursor_varint(&c, LABEL_GROUP_SERIES);
    v->name_count = (uint32_t)cursor_varint(&c, b->toc.name_count);
    if (!c.p || v->series != expected)
        return false;
    if (v->capacity < v->name_count)
        v->names = (struct label_view_name *)mem_grow(v->names, &v->capacity, v->name_count, sizeof *v->names);
    for (uint32_t i = 0; i < v->name_count; i++) {
        struct label_view_name *n = &v->names[i];
        n->name = (uint32_t)cursor_varint(&c, b->toc.name_count ? b->toc.name_count - 1 : 0);
        n->low = (uint32_t)cursor_varint(&c, UINT32_MAX);
        struct slice width = cursor_bytes(&c, 1);
        n->width = width.data ? *width.data : 0;
        if (!c.p || (n->width != 0 && n->width != 1 && n->width != 2 && n->width != 4) || (i && n->name <= n[-1].name))
            return false;
    }
    for (uint32_t i = 0; i < v->name_count; i++)
        v->names[i].ids = cursor_bytes(&c, (size_t)v->series * v->names[i].width).data;
    return c.p && c.p == c.end;
}

enum err label_view_load(struct block *b, struct label_view *v, uint32_t ordinal, struct errmsg *why)
{
    uint32_t group = ordinal / LABEL_GROUP_SERIES;
    if (v->page && v->group == group)
        return ERR_OK;
    page_release(v->page);
    v->page = NULL;
    const struct column *first = &b->toc.sections[SECTION_LABELS].first;
    assert(ordinal < b->toc.meta.series);
    uint32_t left = (uint32_t)b->toc.meta.series - group * LABEL_GROUP_SERIES;
    if (group >= first->count || first->v[group] != (int64_t)group * LABEL_GROUP_SERIES)
        return err_set(why, ERR_CORRUPT, "block %s: index: no label page for series %" PRIu32, b->dir, ordinal);
    enum err err = block_index_page(b, SECTION_LABELS, group, &v->page, why);
    if ((err == ERR_CORRUPT || err == ERR_IO) && label_page_rebuild(b, group, &v->page, NULL) == ERR_OK)
        err = ERR_OK;
    if (err != ERR_OK)
        return err;
    v->group = group;
    if (parse(b, v, left < LABEL_GROUP_SERIES ? left : LABEL_GROUP_SERIES))
        return ERR_OK;
    page_release(v->page);
    v->page = NULL;
    return damaged(b, group, why);
}

void label_view_deinit(struct label_view *v)
{
    page_release(v->page);
    mem_free(v->names);
    *v = (struct label_view){0};
}

void pair_table_init(struct pair_table *t, struct block *b, struct arena *arena, uint64_t series)
{
    *t = (struct pair_table){.block = b, .arena = arena, .slot_count = SLOTS_MIN, .direct_max = DIRECT_PAIRS_MIN};
    if (series > DIRECT_PAIRS_MIN)
        t->direct_max = series < DIRECT_PAIRS_MAX ? (uint32_t)series : DIRECT_PAIRS_MAX;
    t->direct = (const struct label ***)mem_array(b->toc.name_count + 1, sizeof *t->direct);
    t->slots = (struct pair_slot *)mem_array(SLOTS_MIN, sizeof *t->slots);
}

void pair_table_deinit(struct pair_table *t)
{
    if (t->direct)
        for (uint32_t i = 0; i < t->block->toc.name_count; i++)
            mem_free(t->direct[i]);
    mem_free(t->direct);
    mem_free(t->slots);
    dict_cursor_deinit(&t->dict);
    *t = (struct pair_table){0};
}

static struct pair_slot *slot_of(const struct pair_table *t, uint32_t id)
{
    for (size_t i = id * UINT32_C(0x9e3779b1);; i++) {
        struct pair_slot *s = &t->slots[i & (t->slot_count - 1)];
        if (s->id == 0 || s->id == id + 1)
            return s;
    }
}

static void grow_slots(struct pair_table *t)
{
    struct pair_table bigger = {.slot_count = t->slot_count * 2};
    bigger.slots = (struct pair_slot *)mem_array(bigger.slot_count, sizeof *bigger.slots);
    for (size_t i = 0; i < t->slot_count; i++)
        if (t->slots[i].id)
            *slot_of(&bigger, t->slots[i].id - 1) = t->slots[i];
    mem_free(t->slots);
    t->slots = bigger.slots;
    t->slot_count = bigger.slot_count;
}

/* Where the label of a pair is kept. */
static const struct label **place_of(struct pair_table *t, const struct toc_name *name, uint32_t id)
{
    uint32_t rank = (uint32_t)(name - t->block->toc.names);
    if (name->pair_count <= t->direct_max) {
        if (!t->direct[rank])
            t->direct[rank] = (const struct label **)mem_array(name->pair_count, sizeof **t->direct);
        return &t->direct[rank][id - name->first_pair];
    }
    if (2 * (t->count + 1) > t->slot_count)
        grow_slots(t);
    struct pair_slot *s = slot_of(t, id);
    t->count += s->id == 0;
    s->id = id + 1;
    return &s->label;
}

static bool dict_goto(struct pair_table *t, uint32_t id)
{
    struct dict_cursor *c = &t->dict;
    if (c->page && c->err == ERR_OK && c->value.data && c->id + 1 == id)
        return dict_next(t->block, c);
    return dict_seek(t->block, c, id);
}

const struct label *pair_table_get(struct pair_table *t, uint32_t rank, uint32_t value_id)
{
    const struct toc_name *name = &t->block->toc.names[rank];
    uint32_t id = name->first_pair + value_id - 1;
    if (value_id > name->pair_count) {
        t->dict.err =
            err_set(&t->dict.why, ERR_CORRUPT, "block %s: index: label page names value %" PRIu32 " of %" PRIu32,
                    t->block->dir, value_id, name->pair_count);
        return NULL;
    }
    const struct label **place = place_of(t, name, id);
    if (!*place && dict_goto(t, id))
        *place = label_new(t->arena, name->text, buf_view(&t->dict.value));
    return *place;
}

enum err block_series_labels(struct pair_table *t, const struct label_view *v, uint32_t ordinal, struct arena *lists,
                             struct labels *out, struct errmsg *why)
{
    uint32_t series = ordinal % LABEL_GROUP_SERIES, count = 0;
    for (uint32_t i = 0; i < v->name_count; i++)
        count += label_view_id(&v->names[i], series) != 0;
    const struct label **list = (const struct label **)arena_try_alloc(lists, (count + 1) * sizeof *list);
    if (!list)
        return err_set(why, ERR_LIMIT, "labels of the selected series are over the memory budget of the query");
    struct labels l = {.count = count, .list = list};
    count = 0;
    for (uint32_t i = 0; i < v->name_count; i++) {
        uint32_t id = label_view_id(&v->names[i], series);
        if (id == 0)
            continue;
        const struct label *label = pair_table_get(t, v->names[i].name, id);
        if (!label) {
            if (why)
                *why = t->dict.why;
            return t->dict.err;
        }
        list[count++] = label;
        l.hash = hash128_add(l.hash, label->hash);
    }
    *out = l;
    return ERR_OK;
}
