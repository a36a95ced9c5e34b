/*
 * analyze.c - what a tree tells without running it: that it is nothing but literals with gaps, which literals
 * stand at its ends and in its middle.  The finite set of its texts is a matter of finite.c.
 */
#include <string.h>

#include "regex/regex_internal.h"

enum { SCRATCH_BYTES_MAX = 32 << 20 };

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
    struct slice *last = &p->literal[p->count - 1], more = runes_encode(p->scratch, n->runes, n->count);
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
        return node_is_plain(n) && parts_literal(p, n);
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
            return node_is_plain(n) ? n : NULL;
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
        if (node_is_plain(n) && (!*best || n->count > (*best)->count))
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
    return literal ? runes_encode(arena, literal->runes, literal->count) : slice_of(NULL, 0);
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

static void analyze_with(const struct node *root, struct arena *scratch, struct arena *arena, struct regex *re)
{
    if (finite_texts(root, scratch, arena, &re->literals)) {
        set_edges(re);
        return;
    }
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

void analyze(const struct node *root, struct mem_budget *budget, struct arena *arena, struct regex *re)
{
    struct mem_budget own = {.name = "regex analysis", .limit = SCRATCH_BYTES_MAX, .parent = budget};
    struct arena scratch;
    arena_init(&scratch, &own);
    analyze_with(root, &scratch, arena, re);
    arena_deinit(&scratch);
}

/* ---- a|b|c ---- */

bool analyze_plain_alternatives(struct slice pattern, struct arena *arena, struct regex *re)
{
    uint32_t count = 1;
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.data[i];
        if (c == 0 || strchr("\\.+*?()[]{}^$", c))
            return false;
        if (c == 0xef && slice_starts_with(slice_from(pattern, i), SLICE_LIT("\xef\xbf\xbd")))
            return false; /* U+FFFD, see finite.c */
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
