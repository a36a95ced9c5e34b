/* hash_map.c - from label hashes to numbers; the contract is in exec.h. */
#include "promql/exec.h"

enum { SIZE_MIN = 16 };

enum err hash_map_init(struct hash_map *m, struct exec *x, size_t count)
{
    size_t size = SIZE_MIN;
    while (size < count * 2)
        size *= 2;
    *m = (struct hash_map){.x = x, .size = size};
    m->entries = exec_alloc(x, size, sizeof *m->entries);
    return m->entries ? ERR_OK : exec_no_memory(x, x->why);
}

/* The entry of the key, or the free one where it belongs. */
static struct hash_entry *entry_find(const struct hash_map *m, struct hash128 key)
{
    for (size_t i = (size_t)key.lo;; i++) {
        struct hash_entry *e = &m->entries[i & (m->size - 1)];
        if (e->value == 0 || hash128_eq(e->key, key))
            return e;
    }
}

static enum err grow(struct hash_map *m)
{
    struct hash_map larger;
    TRY(hash_map_init(&larger, m->x, m->size));
    for (size_t i = 0; i < m->size; i++) {
        if (i % 4096 == 4095)
            TRY(exec_go_on(m->x, 4096 * 20));
        if (m->entries[i].value)
            *entry_find(&larger, m->entries[i].key) = m->entries[i];
    }
    larger.count = m->count;
    *m = larger;
    return ERR_OK;
}

enum err hash_map_put(struct hash_map *m, struct hash128 key, uint32_t value, uint32_t *found)
{
    struct hash_entry *e = entry_find(m, key);
    if (e->value == 0) {
        if (++m->count * 2 > m->size) {
            TRY(grow(m));
            e = entry_find(m, key);
        }
        *e = (struct hash_entry){key, value + 1};
    }
    *found = e->value - 1;
    return ERR_OK;
}

bool hash_map_get(const struct hash_map *m, struct hash128 key, uint32_t *value)
{
    const struct hash_entry *e = entry_find(m, key);
    if (e->value)
        *value = e->value - 1;
    return e->value;
}
