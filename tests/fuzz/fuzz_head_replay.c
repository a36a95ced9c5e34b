/*
 * fuzz_head_replay.c - any bytes as records of a head: refused or applied, never more; then the head is
 * whole, and writing its checkpoint and reading it again gives the same.
 *
 * Input: frames, each with its length before it (two bytes).
 */
#include <stdint.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "head/head.h"
#include "lib/head_digest.h"

static enum err give(void *ctx, struct slice records, struct errmsg *why)
{
    enum err err = head_replay_frame(ctx, records, why);
    assert(err == ERR_OK); /* what we write we can read */
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct random_seeded random;
    struct head_options o;
    struct head *head, *again;
    struct head_replay_report report;
    struct errmsg why;
    random_seeded_init(&random, 1);
    head_options_default(&o);
    o.random = &random.base;
    enum err err = head_new(&o, &head, &why);
    assert(err == ERR_OK);
    err = head_new(&o, &again, &why);
    assert(err == ERR_OK);
    struct head_replay *r = head_replay_new(head, 1);
    while (bytes >= 2) {
        size_t len = le16_get(data) < bytes - 2 ? le16_get(data) : bytes - 2;
        err = head_replay_frame(r, slice_of(data + 2, len), &why);
        assert(err == ERR_OK || err == ERR_CORRUPT);
        data += 2 + len;
        bytes -= 2 + len;
    }
    head_replay_finish(r, &report);
    head_check(head);
    r = head_replay_new(again, 1);
    err = head_checkpoint(head, give, r, &why);
    assert(err == ERR_OK);
    head_replay_finish(r, &report);
    assert(report.damaged == 0);
    head_check(again);
    assert(head_digest(head) == head_digest(again));
    head_free(head);
    head_free(again);
    return 0;
}
