/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Use of the host's floating point as a fast path.
 *
 * If the host computes in these formats and rounds to nearest, its result is used if NX is set
 * already and the operation can raise no other flag. That holds for a finite result above the
 * smallest normal number: it is not NaN, so no operation was invalid; it is not infinite, so there
 * was neither an overflow nor a division by zero; and it was not tiny before or after rounding.
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

/* Return the value of the expression from the function if it is usable. For functions with rm and
 * fflags. */
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
