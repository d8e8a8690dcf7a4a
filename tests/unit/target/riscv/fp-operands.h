/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands for the floating-point tests: the special values of a format, and random numbers that
 * hit the interesting cases more often than uniform bits would.
 */
#ifndef TESTS_FP_OPERANDS_H
#define TESTS_FP_OPERANDS_H

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    int frac_bits;
    int exp_bits;
} OperandFormat;

/* A fixed sequence, so that a failure is reproducible. */
static inline uint64_t operand_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Return the number of random operands of a test. BACKPLANE_FP_RANDOM=N overrides it. */
static inline unsigned long operand_count(unsigned long usual)
{
    const char *text = g_getenv("BACKPLANE_FP_RANDOM");

    return text ? strtoul(text, NULL, 0) : usual;
}

/* The distinct special values. few omits most exponents, for operations with three operands. */
static inline GArray *operand_specials(OperandFormat f, gboolean few)
{
    const int bias = (1 << (f.exp_bits - 1)) - 1, max = 2 * bias + 1, p = f.frac_bits;
    const uint64_t ones = (UINT64_C(1) << p) - 1, half = UINT64_C(1) << (p - 1);
    const int exps[] = { 0,
                         1,
                         bias,
                         max - 1,
                         max,
                         2,
                         p,
                         p + 1,
                         bias - 1,
                         bias + 1,
                         bias - p,
                         bias - p - 1,
                         bias + p,
                         bias + 30,
                         bias + 31,
                         bias + 32,
                         bias + 62,
                         bias + 63,
                         bias + 64,
                         max - 2,
                         bias / 2,
                         bias / 2 + 1,
                         bias + bias / 2 };
    const uint64_t fracs[] = { 0, 1, ones, half, ones - 1, half + 1, half - 1, half | half >> 1 };
    GArray *values = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (guint e = 0; e < (few ? 6 : G_N_ELEMENTS(exps)); e++) {
        for (guint i = 0; i < (few ? 4 : G_N_ELEMENTS(fracs)); i++) {
            for (uint64_t sign = 0; sign < 2; sign++) {
                uint64_t exp = (uint64_t)exps[e] & (uint64_t)max;
                uint64_t bits = (sign << f.exp_bits | exp) << p | fracs[i];

                g_array_append_val(values, bits);
            }
        }
    }
    return values;
}

/*
 * Return a random operand. near, if not 0, is another operand whose exponent it should be close to,
 * so that sums cancel and carry.
 */
static inline uint64_t operand_pick(OperandFormat f, uint64_t *state, uint64_t near)
{
    const uint64_t exp_mask = (UINT64_C(1) << f.exp_bits) - 1;
    uint64_t choice = operand_random(state), bits = operand_random(state);
    uint64_t frac = bits & ((UINT64_C(1) << f.frac_bits) - 1);
    uint64_t exp = bits >> f.frac_bits & exp_mask, sign = choice >> 63;
    unsigned cut = choice >> 32 & 63;

    switch (choice & 3) {
    case 1: /* a long run of equal bits at the end, for ties and carries */
        frac = choice & 4 ? frac >> cut << cut : frac | ((UINT64_C(1) << cut) - 1);
        frac &= (UINT64_C(1) << f.frac_bits) - 1;
        break;
    case 2: /* the middle of the range, where products and quotients stay normal */
        exp = (exp_mask >> 1) - 8 + (exp & 15);
        break;
    }
    if (near != 0 && choice & 8) {
        exp = ((near >> f.frac_bits) + (choice >> 8) % 7 - 3) & exp_mask;
    } else if (choice & 16 && choice & 32) {
        exp = (exp & 3) * (uint64_t)f.frac_bits / 2; /* subnormal, or not far from it */
    }
    return (sign << f.exp_bits | exp) << f.frac_bits | frac;
}

#endif
