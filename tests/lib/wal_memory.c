/* wal_memory.c - the contract is in wal_memory.h. */
#include "lib/wal_memory.h"

#include "base/assert.h"
#include "base/log.h"

void wal_memory_init(struct wal_memory *w)
{
    struct errmsg why;
    log_setup(LOG_ERROR + 1, 0);
    w->sim = fs_sim_new();
    clock_fake_init(&w->clock, 1700000000000);
    wal_options_default(&w->options);
    w->options.fs = fs_sim_fs(w->sim);
    w->options.clock = &w->clock.base;
    w->options.dir = "wal";
    w->options.id = 7;
    w->options.segment_bytes = 1 << 16;
    w->options.manual = true;
    enum err err = fs_mkdir_all(w->options.fs, w->options.dir, &why);
    assert(err == ERR_OK);
    err = wal_open(&w->options, &w->wal, &why);
    assert(err == ERR_OK);
    err = wal_start(w->wal, 1, NULL, &why);
    assert(err == ERR_OK);
}

void wal_memory_replay(struct wal_memory *w, struct head *head, struct head_replay_report *report)
{
    struct wal_reader *reader;
    struct wal_frame frame;
    struct errmsg why;
    struct buf buffer = {0};
    wal_commit_now(w->wal);
    enum err err = wal_close(w->wal, &why);
    assert(err == ERR_OK);
    w->wal = NULL;
    err = wal_reader_open(w->options.fs, w->options.dir, w->options.id, 1, &reader, &why);
    assert(err == ERR_OK);
    struct head_replay *replay = head_replay_new(head, 2);
    while ((err = wal_reader_next(reader, &buffer, &frame, &why)) == ERR_OK) {
        err = head_replay_frame(replay, frame.payload, &why);
        assert(err == ERR_OK);
    }
    assert(err == ERR_NOT_FOUND);
    head_replay_finish(replay, report);
    wal_reader_close(reader);
    buf_deinit(&buffer);
}

void wal_memory_deinit(struct wal_memory *w)
{
    struct errmsg why;
    enum err err = wal_close(w->wal, &why);
    assert(err == ERR_OK);
    fs_sim_free(w->sim);
}
