/*
 * finite.c - the texts of a pattern that has only finitely (and not too) many.
 *
 * A literal with U+FFFD in it is none here: as a pattern it matches any byte that is not UTF-8 as well.
 */
#include <string.h>

#include "base/utf8.h"
#include "regex/regex_internal.h"

enum { TEXT_BYTES_MAX = 1 << 20, CLASS_RUNES_MAX = 64, PRODUCT_MAX = 1024 };

bool node_is_plain(const struct node *n)
{
    if (n->kind != NODE_LITERAL || n->fold)
        return false;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->runes[i] == RUNE_ERROR || !rune_valid(n->runes[i]))
            return false;
    return true;
}

struct slice runes_encode(struct arena *arena, const int32_t *runes, uint32_t count)
{
    uint8_t *bytes = arena_try_alloc(arena, (size_t)count * RUNE_BYTES_MAX + 1);
    size_t len = 0;
    for (uint32_t i = 0; bytes && i < count; i++)
        len += utf8_encode(bytes + len, runes[i]);
    return slice_of(bytes, len);
}

struct texts {
    struct arena *arena;
    struct slice *list;
    uint32_t count;
    size_t bytes;
};

static bool texts_fit(size_t count, size_t bytes)
{
    return count <= REGEX_LITERALS_MAX && bytes <= TEXT_BYTES_MAX;
}

static bool texts_of(const struct node *n, struct texts *out);

static bool texts_single(struct texts *out, struct slice text)
{
    out->list = arena_try_alloc(out->arena, sizeof *out->list);
    if (!out->list)
        return false;
    out->list[0] = text;
    out->count = 1;
    out->bytes = text.len;
    return true;
}

static bool texts_of_class(const struct node *n, struct texts *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->ranges[i].high - n->ranges[i].low >= CLASS_RUNES_MAX)
            return false;
        if (n->ranges[i].low <= RUNE_ERROR && n->ranges[i].high >= 0xd800)
            return false;
        count += (uint32_t)(n->ranges[i].high - n->ranges[i].low) + 1;
    }
    if (count == 0 || count > CLASS_RUNES_MAX)
        return false;
    out->list = arena_try_alloc(out->arena, count * sizeof *out->list);
    for (uint32_t i = 0; out->list && i < n->count; i++)
        for (int32_t r = n->ranges[i].low; r <= n->ranges[i].high; r++) {
            out->list[out->count] = runes_encode(out->arena, &r, 1);
            out->bytes += out->list[out->count++].len;
        }
    return out->list != NULL;
}

/* All of a followed by all of b. */
static bool texts_product(struct texts *a, const struct texts *b)
{
    size_t count = (size_t)a->count * b->count, bytes = a->bytes * b->count + b->bytes * a->count;
    if (!texts_fit(count, bytes) || (a->count > 1 && b->count > 1 && count > PRODUCT_MAX))
        return false;
    struct slice *list = arena_try_alloc(a->arena, count * sizeof *list);
    uint8_t *p = arena_try_alloc(a->arena, bytes + 1);
    if (!list || !p)
        return false;
    size_t at = 0;
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++) {
            size_t len = a->list[i].len + b->list[j].len;
            if (a->list[i].len)
                memcpy(p, a->list[i].data, a->list[i].len);
            if (b->list[j].len)
                memcpy(p + a->list[i].len, b->list[j].data, b->list[j].len);
            list[at++] = slice_of(p, len);
            p += len;
        }
    *a = (struct texts){a->arena, list, (uint32_t)count, bytes};
    return true;
}

/* Appends the children's texts to one list. */
static bool texts_union(const struct node *n, struct texts *out)
{
    struct slice *list = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        struct texts one = {.arena = out->arena};
        if (!texts_of(n->children[i], &one) || !texts_fit(out->count + one.count, out->bytes + one.bytes))
            return false;
        if (out->count + one.count > capacity) {
            capacity = (out->count + one.count) * (size_t)2 + n->count - i;
            struct slice *more = arena_try_alloc(out->arena, capacity * sizeof *more);
            if (!more)
                return false;
            if (out->count)
                memcpy(more, list, out->count * sizeof *more);
            list = more;
        }
        memcpy(list + out->count, one.list, one.count * sizeof *list);
        out->count += one.count;
        out->bytes += one.bytes;
    }
    out->list = list;
    return true;
}

/* Texts of single children in a row, joined before they are multiplied with the others. */
struct run {
    uint8_t *bytes;
    size_t len, capacity;
};

static bool run_append(struct run *r, struct arena *arena, struct slice text)
{
    if (r->len + text.len > r->capacity) {
        size_t capacity = (r->len + text.len) * 2;
        uint8_t *more = capacity <= 2 * TEXT_BYTES_MAX ? arena_try_alloc(arena, capacity) : NULL;
        if (!more)
            return false;
        if (r->len)
            memcpy(more, r->bytes, r->len);
        r->bytes = more;
        r->capacity = capacity;
    }
    if (text.len)
        memcpy(r->bytes + r->len, text.data, text.len);
    r->len += text.len;
    return true;
}

static bool run_flush(struct run *r, struct texts *out)
{
    struct texts one = {.arena = out->arena};
    if (r->len == 0)
        return true;
    bool ok = texts_single(&one, slice_of(r->bytes, r->len)) && texts_product(out, &one);
    *r = (struct run){0};
    return ok;
}

static bool texts_concat(const struct node *n, struct texts *out)
{
    struct run run = {0};
    if (!texts_single(out, slice_of(NULL, 0)))
        return false;
    for (uint32_t i = 0; i < n->count; i++) {
        struct texts one = {.arena = out->arena};
        if (!texts_of(n->children[i], &one))
            return false;
        if (one.count == 1 ? !run_append(&run, out->arena, one.list[0])
                           : !run_flush(&run, out) || !texts_product(out, &one))
            return false;
    }
    return run_flush(&run, out);
}

/* x{n,m} with a small m; x? is x{0,1}. */
static bool texts_repeat(const struct node *n, int32_t min, int32_t max, struct texts *out)
{
    struct texts sub = {.arena = out->arena}, power = {.arena = out->arena};
    if (max < 0 || max > 16 || !texts_of(n->children[0], &sub) || !texts_single(&power, slice_of(NULL, 0)))
        return false;
    size_t capacity = 0;
    for (int32_t i = 0; i <= max; i++) {
        if (i > 0 && !texts_product(&power, &sub))
            return false;
        if (i < min)
            continue;
        if (!texts_fit(out->count + power.count, out->bytes + power.bytes))
            return false;
        if (out->count + power.count > capacity) {
            capacity = (out->count + power.count) * (size_t)2;
            struct slice *more = arena_try_alloc(out->arena, capacity * sizeof *more);
            if (!more)
                return false;
            if (out->count)
                memcpy(more, out->list, out->count * sizeof *more);
            out->list = more;
        }
        memcpy(out->list + out->count, power.list, power.count * sizeof *power.list);
        out->count += power.count;
        out->bytes += power.bytes;
    }
    return true;
}

static bool texts_of(const struct node *n, struct texts *out)
{
    switch (n->kind) {
    case NODE_EMPTY:
        return texts_single(out, slice_of(NULL, 0));
    case NODE_LITERAL:
        return node_is_plain(n) && texts_single(out, runes_encode(out->arena, n->runes, n->count));
    case NODE_CLASS:
        return texts_of_class(n, out);
    case NODE_CAPTURE:
        return texts_of(n->children[0], out);
    case NODE_QUEST:
        return texts_repeat(n, 0, 1, out);
    case NODE_REPEAT:
        return texts_repeat(n, n->min, n->max, out);
    case NODE_CONCAT:
        return texts_concat(n, out);
    case NODE_ALTERNATE:
        return texts_union(n, out);
    default:
        return false;
    }
}

static bool set_copy(const struct texts *t, struct arena *arena, struct literal_set *out)
{
    struct slice *list = arena_try_alloc(arena, t->count * sizeof *list);
    uint8_t *p = arena_try_alloc(arena, t->bytes + 1);
    if (!list || !p)
        return false;
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->list[i].len)
            memcpy(p, t->list[i].data, t->list[i].len);
        list[i] = slice_of(p, t->list[i].len);
        p += t->list[i].len;
    }
    return literal_set_build(out, list, t->count, arena);
}

bool finite_texts(const struct node *root, struct arena *scratch, struct arena *arena, struct literal_set *out)
{
    struct texts texts = {.arena = scratch};
    if (texts_of(root, &texts) && set_copy(&texts, arena, out))
        return true;
    *out = (struct literal_set){0};
    return false;
}
