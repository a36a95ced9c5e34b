/* wal_fixture.c - the contract is in wal_fixture.h. */
#include "lib/wal_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

struct wal_fixture *wal_fixture_new(void)
{
    struct wal_fixture *f = MEM_NEW(struct wal_fixture);
    log_setup(LOG_ERROR + 1, 0); /* broken disks are the point: no lines about them */
    f->sim = fs_sim_new();
    clock_fake_init(&f->clock, 1700000000000);
    wal_options_default(&f->o);
    f->o.fs = fs_sim_fs(f->sim);
    f->o.clock = &f->clock.base;
    f->o.dir = "data/wal";
    f->o.id = UINT64_C(0x1122334455667788);
    f->o.segment_bytes = 4096;
    f->o.manual = true;
    f->next_sequence = 1;
    struct errmsg why;
    enum err err = fs_mkdir_all(f->o.fs, f->o.dir, &why);
    assert(err == ERR_OK);
    err = fs_sync_dir(f->o.fs, ".", &why);
    assert(err == ERR_OK);
    err = fs_sync_dir(f->o.fs, "data", &why);
    assert(err == ERR_OK);
    return f;
}

void wal_fixture_free(struct wal_fixture *f)
{
    enum err ignored = wal_fixture_close(f, NULL);
    (void)ignored;
    fs_sim_free(f->sim);
    mem_free(f);
}

static void on_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    (void)why;
    struct fixture_ticket *t = (struct fixture_ticket *)ticket;
    assert(!t->fixture->answered[t->request]);
    t->fixture->answered[t->request] = true;
    t->fixture->acked[t->request] = err == ERR_OK;
    t->fixture->done[t->request] = err;
}

bool wal_fixture_send(struct wal_fixture *f, unsigned lane, size_t bytes)
{
    struct buf *records;
    struct errmsg why;
    if (wal_lane_begin(f->lanes[lane], bytes + 32, &records, &why) != ERR_OK)
        return false;
    assert(f->sent < FIXTURE_REQUESTS_MAX);
    struct fixture_ticket *t = &f->tickets[f->sent];
    *t = (struct fixture_ticket){.ticket.done = on_done, .fixture = f, .request = f->sent};
    buf_printf(records, "%u:", f->sent++);
    for (size_t i = 0; i < bytes; i++)
        buf_u8(records, (uint8_t)('a' + i % 26));
    buf_u8(records, ';');
    wal_lane_commit(f->lanes[lane], &t->ticket);
    return true;
}

static void check_payload(struct wal_fixture *f, struct slice payload, uint8_t *seen, const char *context)
{
    const char *p = (const char *)payload.data, *end = p + payload.len;
    while (p < end) {
        char *after;
        unsigned long request = strtoul(p, &after, 10);
        if (request >= f->sent || *after != ':' || seen[request]++) {
            fprintf(stderr, "%s: request %lu is not what was sent\n", context, request);
            abort();
        }
        for (p = after + 1; p < end && *p != ';'; p++)
            assert(*p >= 'a' && *p <= 'z');
        assert(p < end);
        p++;
    }
}

struct wal_report wal_fixture_check(struct wal_fixture *f, const char *context)
{
    struct wal_reader *r;
    struct errmsg why;
    uint8_t *seen = mem_zalloc(FIXTURE_REQUESTS_MAX);
    enum err err = wal_reader_open(f->o.fs, f->o.dir, f->o.id, 1, &r, &why);
    assert(err == ERR_OK);
    struct buf buffer = {0};
    struct wal_frame frame;
    while ((err = wal_reader_next(r, &buffer, &frame, &why)) != ERR_NOT_FOUND)
        if (err == ERR_OK)
            check_payload(f, frame.payload, seen, context);
    for (uint32_t i = 0; i < f->sent; i++)
        if (f->acked[i] && !seen[i]) {
            fprintf(stderr, "%s: acknowledged request %u of %u is lost\n", context, i, f->sent);
            abort();
        }
    struct wal_report report = *wal_reader_report(r);
    report.list = NULL; /* goes with the reader */
    wal_reader_close(r);
    buf_deinit(&buffer);
    mem_free(seen);
    return report;
}

static uint64_t read_to_end(struct wal_reader *r)
{
    struct buf buffer = {0};
    struct wal_frame frame;
    while (wal_reader_next(r, &buffer, &frame, NULL) != ERR_NOT_FOUND)
        ;
    buf_deinit(&buffer);
    return wal_reader_report(r)->last_sequence;
}

enum err wal_fixture_open(struct wal_fixture *f, struct errmsg *why)
{
    enum err err = wal_open(&f->o, &f->wal, why);
    if (err != ERR_OK)
        return err;
    struct wal_reader *r;
    err = wal_reader_open(f->o.fs, f->o.dir, f->o.id, 1, &r, why);
    if (err != ERR_OK) {
        enum err ignored = wal_fixture_close(f, NULL);
        (void)ignored;
        return err;
    }
    uint64_t last = read_to_end(r);
    err = wal_start(f->wal, last + 1, wal_reader_report(r), why);
    wal_reader_close(r);
    for (unsigned i = 0; i < 3; i++)
        f->lanes[i] = wal_lane_new(f->wal);
    return err;
}

enum err wal_fixture_close(struct wal_fixture *f, struct errmsg *why)
{
    struct wal *wal = f->wal;
    f->wal = NULL;
    return wal_close(wal, why);
}
