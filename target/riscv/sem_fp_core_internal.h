/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions for the files of sem_fp: unpack a number, and round a number to a format.
 *
 * Every function is always inlined and its format is a compile-time constant, so that the compiler
 * generates specialised code for each format.
 */
#ifndef TARGET_RISCV_SEM_FP_CORE_H
#define TARGET_RISCV_SEM_FP_CORE_H

#include "target/riscv/sem_fp_internal.h"

#define FP_INLINE    static inline __attribute__((always_inline))
#define FP_LIKELY(x) __builtin_expect(!!(x), 1)

typedef unsigned __int128 FpWide;

typedef struct {
    int frac_bits; /* stored bits of the significand */
    int exp_bits;
} FpFormat;

static const FpFormat fp_half = { 10, 5 };
static const FpFormat fp_single = { 23, 8 };
static const FpFormat fp_double = { 52, 11 };

/* Class of a number. KIND_FINITE is 0, so that the OR of the operands' classes is 0 if all operands
 * are finite and not zero. */
typedef enum { KIND_FINITE = 0, KIND_ZERO = 1, KIND_INF = 2, KIND_QNAN = 4, KIND_SNAN = 8 } FpKind;
#define KIND_NAN (KIND_QNAN | KIND_SNAN)

/* An unpacked number. A finite number is sig / 2^62 * 2^exp; bit 62 is the highest set bit of sig.
 */
typedef struct {
    uint64_t sig;
    int exp;
    bool sign;
    FpKind kind;
} FpNum;

#define FP_SIG_TOP  62
#define FP_HALF_SIG (UINT64_C(1) << FP_SIG_TOP)

FP_INLINE int fp_bias(FpFormat f)
{
    return (1 << (f.exp_bits - 1)) - 1;
}

FP_INLINE uint64_t fp_frac_mask(FpFormat f)
{
    return (UINT64_C(1) << f.frac_bits) - 1;
}

FP_INLINE uint64_t fp_inf(FpFormat f, bool sign)
{
    return (uint64_t)sign << (f.frac_bits + f.exp_bits) | ((UINT64_C(1) << f.exp_bits) - 1)
                                                              << f.frac_bits;
}

FP_INLINE uint64_t fp_zero(FpFormat f, bool sign)
{
    return (uint64_t)sign << (f.frac_bits + f.exp_bits);
}

FP_INLINE uint64_t fp_nan(FpFormat f)
{
    return fp_inf(f, false) | UINT64_C(1) << (f.frac_bits - 1);
}

FP_INLINE uint64_t fp_invalid(FpFormat f, uint8_t *fflags)
{
    *fflags |= FFLAGS_NV;
    return fp_nan(f);
}

/* Return the result of an operation with a NaN operand. `kinds` is the OR of the operands' classes.
 */
FP_INLINE uint64_t fp_nan_result(FpFormat f, unsigned kinds, uint8_t *fflags)
{
    return kinds & KIND_SNAN ? fp_invalid(f, fflags) : fp_nan(f);
}

/* Return the sign of a zero that is the exact sum of two numbers with opposite signs. */
FP_INLINE bool fp_sum_zero_sign(unsigned rm)
{
    return rm == FRM_RDN;
}

/* Shift right. A set bit that is shifted out sets the lowest bit, for rounding. */
FP_INLINE uint64_t fp_shift_jam(uint64_t value, unsigned count)
{
    if (count > 63) {
        return value != 0;
    }
    return value >> count | ((value & ((UINT64_C(1) << count) - 1)) != 0);
}

FP_INLINE FpWide fp_shift_jam_wide(FpWide value, unsigned count)
{
    if (count > 127) {
        return value != 0;
    }
    return value >> count | ((value & (((FpWide)1 << count) - 1)) != 0);
}

FP_INLINE uint64_t fp_narrow_jam(FpWide value, unsigned count)
{
    return (uint64_t)(value >> count) | ((value & (((FpWide)1 << count) - 1)) != 0);
}

FP_INLINE FpNum fp_unpack(FpFormat f, uint64_t bits)
{
    int exp_max = (1 << f.exp_bits) - 1;
    int exp = (int)(bits >> f.frac_bits) & exp_max;
    uint64_t frac = bits & fp_frac_mask(f);
    FpNum n = { .sign = bits >> (f.frac_bits + f.exp_bits) & 1, .kind = KIND_FINITE };

    n.sig = (frac | UINT64_C(1) << f.frac_bits) << (FP_SIG_TOP - f.frac_bits);
    n.exp = exp - fp_bias(f);
    if (FP_LIKELY(exp != 0 && exp != exp_max)) {
        return n;
    }
    if (exp == exp_max) {
        n.kind = frac == 0 ? KIND_INF : frac >> (f.frac_bits - 1) ? KIND_QNAN : KIND_SNAN;
    } else if (frac == 0) {
        n.kind = KIND_ZERO;
    } else {
        int shift = __builtin_clzll(frac) - (63 - FP_SIG_TOP);

        n.sig = frac << shift;
        n.exp = 1 - fp_bias(f) + (FP_SIG_TOP - f.frac_bits) - shift;
    }
    return n;
}

/* Return the value that rounding adds below the last kept bit. The caller corrects a tie of
 * FRM_RNE.
 */
FP_INLINE uint64_t fp_round_addend(unsigned rm, bool sign, uint64_t mask)
{
    switch (rm) {
    case FRM_RTZ:
        return 0;
    case FRM_RDN:
        return sign ? mask : 0;
    case FRM_RUP:
        return sign ? 0 : mask;
    default:
        return (mask + 1) / 2;
    }
}

FP_INLINE uint64_t fp_overflow(FpFormat f, bool sign, unsigned rm, uint8_t *fflags)
{
    bool to_inf = rm == FRM_RDN ? sign : rm == FRM_RUP ? !sign : rm != FRM_RTZ;

    *fflags |= FFLAGS_OF | FFLAGS_NX;
    return fp_inf(f, sign) - !to_inf;
}

/*
 * Round sign, sig / 2^62 * 2^exp to the format. Bit 62 is the highest set bit of sig. The lowest
 * bit of sig is also set if any lower bit of the exact number is set.
 */
FP_INLINE uint64_t fp_round_pack(FpFormat f, bool sign, int exp, uint64_t sig, unsigned rm,
                                 uint8_t *fflags)
{
    const int guard = FP_SIG_TOP - f.frac_bits;
    const uint64_t mask = (UINT64_C(1) << guard) - 1;
    uint64_t addend = fp_round_addend(rm, sign, mask);
    int biased = exp + fp_bias(f);
    bool tiny = false;

    if (!FP_LIKELY(biased > 0)) {
        /* Not tiny if rounding with an unbounded exponent reaches the smallest normal number. */
        tiny = biased < 0 || sig + addend < 2 * FP_HALF_SIG;
        sig = fp_shift_jam(sig, 1 - biased);
        biased = 1;
    }
    uint64_t lost = sig & mask;
    uint64_t kept = (sig + addend) >> guard;

    if (rm == FRM_RNE && lost == (mask + 1) / 2) {
        kept &= ~UINT64_C(1);
    }
    /* The leading bit of kept adds one to the exponent, and so does a carry out of rounding. */
    uint64_t magnitude = ((uint64_t)(biased - 1) << f.frac_bits) + kept;

    if (!FP_LIKELY(biased < (1 << f.exp_bits) && magnitude < fp_inf(f, false))) {
        return fp_overflow(f, sign, rm, fflags);
    }
    if (lost != 0) {
        *fflags |= tiny ? FFLAGS_UF | FFLAGS_NX : FFLAGS_NX;
    }
    return fp_zero(f, sign) | magnitude;
}

#endif
