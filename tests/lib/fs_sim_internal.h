/* fs_sim_internal.h - the disk of fs_sim: nodes, pending changes, names.  Private to fs_sim*.c. */
#ifndef TESTS_LIB_FS_SIM_INTERNAL_H
#define TESTS_LIB_FS_SIM_INTERNAL_H

#include "base/lock.h"
#include "lib/fs_sim.h"

enum { SIM_SECTOR = 512, SIM_PAGE = 4096, SIM_ROOT = 0 };

struct sim_bytes {
    uint8_t *data;
    size_t size, capacity;
};

/* A name in a directory. */
struct sim_entry {
    char *name;
    uint32_t node;
};

struct sim_names {
    struct sim_entry *list;
    size_t count, capacity;
};

struct sim_node {
    bool is_dir;
    bool locked;
    uint32_t open_count;
    struct sim_bytes cache, durable;       /* files */
    struct sim_names names, durable_names; /* directories */
};

/* A change that is in the cache but not durable; in the order of the calls. */
struct sim_change {
    enum { SIM_WRITE, SIM_SIZE, SIM_LINK, SIM_UNLINK, SIM_RENAME } kind;
    bool lost;       /* a sync failed: never durable, except by luck */
    uint32_t node;   /* file written, or node that a name is given to */
    uint64_t offset; /* SIM_WRITE: where; SIM_SIZE: the new size */
    uint8_t *data;
    size_t bytes;
    uint32_t dir, from_dir; /* names: directory, and for renames the one it came from */
    char *name, *from_name;
};

struct fs_sim {
    struct fs fs; /* first */
    struct mutex lock;
    struct sim_node *nodes;
    size_t node_count, node_capacity;
    struct sim_change *changes;
    size_t change_count, change_capacity;
    uint64_t calls[18];
    uint64_t bytes, capacity;
    /* faults */
    uint64_t fail_in, failures;
    bool fail_forever;
    unsigned fail_kinds;
    enum err fail_err;
    uint64_t off_in;
    bool off;
    uint64_t life; /* grows with every restart: handles of an earlier life fail */
    fs_sim_hook hook;
    void *hook_ctx;
};

struct sim_file {
    struct file file; /* first */
    struct fs_sim *sim;
    uint32_t node;
    uint64_t life;
    bool writable, holds_lock;
    char path[256];
};

/* fs_sim_disk.c: the disk without faults; callers hold sim->lock. */
uint32_t sim_node_add(struct fs_sim *sim, bool is_dir);
bool sim_find(struct fs_sim *sim, const char *path, uint32_t *node);
/* The directory of `path` and its last part; false when the directory is missing. */
bool sim_parent(struct fs_sim *sim, const char *path, uint32_t *dir, const char **name);
struct sim_entry *sim_name_find(struct sim_names *names, const char *name, size_t len);
void sim_name_set(struct sim_names *names, const char *name, uint32_t node);
void sim_name_remove(struct sim_names *names, const char *name);
void sim_names_free(struct sim_names *names);
void sim_bytes_resize(struct sim_bytes *b, size_t size); /* new bytes are zero */
void sim_bytes_write(struct sim_bytes *b, uint64_t offset, const void *data, size_t bytes);
struct sim_change *sim_change_add(struct fs_sim *sim);
void sim_change_free(struct sim_change *c);
/* Applies a change to the durable state. */
void sim_change_keep(struct fs_sim *sim, const struct sim_change *c);
/* Makes all changes durable for which pick() is true and forgets them. */
void sim_changes_settle(struct fs_sim *sim, bool (*pick)(const struct sim_change *c, uint32_t node), uint32_t node);

#endif
