/* counts.c - a hash table from 128-bit identities to counts; equal hashes mean equal things (model/label.h). */
#include "api/counts.h"

#include "base/mem.h"

void counts_deinit(struct counts *t)
{
    mem_free(t->entries);
    *t = (struct counts){0};
}

static struct counts_entry *find(struct counts_entry *entries, size_t capacity, struct hash128 hash)
{
    size_t i = hash.lo & (capacity - 1);
    while ((entries[i].hash.lo || entries[i].hash.hi) && !hash128_eq(entries[i].hash, hash))
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

static void grow(struct counts *t)
{
    size_t capacity = t->capacity ? t->capacity * 2 : 1024;
    struct counts_entry *entries = mem_array(capacity, sizeof *entries);
    for (size_t i = 0; i < t->capacity; i++)
        if (t->entries[i].count)
            *find(entries, capacity, t->entries[i].hash) = t->entries[i];
    mem_free(t->entries);
    t->entries = entries;
    t->capacity = capacity;
}

bool counts_add(struct counts *t, struct hash128 hash, struct slice name, struct slice value, uint64_t more)
{
    if (t->count * 2 >= t->capacity)
        grow(t);
    struct counts_entry *e = find(t->entries, t->capacity, hash);
    bool first = !e->count;
    if (first) {
        *e = (struct counts_entry){.hash = hash, .name = name, .value = value};
        t->count++;
    }
    e->count += more;
    return first;
}
