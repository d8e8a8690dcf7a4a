/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of the F, D, Zfh and Zfa extensions (RISC-V unprivileged ISA, chapters "F", "D",
 * "Zfh" and "Zfa", version 20191213 and later) as pure functions on bit patterns: no CPU state, no
 * memory.
 *
 * Conventions of every function below:
 * - A half is a uint16_t, a single a uint32_t, a double a uint64_t: IEEE 754-2019 binary16,
 *   binary32 and binary64.
 *   Reading and writing the 64-bit f registers goes through fp_unbox() and fp_box().
 * - rm is a rounding mode, FRM_RNE to FRM_RMM. The caller has resolved the dynamic mode and has
 *   raised an illegal instruction for the reserved modes; any other value rounds as FRM_RMM.
 * - Exceptions are ORed into *fflags in the bit order of fcsr; no bit is cleared.
 * - A NaN result is the canonical NaN. Tininess is detected after rounding.
 * - Any thread may call it, and it never fails.
 */
#ifndef TARGET_RISCV_SEM_FP_H
#define TARGET_RISCV_SEM_FP_H

#include <stdbool.h>
#include <stdint.h>

/* Accrued exceptions: the fflags field of fcsr. */
enum {
    FFLAGS_NX = 1 << 0, /* inexact */
    FFLAGS_UF = 1 << 1, /* underflow */
    FFLAGS_OF = 1 << 2, /* overflow */
    FFLAGS_DZ = 1 << 3, /* division by zero */
    FFLAGS_NV = 1 << 4, /* invalid operation */
};

/* Rounding modes: the frm field of fcsr and the rm field of an instruction. */
enum {
    FRM_RNE = 0, /* nearest, ties to even */
    FRM_RTZ = 1, /* towards zero */
    FRM_RDN = 2, /* down */
    FRM_RUP = 3, /* up */
    FRM_RMM = 4, /* nearest, ties to the larger magnitude */
    FRM_DYN = 7, /* in an instruction only: the mode in frm */
};

#define FP16_SIGN          0x8000
#define FP16_CANONICAL_NAN 0x7e00
#define FP32_SIGN          UINT32_C(0x80000000)
#define FP64_SIGN          UINT64_C(0x8000000000000000)
#define FP32_CANONICAL_NAN UINT32_C(0x7fc00000)
#define FP64_CANONICAL_NAN UINT64_C(0x7ff8000000000000)

/* Return the f register of a single: the upper half is all ones. */
static inline uint64_t fp_box(uint32_t single)
{
    return UINT64_C(0xffffffff00000000) | single;
}

/* Return the single in an f register; the canonical NaN if it is not NaN-boxed. */
static inline uint32_t fp_unbox(uint64_t reg)
{
    return reg >> 32 == UINT32_MAX ? (uint32_t)reg : FP32_CANONICAL_NAN;
}

/* Return the f register of a half: the upper 48 bits are ones. */
static inline uint64_t fp_box_h(uint16_t half)
{
    return UINT64_C(0xffffffffffff0000) | half;
}

/* Return the half in an f register; the canonical NaN if it is not NaN-boxed. */
static inline uint16_t fp_unbox_h(uint64_t reg)
{
    return reg >> 16 == UINT64_C(0xffffffffffff) ? (uint16_t)reg : FP16_CANONICAL_NAN;
}

/* a + b, a - b, a * b, a / b, square root. */
uint32_t sem_fadd_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags);
uint32_t sem_fsub_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags);
uint32_t sem_fmul_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags);
uint32_t sem_fdiv_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags);
uint32_t sem_fsqrt_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fadd_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags);
uint64_t sem_fsub_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags);
uint64_t sem_fmul_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags);
uint64_t sem_fdiv_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags);
uint64_t sem_fsqrt_d(uint64_t a, unsigned rm, uint8_t *fflags);

/*
 * Fused multiply-add with one rounding. fmadd = a*b + c, fmsub = a*b - c, fnmsub = -(a*b) + c,
 * fnmadd = -(a*b) - c. Infinity times zero is invalid even when c is a quiet NaN.
 */
uint32_t sem_fmadd_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags);
uint32_t sem_fmsub_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags);
uint32_t sem_fnmsub_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags);
uint32_t sem_fnmadd_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags);
uint64_t sem_fmadd_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags);
uint64_t sem_fmsub_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags);
uint64_t sem_fnmsub_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags);
uint64_t sem_fnmadd_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags);

/*
 * minimumNumber and maximumNumber of IEEE 754-2019. A number and a NaN give the number, two NaNs
 * give the canonical NaN, -0 is below +0, and a signalling NaN raises NV.
 */
uint32_t sem_fmin_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint32_t sem_fmax_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_fmin_d(uint64_t a, uint64_t b, uint8_t *fflags);
uint64_t sem_fmax_d(uint64_t a, uint64_t b, uint8_t *fflags);

/*
 * Comparisons. Return 1 or 0; a comparison with a NaN is 0. feq raises NV for a signalling NaN
 * only, flt and fle for any NaN.
 */
uint64_t sem_feq_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_flt_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_fle_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_feq_d(uint64_t a, uint64_t b, uint8_t *fflags);
uint64_t sem_flt_d(uint64_t a, uint64_t b, uint8_t *fflags);
uint64_t sem_fle_d(uint64_t a, uint64_t b, uint8_t *fflags);

/* Return the class as one of 10 bits, from bit 0: -inf, -normal, -subnormal, -0, +0, +subnormal,
 * +normal, +inf, sNaN, qNaN. */
uint64_t sem_fclass_s(uint32_t a);
uint64_t sem_fclass_d(uint64_t a);

/* Sign injection: the bits of a with the sign of b, its opposite, or the exclusive or of both. */
static inline uint32_t sem_fsgnj_s(uint32_t a, uint32_t b)
{
    return (a & ~FP32_SIGN) | (b & FP32_SIGN);
}

static inline uint32_t sem_fsgnjn_s(uint32_t a, uint32_t b)
{
    return (a & ~FP32_SIGN) | (~b & FP32_SIGN);
}

static inline uint32_t sem_fsgnjx_s(uint32_t a, uint32_t b)
{
    return a ^ (b & FP32_SIGN);
}

static inline uint64_t sem_fsgnj_d(uint64_t a, uint64_t b)
{
    return (a & ~FP64_SIGN) | (b & FP64_SIGN);
}

static inline uint64_t sem_fsgnjn_d(uint64_t a, uint64_t b)
{
    return (a & ~FP64_SIGN) | (~b & FP64_SIGN);
}

static inline uint64_t sem_fsgnjx_d(uint64_t a, uint64_t b)
{
    return a ^ (b & FP64_SIGN);
}

/*
 * Convert to an integer. A 32-bit result, signed or unsigned, is sign-extended to 64 bits. A value
 * that is out of range after rounding gives the nearest limit and a NaN the largest value; both
 * raise NV and not NX.
 */
uint64_t sem_fcvt_w_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_wu_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_l_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_lu_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_w_d(uint64_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_wu_d(uint64_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_l_d(uint64_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_lu_d(uint64_t a, unsigned rm, uint8_t *fflags);

/* Convert from an integer. x is an x register; the w and wu forms use only its low 32 bits. */
uint32_t sem_fcvt_s_w(uint64_t x, unsigned rm, uint8_t *fflags);
uint32_t sem_fcvt_s_wu(uint64_t x, unsigned rm, uint8_t *fflags);
uint32_t sem_fcvt_s_l(uint64_t x, unsigned rm, uint8_t *fflags);
uint32_t sem_fcvt_s_lu(uint64_t x, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_w(uint64_t x, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_wu(uint64_t x, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_l(uint64_t x, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_lu(uint64_t x, unsigned rm, uint8_t *fflags);

/* Convert between the formats. Widening is exact; it has rm only for a uniform signature. */
uint32_t sem_fcvt_s_d(uint64_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_s(uint32_t a, unsigned rm, uint8_t *fflags);

/* --- Zfh: as the functions above, for halves --- */

uint16_t sem_fadd_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags);
uint16_t sem_fsub_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags);
uint16_t sem_fmul_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags);
uint16_t sem_fdiv_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags);
uint16_t sem_fsqrt_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint16_t sem_fmadd_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags);
uint16_t sem_fmsub_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags);
uint16_t sem_fnmsub_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags);
uint16_t sem_fnmadd_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags);
uint16_t sem_fmin_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint16_t sem_fmax_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_feq_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_flt_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_fle_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_fclass_h(uint16_t a);
uint64_t sem_fcvt_w_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_wu_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_l_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_lu_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_w(uint64_t x, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_wu(uint64_t x, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_l(uint64_t x, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_lu(uint64_t x, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_s(uint32_t a, unsigned rm, uint8_t *fflags);
uint32_t sem_fcvt_s_h(uint16_t a, unsigned rm, uint8_t *fflags);
uint16_t sem_fcvt_h_d(uint64_t a, unsigned rm, uint8_t *fflags);
uint64_t sem_fcvt_d_h(uint16_t a, unsigned rm, uint8_t *fflags);

static inline uint16_t sem_fsgnj_h(uint16_t a, uint16_t b)
{
    return (a & ~FP16_SIGN) | (b & FP16_SIGN);
}

static inline uint16_t sem_fsgnjn_h(uint16_t a, uint16_t b)
{
    return (a & ~FP16_SIGN) | (~b & FP16_SIGN);
}

static inline uint16_t sem_fsgnjx_h(uint16_t a, uint16_t b)
{
    return a ^ (b & FP16_SIGN);
}

/* --- Zfa --- */

/* minimum and maximum of IEEE 754-2019: the canonical NaN if an operand is NaN. */
uint32_t sem_fminm_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint32_t sem_fmaxm_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint16_t sem_fminm_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint16_t sem_fmaxm_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_fminm_d(uint64_t a, uint64_t b, uint8_t *fflags);
uint64_t sem_fmaxm_d(uint64_t a, uint64_t b, uint8_t *fflags);
/* Comparisons that raise NV for a signalling NaN only. */
uint64_t sem_fltq_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_fleq_s(uint32_t a, uint32_t b, uint8_t *fflags);
uint64_t sem_fltq_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_fleq_h(uint16_t a, uint16_t b, uint8_t *fflags);
uint64_t sem_fltq_d(uint64_t a, uint64_t b, uint8_t *fflags);
uint64_t sem_fleq_d(uint64_t a, uint64_t b, uint8_t *fflags);
/* Round to an integral number. `inexact`: raise NX if the value changes (froundnx). */
uint32_t sem_fround_s(uint32_t a, bool inexact, unsigned rm, uint8_t *fflags);
uint16_t sem_fround_h(uint16_t a, bool inexact, unsigned rm, uint8_t *fflags);
uint64_t sem_fround_d(uint64_t a, bool inexact, unsigned rm, uint8_t *fflags);
/* Return constant 0 to 31 of fli. */
uint32_t sem_fli_s(unsigned number);
uint16_t sem_fli_h(unsigned number);
uint64_t sem_fli_d(unsigned number);
/* Convert towards zero to an integer modulo 2^32, sign-extended; the flags are those of fcvt.w.d.
 */
uint64_t sem_fcvtmod_w_d(uint64_t a, uint8_t *fflags);

#endif
