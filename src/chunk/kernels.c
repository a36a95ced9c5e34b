/*
 * kernels.c - which table of loops this CPU gets.
 *
 * The choice is a function pointer table, not an ifunc: it works the same under sanitizers and static
 * linking, and tests can switch it.  The pointer is the folder's only state that is not constant.
 */
#include <stdatomic.h>

#include "base/assert.h"
#include "chunk/chunk.h"
#include "chunk/kernels_internal.h"

static _Atomic(const struct kernels *) chosen;

static const struct kernels *table_of(enum chunk_isa isa)
{
#if defined(__x86_64__)
    if (isa == CHUNK_ISA_AVX512)
        return &kernels_avx512;
    if (isa == CHUNK_ISA_AVX2)
        return &kernels_avx2;
#endif
    (void)isa;
    return &kernels_scalar;
}

enum chunk_isa chunk_isa_best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("bmi");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi"))
        return CHUNK_ISA_AVX512;
    if (avx2)
        return CHUNK_ISA_AVX2;
#endif
    return CHUNK_ISA_SCALAR;
}

bool chunk_isa_use(enum chunk_isa isa)
{
    if (isa > chunk_isa_best())
        return false;
    atomic_store_explicit(&chosen, table_of(isa), memory_order_relaxed);
    return true;
}

const char *chunk_isa_name(enum chunk_isa isa)
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    assert(isa <= CHUNK_ISA_AVX512);
    return names[isa];
}

const struct kernels *kernels_get(void)
{
    const struct kernels *k = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (__builtin_expect(!k, 0)) {
        k = table_of(chunk_isa_best());
        atomic_store_explicit(&chosen, k, memory_order_relaxed);
    }
    return k;
}
