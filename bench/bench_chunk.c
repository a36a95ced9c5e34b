/*
 * bench_chunk.c - size and speed of the float codec: bench_chunk [CORPUS], or bench_chunk random [COUNT]
 *
 * `random` encodes and decodes that many (10^9) random bit patterns, all alike or mixed with neighbours
 * that share their upper bits, and stops at the first that comes back different.
 *
 * For windows of 120 to 1,024 samples at the corpus' interval and at 15 times it: bytes per sample of
 * the values, nanoseconds per sample (CPU) of encoding and, per instruction set, of decoding.
 */
#include "chunk/chunk.h"
#include "corpus.h"

enum { REPEATS = 3 };

struct window {
    const double *values;
    uint32_t count;
    size_t start, end; /* of its payload */
    uint32_t series;
};

static struct window *cut(const struct corpus *c, uint32_t size, size_t *count, uint64_t *samples)
{
    size_t capacity = 0;
    struct window *list = NULL;
    *count = 0;
    *samples = 0;
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t at = 0; at < c->series[i].count; at += size) {
            uint32_t n = c->series[i].count - at < size ? c->series[i].count - at : size;
            if (n < size / 2)
                continue;
            list = (struct window *)mem_grow(list, &capacity, *count + 1, sizeof *list);
            list[(*count)++] = (struct window){.values = c->series[i].values + at, .count = n, .series = i};
            *samples += n;
        }
    return list;
}

static double encode(struct window *list, size_t count, struct chunk_hint *hints, struct buf *out)
{
    double best = 1e9;
    for (int r = 0; r < REPEATS; r++) {
        buf_reset(out);
        double start = bench_seconds();
        for (size_t i = 0; i < count; i++) {
            list[i].start = out->len;
            chunk_encode_values(list[i].values, list[i].count, &hints[list[i].series], out);
            list[i].end = out->len;
        }
        double took = bench_seconds() - start;
        best = took < best ? took : best;
    }
    return best;
}

static double decode(const struct window *list, size_t count, const struct buf *in, double *out)
{
    double best = 1e9;
    for (int r = 0; r < REPEATS; r++) {
        double start = bench_seconds();
        for (size_t i = 0; i < count; i++)
            if (chunk_decode_values(slice_of(in->data + list[i].start, list[i].end - list[i].start), list[i].count,
                                    out) != ERR_OK)
                corpus_die("does not decode");
        double took = bench_seconds() - start;
        best = took < best ? took : best;
    }
    return best;
}

static void verify(const struct window *list, size_t count, const struct buf *in, double *out)
{
    for (size_t i = 0; i < count; i++) {
        struct slice s = slice_of(in->data + list[i].start, list[i].end - list[i].start);
        if (chunk_decode_values(s, list[i].count, out) != ERR_OK || memcmp(out, list[i].values, list[i].count * 8ul))
            corpus_die("comes back different");
    }
}

static void print_modes(const struct window *list, size_t count, const struct buf *in)
{
    size_t chunks[16] = {0}, bytes[16] = {0};
    const char *name[16] = {0};
    static char text[16][64];
    for (size_t i = 0; i < count; i++) {
        unsigned mode = in->data[list[i].start] & 15;
        chunks[mode]++;
        bytes[mode] += list[i].end - list[i].start;
        if (!name[mode])
            name[mode] = chunk_describe(slice_of(in->data + list[i].start, list[i].end - list[i].start), text[mode]);
    }
    printf("    modes (share of chunks, of bytes):");
    for (unsigned m = 0; m < 16; m++)
        if (chunks[m])
            printf(" %.*s %.1f%% %.1f%%;", (int)strcspn(name[m], " "), name[m],
                   100.0 * (double)chunks[m] / (double)count, 100.0 * (double)bytes[m] / (double)in->len);
    printf("\n");
}

static void run(const struct corpus *c, const char *interval, uint32_t size)
{
    size_t count;
    uint64_t samples;
    struct window *list = cut(c, size, &count, &samples);
    if (count == 0)
        return;
    struct chunk_hint *hints = (struct chunk_hint *)mem_array(c->count, sizeof *hints);
    struct buf out = {0};
    double *values = (double *)mem_array(CHUNK_SAMPLES_MAX, sizeof *values);
    double n = (double)samples;
    double encode_s = encode(list, count, hints, &out);
    printf("%s window %4u: %.4f B/sample, encode %5.2f ns/sample, decode", interval, size, (double)out.len / n,
           encode_s * 1e9 / n);
    for (enum chunk_isa isa = chunk_isa_best(); isa <= CHUNK_ISA_AVX512; isa--) {
        chunk_isa_use(isa);
        verify(list, count, &out, values);
        printf(" %s %.2f", chunk_isa_name(isa), decode(list, count, &out, values) * 1e9 / n);
        if (isa == CHUNK_ISA_SCALAR)
            break;
    }
    chunk_isa_use(chunk_isa_best());
    printf(" ns/sample\n");
    print_modes(list, count, &out);
    mem_free(values);
    mem_free(hints);
    mem_free(list);
    buf_deinit(&out);
}

/* Chunks of random lengths; from one to the next more of the upper bits are kept, so every mode gets its turn. */
static int run_random(double total)
{
    static double values[CHUNK_SAMPLES_GOOD], back[CHUNK_SAMPLES_GOOD];
    uint64_t rng = 88172645463325252u, before = 0, modes[16] = {0};
    struct buf out = {0};
    double done = 0, start = bench_seconds();
    for (uint32_t round = 0; done < total; round++) {
        uint32_t count = 1 + (uint32_t)(corpus_random(&rng) % CHUNK_SAMPLES_GOOD);
        unsigned shared = round % 64; /* upper bits that neighbours have in common */
        uint64_t keep = shared ? ~UINT64_C(0) << (64 - shared) : 0;
        for (uint32_t i = 0; i < count; i++) {
            before = (before & keep) | (corpus_random(&rng) & ~keep);
            values[i] = f64_from_bits(before);
        }
        buf_reset(&out);
        chunk_encode_values(values, count, NULL, &out);
        modes[out.data[0] & 15]++;
        if (chunk_decode_values(buf_view(&out), count, back) != ERR_OK ||
            memcmp(values, back, count * sizeof *back) != 0)
            corpus_die("a random chunk comes back different");
        before = corpus_random(&rng);
        done += count;
    }
    printf("%.0f random bit patterns came back, %.1f ns each; chunks by mode:", done,
           (bench_seconds() - start) * 1e9 / done);
    for (int m = 0; m < 16; m++)
        printf(" %llu", (unsigned long long)modes[m]);
    printf("\n");
    buf_deinit(&out);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "random") == 0)
        return run_random(argc > 2 ? atof(argv[2]) : 1e9);
    static const uint32_t sizes[] = {120, 280, 480, 1024};
    struct corpus c = corpus_load(argc, argv), thin = corpus_thin(&c, 15);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run(&c, " 1 s", sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run(&thin, "15 s", sizes[i]);
    corpus_free(&thin);
    corpus_free(&c);
    return 0;
}
