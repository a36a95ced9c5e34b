/* Random writes against a plain model; the same after a replay of the records. */
#include "lib/head_model.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>

#include "base/mem.h"

#define START INT64_C(1700000000000)

Test(head_model, gives_back_what_was_written_bit_by_bit)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct head_model m;
        model_init(&m, seed, 150);
        model_scrapes(&m, START, 60);
        cr_log_info("seed %llu", (unsigned long long)seed);
        head_check(m.head);
        model_compare(&m, m.head, INT64_MIN, INT64_MAX);
        for (int k = 0; k < 20; k++) {
            int64_t a = START + (int64_t)model_random(&m, 1000000) - 50000;
            model_compare(&m, m.head, a, a + (int64_t)model_random(&m, 400000));
        }
        model_deinit(&m);
    }
}

Test(head_model, is_the_same_after_a_replay)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct head_model m;
        struct head_replay_report report;
        model_init(&m, seed, 150);
        model_scrapes(&m, START, 60);
        struct head *again = model_replay(&m, 1 + (unsigned)seed % 3, &report);
        cr_assert_eq(report.lost, 0);
        cr_assert_eq(report.damaged, 0, "%s", report.first_damage);
        head_check(again);
        model_compare(&m, again, INT64_MIN, INT64_MAX);
        head_free(again);
        model_deinit(&m);
    }
}

static void maintain(struct head *head)
{
    while (head_maintain(head, NULL))
        ;
}

Test(head_model, is_the_same_with_sealed_chunks)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct head_model m;
        struct head_stats st;
        model_init(&m, seed, 70);
        for (int round = 0; round < 8; round++) {
            model_scrapes(&m, START + round * 15000 * 70, 70);
            maintain(m.head);
            head_check(m.head);
            model_compare(&m, m.head, INT64_MIN, INT64_MAX);
            int64_t a = START + (int64_t)model_random(&m, 8000000);
            model_compare(&m, m.head, a, a + (int64_t)model_random(&m, 400000));
        }
        head_stats(m.head, &st);
        cr_expect_gt(st.chunks, 30);
        model_deinit(&m);
    }
}

struct pieces {
    struct head_replay *replay;
    uint64_t bytes;
};

static enum err take_piece(void *ctx, struct slice records, struct errmsg *why)
{
    struct pieces *p = ctx;
    p->bytes += records.len;
    return head_replay_frame(p->replay, records, why);
}

static struct head *empty_head(struct head_model *m)
{
    struct head_options o;
    struct errmsg why;
    struct head *head;
    head_options_default(&o);
    o.random = &m->random.base;
    cr_assert_eq(head_new(&o, &head, &why), ERR_OK);
    return head;
}

Test(head_model, is_the_same_from_a_checkpoint_and_the_records_after_it)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct head_model m;
        struct head_replay_report report;
        struct errmsg why;
        model_init(&m, seed, 150);
        m.series_count = 100;
        model_scrapes(&m, START, 200);
        maintain(m.head);
        struct head *again = empty_head(&m);
        struct pieces p = {.replay = head_replay_new(again, 1 + (unsigned)seed % 3)};
        /* The log from a little before the checkpoint on: what is in both is recognised. */
        size_t from = m.frame_count - 20;
        cr_assert_eq(head_checkpoint(m.head, take_piece, &p, &why), ERR_OK, "%s", why.text);
        m.series_count = 150;
        model_scrapes(&m, START + 200 * 15000, 20);
        for (size_t i = from; i < m.frame_count; i++) {
            size_t start = m.frame_ends[i - 1];
            struct slice frame = slice_of(m.records.data + start, m.frame_ends[i] - start);
            cr_assert_eq(head_replay_frame(p.replay, frame, &why), ERR_OK, "%s", why.text);
        }
        head_replay_finish(p.replay, &report);
        cr_expect_eq(report.damaged, 0, "%s", report.first_damage);
        cr_expect_eq(report.lost, 0);
        cr_expect_gt(report.skipped, 0);
        head_check(again);
        model_compare(&m, again, INT64_MIN, INT64_MAX);
        head_free(again);
        model_deinit(&m);
    }
}

struct without {
    struct head_replay *replay;
    size_t left_out, count;
};

static enum err take_others(void *ctx, struct slice records, struct errmsg *why)
{
    struct without *w = ctx;
    return w->count++ == w->left_out ? ERR_OK : head_replay_frame(w->replay, records, why);
}

Test(head_model, a_piece_of_a_checkpoint_that_is_lost_costs_its_own_series_only)
{
    struct head_model m;
    struct head_replay_report report;
    struct errmsg why;
    struct head_stats all, some;
    model_init(&m, 5, 6000);
    model_scrapes(&m, START, 30);
    head_stats(m.head, &all);
    uint64_t found = 0;
    size_t pieces = 2;
    for (size_t k = 0; k < pieces; k++) {
        struct head *again = empty_head(&m);
        struct without w = {.replay = head_replay_new(again, 2), .left_out = k};
        cr_assert_eq(head_checkpoint(m.head, take_others, &w, &why), ERR_OK, "%s", why.text);
        head_replay_finish(w.replay, &report);
        cr_assert_eq(report.damaged, 0, "%s", report.first_damage);
        head_check(again);
        head_stats(again, &some);
        found += some.series;
        pieces = w.count;
        head_free(again);
    }
    cr_assert_gt(pieces, 2);
    cr_assert_eq(found, (pieces - 1) * all.series);
    model_deinit(&m);
}

Test(head_model, goes_on_after_a_checkpoint_as_if_nothing_had_happened)
{
    /* Head -> checkpoint -> head -> writes and cuts -> checkpoint -> head ..., always equal to the model. */
    struct head_model m;
    struct head_replay_report report;
    struct errmsg why;
    struct head_cut *cut;
    model_init(&m, 11, 120);
    for (int round = 0; round < 10; round++) {
        model_scrapes(&m, START + round * 60 * 15000, 60);
        if (round % 2)
            maintain(m.head);
        if (round % 3 == 2) {
            int64_t before = START + (round * 60 + 20) * 15000;
            head_cut_begin(m.head, before, &cut);
            cr_assert_eq(head_cut_finish(cut, 600000, NULL), ERR_OK);
            model_drop(&m, before);
        }
        struct head *again = empty_head(&m);
        struct pieces p = {.replay = head_replay_new(again, 2)};
        cr_assert_eq(head_checkpoint(m.head, take_piece, &p, &why), ERR_OK, "%s", why.text);
        head_replay_finish(p.replay, &report);
        cr_assert_eq(report.damaged, 0, "%s", report.first_damage);
        model_compare(&m, again, INT64_MIN, INT64_MAX);
        head_appender_free(m.appender);
        head_free(m.head);
        m.head = again;
        m.appender = head_appender_new(again);
        buf_reset(&m.records);
        m.frame_count = 0;
    }
    model_deinit(&m);
}

/* Every sample that is there was written, with these bits. */
static size_t count_true_samples(struct head_model *m, struct head *head)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    struct buf text = {0};
    size_t n = 0;
    arena_init(&arena, NULL);
    cr_assert_eq(head_querier(head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, NULL), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        buf_reset(&text);
        labels_print(&set->labels[i], &text);
        const struct model_series *series = NULL;
        for (size_t k = 0; k < m->series_count; k++)
            if (strcmp(m->series[k].labels, buf_cstr(&text)) == 0)
                series = &m->series[k];
        cr_assert(series != NULL);
        cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, NULL), ERR_OK);
        for (uint32_t k = 0; k < s.count; k++, n++) {
            size_t at = 0;
            while (at < series->count && series->list[at].time_ms != s.times_ms[k])
                at++;
            cr_assert(at < series->count, "a time that was never written");
            if (!(s.hists && s.hists[k]) && !series->list[at].hist)
                cr_assert_eq(f64_bits(s.values[k]), series->list[at].bits, "%s", series->labels);
        }
    }
    r->ops->close(r);
    q->ops->close(q);
    buf_deinit(&text);
    arena_deinit(&arena);
    return n;
}

Test(head_model, gives_no_wrong_value_when_records_are_missing)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct head_model m;
        struct head_replay_report report;
        model_init(&m, seed, 60);
        /* One value per time only: which of two replaced the other cannot be told when one is missing. */
        struct model_row rows[60];
        for (int k = 0; k < 50; k++) {
            size_t n = 0;
            for (size_t i = 0; i < 60; i++)
                if (model_random(&m, 10))
                    rows[n++] =
                        (struct model_row){i, START + k * 1000, f64_bits((double)model_random(&m, 9) * (double)i)};
            model_append(&m, rows, n);
        }
        struct head *again = empty_head(&m);
        struct head_replay *r = head_replay_new(again, 1);
        size_t skip = 5 + (size_t)model_random(&m, 30), start = 0;
        for (size_t i = 0; i < m.frame_count; i++) {
            struct slice frame = slice_of(m.records.data + start, m.frame_ends[i] - start);
            start = m.frame_ends[i];
            if (i != skip)
                cr_assert_eq(head_replay_frame(r, frame, NULL), ERR_OK);
        }
        head_replay_finish(r, &report);
        head_check(again);
        size_t got = count_true_samples(&m, again);
        cr_expect_gt(report.lost, 0);
        cr_expect_gt(got, 60 * skip / 2);
        head_free(again);
        model_deinit(&m);
    }
}

/* The model forgets what it had and takes over what the head has. */
static void model_adopt(struct head_model *m, struct head *head)
{
    struct arena arena;
    struct querier *q;
    struct series_set *set;
    struct samples s;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    struct buf text = {0};
    arena_init(&arena, NULL);
    for (size_t i = 0; i < m->series_count; i++)
        m->series[i].count = 0;
    cr_assert_eq(head_querier(head, INT64_MIN, INT64_MAX, &q, NULL), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, NULL), ERR_OK);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        buf_reset(&text);
        labels_print(&set->labels[i], &text);
        for (size_t k = 0; k < m->series_count; k++) {
            struct model_series *series = &m->series[k];
            if (strcmp(series->labels, buf_cstr(&text)) != 0)
                continue;
            cr_assert_eq(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, NULL), ERR_OK);
            series->list = mem_grow(series->list, &series->capacity, s.count, sizeof *series->list);
            for (uint32_t j = 0; j < s.count; j++) {
                const struct histogram *h = s.hists ? s.hists[j] : NULL;
                series->list[j] = (struct model_sample){s.times_ms[j], f64_bits(h ? h->sum : s.values[j]), h != NULL};
            }
            series->count = s.count;
        }
    }
    r->ops->close(r);
    q->ops->close(q);
    buf_deinit(&text);
    arena_deinit(&arena);
    head_appender_free(m->appender);
    head_free(m->head);
    m->head = head;
    m->appender = head_appender_new(head);
}

static void forget_frame(struct head_model *m, size_t frame)
{
    size_t start = frame ? m->frame_ends[frame - 1] : 0, bytes = m->frame_ends[frame] - start;
    memmove(m->records.data + start, m->records.data + start + bytes, m->records.len - start - bytes);
    m->records.len -= bytes;
    for (size_t i = frame; i + 1 < m->frame_count; i++)
        m->frame_ends[i] = m->frame_ends[i + 1] - bytes;
    m->frame_count--;
}

Test(head_model, keeps_everything_that_is_written_after_records_were_lost)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct head_model m;
        struct head_replay_report report;
        model_init(&m, seed, 120);
        m.series_count = 80;
        int64_t now = START;
        for (int life = 0; life < 3; life++) {
            model_scrapes(&m, now, 12);
            now += 12 * 15000;
            m.series_count = 80 + 20 * (size_t)life; /* new series every time, also in place of lost ones */
            size_t newest = m.frame_count / (size_t)(life + 1);
            forget_frame(&m, life ? m.frame_count - 1 - (size_t)model_random(&m, newest)
                                  : (size_t)model_random(&m, newest));
            struct head *again = model_replay_damaged(&m, 1 + (unsigned)seed % 3, &report);
            head_check(again);
            model_adopt(&m, again);
        }
        model_scrapes(&m, now, 12);
        struct head *last = model_replay_damaged(&m, 1, &report);
        head_check(last);
        model_compare(&m, last, INT64_MIN, INT64_MAX);
        head_free(last);
        model_deinit(&m);
    }
}
