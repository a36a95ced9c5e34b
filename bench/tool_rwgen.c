/*
 * tool_rwgen.c - makes a file of remote-write 1.0 bodies as a Prometheus sends them.
 *
 * usage: tool_rwgen CORPUS OUT replicas steps per_request start_ms step_ms
 *
 * CORPUS is a file of real series (bench/README.md has the format), or "synthetic:N" for N made-up
 * series.  Each replica gets the label replica_host="host-<r>" and the corpus' values shifted by 37
 * samples, so that replicas differ.  Runs of 64 series stay together and are shuffled once: senders
 * keep the order of a scrape within a shard.  OUT: repeated u32 bytes, u32 samples, snappy body.
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

/* Two in three never change, the rest are counters and noisy gauges: the mix of real exporters. */
static struct corpus corpus_make(uint32_t count)
{
    struct corpus c = {mem_array(count, sizeof(struct source)), count};
    struct random_seeded r;
    random_seeded_init(&r, 1);
    for (uint32_t i = 0; i < count; i++) {
        struct source *s = &c.list[i];
        buf_printf(&s->labels, "__name__%cdemo_metric_%u_total%c", 0, i / 40, 0);
        buf_printf(&s->labels, "device%csd%c%c", 0, 'a' + (int)(i % 20), 0);
        buf_printf(&s->labels, "instance%c10.0.0.%u:9100%cjob%cnode%cmode%cm%u%c", 0, i % 250, 0, 0, 0, 0, i % 2, 0);
        s->count = 512;
        s->values = mem_array(s->count, sizeof(double));
        double v = (double)(random_u64(&r.base) % 100000);
        for (uint32_t k = 0; k < s->count; k++) {
            if (i % 3 == 1)
                v += (double)(random_u64(&r.base) % 50);
            else if (i % 3 == 2 && i % 2)
                v = floor((double)(random_u64(&r.base) % 100000)) / 100;
            s->values[k] = v;
        }
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

static size_t *order_make(size_t series)
{
    size_t runs = (series + RUN - 1) / RUN, *run = mem_array(runs, sizeof *run), *order = mem_array(series, sizeof *order);
    struct random_seeded r;
    random_seeded_init(&r, 2);
    for (size_t i = 0; i < runs; i++)
        run[i] = i;
    for (size_t i = runs - 1; i > 0; i--) {
        size_t j = random_u64(&r.base) % (i + 1), t = run[i];
        run[i] = run[j];
        run[j] = t;
    }
    size_t n = 0;
    for (size_t i = 0; i < runs; i++)
        for (size_t j = run[i] * RUN; j < (run[i] + 1) * RUN && j < series; j++)
            order[n++] = j;
    mem_free(run);
    return order;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: tool_rwgen CORPUS|synthetic:N OUT replicas steps per_request start_ms step_ms\n");
        return 2;
    }
    bool synthetic = strncmp(argv[1], "synthetic:", 10) == 0;
    struct corpus c = synthetic ? corpus_make((uint32_t)strtoul(argv[1] + 10, NULL, 10)) : corpus_read(argv[1]);
    FILE *out = fopen(argv[2], "wb");
    if (!out)
        die("cannot write the output");
    uint32_t replicas = (uint32_t)atoi(argv[3]), steps = (uint32_t)atoi(argv[4]), per = (uint32_t)atoi(argv[5]);
    int64_t start = atoll(argv[6]), step = atoll(argv[7]);
    size_t series = (size_t)c.count * replicas, *order = order_make(series);
    struct buf *labels = mem_array(series, sizeof *labels);
    for (size_t i = 0; i < series; i++)
        labels[i] = labels_encode(&c.list[i % c.count], (uint32_t)(i / c.count));
    struct buf body = {0}, packed = {0};
    uint64_t samples = 0, raw = 0, sent = 0;
    for (uint32_t t = 0; t < steps; t++)
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
    if (fclose(out) != 0)
        die("disk full?");
    fprintf(stderr, "series=%zu samples=%llu body_bytes_per_sample=%.1f raw_bytes_per_sample=%.1f\n", series,
            (unsigned long long)samples, (double)sent / (double)samples, (double)raw / (double)samples);
    return 0;
}
