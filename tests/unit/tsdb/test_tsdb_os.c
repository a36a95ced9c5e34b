/* wal.sync=os: the kernel writes back when it likes; what it says about that is believed only once. */
#include <criterion/criterion.h>

#include "lib/store_sim.h"

Test(tsdb_os, a_failed_sync_makes_a_checkpoint_of_what_the_log_may_have_lost)
{
    struct errmsg why = {0};
    struct store_sim *s = store_sim_new(1);
    s->o.wal.sync = WAL_SYNC_OS;
    s->o.wal.segment_bytes = 4096;
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < 3; i++) {
        cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base) + i));
        store_sim_commit(s);
    }
    fs_sim_fail(s->sim, 1, false, FS_SIM_SYNC, ERR_IO); /* of the full segment, whose frames nobody keeps */
    for (int i = 3; i < 30; i++) {
        cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base) + i));
        store_sim_commit(s);
    }
    cr_assert_eq(fs_sim_failures(s->sim), 1);
    cr_assert_gt(atomic_load(&wal_stats(tsdb_wal(s->db))->doubtful), 0);
    uint64_t before = tsdb_stats(s->db)->checkpoints;
    tsdb_run_once(s->db);
    cr_assert_eq(tsdb_stats(s->db)->checkpoints, before + 1);
    for (uint32_t i = 0; i < s->request_count; i++)
        cr_assert(s->requests[i].acked);
    store_sim_kill(s);
    fs_sim_restart(s->sim, FS_SIM_NONE, 1);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "after the power loss");
    store_sim_free(s);
}
