/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sem_fp_conv.c compared with libmpfr, value and flags: every conversion of F, D, Zfh and Zfa, on
 * special and random operands, in every rounding mode.
 */
#include "fp-operands.h"
#include "fp-oracle.h"

typedef uint64_t ConvFn(uint64_t x, unsigned rm, uint8_t *fflags);

typedef struct {
    const char *name;
    ConvFn *fn;
    const OracleFormat *from; /* NULL: an integer */
    const OracleFormat *to;   /* or NULL */
    bool is_signed;
    int bits;
} Conv;

#define WRAP(name)                                                                                 \
    static uint64_t wrap_##name(uint64_t x, unsigned rm, uint8_t *fflags)                          \
    {                                                                                              \
        return sem_##name(x, rm, fflags);                                                          \
    }
#define WRAP_INT(f)                                                                                \
    WRAP(fcvt_w_##f)                                                                               \
    WRAP(fcvt_wu_##f)                                                                              \
    WRAP(fcvt_l_##f)                                                                               \
    WRAP(fcvt_lu_##f) WRAP(fcvt_##f##_w) WRAP(fcvt_##f##_wu) WRAP(fcvt_##f##_l) WRAP(fcvt_##f##_lu)
WRAP_INT(s)
WRAP_INT(d)
WRAP_INT(h)
WRAP(fcvt_s_d)
WRAP(fcvt_d_s)
WRAP(fcvt_s_h)
WRAP(fcvt_h_s)
WRAP(fcvt_d_h)
WRAP(fcvt_h_d)

#define ROWS(f, format)                                                                            \
    { "fcvt.w." #f, wrap_fcvt_w_##f, format, NULL, true, 32 },                                     \
        { "fcvt.wu." #f, wrap_fcvt_wu_##f, format, NULL, false, 32 },                              \
        { "fcvt.l." #f, wrap_fcvt_l_##f, format, NULL, true, 64 },                                 \
        { "fcvt.lu." #f, wrap_fcvt_lu_##f, format, NULL, false, 64 },                              \
        { "fcvt." #f ".w", wrap_fcvt_##f##_w, NULL, format, true, 32 },                            \
        { "fcvt." #f ".wu", wrap_fcvt_##f##_wu, NULL, format, false, 32 },                         \
        { "fcvt." #f ".l", wrap_fcvt_##f##_l, NULL, format, true, 64 },                            \
    {                                                                                              \
        "fcvt." #f ".lu", wrap_fcvt_##f##_lu, NULL, format, false, 64                              \
    }

static const Conv convs[] = {
    ROWS(s, &oracle_single),
    ROWS(d, &oracle_double),
    ROWS(h, &oracle_half),
    { "fcvt.s.d", wrap_fcvt_s_d, &oracle_double, &oracle_single, false, 0 },
    { "fcvt.d.s", wrap_fcvt_d_s, &oracle_single, &oracle_double, false, 0 },
    { "fcvt.s.h", wrap_fcvt_s_h, &oracle_half, &oracle_single, false, 0 },
    { "fcvt.h.s", wrap_fcvt_h_s, &oracle_single, &oracle_half, false, 0 },
    { "fcvt.d.h", wrap_fcvt_d_h, &oracle_half, &oracle_double, false, 0 },
    { "fcvt.h.d", wrap_fcvt_h_d, &oracle_double, &oracle_half, false, 0 },
};

/* The limit nearest to a number out of range; a 32-bit limit is sign-extended as in an x
 * register. */
static uint64_t int_limit(const Conv *conv, bool low)
{
    if (conv->is_signed) {
        return conv->bits == 32 ? low ? (uint64_t)INT32_MIN : (uint64_t)INT32_MAX
               : low            ? (uint64_t)INT64_MIN
                                : (uint64_t)INT64_MAX;
    }
    return low ? 0 : UINT64_MAX;
}

static uint64_t oracle_to_int(const Conv *conv, uint64_t x, unsigned rm, uint8_t *flags)
{
    static const mpfr_rnd_t rounds[] = { MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU };
    uint64_t result;
    mpfr_t value, whole;

    if (oracle_is_nan(conv->from, x)) {
        *flags |= FFLAGS_NV;
        return int_limit(conv, false);
    }
    mpfr_inits2(64, value, whole, (mpfr_ptr)NULL);
    oracle_load(conv->from, value, x);
    if (rm == FRM_RMM) {
        mpfr_round(whole, value);
    } else {
        mpfr_rint(whole, value, rounds[rm]);
    }
    bool fits = conv->bits == 32  ? conv->is_signed ? mpfr_fits_sint_p(whole, MPFR_RNDZ)
                                                    : mpfr_fits_uint_p(whole, MPFR_RNDZ)
                 : conv->is_signed ? mpfr_fits_slong_p(whole, MPFR_RNDZ)
                                  : mpfr_fits_ulong_p(whole, MPFR_RNDZ);

    if (!fits) {
        *flags |= FFLAGS_NV;
        result = int_limit(conv, mpfr_sgn(whole) < 0);
    } else {
        *flags |= mpfr_equal_p(whole, value) ? 0 : FFLAGS_NX;
        result = conv->is_signed ? (uint64_t)mpfr_get_si(whole, MPFR_RNDZ)
                                 : mpfr_get_ui(whole, MPFR_RNDZ);
        result = conv->bits == 32 ? (uint64_t)(int32_t)result : result;
    }
    mpfr_clears(value, whole, (mpfr_ptr)NULL);
    return result;
}

static uint64_t oracle_from_int(const Conv *conv, uint64_t x, unsigned rm, uint8_t *flags)
{
    mpfr_t in[3];

    mpfr_init2(in[0], 64);
    if (conv->is_signed) {
        mpfr_set_si(in[0], conv->bits == 32 ? (int32_t)x : (int64_t)x, MPFR_RNDN);
    } else {
        mpfr_set_ui(in[0], conv->bits == 32 ? (uint32_t)x : x, MPFR_RNDN);
    }
    uint64_t bits = oracle_result(conv->to, OP_SET, in, rm, flags);

    mpfr_clear(in[0]);
    return bits;
}

static uint64_t oracle_convert(const Conv *conv, uint64_t x, unsigned rm, uint8_t *flags)
{
    const uint64_t operands[3] = { x };

    if (!conv->to) {
        return oracle_to_int(conv, x, rm, flags);
    }
    if (!conv->from) {
        return oracle_from_int(conv, x, rm, flags);
    }
    return oracle_bits(conv->from, conv->to, OP_SET, 1, operands, rm, flags);
}

static void check(const Conv *conv, uint64_t x)
{
    for (unsigned rm = FRM_RNE; rm <= FRM_RMM; rm++) {
        uint8_t want_flags = 0, flags = 0;
        uint64_t want = oracle_convert(conv, x, rm, &want_flags);
        uint64_t got = conv->fn(x, rm, &flags);

        if (got != want || flags != want_flags) {
            g_error("%s rm=%u of %016" PRIx64 ": got %016" PRIx64 " flags %02x, libmpfr has "
                    "%016" PRIx64 " flags %02x",
                    conv->name, rm, x, got, flags, want, want_flags);
        }
    }
}

/* Integers close to the powers of two, where widths and precisions end. */
static void check_integer_specials(const Conv *conv)
{
    for (int i = 0; i < 64; i++) {
        for (int j = -1; j < i; j++) {
            for (int64_t step = -2; step <= 2; step++) {
                uint64_t x = (UINT64_C(1) << i) + (j < 0 ? 0 : UINT64_C(1) << j) + (uint64_t)step;

                check(conv, x);
                check(conv, -x);
            }
        }
    }
}

/* The numbers next to each half-integer and integer of a few magnitudes, where rounding decides. */
static void check_near_integers(const Conv *conv)
{
    for (int power = -2; power <= 65; power++) {
        for (int quarters = 0; quarters < 8; quarters++) {
            double value = (1 + quarters / 8.0) * (power < 0 ? 0.25 * (power + 3) : 1.0);

            for (int i = 0; i < power; i++) {
                value *= 2;
            }
            for (int sign = 0; sign < 2; sign++) {
                mpfr_t m;
                uint64_t bits;

                mpfr_init2(m, 53);
                mpfr_set_d(m, sign ? -value : value, MPFR_RNDN);
                bits = oracle_store(conv->from, m);
                mpfr_clear(m);
                check(conv, bits - 1);
                check(conv, bits);
                check(conv, bits + 1);
            }
        }
    }
}

static void test_specials(gconstpointer data)
{
    const Conv *conv = data;

    if (!conv->from) {
        check_integer_specials(conv);
        return;
    }
    OperandFormat f = { conv->from->frac_bits, conv->from->exp_bits };
    GArray *values = operand_specials(f, FALSE);

    for (guint i = 0; i < values->len; i++) {
        check(conv, g_array_index(values, uint64_t, i));
    }
    g_array_free(values, TRUE);
    if (conv->from != &oracle_half) { /* test_random() has all halves */
        check_near_integers(conv);
    }
}

/*
 * Doubles whose exponent is in the range of singles, or at its limits, and whose low bits determine
 * the rounding to a single.
 */
static uint64_t pick_for_single(uint64_t *state)
{
    uint64_t bits = operand_random(state), exp = 1023 - 152 + operand_random(state) % 282;
    uint64_t keep = operand_random(state) & 1 ? ~UINT64_C(0) : UINT64_C(0xfffffffff0000000);

    return (bits & (FP64_SIGN | UINT64_C(0xfffffffffffff)) & keep) | exp << 52;
}

/* A single or double whose exponent is in the range of halves, or at its limits. */
static uint64_t pick_for_half(const OracleFormat *from, uint64_t *state)
{
    uint64_t bits = operand_random(state), bias = oracle_emax(from) - 1;
    uint64_t exp = bias - 28 + operand_random(state) % 48;
    uint64_t keep =
        operand_random(state) & 1 ? ~UINT64_C(0) : ~UINT64_C(0) << (from->frac_bits - 11);

    return (bits & (oracle_sign(from) | ((UINT64_C(1) << from->frac_bits) - 1)) & keep) |
           exp << from->frac_bits;
}

static void test_random(gconstpointer data)
{
    const Conv *conv = data;
    uint64_t state = (uint64_t)(conv - convs) + 100;

    if (conv->from == &oracle_half) {
        for (uint64_t x = 0; x < 0x10000; x++) {
            check(conv, x);
        }
        return;
    }

    for (unsigned long n = operand_count(30000); n > 0; n--) {
        if (!conv->from) {
            uint64_t choice = operand_random(&state);

            check(conv, (uint64_t)((int64_t)operand_random(&state) >> (choice & 63)));
            check(conv, operand_random(&state) >> (choice >> 8 & 63) << (choice >> 16 & 63));
        } else if (conv->to == &oracle_half) {
            check(conv, pick_for_half(conv->from, &state));
        } else if (conv->to == &oracle_single) {
            check(conv, pick_for_single(&state));
        } else {
            OperandFormat f = { conv->from->frac_bits, conv->from->exp_bits };
            uint64_t middle = (uint64_t)(oracle_emax(conv->from) + 24) << f.frac_bits;
            uint64_t x = operand_pick(f, &state, 0);
            uint64_t near = (x & ~oracle_inf(conv->from)) |
                            (middle + ((operand_random(&state) % 90 - 45) << f.frac_bits));

            check(conv, x);
            check(conv, near);
        }
    }
}

/* --- Zfa --- */

typedef uint64_t RoundFn(uint64_t x, bool inexact, unsigned rm, uint8_t *fflags);
#define WRAP_ROUND(f)                                                                              \
    static uint64_t wrap_fround_##f(uint64_t x, bool inexact, unsigned rm, uint8_t *fflags)        \
    {                                                                                              \
        return sem_fround_##f(x, inexact, rm, fflags);                                             \
    }                                                                                              \
    static uint64_t wrap_fli_##f(unsigned number)                                                  \
    {                                                                                              \
        return sem_fli_##f(number);                                                                \
    }
WRAP_ROUND(s)
WRAP_ROUND(d)
WRAP_ROUND(h)

typedef struct Zfa {
    const OracleFormat *format;
    RoundFn *round;
    uint64_t (*constant)(unsigned number);
} Zfa;
static const Zfa zfa[] = {
    { &oracle_single, wrap_fround_s, wrap_fli_s },
    { &oracle_double, wrap_fround_d, wrap_fli_d },
    { &oracle_half, wrap_fround_h, wrap_fli_h },
};

static uint64_t oracle_round(const OracleFormat *f, uint64_t x, unsigned rm, uint8_t *inexact,
                             uint8_t *flags)
{
    static const mpfr_rnd_t rounds[] = { MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU };
    mpfr_t value, whole;

    if (oracle_is_nan(f, x)) {
        *flags |= oracle_is_snan(f, x) ? FFLAGS_NV : 0;
        return oracle_nan(f);
    }
    mpfr_inits2(64, value, whole, (mpfr_ptr)NULL);
    oracle_load(f, value, x);
    if (rm == FRM_RMM) {
        mpfr_round(whole, value);
    } else {
        mpfr_rint(whole, value, rounds[rm]);
    }
    *inexact |= mpfr_equal_p(whole, value) ? 0 : FFLAGS_NX;
    if (mpfr_zero_p(whole)) {
        mpfr_setsign(whole, whole, mpfr_signbit(value), MPFR_RNDN);
    }
    uint64_t bits = oracle_store(f, whole);

    mpfr_clears(value, whole, (mpfr_ptr)NULL);
    return bits;
}

static void check_round(const Zfa *z, uint64_t x)
{
    for (unsigned rm = FRM_RNE; rm <= FRM_RMM; rm++) {
        uint8_t inexact = 0, want_flags = 0, plain = 0, noted = 0;
        uint64_t want = oracle_round(z->format, x, rm, &inexact, &want_flags);

        g_assert_cmphex(z->round(x, false, rm, &plain), ==, want);
        g_assert_cmphex(z->round(x, true, rm, &noted), ==, want);
        g_assert_cmphex(plain, ==, want_flags);
        g_assert_cmphex(noted, ==, want_flags | inexact);
    }
}

static void test_round(gconstpointer data)
{
    const Zfa *z = data;
    OperandFormat f = { z->format->frac_bits, z->format->exp_bits };
    GArray *values = operand_specials(f, FALSE);
    uint64_t state = 9, bias = oracle_emax(z->format) - 1;

    for (guint i = 0; i < values->len; i++) {
        check_round(z, g_array_index(values, uint64_t, i));
    }
    for (uint64_t x = 0; z->format == &oracle_half && x < 0x10000; x++) {
        check_round(z, x);
    }
    for (unsigned long n = operand_count(30000); n > 0; n--) {
        uint64_t x = operand_pick(f, &state, 0);
        uint64_t exp = bias - 3 + operand_random(&state) % (f.frac_bits + 6);

        check_round(z, x);
        exp = MIN(exp, 2 * bias);
        check_round(z, (x & ~oracle_inf(z->format)) | exp << f.frac_bits);
    }
    g_array_free(values, TRUE);
}

/* The values of the table in the manual. */
static void test_constants(gconstpointer data)
{
    static const char *const text[32] = {
        "-1",   NULL,     "0x1p-16", "0x1p-15", "0x1p-8", "0x1p-7", "0.0625", "0.125",
        "0.25", "0.3125", "0.375",   "0.4375",  "0.5",    "0.625",  "0.75",   "0.875",
        "1",    "1.25",   "1.5",     "1.75",    "2",      "2.5",    "3",      "4",
        "8",    "16",     "128",     "256",     "0x1p15", "0x1p16", "inf",    "nan",
    };
    const Zfa *z = data;

    for (unsigned i = 0; i < 32; i++) {
        mpfr_t value, in[3];
        uint8_t flags = 0;

        if (i == 1) {
            g_assert_cmphex(z->constant(i), ==, UINT64_C(1) << z->format->frac_bits);
            continue;
        }
        mpfr_init2(value, 53);
        g_assert_cmpint(mpfr_set_str(value, text[i], 0, MPFR_RNDN), ==, 0);
        in[0][0] = value[0];
        g_assert_cmphex(z->constant(i), ==, oracle_result(z->format, OP_SET, in, 0, &flags));
        mpfr_clear(value);
    }
}

/* fcvtmod.w.d: the integer modulo 2^32, with the flags of fcvt.w.d. */
static void check_modular(uint64_t x)
{
    uint8_t flags = 0, want_flags = 0;
    uint64_t got = sem_fcvtmod_w_d(x, &flags), want = 0;
    mpfr_t value;

    sem_fcvt_w_d(x, FRM_RTZ, &want_flags);
    mpfr_init2(value, 1200);
    oracle_load(&oracle_double, value, x);
    if (mpfr_number_p(value)) {
        mpfr_trunc(value, value);
        mpfr_t modulus;

        mpfr_init2(modulus, 64);
        mpfr_set_ui(modulus, 1ul << 32, MPFR_RNDN);
        mpfr_fmod(value, value, modulus, MPFR_RNDN);
        want = (uint64_t)(int32_t)(uint32_t)mpfr_get_sj(value, MPFR_RNDZ);
        mpfr_clear(modulus);
    }
    mpfr_clear(value);
    g_assert_cmphex(got, ==, want);
    g_assert_cmphex(flags, ==, want_flags);
}

static void test_modular(void)
{
    OperandFormat f = { 52, 11 };
    GArray *values = operand_specials(f, FALSE);
    uint64_t state = 31;

    for (guint i = 0; i < values->len; i++) {
        check_modular(g_array_index(values, uint64_t, i));
    }
    for (unsigned long n = operand_count(30000); n > 0; n--) {
        uint64_t x = operand_pick(f, &state, 0);

        check_modular(x);
        check_modular((x & ~oracle_inf(&oracle_double)) | (1023 - 2 + operand_random(&state) % 130)
                                                              << 52);
    }
    g_array_free(values, TRUE);
}

static void add_zfa(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(zfa); i++) {
        g_autofree char *round = g_strdup_printf("/sem_fp_conv/fround.%s", zfa[i].format->name);
        g_autofree char *constant = g_strdup_printf("/sem_fp_conv/fli.%s", zfa[i].format->name);

        g_test_add_data_func(round, &zfa[i], test_round);
        g_test_add_data_func(constant, &zfa[i], test_constants);
    }
    g_test_add_func("/sem_fp_conv/fcvtmod.w.d", test_modular);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(convs); i++) {
        g_autofree char *specials = g_strdup_printf("/sem_fp_conv/%s/specials", convs[i].name);
        g_autofree char *random = g_strdup_printf("/sem_fp_conv/%s/random", convs[i].name);

        g_test_add_data_func(specials, &convs[i], test_specials);
        g_test_add_data_func(random, &convs[i], test_random);
    }
    add_zfa();
    return g_test_run();
}
