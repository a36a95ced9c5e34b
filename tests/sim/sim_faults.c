/*
 * sim_faults.c - the n-th call of the disk fails, or the n-th allocation of a size from outside; for every n.
 *
 * Over the workload of the crash simulator: once, and from then on; as EIO and as a full disk (a failing
 * write leaves its first half behind).  Afterwards the disk is whole, and so must the store be: it takes
 * samples again, has everything acknowledged, obeys its invariants, and its directory recovers, in a third of the cases
 * with the newest checkpoint damaged.
 *
 *     FAULT_JOBS=n            processes (cores)
 *     FAULT_SEED=n            of the workload (1)
 *     FAULT_STEP=n            every n-th call only (1)
 *     FAULT_CASE="kind n"     one case again
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

static const struct fault {
    const char *name;
    bool memory, forever;
    enum err err;
} faults[] = {
    {"EIO once", false, false, ERR_IO},
    {"EIO from then on", false, true, ERR_IO},
    {"ENOSPC once", false, false, ERR_NO_SPACE},
    {"ENOSPC from then on", false, true, ERR_NO_SPACE},
    {"no memory once", true, false, ERR_NO_MEMORY},
    {"no memory from then on", true, true, ERR_NO_MEMORY},
};
enum { FAULTS = sizeof faults / sizeof faults[0], JOBS_MAX = 64, KINDS = FS_SIM_ANY & ~FS_SIM_CLOSE };

struct board {
    _Atomic uint64_t cases;
    struct {
        unsigned kind;
        uint64_t n;
    } at[JOBS_MAX];
};
static struct board *board;

static void die(const struct fault *f, uint64_t n, const char *what)
{
    fprintf(stderr, "%s, call %llu: %s\n", f->name, (unsigned long long)n, what);
    abort();
}

static void fault_set(struct store_sim *s, const struct fault *f, uint64_t n)
{
    if (f->memory)
        mem_fail_after(n, f->forever);
    else
        fs_sim_fail(s->sim, n, f->forever, n ? KINDS : 0, f->err);
}

/* The disk is whole again: the store takes samples within a moment. */
static void lives_on(struct store_sim *s, const struct fault *f, uint64_t n, const char *name)
{
    clock_fake_advance(&s->clock, 120000);
    store_sim_commit(s);
    store_workload_run(s, 12);
    store_sim_check(s, name);
    head_check(tsdb_head(s->db));
    if (!s->requests[s->request_count - 1].acked)
        die(f, n, "samples are still refused");
}

static void run_case(unsigned kind, uint64_t n, uint64_t seed)
{
    const struct fault *f = &faults[kind];
    char name[96];
    struct errmsg why = {0};
    struct store_sim *s = store_workload_new(seed);
    snprintf(name, sizeof name, "%s, FAULT_CASE=\"%u %llu\"", f->name, kind, (unsigned long long)n);
    fault_set(s, f, n);
    if (store_sim_open(s, &why) == ERR_OK)
        store_workload_run(s, WORKLOAD_STEPS);
    fault_set(s, f, 0);
    if (s->db && tsdb_ready(s->db) && s->ingest)
        lives_on(s, f, n, name);
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, seed);
    bool whole = n % 3 != 0 || store_workload_rot(s, n);
    if (store_sim_open(s, &why) != ERR_OK)
        die(f, n, why.text);
    if (!whole && tsdb_stats(s->db)->losses == 0)
        die(f, n, "a loss is not told");
    whole ? store_sim_check(s, name) : store_sim_check_damaged(s, name);
    if (whole && (tsdb_stats(s->db)->replay_lost_frames || tsdb_stats(s->db)->losses))
        die(f, n, "something is lost");
    head_check(tsdb_head(s->db));
    if (whole) /* a snapshot shares the checkpoint */
        store_workload_check_snapshots(s, name);
    if (whole)
        store_workload_check_backups(s, name);
    store_workload_free(s);
    atomic_fetch_add(&board->cases, 1);
}

/* How many calls of the disk, or allocations, the undisturbed workload makes. */
static uint64_t count_calls(uint64_t seed, bool memory)
{
    struct errmsg why = {0};
    struct store_sim *s = store_workload_new(seed);
    if (memory)
        mem_fail_after(UINT64_MAX, false);
    if (store_sim_open(s, &why) != ERR_OK)
        die(&faults[0], 0, why.text);
    store_workload_run(s, WORKLOAD_STEPS);
    uint64_t calls = memory ? mem_fail_after(0, false) : fs_sim_calls(s->sim, KINDS);
    store_workload_free(s);
    return calls;
}

static void run_share(unsigned job, unsigned jobs, uint64_t seed, const uint64_t calls[2], uint64_t step)
{
    for (unsigned kind = 0; kind < FAULTS; kind++)
        for (uint64_t n = 1 + job * step; n <= calls[faults[kind].memory]; n += jobs * step) {
            board->at[job].kind = kind;
            board->at[job].n = n;
            run_case(kind, n, seed);
        }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static unsigned wait_all(unsigned jobs, const pid_t *pids)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < jobs; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            failed++;
            fprintf(stderr, "FAIL: status %x at FAULT_CASE=\"%u %llu\"\n", (unsigned)status, board->at[i].kind,
                    (unsigned long long)board->at[i].n);
        }
    }
    return failed;
}

int main(void)
{
    pid_t pids[JOBS_MAX];
    unsigned kind;
    unsigned long long n;
    uint64_t seed = setting("FAULT_SEED", 1), step = setting("FAULT_STEP", 1);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = (unsigned)setting("FAULT_JOBS", cores > 1 ? (uint64_t)cores : 1);
    jobs = jobs > JOBS_MAX ? JOBS_MAX : jobs;
    if (!getenv("SIM_LOG"))
        log_setup(LOG_ERROR + 1, 0);
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(board != MAP_FAILED);
    if (getenv("FAULT_CASE") && sscanf(getenv("FAULT_CASE"), "%u %llu", &kind, &n) == 2 && kind < FAULTS) {
        run_case(kind, n, seed);
        return 0;
    }
    uint64_t calls[2] = {count_calls(seed, false), count_calls(seed, true)};
    for (unsigned i = 0; i < jobs; i++)
        if ((pids[i] = fork()) == 0) {
            run_share(i, jobs, seed, calls, step);
            exit(0);
        }
    unsigned failed = wait_all(jobs, pids);
    printf("%llu failures: %llu calls of the disk, %llu allocations, seed %llu\n", (unsigned long long)board->cases,
           (unsigned long long)calls[0], (unsigned long long)calls[1], (unsigned long long)seed);
    printf("%d passed, %u failed\n", failed == 0, failed);
    return failed != 0;
}
