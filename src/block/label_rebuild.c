/*
 * label_rebuild.c - a label page from what the dictionary and the postings say: for pages that are damaged.
 *
 * The whole dictionary is walked for it, which takes milliseconds per million series and pair; the page goes into
 * the cache.  Where the dictionary or the postings are damaged as well, nothing is made up.
 */
#include "block/block_internal.h"

/* The value ids of one name for the series of the group. */
struct filling {
    uint32_t first, count; /* ordinals of the group */
    uint32_t id;           /* value id at hand */
    uint32_t *ids;         /* [count] */
    bool any, twice;       /* a series that has the label; one that has it twice */
};

static void fill(void *ctx, const int64_t *ordinals, uint32_t count)
{
    struct filling *f = (struct filling *)ctx;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)ordinals[i] - f->first;
        if (ordinals[i] < f->first || at >= f->count)
            continue;
        f->twice = f->twice || f->ids[at];
        f->ids[at] = f->id;
        f->any = true;
    }
}

static enum err fill_name(struct block *b, const struct toc_name *name, struct dict_cursor *c, struct filling *f,
                          struct errmsg *why)
{
    memset(f->ids, 0, f->count * sizeof *f->ids);
    f->any = false;
    bool more = dict_seek(b, c, name->first_pair);
    for (uint32_t i = 0; more && i < name->pair_count; i++) {
        f->id = i + 1;
        TRY(postings_walk(b, c, fill, f, why));
        more = i + 1 == name->pair_count || dict_next(b, c);
    }
    if (!more)
        return err_set(why, c->err != ERR_OK ? c->err : ERR_CORRUPT, "block %s: index: dictionary is damaged", b->dir);
    return ERR_OK;
}

/* Value ids as they are, four bytes each: what symbols.c does to save bytes is not needed here. */
static void put_name(uint32_t rank, const struct filling *f, struct buf *head, struct buf *arrays)
{
    enum { WIDTH = 4 };
    buf_varint(head, rank);
    buf_varint(head, 0);
    buf_u8(head, WIDTH);
    for (uint32_t i = 0; i < f->count; i++)
        buf_le32(arrays, f->ids[i]);
}

static enum err fill_all(struct block *b, struct filling *f, struct buf *out, struct errmsg *why)
{
    struct dict_cursor c = {0};
    struct buf head = {.limit = PAGE_RAW_MAX}, arrays = {.limit = PAGE_RAW_MAX};
    uint32_t names = 0;
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < b->toc.name_count; i++) {
        err = fill_name(b, &b->toc.names[i], &c, f, why);
        if (err == ERR_OK && f->any) {
            put_name(i, f, &head, &arrays);
            names++;
        }
    }
    if (err == ERR_OK && (head.failed || arrays.failed))
        err = err_set(why, ERR_LIMIT, "block %s: index: no memory to make a label page anew", b->dir);
    if (err == ERR_OK && f->twice)
        err = err_set(why, ERR_CORRUPT, "block %s: index: postings contradict themselves", b->dir);
    buf_varint(out, f->count);
    buf_varint(out, names);
    buf_slice(out, buf_view(&head));
    buf_slice(out, buf_view(&arrays));
    dict_cursor_deinit(&c);
    buf_deinit(&head);
    buf_deinit(&arrays);
    return err;
}

enum err label_page_rebuild(struct block *b, uint32_t group, struct page **out, struct errmsg *why)
{
    struct errmsg own;
    struct buf raw = {.limit = PAGE_RAW_MAX};
    struct filling f = {.first = group * LABEL_GROUP_SERIES};
    uint64_t left = b->toc.meta.series - f.first;
    f.count = left < LABEL_GROUP_SERIES ? (uint32_t)left : LABEL_GROUP_SERIES;
    f.ids = (uint32_t *)mem_array(f.count, sizeof *f.ids);
    enum err err = fill_all(b, &f, &raw, why ? why : &own);
    if (err == ERR_OK && raw.failed)
        err = err_set(why, ERR_LIMIT, "block %s: index: no memory to make a label page anew", b->dir);
    if (err == ERR_OK)
        err = block_index_page_put(b, SECTION_LABELS, group, buf_view(&raw), out, why);
    if (err == ERR_OK)
        block_note_repaired(b, SECTION_LABELS, group);
    mem_free(f.ids);
    buf_deinit(&raw);
    return err;
}
