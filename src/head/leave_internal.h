/*
 * leave_internal.h - series leave the head.
 */
#ifndef HEAD_LEAVE_INTERNAL_H
#define HEAD_LEAVE_INTERNAL_H

#include "head/head_internal.h"

struct leaving {
    struct head *head;
    struct refs refs; /* candidates */
    uint32_t *pairs;  /* of series that left, with repetitions until leave_all sorts them */
    size_t pair_count, pair_capacity;
};

void leave_note(struct leaving *l, series_ref ref); /* a series that seems idle */
/* Removes those that still are (none when the token fires before); frees the lists. */
void leave_all(struct leaving *l, struct cancel *cancel);
/* During a replay: this series at once; leave_settle takes them out of postings and index, and frees the lists. */
void leave_now(struct leaving *l, series_ref ref) REQUIRES(l->head->create);
void leave_settle(struct leaving *l);

#endif
