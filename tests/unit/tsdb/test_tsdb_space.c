/* What a store takes of a small disk. */
#include <criterion/criterion.h>

#include "lib/store_sim.h"

static void open_store(struct store_sim *s)
{
    struct errmsg why = {0};
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

Test(tsdb_space, a_small_disk_gets_small_log_segments)
{
    struct store_sim *s = store_sim_new(1);
    s->o.wal.segment_bytes = UINT64_C(64) << 20;
    fs_sim_capacity(s->sim, UINT64_C(64) << 20);
    open_store(s);
    cr_assert(store_sim_write(s, 0, 16, clock_now_ms(&s->clock.base)));
    store_sim_commit(s);
    cr_assert(s->requests[s->request_count - 1].acked);
    cr_assert_leq(atomic_load(&wal_stats(tsdb_wal(s->db))->segment_bytes), UINT64_C(16) << 20);
    cr_assert_eq(store_sim_close(s, NULL), ERR_OK);
    open_store(s); /* what the log holds itself does not make it smaller */
    cr_assert_leq(atomic_load(&wal_stats(tsdb_wal(s->db))->segment_bytes), UINT64_C(20) << 20);
    store_sim_check(s, "after");
    store_sim_free(s);
}
