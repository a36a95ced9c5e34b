/* Several samples of a series in one request: they are there, they are there after a replay, and they are short. */
#include "lib/head_model.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "head/record_internal.h"

#define START INT64_C(1700000000000)

/* The model, and what a replay of its records makes, agree. */
static void check(struct head_model *m)
{
    struct head_replay_report report;
    head_check(m->head);
    model_compare(m, m->head, INT64_MIN, INT64_MAX);
    struct head *again = model_replay(m, 2, &report);
    cr_assert_eq(report.lost, 0);
    cr_assert_eq(report.damaged, 0, "%s", report.first_damage);
    head_check(again);
    model_compare(m, again, INT64_MIN, INT64_MAX);
    head_free(again);
}

/* Rows of each series together, `each` of them, `step_ms` apart; bytes of their records. */
static size_t backfill(struct head_model *m, size_t series, int64_t from_ms, int64_t step_ms, size_t each)
{
    struct model_row *rows = mem_array(series * each, sizeof *rows);
    size_t before = m->records.len;
    for (size_t i = 0; i < series * each; i++)
        rows[i] = (struct model_row){i / each, from_ms + (int64_t)(i % each) * step_ms,
                                     f64_bits((double)(i % each * 7 + i / each * 1000) / 100)};
    model_append(m, rows, series * each);
    mem_free(rows);
    return m->records.len - before;
}

Test(head_track, years_before_the_newest_sample_take_three_bytes_each)
{
    struct head_model m;
    model_init(&m, 1, 70);
    model_scrapes(&m, START, 3);
    size_t bytes = backfill(&m, 70, START - INT64_C(86400000) * 365, 600000, 300);
    cr_assert_leq(bytes, 70 * 300 * 3, "%zu bytes for %d samples", bytes, 70 * 300);
    check(&m);
    bytes = backfill(&m, 70, START - INT64_C(86400000) * 365, 600000, 300);
    cr_assert_leq(bytes, 70 * 300 / 4, "%zu bytes: nearly all of it is known", bytes);
    check(&m);
    model_deinit(&m);
}

Test(head_track, samples_that_follow_the_newest_one_go_into_the_column)
{
    struct head_model m;
    struct head_stats st;
    model_init(&m, 2, 64);
    size_t bytes = backfill(&m, 64, START, 15000, 100);
    cr_assert_leq(bytes, 64 * (100 * 4 + 60), "%zu bytes", bytes);
    head_stats(m.head, &st);
    cr_assert_eq(st.samples_out_of_order, 0);
    check(&m);
    model_scrapes(&m, START + 15000 * 100, 20);
    check(&m);
    model_deinit(&m);
}

/* Steps forward, back, onto each other; values that stay, that move, of any bits. */
Test(head_track, any_order_of_times_and_any_bits_come_back)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct head_model m;
        struct model_row rows[700];
        model_init(&m, seed, 90);
        for (int request = 0; request < 6; request++) {
            int64_t time_ms = START + request * 100000;
            uint64_t bits = 0;
            for (size_t i = 0; i < 700; i++) {
                size_t series = i / (1 + seed * 7 % 40) % 90;
                time_ms += model_random(&m, 9) ? 1000 : (int64_t)model_random(&m, 400000) - 200000;
                switch (model_random(&m, 6)) {
                case 0:
                    bits = random_u64(&m.random.base);
                    break;
                case 1:
                    bits = f64_bits((double)model_random(&m, 100000) / 1000);
                    break;
                case 2:
                    bits = model_random(&m, 2) ? UINT64_C(0x7ff0000000000002) : UINT64_C(1) << 63;
                    break;
                default:
                    break;
                }
                rows[i] = (struct model_row){series, time_ms, bits};
            }
            model_append(&m, rows, 700);
        }
        check(&m);
        model_deinit(&m);
    }
}

Test(head_track, times_at_the_ends_of_the_range_come_back)
{
    struct head_model m;
    model_init(&m, 3, 2);
    struct model_row rows[] = {{0, INT64_MAX - 1, 1},
                               {0, INT64_MIN + 1, 2},
                               {0, INT64_MAX, 3},
                               {0, 0, 4},
                               {1, INT64_MIN + 2, 5},
                               {0, -1, 6},
                               {0, -1, 7},
                               {0, 1, 8}};
    model_append(&m, rows, sizeof rows / sizeof rows[0]);
    check(&m);
    model_deinit(&m);
}

/* A record of the log before version 3, by hand: two series, one of them with a new value. */
Test(head_track, records_of_older_logs_are_read)
{
    struct head_model m;
    struct head_replay_report report;
    model_init(&m, 4, 2);
    struct model_row rows[] = {{0, START, f64_bits(1)}, {1, START, f64_bits(2)}};
    model_append(&m, rows, 2);
    buf_u8(&m.records, RECORD_REQUEST);
    buf_u8(&m.records, RECORD_SAMPLES);
    buf_u8(&m.records, 0);
    buf_varint(&m.records, zigzag_put(1)); /* page */
    buf_u8(&m.records, 0);                 /* slot */
    buf_u8(&m.records, 2);
    buf_varint(&m.records, 1); /* sequence */
    buf_le64(&m.records, START + 15000);
    buf_u8(&m.records, 2); /* bitmap: the second */
    buf_u8(&m.records, SAMPLE_WHOLE);
    buf_le64(&m.records, f64_bits(2.5));
    m.frame_ends[m.frame_count++] = m.records.len;
    struct head *again = model_replay(&m, 1, &report);
    cr_assert_eq(report.damaged + report.lost, 0, "%s", report.first_damage);
    cr_assert_eq(report.samples, 4);
    head_check(again);
    head_free(again);
    model_deinit(&m);
}

/* Every bit of every record: refused, or something that the head can hold. */
Test(head_track, a_wrong_bit_is_refused_or_harmless)
{
    struct head_model m;
    model_init(&m, 5, 20);
    model_scrapes(&m, START, 3);
    backfill(&m, 20, START - 864000000, 60000, 12);
    for (size_t at = 0; at < m.records.len; at += 3) {
        struct head_replay_report report;
        m.records.data[at] ^= (uint8_t)(1 << at % 8);
        struct head *again = model_replay_damaged(&m, 1, &report);
        head_check(again);
        head_free(again);
        m.records.data[at] ^= (uint8_t)(1 << at % 8);
    }
    model_deinit(&m);
}
