/*
 * order.c - label sets of many series, sorted without comparing texts; the contract is in order_internal.h.
 *
 *     1. the pairs that occur get small numbers in order of appearance; a series is a row of those
 *     2. sorted: the distinct pairs - few beside the series - are sorted by name and value, which gives each a rank
 *        such that label sets compare like their rows of ranks
 *     3. as many ranks as fit make a 64-bit key; rows are sorted by it, byte by byte, and runs of equal keys by the
 *        ranks behind
 *     4. lists of pairs and hashes are made from the rows, in the final order
 */
#include "head/order_internal.h"

#include <stdlib.h>

#include "base/radix.h"

enum { CHECK_EVERY = 4096, FEW = 16, MANY = 1024, DIRECT_FACTOR = 4 };

/* A pair that occurs. */
struct occurring {
    uint32_t id, name; /* name: index into head->names, then the rank of the name */
    uint64_t prefix;   /* of the value, behind what all values of the name begin with: compares like the value */
    uint32_t number;
    const struct label *label;
};

struct ordering {
    struct head *head;
    struct cancel *cancel;
    struct arena work;
    const series_ref *refs;
    size_t count;
    size_t *start;  /* [count + 1]: where a series' row begins */
    uint32_t *rows; /* numbers of pairs */
    struct occurring *pairs;
    uint32_t pair_count, pair_capacity;
    uint32_t *table; /* by id: number + 1, 0 = free */
    uint32_t table_size;
    bool direct;                 /* a place for every id: table[id] */
    const struct label **labels; /* by number */
    struct hash128 *hashes;      /* by number */
    bool *shown;                 /* by number: whether lists hold it; NULL: all */
    uint32_t *ranks;             /* by number; from 1 */
    unsigned bits, per_key;      /* of a rank; ranks in a key */
};

static void *take(struct ordering *o, size_t count, size_t bytes)
{
    return count > SIZE_MAX / 2 / bytes ? NULL : arena_try_alloc(&o->work, (count + 1) * bytes);
}

/* ---- 1. Rows ---- */

static uint32_t slot_of(const struct ordering *o, uint32_t id)
{
    return (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (o->table_size - 1);
}

static bool table_grow(struct ordering *o)
{
    o->table_size = o->table_size ? o->table_size * 2 : 256;
    o->table = take(o, o->table_size, sizeof *o->table);
    if (!o->table)
        return false;
    memset(o->table, 0, o->table_size * sizeof *o->table);
    for (uint32_t i = 0; i < o->pair_count; i++) {
        uint32_t at = slot_of(o, o->pairs[i].id);
        while (o->table[at])
            at = (at + 1) & (o->table_size - 1);
        o->table[at] = i + 1;
    }
    return true;
}

static bool pairs_grow(struct ordering *o)
{
    uint32_t capacity = o->pair_capacity ? o->pair_capacity * 2 : 128;
    struct occurring *pairs = take(o, capacity, sizeof *pairs);
    if (!pairs)
        return false;
    if (o->pair_count)
        memcpy(pairs, o->pairs, o->pair_count * sizeof *pairs);
    o->pairs = pairs;
    o->pair_capacity = capacity;
    return true;
}

/* With many series a place for every pair there is costs less than looking for places. */
static bool direct_grow(struct ordering *o, uint32_t count)
{
    uint32_t *table = take(o, count, sizeof *table);
    if (!table)
        return false;
    if (o->table_size)
        memcpy(table, o->table, o->table_size * sizeof *table);
    memset(table + o->table_size, 0, (count - o->table_size) * sizeof *table);
    o->table = table;
    o->table_size = count;
    return true;
}

/* Where the number of a pair stands or will stand; NULL when memory ends. */
static uint32_t *number_place(struct ordering *o, uint32_t id)
{
    if (o->direct)
        return id < o->table_size || direct_grow(o, id + 1) ? &o->table[id] : NULL;
    if (o->pair_count * 2 >= o->table_size && !table_grow(o))
        return NULL;
    uint32_t at = slot_of(o, id);
    while (o->table[at] && o->pairs[o->table[at] - 1].id != id)
        at = (at + 1) & (o->table_size - 1);
    return &o->table[at];
}

/* The number of a pair; UINT32_MAX when memory ends. */
static uint32_t number_of(struct ordering *o, uint32_t id)
{
    uint32_t *place = number_place(o, id);
    if (!place)
        return UINT32_MAX;
    if (*place)
        return *place - 1;
    if (o->pair_count == o->pair_capacity && !pairs_grow(o))
        return UINT32_MAX;
    const struct pair *p = pair_of(o->head, id);
    o->pairs[o->pair_count] =
        (struct occurring){.id = id, .name = p->name, .number = o->pair_count, .label = &p->label};
    *place = ++o->pair_count;
    return o->pair_count - 1;
}

static size_t rows_size(const struct ordering *o)
{
    size_t size = 0;
    for (size_t i = 0; i < o->count; i++)
        size += line_of(o->head, o->refs[i])->label_count;
    return size;
}

/* Series made one after the other share most of their pairs: those are not looked up again. */
static enum err rows_fill(struct ordering *o)
{
    uint32_t before[LABEL_COUNT_MAX] = {0}, ids[LABEL_COUNT_MAX];
    size_t size = rows_size(o), at = 0, previous = 0;
    uint32_t previous_count = 0;
    o->start = take(o, o->count + 1, sizeof *o->start);
    o->rows = take(o, size, sizeof *o->rows);
    uint32_t known = atomic_load(&o->head->pair_count);
    o->direct = known / DIRECT_FACTOR < o->count;
    if (!o->start || !o->rows || (o->direct && !direct_grow(o, known)))
        return ERR_LIMIT;
    for (size_t i = 0; i < o->count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(cancel_check(o->cancel));
        uint32_t count = series_pairs(o->head, o->refs[i], ids);
        assert(count <= size - at);
        for (uint32_t k = 0; k < count; k++) {
            bool same = k < previous_count && before[k] == ids[k];
            uint32_t number = same ? o->rows[previous + k] : number_of(o, ids[k]);
            if (number == UINT32_MAX)
                return ERR_LIMIT;
            o->rows[at + k] = number;
            before[k] = ids[k];
        }
        o->start[i] = previous = at;
        previous_count = count;
        at += count;
    }
    o->start[o->count] = at;
    return ERR_OK;
}

/* ---- 2. Ranks ---- */

static int by_name_text(const void *a, const void *b)
{
    const struct occurring *x = a, *y = b;
    return slice_cmp(x->label->name, y->label->name);
}

static int by_prefix(const void *a, const void *b)
{
    const struct occurring *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return slice_cmp(x->label->value, y->label->value);
}

static size_t common_bytes(struct slice a, struct slice b, size_t most)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    n = n < most ? n : most;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* Eight bytes from `at` on, the first one highest, missing ones 0. */
static uint64_t bytes_at(struct slice s, size_t at)
{
    uint64_t key = 0;
    for (size_t i = 0; i < 8; i++)
        key = key << 8 | (at + i < s.len ? s.data[at + i] : 0);
    return key;
}

/* Many values: by their prefixes first; only those with equal ones are compared as texts. */
static bool values_sort_many(struct ordering *o, struct occurring *list, uint32_t count)
{
    struct radix_item *entries = take(o, count, sizeof *entries), *spare = take(o, count, sizeof *spare);
    struct occurring *copy = take(o, count, sizeof *copy);
    uint64_t differing = 0;
    if (!entries || !spare || !copy)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct radix_item){list[i].prefix, i};
        differing |= list[i].prefix ^ list[0].prefix;
    }
    radix_sort(entries, spare, count, differing);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = list[entries[i].id];
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && copy[end].prefix == copy[i].prefix;)
            end++;
        if (end - i > 1)
            qsort(copy + i, end - i, sizeof *copy, by_prefix);
    }
    memcpy(list, copy, count * sizeof *list);
    return true;
}

/* Pairs and their texts lie anywhere. */
static void values_prefetch(const struct occurring *list, uint32_t count, uint32_t i)
{
    if (i + 16 < count)
        __builtin_prefetch(list[i + 16].label);
    if (i + 8 < count)
        __builtin_prefetch(list[i + 8].label->value.data);
}

/* The values of one name; false when memory ends. */
static bool values_sort(struct ordering *o, struct occurring *list, uint32_t count)
{
    size_t common = SIZE_MAX;
    if (count < 2)
        return true;
    for (uint32_t i = 1; i < count && common; i++) {
        values_prefetch(list, count, i);
        common = common_bytes(list[0].label->value, list[i].label->value, common);
    }
    for (uint32_t i = 0; i < count; i++) {
        values_prefetch(list, count, i);
        list[i].prefix = bytes_at(list[i].label->value, common);
    }
    if (count > MANY)
        return values_sort_many(o, list, count);
    qsort(list, count, sizeof *list, by_prefix);
    return true;
}

/* Puts pairs of one name together, names in their order: there are few names and many values. */
static bool pairs_by_name(struct ordering *o)
{
    uint32_t names, rank = 0;
    (void)vec_read(&o->head->names, &names);
    uint32_t *of_name = take(o, names, sizeof *of_name), *next = take(o, o->pair_count + 1, sizeof *next);
    struct occurring *firsts = take(o, o->pair_count, sizeof *firsts), *sorted = take(o, o->pair_count, sizeof *sorted);
    if (!of_name || !next || !firsts || !sorted)
        return false;
    memset(of_name, 0, names * sizeof *of_name);
    for (uint32_t i = 0; i < o->pair_count; i++) {
        assert(o->pairs[i].name < names);
        if (of_name[o->pairs[i].name]++ == 0)
            firsts[rank++] = o->pairs[i];
    }
    qsort(firsts, rank, sizeof *firsts, by_name_text);
    uint32_t at = 0;
    for (uint32_t i = 0; i < rank; i++) {
        next[i] = at;
        at += of_name[firsts[i].name];
        of_name[firsts[i].name] = i;
    }
    for (uint32_t i = 0; i < o->pair_count; i++)
        sorted[next[of_name[o->pairs[i].name]]++] = o->pairs[i];
    at = 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (!values_sort(o, sorted + at, next[i] - at))
            return false;
        at = next[i];
    }
    o->pairs = sorted;
    return true;
}

static enum err rank_pairs(struct ordering *o)
{
    o->ranks = take(o, o->pair_count, sizeof *o->ranks);
    if (!o->ranks || !pairs_by_name(o))
        return ERR_LIMIT;
    for (uint32_t i = 0; i < o->pair_count; i++)
        o->ranks[o->pairs[i].number] = i + 1;
    o->bits = 32 - (unsigned)__builtin_clz(o->pair_count + 1);
    o->per_key = 64 / o->bits;
    return ERR_OK;
}

/* ---- 3. Rows sorted ---- */

static uint32_t row_len(const struct ordering *o, uint32_t row)
{
    return (uint32_t)(o->start[row + 1] - o->start[row]);
}

/* The ranks [from, from + per_key) of a row; a row that ends is smaller. */
static uint64_t row_key(const struct ordering *o, uint32_t row, uint32_t from)
{
    const uint32_t *numbers = o->rows + o->start[row];
    uint32_t len = row_len(o, row);
    uint64_t key = 0;
    for (uint32_t i = 0; i < o->per_key; i++)
        key = key << o->bits | (from + i < len ? o->ranks[numbers[from + i]] : 0);
    return key;
}

static int rows_cmp(const struct ordering *o, uint32_t a, uint32_t b, uint32_t from)
{
    uint32_t a_len = row_len(o, a), b_len = row_len(o, b), n = a_len < b_len ? a_len : b_len;
    const uint32_t *x = o->rows + o->start[a], *y = o->rows + o->start[b];
    for (uint32_t i = from; i < n; i++)
        if (x[i] != y[i])
            return o->ranks[x[i]] < o->ranks[y[i]] ? -1 : 1;
    return (a_len > b_len) - (a_len < b_len);
}

static void insertion_sort(const struct ordering *o, struct radix_item *list, size_t count, uint32_t from)
{
    for (size_t i = 1; i < count; i++) {
        struct radix_item e = list[i];
        size_t at = i;
        for (; at > 0 && rows_cmp(o, list[at - 1].id, e.id, from) > 0; at--)
            list[at] = list[at - 1];
        list[at] = e;
    }
}

/* Rows that are equal before `from`. */
static enum err rows_sort(const struct ordering *o, struct radix_item *list, struct radix_item *spare, size_t count,
                          uint32_t from)
{
    if (count <= FEW || from >= LABEL_COUNT_MAX) {
        insertion_sort(o, list, count, from);
        return ERR_OK;
    }
    TRY(cancel_check(o->cancel));
    uint64_t differing = 0;
    for (size_t i = 0; i < count; i++) {
        list[i].key = row_key(o, list[i].id, from);
        differing |= list[i].key ^ list[0].key;
    }
    radix_sort(list, spare, count, differing);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && list[end].key == list[i].key;)
            end++;
        if (end - i > 1)
            TRY(rows_sort(o, list + i, spare, end - i, from + o->per_key));
    }
    return ERR_OK;
}

/* ---- 4. Label sets ---- */

static bool labels_of_row(const struct ordering *o, uint32_t row, struct arena *arena, struct labels *out)
{
    const uint32_t *numbers = o->rows + o->start[row];
    uint32_t all = row_len(o, row), count = 0;
    for (uint32_t i = 0; i < all; i++)
        count += !o->shown || o->shown[numbers[i]];
    const struct label **list = arena_try_alloc(arena, (count + 1) * sizeof *list);
    *out = (struct labels){.list = list};
    for (uint32_t i = 0; list && i < all; i++) {
        out->hash = hash128_add(out->hash, o->hashes[numbers[i]]);
        if (!o->shown || o->shown[numbers[i]])
            list[out->count++] = o->labels[numbers[i]];
    }
    return list;
}

static enum err labels_make(struct ordering *o, bool sorted, struct arena *arena, struct labels *labels,
                            series_ref *out)
{
    struct radix_item *list = sorted ? take(o, o->count, sizeof *list) : NULL,
                 *spare = sorted ? take(o, o->count, sizeof *spare) : NULL;
    if (sorted && (!list || !spare))
        return ERR_LIMIT;
    for (uint32_t i = 0; sorted && i < o->count; i++)
        list[i].id = i;
    if (sorted)
        TRY(rows_sort(o, list, spare, o->count, 0));
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t row = sorted ? list[i].id : i;
        if (i % CHECK_EVERY == 0)
            TRY(cancel_check(o->cancel));
        if (!labels_of_row(o, row, arena, &labels[i]))
            return ERR_LIMIT;
        out[i] = o->refs[row];
    }
    return ERR_OK;
}

static bool name_needed(const struct selector *sel, struct slice name)
{
    for (uint32_t i = 0; i < sel->needed_count; i++)
        if (slice_eq(sel->needed[i], name))
            return true;
    return selector_shows_always(name);
}

static enum err labels_number(struct ordering *o, const struct selector *sel)
{
    TRY(rows_fill(o));
    o->labels = take(o, o->pair_count, sizeof *o->labels);
    o->hashes = take(o, o->pair_count, sizeof *o->hashes);
    o->shown = sel && sel->projected ? take(o, o->pair_count, sizeof *o->shown) : NULL;
    if (!o->labels || !o->hashes || (sel && sel->projected && !o->shown))
        return ERR_LIMIT;
    for (uint32_t i = 0; i < o->pair_count; i++) {
        o->labels[i] = o->pairs[i].label;
        o->hashes[i] = o->pairs[i].label->hash;
        if (o->shown)
            o->shown[i] = name_needed(sel, o->pairs[i].label->name);
    }
    return ERR_OK;
}

enum err series_labels_all(struct head *h, const struct refs *refs, const struct selector *sel, bool sorted,
                           struct arena *arena, struct cancel *cancel, struct labels *labels, series_ref *out)
{
    struct ordering o = {.head = h, .cancel = cancel, .refs = refs->list, .count = refs->count};
    sorted = sorted && refs->count > 1;
    arena_init(&o.work, arena->budget);
    enum err err = labels_number(&o, sel);
    if (err == ERR_OK && sorted)
        err = rank_pairs(&o);
    if (err == ERR_OK)
        err = labels_make(&o, sorted, arena, labels, out);
    arena_deinit(&o.work);
    return err;
}
