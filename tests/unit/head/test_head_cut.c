/* Cutting: what is read is what is freed, what comes meanwhile stays, idle series leave. */
#include "lib/head_model.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"

#define START INT64_C(1700000000000)
enum { RANGE = 600000, IDLE = 3600000 };

static void maintain(struct head *head)
{
    while (head_maintain(head, NULL))
        ;
}

static const struct model_series *find(const struct head_model *m, const struct labels *labels)
{
    struct buf text = {0};
    labels_print(labels, &text);
    const struct model_series *found = NULL;
    for (size_t i = 0; i < m->series_count; i++)
        if (strcmp(m->series[i].labels, buf_cstr(&text)) == 0)
            found = &m->series[i];
    buf_deinit(&text);
    return found;
}

/* Counts the samples of the model in a window and compares those that the set delivers. */
static size_t check_window(struct head_model *m, struct series_set *set, int64_t mint_ms, int64_t maxt_ms)
{
    struct samples s;
    struct errmsg why;
    size_t delivered = 0;
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        if (i > 0)
            cr_assert_lt(labels_cmp(&set->labels[i - 1], &set->labels[i]), 0);
        const struct model_series *series = find(m, &set->labels[i]);
        cr_assert_eq(r->ops->read(r, i, mint_ms, maxt_ms, &s, &why), ERR_OK);
        size_t k = 0;
        for (size_t j = 0; j < series->count; j++) {
            if (series->list[j].time_ms < mint_ms || series->list[j].time_ms > maxt_ms)
                continue;
            cr_assert_lt(k, s.count);
            cr_assert_eq(s.times_ms[k], series->list[j].time_ms);
            if (series->list[j].hist)
                cr_assert(s.hists && s.hists[k] && f64_bits(s.hists[k]->sum) == series->list[j].bits);
            else
                cr_assert_eq(f64_bits(s.values[k]), series->list[j].bits);
            k++;
        }
        cr_assert_eq(k, s.count);
        delivered += k;
    }
    r->ops->close(r);
    return delivered;
}

static size_t model_count(const struct head_model *m, int64_t before_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < m->series_count; i++)
        for (size_t k = 0; k < m->series[i].count && m->series[i].list[k].time_ms < before_ms; k++)
            n++;
    return n;
}

/* All windows of a cut against the model. */
static void check_cut(struct head_model *m, struct head_cut *cut, int64_t before_ms)
{
    int64_t mint, maxt, last = INT64_MIN;
    struct series_set *set;
    struct errmsg why;
    size_t delivered = 0, pieces = 0;
    while (head_cut_window(cut, RANGE, &mint, &maxt)) {
        cr_assert_gt(mint, last);
        cr_assert_eq(mint % RANGE, 0);
        cr_assert_lt(maxt, before_ms);
        last = maxt;
        head_cut_select(cut, mint, maxt, labels_cmp);
        while (1) {
            cr_assert_eq(head_cut_next(cut, &set, &why), ERR_OK);
            if (!set)
                break;
            delivered += check_window(m, set, mint, maxt);
            pieces++;
        }
    }
    cr_assert_eq(delivered, model_count(m, before_ms));
    cr_expect_gt(pieces, 1);
}

Test(head_cut, takes_exactly_the_samples_before_a_time)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct head_model m;
        struct head_cut *cut;
        model_init(&m, seed, 90);
        int64_t now = START;
        for (int round = 0; round < 5; round++) {
            model_scrapes(&m, now, 60);
            now += 60 * 15000;
            if (round % 2)
                maintain(m.head);
            int64_t before = now - 300000;
            head_cut_begin(m.head, before, &cut);
            check_cut(&m, cut, before);
            model_compare(&m, m.head, INT64_MIN, INT64_MAX);
            cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
            model_drop(&m, before);
            head_check(m.head);
            model_compare(&m, m.head, INT64_MIN, INT64_MAX);
        }
        model_deinit(&m);
    }
}

Test(head_cut, leaves_what_arrives_during_it_for_the_next_one)
{
    struct head_model m;
    struct head_cut *cut;
    model_init(&m, 3, 40);
    model_scrapes(&m, START, 80);
    int64_t before = START + 40 * 15000;
    head_cut_begin(m.head, before, &cut);
    check_cut(&m, cut, before);
    struct model_row late[] = {{1, START + 15001, 7}, {2, START + 30000, 8}, {3, before - 1, 9}, {3, before + 1, 10}};
    /* The model gets only what is left afterwards. */
    model_drop(&m, before);
    model_append(&m, late, 4);
    cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
    model_compare(&m, m.head, INT64_MIN, INT64_MAX);
    head_cut_begin(m.head, before, &cut);
    check_cut(&m, cut, before);
    cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
    model_drop(&m, before);
    model_compare(&m, m.head, INT64_MIN, INT64_MAX);
    model_deinit(&m);
}

Test(head_cut, changes_nothing_when_abandoned)
{
    struct head_model m;
    struct head_cut *cut;
    model_init(&m, 4, 40);
    model_scrapes(&m, START, 80);
    for (int k = 0; k < 3; k++) {
        head_cut_begin(m.head, START + (30 + k) * 15000, &cut);
        check_cut(&m, cut, START + (30 + k) * 15000);
        head_cut_abandon(cut);
        model_compare(&m, m.head, INT64_MIN, INT64_MAX);
        model_scrapes(&m, START + (80 + k) * 15000, 1);
    }
    model_deinit(&m);
}

/* A flush of everything fails, then the usual one comes, which asks for less. */
Test(head_cut, takes_no_less_than_an_abandoned_one_had_frozen)
{
    for (int small = 10; small <= 70; small += 20) {
        struct head_model m;
        struct head_cut *cut;
        model_init(&m, 5, 40);
        model_scrapes(&m, START, 80);
        struct model_row late[] = {
            {1, START + 15001, 7}, {2, START + 30 * 15000 + 1, 8}, {3, START + 60 * 15000 + 1, 9}, {4, START + 5, 10}};
        model_append(&m, late, 4);
        model_append_histogram(&m, 7, START + 15002, 3);
        model_append_histogram(&m, 7, START + 50 * 15000 + 1, 4);
        int64_t all = START + 75 * 15000, less = START + small * 15000;
        head_cut_begin(m.head, all, &cut);
        head_cut_abandon(cut);
        head_cut_begin(m.head, less, &cut);
        check_cut(&m, cut, all);
        cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
        model_drop(&m, all);
        model_compare(&m, m.head, INT64_MIN, INT64_MAX);
        head_check(m.head);
        model_scrapes(&m, START + 80 * 15000, 20);
        less = START + 85 * 15000;
        head_cut_begin(m.head, less, &cut);
        check_cut(&m, cut, less);
        cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
        model_drop(&m, less);
        model_compare(&m, m.head, INT64_MIN, INT64_MAX);
        model_deinit(&m);
    }
}

/* All series are others every time, with labels nobody had before. */
static void churn_cycle(struct head *head, int64_t start_ms, unsigned cycle)
{
    enum { SERIES = 300, SAMPLES = 12 };
    struct head_appender *a = head_appender_new(head);
    struct head_row rows[SERIES];
    head_appender_enter(a, 1);
    head_create_begin(a);
    for (unsigned i = 0; i < SERIES; i++) {
        uint8_t bytes[128] = {0};
        int len = snprintf((char *)bytes, sizeof bytes, "\n\r\n\b__name__\x12\x01m\n\x15\n\x03pod\x12\x0epod-%05u-%04u",
                           cycle, i);
        struct hash128 hash = series_hash(head_hash_key(head), bytes, (size_t)len);
        struct slice canonical = slice_of(bytes, (size_t)len);
        cr_assert_eq(head_series_get(a, canonical, hash, start_ms, NULL, &rows[i].ref), ERR_OK);
        head_alias_add(a, (struct hash128){hash.lo + 1, hash.hi}, rows[i].ref);
    }
    head_create_end(a);
    for (unsigned k = 0; k < SAMPLES; k++) {
        for (unsigned i = 0; i < SERIES; i++) {
            rows[i].time_ms = start_ms + k * 15000;
            rows[i].bits = f64_bits(i * k);
        }
        cr_assert_eq(head_append(a, rows, SERIES, NULL), 0);
    }
    head_appender_leave(a);
    head_appender_free(a);
}

Test(head_cut, keeps_memory_bounded_when_all_series_are_replaced_again_and_again)
{
    struct head_options o;
    struct head *head;
    struct head_stats st;
    struct head_cut *cut;
    uint64_t bytes = 0, pages = 0;
    head_options_default(&o);
    cr_assert_eq(head_new(&o, &head, NULL), ERR_OK);
    for (unsigned cycle = 0; cycle < 40; cycle++) {
        int64_t start = START + cycle * INT64_C(600000);
        churn_cycle(head, start, cycle);
        head_cut_begin(head, start, &cut);
        cr_assert_eq(head_cut_finish(cut, 60000, NULL), ERR_OK);
        head_checkpoint_published(head, false);
        head_stats(head, &st);
        if (cycle == 10) {
            bytes = st.bytes;
            pages = st.pages;
        }
        if (cycle > 10) {
            cr_assert_leq(st.bytes, bytes + bytes / 10, "cycle %u: %llu bytes", cycle, (unsigned long long)st.bytes);
            cr_assert_leq(st.pages, pages, "cycle %u: %llu pages", cycle, (unsigned long long)st.pages);
            cr_assert_leq(st.series, 600);
            cr_assert_leq(st.aliases, 600);
        }
    }
    head_check(head);
    head_free(head);
}

Test(head_cut, removes_idle_series_and_their_labels_and_lets_them_return)
{
    struct head_model m;
    struct head_cut *cut;
    struct head_stats st;
    model_init(&m, 5, 200);
    model_scrapes(&m, START, 5);
    /* Only the first 100 go on. */
    size_t all = m.series_count;
    m.series_count = 100;
    model_scrapes(&m, START + IDLE + 10 * 60000, 5);
    m.series_count = all;
    head_cut_begin(m.head, START + IDLE + 9 * 60000, &cut);
    cr_assert_eq(head_cut_finish(cut, IDLE, NULL), ERR_OK);
    model_drop(&m, START + IDLE + 9 * 60000);
    head_stats(m.head, &st);
    cr_expect_eq(st.series, 100);
    cr_expect_eq(st.series_removed, 100);
    model_compare(&m, m.head, INT64_MIN, INT64_MAX);

    struct querier *q;
    struct errmsg why;
    cr_assert_eq(head_querier(m.head, INT64_MIN, INT64_MAX, &q, &why), ERR_OK);
    struct arena arena;
    arena_init(&arena, NULL);
    struct matcher gone = {.op = MATCH_EQUAL, .name = SLICE_LIT("instance"), .value = SLICE_LIT("i15")};
    struct selector sel = {.matchers = &gone, .matcher_count = 1, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    struct series_set *set;
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK);
    cr_expect_eq(set->count, 0);
    q->ops->close(q);
    arena_deinit(&arena);

    head_check(m.head);
    head_checkpoint_published(m.head, false);
    for (int round = 0; round < 3; round++) {
        model_scrapes(&m, START + IDLE + (20 + round) * 60000, 4);
        model_compare(&m, m.head, INT64_MIN, INT64_MAX);
    }
    head_stats(m.head, &st);
    cr_expect_eq(st.series, 200);
    head_check(m.head);
    model_deinit(&m);
}
