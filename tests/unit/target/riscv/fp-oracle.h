/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An independent implementation of floating point: libmpfr with the guest's rounding, and the
 * operands that the floating-point tests share. Included by one test program each, hence the
 * inlines.
 */
#ifndef TESTS_FP_ORACLE_H
#define TESTS_FP_ORACLE_H

#include <glib.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <mpfr.h>
#include "target/riscv/sem_fp_internal.h"

typedef struct {
    const char *name;
    int precision; /* bits of the significand, including the hidden one */
    int frac_bits;
    int exp_bits;
} OracleFormat;

static const OracleFormat oracle_half = { "h", 11, 10, 5 };
static const OracleFormat oracle_single = { "s", 24, 23, 8 };
static const OracleFormat oracle_double = { "d", 53, 52, 11 };

typedef enum { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_SQRT, OP_FMA, OP_SET } OracleOp;

/* Exponents as libmpfr counts them: the significand is in [1/2, 1). */
static inline int oracle_emax(const OracleFormat *f)
{
    return 1 << (f->exp_bits - 1);
}

static inline int oracle_emin_normal(const OracleFormat *f)
{
    return 3 - oracle_emax(f);
}

static inline int oracle_emin(const OracleFormat *f)
{
    return oracle_emin_normal(f) - (f->precision - 1);
}

static inline uint64_t oracle_inf(const OracleFormat *f)
{
    return ((UINT64_C(1) << f->exp_bits) - 1) << f->frac_bits;
}

static inline uint64_t oracle_sign(const OracleFormat *f)
{
    return UINT64_C(1) << (f->frac_bits + f->exp_bits);
}

static inline uint64_t oracle_nan(const OracleFormat *f)
{
    return oracle_inf(f) | UINT64_C(1) << (f->frac_bits - 1);
}

static inline bool oracle_is_nan(const OracleFormat *f, uint64_t bits)
{
    return (bits & (oracle_sign(f) - 1)) > oracle_inf(f);
}

static inline bool oracle_is_snan(const OracleFormat *f, uint64_t bits)
{
    return oracle_is_nan(f, bits) && (bits & oracle_nan(f)) != oracle_nan(f);
}

/* Every half is a double. */
static inline double oracle_half_value(uint64_t bits)
{
    int exp = bits >> 10 & 31;
    double frac = bits & 0x3ff, value;

    if (exp == 31) {
        value = bits & 0x3ff ? (double)NAN : (double)INFINITY;
    } else {
        value = ldexp(exp ? frac + 1024 : frac, (exp ? exp : 1) - 25);
    }
    return bits & 0x8000 ? -value : value;
}

/* Return the bits of a double that is a half. */
static inline uint64_t oracle_half_bits(double value)
{
    uint64_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    int exp;

    if (isnan(value)) {
        return 0x7e00;
    }
    if (isinf(value)) {
        return sign | 0x7c00;
    }
    frexp(magnitude, &exp);
    if (magnitude == 0 || exp < -13) {
        return sign | (uint64_t)ldexp(magnitude, 24);
    }
    return sign | (((uint64_t)(exp + 13) << 10) + (uint64_t)ldexp(magnitude, 11 - exp));
}

/* The host's types only store the bits: every value is exact in both directions. */
static inline void oracle_load(const OracleFormat *f, mpfr_t value, uint64_t bits)
{
    double wide;

    if (f == &oracle_half) {
        wide = oracle_half_value(bits);
    } else if (f == &oracle_single) {
        uint32_t low = (uint32_t)bits;
        float narrow;

        memcpy(&narrow, &low, sizeof(narrow));
        wide = narrow;
    } else {
        memcpy(&wide, &bits, sizeof(wide));
    }
    g_assert_cmpint(mpfr_set_d(value, wide, MPFR_RNDN), ==, 0);
}

static inline uint64_t oracle_store(const OracleFormat *f, mpfr_t value)
{
    double wide = mpfr_get_d(value, MPFR_RNDZ);
    uint64_t bits;

    if (f == &oracle_half) {
        return oracle_half_bits(wide);
    }
    if (f == &oracle_single) {
        float narrow = (float)wide;
        uint32_t low;

        memcpy(&low, &narrow, sizeof(low));
        return low;
    }
    memcpy(&bits, &wide, sizeof(bits));
    return bits;
}

static inline int oracle_compute(OracleOp op, mpfr_t r, mpfr_t in[3], mpfr_rnd_t round)
{
    switch (op) {
    case OP_ADD:
        return mpfr_add(r, in[0], in[1], round);
    case OP_SUB:
        return mpfr_sub(r, in[0], in[1], round);
    case OP_MUL:
        return mpfr_mul(r, in[0], in[1], round);
    case OP_DIV:
        return mpfr_div(r, in[0], in[1], round);
    case OP_SQRT:
        return mpfr_sqrt(r, in[0], round);
    case OP_FMA:
        return mpfr_fma(r, in[0], in[1], in[2], round);
    case OP_SET:
        return mpfr_set(r, in[0], round);
    }
    g_assert_not_reached();
}

/* Replace value by the nearest multiple of 2^unit, ties away from zero. */
static inline void oracle_round_away(mpfr_t value, long unit)
{
    mpfr_mul_2si(value, value, -unit, MPFR_RNDN);
    mpfr_round(value, value);
    mpfr_mul_2si(value, value, unit, MPFR_RNDN);
}

/*
 * FRM_RMM, which libmpfr does not have: the result is truncated a few bits further, with a sticky
 * bit for the rest, and rounded to the unit in the last place.
 */
static inline uint64_t oracle_rmm(const OracleFormat *f, OracleOp op, mpfr_t in[3], uint8_t *flags)
{
    mpfr_t exact, rounded;
    bool inexact;

    mpfr_inits2(f->precision + 3, exact, rounded, (mpfr_ptr)NULL);
    int truncated = oracle_compute(op, exact, in, MPFR_RNDZ);

    if (!mpfr_regular_p(exact)) {
        oracle_compute(op, exact, in, MPFR_RNDN); /* the sign of a zero */
        uint64_t bits = oracle_store(f, exact);

        mpfr_clears(exact, rounded, (mpfr_ptr)NULL);
        return bits;
    }
    mpfr_prec_round(exact, f->precision + 8, MPFR_RNDN);
    mpfr_set_prec(rounded, f->precision + 8);
    if (truncated != 0) {
        mpfr_sgn(exact) > 0 ? mpfr_nextabove(exact) : mpfr_nextbelow(exact);
    }
    long unit = mpfr_get_exp(exact) - f->precision;
    long least = oracle_emin(f) - 1;

    mpfr_set(rounded, exact, MPFR_RNDN);
    oracle_round_away(rounded, unit);
    bool tiny = mpfr_get_exp(rounded) < oracle_emin_normal(f);

    mpfr_set(rounded, exact, MPFR_RNDN);
    oracle_round_away(rounded, MAX(unit, least));
    inexact = !mpfr_equal_p(rounded, exact);
    if (mpfr_zero_p(rounded)) {
        mpfr_setsign(rounded, rounded, mpfr_signbit(exact), MPFR_RNDN);
    } else if (mpfr_get_exp(rounded) > oracle_emax(f)) {
        mpfr_set_inf(rounded, mpfr_sgn(exact));
        *flags |= FFLAGS_OF | FFLAGS_NX;
    }
    if (inexact) {
        *flags |= tiny ? FFLAGS_UF | FFLAGS_NX : FFLAGS_NX;
    }
    uint64_t bits = oracle_store(f, rounded);

    mpfr_clears(exact, rounded, (mpfr_ptr)NULL);
    return bits;
}

/* The other four modes, with libmpfr's own exponent range and subnormal rounding. */
static inline uint64_t oracle_native(const OracleFormat *f, OracleOp op, mpfr_t in[3],
                                     mpfr_rnd_t round, uint8_t *flags)
{
    mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
    mpfr_t r;

    mpfr_init2(r, f->precision);
    int ternary = oracle_compute(op, r, in, round);
    bool tiny = mpfr_regular_p(r) && mpfr_get_exp(r) < oracle_emin_normal(f);

    mpfr_set_emin(oracle_emin(f));
    mpfr_set_emax(oracle_emax(f));
    mpfr_clear_flags();
    ternary = mpfr_check_range(r, ternary, round);
    ternary = mpfr_subnormalize(r, ternary, round);
    if (mpfr_overflow_p()) {
        *flags |= FFLAGS_OF | FFLAGS_NX;
    }
    if (ternary != 0) {
        *flags |= tiny ? FFLAGS_UF | FFLAGS_NX : FFLAGS_NX;
    }
    mpfr_set_emin(emin);
    mpfr_set_emax(emax);
    uint64_t bits = oracle_store(f, r);

    mpfr_clear(r);
    return bits;
}

/* Return the result of the operation according to IEEE 754 and the RISC-V manual: the bits, and the
 * flags raised. */
static inline uint64_t oracle_result(const OracleFormat *f, OracleOp op, mpfr_t in[3], unsigned rm,
                                     uint8_t *flags)
{
    static const mpfr_rnd_t rounds[] = { MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU };

    if (op == OP_DIV && mpfr_zero_p(in[1]) && mpfr_regular_p(in[0])) {
        *flags |= FFLAGS_DZ;
    }
    uint64_t bits =
        rm == FRM_RMM ? oracle_rmm(f, op, in, flags) : oracle_native(f, op, in, rounds[rm], flags);

    if (oracle_is_nan(f, bits)) {
        *flags |= FFLAGS_NV;
        return oracle_nan(f);
    }
    return bits;
}

/* Like the function above for operands given as bits of a format, with the rules for NaN
 * operands. */
static inline uint64_t oracle_bits(const OracleFormat *from, const OracleFormat *to, OracleOp op,
                                   int arity, const uint64_t x[3], unsigned rm, uint8_t *flags)
{
    mpfr_t in[3];
    bool nan = false;
    uint64_t bits;

    mpfr_inits2(53, in[0], in[1], in[2], (mpfr_ptr)NULL);
    for (int i = 0; i < arity; i++) {
        nan = nan || oracle_is_nan(from, x[i]);
        *flags |= oracle_is_snan(from, x[i]) ? FFLAGS_NV : 0;
        oracle_load(from, in[i], x[i]);
    }
    if (nan) {
        bits = oracle_nan(to);
        if (op == OP_FMA && ((mpfr_inf_p(in[0]) && mpfr_zero_p(in[1])) ||
                             (mpfr_zero_p(in[0]) && mpfr_inf_p(in[1])))) {
            *flags |= FFLAGS_NV;
        }
    } else {
        bits = oracle_result(to, op, in, rm, flags);
    }
    mpfr_clears(in[0], in[1], in[2], (mpfr_ptr)NULL);
    return bits;
}

#endif
