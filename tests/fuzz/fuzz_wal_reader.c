/*
 * fuzz_wal_reader.c - any bytes as a log directory: no crash, bounded work, frames in rising order.
 *
 * Input: a byte of flags, then up to four segments, each with a length of two bytes.  With flag 1
 * checksums are not looked at, so that what stands behind them meets garbage.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "lib/fs_sim.h"
#include "wal/wal.h"

static void put_segments(struct fs_sim *sim, const uint8_t *p, size_t bytes)
{
    for (unsigned number = 1; number <= 4 && bytes >= 2; number++) {
        size_t n = le16_get(p);
        n = n < bytes - 2 ? n : bytes - 2;
        char path[64];
        snprintf(path, sizeof path, "wal/%016x.wal", number);
        fs_sim_put(sim, path, slice_of(p + 2, n));
        p += 2 + n;
        bytes -= 2 + n;
    }
}

static void read_all(struct fs_sim *sim, bool ignore_crc)
{
    struct wal_reader *r;
    enum err err = wal_reader_open(fs_sim_fs(sim), "wal", 0, 0, &r, NULL);
    assert(err == ERR_OK);
    if (ignore_crc)
        wal_reader_ignore_crc(r);
    struct buf buffer = {0};
    struct wal_frame frame;
    uint64_t last = 0, count = 0;
    while ((err = wal_reader_next(r, &buffer, &frame, NULL)) != ERR_NOT_FOUND) {
        if (err != ERR_OK)
            continue;
        assert(count == 0 || frame.sequence > last || last == UINT64_MAX);
        assert(frame.payload.len <= 65536);
        last = frame.sequence;
        assert(++count <= 4 * 128);
    }
    assert(wal_reader_report(r)->frames == count);
    wal_reader_close(r);
    buf_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    log_setup(LOG_ERROR + 1, 0);
    struct fs_sim *sim = fs_sim_new();
    enum err err = fs_mkdir(fs_sim_fs(sim), "wal", NULL);
    assert(err == ERR_OK);
    put_segments(sim, data + 1, bytes - 1);
    read_all(sim, data[0] & 1);
    fs_sim_free(sim);
    return 0;
}
