/* The manifest reads back what it printed and refuses everything else with a line. */
#include "tsdb/manifest.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "lib/fs_sim.h"

static struct errmsg why;

static struct block_id id_of(uint8_t n)
{
    struct block_id id = {{1, 2, 3, n}};
    return id;
}

static void fill(struct manifest *m)
{
    *m = (struct manifest){.id = 0xabc, .log_first = 4, .flushed_ms = -5};
    manifest_checkpoint_add(m, &(struct manifest_checkpoint){.sequence = 3, .mint_ms = -7, .maxt_ms = 8});
    manifest_checkpoint_add(m, &(struct manifest_checkpoint){.sequence = 17, .mint_ms = -6, .maxt_ms = 9});
    manifest_loss_add(m, &(struct manifest_loss){-9, 4, .why = "checkpoint 11 is missing"});
    manifest_add(m, &(struct manifest_block){.id = id_of(1),
                                             .level = 2,
                                             .mint_ms = -10,
                                             .maxt_ms = 20,
                                             .seq_max = 4,
                                             .series = 5,
                                             .samples = 6,
                                             .bytes = 7});
    manifest_add(m, &(struct manifest_block){.id = id_of(2), .quarantined = "index: checksum of labels is wrong"});
}

Test(manifest, reads_what_it_printed)
{
    struct manifest m, got;
    struct buf text = {0}, again = {0};
    fill(&m);
    manifest_print(&m, &text);
    buf_cstr(&text);
    cr_assert_eq(manifest_parse(buf_view(&text), &got, &why), ERR_OK, "%s", why.text);
    manifest_print(&got, &again);
    cr_expect(slice_eq(buf_view(&text), buf_view(&again)), "%s", buf_cstr(&again));
    cr_expect_str_eq(got.blocks[1].quarantined, "index: checksum of labels is wrong");
    cr_expect_eq(got.checkpoint_count, 2);
    cr_expect_eq(manifest_covered(&got), 17);
    cr_expect_eq(got.checkpoints[0].mint_ms, -7);
    cr_expect_eq(got.log_first, 4);
    cr_expect_str_eq(got.losses[0].why, "checkpoint 11 is missing");
    manifest_remove(&got, &got.blocks[0].id);
    cr_expect_eq(got.block_count, 1);
    manifest_deinit(&m);
    manifest_deinit(&got);
    buf_deinit(&text);
    buf_deinit(&again);
}

Test(manifest, refuses_every_truncation_and_every_flipped_bit)
{
    struct manifest m, got;
    struct buf text = {0};
    fill(&m);
    manifest_print(&m, &text);
    buf_cstr(&text);
    for (size_t n = 0; n < text.len; n++) {
        uint8_t cut = text.data[n];
        text.data[n] = 0;
        cr_assert_eq(manifest_parse(slice_of(text.data, n), &got, &why), ERR_CORRUPT, "%zu bytes", n);
        text.data[n] = cut;
        for (int bit = 0; bit < 8; bit++) {
            text.data[n] ^= (uint8_t)(1 << bit);
            cr_assert_eq(manifest_parse(buf_view(&text), &got, &why), ERR_CORRUPT, "byte %zu", n);
            text.data[n] ^= (uint8_t)(1 << bit);
        }
    }
    manifest_deinit(&m);
    buf_deinit(&text);
}

Test(manifest, survives_power_loss_while_it_is_replaced)
{
    for (uint64_t n = 1; n < 8; n++)
        for (int policy = 0; policy < FS_SIM_SURVIVALS; policy++) {
            struct fs_sim *sim = fs_sim_new();
            struct manifest m, got;
            fill(&m);
            cr_assert_eq(manifest_store(fs_sim_fs(sim), "MANIFEST", &m, &why), ERR_OK, "%s", why.text);
            m.checkpoints[1].sequence = 18;
            fs_sim_power_off_at(sim, n);
            enum err err = manifest_store(fs_sim_fs(sim), "MANIFEST", &m, &why);
            fs_sim_restart(sim, (enum fs_sim_survival)policy, n);
            cr_assert_eq(manifest_load(fs_sim_fs(sim), "MANIFEST", &got, &why), ERR_OK, "%s", why.text);
            cr_expect(manifest_covered(&got) == 18 || (err != ERR_OK && manifest_covered(&got) == 17),
                      "change %d, %s: %d %d", (int)n, fs_sim_survival_name((enum fs_sim_survival)policy),
                      (int)manifest_covered(&got), err);
            manifest_deinit(&m);
            manifest_deinit(&got);
            fs_sim_free(sim);
        }
}

static enum err parse(const char *lines, struct manifest *out)
{
    struct buf text = {0};
    buf_str(&text, lines);
    buf_printf(&text, "end %08x\n", crc32c(0, text.data, text.len));
    enum err err = manifest_parse(slice_str(buf_cstr(&text)), out, &why);
    buf_deinit(&text);
    return err;
}

Test(manifest, reads_what_the_first_version_wrote)
{
    struct manifest m;
    cr_assert_eq(parse("gnomon manifest 1\nid 0000000000000abc\ncheckpoint 17\nflushed 5\n", &m), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(m.checkpoint_count, 1);
    cr_expect_eq(manifest_covered(&m), 17);
    cr_expect_eq(m.log_first, 0, "nothing is known of the log before");
    cr_expect_gt(m.checkpoints[0].mint_ms, m.checkpoints[0].maxt_ms);
    manifest_deinit(&m);
    cr_assert_eq(parse("gnomon manifest 1\nid 0000000000000abc\ncheckpoint 0\n", &m), ERR_OK, "%s", why.text);
    cr_expect_eq(m.checkpoint_count, 0);
    manifest_deinit(&m);
    cr_expect_eq(parse("gnomon manifest 5\nid 0000000000000abc\n", &m), ERR_UNSUPPORTED);
}

Test(manifest, refuses_changes_that_build_upon_nothing)
{
    struct manifest m;
    cr_expect_eq(parse("gnomon manifest 2\nid 0000000000000abc\ncheckpoint 9 from 4 mint 1 maxt 2\n", &m), ERR_CORRUPT);
    cr_expect_eq(parse("gnomon manifest 2\nid 0000000000000abc\ncheckpoint 9 from 0 mint 1 maxt 2\n"
                       "checkpoint 8 from 9 mint 1 maxt 2\n",
                       &m),
                 ERR_CORRUPT);
}

static bool all_acknowledged(const struct manifest *m)
{
    struct manifest_problems p = manifest_problems(m);
    return p.losses + p.quarantined + p.missing == 0;
}

/* What an older program knows is written in its version. */
Test(manifest, keeps_what_is_acknowledged_in_a_version_of_its_own)
{
    struct manifest m, got;
    struct buf text = {0}, again = {0};
    fill(&m);
    snprintf(m.blocks[0].problem, sizeof m.blocks[0].problem, "its directory is missing");
    manifest_print(&m, &text);
    cr_expect(slice_starts_with(buf_view(&text), slice_str("gnomon manifest 2\n")));
    cr_expect_eq(manifest_acknowledge(&m, 0, 100), 1, "the block in quarantine, which is of 0 to 0");
    cr_expect_eq(manifest_acknowledge(&m, INT64_MIN, INT64_MAX), 2);
    cr_expect_eq(manifest_acknowledge(&m, INT64_MIN, INT64_MAX), 0);
    cr_expect(all_acknowledged(&m));
    cr_expect_eq(manifest_problems(&m).acknowledged, 3);
    buf_reset(&text);
    manifest_print(&m, &text);
    cr_expect(slice_starts_with(buf_view(&text), slice_str("gnomon manifest 3\n")));
    buf_cstr(&text);
    cr_assert_eq(manifest_parse(buf_view(&text), &got, &why), ERR_OK, "%s", why.text);
    cr_expect(all_acknowledged(&got));
    cr_expect_str_eq(got.losses[0].why, "checkpoint 11 is missing");
    cr_expect_str_eq(got.blocks[1].quarantined, "index: checksum of labels is wrong");
    cr_expect(got.blocks[0].acknowledged && got.losses[0].acknowledged);
    manifest_print(&got, &again);
    cr_expect(slice_eq(buf_view(&text), buf_view(&again)), "%s", buf_cstr(&again));
    manifest_deinit(&m);
    manifest_deinit(&got);
    buf_deinit(&text);
    buf_deinit(&again);
}

Test(manifest, makes_room_for_a_new_loss_among_the_acknowledged_ones)
{
    struct manifest m = {0};
    for (int i = 0; i < MANIFEST_LOSSES_MAX; i++)
        manifest_loss_add(&m, &(struct manifest_loss){i, i + 1, .why = "the log is damaged"});
    cr_expect_eq(manifest_acknowledge(&m, 0, 10), 10);
    manifest_loss_add(&m, &(struct manifest_loss){5000, 6000, .why = "again"});
    cr_expect_eq(m.loss_count, MANIFEST_LOSSES_MAX);
    cr_expect_eq(m.losses[0].maxt_ms, 2, "two became one");
    cr_expect_str_eq(m.losses[m.loss_count - 1].why, "again");
    cr_expect(!m.losses[m.loss_count - 1].acknowledged);
    cr_expect_eq(manifest_acknowledge(&m, INT64_MIN, INT64_MAX), MANIFEST_LOSSES_MAX - 9);
    for (int i = 0; i < 200; i++)
        manifest_loss_add(&m, &(struct manifest_loss){7000 + i, 8000 + i, .why = "and again"});
    cr_expect_eq(m.loss_count, MANIFEST_LOSSES_MAX);
    cr_expect_gt(manifest_problems(&m).losses, 0);
    cr_expect_leq(manifest_problems(&m).acknowledged, 1);
    cr_expect_eq(m.losses[m.loss_count - 1].maxt_ms, 8199);
    manifest_deinit(&m);
}

/* The widest numbers, reasons of every length and of any bytes, as paths and label values may put them there. */
Test(manifest, reads_the_longest_lines_that_it_writes)
{
    struct manifest m = {.id = UINT64_MAX, .log_first = INT64_MAX, .flushed_ms = INT64_MIN + 1}, got;
    struct buf text = {0};
    size_t longest = 0;
    manifest_checkpoint_add(&m, &(struct manifest_checkpoint){INT64_MAX - 1, 0, INT64_MIN, INT64_MAX});
    manifest_checkpoint_add(&m, &(struct manifest_checkpoint){INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MAX});
    for (uint32_t i = 0; i < 1000; i++) {
        struct manifest_loss loss = {INT64_MIN + i, INT64_MAX, i % 3 == 0, ""};
        struct manifest_block b = {.id = id_of((uint8_t)i), .level = BLOCK_LEVEL_MAX, .acknowledged = i % 2 == 0};
        b.id.bytes[4] = (uint8_t)(i >> 8);
        b.mint_ms = INT64_MIN;
        b.maxt_ms = INT64_MAX;
        b.seq_max = b.series = b.samples = b.bytes = INT64_MAX;
        memset(b.quarantined, 'x', i % (MANIFEST_REASON_BYTES - 1) + 1);
        b.quarantined[i % (MANIFEST_REASON_BYTES - 1) / 2] = (char)(i % 255 + 1);
        memcpy(loss.why, b.quarantined, sizeof loss.why);
        manifest_add(&m, &b);
        manifest_loss_add(&m, &loss);
    }
    manifest_print(&m, &text);
    buf_cstr(&text);
    for (size_t i = 0, start = 0; i < text.len; i++)
        if (text.data[i] == '\n') {
            longest = i - start > longest ? i - start : longest;
            start = i + 1;
        }
    cr_assert_eq(manifest_parse(buf_view(&text), &got, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(got.block_count, 1000);
    cr_expect_eq(got.loss_count, m.loss_count);
    for (size_t i = 0; i < got.block_count; i++) {
        struct manifest_block *b = &m.blocks[i];
        for (char *p = b->quarantined; *p; p++)
            *p = (unsigned char)*p < ' ' ? ' ' : *p;
        cr_assert_str_eq(got.blocks[i].quarantined, b->quarantined);
        cr_assert_eq(got.blocks[i].bytes, INT64_MAX);
    }
    cr_expect_geq(longest, 26 + 7 * 19 + MANIFEST_REASON_BYTES, "%zu", longest);
    cr_expect_lt(longest, 512, "half of what a reader takes: %zu", longest);
    manifest_deinit(&m);
    manifest_deinit(&got);
    buf_deinit(&text);
}

Test(manifest, lists_a_loss_once_and_never_too_many)
{
    struct manifest m = {0};
    for (int i = 0; i < 1000; i++)
        manifest_loss_add(&m, &(struct manifest_loss){i / 2, i + 5, .why = "the log is damaged"});
    cr_expect_leq(m.loss_count, 64);
    cr_expect_eq(m.losses[m.loss_count - 1].maxt_ms, 1004);
    manifest_deinit(&m);
}
