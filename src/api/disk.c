/*
 * disk.c - refusing writes before the disk is full: a full disk would stop the log in the middle.
 *
 * Asked on every write and at most once a second passed on to the file system, by whoever comes first.
 * The log keeps a reserve of its own beside this.
 */
#include "api/api_internal.h"
#include "base/log.h"

enum { LOOK_EVERY_NS = 1000000000 };

static void look(struct api *api)
{
    struct fs_space space;
    struct errmsg why = {0};
    uint64_t least = config_bytes(api->o.config, OPT_STORAGE_MIN_FREE_DISK);
    if (fs_space_of(api->o.fs, config_string(api->o.config, OPT_STORAGE_PATH), &space, &why) != ERR_OK)
        return; /* not known: a write will tell */
    atomic_store_explicit(&api->disk_free, space.free_bytes, memory_order_relaxed);
    atomic_store_explicit(&api->disk_total, space.total_bytes, memory_order_relaxed);
    bool full = space.free_bytes < least;
    if (atomic_exchange_explicit(&api->disk_full, full, memory_order_relaxed) == full)
        return;
    if (full)
        log_error("api", "the disk is nearly full: writes are refused", "free_bytes=%llu min_free_bytes=%llu",
                  (unsigned long long)space.free_bytes, (unsigned long long)least);
    else
        log_info("api", "the disk has room again: writes are accepted", "free_bytes=%llu",
                 (unsigned long long)space.free_bytes);
}

bool disk_has_room(struct api *api)
{
    if (!api->o.fs)
        return true;
    int64_t now_ns = clock_mono_ns(api->o.clock);
    int64_t next_ns = atomic_load_explicit(&api->disk_next_ns, memory_order_relaxed);
    if (now_ns >= next_ns && atomic_compare_exchange_strong(&api->disk_next_ns, &next_ns, now_ns + LOOK_EVERY_NS))
        look(api);
    return !atomic_load_explicit(&api->disk_full, memory_order_relaxed);
}
