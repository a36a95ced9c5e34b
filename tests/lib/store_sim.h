/*
 * store_sim.h - a whole store on a simulated disk and clock, and a model of what it must remember.
 *
 * Writes go through ingest; every sample has a value that is a function of (series, time, version), so that
 * a check can tell what was lost, changed or invented.
 *
 *     struct store_sim *s = store_sim_new(seed);
 *     store_sim_open(s, &why) ... store_sim_write(s, ...) ... store_sim_commit(s) ... store_sim_check(s, "context")
 *
 * Ownership: store_sim_free closes what is open.
 * Threads:   one.
 */
#ifndef TESTS_LIB_STORE_SIM_H
#define TESTS_LIB_STORE_SIM_H

#include "ingest/ingest.h"
#include "lib/fs_sim.h"
#include "lib/rw_body.h"
#include "tsdb/tsdb.h"

enum { STORE_SERIES_MAX = 256, STORE_REQUESTS_MAX = 2048 };

struct store_sample {
    int64_t time_ms;
    uint64_t bits;
    uint32_t request;
    bool seen;
    enum store_deleted { STORE_KEPT, STORE_MAYBE_DELETED, STORE_DELETED } deleted;
};

struct store_series {
    struct store_sample *list; /* rising time; of one time only the newest version */
    size_t count, capacity;
};

struct store_ticket {
    struct wal_ticket ticket; /* first */
    struct store_sim *store;
    uint32_t request;
};

struct store_request {
    bool stored; /* ingest took it: its samples may be found */
    bool answered, acked;
    uint32_t samples, seen;
    struct store_ticket ticket;
};

struct store_sim {
    struct fs_sim *sim;
    bool is_fork; /* the disk is another one's */
    char dir[128];
    struct clock_fake clock;
    struct random_seeded random;
    struct tsdb_options o;
    struct tsdb *db;
    struct ingest *ingest;
    struct rw_body body;
    struct store_series series[STORE_SERIES_MAX];
    struct store_request *requests; /* [STORE_REQUESTS_MAX] */
    uint32_t request_count;
    bool warned; /* the last check's answer said that something may be missing */
};

struct store_sim *store_sim_new(uint64_t seed);
void store_sim_free(struct store_sim *s);
MUST_CHECK enum err store_sim_open(struct store_sim *s, struct errmsg *why);
/* With o.defers: requests only wait in the log until this is called. */
MUST_CHECK enum err store_sim_catch_up(struct store_sim *s, struct errmsg *why);
enum err store_sim_close(struct store_sim *s, struct errmsg *why);
/* Closes without mercy: every call of the disk fails, as after power loss. */
void store_sim_kill(struct store_sim *s);

/* One request: a sample at time_ms for each of `count` series from `first` on.  False: it was refused. */
bool store_sim_write(struct store_sim *s, uint32_t first, uint32_t count, int64_t time_ms);
/*
 * Deletes what is stored of these series with mint <= t <= maxt.  When it fails the samples may be gone or not.
 */
bool store_sim_delete(struct store_sim *s, uint32_t first, uint32_t count, int64_t mint_ms, int64_t maxt_ms);
void store_sim_commit(struct store_sim *s); /* what the log's thread would do now */

/*
 * Reads everything and compares: every acknowledged sample is there bit for bit, nothing is there that was
 * not sent or is past retention, and a request that was not acknowledged is there whole or not at all.
 * Aborts with `context` if not.  Returns the number of samples found.
 */
uint64_t store_sim_check(struct store_sim *s, const char *context);
/* As check, but samples may be missing (bytes were damaged): none may be changed or invented. */
uint64_t store_sim_check_damaged(struct store_sim *s, const char *context);

/*
 * Another store in another directory of the same disk, which must remember what this one does now (a snapshot
 * of it).  Not open; its clock stands still.  Free it before `s`.
 */
struct store_sim *store_sim_fork(const struct store_sim *s, const char *dir);

/* Forgets requests from `count` on, as the disk is to be set back to a copy from before them. */
void store_sim_forget(struct store_sim *s, uint32_t count);

#endif
