/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of F, D and Zfh: add, subtract, multiply, divide, square root, fused multiply-add.
 */
#include <math.h>
#include "target/riscv/sem_fp_core_internal.h"
#include "target/riscv/sem_fp_host_internal.h"

FP_INLINE uint64_t fp_normalise_pack(FpFormat f, bool sign, int exp, uint64_t sig, unsigned rm,
                                     uint8_t *fflags)
{
    int shift = __builtin_clzll(sig) - (63 - FP_SIG_TOP);

    if (shift < 0) {
        sig = fp_shift_jam(sig, 1);
    } else {
        sig <<= shift;
    }
    return fp_round_pack(f, sign, exp - shift, sig, rm, fflags);
}

/* Return a sum with an operand that is zero, infinite or NaN; a_bits and b_bits are the operands.
 */
FP_INLINE uint64_t fp_add_special(FpFormat f, FpNum a, FpNum b, uint64_t a_bits, uint64_t b_bits,
                                  unsigned rm, uint8_t *fflags)
{
    unsigned kinds = a.kind | b.kind;

    if (kinds & KIND_NAN) {
        return fp_nan_result(f, kinds, fflags);
    }
    if (a.kind == KIND_INF) {
        return b.kind == KIND_INF && a.sign != b.sign ? fp_invalid(f, fflags) : a_bits;
    }
    if (a.kind == KIND_ZERO && b.kind == KIND_ZERO) {
        return fp_zero(f, a.sign == b.sign ? a.sign : fp_sum_zero_sign(rm));
    }
    return a.kind == KIND_ZERO || b.kind == KIND_INF ? b_bits : a_bits;
}

FP_INLINE uint64_t fp_add(FpFormat f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                          uint8_t *fflags)
{
    FpNum a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);

    if (!FP_LIKELY((a.kind | b.kind) == KIND_FINITE)) {
        return fp_add_special(f, a, b, a_bits, b_bits, rm, fflags);
    }
    if (a.exp < b.exp) {
        FpNum swap = a;

        a = b;
        b = swap;
    }
    b.sig = fp_shift_jam(b.sig, a.exp - b.exp);
    if (a.sign == b.sign) {
        return fp_normalise_pack(f, a.sign, a.exp, a.sig + b.sig, rm, fflags);
    }
    if (a.sig == b.sig) {
        return fp_zero(f, fp_sum_zero_sign(rm));
    }
    bool less = a.sig < b.sig;
    uint64_t difference = less ? b.sig - a.sig : a.sig - b.sig;

    return fp_normalise_pack(f, a.sign != less, a.exp, difference, rm, fflags);
}

FP_INLINE uint64_t fp_mul(FpFormat f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                          uint8_t *fflags)
{
    FpNum a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);
    bool sign = a.sign != b.sign;
    unsigned kinds = a.kind | b.kind;

    if (!FP_LIKELY(kinds == KIND_FINITE)) {
        if (kinds & KIND_NAN) {
            return fp_nan_result(f, kinds, fflags);
        }
        if (kinds & KIND_INF) {
            return kinds & KIND_ZERO ? fp_invalid(f, fflags) : fp_inf(f, sign);
        }
        return fp_zero(f, sign);
    }
    uint64_t sig = fp_narrow_jam((FpWide)a.sig * b.sig, FP_SIG_TOP);
    int carry = sig >> 63;

    return fp_round_pack(f, sign, a.exp + b.exp + carry, sig >> carry | (sig & carry), rm, fflags);
}

FP_INLINE uint64_t fp_div_special(FpFormat f, FpNum a, FpNum b, uint8_t *fflags)
{
    bool sign = a.sign != b.sign;
    unsigned kinds = a.kind | b.kind;

    if (kinds & KIND_NAN) {
        return fp_nan_result(f, kinds, fflags);
    }
    if (a.kind == b.kind) {
        return fp_invalid(f, fflags);
    }
    if (a.kind == KIND_INF) {
        return fp_inf(f, sign);
    }
    if (b.kind == KIND_ZERO) {
        *fflags |= FFLAGS_DZ;
        return fp_inf(f, sign);
    }
    return fp_zero(f, sign);
}

FP_INLINE uint64_t fp_div(FpFormat f, uint64_t a_bits, uint64_t b_bits, unsigned rm,
                          uint8_t *fflags)
{
    FpNum a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits);

    if (!FP_LIKELY((a.kind | b.kind) == KIND_FINITE)) {
        return fp_div_special(f, a, b, fflags);
    }
    int borrow = a.sig < b.sig;
    FpWide dividend = (FpWide)a.sig << (FP_SIG_TOP + borrow);
    uint64_t quotient = (uint64_t)(dividend / b.sig);
    bool inexact = (uint64_t)dividend != quotient * b.sig;

    return fp_round_pack(f, a.sign != b.sign, a.exp - b.exp - borrow, quotient | inexact, rm,
                         fflags);
}

/*
 * Return the square root of sig * 2^46, 2^62 <= sig < 2^64, rounded down, and in *exact whether it
 * is exact. The error of the host's estimate is a few units at most. The loops correct the
 * estimate, and the remainder is so small that its low 64 bits are sufficient.
 */
FP_INLINE uint64_t fp_integer_sqrt(uint64_t sig, bool *exact)
{
    uint64_t root = (uint64_t)(sqrt((double)sig) * 0x1p23);
    int64_t remainder = (int64_t)((sig << 46) - root * root);

    while (remainder < 0) {
        root--;
        remainder += (int64_t)(2 * root + 1);
    }
    while (remainder > (int64_t)(2 * root)) {
        remainder -= (int64_t)(2 * root + 1);
        root++;
    }
    *exact = remainder == 0;
    return root;
}

FP_INLINE uint64_t fp_sqrt(FpFormat f, uint64_t bits, unsigned rm, uint8_t *fflags)
{
    FpNum a = fp_unpack(f, bits);
    bool exact;

    if (a.kind & KIND_NAN) {
        return fp_nan_result(f, a.kind, fflags);
    }
    if (a.kind == KIND_ZERO || (a.kind == KIND_INF && !a.sign)) {
        return bits;
    }
    if (a.sign) {
        return fp_invalid(f, fflags);
    }
    int odd = a.exp & 1;
    uint64_t root = fp_integer_sqrt(a.sig << odd, &exact);

    return fp_round_pack(f, false, (a.exp - odd) / 2, root << 8 | !exact, rm, fflags);
}

/* Return a*b + c if an operand is zero, infinite or NaN, except for a product that is finite and
 * not zero with c zero. */
FP_INLINE uint64_t fp_fma_special(FpFormat f, FpNum a, FpNum b, FpNum c, uint64_t c_bits,
                                  unsigned rm, uint8_t *fflags)
{
    bool sign = a.sign != b.sign;
    unsigned factors = a.kind | b.kind;

    if (factors == (KIND_INF | KIND_ZERO)) {
        return fp_invalid(f, fflags);
    }
    if ((factors | c.kind) & KIND_NAN) {
        return fp_nan_result(f, factors | c.kind, fflags);
    }
    if (factors & KIND_INF) {
        return c.kind == KIND_INF && c.sign != sign ? fp_invalid(f, fflags) : fp_inf(f, sign);
    }
    if (c.kind == KIND_ZERO) {
        return fp_zero(f, sign == c.sign ? sign : fp_sum_zero_sign(rm));
    }
    return c_bits;
}

FP_INLINE uint64_t fp_normalise_pack_wide(FpFormat f, bool sign, int exp, FpWide sum, unsigned rm,
                                          uint8_t *fflags)
{
    uint64_t high = (uint64_t)(sum >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)sum);

    return fp_round_pack(f, sign, exp + 1 - shift, fp_narrow_jam(sum << shift, 65), rm, fflags);
}

/* Return the rounded sum of two numbers, each wide / 2^126 * 2^exp with bit 126 the highest set
 * bit. */
FP_INLINE uint64_t fp_add_wide(FpFormat f, FpNum a, FpWide a_wide, FpNum b, FpWide b_wide,
                               unsigned rm, uint8_t *fflags)
{
    int exp = a.exp > b.exp ? a.exp : b.exp;

    a_wide = fp_shift_jam_wide(a_wide, exp - a.exp);
    b_wide = fp_shift_jam_wide(b_wide, exp - b.exp);
    if (a.sign == b.sign) {
        return fp_normalise_pack_wide(f, a.sign, exp, a_wide + b_wide, rm, fflags);
    }
    if (a_wide == b_wide) {
        return fp_zero(f, fp_sum_zero_sign(rm));
    }
    bool less = a_wide < b_wide;
    FpWide difference = less ? b_wide - a_wide : a_wide - b_wide;

    return fp_normalise_pack_wide(f, a.sign != less, exp, difference, rm, fflags);
}

FP_INLINE uint64_t fp_fma(FpFormat f, uint64_t a_bits, uint64_t b_bits, uint64_t c_bits,
                          unsigned rm, uint8_t *fflags)
{
    FpNum a = fp_unpack(f, a_bits), b = fp_unpack(f, b_bits), c = fp_unpack(f, c_bits);

    if ((a.kind | b.kind) != KIND_FINITE || c.kind & ~KIND_ZERO) {
        return fp_fma_special(f, a, b, c, c_bits, rm, fflags);
    }
    FpWide product = ((FpWide)a.sig * b.sig) << 1;
    FpNum p = { .exp = a.exp + b.exp, .sign = a.sign != b.sign };

    if (product >> 126) {
        p.exp++;
    } else {
        product <<= 1;
    }
    if (c.kind == KIND_ZERO) {
        return fp_normalise_pack_wide(f, p.sign, p.exp, product, rm, fflags);
    }
    return fp_add_wide(f, p, product, c, (FpWide)c.sig << 64, rm, fflags);
}

uint32_t sem_fadd_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(fp_host_s(a) + fp_host_s(b));
    return (uint32_t)fp_add(fp_single, a, b, rm, fflags);
}

uint32_t sem_fsub_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(fp_host_s(a) - fp_host_s(b));
    return (uint32_t)fp_add(fp_single, a, b ^ FP32_SIGN, rm, fflags);
}

uint32_t sem_fmul_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(fp_host_s(a) * fp_host_s(b));
    return (uint32_t)fp_mul(fp_single, a, b, rm, fflags);
}

uint32_t sem_fdiv_s(uint32_t a, uint32_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(fp_host_s(a) / fp_host_s(b));
    return (uint32_t)fp_div(fp_single, a, b, rm, fflags);
}

uint32_t sem_fsqrt_s(uint32_t a, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(sqrtf(fp_host_s(a)));
    return (uint32_t)fp_sqrt(fp_single, a, rm, fflags);
}

uint64_t sem_fadd_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(fp_host_d(a) + fp_host_d(b));
    return fp_add(fp_double, a, b, rm, fflags);
}

uint64_t sem_fsub_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(fp_host_d(a) - fp_host_d(b));
    return fp_add(fp_double, a, b ^ FP64_SIGN, rm, fflags);
}

uint64_t sem_fmul_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(fp_host_d(a) * fp_host_d(b));
    return fp_mul(fp_double, a, b, rm, fflags);
}

uint64_t sem_fdiv_d(uint64_t a, uint64_t b, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(fp_host_d(a) / fp_host_d(b));
    return fp_div(fp_double, a, b, rm, fflags);
}

uint64_t sem_fsqrt_d(uint64_t a, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(sqrt(fp_host_d(a)));
    return fp_sqrt(fp_double, a, rm, fflags);
}

uint32_t sem_fmadd_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_S(fmaf(fp_host_s(a), fp_host_s(b), fp_host_s(c)));
    return (uint32_t)fp_fma(fp_single, a, b, c, rm, fflags);
}

uint32_t sem_fmsub_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_s(a, b, c ^ FP32_SIGN, rm, fflags);
}

uint32_t sem_fnmsub_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_s(a ^ FP32_SIGN, b, c, rm, fflags);
}

uint32_t sem_fnmadd_s(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_s(a ^ FP32_SIGN, b, c ^ FP32_SIGN, rm, fflags);
}

uint64_t sem_fmadd_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags)
{
    FP_TRY_HOST_D(fma(fp_host_d(a), fp_host_d(b), fp_host_d(c)));
    return fp_fma(fp_double, a, b, c, rm, fflags);
}

uint64_t sem_fmsub_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_d(a, b, c ^ FP64_SIGN, rm, fflags);
}

uint64_t sem_fnmsub_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_d(a ^ FP64_SIGN, b, c, rm, fflags);
}

uint64_t sem_fnmadd_d(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_d(a ^ FP64_SIGN, b, c ^ FP64_SIGN, rm, fflags);
}

uint16_t sem_fadd_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_add(fp_half, a, b, rm, fflags);
}

uint16_t sem_fmul_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_mul(fp_half, a, b, rm, fflags);
}

uint16_t sem_fdiv_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_div(fp_half, a, b, rm, fflags);
}

uint16_t sem_fsub_h(uint16_t a, uint16_t b, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_add(fp_half, a, b ^ FP16_SIGN, rm, fflags);
}

uint16_t sem_fsqrt_h(uint16_t a, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_sqrt(fp_half, a, rm, fflags);
}

uint16_t sem_fmadd_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags)
{
    return (uint16_t)fp_fma(fp_half, a, b, c, rm, fflags);
}

uint16_t sem_fmsub_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_h(a, b, c ^ FP16_SIGN, rm, fflags);
}

uint16_t sem_fnmsub_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_h(a ^ FP16_SIGN, b, c, rm, fflags);
}

uint16_t sem_fnmadd_h(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *fflags)
{
    return sem_fmadd_h(a ^ FP16_SIGN, b, c ^ FP16_SIGN, rm, fflags);
}
