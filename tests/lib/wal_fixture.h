/*
 * wal_fixture.h - a log on a simulated disk, driven by hand, and a model of what it must remember.
 *
 * Each request is one record "<number>:<filler>;" so that a replay can be compared with what was sent.
 */
#ifndef TESTS_LIB_WAL_FIXTURE_H
#define TESTS_LIB_WAL_FIXTURE_H

#include "lib/fs_sim.h"
#include "wal/wal.h"

enum { FIXTURE_REQUESTS_MAX = 4096 };

struct fixture_ticket {
    struct wal_ticket ticket; /* first */
    struct wal_fixture *fixture;
    uint32_t request;
};

struct wal_fixture {
    struct fs_sim *sim;
    struct clock_fake clock;
    struct wal_options o;
    struct wal *wal;
    struct wal_lane *lanes[3];
    uint32_t sent;                       /* requests committed to a lane */
    enum err done[FIXTURE_REQUESTS_MAX]; /* what the ticket said */
    bool answered[FIXTURE_REQUESTS_MAX], acked[FIXTURE_REQUESTS_MAX];
    struct fixture_ticket tickets[FIXTURE_REQUESTS_MAX];
    uint64_t next_sequence;
};

struct wal_fixture *wal_fixture_new(void);
void wal_fixture_free(struct wal_fixture *f);
/* Reads what is there (checks it against the model), then opens the log for writing. */
enum err wal_fixture_open(struct wal_fixture *f, struct errmsg *why);
enum err wal_fixture_close(struct wal_fixture *f, struct errmsg *why);
/* One request of about `bytes` on a lane; false when the log refused it. */
bool wal_fixture_send(struct wal_fixture *f, unsigned lane, size_t bytes);
/*
 * Replays into seen[]; asserts that every acknowledged request is there once, whole, and that nothing is
 * there that was not sent.  Returns the reader's report.
 */
struct wal_report wal_fixture_check(struct wal_fixture *f, const char *context);

#endif
