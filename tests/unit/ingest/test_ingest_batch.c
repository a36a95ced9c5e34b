/* Samples given one by one. */
#include "ingest/ingest.h"

#include <criterion/criterion.h>

#include "head/head.h"

#define NOW_MS INT64_C(1700000000000)

Test(ingest_batch, writes_samples_with_labels_in_any_order)
{
    struct clock_fake clock;
    struct head_options ho;
    struct ingest_options io;
    struct head *head;
    struct ingest *ingest;
    struct errmsg why;
    struct ingest_result result;
    struct head_stats st;
    clock_fake_init(&clock, NOW_MS);
    head_options_default(&ho);
    cr_assert_eq(head_new(&ho, &head, &why), ERR_OK);
    ingest_options_default(&io);
    io.head = head;
    io.clock = &clock.base;
    io.lanes = 2;
    cr_assert_eq(ingest_new(&io, &ingest, &why), ERR_OK);
    struct ingest_batch *b = ingest_batch_new(ingest, 1);
    struct ingest_label forward[] = {{SLICE_LIT("__name__"), SLICE_LIT("m")}, {SLICE_LIT("job"), SLICE_LIT("j")}};
    struct ingest_label backward[] = {
        {SLICE_LIT("job"), SLICE_LIT("j")}, {SLICE_LIT("x"), {0}}, {SLICE_LIT("__name__"), SLICE_LIT("m")}};
    ingest_batch_add(b, forward, 2, NOW_MS, 1);
    ingest_batch_add(b, backward, 3, NOW_MS + 1, 2);
    cr_expect_not(ingest_batch_write(b, NULL, &result));
    cr_expect_eq(ingest_status(&result), 204);
    cr_expect_eq(result.samples, 2);
    head_stats(head, &st);
    cr_expect_eq(st.series, 1);
    cr_expect_eq(st.samples, 2);
    ingest_batch_add(b, backward, 2, NOW_MS, 3);
    ingest_batch_write(b, NULL, &result);
    cr_expect_eq(result.rejected[INGEST_NO_NAME], 1);
    cr_expect_eq(ingest_status(&result), 400);
    ingest_batch_free(b);
    ingest_free(ingest);
    head_free(head);
}
