/*
 * stress_head.c - writers, readers, sealing, cuts and checkpoints at once; a plain program for TSan.
 *
 * Every sample's value is a hash of its series and time, so any reader can tell whether what it sees was
 * ever written.  Writers replace their series every few rounds, so that series leave and come all the
 * time.  At the end, what the cuts took plus what is left must be exactly what was written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/random.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/rw_body.h"
#include "regex/regex.h"

enum { WRITERS = 3, READERS = 2, SERIES = 96, ROUNDS = 240, GENERATION = 40, STEP_MS = 1000, RANGE_MS = 20000 };
#define START_MS INT64_C(1700000000000)

struct stress {
    struct clock_fake clock;
    struct head *head;
    struct ingest *ingest;
    _Atomic int64_t round[WRITERS], cut_round;
    _Atomic bool stop;
    _Atomic uint64_t written, reads, cut_samples;
};

struct thread_arg {
    struct stress *s;
    unsigned number;
};

static uint64_t value_of(uint64_t series, int64_t time_ms)
{
    uint64_t x = (series * 0x9e3779b97f4a7c15u) ^ (uint64_t)time_ms * 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    /* Every third series is constant, the others have small numbers. */
    return f64_bits(series % 3 == 0 ? (double)series : (double)(x % 1000));
}

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "stress_head: %s\n", what);
        abort();
    }
}

static void *write_samples(void *arg)
{
    struct thread_arg *t = arg;
    struct stress *s = t->s;
    struct rw_body body = {0};
    struct ingest_result result;
    char labels[128];
    for (int64_t round = 0; round < ROUNDS; round++) {
        while (round > atomic_load(&s->cut_round) + 60) /* nobody runs away from the cuts */
            clock_system()->sleep_ns(clock_system(), 1000000);
        uint64_t generation = (uint64_t)round / GENERATION;
        int64_t time_ms = START_MS + round * STEP_MS + t->number;
        uint32_t sent = 0;
        for (uint64_t i = 0; i < SERIES; i++) {
            uint64_t id = (uint64_t)t->number * 1000000 + generation * 1000 + i;
            snprintf(labels, sizeof labels, "__name__=m%u|generation=%u|id=%llu", (unsigned)i % 5, (unsigned)generation,
                     (unsigned long long)id);
            rw_series(&body, labels);
            int64_t at = i % 17 == 3 && round % 7 == 5 ? time_ms - 5 * STEP_MS - 1 : time_ms; /* some late ones */
            if (round % GENERATION < 6 && at != time_ms)
                at = time_ms;
            rw_sample(&body, at, f64_from_bits(value_of(id, at)));
            sent++;
        }
        struct slice bytes = rw_finish_snappy(&body);
        struct ingest_request req = {.lane = t->number, .body = bytes, .stream = t->number + 1};
        ingest_write(s->ingest, &req, &result);
        must(result.err == ERR_OK && result.samples == sent, "a request was not taken");
        atomic_fetch_add(&s->written, sent);
        atomic_store(&s->round[t->number], round + 1);
    }
    rw_body_deinit(&body);
    return NULL;
}

static uint64_t id_of(const struct labels *labels)
{
    struct slice v = labels_get(labels, SLICE_LIT("id"));
    uint64_t id = 0;
    for (size_t i = 0; i < v.len; i++)
        id = id * 10 + (v.data[i] - '0');
    return id;
}

static uint64_t check_set(struct series_set *set, int64_t mint_ms, int64_t maxt_ms)
{
    struct samples got;
    struct errmsg why;
    uint64_t count = 0;
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        uint64_t id = id_of(&set->labels[i]);
        must(r->ops->read(r, i, mint_ms, maxt_ms, &got, &why) == ERR_OK, "read");
        for (uint32_t k = 0; k < got.count; k++) {
            must(got.times_ms[k] >= mint_ms && got.times_ms[k] <= maxt_ms, "time out of range");
            must(k == 0 || got.times_ms[k] > got.times_ms[k - 1], "times out of order");
            must(f64_bits(got.values[k]) == value_of(id, got.times_ms[k]), "a value that was never written");
        }
        count += got.count;
    }
    r->ops->close(r);
    return count;
}

static uint64_t query(struct stress *s, const struct matcher *m, int64_t mint_ms, int64_t maxt_ms)
{
    struct querier *q;
    struct series_set *set;
    struct errmsg why;
    struct arena arena;
    arena_init(&arena, NULL);
    must(head_querier(s->head, mint_ms, maxt_ms, &q, &why) == ERR_OK, "querier");
    struct selector sel = {
        .matchers = m, .matcher_count = m ? 1 : 0, .mint_ms = mint_ms, .maxt_ms = maxt_ms, .sorted = true};
    must(q->ops->select(q, &sel, &arena, NULL, &set, &why) == ERR_OK, "select");
    uint64_t count = check_set(set, mint_ms, maxt_ms);
    q->ops->close(q);
    arena_deinit(&arena);
    return count;
}

static bool count_name(void *ctx, struct slice name)
{
    must(name.len > 0, "an empty name");
    ++*(uint64_t *)ctx;
    return true;
}

static bool check_one(void *ctx, struct slice name)
{
    (void)ctx;
    must(name.len > 0 && name.data[0] == '1', "a value with another beginning");
    return true;
}

/* Values with a known beginning: their order is made and dropped while series come and leave. */
static void read_beginning(struct stress *s, const struct matcher *m)
{
    struct querier *q;
    struct series_set *set;
    struct errmsg why;
    struct arena arena;
    struct selector sel = {.matchers = m, .matcher_count = 1, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    arena_init(&arena, NULL);
    must(head_querier(s->head, INT64_MIN, INT64_MAX, &q, &why) == ERR_OK, "querier");
    must(q->ops->select(q, &sel, &arena, NULL, &set, &why) == ERR_OK, "select");
    for (uint32_t i = 0; i < set->count; i++)
        check_one(NULL, labels_get(&set->labels[i], SLICE_LIT("id")));
    must(q->ops->label_values(q, SLICE_LIT("id"), &sel, 0, NULL, check_one, NULL, &why) == ERR_OK, "values");
    q->ops->close(q);
    arena_deinit(&arena);
}

static void *read_samples(void *arg)
{
    struct thread_arg *t = arg;
    struct stress *s = t->s;
    struct random_seeded random;
    static const char *const names[] = {"m0", "m1", "m2", "m3", "m4"};
    struct arena arena;
    struct matcher ones = {.op = MATCH_REGEX, .name = SLICE_LIT("id"), .value = SLICE_LIT("1.*")};
    arena_init(&arena, NULL);
    must(regex_compile(ones.value, &arena, 0, &ones.regex, NULL) == ERR_OK, "pattern");
    random_seeded_init(&random, t->number + 1);
    while (!atomic_load(&s->stop)) {
        uint64_t r = random_u64(&random.base), names_seen = 0;
        read_beginning(s, &ones);
        struct matcher m = {.op = r % 2 ? MATCH_EQUAL : MATCH_NOT_EQUAL,
                            .name = SLICE_LIT("__name__"),
                            .value = slice_str(names[r % 5])};
        int64_t mint = START_MS + (int64_t)(r >> 8) % (ROUNDS * STEP_MS);
        query(s, r % 3 ? &m : NULL, mint, mint + 30000);
        struct querier *q;
        struct errmsg why;
        struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
        must(head_querier(s->head, INT64_MIN, INT64_MAX, &q, &why) == ERR_OK, "querier");
        must(q->ops->label_values(q, SLICE_LIT("id"), &sel, 0, NULL, count_name, &names_seen, &why) == ERR_OK,
             "values");
        must(q->ops->label_names(q, &sel, 0, NULL, count_name, &names_seen, &why) == ERR_OK, "names");
        q->ops->close(q);
        atomic_fetch_add(&s->reads, 1);
    }
    arena_deinit(&arena);
    return NULL;
}

static enum err drop_piece(void *ctx, struct slice records, struct errmsg *why)
{
    (void)why;
    *(uint64_t *)ctx += records.len;
    return ERR_OK;
}

/* A cut of everything before the slowest writer, as a flush does it. */
static void cut_once(struct stress *s, int64_t before_ms)
{
    struct head_cut *cut;
    struct series_set *set;
    struct errmsg why;
    int64_t mint, maxt;
    uint64_t count = 0, bytes = 0;
    head_cut_begin(s->head, before_ms, &cut);
    while (head_cut_window(cut, RANGE_MS, &mint, &maxt)) {
        head_cut_select(cut, mint, maxt, labels_cmp);
        for (;;) {
            must(head_cut_next(cut, &set, &why) == ERR_OK, "cut");
            if (!set)
                break;
            count += check_set(set, mint, maxt);
        }
    }
    must(head_cut_finish(cut, 5000, NULL) == ERR_OK, "finish");
    atomic_fetch_add(&s->cut_samples, count);
    must(head_checkpoint(s->head, drop_piece, &bytes, &why) == ERR_OK, "checkpoint");
    head_checkpoint_published(s->head, false);
}

static void *maintain(void *arg)
{
    struct thread_arg *t = arg;
    struct stress *s = t->s;
    int64_t done = 0;
    while (!atomic_load(&s->stop)) {
        int64_t slowest = ROUNDS;
        for (unsigned i = 0; i < WRITERS; i++) {
            int64_t round = atomic_load(&s->round[i]);
            slowest = round < slowest ? round : slowest;
        }
        head_maintain(s->head, NULL);
        if (slowest > done + 30) {
            done = slowest;
            cut_once(s, START_MS + (slowest - 10) * STEP_MS);
            atomic_store(&s->cut_round, slowest);
        }
    }
    return NULL;
}

int main(void)
{
    static struct stress s;
    struct head_options ho;
    struct ingest_options io;
    struct errmsg why;
    struct thread_arg args[WRITERS + READERS + 1];
    pthread_t threads[WRITERS + READERS + 1];
    clock_fake_init(&s.clock, START_MS + ROUNDS * STEP_MS);
    head_options_default(&ho);
    ho.seal_samples = 16;
    must(head_new(&ho, &s.head, &why) == ERR_OK, "head");
    ingest_options_default(&io);
    io.head = s.head;
    io.clock = &s.clock.base;
    io.lanes = WRITERS;
    must(ingest_new(&io, &s.ingest, &why) == ERR_OK, "ingest");
    for (unsigned i = 0; i < WRITERS + READERS + 1; i++) {
        args[i] = (struct thread_arg){&s, i};
        threads[i] = thread_start("stress",
                                  i < WRITERS             ? write_samples
                                  : i < WRITERS + READERS ? read_samples
                                                          : maintain,
                                  &args[i]);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&s.stop, true);
    for (unsigned i = WRITERS; i < WRITERS + READERS + 1; i++)
        pthread_join(threads[i], NULL);
    uint64_t left = query(&s, NULL, INT64_MIN, INT64_MAX);
    struct head_stats st;
    head_stats(s.head, &st);
    printf("stress_head: %llu samples written, %llu cut in %llu cuts, %llu left, %llu queries, %llu series removed\n",
           (unsigned long long)s.written, (unsigned long long)s.cut_samples, (unsigned long long)st.cuts,
           (unsigned long long)left, (unsigned long long)s.reads, (unsigned long long)st.series_removed);
    fflush(stdout);
    must(s.cut_samples + left == s.written, "samples are missing or doubled");
    must(st.cuts > 2 && st.series_removed > 0, "nothing was cut");
    ingest_free(s.ingest);
    head_free(s.head);
    return 0;
}
