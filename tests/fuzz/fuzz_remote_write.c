/*
 * fuzz_remote_write.c - a request body, plain or compressed, of version 1.0 or 2.0, twice into a head; then the head
 * again from its records.  What generated code accepts must be accepted, and both heads must hold the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "head/appender.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/head_digest.h"
#include "lib/wal_memory.h"
#include "remote.pb-c.h"

#define NOW_MS INT64_C(1700000000000)

static bool generated_code_accepts(const uint8_t *data, size_t bytes)
{
    Prometheus__WriteRequest *r = prometheus__write_request__unpack(NULL, bytes, data);
    /* Nothing but unknown fields may be a message of version 2.0, which we refuse. */
    bool accepts = r && (r->n_timeseries || r->n_metadata || !r->base.n_unknown_fields);
    if (r)
        prometheus__write_request__free_unpacked(r, NULL);
    return accepts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct clock_fake clock;
    struct random_seeded random;
    struct head_options ho;
    struct ingest_options io;
    struct head *head, *again;
    struct ingest *ingest;
    struct errmsg why;
    struct ingest_result result;
    struct head_replay_report report;
    struct wal_memory wal;
    log_setup(LOG_ERROR + 1, 0);
    if (bytes < 1)
        return 0;
    clock_fake_init(&clock, NOW_MS);
    random_seeded_init(&random, 1);
    head_options_default(&ho);
    ho.random = &random.base;
    enum err err = head_new(&ho, &head, &why);
    assert(err == ERR_OK);
    err = head_new(&ho, &again, &why);
    assert(err == ERR_OK);
    wal_memory_init(&wal);
    ingest_options_default(&io);
    io.head = head;
    io.clock = &clock.base;
    io.wal = wal.wal;
    err = ingest_new(&io, &ingest, &why);
    assert(err == ERR_OK);
    struct ingest_request req = {.encoding = data[0] & 4   ? INGEST_ZSTD
                                             : data[0] & 1 ? INGEST_SNAPPY
                                                           : INGEST_IDENTITY,
                                 .version2 = data[0] & 2,
                                 .body = slice_of(data + 1, bytes - 1),
                                 .stream = 1};
    for (int k = 0; k < 2; k++) {
        ingest_write(ingest, &req, &result);
        if (req.encoding == INGEST_IDENTITY && !req.version2 && bytes > 1 && result.err != ERR_OK)
            assert(!generated_code_accepts(data + 1, bytes - 1));
    }
    head_check(head);
    ingest_free(ingest);
    wal_memory_replay(&wal, again, &report);
    assert(report.damaged == 0 && report.lost == 0);
    head_check(again);
    assert(head_digest(head) == head_digest(again));
    wal_memory_deinit(&wal);
    head_free(head);
    head_free(again);
    return 0;
}
