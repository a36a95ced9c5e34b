/* What is damaged is named: series, times, in status and manifest; a check beside the work of the store finds it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "lib/store_sim.h"
#include "tsdb/manifest.h"

static struct store_sim *s;
static struct errmsg why;
static struct arena arena;

static void setup(void)
{
    s = store_sim_new(5);
    s->o.io_bytes_per_s = 0;
    arena_init(&arena, NULL);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    store_sim_free(s);
    arena_deinit(&arena);
}

TestSuite(tsdb_damage, .init = setup, .fini = teardown);

/* A block of 20 series. */
static void make_block(void)
{
    for (int i = 0; i < 40; i++) {
        clock_fake_advance(&s->clock, 15000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
    }
    cr_assert_eq(tsdb_flush(s->db, &why), ERR_OK, "%s", why.text);
}

static const char *path_of(const char *part)
{
    const char **paths;
    uint32_t n = fs_sim_files(s->sim, &arena, &paths);
    for (uint32_t i = 0; i < n; i++)
        if (strstr(paths[i], part))
            return paths[i];
    cr_assert_fail("no %s", part);
    return NULL;
}

/* The first page of the index behind its header: chunk lists or times. */
static void break_index(void)
{
    fs_sim_flip(s->sim, path_of("/index"), 8 * 90);
}

struct found {
    uint32_t count;
    struct tsdb_damage_info info;
    char name[256], what[512];
};

static bool keep(void *ctx, const struct tsdb_damage_info *info)
{
    struct found *f = ctx;
    f->count++;
    f->info = *info;
    snprintf(f->name, sizeof f->name, "%s", info->named ? info->names[0] : "");
    snprintf(f->what, sizeof f->what, "%s", info->what);
    return true;
}

static struct found damage(void)
{
    struct found f = {0};
    tsdb_damage(s->db, keep, &f);
    return f;
}

/* Warnings of a query over everything, the first in `text`. */
static uint32_t warnings_of_query(char text[256])
{
    struct querier *q;
    struct series_set *set;
    struct warnings warnings = {.arena = &arena};
    struct storage *storage = tsdb_storage(s->db);
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &warnings};
    cr_assert_eq(storage->ops->querier(storage, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &samples, &why), ERR_OK, "%s", why.text);
    }
    r->ops->close(r);
    q->ops->close(q);
    snprintf(text, 256, "%s", warnings.count ? warnings.list[0] : "");
    return warnings.count;
}

static void reopen(void)
{
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
}

Test(tsdb_damage, a_damaged_page_that_a_query_meets_is_told_with_its_series)
{
    char text[256];
    make_block();
    cr_expect_eq(damage().count, 0);
    break_index();
    reopen();
    cr_expect_gt(warnings_of_query(text), 0);
    tsdb_run_once(s->db);
    struct found f = damage();
    cr_assert_eq(f.count, 1);
    cr_expect_str_eq(f.info.state, "damaged");
    cr_expect_eq(f.info.series, 20);
    cr_expect(strstr(f.name, "{"), "%s", f.name);
    cr_expect(strstr(f.what, "page at offset 64"), "%s", f.what);
    cr_expect_lt(f.info.mint_ms, f.info.maxt_ms);
    cr_expect_eq(tsdb_stats(s->db)->damaged_series, 20);
    store_sim_check_damaged(s, "damaged");
}

Test(tsdb_damage, a_check_beside_the_store_finds_what_nobody_read)
{
    struct tsdb_verify_state state;
    make_block();
    cr_assert_eq(tsdb_verify_start(s->db, false, &why), ERR_OK, "%s", why.text);
    tsdb_verify_state(s->db, &arena, &state);
    cr_expect_str_eq(state.state, "done");
    cr_expect_eq(state.problems, 0, "%.*s", SLICE_ARG(state.report));
    cr_expect_eq(state.blocks_done, 1);
    cr_expect_gt(state.bytes, 1000);
    break_index();
    cr_assert_eq(tsdb_verify_start(s->db, false, &why), ERR_OK, "%s", why.text);
    tsdb_verify_state(s->db, &arena, &state);
    cr_expect_gt(state.problems, 0);
    cr_expect(strstr(arena_strdup(&arena, state.report), "20 series may lack samples"), "%.*s",
              SLICE_ARG(state.report));
    tsdb_run_once(s->db);
    cr_expect_eq(damage().info.series, 20, "the block in use knows it, too");
}

Test(tsdb_damage, what_a_merge_left_out_stays_told)
{
    char text[256];
    s->o.block_range_ms = 3600000;
    reopen();
    make_block();
    break_index();
    clock_fake_advance(&s->clock, 3600000);
    make_block();
    clock_fake_advance(&s->clock, 24 * INT64_C(3600000));
    reopen();
    for (int i = 0; i < 30; i++) {
        clock_fake_advance(&s->clock, 3600000);
        cr_assert(store_sim_write(s, 0, 20, clock_now_ms(&s->clock.base)));
        store_sim_commit(s);
        while (tsdb_run_once(s->db))
            ;
    }
    cr_assert_gt(tsdb_stats(s->db)->compactions, 0);
    struct found f = damage();
    cr_assert_eq(f.count, 1, "%u", f.count);
    cr_expect_str_eq(f.info.state, "quarantined");
    cr_expect(strstr(f.what, "20 series lack samples: metric_0{"), "%s", f.what);
    cr_expect_gt(warnings_of_query(text), 0);
    cr_expect(strstr(text, "lack samples"), "%s", text);
    reopen();
    cr_expect_eq(damage().count, 1, "the manifest has it");
    store_sim_check_damaged(s, "merged");
}

/* ---- reports ---- */

static uint32_t times_in(const char *text, const char *what)
{
    uint32_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

Test(tsdb_damage, a_report_of_very_many_problems_is_bounded_and_counts_the_rest)
{
    struct manifest m;
    struct buf out = {0};
    uint64_t problems = 0;
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(manifest_load(s->o.fs, "data/MANIFEST", &m, &why), ERR_OK, "%s", why.text);
    for (uint32_t i = 0; i < 3000; i++) {
        struct manifest_block b = {.quarantined = "a reason"};
        b.id.bytes[0] = (uint8_t)(i >> 8);
        b.id.bytes[1] = (uint8_t)i;
        manifest_add(&m, &b);
    }
    cr_assert_eq(manifest_store(s->o.fs, "data/MANIFEST", &m, &why), ERR_OK, "%s", why.text);
    manifest_deinit(&m);
    struct tsdb_verify_options o = {.json = true};
    cr_assert_eq(tsdb_verify(s->o.fs, "data", &o, &out, &problems, &why), ERR_OK, "%s", why.text);
    const char *text = buf_cstr(&out);
    cr_expect_eq(problems, 3000);
    cr_expect_eq(times_in(text, "in quarantine"), 2000);
    cr_expect(strstr(text, "\"problems\":3000,\"problems_not_listed\":1000,"), "%s", text + out.len - 200);
    buf_deinit(&out);
}

/* Memory ends at each allocation of the check in turn: there is a whole report or none, and a reason. */
Test(tsdb_damage, a_report_is_whole_or_none)
{
    struct tsdb_verify_state state;
    uint32_t failed = 0;
    make_block();
    break_index();
    for (uint64_t n = 1;; n++) {
        mem_fail_after(n, true);
        enum err err = tsdb_verify_start(s->db, false, &why);
        uint64_t calls = mem_fail_after(0, false);
        cr_assert_eq(err, ERR_OK, "%s", why.text);
        tsdb_verify_state(s->db, &arena, &state);
        const char *text = arena_strdup(&arena, state.report);
        size_t len = strlen(text);
        if (strcmp(state.state, "done") == 0)
            cr_assert(len > 20 && text[0] == '{' && strcmp(text + len - 3, "]}\n") == 0, "%llu: %s",
                      (unsigned long long)n, text);
        else
            cr_assert(len == 0 && state.error[0], "%llu: %s: %s", (unsigned long long)n, state.state, text);
        failed += len == 0;
        if (calls < n)
            break;
    }
    cr_expect_gt(failed, 5);
    cr_expect_str_eq(state.state, "done");
    cr_expect_gt(state.problems, 0);
}

/* ---- acknowledging ---- */

static struct tsdb_acknowledged acknowledge(int64_t mint_ms, int64_t maxt_ms)
{
    struct tsdb_acknowledged done;
    cr_assert_eq(tsdb_acknowledge(s->db, mint_ms, maxt_ms, &done, &why), ERR_OK, "%s", why.text);
    return done;
}

Test(tsdb_damage, a_block_that_is_gone_is_acknowledged_and_warns_no_more)
{
    char text[256];
    make_block();
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    fs_sim_put(s->sim, path_of("/index"), SLICE_LIT("no index at all"));
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_stats(s->db)->blocks_quarantined, 1);
    cr_expect_eq(warnings_of_query(text), 1);
    cr_expect_eq(acknowledge(INT64_MIN, 5).count, 0, "not of that time");
    cr_expect_eq(warnings_of_query(text), 1);
    cr_expect_eq(acknowledge(INT64_MIN, INT64_MAX).count, 1);
    cr_expect_eq(acknowledge(INT64_MIN, INT64_MAX).count, 0, "once");
    for (int life = 0; life < 2; life++) {
        cr_expect_eq(warnings_of_query(text), 0, "%s", text);
        cr_expect_eq(tsdb_stats(s->db)->blocks_quarantined, 0);
        cr_expect_eq(tsdb_stats(s->db)->losses_acknowledged, 1);
        struct found f = damage();
        cr_assert_eq(f.count, 1, "it stays listed");
        cr_expect(f.info.acknowledged);
        reopen();
    }
    struct buf out = {0};
    uint64_t problems = 9;
    cr_assert_eq(tsdb_verify(s->o.fs, "data", &(struct tsdb_verify_options){0}, &out, &problems, &why), ERR_OK);
    cr_expect_eq(problems, 0, "%s", buf_cstr(&out));
    cr_expect(strstr(buf_cstr(&out), " acknowledged=1"), "%s", buf_cstr(&out));
    buf_deinit(&out);
}

Test(tsdb_damage, a_missing_block_that_comes_back_is_no_longer_acknowledged)
{
    char text[256];
    make_block();
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    char from[256];
    const char *index = path_of("/index");
    snprintf(from, sizeof from, "%.*s", (int)(strlen(index) - 6), index);
    cr_assert_eq(fs_rename(s->o.fs, from, "data/elsewhere", &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(tsdb_stats(s->db)->blocks_missing, 1);
    cr_expect_eq(acknowledge(INT64_MIN, INT64_MAX).count, 1);
    reopen();
    cr_expect_eq(tsdb_stats(s->db)->blocks_missing, 0);
    cr_expect_eq(warnings_of_query(text), 0, "%s", text);
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(fs_rename(s->o.fs, "data/elsewhere", from, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
    store_sim_check(s, "all of it is there again");
    cr_expect_eq(tsdb_stats(s->db)->losses_acknowledged, 0);
}

Test(tsdb_damage, a_damaged_block_in_use_is_replaced_by_what_can_be_read_of_it)
{
    char text[256];
    make_block();
    break_index();
    reopen();
    cr_expect_gt(warnings_of_query(text), 0);
    struct tsdb_acknowledged done = acknowledge(INT64_MIN, INT64_MAX);
    cr_expect_eq(done.rewritten, 1);
    cr_expect_eq(done.left, 0);
    cr_expect_eq(done.count, 1);
    cr_expect_eq(warnings_of_query(text), 0, "%s", text);
    cr_expect(strstr(path_of("quarantine/"), "quarantine/"), "nothing of it is deleted");
    reopen();
    cr_expect_eq(warnings_of_query(text), 0, "%s", text);
    struct found f = damage();
    cr_assert_eq(f.count, 1);
    cr_expect(f.info.acknowledged && strstr(f.what, "lack samples"), "%s", f.what);
    store_sim_check_damaged(s, "acknowledged");
}

/* At every change of the disk of the rewriting: the loss is told, or the block is as it was. */
Test(tsdb_damage, a_crash_while_a_damaged_block_is_replaced_keeps_it_told)
{
    char text[256];
    make_block();
    break_index();
    cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
    struct fs_sim *sound = s->sim;
    struct clock_fake clock = s->clock;
    bool through = false;
    for (uint64_t n = 1; !through; n++)
        for (int survival = 0; survival < FS_SIM_SURVIVALS; survival++) {
            struct tsdb_acknowledged done;
            s->sim = fs_sim_clone(sound);
            s->o.fs = fs_sim_fs(s->sim);
            cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
            cr_assert_gt(warnings_of_query(text), 0);
            fs_sim_power_off_at(s->sim, n);
            enum err err = tsdb_acknowledge(s->db, INT64_MIN, INT64_MAX, &done, &why);
            through = !fs_sim_is_off(s->sim);
            store_sim_kill(s);
            fs_sim_restart(s->sim, (enum fs_sim_survival)survival, n);
            cr_assert_eq(store_sim_open(s, &why), ERR_OK, "%s", why.text);
            bool warned = warnings_of_query(text) > 0;
            tsdb_run_once(s->db);
            cr_expect_eq(damage().count, 1, "change %llu, %s", (unsigned long long)n,
                         fs_sim_survival_name((enum fs_sim_survival)survival));
            cr_expect(warned != damage().info.acknowledged, "change %llu: %s", (unsigned long long)n, text);
            cr_expect(warned || err == ERR_OK || tsdb_stats(s->db)->losses_acknowledged);
            cr_assert_eq(store_sim_close(s, &why), ERR_OK, "%s", why.text);
            fs_sim_free(s->sim);
            s->clock = clock;
        }
    s->sim = sound;
    s->o.fs = fs_sim_fs(s->sim);
}
