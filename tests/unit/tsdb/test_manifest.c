/* The manifest reads back what it printed and refuses everything else with a line. */
#include "tsdb/manifest.h"

#include <criterion/criterion.h>

#include "lib/fs_sim.h"

static struct errmsg why;

static struct block_id id_of(uint8_t n)
{
    struct block_id id = {{1, 2, 3, n}};
    return id;
}

static void fill(struct manifest *m)
{
    *m = (struct manifest){.id = 0xabc, .checkpoint = 17, .flushed_ms = -5};
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
            m.checkpoint = 18;
            fs_sim_power_off_at(sim, n);
            enum err err = manifest_store(fs_sim_fs(sim), "MANIFEST", &m, &why);
            fs_sim_restart(sim, (enum fs_sim_survival)policy, n);
            cr_assert_eq(manifest_load(fs_sim_fs(sim), "MANIFEST", &got, &why), ERR_OK, "%s", why.text);
            cr_expect(got.checkpoint == 18 || (err != ERR_OK && got.checkpoint == 17), "change %d, %s: %d %d", (int)n,
                      fs_sim_survival_name((enum fs_sim_survival)policy), (int)got.checkpoint, err);
            manifest_deinit(&m);
            manifest_deinit(&got);
            fs_sim_free(sim);
        }
}
