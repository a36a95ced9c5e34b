/*
 * refusals.c - what is said about samples that were not taken: a log line per reason now and then, and who it was
 * that met a bound, for the metrics.
 */
#include "base/log.h"
#include "ingest/ingest_internal.h"
#include "numeric/goformat.h"

#define LOG_EVERY_NS INT64_C(10000000000)

void refusals_init(struct refusals *r)
{
    mutex_init(&r->lock);
}

void refusals_deinit(struct refusals *r)
{
    mutex_deinit(&r->lock);
}

/* The entry of an offender; the last one stands for all that found no place. */
static struct ingest_limit_hit *hit_of(struct refusals *r, enum ingest_reason reason, struct slice name)
{
    for (uint32_t i = 0; i < r->hit_count; i++)
        if (r->hits[i].reason == reason && slice_eq_str(name, r->hits[i].offender))
            return &r->hits[i];
    bool room = r->hit_count < INGEST_LIMIT_HITS_MAX - 1;
    struct ingest_limit_hit *hit = &r->hits[room ? r->hit_count++ : INGEST_LIMIT_HITS_MAX - 1];
    if (room)
        *hit = (struct ingest_limit_hit){.reason = reason};
    else
        hit->others = true;
    snprintf(hit->offender, sizeof hit->offender, "%.*s", room ? (int)name.len : 0, (const char *)name.data);
    return hit;
}

void refusals_hit(struct refusals *r, enum ingest_reason reason, struct slice offender)
{
    struct slice name = slice_of(offender.data, offender.len < INGEST_OFFENDER_BYTES ? offender.len
                                                                                    : INGEST_OFFENDER_BYTES - 1);
    while (name.len && name.len < offender.len && (offender.data[name.len] & 0xc0) == 0x80)
        name.len--; /* not in the middle of a character */
    mutex_lock(&r->lock);
    hit_of(r, reason, name)->count++;
    mutex_unlock(&r->lock);
}

/* At most one line per reason in LOG_EVERY_NS, with what was not told since the last one. */
void refusals_log(struct refusals *r, int64_t now_ns, enum ingest_reason reason, uint64_t count, struct slice offenders)
{
    mutex_lock(&r->lock);
    r->untold[reason] += count;
    bool say = now_ns >= r->next_ns[reason];
    uint64_t untold = r->untold[reason];
    if (say) {
        r->untold[reason] = 0;
        r->next_ns[reason] = now_ns + LOG_EVERY_NS;
    }
    mutex_unlock(&r->lock);
    if (!say)
        return;
    struct buf quoted = {0};
    goformat_quote(&quoted, offenders); /* labels have quotes of their own */
    log_warn("ingest", "samples were not taken", "reason=%s count=%llu first=%s", ingest_reason_name(reason),
             (unsigned long long)untold, buf_cstr(&quoted));
    buf_deinit(&quoted);
}

uint32_t ingest_limit_hits(struct ingest *ingest, struct ingest_limit_hit out[INGEST_LIMIT_HITS_MAX])
{
    struct refusals *r = &ingest->refusals;
    mutex_lock(&r->lock);
    uint32_t count = r->hit_count;
    memcpy(out, r->hits, count * sizeof *out);
    if (r->hits[INGEST_LIMIT_HITS_MAX - 1].others)
        out[count++] = r->hits[INGEST_LIMIT_HITS_MAX - 1];
    mutex_unlock(&r->lock);
    return count;
}
