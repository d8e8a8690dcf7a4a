/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparison, minimum and maximum, and classification of F, D, Zfh and Zfa. No operation rounds.
 */
#include "target/riscv/sem_fp_core_internal.h"

FP_INLINE bool fp_is_nan(FpFormat f, uint64_t bits)
{
    return (bits & ~fp_zero(f, true)) > fp_inf(f, false);
}

FP_INLINE bool fp_is_snan(FpFormat f, uint64_t bits)
{
    return fp_is_nan(f, bits) && !(bits >> (f.frac_bits - 1) & 1);
}

FP_INLINE void fp_note_snan(FpFormat f, uint64_t a, uint64_t b, uint8_t *fflags)
{
    if (fp_is_snan(f, a) || fp_is_snan(f, b)) {
        *fflags |= FFLAGS_NV;
    }
}

/* Return an integer for a number, in the order of the numbers; that of -0 is just below that of +0.
 */
FP_INLINE int64_t fp_order(FpFormat f, uint64_t bits)
{
    int64_t magnitude = (int64_t)(bits & ~fp_zero(f, true));

    return bits & fp_zero(f, true) ? -magnitude - 1 : magnitude;
}

FP_INLINE uint64_t fp_choose(FpFormat f, uint64_t a, uint64_t b, bool larger, uint8_t *fflags)
{
    fp_note_snan(f, a, b, fflags);
    if (fp_is_nan(f, a)) {
        return fp_is_nan(f, b) ? fp_nan(f) : b;
    }
    if (fp_is_nan(f, b)) {
        return a;
    }
    return (fp_order(f, a) < fp_order(f, b)) != larger ? a : b;
}

/* Return the minimum or maximum; the canonical NaN if an operand is NaN. */
FP_INLINE uint64_t fp_choose_number(FpFormat f, uint64_t a, uint64_t b, bool larger,
                                    uint8_t *fflags)
{
    fp_note_snan(f, a, b, fflags);
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        return fp_nan(f);
    }
    return (fp_order(f, a) < fp_order(f, b)) != larger ? a : b;
}

typedef enum { FP_EQUAL, FP_LESS, FP_LESS_EQUAL } FpRelation;

FP_INLINE uint64_t fp_compare(FpFormat f, uint64_t a, uint64_t b, FpRelation relation,
                              uint8_t *fflags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        if (relation == FP_EQUAL) {
            fp_note_snan(f, a, b, fflags);
        } else {
            *fflags |= FFLAGS_NV;
        }
        return 0;
    }
    bool equal = a == b || ((a | b) & ~fp_zero(f, true)) == 0;

    return relation == FP_EQUAL  ? equal
           : relation == FP_LESS ? !equal && fp_order(f, a) < fp_order(f, b)
                                 : equal || fp_order(f, a) < fp_order(f, b);
}

/* Compare without NV for a quiet NaN. */
FP_INLINE uint64_t fp_compare_quiet(FpFormat f, uint64_t a, uint64_t b, FpRelation relation,
                                    uint8_t *fflags)
{
    fp_note_snan(f, a, b, fflags);
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        return 0;
    }
    return fp_compare(f, a, b, relation, fflags);
}

FP_INLINE uint64_t fp_class(FpFormat f, uint64_t bits)
{
    bool sign = bits & fp_zero(f, true);
    uint64_t magnitude = bits & ~fp_zero(f, true);

    if (fp_is_nan(f, bits)) {
        return fp_is_snan(f, bits) ? 1 << 8 : 1 << 9;
    }
    if (magnitude == fp_inf(f, false)) {
        return sign ? 1 << 0 : 1 << 7;
    }
    if (magnitude > fp_frac_mask(f)) {
        return sign ? 1 << 1 : 1 << 6;
    }
    if (magnitude != 0) {
        return sign ? 1 << 2 : 1 << 5;
    }
    return sign ? 1 << 3 : 1 << 4;
}

uint32_t sem_fmin_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return (uint32_t)fp_choose(fp_single, a, b, false, fflags);
}

uint32_t sem_fmax_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return (uint32_t)fp_choose(fp_single, a, b, true, fflags);
}

uint64_t sem_fmin_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_choose(fp_double, a, b, false, fflags);
}

uint64_t sem_fmax_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_choose(fp_double, a, b, true, fflags);
}

uint64_t sem_feq_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return fp_compare(fp_single, a, b, FP_EQUAL, fflags);
}

uint64_t sem_flt_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return fp_compare(fp_single, a, b, FP_LESS, fflags);
}

uint64_t sem_fle_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return fp_compare(fp_single, a, b, FP_LESS_EQUAL, fflags);
}

uint64_t sem_feq_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_compare(fp_double, a, b, FP_EQUAL, fflags);
}

uint64_t sem_flt_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_compare(fp_double, a, b, FP_LESS, fflags);
}

uint64_t sem_fle_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_compare(fp_double, a, b, FP_LESS_EQUAL, fflags);
}

uint64_t sem_fclass_s(uint32_t a)
{
    return fp_class(fp_single, a);
}

uint64_t sem_fclass_d(uint64_t a)
{
    return fp_class(fp_double, a);
}

uint16_t sem_fmin_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return (uint16_t)fp_choose(fp_half, a, b, false, fflags);
}

uint16_t sem_fmax_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return (uint16_t)fp_choose(fp_half, a, b, true, fflags);
}

uint64_t sem_feq_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return fp_compare(fp_half, a, b, FP_EQUAL, fflags);
}

uint64_t sem_flt_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return fp_compare(fp_half, a, b, FP_LESS, fflags);
}

uint64_t sem_fle_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return fp_compare(fp_half, a, b, FP_LESS_EQUAL, fflags);
}

uint64_t sem_fclass_h(uint16_t a)
{
    return fp_class(fp_half, a);
}

uint32_t sem_fminm_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return (uint32_t)fp_choose_number(fp_single, a, b, false, fflags);
}

uint32_t sem_fmaxm_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return (uint32_t)fp_choose_number(fp_single, a, b, true, fflags);
}

uint64_t sem_fltq_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_single, a, b, FP_LESS, fflags);
}

uint64_t sem_fleq_s(uint32_t a, uint32_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_single, a, b, FP_LESS_EQUAL, fflags);
}

uint64_t sem_fminm_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_choose_number(fp_double, a, b, false, fflags);
}

uint64_t sem_fmaxm_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_choose_number(fp_double, a, b, true, fflags);
}

uint64_t sem_fltq_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_double, a, b, FP_LESS, fflags);
}

uint64_t sem_fleq_d(uint64_t a, uint64_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_double, a, b, FP_LESS_EQUAL, fflags);
}

uint16_t sem_fminm_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return (uint16_t)fp_choose_number(fp_half, a, b, false, fflags);
}

uint16_t sem_fmaxm_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return (uint16_t)fp_choose_number(fp_half, a, b, true, fflags);
}

uint64_t sem_fltq_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_half, a, b, FP_LESS, fflags);
}

uint64_t sem_fleq_h(uint16_t a, uint16_t b, uint8_t *fflags)
{
    return fp_compare_quiet(fp_half, a, b, FP_LESS_EQUAL, fflags);
}
