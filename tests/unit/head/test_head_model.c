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
            model_compare(&m, m.head, INT64_MIN, INT64_MAX);
            int64_t a = START + (int64_t)model_random(&m, 8000000);
            model_compare(&m, m.head, a, a + (int64_t)model_random(&m, 400000));
        }
        head_stats(m.head, &st);
        cr_expect_gt(st.chunks, 30);
        model_deinit(&m);
    }
}
