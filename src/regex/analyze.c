/*
 * analyze.c - what a tree tells without running it: the finite set of its texts, literals at its ends and in
 * its middle, or that it is nothing but literals with gaps.
 *
 * A literal with U+FFFD in it is none here: as a pattern it matches any byte that is not UTF-8 as well.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "regex/regex_internal.h"

enum { TEXT_BYTES_MAX = 1 << 20, CLASS_RUNES_MAX = 64, PRODUCT_MAX = 1024 };

static bool is_plain_literal(const struct node *n)
{
    if (n->kind != NODE_LITERAL || n->fold)
        return false;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->runes[i] == RUNE_ERROR || !rune_valid(n->runes[i]))
            return false;
    return true;
}

static struct slice encode(struct arena *arena, const int32_t *runes, uint32_t count)
{
    uint8_t *bytes = arena_try_alloc(arena, (size_t)count * RUNE_BYTES_MAX + 1);
    size_t len = 0;
    for (uint32_t i = 0; bytes && i < count; i++)
        len += utf8_encode(bytes + len, runes[i]);
    return slice_of(bytes, len);
}

/* ---- Assertions at the ends ---- */

static struct node *strip(struct node *n, struct node *empty, bool begin, bool end)
{
    switch (n->kind) {
    case NODE_BEGIN_TEXT:
    case NODE_BEGIN_LINE:
        return begin ? empty : n;
    case NODE_END_TEXT:
    case NODE_END_LINE:
        return end ? empty : n;
    case NODE_CAPTURE:
        n->children[0] = strip(n->children[0], empty, begin, end);
        return n;
    case NODE_ALTERNATE:
        for (uint32_t i = 0; i < n->count; i++)
            n->children[i] = strip(n->children[i], empty, begin, end);
        return n;
    case NODE_CONCAT:
        for (uint32_t i = 0; begin && i < n->count; i++) {
            n->children[i] = strip(n->children[i], empty, true, end && i + 1 == n->count);
            begin = n->children[i]->kind == NODE_EMPTY;
        }
        for (uint32_t i = n->count; end && i-- > 0;) {
            n->children[i] = strip(n->children[i], empty, false, true);
            end = n->children[i]->kind == NODE_EMPTY;
        }
        return n;
    default:
        return n;
    }
}

struct node *analyze_strip(struct node *root, struct node *empty)
{
    return strip(root, empty, true, true);
}

/* ---- Finite sets ---- */

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
            out->list[out->count] = encode(out->arena, &r, 1);
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

static bool texts_concat(const struct node *n, struct texts *out)
{
    if (!texts_single(out, slice_of(NULL, 0)))
        return false;
    for (uint32_t i = 0; i < n->count; i++) {
        struct texts one = {.arena = out->arena};
        if (!texts_of(n->children[i], &one) || !texts_product(out, &one))
            return false;
    }
    return true;
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
        return is_plain_literal(n) && texts_single(out, encode(out->arena, n->runes, n->count));
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

/* ---- Literals with gaps ---- */

/* Parts as the walk over the tree finds them; runes are gathered before they are encoded. */
struct parts {
    struct arena *scratch;
    struct slice literal[GLOB_PARTS_MAX];
    uint8_t gap_min[GLOB_PARTS_MAX];
    uint32_t count;
};

static bool parts_literal(struct parts *p, const struct node *n)
{
    struct slice *last = &p->literal[p->count - 1], more = encode(p->scratch, n->runes, n->count);
    if (!more.data)
        return false;
    if (last->len == 0) {
        *last = more;
        return true;
    }
    uint8_t *joined = arena_try_alloc(p->scratch, last->len + more.len);
    if (!joined)
        return false;
    memcpy(joined, last->data, last->len);
    memcpy(joined + last->len, more.data, more.len);
    *last = slice_of(joined, last->len + more.len);
    return true;
}

static bool parts_gap(struct parts *p, uint8_t min)
{
    if (p->count > 1 && p->literal[p->count - 1].len == 0) { /* another gap right before */
        uint8_t *gap = &p->gap_min[p->count - 1];
        if (*gap + min > 1)
            return false; /* two runes are not two bytes */
        *gap = (uint8_t)(*gap + min);
        return true;
    }
    if (p->count == GLOB_PARTS_MAX)
        return false;
    p->literal[p->count] = slice_of(NULL, 0);
    p->gap_min[p->count++] = min;
    return true;
}

static bool parts_of(struct parts *p, const struct node *n)
{
    switch (n->kind) {
    case NODE_EMPTY:
        return true;
    case NODE_LITERAL:
        return is_plain_literal(n) && parts_literal(p, n);
    case NODE_CAPTURE:
        return parts_of(p, n->children[0]);
    case NODE_STAR:
    case NODE_PLUS:
        return n->children[0]->kind == NODE_ANY && parts_gap(p, n->kind == NODE_PLUS);
    case NODE_CONCAT:
        for (uint32_t i = 0; i < n->count; i++)
            if (!parts_of(p, n->children[i]))
                return false;
        return true;
    default:
        return false;
    }
}

static bool glob_of(const struct node *root, struct arena *scratch, struct arena *arena, struct glob *out)
{
    struct parts p = {.scratch = scratch, .count = 1};
    if (!parts_of(&p, root))
        return false;
    *out = (struct glob){.part_count = p.count};
    for (uint32_t i = 0; i < p.count; i++) {
        uint8_t *copy = arena_try_alloc(arena, p.literal[i].len + 1);
        if (!copy) {
            out->part_count = 0;
            return false;
        }
        if (p.literal[i].len)
            memcpy(copy, p.literal[i].data, p.literal[i].len);
        out->literal[i] = slice_of(copy, p.literal[i].len);
        out->gap_min[i] = p.gap_min[i];
        out->bytes_min += p.literal[i].len + p.gap_min[i];
    }
    return true;
}

/* ---- Required literals ---- */

/* The first or last child that is not empty. */
static const struct node *edge_child(const struct node *n, bool front)
{
    uint32_t i = front ? 0 : n->count - 1;
    while (n->children[i]->kind == NODE_EMPTY && i != (front ? n->count - 1 : 0))
        i = front ? i + 1 : i - 1;
    return n->children[i];
}

/* The literal that every text of n begins (or ends) with; a node deep inside, not joined with neighbours. */
static const struct node *edge_literal(const struct node *n, bool front)
{
    for (;;) {
        if (n->kind == NODE_LITERAL)
            return is_plain_literal(n) ? n : NULL;
        if (n->kind == NODE_CAPTURE || n->kind == NODE_PLUS || (n->kind == NODE_REPEAT && n->min > 0))
            n = n->children[0];
        else if (n->kind == NODE_CONCAT)
            n = edge_child(n, front);
        else
            return NULL;
    }
}

static void longest_literal(const struct node *n, const struct node **best)
{
    if (n->kind == NODE_LITERAL) {
        if (is_plain_literal(n) && (!*best || n->count > (*best)->count))
            *best = n;
    } else if (n->kind == NODE_CAPTURE || n->kind == NODE_PLUS || (n->kind == NODE_REPEAT && n->min > 0)) {
        longest_literal(n->children[0], best);
    } else if (n->kind == NODE_CONCAT) {
        for (uint32_t i = 0; i < n->count; i++)
            longest_literal(n->children[i], best);
    }
}

static struct slice text_of(const struct node *literal, struct arena *arena)
{
    return literal ? encode(arena, literal->runes, literal->count) : slice_of(NULL, 0);
}

static struct slice longest_part(const struct glob *g)
{
    struct slice best = g->literal[0];
    for (uint32_t i = 1; i < g->part_count; i++)
        if (g->literal[i].len > best.len)
            best = g->literal[i];
    return best;
}

static void set_edges(struct regex *re)
{
    struct slice first = re->literals.list[0], last = re->literals.list[re->literals.count - 1];
    size_t common = 0; /* the list is sorted: what first and last share, all share */
    while (common < first.len && common < last.len && first.data[common] == last.data[common])
        common++;
    re->prefix = re->substring = slice_of(first.data, common);
}

void analyze(const struct node *root, struct arena *scratch, struct arena *arena, struct regex *re)
{
    struct texts texts = {.arena = scratch};
    if (texts_of(root, &texts) && set_copy(&texts, arena, &re->literals)) {
        set_edges(re);
        return;
    }
    re->literals = (struct literal_set){0};
    if (glob_of(root, scratch, arena, &re->glob)) {
        re->prefix = re->glob.literal[0];
        re->substring = longest_part(&re->glob);
        return;
    }
    const struct node *longest = NULL;
    longest_literal(root, &longest);
    re->prefix = text_of(edge_literal(root, true), arena);
    re->suffix = text_of(edge_literal(root, false), arena);
    re->substring = text_of(longest, arena);
}

/* ---- a|b|c ---- */

bool analyze_plain_alternatives(struct slice pattern, struct arena *arena, struct regex *re)
{
    uint32_t count = 1;
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.data[i];
        if (c == 0 || c >= 0x80 || strchr("\\.+*?()[]{}^$", c))
            return false;
        count += c == '|';
    }
    struct slice *list = arena_try_alloc(arena, count * sizeof *list);
    if (!list)
        return false;
    struct slice rest = pattern;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *bar = rest.len ? memchr(rest.data, '|', rest.len) : NULL;
        size_t len = bar ? (size_t)(bar - rest.data) : rest.len;
        list[i] = slice_of(rest.data, len);
        if (bar)
            rest = slice_from(rest, len + 1);
    }
    if (!literal_set_build(&re->literals, list, count, arena))
        return false;
    set_edges(re);
    return true;
}
