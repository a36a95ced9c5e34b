/* The last segment of the log, or its end, cannot vanish unnoticed. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/wal_fixture.h"
#include "wal/segment.h"

/* A log with some frames; `clean`: closed, else as a kill leaves it. */
static struct fs_sim *log_left(bool clean)
{
    struct errmsg why = {0};
    struct wal_fixture *f = wal_fixture_new();
    cr_assert_eq(wal_fixture_open(f, &why), ERR_OK, "%s", why.text);
    for (int i = 0; i < 6; i++) {
        cr_assert(wal_fixture_send(f, 0, 300));
        wal_commit_now(f->wal);
    }
    if (clean)
        cr_assert_eq(wal_fixture_close(f, &why), ERR_OK, "%s", why.text);
    struct fs_sim *left = fs_sim_clone(f->sim);
    fs_sim_restart(left, FS_SIM_ALL, 1);
    wal_fixture_free(f);
    return left;
}

static void newest_of(struct fs_sim *sim, char path[64])
{
    struct segment_newest newest;
    cr_assert(segment_newest_read(fs_sim_fs(sim), "data/wal", &newest));
    snprintf(path, 64, "data/wal/%016llx.wal", (unsigned long long)newest.number);
}

static struct wal_report survey(struct fs_sim *sim)
{
    struct wal_reader *reader;
    struct errmsg why = {0};
    cr_assert_eq(wal_reader_open(fs_sim_fs(sim), "data/wal", 0, 1, &reader, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(wal_reader_survey(reader, &why), ERR_OK, "%s", why.text);
    struct wal_report report = *wal_reader_report(reader);
    wal_reader_close(reader);
    return report;
}

Test(wal_newest, says_nothing_of_a_log_that_is_whole)
{
    for (int clean = 0; clean < 2; clean++) {
        struct fs_sim *sim = log_left(clean);
        struct wal_report report = survey(sim);
        cr_assert_eq(report.damage_count, 0, "%s", report.damage[0].what);
        cr_assert_eq(report.frames, 6);
        fs_sim_free(sim);
    }
}

/* A second without writes: what was written before is known to be durable, and a damaged last frame is a loss. */
Test(wal_newest, misses_the_last_frame_of_a_log_that_was_idle_before_a_kill)
{
    for (int idle = 0; idle < 2; idle++) {
        char path[64];
        struct errmsg why = {0};
        struct wal_fixture *f = wal_fixture_new();
        cr_assert_eq(wal_fixture_open(f, &why), ERR_OK, "%s", why.text);
        for (int i = 0; i < 3; i++) {
            cr_assert(wal_fixture_send(f, 0, 300));
            wal_commit_now(f->wal);
        }
        clock_fake_advance(&f->clock, idle ? 1500 : 100);
        wal_commit_now(f->wal);
        struct fs_sim *left = fs_sim_clone(f->sim);
        wal_fixture_free(f);
        fs_sim_restart(left, FS_SIM_ALL, 1);
        newest_of(left, path);
        struct wal_report whole = survey(left);
        cr_assert_eq(whole.damage_count, 0, "%s", whole.damage[0].what);
        struct slice bytes = fs_sim_bytes(left, path);
        uint8_t copy[512 + 3 * 512];
        cr_assert_geq(bytes.len, sizeof copy);
        memcpy(copy, bytes.data, sizeof copy);
        copy[sizeof copy - 400] ^= 1; /* in the third frame */
        fs_sim_put(left, path, slice_of(copy, sizeof copy));
        struct wal_report report = survey(left);
        cr_assert_eq(report.frames, 2);
        cr_assert_eq(report.lost_frames, (uint64_t)idle);
        cr_assert_eq(report.damage_count, (uint64_t)idle);
        fs_sim_free(left);
    }
}

Test(wal_newest, misses_the_last_segment_after_a_kill)
{
    char path[64];
    for (int empty = 0; empty < 2; empty++) {
        struct fs_sim *sim = log_left(false);
        newest_of(sim, path);
        if (empty)
            fs_sim_put(sim, path, (struct slice){0});
        else
            cr_assert_eq(fs_unlink(fs_sim_fs(sim), path, NULL), ERR_OK);
        struct wal_report report = survey(sim);
        cr_assert_geq(report.damage_count, 1);
        cr_assert(strstr(report.damage[report.damage_count - 1].what, empty ? "is empty" : "is gone"), "%s",
                  report.damage[report.damage_count - 1].what);
        fs_sim_free(sim);
    }
}

Test(wal_newest, counts_the_frames_that_a_cut_end_lost_after_a_clean_stop)
{
    char path[64];
    struct fs_sim *sim = log_left(true);
    newest_of(sim, path);
    struct slice bytes = fs_sim_bytes(sim, path);
    uint8_t copy[512 + 2 * 512];
    cr_assert_gt(bytes.len, sizeof copy);
    memcpy(copy, bytes.data, sizeof copy);
    fs_sim_put(sim, path, slice_of(copy, sizeof copy)); /* the header and two frames */
    struct wal_report report = survey(sim);
    cr_assert_eq(report.frames, 2);
    cr_assert_eq(report.lost_frames, 4);
    cr_assert_eq(report.damage_count, 1);
    fs_sim_free(sim);
}

Test(wal_newest, is_advice_only)
{
    struct fs_sim *sim = log_left(true);
    fs_sim_flip(sim, "data/wal/newest", 77);
    cr_assert_eq(survey(sim).damage_count, 0);
    cr_assert_eq(fs_unlink(fs_sim_fs(sim), "data/wal/newest", NULL), ERR_OK);
    cr_assert_eq(survey(sim).damage_count, 0);
    fs_sim_free(sim);
}
