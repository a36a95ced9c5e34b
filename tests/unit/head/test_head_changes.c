/* Checkpoints that tell changes only: chain and log give the head back, whatever happened between. */
#include <criterion/criterion.h>
#include <criterion/logging.h>

#include "base/mem.h"
#include "head/snapshot_internal.h"
#include "lib/head_digest.h"
#include "lib/head_model.h"

#define START INT64_C(1700000000000)
enum { STEP_MS = 15000, KEPT_MAX = 512 };

static struct head_model m;
static struct errmsg why;

/* Pieces in memory, as many checkpoints as there are. */
static struct {
    struct buf bytes;
    size_t ends[KEPT_MAX];
    size_t count, link_ends[KEPT_MAX], links;
} kept;

static enum err keep(void *ctx, struct slice records, struct errmsg *text)
{
    (void)ctx;
    (void)text;
    cr_assert_lt(kept.count, KEPT_MAX);
    buf_slice(&kept.bytes, records);
    kept.ends[kept.count++] = kept.bytes.len;
    return ERR_OK;
}

static void drop_kept(void)
{
    buf_reset(&kept.bytes);
    kept.count = kept.links = 0;
}

static size_t tell(bool changes)
{
    size_t before = kept.bytes.len;
    cr_assert_eq((changes ? head_changes : head_checkpoint)(m.head, keep, NULL, &why), ERR_OK, "%s", why.text);
    if (changes)
        head_changes_published(m.head);
    else
        head_checkpoint_published(m.head, false);
    kept.link_ends[kept.links++] = kept.count;
    return kept.bytes.len - before;
}

static struct head *empty_head(void)
{
    struct head_options o;
    struct head *head;
    head_options_default(&o);
    o.random = &m.random.base;
    cr_assert_eq(head_new(&o, &head, &why), ERR_OK);
    return head;
}

static struct head *again_without(size_t left_out, size_t from_frame, unsigned threads,
                                  struct head_replay_report *report)
{
    struct head *head = empty_head();
    struct head_replay *r = head_replay_new(head, threads);
    size_t at = 0, link = 0;
    for (size_t i = 0; i < kept.count; i++) {
        struct slice piece = slice_of(kept.bytes.data + at, kept.ends[i] - at);
        at = kept.ends[i];
        enum err err = i == left_out ? ERR_OK : head_replay_frame(r, piece, &why);
        cr_assert(err == ERR_OK || left_out < kept.count, "%s", why.text);
        if (i + 1 == kept.link_ends[link]) {
            link++;
            if (link % 2)
                head_replay_settle(r); /* one batch of several links, too */
        }
    }
    head_replay_settle(r);
    for (size_t i = from_frame; i < m.frame_count; i++) {
        size_t start = i ? m.frame_ends[i - 1] : 0;
        struct slice frame = slice_of(m.records.data + start, m.frame_ends[i] - start);
        enum err err = head_replay_frame(r, frame, &why);
        cr_assert(err == ERR_OK || left_out < kept.count, "%s", why.text);
    }
    head_replay_finish(r, report);
    head_check(head);
    return head;
}

static void compare(size_t from_frame, unsigned threads)
{
    struct head_replay_report report;
    struct head *again = again_without(SIZE_MAX, from_frame, threads, &report);
    cr_assert_eq(report.damaged, 0, "%s", report.first_damage);
    cr_assert_eq(report.lost, 0);
    model_compare(&m, again, INT64_MIN, INT64_MAX);
    cr_assert_eq(head_digest(m.head), head_digest(again));
    head_free(again);
}

static void maintain(void)
{
    while (head_maintain(m.head, NULL))
        ;
}

Test(head_changes, chain_and_log_give_back_what_was_written)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        model_init(&m, seed, 200);
        m.series_count = 90;
        cr_log_info("seed %llu", (unsigned long long)seed);
        drop_kept();
        int64_t now = START;
        for (int link = 0; link < 6; link++) {
            int scrapes = 1 + (int)model_random(&m, link % 2 ? 10 : 200);
            model_scrapes(&m, now, scrapes);
            now += (int64_t)scrapes * STEP_MS;
            m.series_count += model_random(&m, 20);
            if (model_random(&m, 2))
                maintain();
            size_t from = m.frame_count ? m.frame_count - model_random(&m, m.frame_count < 10 ? m.frame_count : 10) : 0;
            tell(link > 0);
            cr_assert(head_changes_known(m.head));
            if (model_random(&m, 2))
                maintain();
            compare(from, 1 + (unsigned)(seed + (uint64_t)link) % 3);
            model_scrapes(&m, now, 3);
            now += 3 * STEP_MS;
            compare(from, 1 + (unsigned)(seed + (uint64_t)link) % 3);
        }
        model_deinit(&m);
    }
}

Test(head_changes, histograms_and_late_samples_are_told_when_they_came)
{
    model_init(&m, 3, 70);
    drop_kept();
    model_scrapes(&m, START, 20);
    tell(false);
    for (int link = 0; link < 5; link++) {
        int64_t now = START + (link + 1) * 200 * STEP_MS;
        for (int i = 0; i < 130; i++)
            model_append_histogram(&m, (size_t)(i % 3), now + i * STEP_MS, i * 3.5);
        if (link % 2)
            maintain();
        for (size_t i = 0; i < 40; i++)
            model_append(&m, &(struct model_row){i % 7, START - (int64_t)model_random(&m, 100000), 7 + i}, 1);
        tell(true);
        compare(m.frame_count, 2);
    }
    model_deinit(&m);
}

Test(head_changes, nothing_new_takes_next_to_nothing)
{
    model_init(&m, 4, 500);
    drop_kept();
    model_scrapes(&m, START, 100);
    size_t whole = tell(false);
    cr_expect_lt(tell(true), 16);
    maintain(); /* tails that became chunks are no news */
    cr_expect_lt(tell(true), 16);
    model_scrapes(&m, START + 100 * STEP_MS, 10);
    cr_expect_lt(tell(true), whole / 2);
    compare(m.frame_count, 2);
    model_deinit(&m);
}

Test(head_changes, are_not_known_after_something_left_or_was_not_published)
{
    struct head_cut *cut;
    model_init(&m, 5, 100);
    drop_kept();
    cr_expect(!head_changes_known(m.head), "nothing was told");
    model_scrapes(&m, START, 30);
    cr_assert_eq(head_checkpoint(m.head, keep, NULL, &why), ERR_OK);
    cr_expect(!head_changes_known(m.head), "not published");
    tell(false);
    cr_expect(head_changes_known(m.head));
    head_cut_begin(m.head, START + 10 * STEP_MS, &cut);
    head_cut_abandon(cut);
    cr_expect(!head_changes_known(m.head), "a cut sets samples apart");
    model_deinit(&m);
}

/* Pages are told whole again after a cut, and their numbers used by others. */
Test(head_changes, go_on_upon_a_whole_one_after_a_cut)
{
    struct head_cut *cut;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        model_init(&m, seed, 400);
        m.series_count = 130;
        int64_t now = START;
        for (int round = 0; round < 5; round++) {
            model_scrapes(&m, now, 40);
            now += 40 * STEP_MS;
            if (round) {
                int64_t before = now - 20 * STEP_MS;
                head_cut_begin(m.head, before, &cut);
                cr_assert_eq(head_cut_finish(cut, 60000, NULL), ERR_OK);
                model_drop(&m, before);
            }
            drop_kept();
            tell(false);
            for (int link = 0; link < 3; link++) {
                model_scrapes(&m, now, 25);
                now += 25 * STEP_MS;
                m.series_count += model_random(&m, 15);
                if (link == 1)
                    maintain();
                tell(true);
                compare(m.frame_count, 2);
            }
        }
        model_deinit(&m);
    }
}

Test(head_changes, a_lost_piece_is_noticed_and_invents_nothing)
{
    struct head_replay_report report;
    struct head_stats all, some;
    model_init(&m, 6, 6000);
    drop_kept();
    m.series_count = 5000;
    model_scrapes(&m, START, 30);
    tell(false);
    m.series_count = 6000;
    model_scrapes(&m, START + 30 * STEP_MS, 30);
    tell(true);
    head_stats(m.head, &all);
    for (size_t i = 0; i < kept.link_ends[0]; i++) {
        struct head *again = again_without(i, m.frame_count, 2, &report);
        head_stats(again, &some);
        cr_expect_lt(some.samples, all.samples, "piece %zu", i);
        if (i + 1 < kept.link_ends[0]) /* the last one has no pages */
            cr_expect_gt(report.damaged, 0, "piece %zu", i);
        head_free(again);
    }
    model_deinit(&m);
}
