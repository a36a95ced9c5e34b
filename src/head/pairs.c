/*
 * pairs.c - label pairs and names, each interned once.
 *
 * A pair is kept as the bytes of the message that carried it, so that a sender's bytes are compared as
 * they stand, and the record that tells replay about it is those bytes.
 */
#include "head/head_internal.h"

static struct hash128 hash_padded(struct head *h, struct slice s)
{
    uint8_t stack[512 + SERIES_HASH_SLACK], *bytes = stack;
    if (s.len + SERIES_HASH_SLACK > sizeof stack)
        bytes = mem_alloc(s.len + SERIES_HASH_SLACK);
    memcpy(bytes, s.data, s.len);
    struct hash128 hash = series_hash(&h->key, bytes, s.len);
    if (bytes != stack)
        mem_free(bytes);
    return hash;
}

void pairs_init(struct head *h)
{
    int64_t bytes = 0;
    h->pairs = mem_array(PAIR_SEGMENTS_MAX, sizeof *h->pairs);
    atomic_store(&h->pair_count, 1);
    tags_init(&h->pair_index, &bytes);
    tags_init(&h->name_index, &bytes);
    bytes_add(&h->bytes_labels, bytes);
}

static void name_free(void *p)
{
    struct label_name *name = p;
    mem_free(atomic_load(&name->pairs.block));
    mem_free(atomic_load(&name->order));
    mem_free(name);
}

void pairs_deinit(struct head *h)
{
    uint32_t count = atomic_load(&h->pair_count), names;
    for (uint32_t id = 1; id < count; id++) {
        struct pair *p = pair_of(h, id);
        mem_free(p->wire);
        mem_free(atomic_load(&p->postings.block));
    }
    for (uint32_t i = 0; i * PAIR_SEGMENT < count; i++)
        mem_free(atomic_load(&h->pairs[i]));
    struct label_name *const *list = vec_read(&h->names, &names);
    for (uint32_t i = 0; i < names; i++)
        name_free(list[i]);
    mem_free(atomic_load(&h->names.block));
    mem_free((void *)(uintptr_t)h->pairs);
    tags_deinit(&h->pair_index);
    tags_deinit(&h->name_index);
    mem_free(h->free_pairs);
    mem_free(h->left_pairs);
}

bool wire_parse(struct slice wire, struct slice *name, struct slice *value)
{
    const uint8_t *p = wire.data, *end = p + wire.len;
    struct slice *part[2] = {name, value};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t len;
        if (p == end || *p++ != (i ? 0x12 : 0x0a) || !(p = varint_get(p, end, &len)) || len == 0 ||
            len > (size_t)(end - p))
            return false;
        *part[i] = slice_of(p, len);
        p += len;
    }
    return p == end;
}

/* Index into head->names of this name, made when it is new. */
static uint32_t name_intern(struct head *h, struct slice text)
{
    struct hash128 hash = hash_padded(h, text);
    uint32_t count;
    struct label_name *const *list = vec_read(&h->names, &count);
    struct tag_walk w;
    for (uint32_t id = tags_first(&w, &h->name_index, hash.lo); id; id = tags_next(&w))
        if (slice_eq(list[id - 1]->text, text))
            return id - 1;
    struct label_name *name = mem_zalloc(sizeof *name + text.len);
    uint8_t *copy = (uint8_t *)(name + 1);
    memcpy(copy, text.data, text.len);
    name->text = slice_of(copy, text.len);
    int64_t bytes = (int64_t)(sizeof *name + text.len);
    struct label_name **at = vec_reserve(&h->names, &h->epochs, 1, sizeof *at, &bytes);
    *at = name;
    vec_commit(&h->names, 1);
    tags_put(&h->name_index, &h->epochs, hash.lo, count + 1, &bytes);
    bytes_add(&h->bytes_labels, bytes);
    return count;
}

static uint32_t pair_id_new(struct head *h)
{
    if (h->free_pair_count)
        return h->free_pairs[--h->free_pair_count];
    return get_relaxed(&h->pair_count);
}

/* Ids up to this one can be looked at afterwards. */
void pairs_reach(struct head *h, uint32_t id)
{
    uint32_t count = get_relaxed(&h->pair_count);
    assert(id / PAIR_SEGMENT < PAIR_SEGMENTS_MAX);
    if (id < count)
        return;
    for (uint32_t i = 0; i <= id / PAIR_SEGMENT; i++)
        if (!get_relaxed(&h->pairs[i]))
            atomic_store_explicit(&h->pairs[i], mem_array(PAIR_SEGMENT, sizeof(struct pair)), memory_order_release);
    atomic_store_explicit(&h->pair_count, id + 1, memory_order_release);
}

static void pair_make(struct head *h, uint32_t id, struct slice wire, struct hash128 hash) REQUIRES(h->create)
{
    pairs_reach(h, id);
    struct pair *p = pair_of(h, id);
    struct slice name = {0}, value = {0};
    int64_t bytes = (int64_t)(sizeof *p + wire.len + 16);
    p->wire = mem_alloc(wire.len);
    memcpy(p->wire, wire.data, wire.len);
    p->wire_bytes = (uint32_t)wire.len;
    bool well_formed = wire_parse(slice_of(p->wire, wire.len), &name, &value);
    assert(well_formed);
    p->label = (struct label){name, value, label_hash(name, value)};
    p->name = name_intern(h, name);
    struct label_name *of = ((struct label_name *const *)vec_read(&h->names, &(uint32_t){0}))[p->name];
    uint32_t *at = vec_reserve(&of->pairs, &h->epochs, 1, sizeof *at, &bytes);
    *at = id;
    vec_commit(&of->pairs, 1);
    tags_put(&h->pair_index, &h->epochs, hash.lo, id, &bytes);
    bytes_add(&h->bytes_labels, bytes);
}

static uint32_t pair_find_wire(struct head *h, struct slice wire, struct hash128 hash)
{
    struct tag_walk w;
    for (uint32_t id = tags_first(&w, &h->pair_index, hash.lo); id; id = tags_next(&w)) {
        const struct pair *p = pair_of(h, id);
        if (p->wire_bytes == wire.len && !p->left && memcmp(p->wire, wire.data, wire.len) == 0)
            return id;
    }
    return 0;
}

uint32_t pair_intern(struct head *h, struct slice wire, bool *fresh)
{
    struct hash128 hash = hash_padded(h, wire);
    uint32_t id = pair_find_wire(h, wire, hash);
    *fresh = id == 0;
    if (id == 0) {
        id = pair_id_new(h);
        pair_make(h, id, wire, hash);
    }
    return id;
}

uint32_t pair_find_bytes(struct head *h, struct slice wire)
{
    return pair_find_wire(h, wire, hash_padded(h, wire));
}

bool pair_define(struct head *h, uint32_t id, struct slice wire)
{
    struct hash128 hash = hash_padded(h, wire);
    uint32_t known = pair_find_wire(h, wire, hash);
    if (known)
        return known == id;
    if (id < get_relaxed(&h->pair_count) && pair_of(h, id)->wire)
        return false;
    pair_make(h, id, wire, hash);
    return true;
}

uint32_t pair_find(struct head *h, struct slice name, struct slice value)
{
    uint8_t *bytes = mem_alloc(name.len + value.len + 2 + 2 * VARINT_BYTES_MAX), *p = bytes;
    *p++ = 0x0a;
    p = varint_put(p, name.len);
    memcpy(p, name.data, name.len);
    p += name.len;
    *p++ = 0x12;
    p = varint_put(p, value.len);
    memcpy(p, value.data, value.len);
    p += value.len;
    struct slice wire = slice_of(bytes, (size_t)(p - bytes));
    uint32_t id = wire.len <= LABELS_BYTES_MAX ? pair_find_wire(h, wire, hash_padded(h, wire)) : 0;
    mem_free(bytes);
    return id;
}

struct label_name *name_find(struct head *h, struct slice name)
{
    uint32_t count;
    if (name.len > LABELS_BYTES_MAX)
        return NULL;
    struct hash128 hash = hash_padded(h, name);
    struct tag_walk w;
    struct label_name *const *list;
    for (uint32_t id = tags_first(&w, &h->name_index, hash.lo); id; id = tags_next(&w)) {
        list = vec_read(&h->names, &count);
        if (slice_eq(list[id - 1]->text, name))
            return list[id - 1];
    }
    return NULL;
}

static uint32_t keep_used(void *ctx, uint32_t id)
{
    struct head *h = ctx;
    return get_relaxed(&pair_of(h, id)->series) > 0 ? id : 0;
}

/* Takes the pairs without series out of the list of a name. */
static void name_clean(struct head *h, struct label_name *name) REQUIRES(h->create)
{
    uint32_t count, kept = 0;
    int64_t bytes = 0;
    const uint32_t *ids = vec_read(&name->pairs, &count);
    uint32_t *list = mem_array(count, sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        if (get_relaxed(&pair_of(h, ids[i])->series) > 0)
            list[kept++] = ids[i];
    if (kept < count) {
        atomic_fetch_add(&name->life, 1); /* first: see value_order.c */
        vec_replace(&name->pairs, &h->epochs, list, kept, sizeof *list, &bytes);
        value_order_drop(h, name);
    }
    bytes_add(&h->bytes_labels, bytes);
    mem_free(list);
}

void pairs_drop(struct head *h, const uint32_t *ids, size_t count)
{
    uint32_t names;
    int64_t bytes = 0;
    if (count == 0)
        return;
    struct label_name *const *list = vec_read(&h->names, &names);
    bool *touched = mem_array(names, sizeof *touched);
    for (size_t i = 0; i < count; i++)
        touched[pair_of(h, ids[i])->name] = true;
    for (uint32_t i = 0; i < names; i++)
        if (touched[i])
            name_clean(h, list[i]);
    mem_free(touched);
    tags_rewrite(&h->pair_index, &h->epochs, keep_used, h, &bytes);
    bytes_add(&h->bytes_labels, bytes);
    h->left_pairs = mem_grow(h->left_pairs, &h->left_pair_capacity, h->left_pair_count + count, sizeof *h->left_pairs);
    memcpy(h->left_pairs + h->left_pair_count, ids, count * sizeof *ids);
    h->left_pair_count += count;
}

void pair_forget(struct head *h, uint32_t id)
{
    struct pair *p = pair_of(h, id);
    if (!p->wire)
        return; /* it means nothing since this life began */
    int64_t bytes = -(int64_t)(sizeof *p + p->wire_bytes + 16);
    vec_drop(&p->postings, &h->epochs, 1, &bytes);
    bytes_add(&h->bytes_labels, bytes);
    mem_free(p->wire);
    p->wire = NULL;
    p->wire_bytes = 0;
    p->last = 0;
    p->left = false;
}
