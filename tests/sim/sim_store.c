/*
 * sim_store.c - the store loses its power at every change of the disk.
 *
 * A workload runs over the simulated disk.  Before each of its changes (a write, sync, rename, unlink ...)
 * the process forks; in the child the power goes off with that change.  The child then takes the disk,
 * for each survival policy and several seeds, through a recovery: what was acknowledged must be there bit
 * for bit, what was never sent must not, a request that was not acknowledged is there whole or not at all.
 * Half of the recoveries are cut off themselves, or take requests before they are through; in an eighth the newest
 * checkpoint, or one that it builds upon, is damaged as well.
 *
 *     SIM_CASES=n      how many (80,000); a round with another seed of the workload follows until then
 *     SIM_SEED=n       of the first round (1)
 *     SIM_JOBS=n       children at a time (cores)
 *     SIM_CASE="workload change policy seed"    one case again
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "lib/store_workload.h"

enum { JOBS_MAX = 64, SEEDS = 3 };

struct one {
    uint64_t workload, change, seed;
    int survival;
};

/* Shared with the children. */
struct board {
    _Atomic uint64_t cases;
    struct {
        pid_t pid; /* 0: free */
        struct one at;
    } jobs[JOBS_MAX];
};

static struct board *board;
static unsigned jobs;
static int job = -1; /* in a child: its slot */
static uint64_t workload_seed, changes, failed;
static struct one only; /* survival < 0: all */

static const char *case_name(const struct one *c)
{
    static char text[160];
    snprintf(text, sizeof text, "SIM_CASE=\"%llu %llu %d %llu\" (%s)", (unsigned long long)c->workload,
             (unsigned long long)c->change, c->survival, (unsigned long long)c->seed,
             fs_sim_survival_name((enum fs_sim_survival)c->survival));
    return text;
}

static void die(const char *name, const char *what, const char *text)
{
    fprintf(stderr, "%s: %s: %s\n", name, what, text);
    abort();
}

static bool loss_die(void *ctx, const struct tsdb_loss_info *loss)
{
    die(ctx, "something is lost", loss->why);
    return false;
}

/* ---- one recovery ---- */

static void open_or_die(struct store_sim *s, const char *name)
{
    struct errmsg why = {0};
    if (store_sim_open(s, &why) != ERR_OK)
        die(name, "does not open", why.text);
}

static void close_or_die(struct store_sim *s, const char *name)
{
    struct errmsg why = {0};
    if (store_sim_close(s, &why) != ERR_OK)
        die(name, "does not close", why.text);
}

/* A recovery that is cut off itself; `deferring`: after requests were logged before it was through. */
static void cut_off(struct store_sim *s, const struct one *c, uint64_t depth, bool deferring)
{
    struct errmsg why = {0};
    uint64_t mix = c->change * 7 + c->seed * 13 + depth;
    s->o.defers = deferring;
    fs_sim_power_off_at(s->sim, 1 + mix % (deferring ? 30 : 9 * (depth + 1)));
    if (store_sim_open(s, &why) == ERR_OK) {
        if (deferring)
            store_workload_defer(s, 3);
        if (!deferring || (mix % 2 && store_sim_catch_up(s, NULL) == ERR_OK))
            store_workload_run(s, 4);
    }
    store_sim_kill(s);
    s->o.defers = false;
    fs_sim_restart(s->sim, (enum fs_sim_survival)((mix + depth) % FS_SIM_SURVIVALS), c->seed + depth);
}

/* The newest checkpoint is damaged as well: the one before and the log stand in, or the store says what is missing. */
static bool rot(struct store_sim *s, const struct one *c, const char *name)
{
    if (c->seed % 8 != 5)
        return true;
    if (store_workload_rot(s, c->seed / 8 + c->change))
        return true;
    open_or_die(s, name);
    store_sim_check_damaged(s, name);
    if (tsdb_stats(s->db)->losses == 0)
        die(name, "a loss is not told", "");
    store_sim_kill(s);
    return false;
}

static void live_on(struct store_sim *s, const struct one *c, const char *name)
{
    if (c->seed % 4 != 1)
        return;
    store_workload_run(s, 4);
    store_sim_check(s, name);
    close_or_die(s, name);
    open_or_die(s, name);
    store_sim_check(s, name);
}

static void recover(struct store_sim *s, const struct one *c)
{
    const char *name = case_name(c);
    clock_fake_advance(&s->clock, 1000); /* later writes are not for the times of earlier ones */
    fs_sim_restart(s->sim, (enum fs_sim_survival)c->survival, c->seed);
    uint64_t depth = c->seed % 4 == 2 ? 1 + c->seed % 3 : 0;
    for (uint64_t i = 0; i < depth; i++, atomic_fetch_add(&board->cases, 1))
        cut_off(s, c, i, false);
    if (c->seed % 4 == 3)
        cut_off(s, c, 0, true);
    if (!rot(s, c, name)) {
        atomic_fetch_add(&board->cases, 1);
        return;
    }
    open_or_die(s, name);
    if (!tsdb_ready(s->db))
        die(name, "is not ready", "");
    store_sim_check(s, name);
    live_on(s, c, name);
    if (c->seed % 4 == 0)
        store_workload_check_snapshots(s, name);
    if (c->seed % 8 == 2)
        store_workload_check_backups(s, name);
    if (tsdb_stats(s->db)->replay_lost_frames || tsdb_stats(s->db)->losses)
        tsdb_losses(s->db, loss_die, (void *)(uintptr_t)name), die(name, "frames are lost", "");
    store_sim_kill(s);
    atomic_fetch_add(&board->cases, 1);
}

/* ---- a child ---- */

static void run_case(struct store_sim *s, struct fs_sim *base, const struct one *c)
{
    struct clock_fake clock = s->clock;
    struct random_seeded random = s->random;
    uint32_t requests = s->request_count;
    board->jobs[job].at = *c;
    s->sim = fs_sim_clone(base);
    s->o.fs = fs_sim_fs(s->sim);
    recover(s, c);
    fs_sim_free(s->sim);
    store_sim_forget(s, requests);
    s->clock = clock;
    s->random = random;
}

static void child(struct store_sim *s)
{
    struct fs_sim *base = s->sim;
    store_sim_kill(s);
    struct one c = {.workload = workload_seed, .change = changes};
    for (int survival = 0; survival < FS_SIM_SURVIVALS; survival++)
        for (uint64_t k = 0; k < SEEDS; k++) {
            c.survival = survival;
            c.seed = workload_seed * 31 + changes * 3 + (uint64_t)survival + k;
            if (only.survival < 0 || (only.survival == survival && only.seed == c.seed))
                run_case(s, base, &c);
        }
    _exit(0);
}

/* ---- the parent ---- */

static void reap(void)
{
    int status;
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < jobs; i++)
        if (pid > 0 && board->jobs[i].pid == pid) {
            board->jobs[i].pid = 0;
            if (status != 0) {
                failed++;
                fprintf(stderr, "FAIL: a child ended with status %x at %s\n", (unsigned)status,
                        case_name(&board->jobs[i].at));
            }
            return;
        }
}

static bool busy(void)
{
    for (unsigned i = 0; i < jobs; i++)
        if (board->jobs[i].pid)
            return true;
    return false;
}

static unsigned slot_take(void)
{
    for (;;) {
        for (unsigned i = 0; i < jobs; i++)
            if (!board->jobs[i].pid)
                return i;
        reap();
    }
}

static void before_call(void *ctx, struct fs_sim *sim, enum fs_sim_kind kind, const char *path)
{
    (void)ctx;
    (void)path;
    if (!(kind & FS_SIM_CHANGES) || job >= 0)
        return;
    changes++;
    if (only.survival >= 0 && only.change != changes)
        return;
    unsigned slot = slot_take();
    fflush(stderr);
    pid_t pid = fork();
    if (pid == 0) {
        job = (int)slot;
        fs_sim_power_off_at(sim, 1);
        return;
    }
    if (pid < 0)
        die("fork", "failed", "");
    board->jobs[slot].pid = pid;
    board->jobs[slot].at = (struct one){workload_seed, changes, 0, 0};
}

static void run_workload(uint64_t seed)
{
    struct errmsg why = {0};
    struct store_sim *s = store_workload_new(seed);
    workload_seed = seed;
    changes = 0;
    fs_sim_set_hook(s->sim, before_call, NULL);
    bool open = store_sim_open(s, &why) == ERR_OK;
    if (open)
        store_workload_run(s, WORKLOAD_STEPS);
    if (job >= 0)
        child(s);
    if (!open)
        die("undisturbed", "does not open", why.text);
    store_sim_check(s, "undisturbed");
    fs_sim_set_hook(s->sim, NULL, NULL);
    store_workload_free(s);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
    unsigned long long workload, change, case_seed;
    uint64_t seed = setting("SIM_SEED", 1), cases = setting("SIM_CASES", 80000);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    jobs = (unsigned)setting("SIM_JOBS", cores > 1 ? (uint64_t)cores : 1);
    jobs = jobs > JOBS_MAX ? JOBS_MAX : jobs;
    log_setup(getenv("SIM_LOG") ? LOG_INFO : LOG_ERROR + 1, 0);
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* big tables that are hardly touched come from the kernel, zeroed */
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(board != MAP_FAILED);
    only.survival = -1;
    if (getenv("SIM_CASE") &&
        sscanf(getenv("SIM_CASE"), "%llu %llu %d %llu", &workload, &change, &only.survival, &case_seed) == 4) {
        only.change = change;
        only.seed = case_seed;
        seed = workload;
        cases = 1;
    }
    uint64_t all_changes = 0, rounds = 0;
    for (; board->cases < cases && (rounds == 0 || only.survival < 0); rounds++) {
        run_workload(seed + rounds);
        all_changes += changes;
        while (busy() && only.survival >= 0)
            reap();
    }
    while (busy())
        reap();
    printf("%llu crashes at %llu changes of the disk in %llu workloads, seed %llu\n",
           (unsigned long long)board->cases, (unsigned long long)all_changes, (unsigned long long)rounds,
           (unsigned long long)seed);
    printf("%d passed, %llu failed\n", failed == 0, (unsigned long long)failed);
    return failed != 0;
}
