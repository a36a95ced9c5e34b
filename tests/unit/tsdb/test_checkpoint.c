/* Checkpoint files: whole, damaged, foreign. */
#include "tsdb/checkpoint.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/fs_sim.h"

static struct errmsg why;
static char got[256];
static uint64_t from; /* 0: a whole one */

static enum err collect(void *ctx, struct slice records, const struct checkpoint_report *progress, struct errmsg *text)
{
    (void)ctx;
    (void)progress;
    (void)text;
    snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s|", SLICE_ARG(records));
    return ERR_OK;
}

static enum err read_it(struct fs_sim *sim, uint64_t id, uint64_t sequence, struct checkpoint_report *report)
{
    got[0] = 0;
    struct manifest_checkpoint c = {.sequence = sequence, .from = from};
    return checkpoint_read(fs_sim_fs(sim), "c", id, &c, collect, NULL, report, &why);
}

static struct fs_sim *written(void)
{
    struct fs_sim *sim = fs_sim_new();
    struct checkpoint_writer w;
    struct manifest_checkpoint c = {.sequence = 9, .from = from};
    cr_assert_eq(checkpoint_begin(&w, fs_sim_fs(sim), "c", 7, &c, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(checkpoint_piece(&w, SLICE_LIT("one"), &why), ERR_OK);
    cr_assert_eq(checkpoint_piece(&w, SLICE_LIT(""), &why), ERR_OK, "nothing is no piece");
    cr_assert_eq(checkpoint_piece(&w, SLICE_LIT("two"), &why), ERR_OK);
    cr_assert_eq(checkpoint_finish(&w, &why), ERR_OK, "%s", why.text);
    return sim;
}

Test(checkpoint, reads_what_was_written)
{
    struct fs_sim *sim = written();
    struct checkpoint_report report;
    cr_assert_eq(read_it(sim, 7, 9, &report), ERR_OK, "%s", why.text);
    cr_expect_str_eq(got, "one|two|");
    cr_expect(report.complete && report.pieces == 2 && report.bytes == report.bytes_total);
    cr_expect_eq(read_it(sim, 8, 9, &report), ERR_CORRUPT);
    cr_expect_eq(read_it(sim, 7, 8, &report), ERR_CORRUPT);
    fs_sim_free(sim);
}

Test(checkpoint, changes_say_what_they_build_upon)
{
    struct checkpoint_report report;
    struct manifest_checkpoint c;
    from = 5;
    struct fs_sim *sim = written();
    cr_assert_eq(read_it(sim, 7, 9, &report), ERR_OK, "%s", why.text);
    cr_expect(report.complete && report.bytes == report.bytes_total);
    cr_expect_str_eq(got, "one|two|");
    cr_assert_eq(checkpoint_identify(fs_sim_fs(sim), "c", 7, &c, &why), ERR_OK, "%s", why.text);
    cr_expect(c.sequence == 9 && c.from == 5);
    cr_expect_eq(checkpoint_identify(fs_sim_fs(sim), "c", 6, &c, &why), ERR_CORRUPT);
    from = 6;
    cr_expect_eq(read_it(sim, 7, 9, &report), ERR_CORRUPT, "upon another one");
    from = 0;
    cr_expect_eq(read_it(sim, 7, 9, &report), ERR_CORRUPT, "upon nothing");
    fs_sim_free(sim);
}

static void flip_all(size_t header)
{
    struct fs_sim *sim = written();
    struct checkpoint_report report;
    size_t bits = fs_sim_bytes(sim, "c").len * 8;
    for (size_t bit = header * 8; bit < bits; bit++) {
        fs_sim_flip(sim, "c", bit);
        cr_assert_eq(read_it(sim, 7, 9, &report), ERR_OK, "%s", why.text);
        cr_assert(!report.complete && report.damaged > 0, "bit %zu", bit);
        cr_assert(strstr(got, "one|") || strstr(got, "two|"), "bit %zu", bit);
        fs_sim_flip(sim, "c", bit);
    }
    for (size_t bit = 0; bit < header * 8; bit++) {
        fs_sim_flip(sim, "c", bit);
        cr_assert_neq(read_it(sim, 7, 9, &report), ERR_OK);
        fs_sim_flip(sim, "c", bit);
    }
    fs_sim_free(sim);
}

Test(checkpoint, a_flipped_bit_costs_one_piece_and_is_noticed)
{
    flip_all(32);
    from = 5;
    flip_all(40);
}

Test(checkpoint, a_truncated_file_gives_what_is_whole)
{
    struct fs_sim *sim = written();
    struct checkpoint_report report;
    size_t len = fs_sim_bytes(sim, "c").len;
    char bytes[256];
    memcpy(bytes, fs_sim_bytes(sim, "c").data, len);
    for (size_t n = 32; n < len; n++) {
        fs_sim_put(sim, "c", slice_of(bytes, n));
        cr_assert_eq(read_it(sim, 7, 9, &report), ERR_OK);
        cr_assert(!report.complete && report.damaged > 0);
        cr_assert_str_eq(got, n >= 32 + 27 + 27 ? "one|two|" : n >= 32 + 27 ? "one|" : "");
    }
    fs_sim_free(sim);
}
