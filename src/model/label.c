/* label.c - label pairs, sets and the builder; the contract is in label.h. */
#include "model/label.h"

#include <xxhash.h>

#include "base/assert.h"

enum { HASH_STACK_BYTES = 512 };

struct hash128 label_hash(struct slice name, struct slice value)
{
    /* 0xff never occurs in UTF-8, so that ("ab","c") and ("a","bc") differ. */
    uint8_t stack[HASH_STACK_BYTES], *bytes = stack;
    size_t len = name.len + 1 + value.len;
    if (len > sizeof stack)
        bytes = mem_alloc(len);
    if (name.len)
        memcpy(bytes, name.data, name.len);
    bytes[name.len] = 0xff;
    if (value.len)
        memcpy(bytes + name.len + 1, value.data, value.len);
    XXH128_hash_t h = XXH3_128bits(bytes, len);
    if (bytes != stack)
        mem_free(bytes);
    return (struct hash128){h.low64, h.high64};
}

const struct label *label_new(struct arena *arena, struct slice name, struct slice value)
{
    struct label *l = ARENA_NEW(arena, struct label);
    *l = (struct label){arena_copy(arena, name), arena_copy(arena, value), label_hash(name, value)};
    return l;
}

bool labels_eq(const struct labels *a, const struct labels *b)
{
    bool equal = a->count == b->count && hash128_eq(a->hash, b->hash);
    assert_slow(equal == (labels_cmp(a, b) == 0));
    return equal;
}

int labels_cmp(const struct labels *a, const struct labels *b)
{
    uint32_t n = a->count < b->count ? a->count : b->count;
    for (uint32_t i = 0; i < n; i++) {
        if (a->list[i] == b->list[i])
            continue;
        int c = slice_cmp(a->list[i]->name, b->list[i]->name);
        if (!c)
            c = slice_cmp(a->list[i]->value, b->list[i]->value);
        if (c)
            return c;
    }
    return (a->count > b->count) - (a->count < b->count);
}

const struct label *labels_find(const struct labels *l, struct slice name)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (slice_eq(l->list[i]->name, name))
            return l->list[i];
    return NULL;
}

struct slice labels_get(const struct labels *l, struct slice name)
{
    const struct label *pair = labels_find(l, name);
    return pair ? pair->value : (struct slice){0};
}

struct slice labels_name(const struct labels *l)
{
    return labels_get(l, SLICE_LIT(METRIC_NAME));
}

/* As Go's strconv.Quote for what labels can hold: UTF-8 stays, control bytes and quotes are escaped. */
static void print_quoted(struct slice s, struct buf *out)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        static const char *const named[] = {
            ['\a'] = "\\a", ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",
            ['\v'] = "\\v", ['\f'] = "\\f", ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\",
        };
        if (c < sizeof named / sizeof named[0] && named[c])
            buf_str(out, named[c]);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_u8(out, c);
    }
    buf_u8(out, '"');
}

void labels_print(const struct labels *l, struct buf *out)
{
    struct slice name = labels_name(l);
    bool bare = name.len > 0 && metric_name_valid_legacy(name);
    if (bare)
        buf_slice(out, name);
    if (bare && l->count == 1)
        return;
    buf_u8(out, '{');
    bool first = true;
    for (uint32_t i = 0; i < l->count; i++) {
        if (slice_eq(l->list[i]->name, SLICE_LIT(METRIC_NAME))) {
            if (bare)
                continue;
        }
        if (!first)
            buf_str(out, ", ");
        first = false;
        if (label_name_valid_legacy(l->list[i]->name))
            buf_slice(out, l->list[i]->name);
        else
            print_quoted(l->list[i]->name, out);
        buf_u8(out, '=');
        print_quoted(l->list[i]->value, out);
    }
    buf_u8(out, '}');
}

/* A length, then the bytes: below 255 one byte, else 255 and three bytes, little-endian. */
static void append_sized(struct buf *out, struct slice s)
{
    if (s.len < 255)
        buf_u8(out, (uint8_t)s.len);
    else
        buf_le32(out, (uint32_t)s.len << 8 | 255);
    buf_slice(out, s);
}

uint64_t labels_prometheus_hash(const struct labels *l)
{
    struct buf bytes = {0};
    for (uint32_t i = 0; i < l->count; i++) {
        append_sized(&bytes, l->list[i]->name);
        append_sized(&bytes, l->list[i]->value);
    }
    uint64_t hash = XXH64(bytes.data, bytes.len, 0);
    buf_deinit(&bytes);
    return hash;
}

struct labels labels_filter(const struct labels *l, struct arena *arena, bool (*drop)(const struct label *, void *ctx),
                            void *ctx)
{
    const struct label **list = NULL;
    struct labels out = {.hash = l->hash};
    for (uint32_t i = 0; i < l->count; i++) {
        bool out_of_it = drop(l->list[i], ctx);
        if (out_of_it && !list) {
            list = arena_alloc(arena, l->count * sizeof *list);
            if (i)
                memcpy(list, l->list, i * sizeof *list);
            out.count = i;
        }
        if (out_of_it)
            out.hash = hash128_sub(out.hash, l->list[i]->hash);
        else if (list)
            list[out.count++] = l->list[i];
    }
    if (!list)
        return *l;
    out.list = list;
    return out;
}

struct labels labels_copy(const struct labels *l, struct arena *arena)
{
    const struct label **list = arena_alloc(arena, l->count * sizeof *list);
    for (uint32_t i = 0; i < l->count; i++)
        list[i] = label_new(arena, l->list[i]->name, l->list[i]->value);
    return (struct labels){l->count, list, l->hash};
}

void labels_builder_init(struct labels_builder *b, struct arena *arena, const struct labels *base)
{
    uint32_t count = base ? base->count : 0;
    *b = (struct labels_builder){.arena = arena, .count = count, .capacity = count + 4};
    b->list = arena_alloc(arena, b->capacity * sizeof *b->list);
    if (count)
        memcpy(b->list, base->list, count * sizeof *b->list);
}

/* The index of the first pair whose name is not smaller. */
static uint32_t builder_find(const struct labels_builder *b, struct slice name)
{
    uint32_t i = 0;
    while (i < b->count && slice_cmp(b->list[i]->name, name) < 0)
        i++;
    return i;
}

void labels_builder_set_pair(struct labels_builder *b, const struct label *pair)
{
    uint32_t i = builder_find(b, pair->name);
    if (i < b->count && slice_eq(b->list[i]->name, pair->name)) {
        b->list[i] = pair;
        return;
    }
    if (b->count == b->capacity) {
        uint32_t capacity = b->capacity * 2;
        const struct label **list = arena_alloc(b->arena, capacity * sizeof *list);
        memcpy(list, b->list, b->count * sizeof *list);
        b->list = list;
        b->capacity = capacity;
    }
    memmove(b->list + i + 1, b->list + i, (b->count - i) * sizeof *b->list);
    b->list[i] = pair;
    b->count++;
}

void labels_builder_set(struct labels_builder *b, struct slice name, struct slice value)
{
    if (value.len == 0)
        labels_builder_del(b, name);
    else
        labels_builder_set_pair(b, label_new(b->arena, name, value));
}

void labels_builder_del(struct labels_builder *b, struct slice name)
{
    uint32_t i = builder_find(b, name);
    if (i == b->count || !slice_eq(b->list[i]->name, name))
        return;
    b->count--;
    memmove(b->list + i, b->list + i + 1, (b->count - i) * sizeof *b->list);
}

struct labels labels_builder_finish(struct labels_builder *b)
{
    struct labels out = {.count = b->count, .list = b->list};
    for (uint32_t i = 0; i < b->count; i++)
        out.hash = hash128_add(out.hash, b->list[i]->hash);
    return out;
}
