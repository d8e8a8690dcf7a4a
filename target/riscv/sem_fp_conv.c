/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversions of F, D, Zfh and Zfa: to and from integers, to integral numbers, and between the
 * formats.
 */
#include "target/riscv/sem_fp_core_internal.h"

/* The largest and the smallest value of an integer type, as bits and as magnitudes. */
typedef struct {
    uint64_t max; /* also its magnitude */
    uint64_t min;
    uint64_t min_magnitude;
} FpIntType;

static const FpIntType fp_w = { INT32_MAX, (uint64_t)INT32_MIN, UINT64_C(1) << 31 };
static const FpIntType fp_wu = { UINT32_MAX, 0, 0 };
static const FpIntType fp_l = { INT64_MAX, (uint64_t)INT64_MIN, UINT64_C(1) << 63 };
static const FpIntType fp_lu = { UINT64_MAX, 0, 0 };

FP_INLINE bool fp_round_up(unsigned rm, bool sign, bool odd, uint64_t fraction)
{
    const uint64_t half = UINT64_C(1) << 63;

    switch (rm) {
    case FRM_RNE:
        return fraction > half || (fraction == half && odd);
    case FRM_RTZ:
        return false;
    case FRM_RDN:
        return sign && fraction != 0;
    case FRM_RUP:
        return !sign && fraction != 0;
    default:
        return fraction >= half;
    }
}

FP_INLINE uint64_t fp_to_int_limit(FpIntType type, bool low, uint8_t *fflags)
{
    *fflags |= FFLAGS_NV;
    return low ? type.min : type.max;
}

FP_INLINE uint64_t fp_to_int(FpFormat f, uint64_t bits, FpIntType type, unsigned rm,
                             uint8_t *fflags)
{
    FpNum a = fp_unpack(f, bits);

    if (a.kind == KIND_ZERO) {
        return 0;
    }
    if (a.kind != KIND_FINITE || a.exp > 63) {
        return fp_to_int_limit(type, a.sign && !(a.kind & KIND_NAN), fflags);
    }
    /* 64 bits of integer, 64 bits of fraction. In no format can rounding overflow. */
    FpWide fixed = fp_shift_jam_wide((FpWide)a.sig << 65, 63 - a.exp);
    uint64_t magnitude = (uint64_t)(fixed >> 64), fraction = (uint64_t)fixed;

    magnitude += fp_round_up(rm, a.sign, magnitude & 1, fraction);
    if (magnitude > (a.sign ? type.min_magnitude : type.max)) {
        return fp_to_int_limit(type, a.sign, fflags);
    }
    if (fraction != 0) {
        *fflags |= FFLAGS_NX;
    }
    return a.sign ? -magnitude : magnitude;
}

/* Sign-extend a 32-bit result, signed or unsigned, for an x register. */
FP_INLINE uint64_t fp_sext(uint64_t value)
{
    return (uint64_t)(int32_t)value;
}

FP_INLINE uint64_t fp_from_int(FpFormat f, uint64_t magnitude, bool sign, unsigned rm,
                               uint8_t *fflags)
{
    if (magnitude == 0) {
        return fp_zero(f, false);
    }
    int shift = __builtin_clzll(magnitude);
    uint64_t sig = fp_shift_jam(magnitude << shift, 1);

    return fp_round_pack(f, sign, 63 - shift, sig, rm, fflags);
}

FP_INLINE uint64_t fp_from_signed(FpFormat f, int64_t value, unsigned rm, uint8_t *fflags)
{
    bool sign = value < 0;

    return fp_from_int(f, sign ? -(uint64_t)value : (uint64_t)value, sign, rm, fflags);
}

uint64_t sem_fcvt_w_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_single, a, fp_w, rm, fflags));
}

uint64_t sem_fcvt_wu_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_single, a, fp_wu, rm, fflags));
}

uint64_t sem_fcvt_l_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_single, a, fp_l, rm, fflags);
}

uint64_t sem_fcvt_lu_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_single, a, fp_lu, rm, fflags);
}

uint64_t sem_fcvt_w_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_double, a, fp_w, rm, fflags));
}

uint64_t sem_fcvt_wu_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_double, a, fp_wu, rm, fflags));
}

uint64_t sem_fcvt_l_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_double, a, fp_l, rm, fflags);
}

uint64_t sem_fcvt_lu_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_double, a, fp_lu, rm, fflags);
}

uint32_t sem_fcvt_s_w(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_from_signed(fp_single, (int32_t)x, rm, fflags);
}

uint32_t sem_fcvt_s_wu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_from_int(fp_single, (uint32_t)x, false, rm, fflags);
}

uint32_t sem_fcvt_s_l(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_from_signed(fp_single, (int64_t)x, rm, fflags);
}

uint32_t sem_fcvt_s_lu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_from_int(fp_single, x, false, rm, fflags);
}

uint64_t sem_fcvt_d_w(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return fp_from_signed(fp_double, (int32_t)x, rm, fflags);
}

uint64_t sem_fcvt_d_wu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return fp_from_int(fp_double, (uint32_t)x, false, rm, fflags);
}

uint64_t sem_fcvt_d_l(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return fp_from_signed(fp_double, (int64_t)x, rm, fflags);
}

uint64_t sem_fcvt_d_lu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return fp_from_int(fp_double, x, false, rm, fflags);
}

FP_INLINE uint64_t fp_convert(FpFormat from, FpFormat to, uint64_t bits, unsigned rm,
                              uint8_t *fflags)
{
    FpNum a = fp_unpack(from, bits);

    if (FP_LIKELY(a.kind == KIND_FINITE)) {
        return fp_round_pack(to, a.sign, a.exp, a.sig, rm, fflags);
    }
    if (a.kind & KIND_NAN) {
        return fp_nan_result(to, a.kind, fflags);
    }
    return a.kind == KIND_INF ? fp_inf(to, a.sign) : fp_zero(to, a.sign);
}

uint32_t sem_fcvt_s_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_convert(fp_double, fp_single, a, rm, fflags);
}

uint64_t sem_fcvt_d_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return fp_convert(fp_single, fp_double, a, rm, fflags);
}

uint64_t sem_fcvt_w_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_half, a, fp_w, rm, fflags));
}

uint64_t sem_fcvt_wu_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return fp_sext(fp_to_int(fp_half, a, fp_wu, rm, fflags));
}

uint64_t sem_fcvt_l_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_half, a, fp_l, rm, fflags);
}

uint64_t sem_fcvt_lu_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return fp_to_int(fp_half, a, fp_lu, rm, fflags);
}

uint16_t sem_fcvt_h_w(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_from_signed(fp_half, (int32_t)x, rm, fflags);
}

uint16_t sem_fcvt_h_wu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_from_int(fp_half, (uint32_t)x, false, rm, fflags);
}

uint16_t sem_fcvt_h_l(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_from_signed(fp_half, (int64_t)x, rm, fflags);
}

uint16_t sem_fcvt_h_lu(uint64_t x, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_from_int(fp_half, x, false, rm, fflags);
}

uint16_t sem_fcvt_h_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_convert(fp_single, fp_half, a, rm, fflags);
}

uint32_t sem_fcvt_s_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_convert(fp_half, fp_single, a, rm, fflags);
}

uint16_t sem_fcvt_h_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_convert(fp_double, fp_half, a, rm, fflags);
}

uint64_t sem_fcvt_d_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return fp_convert(fp_half, fp_double, a, rm, fflags);
}

/* --- Zfa --- */

/* Round to an integral number of the same format. */
FP_INLINE uint64_t fp_round_to_integral(FpFormat f, uint64_t bits, bool inexact, unsigned rm,
                                        uint8_t *fflags)
{
    FpNum a = fp_unpack(f, bits);
    uint8_t ignored = 0;

    if (a.kind & KIND_NAN) {
        return fp_nan_result(f, a.kind, fflags);
    }
    if (a.kind != KIND_FINITE || a.exp >= f.frac_bits) {
        return bits;
    }
    FpWide fixed = fp_shift_jam_wide((FpWide)a.sig << 65, 63 - a.exp);
    uint64_t magnitude = (uint64_t)(fixed >> 64), fraction = (uint64_t)fixed;

    magnitude += fp_round_up(rm, a.sign, magnitude & 1, fraction);
    if (inexact && fraction != 0) {
        *fflags |= FFLAGS_NX;
    }
    if (magnitude == 0) {
        return fp_zero(f, a.sign);
    }
    return fp_from_int(f, magnitude, a.sign, rm, &ignored);
}

/* The constants of fli 2 to 30, as doubles; 1 is the smallest normal number of the format. */
FP_INLINE uint64_t fp_constant(FpFormat f, unsigned number)
{
    static const double values[32] = {
        [0] = -1.0,   [2] = 0x1p-16, [3] = 0x1p-15, [4] = 0x1p-8,   [5] = 0x1p-7,   [6] = 0.0625,
        [7] = 0.125,  [8] = 0.25,    [9] = 0.3125,  [10] = 0.375,   [11] = 0.4375,  [12] = 0.5,
        [13] = 0.625, [14] = 0.75,   [15] = 0.875,  [16] = 1.0,     [17] = 1.25,    [18] = 1.5,
        [19] = 1.75,  [20] = 2.0,    [21] = 2.5,    [22] = 3.0,     [23] = 4.0,     [24] = 8.0,
        [25] = 16.0,  [26] = 128.0,  [27] = 256.0,  [28] = 32768.0, [29] = 65536.0,
    };
    uint8_t ignored = 0;
    uint64_t bits;

    switch (number) {
    case 1:
        return UINT64_C(1) << f.frac_bits;
    case 30:
        return fp_inf(f, false);
    case 31:
        return fp_nan(f);
    default:
        __builtin_memcpy(&bits, &values[number & 31], sizeof(bits));
        return fp_convert(fp_double, f, bits, FRM_RNE, &ignored);
    }
}

uint32_t sem_fround_s(uint32_t a, bool inexact, unsigned rm, uint8_t *fflags)
{
    return (uint32_t)fp_round_to_integral(fp_single, a, inexact, rm, fflags);
}

uint32_t sem_fli_s(unsigned number)
{
    return (uint32_t)fp_constant(fp_single, number);
}

uint64_t sem_fround_d(uint64_t a, bool inexact, unsigned rm, uint8_t *fflags)
{
    return fp_round_to_integral(fp_double, a, inexact, rm, fflags);
}

uint64_t sem_fli_d(unsigned number)
{
    return fp_constant(fp_double, number);
}

uint16_t sem_fround_h(uint16_t a, bool inexact, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_round_to_integral(fp_half, a, inexact, rm, fflags);
}

uint16_t sem_fli_h(unsigned number)
{
    return (uint16_t)fp_constant(fp_half, number);
}

uint64_t sem_fcvtmod_w_d(uint64_t a, uint8_t *fflags)
{
    FpNum n = fp_unpack(fp_double, a);
    uint64_t magnitude;

    if (n.kind == KIND_ZERO) {
        return 0;
    }
    if (n.kind != KIND_FINITE) {
        *fflags |= FFLAGS_NV;
        return 0;
    }
    if (n.exp < 64) {
        sem_fcvt_w_d(a, FRM_RTZ, fflags); /* its flags are those of this instruction */
        magnitude = (uint64_t)(fp_shift_jam_wide((FpWide)n.sig << 65, 63 - n.exp) >> 64);
    } else {
        *fflags |= FFLAGS_NV;
        magnitude = n.exp - FP_SIG_TOP < 64 ? n.sig << (n.exp - FP_SIG_TOP) : 0;
    }
    return fp_sext(n.sign ? -magnitude : magnitude);
}
