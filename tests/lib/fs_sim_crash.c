/*
 * fs_sim_crash.c - what is on the disk after power loss, copies of the disk, and damage.
 *
 * restart: a policy chooses from the pending changes, in their order, what becomes durable; then the
 * cache is what is durable.  Directory changes keep their order (journaled metadata) except under
 * FS_SIM_UNLINKS, which is the one disorder that the publish protocols must survive: a file is gone
 * before the rename that was to replace it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/random.h"
#include "lib/fs_sim.h"
#include "lib/fs_sim_internal.h"

const char *fs_sim_survival_name(enum fs_sim_survival survival)
{
    static const char *const names[] = {"none", "all", "sectors", "torn", "zeros", "names", "unlinks", "garbage"};
    assert((size_t)survival < sizeof names / sizeof names[0]);
    return names[survival];
}

static uint64_t below(struct random_seeded *rnd, uint64_t n)
{
    return n ? random_u64(&rnd->base) % n : 0;
}

static bool is_data(const struct sim_change *c)
{
    return c->kind == SIM_WRITE || c->kind == SIM_SIZE;
}

/* Keeps sectors of one write, each by the toss of a coin. */
static void keep_sectors(struct fs_sim *sim, const struct sim_change *c, struct random_seeded *rnd)
{
    if (c->kind == SIM_SIZE) {
        if (below(rnd, 2))
            sim_change_keep(sim, c);
        return;
    }
    for (size_t done = 0; done < c->bytes;) {
        uint64_t at = c->offset + done;
        size_t n = (size_t)(SIM_SECTOR - at % SIM_SECTOR);
        n = n < c->bytes - done ? n : c->bytes - done;
        if (below(rnd, 2))
            sim_bytes_write(&sim->nodes[c->node].durable, at, c->data + done, n);
        done += n;
    }
}

/* Keeps a write up to a page border; with garbage, one sector after it holds neither old nor new bytes. */
static void keep_torn(struct fs_sim *sim, const struct sim_change *c, struct random_seeded *rnd, bool garbage)
{
    if (c->kind != SIM_WRITE || c->bytes == 0)
        return;
    uint64_t end = c->offset + below(rnd, c->bytes + 1);
    end -= end % SIM_PAGE;
    size_t keep = end > c->offset ? (size_t)(end - c->offset) : 0;
    struct sim_bytes *durable = &sim->nodes[c->node].durable;
    sim_bytes_write(durable, c->offset, c->data, keep);
    if (!garbage || keep == c->bytes)
        return;
    uint8_t noise[SIM_SECTOR];
    uint64_t at = c->offset + keep;
    uint64_t sector = at - at % SIM_SECTOR; /* older bytes in this sector are gone too */
    uint64_t stop = sector + SIM_SECTOR < c->offset + c->bytes ? sector + SIM_SECTOR : c->offset + c->bytes;
    rnd->base.fill(&rnd->base, noise, (size_t)(stop - sector));
    sim_bytes_write(durable, sector, noise, (size_t)(stop - sector));
}

/* The file is as long as it would be, but shows what was there before, or zeros. */
static void keep_size(struct fs_sim *sim, const struct sim_change *c)
{
    struct sim_bytes *durable = &sim->nodes[c->node].durable;
    uint64_t end = c->kind == SIM_SIZE ? c->offset : c->offset + c->bytes;
    if (end > durable->size)
        sim_bytes_resize(durable, (size_t)end);
}

static void survive(struct fs_sim *sim, enum fs_sim_survival survival, struct random_seeded *rnd)
{
    size_t cut = (size_t)below(rnd, sim->change_count + 1); /* the moment, for policies that have one */
    for (size_t i = 0; i < sim->change_count; i++) {
        const struct sim_change *c = &sim->changes[i];
        if (survival == FS_SIM_NONE || (c->lost && below(rnd, 2)))
            continue;
        bool before = i < cut;
        switch (survival) {
        case FS_SIM_ALL:
            sim_change_keep(sim, c);
            break;
        case FS_SIM_SECTORS:
            if (is_data(c))
                keep_sectors(sim, c, rnd);
            else if (before)
                sim_change_keep(sim, c);
            break;
        case FS_SIM_TORN:
        case FS_SIM_GARBAGE:
            if (before)
                sim_change_keep(sim, c);
            else if (i == cut)
                keep_torn(sim, c, rnd, survival == FS_SIM_GARBAGE);
            break;
        case FS_SIM_ZEROS:
            if (is_data(c))
                keep_size(sim, c);
            else
                sim_change_keep(sim, c);
            break;
        case FS_SIM_NAMES:
            if (!is_data(c))
                sim_change_keep(sim, c);
            break;
        case FS_SIM_UNLINKS:
            if (is_data(c) || c->kind == SIM_UNLINK)
                sim_change_keep(sim, c);
            break;
        case FS_SIM_NONE:
        case FS_SIM_SURVIVALS:
            break;
        }
    }
}

static void bytes_copy(struct sim_bytes *to, const struct sim_bytes *from)
{
    mem_free(to->data);
    *to = (struct sim_bytes){0};
    sim_bytes_write(to, 0, from->data, from->size);
}

static void names_copy(struct sim_names *to, const struct sim_names *from)
{
    sim_names_free(to);
    for (size_t i = 0; i < from->count; i++)
        sim_name_set(to, from->list[i].name, from->list[i].node);
}

static void forget_changes(struct fs_sim *sim)
{
    for (size_t i = 0; i < sim->change_count; i++)
        sim_change_free(&sim->changes[i]);
    sim->change_count = 0;
}

static void count_bytes(struct fs_sim *sim)
{
    sim->bytes = 0;
    for (size_t i = 0; i < sim->node_count; i++)
        sim->bytes += sim->nodes[i].cache.size;
}

void fs_sim_restart(struct fs_sim *sim, enum fs_sim_survival survival, uint64_t seed)
{
    struct random_seeded rnd;
    random_seeded_init(&rnd, seed);
    mutex_lock(&sim->lock);
    survive(sim, survival, &rnd);
    if (survival == FS_SIM_ALL) { /* the kernel lives on: the cache is untouched, also where a sync failed */
        for (size_t i = 0; i < sim->node_count; i++)
            bytes_copy(&sim->nodes[i].durable, &sim->nodes[i].cache);
    }
    forget_changes(sim);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        bytes_copy(&n->cache, &n->durable);
        names_copy(&n->names, &n->durable_names);
        n->locked = false;
        n->open_count = 0;
    }
    count_bytes(sim);
    sim->off = false;
    sim->off_in = 0;
    sim->fail_in = 0;
    sim->fail_kinds = 0;
    sim->life++;
    mutex_unlock(&sim->lock);
}

struct fs_sim *fs_sim_clone(struct fs_sim *sim)
{
    struct fs_sim *copy = fs_sim_new();
    mutex_lock(&sim->lock);
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *from = &sim->nodes[i];
        uint32_t id = i == SIM_ROOT ? SIM_ROOT : sim_node_add(copy, from->is_dir);
        struct sim_node *to = &copy->nodes[id];
        bytes_copy(&to->cache, &from->cache);
        bytes_copy(&to->durable, &from->durable);
        names_copy(&to->names, &from->names);
        names_copy(&to->durable_names, &from->durable_names);
    }
    for (size_t i = 0; i < sim->change_count; i++) {
        const struct sim_change *from = &sim->changes[i];
        struct sim_change *to = sim_change_add(copy);
        *to = *from;
        to->data = mem_alloc(from->bytes + 1);
        if (from->bytes)
            memcpy(to->data, from->data, from->bytes);
        to->name = from->name ? mem_strdup(from->name) : NULL;
        to->from_name = from->from_name ? mem_strdup(from->from_name) : NULL;
    }
    copy->bytes = sim->bytes;
    copy->capacity = sim->capacity;
    mutex_unlock(&sim->lock);
    return copy;
}

struct slice fs_sim_bytes(struct fs_sim *sim, const char *path)
{
    uint32_t node;
    if (!sim_find(sim, path, &node) || sim->nodes[node].is_dir)
        return (struct slice){0};
    return slice_of(sim->nodes[node].cache.data, sim->nodes[node].cache.size);
}

static void flip(struct sim_bytes *b, uint64_t bit)
{
    if (bit / 8 < b->size)
        b->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

void fs_sim_flip(struct fs_sim *sim, const char *path, uint64_t bit)
{
    uint32_t node;
    bool found = sim_find(sim, path, &node);
    assert(found);
    flip(&sim->nodes[node].cache, bit);
    flip(&sim->nodes[node].durable, bit);
}

void fs_sim_put(struct fs_sim *sim, const char *path, struct slice bytes)
{
    uint32_t node, dir;
    const char *name;
    if (!sim_find(sim, path, &node)) {
        bool found = sim_parent(sim, path, &dir, &name);
        assert(found);
        node = sim_node_add(sim, false);
        sim_name_set(&sim->nodes[dir].names, name, node);
        sim_name_set(&sim->nodes[dir].durable_names, name, node);
    }
    struct sim_node *n = &sim->nodes[node];
    sim_bytes_resize(&n->cache, 0);
    sim_bytes_write(&n->cache, 0, bytes.data, bytes.len);
    bytes_copy(&n->durable, &n->cache);
    count_bytes(sim);
}

struct path_list {
    struct arena *arena;
    const char **list;
    size_t count, capacity;
};

static void collect_files(struct fs_sim *sim, uint32_t dir, const char *prefix, struct path_list *out)
{
    for (size_t i = 0; i < sim->nodes[dir].names.count; i++) {
        const struct sim_entry *e = &sim->nodes[dir].names.list[i];
        char *path = arena_printf(out->arena, "%s%s%s", prefix, *prefix ? "/" : "", e->name);
        if (sim->nodes[e->node].is_dir) {
            collect_files(sim, e->node, path, out);
        } else {
            out->list = mem_grow(out->list, &out->capacity, out->count + 1, sizeof *out->list);
            out->list[out->count++] = path;
        }
    }
}

static int path_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

uint32_t fs_sim_files(struct fs_sim *sim, struct arena *arena, const char ***paths)
{
    struct path_list out = {.arena = arena};
    collect_files(sim, SIM_ROOT, "", &out);
    if (out.count)
        qsort(out.list, out.count, sizeof *out.list, path_cmp);
    *paths = ARENA_ARRAY(arena, const char *, out.count + 1);
    if (out.count)
        memcpy(*paths, out.list, out.count * sizeof *out.list);
    mem_free(out.list);
    return (uint32_t)out.count;
}
