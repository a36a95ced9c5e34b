/*
 * fuzz_tombstones.c - any bytes as a file of tombstones: no crash, and what parses prints back the same.
 *
 * Checksums are mended first, so that what is behind them is reached.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "tsdb/tombstones.h"

enum { HEADER = 36, DIR = 7 };

static void mend(struct buf *text)
{
    if (text->len < HEADER)
        return;
    le64_put(text->data + 16, DIR);
    uint32_t seed = crc32c(0, text->data, HEADER - 4);
    le32_put(text->data + HEADER - 4, seed);
    for (size_t at = HEADER; text->len - at >= 8;) {
        size_t len = le32_get(text->data + at);
        if (len > text->len - at - 8)
            return;
        le32_put(text->data + at + 4, crc32c(crc32c(seed, text->data + at, 4), text->data + at + 8, len));
        at += 8 + len;
    }
}

static void try_bytes(struct slice bytes)
{
    struct tombstones *t, *again;
    struct buf first = {0}, second = {0};
    uint64_t damaged;
    if (tombstones_parse(bytes, DIR, &t, &damaged, NULL) != ERR_OK)
        return;
    tombstones_print(t, DIR, &first);
    enum err err = tombstones_parse(buf_view(&first), DIR, &again, &damaged, NULL);
    assert(err == ERR_OK && damaged == 0 && again->count == t->count);
    tombstones_print(again, DIR, &second);
    assert(slice_eq(buf_view(&first), buf_view(&second)));
    tombstones_release(t);
    tombstones_release(again);
    buf_deinit(&first);
    buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct buf text = {0};
    log_setup(LOG_ERROR + 1, 0);
    try_bytes(slice_of(data, bytes));
    buf_append(&text, data, bytes);
    mend(&text);
    try_bytes(buf_view(&text));
    buf_deinit(&text);
    return 0;
}
