/*
 * bench_micro.c - each hot path alone, on input that is the same in every run, with the roofline beside it.
 *
 *     build/release/bench_micro [part of a name]   ns/op, bytes/op, GB/s; instructions a cycle where the machine counts
 *     build/release/bench_micro --guard            each path a fixed number of times, for callgrind (guard.py)
 *
 * 2,000 series of ten labels as an exporter has them, 64 steps of 15 s.  An op is a sample, a series or a call.
 */
#include <linux/perf_event.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/crc32c.h"
#include "chunk/chunk.h"
#include "head/appender.h"
#include "head/head.h"
#include "ingest/ingest.h"
#include "net/http_head_internal.h"
#include "promql/promql.h"

enum { SERIES = 2000, STEPS = 64, INTERVAL_MS = 15000, WINDOW = 240, BULK = 1 << 20 };
#define START INT64_C(1700000000000)

struct rig {
    struct storage storage; /* first: the head as the engine sees it */
    struct clock_fake clock;
    struct random_seeded random;
    struct head *head;
    struct ingest *ingest;
    struct head_appender *appender;
    struct engine *engine;
    struct querier *querier;
    struct buf labels[SERIES]; /* canonical */
    struct hash128 hashes[SERIES];
    series_ref refs[SERIES];
    struct buf plain, bodies[STEPS];
    char *room; /* BULK bytes */
    uint8_t *bulk;
    double windows[4][WINDOW], decoded[WINDOW];
    struct buf chunks[4];
    uint32_t step; /* samples appended so far */
    uint64_t sink; /* keeps results alive */
};

/* ---- Input ---- */

static void put_field(struct buf *out, uint8_t tag, struct slice s)
{
    buf_u8(out, tag);
    buf_varint(out, s.len);
    buf_slice(out, s);
}

/* The value is a beginning and a number. */
static void put_label(struct buf *out, const char *name, const char *begin, uint32_t n, const char *end)
{
    struct buf pair = {0}, value = {0};
    buf_printf(&value, "%s%u%s", begin, n, end);
    put_field(&pair, 0x0a, slice_str(name));
    put_field(&pair, 0x12, buf_view(&value));
    put_field(out, 0x0a, buf_view(&pair));
    buf_deinit(&pair);
    buf_deinit(&value);
}

static void labels_make(struct buf *out, uint32_t i)
{
    put_label(out, "__name__", "service_requests_total_", i / 200, "");
    put_label(out, "cluster", "production-", 1, "");
    put_label(out, "container", "container-", i % 7, "");
    put_label(out, "handler", "/api/v1/things/", i % 10, "");
    put_label(out, "instance", "10.0.", i / 100, ".7:9090");
    put_label(out, "job", "job-", i / 400, "");
    put_label(out, "mode", "mode-", i % 8, "");
    put_label(out, "namespace", "namespace-", i / 500, "");
    put_label(out, "pod", "service-7d9f8b6c5d-", i % 200, "");
    put_label(out, "zone", "europe-west1-", i % 3, "");
    buf_le64(out, 0);
    buf_le64(out, 0);
    out->len -= SERIES_HASH_SLACK;
}

/* Two in three stay as they are, the rest count. */
static double value_at(uint32_t series, uint32_t step)
{
    return series % 3 ? series : (double)series * 10 + step * (series % 13);
}

static void body_make(struct rig *r, uint32_t step, struct buf *out)
{
    buf_reset(&r->plain);
    for (uint32_t i = 0; i < SERIES; i++) {
        struct buf sample = {0}, one = {0};
        buf_u8(&sample, 0x09);
        buf_le64(&sample, f64_bits(value_at(i, step)));
        buf_u8(&sample, 0x10);
        buf_varint(&sample, (uint64_t)(START + (int64_t)step * INTERVAL_MS));
        buf_slice(&one, buf_view(&r->labels[i]));
        put_field(&one, 0x12, buf_view(&sample));
        put_field(&r->plain, 0x0a, buf_view(&one));
        buf_deinit(&sample);
        buf_deinit(&one);
    }
    size_t len = snappy_max_compressed_length(r->plain.len);
    snappy_compress((const char *)r->plain.data, r->plain.len, (char *)buf_reserve(out, len), &len);
    out->len = len;
}

static enum err rig_querier(struct storage *s, int64_t mint_ms, int64_t maxt_ms, struct querier **out,
                            struct errmsg *why)
{
    return head_querier(((struct rig *)s)->head, mint_ms, maxt_ms, out, why);
}

static void must(enum err err, const char *what)
{
    if (err == ERR_OK)
        return;
    fprintf(stderr, "bench_micro: %s: error %d\n", what, (int)err);
    exit(1);
}

static void send(struct rig *r, uint32_t step)
{
    struct ingest_result result;
    struct ingest_request request = {.body = buf_view(&r->bodies[step]), .stream = 1};
    clock_fake_advance(&r->clock, INTERVAL_MS);
    ingest_write(r->ingest, &request, &result);
    must(result.samples == SERIES ? ERR_OK : ERR_INVALID, "write");
    r->step = step + 1;
}

static void windows_make(struct rig *r)
{
    for (uint32_t k = 0; k < WINDOW; k++) {
        uint64_t x = random_u64(&r->random.base);
        r->windows[0][k] = k * 17.0 + (double)(x % 5);
        r->windows[1][k] = (double)(x % 100000) / 100;
        r->windows[2][k] = 42;
        r->windows[3][k] = (double)(x >> 11) * 0x1p-53;
    }
    for (int i = 0; i < 4; i++) {
        struct chunk_hint hint = {0};
        chunk_encode_values(r->windows[i], WINDOW, &hint, &r->chunks[i]);
    }
}

static struct rig *rig_new(void)
{
    static const struct storage_ops storage_ops = {rig_querier};
    struct rig *r = MEM_NEW(struct rig);
    struct head_options ho;
    struct ingest_options io;
    struct engine_options eo;
    r->storage.ops = &storage_ops;
    random_seeded_init(&r->random, 1);
    clock_fake_init(&r->clock, START);
    head_options_default(&ho);
    ho.random = &r->random.base;
    must(head_new(&ho, &r->head, NULL), "head");
    ingest_options_default(&io);
    io.head = r->head;
    io.clock = &r->clock.base;
    must(ingest_new(&io, &r->ingest, NULL), "ingest");
    engine_options_default(&eo);
    eo.storage = &r->storage;
    r->engine = engine_new(&eo);
    r->room = mem_alloc(BULK);
    r->bulk = mem_zalloc(BULK);
    for (uint32_t i = 0; i < SERIES; i++)
        labels_make(&r->labels[i], i);
    for (uint32_t step = 0; step < STEPS; step++)
        body_make(r, step, &r->bodies[step]);
    for (uint32_t step = 0; step < STEPS / 2; step++)
        send(r, step);
    r->appender = head_appender_new(r->head);
    head_appender_enter(r->appender, 1);
    for (uint32_t i = 0; i < SERIES; i++) {
        r->hashes[i] = series_hash(head_hash_key(r->head), r->labels[i].data, r->labels[i].len);
        r->refs[i] = head_lookup(r->appender, r->hashes[i]);
    }
    must(head_querier(r->head, INT64_MIN, INT64_MAX, &r->querier, NULL), "querier");
    windows_make(r);
    return r;
}

/* ---- Paths: each does so many ops and says how many bytes went in ---- */

static uint64_t do_memcpy(struct rig *r, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++) {
        memcpy(r->room, r->bulk, BULK);
        r->sink += (uint8_t)r->room[i];
    }
    return (uint64_t)ops * BULK;
}

static uint64_t do_crc32c(struct rig *r, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++)
        r->sink += crc32c(i, r->bulk, BULK);
    return (uint64_t)ops * BULK;
}

static uint64_t do_snappy(struct rig *r, uint32_t ops)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ops; i += SERIES) {
        size_t len = BULK;
        const struct buf *body = &r->bodies[i / SERIES % STEPS];
        if (snappy_uncompress((const char *)body->data, body->len, r->room, &len) == SNAPPY_OK)
            bytes += len;
    }
    return bytes;
}

static uint64_t do_hash(struct rig *r, uint32_t ops)
{
    uint64_t bytes = 0;
    const struct series_hash_key *key = head_hash_key(r->head);
    for (uint32_t i = 0; i < ops; i++) {
        const struct buf *l = &r->labels[i % SERIES];
        r->sink += series_hash(key, l->data, l->len).lo;
        bytes += l->len;
    }
    return bytes;
}

static uint64_t do_lookup(struct rig *r, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++)
        r->sink += head_lookup(r->appender, r->hashes[i * 7 % SERIES]);
    return (uint64_t)ops * sizeof r->hashes[0];
}

/* With the records of the log. */
static uint64_t do_append(struct rig *r, uint32_t ops)
{
    static struct head_row rows[SERIES];
    struct buf records = {0};
    for (uint32_t done = 0; done < ops; done += SERIES) {
        for (uint32_t i = 0; i < SERIES; i++)
            rows[i] = (struct head_row){.ref = r->refs[i],
                                        .time_ms = START + (int64_t)r->step * INTERVAL_MS,
                                        .bits = f64_bits(value_at(i, r->step))};
        r->sink += head_append(r->appender, rows, SERIES, &records);
        buf_reset(&records);
        r->step++;
    }
    buf_deinit(&records);
    return (uint64_t)ops * 16;
}

static uint64_t do_write(struct rig *r, uint32_t ops)
{
    uint64_t bytes = 0;
    for (uint32_t done = 0; done < ops; done += SERIES) {
        uint32_t step = r->step;
        struct buf *body = &r->bodies[step % STEPS];
        bytes += body->len;
        if (step >= STEPS)
            break;
        send(r, step);
    }
    return bytes;
}

static uint64_t encode(struct rig *r, uint32_t ops, int which)
{
    struct buf out = {0};
    struct chunk_hint hint = {0};
    for (uint32_t done = 0; done < ops; done += WINDOW) {
        buf_reset(&out);
        r->sink += chunk_encode_values(r->windows[which], WINDOW, &hint, &out);
    }
    buf_deinit(&out);
    return (uint64_t)ops * sizeof(double);
}

static uint64_t decode(struct rig *r, uint32_t ops, int which)
{
    for (uint32_t done = 0; done < ops; done += WINDOW)
        r->sink += chunk_decode_values(buf_view(&r->chunks[which]), WINDOW, r->decoded) == ERR_OK;
    return (uint64_t)ops * sizeof(double);
}

#define CODEC(name, which)                                                                                             \
    static uint64_t do_encode_##name(struct rig *r, uint32_t ops)                                                      \
    {                                                                                                                  \
        return encode(r, ops, which);                                                                                  \
    }                                                                                                                  \
    static uint64_t do_decode_##name(struct rig *r, uint32_t ops)                                                      \
    {                                                                                                                  \
        return decode(r, ops, which);                                                                                  \
    }
CODEC(counter, 0)
CODEC(decimal, 1)
CODEC(constant, 2)
CODEC(noise, 3)

/* Two lists of postings intersected, labels in order. */
static uint64_t do_select(struct rig *r, uint32_t ops)
{
    struct matcher m[2] = {{.op = MATCH_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("job-2")},
                           {.op = MATCH_EQUAL, .name = SLICE_LIT("mode"), .value = SLICE_LIT("mode-3")}};
    struct selector sel = {
        .matchers = m, .matcher_count = 2, .mint_ms = START, .maxt_ms = INT64_MAX - 1, .sorted = true};
    for (uint32_t i = 0; i < ops; i++) {
        struct arena arena;
        struct series_set *set;
        arena_init(&arena, NULL);
        must(r->querier->ops->select(r->querier, &sel, &arena, NULL, &set, NULL), "select");
        r->sink += set->count;
        arena_deinit(&arena);
    }
    return 0;
}

static uint64_t query(struct rig *r, uint32_t ops, const char *text, int64_t step_ms)
{
    int64_t end = START + (STEPS / 2 - 1) * INTERVAL_MS;
    struct exec_params p = {.start_ms = step_ms ? end - 20 * INTERVAL_MS : end, .end_ms = end, .step_ms = step_ms};
    for (uint32_t i = 0; i < ops; i++) {
        struct query *q;
        struct result *result;
        must(promql_parse(r->engine, slice_str(text), &q, NULL), text);
        must(promql_exec(r->engine, q, &p, NULL, &result, NULL), text);
        r->sink += result->series_count;
        promql_result_free(result);
        promql_query_free(q);
    }
    return 0;
}

static uint64_t do_rate(struct rig *r, uint32_t ops)
{
    return query(r, ops, "rate(service_requests_total_1[5m])", INTERVAL_MS);
}

static uint64_t do_sum_by(struct rig *r, uint32_t ops)
{
    return query(r, ops, "sum by (mode) ({job=\"job-1\"})", INTERVAL_MS);
}

static uint64_t do_count_by(struct rig *r, uint32_t ops)
{
    return query(r, ops, "count by (zone) ({__name__=~\".+\"})", 0);
}

static uint64_t do_parse(struct rig *r, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++) {
        struct query *q;
        must(promql_parse(r->engine,
                          SLICE_LIT("histogram_quantile(0.99, sum by (le, job) (rate(x_bucket{a=~\"b|c\"}[5m])))"), &q,
                          NULL),
             "parse");
        promql_query_free(q);
    }
    return 0;
}

static uint64_t do_json(struct rig *r, uint32_t ops)
{
    struct buf out = {0};
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ops; i++) {
        json_float(&out, (double)(i % 1000) * 0.37 + r->windows[1][i % WINDOW]);
        bytes += out.len;
        buf_reset(&out);
    }
    buf_deinit(&out);
    return bytes;
}

static uint64_t do_http(struct rig *r, uint32_t ops)
{
    static const char head[] =
        "POST /api/v1/write HTTP/1.1\r\nHost: localhost:8428\r\nUser-Agent: Prometheus/3.15.0\r\n"
        "Content-Length: 46000\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
        "X-Prometheus-Remote-Write-Version: 0.1.0\r\n\r\n";
    struct http_reject why;
    struct http_head h;
    for (uint32_t i = 0; i < ops; i++) {
        struct http_head_scan scan = {0};
        struct arena arena;
        arena_init(&arena, NULL);
        r->sink += http_head_scan(&scan, SLICE_LIT(head), 32768, &why);
        r->sink += http_head_parse(arena_copy(&arena, SLICE_LIT(head)), &arena, &h, &why);
        arena_deinit(&arena);
    }
    return (uint64_t)ops * (sizeof head - 1);
}

static const struct path {
    const char *name;
    uint64_t (*run)(struct rig *r, uint32_t ops);
    uint32_t ops;  /* of a measurement */
    uint32_t once; /* for callgrind */
    bool roofline;
} paths[] = {
    {"memcpy 1 MiB", do_memcpy, 2000, 0, true},
    {"crc32c 1 MiB", do_crc32c, 1000, 4, true},
    {"snappy decode", do_snappy, SERIES * 500, SERIES * 4, false},
    {"label hash", do_hash, 2000000, 20000, false},
    {"series lookup", do_lookup, 2000000, 20000, false},
    {"chunk encode counter", do_encode_counter, WINDOW * 2000, WINDOW * 40, false},
    {"chunk encode decimal", do_encode_decimal, WINDOW * 2000, WINDOW * 40, false},
    {"chunk encode constant", do_encode_constant, WINDOW * 2000, WINDOW * 40, false},
    {"chunk encode noise", do_encode_noise, WINDOW * 500, WINDOW * 40, false},
    {"chunk decode counter", do_decode_counter, WINDOW * 20000, WINDOW * 100, false},
    {"chunk decode decimal", do_decode_decimal, WINDOW * 20000, WINDOW * 100, false},
    {"chunk decode constant", do_decode_constant, WINDOW * 20000, WINDOW * 100, false},
    {"chunk decode noise", do_decode_noise, WINDOW * 20000, WINDOW * 100, false},
    {"select by two postings", do_select, 5000, 20, false},
    {"rate, 200 series, 21 steps", do_rate, 500, 3, false},
    {"sum by, 400 series, 21 steps", do_sum_by, 500, 3, false},
    {"count by, 2,000 series, instant", do_count_by, 2000, 10, false},
    {"parse an expression", do_parse, 50000, 200, false},
    {"JSON number", do_json, 1000000, 10000, false},
    {"HTTP head", do_http, 300000, 1000, false},
    /* Last: they change what the others read. */
    {"remote write, known series", do_write, SERIES * 8, SERIES * 8, false},
    {"append with log record", do_append, SERIES * 500, SERIES * 8, false},
};
enum { PATHS = sizeof paths / sizeof paths[0] };

/* What callgrind looks at, one call a path. */
__attribute__((noinline, noclone)) uint64_t micro_measured(const struct path *p, struct rig *r, uint32_t ops);
uint64_t micro_measured(const struct path *p, struct rig *r, uint32_t ops)
{
    return p->run(r, ops);
}

/* ---- Measuring ---- */

static int counter_open(uint64_t config)
{
    struct perf_event_attr a = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof a, .config = config, .exclude_kernel = 1, .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static uint64_t counter_read(int fd)
{
    uint64_t n = 0;
    return fd >= 0 && read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void measure(const struct path *p, struct rig *r, int cycles, int instructions)
{
    double best = 1e9, ipc = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t c = counter_read(cycles), n = counter_read(instructions);
        double start = cpu_s();
        uint64_t done = micro_measured(p, r, p->ops);
        double took = cpu_s() - start;
        c = counter_read(cycles) - c;
        if (took < best && (i == 0 || done)) {
            best = took;
            bytes = done;
            ipc = c ? (double)(counter_read(instructions) - n) / (double)c : 0;
        }
        if (p->run == do_write) /* there are only so many bodies */
            break;
    }
    printf("%-34s %10.1f ns/op %9.1f bytes/op", p->name, best * 1e9 / p->ops, (double)bytes / p->ops);
    printf(bytes ? " %7.2f GB/s" : "             ", (double)bytes / best / 1e9);
    if (ipc > 0)
        printf("  %.2f IPC", ipc);
    puts(p->roofline ? "  (roofline)" : "");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bool guard = argc > 1 && strcmp(argv[1], "--guard") == 0;
    struct rig *r = rig_new();
    int cycles = counter_open(PERF_COUNT_HW_CPU_CYCLES), instructions = counter_open(PERF_COUNT_HW_INSTRUCTIONS);
    for (size_t i = 0; i < PATHS; i++) {
        const struct path *p = &paths[i];
        if (guard && p->once) {
            p->run(r, p->run == do_write ? SERIES : p->once); /* tables are made, memory is there */
            micro_measured(p, r, p->once);
            printf("%s\t%u\n", p->name, p->once);
        } else if (!guard && (argc < 2 || strstr(p->name, argv[1]))) {
            measure(p, r, cycles, instructions);
        }
    }
    if (!guard && cycles < 0)
        puts("(no IPC: this machine lets nobody count cycles)");
    return (int)(r->sink & 0);
}
