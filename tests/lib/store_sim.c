/* store_sim.c - the contract is in store_sim.h. */
#include "lib/store_sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "regex/regex.h"

#define START_MS INT64_C(1700000000000)

struct store_sim *store_sim_new(uint64_t seed)
{
    struct store_sim *s = MEM_NEW(struct store_sim);
    if (!getenv("SIM_LOG"))
        log_setup(LOG_ERROR + 1, 0); /* broken disks are the point: no lines about them */
    s->sim = fs_sim_new();
    s->requests = mem_array(STORE_REQUESTS_MAX, sizeof *s->requests);
    clock_fake_init(&s->clock, START_MS);
    random_seeded_init(&s->random, seed);
    tsdb_options_default(&s->o);
    s->o.fs = fs_sim_fs(s->sim);
    s->o.clock = &s->clock.base;
    s->o.random = &s->random.base;
    s->o.dir = "data";
    s->o.retention_ms = 0;
    s->o.manual = true;
    s->o.cache_bytes = 1 << 20;
    s->o.reserve_bytes = 4096;
    s->o.head.exemplars_max = s->o.head.metadata_max = 64;
    s->o.wal.segment_bytes = 16384;
    return s;
}

void store_sim_free(struct store_sim *s)
{
    enum err ignored = store_sim_close(s, NULL);
    (void)ignored;
    if (!s->is_fork)
        fs_sim_free(s->sim);
    rw_body_deinit(&s->body);
    for (int i = 0; i < STORE_SERIES_MAX; i++)
        mem_free(s->series[i].list);
    mem_free(s->requests);
    mem_free(s);
}

enum err store_sim_open(struct store_sim *s, struct errmsg *why)
{
    TRY(tsdb_open(&s->o, &s->db, why));
    struct ingest_options o;
    ingest_options_default(&o);
    o.head = tsdb_head(s->db);
    o.wal = tsdb_wal(s->db);
    o.clock = s->o.clock;
    o.lanes = 2;
    o.retention_ms = s->o.retention_ms;
    o.deferring = s->o.defers;
    TRY(ingest_new(&o, &s->ingest, why));
    return s->o.defers ? ERR_OK : store_sim_catch_up(s, why);
}

enum err store_sim_catch_up(struct store_sim *s, struct errmsg *why)
{
    bool again = true;
    while (!ingest_catch_up(s->ingest, 1, &again))
        if (!again)
            return err_set(why, ERR_UNAVAILABLE, "the log refuses");
    tsdb_live(s->db);
    return ERR_OK;
}

enum err store_sim_close(struct store_sim *s, struct errmsg *why)
{
    ingest_free(s->ingest);
    struct tsdb *db = s->db;
    s->ingest = NULL;
    s->db = NULL;
    return tsdb_close(db, why);
}

void store_sim_kill(struct store_sim *s)
{
    if (!fs_sim_is_off(s->sim))
        fs_sim_power_off_at(s->sim, 1);
    enum err ignored = store_sim_close(s, NULL);
    (void)ignored;
}

/* ---- writing ---- */

static void on_done(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    (void)why;
    struct store_ticket *t = (struct store_ticket *)ticket;
    struct store_request *r = &t->store->requests[t->request];
    assert(!r->answered);
    r->answered = true;
    r->acked = err == ERR_OK;
}

static uint64_t value_bits(uint32_t series, int64_t time_ms, uint32_t request)
{
    switch (series % 5) {
    case 0:
        return f64_bits((double)(time_ms / 1000)); /* a counter */
    case 1:
        return f64_bits(7.0); /* a constant */
    case 2:
        return f64_bits((double)((series * 2654435761u + (uint64_t)time_ms) % 100) / 10);
    case 3:
        return request % 7 == 0 ? UINT64_C(0x7ff0000000000002) : f64_bits((double)request); /* stale markers */
    default:
        return ((uint64_t)time_ms * UINT64_C(0x9e3779b97f4a7c15)) ^ (uint64_t)series << 40 ^ request; /* any bits */
    }
}

/* A newer value for a time replaces the older one: which of them is found is the later one's business. */
static void model_add(struct store_series *series, struct store_sample sample)
{
    size_t at = series->count;
    while (at > 0 && series->list[at - 1].time_ms > sample.time_ms)
        at--;
    if (at > 0 && series->list[at - 1].time_ms == sample.time_ms) {
        series->list[at - 1] = sample;
        return;
    }
    series->list = mem_grow(series->list, &series->capacity, series->count + 1, sizeof *series->list);
    memmove(series->list + at + 1, series->list + at, (series->count - at) * sizeof *series->list);
    series->list[at] = sample;
    series->count++;
}

static void body_sample(struct store_sim *s, uint32_t series, int64_t time_ms, uint64_t bits)
{
    char labels[128];
    snprintf(labels, sizeof labels, "__name__=metric_%u|id=%u|instance=host-%u:9100", series / 8, series, series % 3);
    rw_series(&s->body, labels);
    rw_sample(&s->body, time_ms, f64_from_bits(bits));
}

bool store_sim_write(struct store_sim *s, uint32_t first, uint32_t count, int64_t time_ms)
{
    assert(s->request_count < STORE_REQUESTS_MAX && first + count <= STORE_SERIES_MAX);
    uint32_t n = s->request_count++;
    struct store_request *r = &s->requests[n];
    r->samples = count;
    r->ticket = (struct store_ticket){.ticket.done = on_done, .store = s, .request = n};
    mem_fail_pause(true);
    for (uint32_t i = first; i < first + count; i++)
        body_sample(s, i, time_ms, value_bits(i, time_ms, n));
    struct ingest_result result = {0};
    struct slice body = rw_finish(&s->body);
    mem_fail_pause(false);
    struct ingest_request request = {
        .encoding = INGEST_IDENTITY, .body = body, .stream = 1, .ticket = &r->ticket.ticket};
    bool waits = ingest_write(s->ingest, &request, &result);
    r->stored = result.err == ERR_OK;
    if (!r->stored)
        return false;
    assert(waits && result.samples == count);
    for (uint32_t i = first; i < first + count; i++)
        model_add(&s->series[i],
                  (struct store_sample){.time_ms = time_ms, .bits = value_bits(i, time_ms, n), .request = n});
    return true;
}

static void model_delete(struct store_sim *s, uint32_t series, int64_t mint_ms, int64_t maxt_ms, bool sure)
{
    for (size_t k = 0; k < s->series[series].count; k++) {
        struct store_sample *sample = &s->series[series].list[k];
        if (sample->time_ms >= mint_ms && sample->time_ms <= maxt_ms && sample->deleted != STORE_DELETED)
            sample->deleted = sure ? STORE_DELETED : STORE_MAYBE_DELETED;
    }
}

bool store_sim_delete(struct store_sim *s, uint32_t first, uint32_t count, int64_t mint_ms, int64_t maxt_ms)
{
    struct arena arena;
    struct buf pattern = {0};
    struct matcher m = {.op = MATCH_REGEX, .name = SLICE_LIT("id")};
    struct tsdb_selector selector = {&m, 1};
    mem_fail_pause(true);
    arena_init(&arena, NULL);
    for (uint32_t i = first; i < first + count; i++)
        buf_printf(&pattern, "%s%u", i > first ? "|" : "", i);
    m.value = buf_view(&pattern);
    enum err err = regex_compile(m.value, &arena, 0, &m.regex, NULL);
    assert(err == ERR_OK);
    mem_fail_pause(false);
    err = tsdb_delete(s->db, &(struct tsdb_delete){&selector, 1, mint_ms, maxt_ms}, NULL);
    for (uint32_t i = first; i < first + count; i++)
        model_delete(s, i, mint_ms, maxt_ms, err == ERR_OK);
    buf_deinit(&pattern);
    arena_deinit(&arena);
    return err == ERR_OK;
}

void store_sim_commit(struct store_sim *s)
{
    wal_commit_now(tsdb_wal(s->db));
}

/* ---- checking ---- */

static void fail(const char *context, const char *what, uint32_t series, int64_t time_ms)
{
    fprintf(stderr, "%s: %s: series %u time %lld\n", context, what, series, (long long)time_ms);
    abort();
}

static uint64_t check_series(struct store_sim *s, uint32_t id, const struct samples *found, const char *context)
{
    struct store_series *series = &s->series[id];
    size_t at = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        if (i > 0 && found->times_ms[i] <= found->times_ms[i - 1])
            fail(context, "times do not rise", id, found->times_ms[i]);
        while (at < series->count && series->list[at].time_ms < found->times_ms[i])
            at++;
        if (at == series->count || series->list[at].time_ms != found->times_ms[i])
            fail(context, "a sample that was never sent", id, found->times_ms[i]);
        if (f64_bits(found->values[i]) != series->list[at].bits)
            fail(context, "a sample with another value", id, found->times_ms[i]);
        series->list[at].seen = true;
        s->requests[series->list[at].request].seen++;
    }
    return found->count;
}

static uint32_t series_id(const struct labels *labels)
{
    struct slice id = labels_get(labels, slice_str("id"));
    uint32_t v = 0;
    assert(id.len > 0);
    for (size_t i = 0; i < id.len; i++)
        v = v * 10 + (uint32_t)(id.data[i] - '0');
    assert(v < STORE_SERIES_MAX);
    return v;
}

static uint64_t read_all(struct store_sim *s, struct querier *q, const char *context)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct warnings warnings = {0};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = true, .warnings = &warnings};
    struct series_set *set;
    struct errmsg why = {0};
    enum err err = q->ops->select(q, &sel, &arena, NULL, &set, &why);
    if (err != ERR_OK)
        fail(why.text, context, 0, 0);
    struct series_reader *reader = set->ops->reader(set);
    uint64_t found = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples samples;
        uint32_t series = series_id(&set->labels[i]);
        err = reader->ops->read(reader, i, INT64_MIN, INT64_MAX, &samples, &why);
        if (err != ERR_OK)
            fail(why.text, context, series, 0);
        found += check_series(s, series, &samples, context);
    }
    reader->ops->close(reader);
    s->warned = warnings.count > 0;
    arena_deinit(&arena);
    return found;
}

static int64_t oldest_ms(const struct store_sim *s)
{
    return s->o.retention_ms > 0 ? clock_now_ms(s->o.clock) - s->o.retention_ms : INT64_MIN;
}

static void check_model(struct store_sim *s, bool damaged, const char *context)
{
    int64_t oldest = oldest_ms(s);
    for (uint32_t i = 0; i < STORE_SERIES_MAX; i++)
        for (size_t k = 0; k < s->series[i].count; k++) {
            struct store_sample *sample = &s->series[i].list[k];
            struct store_request *r = &s->requests[sample->request];
            bool wanted = sample->time_ms >= oldest && !damaged && sample->deleted == STORE_KEPT;
            if (sample->seen && sample->deleted == STORE_DELETED)
                fail(context, "a deleted sample came back", i, sample->time_ms);
            if (sample->seen && sample->time_ms < oldest)
                fail(context, "a sample past retention", i, sample->time_ms);
            if (!sample->seen && r->acked && wanted)
                fail(context, "an acknowledged sample is lost", i, sample->time_ms);
            if (!sample->seen && r->seen > 0 && wanted)
                fail(context, "a request is there in part", i, sample->time_ms);
            sample->seen = false;
        }
    for (uint32_t n = 0; n < s->request_count; n++)
        s->requests[n].seen = 0;
}

static uint64_t check(struct store_sim *s, bool damaged, const char *context)
{
    struct querier *q;
    struct errmsg why = {0};
    struct storage *storage = tsdb_storage(s->db);
    enum err err = storage->ops->querier(storage, INT64_MIN, INT64_MAX, &q, &why);
    if (err != ERR_OK)
        fail(context, why.text, 0, 0);
    uint64_t found = read_all(s, q, context);
    q->ops->close(q);
    check_model(s, damaged, context);
    return found;
}

uint64_t store_sim_check(struct store_sim *s, const char *context)
{
    return check(s, false, context);
}

uint64_t store_sim_check_damaged(struct store_sim *s, const char *context)
{
    return check(s, true, context);
}

struct store_sim *store_sim_fork(const struct store_sim *s, const char *dir)
{
    struct store_sim *f = MEM_NEW(struct store_sim);
    f->sim = s->sim;
    f->is_fork = true;
    f->clock = s->clock;
    f->random = s->random;
    f->o = s->o;
    f->o.clock = &f->clock.base;
    f->o.random = &f->random.base;
    snprintf(f->dir, sizeof f->dir, "%s", dir);
    f->o.dir = f->dir;
    f->requests = mem_array(STORE_REQUESTS_MAX, sizeof *f->requests);
    memcpy(f->requests, s->requests, s->request_count * sizeof *f->requests);
    f->request_count = s->request_count;
    for (int i = 0; i < STORE_SERIES_MAX; i++) {
        const struct store_series *from = &s->series[i];
        struct store_series *to = &f->series[i];
        to->list = mem_array(from->count + 1, sizeof *to->list);
        to->count = from->count;
        to->capacity = from->count + 1;
        if (from->count)
            memcpy(to->list, from->list, from->count * sizeof *to->list);
    }
    return f;
}

void store_sim_forget(struct store_sim *s, uint32_t count)
{
    for (uint32_t i = 0; i < STORE_SERIES_MAX; i++) {
        size_t kept = 0;
        for (size_t k = 0; k < s->series[i].count; k++)
            if (s->series[i].list[k].request < count)
                s->series[i].list[kept++] = s->series[i].list[k];
        s->series[i].count = kept;
    }
    memset(s->requests + count, 0, (s->request_count - count) * sizeof *s->requests);
    s->request_count = count;
}
