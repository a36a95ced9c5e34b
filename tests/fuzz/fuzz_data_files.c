/*
 * fuzz_data_files.c - any bytes as manifest, format file or checkpoint: no crash, and what parses prints back.
 *
 * Input: a byte that chooses the file, then its bytes.  A manifest gets its checksum mended, so that the
 * parser behind it is reached.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "lib/fs_sim.h"
#include "tsdb/checkpoint.h"
#include "tsdb/dir_view.h"
#include "tsdb/manifest.h"

static void try_manifest(struct slice bytes)
{
    struct buf text = {0}, first = {0}, again = {0};
    struct manifest m, same;
    buf_slice(&text, bytes);
    buf_printf(&text, "end %08x\n", crc32c(0, text.data, text.len));
    buf_cstr(&text);
    if (manifest_parse(buf_view(&text), &m, NULL) == ERR_OK) {
        manifest_print(&m, &first);
        buf_cstr(&first);
        enum err err = manifest_parse(buf_view(&first), &same, NULL);
        assert(err == ERR_OK);
        manifest_print(&same, &again);
        assert(slice_eq(buf_view(&first), buf_view(&again)));
        manifest_deinit(&m);
        manifest_deinit(&same);
    }
    buf_deinit(&text);
    buf_deinit(&first);
    buf_deinit(&again);
}

static enum err count_bytes(void *ctx, struct slice records, const struct checkpoint_report *progress,
                            struct errmsg *why)
{
    (void)why;
    assert(progress->bytes <= progress->bytes_total);
    *(uint64_t *)ctx += records.len;
    return ERR_OK;
}

static void try_checkpoint(struct slice bytes, uint64_t from)
{
    struct manifest_checkpoint c = {.sequence = 9, .from = from};
    struct fs_sim *sim = fs_sim_new();
    struct checkpoint_report report;
    uint64_t total = 0;
    fs_sim_put(sim, "c", bytes);
    enum err err = checkpoint_read(fs_sim_fs(sim), "c", 7, &c, count_bytes, &total, &report, NULL);
    assert(err != ERR_OK || total <= bytes.len);
    fs_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    log_setup(LOG_ERROR + 1, 0);
    struct slice rest = slice_of(data + 1, bytes - 1);
    uint64_t id;
    if (data[0] == 'm')
        try_manifest(rest);
    else if (data[0] == 'c')
        try_checkpoint(rest, 0);
    else if (data[0] == 'd')
        try_checkpoint(rest, 8);
    else if (format_parse(rest, &id, NULL) == ERR_OK)
        assert(rest.len > 0);
    return 0;
}
