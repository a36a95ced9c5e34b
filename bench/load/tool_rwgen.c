/*
 * tool_rwgen.c - makes a file of remote-write 1.0 bodies as a Prometheus sends them.
 *
 * usage: tool_rwgen CORPUS OUT replicas steps per_request start_ms step_ms [order [first_step]]
 *
 * CORPUS is a file of real series (bench/README.md has the format), or "synthetic:N" for N made-up series of the
 * kinds that node_exporter and instrumented programs have.  Each replica gets the label replica_host="host-<r>" and the
 * corpus' values shifted by 37 samples, so that replicas differ.  Order of the series in a step:
 *   learned   (default) runs of 64 series stay together and are shuffled once: senders keep the order of a scrape
 *   foreign   each series anywhere, but in every step the same
 *   random    another order in each step
 * and these, which are in the order `learned`:
 *   churn     in each step all series are new: the replicas have other names
 *   unique    each series has one more label, request_id, with a value that no other has
 *   real      the corpus' own times, moved so that the first is start_ms, and all of them; a sample that comes more
 * than half a second too early for step_ms is left out, so 15000 makes a scrape every 15 s of one every second
 * first_step: goes on where a file of so many steps ended.  OUT: repeated u32 bytes, u32 samples, snappy body.
 */
#include <math.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"

enum { RUN = 64 };

struct source {
    struct buf labels; /* name '\0' value '\0' ..., sorted by name */
    uint32_t count;
    int64_t *times; /* only `real` needs them; synthetic ones have none */
    double *values;
};

struct corpus {
    struct source *list;
    uint32_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "tool_rwgen: %s\n", what);
    exit(1);
}

static void must_read(void *out, size_t bytes, FILE *f)
{
    if (fread(out, 1, bytes, f) != bytes)
        die("the corpus is cut off");
}

static struct corpus corpus_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    char magic[4];
    struct corpus c = {0};
    if (!f)
        die("cannot open the corpus");
    must_read(magic, 4, f);
    if (memcmp(magic, "TSC1", 4) != 0)
        die("not a corpus file (decompress it first)");
    must_read(&c.count, 4, f);
    c.list = mem_array(c.count, sizeof *c.list);
    for (uint32_t i = 0; i < c.count; i++) {
        struct source *s = &c.list[i];
        uint32_t len;
        must_read(&len, 4, f);
        must_read(buf_reserve(&s->labels, len), len, f);
        s->labels.len = len;
        must_read(&s->count, 4, f);
        s->times = mem_array(s->count, sizeof *s->times);
        must_read(s->times, s->count * sizeof *s->times, f);
        s->values = mem_array(s->count, sizeof(double));
        must_read(s->values, s->count * sizeof(double), f);
    }
    fclose(f);
    return c;
}

/* A metric of the synthetic corpus: up to two labels, each with so many values. */
static const struct shape {
    const char *name, *job, *label, *label2;
    uint32_t values, values2;
    char kind; /* c counter, g gauge, k constant, b buckets: le is the second label */
} shapes[] = {
    {"up", "node", NULL, NULL, 1, 1, 'k'},
    {"node_cpu_seconds_total", "node", "cpu", "mode", 4, 8, 'c'},
    {"node_load1", "node", NULL, NULL, 1, 1, 'g'},
    {"node_memory_MemTotal_bytes", "node", NULL, NULL, 1, 1, 'k'},
    {"node_memory_MemAvailable_bytes", "node", NULL, NULL, 1, 1, 'g'},
    {"node_memory_MemFree_bytes", "node", NULL, NULL, 1, 1, 'g'},
    {"node_memory_Cached_bytes", "node", NULL, NULL, 1, 1, 'g'},
    {"node_memory_Buffers_bytes", "node", NULL, NULL, 1, 1, 'g'},
    {"node_filesystem_size_bytes", "node", "device", "mountpoint", 3, 1, 'k'},
    {"node_filesystem_avail_bytes", "node", "device", "mountpoint", 3, 1, 'g'},
    {"node_disk_read_bytes_total", "node", "device", NULL, 3, 1, 'c'},
    {"node_disk_written_bytes_total", "node", "device", NULL, 3, 1, 'c'},
    {"node_disk_io_time_seconds_total", "node", "device", NULL, 3, 1, 'c'},
    {"node_network_receive_bytes_total", "node", "device", NULL, 4, 1, 'c'},
    {"node_network_transmit_bytes_total", "node", "device", NULL, 4, 1, 'c'},
    {"node_scrape_collector_success", "node", "collector", NULL, 46, 1, 'k'},
    {"node_scrape_collector_duration_seconds", "node", "collector", NULL, 46, 1, 'g'},
    {"scrape_samples_scraped", "node", NULL, NULL, 1, 1, 'k'},
    {"process_cpu_seconds_total", "prometheus", NULL, NULL, 1, 1, 'c'},
    {"process_resident_memory_bytes", "prometheus", NULL, NULL, 1, 1, 'g'},
    {"go_goroutines", "prometheus", NULL, NULL, 1, 1, 'g'},
    {"prometheus_http_requests_total", "prometheus", "handler", "code", 12, 2, 'c'},
    {"prometheus_http_request_duration_seconds_bucket", "prometheus", "handler", "le", 6, 10, 'b'},
    {"prometheus_http_request_duration_seconds_count", "prometheus", "handler", NULL, 6, 1, 'c'},
    {"prometheus_http_request_duration_seconds_sum", "prometheus", "handler", NULL, 6, 1, 'c'},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0], VALUES = 512 };

static const char *label_text(const char *label, uint32_t i, char *out, size_t room)
{
    static const char *const modes[] = {"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"};
    static const char *const bounds[] = {"+Inf", "0.1", "0.2", "0.4", "1", "120", "20", "3", "60", "8"};
    if (strcmp(label, "mode") == 0)
        return modes[i % 8];
    if (strcmp(label, "le") == 0)
        return bounds[i % 10];
    snprintf(out, room, strcmp(label, "cpu") == 0 ? "%u" : "value-%u", i);
    return out;
}

static void values_make(struct source *s, char kind, struct random *r)
{
    double v = (double)(random_u64(r) % 100000);
    s->count = VALUES;
    s->values = mem_array(s->count, sizeof(double));
    for (uint32_t k = 0; k < s->count; k++) {
        if (kind == 'c' || kind == 'b')
            v += (double)(random_u64(r) % 50);
        else if (kind == 'g')
            v = floor((double)(random_u64(r) % 100000)) / 100;
        s->values[k] = v;
    }
}

static void put_text(struct source *s, const char *name, const char *value)
{
    buf_append(&s->labels, name, strlen(name) + 1);
    buf_append(&s->labels, value, strlen(value) + 1);
}

/* Label names of the shapes sort around instance and job. */
static void shape_labels(struct source *s, const struct shape *m, uint32_t at, uint32_t round)
{
    char a[32], b[32], name[96];
    const char *first = m->label ? label_text(m->label, at / m->values2, a, sizeof a) : "";
    const char *second = m->label2 ? label_text(m->label2, at % m->values2, b, sizeof b) : "";
    if (round)
        snprintf(name, sizeof name, "copy%u_%s", round, m->name);
    put_text(s, "__name__", round ? name : m->name);
    if (m->label2 && strcmp(m->label2, "code") == 0)
        put_text(s, m->label2, second);
    if (m->label)
        put_text(s, m->label, first);
    put_text(s, "instance", strcmp(m->job, "node") == 0 ? "10.0.0.1:9100" : "10.0.0.1:9090");
    put_text(s, "job", m->job);
    if (m->label2 && strcmp(m->label2, "code") != 0)
        put_text(s, m->label2, second);
}

/* Goes through the shapes until there are enough; later rounds have names of their own. */
static struct corpus corpus_make(uint32_t count)
{
    struct corpus c = {mem_array(count, sizeof(struct source)), 0};
    struct random_seeded r;
    random_seeded_init(&r, 1);
    for (uint32_t round = 0; c.count < count; round++)
        for (size_t i = 0; i < SHAPES; i++)
            for (uint32_t at = 0; at < shapes[i].values * shapes[i].values2 && c.count < count; at++) {
                struct source *s = &c.list[c.count++];
                shape_labels(s, &shapes[i], at, round);
                values_make(s, shapes[i].kind, &r.base);
            }
    return c;
}

static void put_bytes(struct buf *b, uint8_t tag, const char *data, size_t len)
{
    buf_u8(b, tag);
    buf_varint(b, len);
    buf_append(b, data, len);
}

static void put_label(struct buf *out, const char *name, const char *value)
{
    struct buf one = {0};
    put_bytes(&one, 10, name, strlen(name));
    put_bytes(&one, 18, value, strlen(value));
    put_bytes(out, 10, (const char *)one.data, one.len);
    buf_deinit(&one);
}

static void put_own(struct buf *out, const char *host, const char *id)
{
    put_label(out, "replica_host", host);
    if (id[0])
        put_label(out, "request_id", id);
}

/* The Label messages of a series with replica_host, and request_id unless it is empty, merged in their place. */
static void labels_encode(const struct source *s, uint32_t replica, const char *id, struct buf *out)
{
    char host[32];
    snprintf(host, sizeof host, "host-%u", replica);
    bool done = false;
    buf_reset(out);
    for (size_t at = 0; at < s->labels.len;) {
        const char *name = (const char *)s->labels.data + at, *value = name + strlen(name) + 1;
        if (!done && strcmp(name, "replica_host") > 0) {
            put_own(out, host, id);
            done = true;
        }
        put_label(out, name, value);
        at += strlen(name) + strlen(value) + 2;
    }
    if (!done)
        put_own(out, host, id);
}

static void put_series(struct buf *body, const struct buf *labels, double value, int64_t t_ms)
{
    struct buf sample = {0};
    buf_u8(&sample, 9);
    buf_append(&sample, &value, sizeof value);
    buf_u8(&sample, 16);
    buf_varint(&sample, (uint64_t)t_ms);
    struct buf series = {0};
    buf_slice(&series, buf_view(labels));
    put_bytes(&series, 18, (const char *)sample.data, sample.len);
    put_bytes(body, 10, (const char *)series.data, series.len);
    buf_deinit(&series);
    buf_deinit(&sample);
}

enum order { ORDER_LEARNED, ORDER_FOREIGN, ORDER_RANDOM, ORDER_CHURN, ORDER_UNIQUE, ORDER_REAL, ORDERS };

/* Shuffles runs of so many series. */
static void order_fill(size_t *order, size_t series, size_t run_length, struct random *random)
{
    size_t runs = (series + run_length - 1) / run_length, *run = mem_array(runs, sizeof *run), n = 0;
    for (size_t i = 0; i < runs; i++)
        run[i] = i;
    for (size_t i = runs - 1; i > 0; i--) {
        size_t j = random_u64(random) % (i + 1), t = run[i];
        run[i] = run[j];
        run[j] = t;
    }
    for (size_t i = 0; i < runs; i++)
        for (size_t j = run[i] * run_length; j < (run[i] + 1) * run_length && j < series; j++)
            order[n++] = j;
    mem_free(run);
}

static enum order order_named(const char *name)
{
    static const char *const names[ORDERS] = {"learned", "foreign", "random", "churn", "unique", "real"};
    for (int i = 0; i < ORDERS; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum order)i;
    die("order is learned, foreign, random, churn, unique or real");
    return ORDER_LEARNED;
}

/* What is being made. */
struct job {
    struct corpus corpus;
    enum order kind;
    uint32_t replicas, steps, first_step, per_request;
    int64_t start_ms, step_ms;
    FILE *out;
    size_t series, *order;
    struct buf *labels; /* by series */
    struct random_seeded random;
    struct buf body, packed;
    uint32_t in_body;
    uint64_t samples, raw, sent;
};

static void body_flush(struct job *j)
{
    if (j->in_body == 0)
        return;
    size_t len = snappy_max_compressed_length(j->body.len);
    buf_reset(&j->packed);
    char *to = (char *)buf_reserve(&j->packed, len);
    if (snappy_compress((const char *)j->body.data, j->body.len, to, &len) != SNAPPY_OK)
        die("snappy");
    uint32_t head[2] = {(uint32_t)len, j->in_body};
    if (fwrite(head, sizeof head, 1, j->out) != 1 || fwrite(to, len, 1, j->out) != 1)
        die("disk full?");
    j->samples += j->in_body;
    j->raw += j->body.len;
    j->sent += len;
    j->in_body = 0;
    buf_reset(&j->body);
}

static void add_sample(struct job *j, size_t series, double value, int64_t t_ms)
{
    put_series(&j->body, &j->labels[series], value, t_ms);
    if (++j->in_body == j->per_request)
        body_flush(j);
}

static void make_labels(struct job *j, uint32_t step)
{
    for (size_t i = 0; i < j->series; i++) {
        char id[40] = "";
        if (j->kind == ORDER_UNIQUE)
            snprintf(id, sizeof id, "%016llx", (unsigned long long)(i * UINT64_C(0x9E3779B97F4A7C15)));
        uint32_t shift = j->kind == ORDER_CHURN ? (step + 1) * j->replicas : 0;
        labels_encode(&j->corpus.list[i % j->corpus.count], shift + (uint32_t)(i / j->corpus.count), id, &j->labels[i]);
    }
}

static void make_step(struct job *j, uint32_t t)
{
    if (j->kind == ORDER_RANDOM)
        order_fill(j->order, j->series, 1, &j->random.base);
    if (j->kind == ORDER_CHURN)
        make_labels(j, t);
    for (size_t i = 0; i < j->series; i++) {
        const struct source *s = &j->corpus.list[j->order[i] % j->corpus.count];
        size_t shift = t + 37 * (j->order[i] / j->corpus.count);
        add_sample(j, j->order[i], s->count ? s->values[shift % s->count] : 0, j->start_ms + j->step_ms * t);
    }
    body_flush(j);
}

/* Real times: in rounds of step_ms, in each the series that have a sample in it. */
static void make_real(struct job *j)
{
    enum { JITTER_MS = 500 };
    uint32_t *at = mem_array(j->series, sizeof *at);
    int64_t *taken = mem_array(j->series, sizeof *taken), first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < j->series; i++) {
        const struct source *s = &j->corpus.list[i % j->corpus.count];
        if (s->count && !s->times)
            die("only a corpus file has times of its own");
        at[i] = 0;
        taken[i] = INT64_MIN / 2;
        first = s->count && s->times[0] < first ? s->times[0] : first;
        last = s->count && s->times[s->count - 1] > last ? s->times[s->count - 1] : last;
    }
    for (int64_t end = first + j->step_ms; end <= last + j->step_ms; end += j->step_ms) {
        for (size_t k = 0; k < j->series; k++) {
            size_t i = j->order[k];
            const struct source *s = &j->corpus.list[i % j->corpus.count];
            for (; at[i] < s->count && s->times[at[i]] < end; at[i]++) {
                if (s->times[at[i]] - taken[i] < j->step_ms - JITTER_MS)
                    continue;
                taken[i] = s->times[at[i]];
                add_sample(j, i, s->values[at[i]], taken[i] - first + j->start_ms);
            }
        }
        body_flush(j);
    }
    mem_free(at);
    mem_free(taken);
}

int main(int argc, char **argv)
{
    if (argc < 8 || argc > 10) {
        fprintf(stderr, "usage: tool_rwgen CORPUS|synthetic:N OUT replicas steps per_request start_ms step_ms "
                        "[learned|foreign|random|churn|unique|real [first_step]]\n");
        return 2;
    }
    bool synthetic = strncmp(argv[1], "synthetic:", 10) == 0;
    struct job j = {.kind = argc > 8 ? order_named(argv[8]) : ORDER_LEARNED,
                    .corpus = synthetic ? corpus_make((uint32_t)strtoul(argv[1] + 10, NULL, 10)) : corpus_read(argv[1]),
                    .replicas = (uint32_t)atoi(argv[3]),
                    .steps = (uint32_t)atoi(argv[4]),
                    .per_request = (uint32_t)atoi(argv[5]),
                    .start_ms = atoll(argv[6]),
                    .step_ms = atoll(argv[7]),
                    .first_step = argc > 9 ? (uint32_t)atoi(argv[9]) : 0};
    if (!(j.out = fopen(argv[2], "wb")))
        die("cannot write the output");
    j.series = (size_t)j.corpus.count * j.replicas;
    j.order = mem_array(j.series, sizeof *j.order);
    j.labels = mem_array(j.series, sizeof *j.labels);
    bool runs = j.kind != ORDER_FOREIGN && j.kind != ORDER_RANDOM;
    random_seeded_init(&j.random, runs ? 2 : 3);
    order_fill(j.order, j.series, runs ? RUN : 1, &j.random.base);
    make_labels(&j, 0);
    if (j.kind == ORDER_REAL)
        make_real(&j);
    else
        for (uint32_t t = 0; t < j.steps; t++)
            make_step(&j, j.first_step + t);
    if (fclose(j.out) != 0)
        die("disk full?");
    fprintf(stderr, "series=%zu samples=%llu body_bytes_per_sample=%.1f raw_bytes_per_sample=%.1f\n", j.series,
            (unsigned long long)j.samples, (double)j.sent / (double)j.samples, (double)j.raw / (double)j.samples);
    return 0;
}
