/*
 * running.h - which queries are under way: to be looked at and to be ended by an operator.
 *
 * Ownership: an entry lives in the arena of its request; it is taken out before the request ends (api_after).
 * Threads:   any.
 */
#ifndef API_RUNNING_H
#define API_RUNNING_H

#include "base/lock.h"
#include "net/http.h"

enum running_phase { RUNNING_WAITING, RUNNING_COMPUTING, RUNNING_ANSWERING };

struct running_query {
    struct running_query *prev, *next; /* guarded by the list's lock */
    struct http_request *r;
    uint64_t id;
    struct slice text;
    int64_t start_ms, end_ms, step_ms, since_ns; /* since_ns: monotonic, when it came */
    _Atomic int phase;                           /* enum running_phase */
};

struct running {
    struct mutex lock;
    struct running_query *first;
    uint64_t last_id; /* guarded by lock; starts at a time, so that a restart does not use numbers again */
};
void running_init(struct running *list, uint64_t first_id);
void running_deinit(struct running *list);
void running_add(struct running *list, struct running_query *q);         /* gives it an id */
void running_remove(struct running *list, const struct http_request *r); /* fine when it is not there */
bool running_cancel(struct running *list, uint64_t id);                  /* false: no such query */

#endif
