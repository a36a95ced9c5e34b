/*
 * deferred.c - requests that were logged as they came, because the head was still being rebuilt.
 *
 * Such a request is acknowledged like any other: it is in the log.  Its samples become ordinary records
 * later, in one frame with a record that says so; the replay keeps those of which it did not see that.
 */
#include "head/record_internal.h"

struct deferred {
    struct deferred *next;
    struct head_deferred d;
    uint8_t body[];
};

void head_record_deferred(struct buf *records, const struct head_deferred *d)
{
    buf_u8(records, RECORD_DEFERRED);
    buf_le64(records, d->life);
    buf_varint(records, d->number);
    buf_le64(records, (uint64_t)d->now_ms);
    buf_le64(records, d->stream);
    buf_varint(records, d->body.len);
    buf_slice(records, d->body);
}

void head_record_applied(struct buf *records, uint64_t life, uint64_t number)
{
    buf_u8(records, RECORD_APPLIED);
    buf_le64(records, life);
    buf_varint(records, number);
}

bool deferred_keep(struct head *h, const struct head_deferred *d)
{
    struct deferred *k = mem_try_alloc(sizeof *k + d->body.len);
    if (!k)
        return false;
    *k = (struct deferred){.d = *d};
    if (d->body.len)
        memcpy(k->body, d->body.data, d->body.len);
    k->d.body = slice_of(k->body, d->body.len);
    *h->deferred_last = k;
    h->deferred_last = &k->next;
    atomic_fetch_add_explicit(&h->deferred_count, 1, memory_order_relaxed);
    return true;
}

static void unlink_at(struct head *h, struct deferred **at)
{
    struct deferred *gone = *at;
    *at = gone->next;
    if (!gone->next)
        h->deferred_last = at;
    mem_free(gone);
    atomic_fetch_sub_explicit(&h->deferred_count, 1, memory_order_relaxed);
}

void deferred_applied(struct head *h, uint64_t life, uint64_t number)
{
    for (struct deferred **at = &h->deferred; *at; at = &(*at)->next)
        if ((*at)->d.life == life && (*at)->d.number == number) {
            unlink_at(h, at);
            return;
        }
}

uint64_t head_deferred_count(struct head *h)
{
    return atomic_load_explicit(&h->deferred_count, memory_order_relaxed);
}

const struct head_deferred *head_deferred_first(struct head *h)
{
    return h->deferred ? &h->deferred->d : NULL;
}

void head_deferred_drop(struct head *h)
{
    assert(h->deferred != NULL);
    unlink_at(h, &h->deferred);
}

void deferred_free(struct head *h)
{
    while (h->deferred)
        unlink_at(h, &h->deferred);
}
