/* step_kernels.c - the three builds of the kernels and the choice between them; the contract is in step_kernels.h. */
#include "promql/step_kernels.h"

#include <string.h>

#include "model/value.h"

#define KERNEL(name) baseline_##name
#define KERNEL_TARGET
#define KERNEL_NAME  "baseline"
#define KERNEL_WIDTH 2
#include "promql/step_kernels_build.h"
#undef KERNEL
#undef KERNEL_TARGET
#undef KERNEL_NAME
#undef KERNEL_WIDTH

#if defined(__x86_64__)

#define KERNEL(name)  avx2_##name
#define KERNEL_TARGET __attribute__((target("avx2")))
#define KERNEL_NAME   "avx2"
#define KERNEL_WIDTH  4
#include "promql/step_kernels_build.h"
#undef KERNEL
#undef KERNEL_TARGET
#undef KERNEL_NAME
#undef KERNEL_WIDTH

#define KERNEL(name)  avx512_##name
#define KERNEL_TARGET __attribute__((target("avx512f,avx512dq,avx512vl")))
#define KERNEL_NAME   "avx512"
#define KERNEL_WIDTH  8
#include "promql/step_kernels_build.h"
#undef KERNEL
#undef KERNEL_TARGET
#undef KERNEL_NAME
#undef KERNEL_WIDTH

static bool runs_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static bool runs_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const struct step_kernels *step_kernels_get(unsigned i)
{
    switch (i) {
    case 0:
        return &baseline_table;
    case 1:
        return runs_avx2() ? &avx2_table : NULL;
    case 2:
        return runs_avx512() ? &avx512_table : NULL;
    default:
        return NULL;
    }
}

#else

const struct step_kernels *step_kernels_get(unsigned i)
{
    return i == 0 ? &baseline_table : NULL;
}

#endif

const struct step_kernels *step_kernels_best(void)
{
    const struct step_kernels *best = step_kernels_get(0);
    for (unsigned i = 1; i < 3; i++)
        if (step_kernels_get(i))
            best = step_kernels_get(i);
    return best;
}
