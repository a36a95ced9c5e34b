/*
 * extras.c - exemplars and native histograms of a request.
 *
 *     Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
 *
 * They are parsed before anything is stored, as broken bytes refuse the whole request.  A histogram that
 * breaks a rule is rejected like a bad sample.  An exemplar that does (labels too long, older than the
 * newest one, of a series without samples) is dropped and counted, as Prometheus does it.
 */
#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

enum { EXEMPLAR_RUNES_MAX = 128 }; /* of all names and values together, as OpenMetrics says */

static bool exemplar_parse(struct lane *l, struct extra *e)
{
    struct slice message = slice_of(l->raw + e->message_at, e->message_len);
    const uint8_t *p = message.data, *end = p + message.len;
    uint64_t bits = 0, time = 0;
    uint32_t tag;
    size_t len;
    while (p < end) {
        if (!(p = wire_tag(p, end, &tag)))
            return false;
        if (tag == WIRE_TAG(1, WIRE_BYTES))
            p = (p = wire_len(p, end, &len)) ? p + len : NULL;
        else if (tag == WIRE_TAG(2, WIRE_FIXED64))
            p = wire_fixed64(p, end, &bits);
        else if (tag == WIRE_TAG(3, WIRE_VARINT))
            p = varint_get(p, end, &time);
        else
            p = tag >> 3 <= 3 ? NULL : wire_skip(p, end, tag);
        if (!p)
            return false;
    }
    e->value = f64_from_bits(bits);
    e->time_ms = (int64_t)time;
    size_t runes;
    if (!canonical_any(l, message, &e->labels, &e->usable, &runes))
        return false;
    e->usable = e->usable && runes <= EXEMPLAR_RUNES_MAX;
    return true;
}

enum err extras_parse(struct lane *l, struct errmsg *why)
{
    for (size_t i = 0; i < l->extra_count; i++) {
        struct extra *e = &l->extras[i];
        bool fine = e->kind == EXTRA_EXEMPLAR ? exemplar_parse(l, e) : histogram_parse(l, e);
        if (!fine)
            return err_set(why, ERR_INVALID, "protobuf: %s at byte %u is broken",
                           e->kind == EXTRA_EXEMPLAR ? "exemplar" : "histogram", e->message_at);
    }
    return ERR_OK;
}

static void extra_reject(struct lane *l, struct ingest_result *result, struct extra *e, enum ingest_reason reason)
{
    reject(l, result, reason, 1, e->at, e->label_len, e->kind == EXTRA_HISTOGRAM ? e->time_ms : INT64_MIN);
    e->rejected = true;
}

void extras_check(struct lane *l, struct ingest_result *result, int64_t oldest_ms, int64_t newest_ms)
{
    size_t from = 0;
    for (size_t i = 0; i < l->extra_count; i++) {
        struct extra *e = &l->extras[i];
        struct miss *m = e->ref ? NULL : miss_of(l, e->at, &from);
        e->miss = m;
        e->rejected = false;
        if (e->kind == EXTRA_EXEMPLAR) {
            if (!e->usable || (m && m->reason != INGEST_REASONS))
                extra_reject(l, result, e, INGEST_BAD_EXEMPLAR);
        } else if (m && m->reason != INGEST_REASONS) {
            drops_count(m);
            extra_reject(l, result, e, m->reason);
        } else if (e->time_ms < oldest_ms || e->time_ms > newest_ms) {
            extra_reject(l, result, e, e->time_ms < oldest_ms ? INGEST_TOO_OLD : INGEST_TOO_FAR_AHEAD);
        } else if (!e->hist) {
            extra_reject(l, result, e, INGEST_BAD_HISTOGRAM);
        }
    }
}

static void store_histogram(struct lane *l, struct extra *e, struct buf *records, struct ingest_result *result)
{
    series_ref ref = e->ref;
    if (!ref || !head_histogram_append(l->appender, ref, e->time_ms, e->hist, records)) {
        struct miss again = {0}, *m = e->miss ? e->miss : revive(l, e->at, &again);
        if (!m->made && make_series(l, m, e->time_ms, records) != ERR_OK) {
            extra_reject(l, result, e, limit_met(l));
            return;
        }
        m->made = true;
        ref = m->ref;
        bool there = head_histogram_append(l->appender, ref, e->time_ms, e->hist, records);
        assert(there); /* it was made a moment ago */
    }
    e->ref = ref;
    result->histograms++;
}

/*
 * The series of an exemplar; 0: it has none.  Senders put the exemplar into a message of its own after the one with
 * the sample, so what was unknown when the request was read may be there by now.
 */
static series_ref exemplar_home(struct lane *l, const struct extra *e)
{
    if (!e->miss || e->miss->ref)
        return e->miss ? e->miss->ref : e->ref;
    return e->miss->canonical.len ? head_lookup(l->appender, e->miss->canonical_hash) : 0;
}

void extras_store(struct lane *l, struct buf *records, struct ingest_result *result)
{
    for (size_t i = 0; i < l->extra_count; i++)
        if (l->extras[i].kind == EXTRA_HISTOGRAM && !l->extras[i].rejected)
            store_histogram(l, &l->extras[i], records, result);
    for (size_t i = 0; i < l->extra_count; i++) {
        struct extra *e = &l->extras[i];
        if (e->kind != EXTRA_EXEMPLAR || e->rejected)
            continue;
        series_ref ref = exemplar_home(l, e);
        if (ref && head_exemplar_append(l->appender, ref, e->time_ms, e->value, e->labels, records))
            result->exemplars++;
        else
            extra_reject(l, result, e, INGEST_BAD_EXEMPLAR);
    }
}
