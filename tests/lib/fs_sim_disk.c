/* fs_sim_disk.c - nodes, names, bytes and pending changes of the simulated disk. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lib/fs_sim_internal.h"

uint32_t sim_node_add(struct fs_sim *sim, bool is_dir)
{
    sim->nodes = mem_grow(sim->nodes, &sim->node_capacity, sim->node_count + 1, sizeof *sim->nodes);
    sim->nodes[sim->node_count] = (struct sim_node){.is_dir = is_dir};
    return (uint32_t)sim->node_count++;
}

struct sim_entry *sim_name_find(struct sim_names *names, const char *name, size_t len)
{
    for (size_t i = 0; i < names->count; i++)
        if (strlen(names->list[i].name) == len && memcmp(names->list[i].name, name, len) == 0)
            return &names->list[i];
    return NULL;
}

void sim_name_set(struct sim_names *names, const char *name, uint32_t node)
{
    struct sim_entry *entry = sim_name_find(names, name, strlen(name));
    if (!entry) {
        names->list = mem_grow(names->list, &names->capacity, names->count + 1, sizeof *names->list);
        entry = &names->list[names->count++];
        entry->name = mem_strdup(name);
    }
    entry->node = node;
}

void sim_name_remove(struct sim_names *names, const char *name)
{
    struct sim_entry *entry = sim_name_find(names, name, strlen(name));
    if (!entry)
        return;
    mem_free(entry->name);
    *entry = names->list[--names->count];
}

void sim_names_free(struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->list[i].name);
    mem_free(names->list);
    *names = (struct sim_names){0};
}

/* Walks the first `len` bytes of path; empty parts and "." stay where they are. */
static bool find_part(struct fs_sim *sim, const char *path, size_t len, uint32_t *node)
{
    uint32_t at = SIM_ROOT;
    for (size_t i = 0; i < len;) {
        size_t end = i;
        while (end < len && path[end] != '/')
            end++;
        if (end > i && !(end == i + 1 && path[i] == '.')) {
            if (!sim->nodes[at].is_dir)
                return false;
            struct sim_entry *entry = sim_name_find(&sim->nodes[at].names, path + i, end - i);
            if (!entry)
                return false;
            at = entry->node;
        }
        i = end + 1;
    }
    *node = at;
    return true;
}

bool sim_find(struct fs_sim *sim, const char *path, uint32_t *node)
{
    return find_part(sim, path, strlen(path), node);
}

bool sim_parent(struct fs_sim *sim, const char *path, uint32_t *dir, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    return find_part(sim, path, slash ? (size_t)(slash - path) : 0, dir) && sim->nodes[*dir].is_dir;
}

void sim_bytes_resize(struct sim_bytes *b, size_t size)
{
    if (size > b->size) {
        b->data = mem_grow(b->data, &b->capacity, size, 1);
        memset(b->data + b->size, 0, size - b->size);
    }
    b->size = size;
}

void sim_bytes_write(struct sim_bytes *b, uint64_t offset, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    if (offset + bytes > b->size)
        sim_bytes_resize(b, (size_t)offset + bytes);
    memcpy(b->data + offset, data, bytes);
}

struct sim_change *sim_change_add(struct fs_sim *sim)
{
    sim->changes = mem_grow(sim->changes, &sim->change_capacity, sim->change_count + 1, sizeof *sim->changes);
    struct sim_change *c = &sim->changes[sim->change_count++];
    *c = (struct sim_change){0};
    return c;
}

void sim_change_free(struct sim_change *c)
{
    mem_free(c->data);
    mem_free(c->name);
    mem_free(c->from_name);
}

void sim_change_keep(struct fs_sim *sim, const struct sim_change *c)
{
    switch (c->kind) {
    case SIM_WRITE:
        sim_bytes_write(&sim->nodes[c->node].durable, c->offset, c->data, c->bytes);
        break;
    case SIM_SIZE:
        sim_bytes_resize(&sim->nodes[c->node].durable, (size_t)c->offset);
        break;
    case SIM_RENAME:
        sim_name_remove(&sim->nodes[c->from_dir].durable_names, c->from_name);
        sim_name_set(&sim->nodes[c->dir].durable_names, c->name, c->node);
        break;
    case SIM_LINK:
        sim_name_set(&sim->nodes[c->dir].durable_names, c->name, c->node);
        break;
    case SIM_UNLINK:
        sim_name_remove(&sim->nodes[c->dir].durable_names, c->name);
        break;
    }
}

void sim_changes_settle(struct fs_sim *sim, bool (*pick)(const struct sim_change *c, uint32_t node), uint32_t node)
{
    size_t kept = 0;
    for (size_t i = 0; i < sim->change_count; i++) {
        struct sim_change *c = &sim->changes[i];
        if (pick(c, node)) {
            sim_change_keep(sim, c);
            sim_change_free(c);
        } else {
            sim->changes[kept++] = *c;
        }
    }
    sim->change_count = kept;
}
