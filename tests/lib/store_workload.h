/*
 * store_workload.h - what a store goes through in the simulator: everything that changes the disk.
 *
 * Steps depend on their number and the seed alone, so a run can be repeated to the same call of the disk.
 * One store at a time.  A new kind of background work gets a line in step(): then it is crashed at every change of the disk, too.
 */
#ifndef TESTS_LIB_STORE_WORKLOAD_H
#define TESTS_LIB_STORE_WORKLOAD_H

#include "lib/store_sim.h"

enum { WORKLOAD_STEPS = 40, WORKLOAD_SERIES = 12 };

/* A store with small limits, so that all happens often; odd seeds have a retention. */
struct store_sim *store_workload_new(uint64_t seed);
void store_workload_free(struct store_sim *s);
/* Ends early when the power is off. */
void store_workload_run(struct store_sim *s, int steps);
/* Deferring (s->o.defers): requests that only wait in the log; no background work. */
void store_workload_defer(struct store_sim *s, int steps);

/* Store open: the snapshots it took are there whole, others are not; how many.  Aborts with `context` if not. */
unsigned store_workload_check_snapshots(struct store_sim *s, const char *context);

/* Backups verify without a problem, and those that were reported as made come back whole; how many. */
unsigned store_workload_check_backups(struct store_sim *s, const char *context);

/*
 * Hurts the newest checkpoint of a store that is not open, or one that it builds upon, if there is one.  True: what stands in for it must have all
 * of it; false: samples may be missing, and then the store must say so.
 */
bool store_workload_rot(struct store_sim *s, uint64_t seed);

#endif
