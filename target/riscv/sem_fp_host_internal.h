/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's floating point as a short cut.
 *
 * Where the host computes in these formats and rounds to nearest, its result stands if no flag
 * but NX can follow and NX is set already: a finite number above the smallest normal one. It is
 * not NaN, so nothing was invalid; not infinite, so nothing overflowed or was divided by zero;
 * and large enough that it was not tiny before or after rounding.
 */
#ifndef TARGET_RISCV_SEM_FP_HOST_H
#define TARGET_RISCV_SEM_FP_HOST_H

#include <float.h>
#include <string.h>
#include "target/riscv/sem_fp_core_internal.h"

FP_INLINE bool fp_host_may(unsigned rm, const uint8_t *fflags)
{
    return FLT_EVAL_METHOD == 0 && rm == FRM_RNE && (*fflags & FFLAGS_NX);
}

FP_INLINE bool fp_host_result(FpFormat f, uint64_t bits)
{
    uint64_t magnitude = bits & ~fp_zero(f, true), least = UINT64_C(1) << f.frac_bits;

    return magnitude > least && magnitude < fp_inf(f, false);
}

FP_INLINE float fp_host_s(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

FP_INLINE double fp_host_d(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

FP_INLINE uint32_t fp_bits_s(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

FP_INLINE uint64_t fp_bits_d(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Return what the expression gives, if it stands; in functions with rm and fflags. */
#define FP_TRY_HOST_S(expression)                                                                  \
    if (fp_host_may(rm, fflags)) {                                                                 \
        uint32_t bits = fp_bits_s(expression);                                                     \
        if (FP_LIKELY(fp_host_result(fp_single, bits))) {                                          \
            return bits;                                                                           \
        }                                                                                          \
    }
#define FP_TRY_HOST_D(expression)                                                                  \
    if (fp_host_may(rm, fflags)) {                                                                 \
        uint64_t bits = fp_bits_d(expression);                                                     \
        if (FP_LIKELY(fp_host_result(fp_double, bits))) {                                          \
            return bits;                                                                           \
        }                                                                                          \
    }

#endif
