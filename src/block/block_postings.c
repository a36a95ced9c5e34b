/* block_postings.c - the series of one label pair; layout in symbols_internal.h. */
#include <inttypes.h>

#include "base/assert.h"
#include "block/block_internal.h"
#include "chunk/ints.h"

/* The bytes [offset, offset + bytes) of the postings stream, across pages. */
static enum err read_stream(struct block *b, uint64_t offset, size_t bytes, struct buf *out, struct errmsg *why)
{
    const struct toc_section *s = &b->toc.sections[SECTION_POSTINGS];
    while (out->len < bytes) {
        uint64_t at = offset + out->len;
        uint32_t number = toc_find_page(s, at);
        struct page *page;
        TRY(block_index_page(b, SECTION_POSTINGS, number, &page, why));
        uint64_t in_page = at - (uint64_t)s->first.v[number];
        size_t n = in_page < page->bytes ? page->bytes - (size_t)in_page : 0;
        n = n < bytes - out->len ? n : bytes - out->len;
        buf_append(out, page->data + in_page, n);
        page_release(page);
        if (out->failed)
            return err_set(why, ERR_NO_MEMORY, "block %s: no memory for a posting list of %zu bytes", b->dir, bytes);
        if (n == 0)
            return err_set(why, ERR_CORRUPT, "block %s: index: offset %" PRId64 ": postings page is short", b->dir,
                           s->offset.v[number]);
    }
    return ERR_OK;
}

static enum err damaged(struct block *b, const struct dict_cursor *c, struct errmsg *why)
{
    atomic_fetch_add_explicit(&b->stats.corrupt_pages, 1, memory_order_relaxed);
    return err_set(why, ERR_CORRUPT, "block %s: index: postings of pair %" PRIu32 " are damaged", b->dir, c->id);
}

static enum err walk_list(struct block *b, const struct dict_cursor *c, struct slice list, ordinals_visit visit,
                          void *ctx, struct errmsg *why)
{
    int64_t piece[INTS_COUNT_MAX], before = -1;
    for (uint32_t at = 0; at < c->count; at += INTS_COUNT_MAX) {
        uint32_t n = c->count - at < INTS_COUNT_MAX ? c->count - at : INTS_COUNT_MAX;
        size_t used;
        if (ints_decode(list, n, piece, &used) != ERR_OK)
            return damaged(b, c, why);
        bool ascending = true;
        for (uint32_t i = 0; i < n; i++) {
            ascending &= piece[i] > before;
            before = piece[i];
        }
        if (!ascending || before >= (int64_t)b->toc.meta.series)
            return damaged(b, c, why);
        visit(ctx, piece, n);
        list = slice_from(list, used);
    }
    return list.len == 0 ? ERR_OK : damaged(b, c, why);
}

enum err postings_walk(struct block *b, const struct dict_cursor *c, ordinals_visit visit, void *ctx,
                       struct errmsg *why)
{
    if (c->count == 1) {
        int64_t ordinal = c->ordinal;
        visit(ctx, &ordinal, 1);
        return ERR_OK;
    }
    struct buf list = {0};
    enum err err = read_stream(b, c->postings, c->postings_bytes, &list, why);
    if (err == ERR_OK)
        err = walk_list(b, c, buf_view(&list), visit, ctx, why);
    buf_deinit(&list);
    return err;
}
