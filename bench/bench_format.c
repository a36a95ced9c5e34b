/* bench_format.c - ns per number written and read; the values are of kinds that metrics have. */
#include <math.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"

enum { VALUES = 10000, ROUNDS = 100 };

static double values[VALUES];
static char texts[VALUES][32];
static uint8_t lengths[VALUES];

enum kind { COUNTERS, SECONDS, PERCENTS, MEANS, ANY_BITS, KINDS };
static const char *const names[KINDS] = {"integers", "seconds with 3 decimals", "few digits", "17 digits", "any bits"};

static void fill(enum kind kind, struct random *r)
{
    for (int i = 0; i < VALUES; i++) {
        uint64_t bits = random_u64(r);
        switch (kind) {
        case COUNTERS:
            values[i] = (double)(bits >> (20 + bits % 40));
            break;
        case SECONDS:
            values[i] = (double)(bits % 100000000) / 1000;
            break;
        case PERCENTS:
            values[i] = (double)(bits % 1000) / 10;
            break;
        case MEANS:
            values[i] = (double)(bits >> 11) * 0x1p-53 * 1000;
            break;
        default:
            do
                values[i] = f64_from_bits(random_u64(r));
            while (!isfinite(values[i]));
            break;
        }
    }
}

int main(void)
{
    struct clock *clock = clock_system();
    struct random_seeded r;
    random_seeded_init(&r, 1);
    for (int kind = 0; kind < KINDS; kind++) {
        fill((enum kind)kind, &r.base);
        size_t bytes = 0;
        char out[GOFORMAT_BYTES_MAX];
        double write_ns = 1e9, read_ns = 1e9;
        for (int round = 0; round < ROUNDS; round++) {
            int64_t start = clock_mono_ns(clock);
            bytes = 0;
            for (int i = 0; i < VALUES; i++)
                bytes += goformat_json(out, values[i]);
            write_ns = fmin(write_ns, (double)(clock_mono_ns(clock) - start) / VALUES);
        }
        for (int i = 0; i < VALUES; i++) {
            lengths[i] = (uint8_t)goformat_float(out, values[i], 'e', -1);
            memcpy(texts[i], out, lengths[i]);
        }
        uint64_t wrong = 0;
        for (int round = 0; round < ROUNDS; round++) {
            int64_t start = clock_mono_ns(clock);
            for (int i = 0; i < VALUES; i++) {
                double v = 0;
                if (goparse_float(slice_of(texts[i], lengths[i]), &v, NULL) != ERR_OK || v != values[i])
                    wrong++;
            }
            read_ns = fmin(read_ns, (double)(clock_mono_ns(clock) - start) / VALUES);
        }
        printf("%-24s write %5.1f ns  %4.1f bytes   read %5.1f ns   wrong %llu\n", names[kind], write_ns,
               (double)bytes / VALUES, read_ns, (unsigned long long)wrong);
    }
    return 0;
}
