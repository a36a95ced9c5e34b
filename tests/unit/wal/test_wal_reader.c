/* Reading back: hand-written segments, every truncation, every flipped bit. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "lib/wal_fixture.h"

static struct wal_fixture *f;
static struct errmsg why;

static void setup(void)
{
    f = wal_fixture_new();
}

static void teardown(void)
{
    wal_fixture_free(f);
}

TestSuite(wal_reader, .init = setup, .fini = teardown);

/* A segment written by hand from docs/formats/wal.md, without the code that is tested. */
struct hand {
    uint8_t bytes[16384];
    size_t len;
    uint64_t id, number;
};

static void hand_begin(struct hand *h, uint64_t id, uint64_t number)
{
    *h = (struct hand){.len = 512, .id = id, .number = number};
    memcpy(h->bytes, "GNOMWAL1", 8);
    le32_put(h->bytes + 8, 1);
    le64_put(h->bytes + 16, number);
    le64_put(h->bytes + 24, id);
    le32_put(h->bytes + 12, crc32c(0, h->bytes, 512)); /* over itself as zero */
}

static void hand_frame(struct hand *h, uint64_t sequence, const char *payload)
{
    uint8_t *p = h->bytes + h->len, salt[8];
    size_t n = strlen(payload);
    memcpy(p, "FRM1", 4);
    le64_put(p + 8, h->number);
    le64_put(p + 16, sequence);
    le32_put(p + 24, (uint32_t)n);
    memcpy(p + 32, payload, n);
    le64_put(salt, h->id);
    le32_put(p + 4, crc32c(crc32c(0, salt, 8), p + 8, 24 + n));
    h->len += (32 + n + 511) / 512 * 512;
}

static void hand_put(const struct hand *h, size_t len)
{
    char path[64];
    snprintf(path, sizeof path, "data/wal/%016llx.wal", (unsigned long long)h->number);
    fs_sim_put(f->sim, path, slice_of(h->bytes, len));
}

/* Reads everything; payloads joined with '|', a gap as "(n)". */
static const char *read_all(uint64_t id, uint64_t from, struct wal_report *report)
{
    static char text[4096];
    struct wal_reader *r;
    cr_assert_eq(wal_reader_open(f->o.fs, "data/wal", id, from, &r, &why), ERR_OK, "%s", why.text);
    struct buf buffer = {0};
    struct wal_frame frame;
    enum err err;
    size_t n = 0;
    text[0] = 0;
    while ((err = wal_reader_next(r, &buffer, &frame, &why)) != ERR_NOT_FOUND) {
        if (err != ERR_OK)
            continue;
        if (frame.lost_before)
            n += (size_t)snprintf(text + n, sizeof text - n, "(%llu)", (unsigned long long)frame.lost_before);
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s|", SLICE_ARG(frame.payload));
    }
    *report = *wal_reader_report(r);
    wal_reader_close(r);
    buf_deinit(&buffer);
    return text;
}

Test(wal_reader, reads_what_the_format_says)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 7, 0x12);
    hand_frame(&h, 5, "five");
    hand_frame(&h, 6, "six");
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 5, &report), "five|six|");
    cr_expect_eq(report.damage_count, 0);
    cr_expect_str_eq(read_all(0, 0, &report), "five|six|", "the header tells the id");
    cr_expect_str_eq(read_all(7, 6, &report), "six|");
    cr_expect_eq(report.passed, 1);
    cr_expect_str_eq(read_all(7, 3, &report), "(2)five|six|");
    cr_expect_eq(report.lost_frames, 2);
}

Test(wal_reader, an_empty_or_missing_directory_has_no_frames)
{
    struct wal_report report;
    cr_expect_str_eq(read_all(7, 1, &report), "");
    cr_assert_eq(fs_rmdir(f->o.fs, "data/wal", &why), ERR_OK);
    cr_expect_str_eq(read_all(7, 1, &report), "");
}

Test(wal_reader, keeps_every_frame_before_a_truncation)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 7, 1);
    hand_frame(&h, 1, "one");
    hand_frame(&h, 2, "two");
    hand_frame(&h, 3, "three");
    for (size_t len = 0; len <= h.len; len++) {
        hand_put(&h, len);
        const char *want = len >= 512 + 1024 + 32 + 5 ? "one|two|three|"
                           : len >= 512 + 512 + 35    ? "one|two|"
                           : len >= 512 + 35          ? "one|"
                                                      : "";
        cr_assert_str_eq(read_all(7, 1, &report), want, "%zu bytes", len);
        cr_assert_eq(report.lost_frames, 0);
    }
}

Test(wal_reader, loses_only_the_frame_whose_bit_flipped)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 7, 1);
    hand_frame(&h, 1, "one");
    hand_frame(&h, 2, "two");
    hand_frame(&h, 3, "three");
    for (size_t bit = 0; bit < h.len * 8; bit++) {
        h.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        hand_put(&h, h.len);
        h.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const char *got = read_all(7, 1, &report);
        if (strcmp(got, "one|two|three|") == 0)
            continue; /* header or padding */
        size_t frame = bit / 8 / 512;
        const char *want[] = {"", "(1)two|three|", "one|(1)three|", "one|two|"};
        cr_assert_str_eq(got, want[frame], "bit %zu", bit);
        cr_assert(report.damage_count == 1 || frame == 3, "bit %zu", bit);
    }
}

Test(wal_reader, tells_stale_bytes_of_a_recycled_file_from_frames)
{
    struct hand h, old;
    struct wal_report report;
    hand_begin(&old, 7, 1);
    for (int i = 1; i <= 6; i++)
        hand_frame(&old, (uint64_t)i, "old");
    hand_begin(&h, 7, 2);
    hand_frame(&h, 7, "new");
    hand_frame(&h, 8, "newer");
    memcpy(old.bytes, h.bytes, h.len);
    h.len = old.len;
    memcpy(h.bytes, old.bytes, old.len);
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 7, &report), "new|newer|");
    cr_expect_eq(report.damage_count, 0);
    cr_expect_not(report.torn_tail);
}

Test(wal_reader, notices_a_torn_tail_but_not_when_a_later_segment_goes_on)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 7, 1);
    hand_frame(&h, 1, "one");
    hand_frame(&h, 2, "two");
    h.bytes[512 + 512 + 33] ^= 1;
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 1, &report), "one|");
    cr_expect(report.torn_tail);
    cr_expect_eq(report.tail_offset, 1024);
    cr_expect_eq(report.damage_count, 0, "nobody was promised that frame");
    hand_begin(&h, 7, 2);
    hand_frame(&h, 2, "again");
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 1, &report), "one|again|");
    cr_expect_not(report.torn_tail);
    hand_begin(&h, 7, 2);
    hand_frame(&h, 3, "three");
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 1, &report), "one|(1)three|");
    cr_expect_eq(report.damage_count, 1);
}

Test(wal_reader, passes_over_segments_of_others_and_reads_without_a_header)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 8, 1);
    hand_frame(&h, 1, "foreign");
    hand_put(&h, h.len);
    hand_begin(&h, 7, 2);
    hand_frame(&h, 1, "one");
    memset(h.bytes, 0xff, 512);
    hand_put(&h, h.len);
    fs_sim_put(f->sim, "data/wal/lost+found", SLICE_LIT("x"));
    fs_sim_put(f->sim, "data/wal/0000000000000003.wal", SLICE_LIT(""));
    cr_expect_str_eq(read_all(7, 1, &report), "one|");
    cr_expect_eq(report.damage_count, 2);
    cr_expect_str_eq(report.damage[0].what, "segment 0000000000000001 belongs to another data directory");
    cr_expect_str_eq(report.damage[1].what, "segment header");
}

Test(wal_reader, does_not_take_a_payload_for_a_frame)
{
    struct hand h, inner;
    struct wal_report report;
    hand_begin(&inner, 0, 1); /* what a client can build: it does not know the directory's id */
    hand_frame(&inner, 9, "evil");
    hand_begin(&h, 7, 1);
    hand_frame(&h, 1, "one");
    h.bytes[512 + 40] = 1; /* damaged, so that the reader looks at later sectors */
    memcpy(h.bytes + 1024, inner.bytes + 512, 512);
    h.len = 1536;
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 1, &report), "one|");
    h.bytes[512 + 34] ^= 1;
    hand_put(&h, h.len);
    cr_expect_str_eq(read_all(7, 1, &report), "");
}

Test(wal_reader, survives_sectors_that_cannot_be_read)
{
    struct hand h;
    struct wal_report report;
    hand_begin(&h, 7, 1);
    hand_frame(&h, 1, "one");
    hand_put(&h, h.len);
    for (uint64_t n = 1; n < 8; n++) {
        fs_sim_fail(f->sim, n, false, FS_SIM_READ | FS_SIM_OPEN | FS_SIM_STAT, ERR_IO);
        read_all(7, 1, &report);
        fs_sim_fail(f->sim, 1, true, FS_SIM_READ, ERR_IO);
        cr_expect_str_eq(read_all(7, 1, &report), "");
        cr_expect_gt(report.damage_count, 0);
        fs_sim_fail(f->sim, 0, false, 0, ERR_OK);
    }
    cr_expect_str_eq(read_all(7, 1, &report), "one|");
}

Test(wal_reader, scans_bytes_in_memory)
{
    struct hand h;
    hand_begin(&h, 7, 3);
    hand_frame(&h, 1, "one");
    hand_frame(&h, 2, "two");
    struct wal_scan scan = {.bytes = slice_of(h.bytes, h.len), .id = 7, .number = 3};
    struct wal_frame frame;
    cr_assert(wal_scan_next(&scan, &frame));
    cr_expect(frame.sequence == 1 && slice_eq_str(frame.payload, "one"));
    cr_assert(wal_scan_next(&scan, &frame));
    cr_expect(frame.sequence == 2 && frame.offset == 1024);
    cr_expect_not(wal_scan_next(&scan, &frame));
}
