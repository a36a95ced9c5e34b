/*
 * tool_rwgen.c - makes a file of remote-write 1.0 bodies as a Prometheus sends them.
 *
 * usage: tool_rwgen CORPUS OUT replicas steps per_request start_ms step_ms [order]
 *
 * CORPUS is a file of real series (bench/README.md has the format), or "synthetic:N" for N made-up series of the
 * kinds that node_exporter and instrumented programs have.  Each replica gets the label replica_host="host-<r>" and the
 * corpus' values shifted by 37 samples, so that replicas differ.  Order of the series in a step:
 *   learned   (default) runs of 64 series stay together and are shuffled once: senders keep the order of a scrape
 *   foreign   each series anywhere, but in every step the same
 *   random    another order in each step
 * OUT: repeated u32 bytes, u32 samples, snappy body.
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
        if (fseek(f, 8L * s->count, SEEK_CUR) != 0)
            die("the corpus is cut off");
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

/* The Label messages of a series with replica_host merged in its place. */
static struct buf labels_encode(const struct source *s, uint32_t replica)
{
    struct buf out = {0};
    char host[32];
    snprintf(host, sizeof host, "host-%u", replica);
    bool done = false;
    for (size_t at = 0; at < s->labels.len;) {
        const char *name = (const char *)s->labels.data + at, *value = name + strlen(name) + 1;
        if (!done && strcmp(name, "replica_host") > 0) {
            put_label(&out, "replica_host", host);
            done = true;
        }
        put_label(&out, name, value);
        at += strlen(name) + strlen(value) + 2;
    }
    if (!done)
        put_label(&out, "replica_host", host);
    return out;
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

enum order { ORDER_LEARNED, ORDER_FOREIGN, ORDER_RANDOM };

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
    static const char *const names[] = {"learned", "foreign", "random"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum order)i;
    die("order is learned, foreign or random");
    return ORDER_LEARNED;
}

int main(int argc, char **argv)
{
    if (argc != 8 && argc != 9) {
        fprintf(stderr, "usage: tool_rwgen CORPUS|synthetic:N OUT replicas steps per_request start_ms step_ms "
                        "[learned|foreign|random]\n");
        return 2;
    }
    bool synthetic = strncmp(argv[1], "synthetic:", 10) == 0;
    struct corpus c = synthetic ? corpus_make((uint32_t)strtoul(argv[1] + 10, NULL, 10)) : corpus_read(argv[1]);
    FILE *out = fopen(argv[2], "wb");
    if (!out)
        die("cannot write the output");
    uint32_t replicas = (uint32_t)atoi(argv[3]), steps = (uint32_t)atoi(argv[4]), per = (uint32_t)atoi(argv[5]);
    int64_t start = atoll(argv[6]), step = atoll(argv[7]);
    size_t series = (size_t)c.count * replicas, *order = mem_array(series, sizeof *order);
    enum order kind = argc > 8 ? order_named(argv[8]) : ORDER_LEARNED;
    struct random_seeded random;
    random_seeded_init(&random, kind == ORDER_LEARNED ? 2 : 3);
    order_fill(order, series, kind == ORDER_LEARNED ? RUN : 1, &random.base);
    struct buf *labels = mem_array(series, sizeof *labels);
    for (size_t i = 0; i < series; i++)
        labels[i] = labels_encode(&c.list[i % c.count], (uint32_t)(i / c.count));
    struct buf body = {0}, packed = {0};
    uint64_t samples = 0, raw = 0, sent = 0;
    for (uint32_t t = 0; t < steps; t++) {
        if (kind == ORDER_RANDOM)
            order_fill(order, series, 1, &random.base);
        for (size_t i = 0; i < series;) {
            uint32_t n = 0;
            buf_reset(&body);
            buf_reset(&packed);
            for (; n < per && i < series; n++, i++) {
                const struct source *s = &c.list[order[i] % c.count];
                size_t shift = t + 37 * (order[i] / c.count);
                put_series(&body, &labels[order[i]], s->count ? s->values[shift % s->count] : 0, start + step * t);
            }
            size_t len = snappy_max_compressed_length(body.len);
            char *to = (char *)buf_reserve(&packed, len);
            if (snappy_compress((const char *)body.data, body.len, to, &len) != SNAPPY_OK)
                die("snappy");
            uint32_t head[2] = {(uint32_t)len, n};
            if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(to, len, 1, out) != 1)
                die("disk full?");
            samples += n;
            raw += body.len;
            sent += len;
        }
    }
    if (fclose(out) != 0)
        die("disk full?");
    fprintf(stderr, "series=%zu samples=%llu body_bytes_per_sample=%.1f raw_bytes_per_sample=%.1f\n", series,
            (unsigned long long)samples, (double)sent / (double)samples, (double)raw / (double)samples);
    return 0;
}
