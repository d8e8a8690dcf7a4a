/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sem_fp_cmp.c and the inline helpers of sem_fp_internal.h: comparisons and classes compared with
 * the host compiler; minimum, maximum, sign injection and NaN boxing compared with the manual.
 */
#include <math.h>
#include <string.h>
#include "fp-operands.h"
#include "target/riscv/sem_fp_internal.h"

static double to_double(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Widened, for comparing. NaN is determined from the bits. */
static double single_to_double(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;

    memcpy(&value, &low, sizeof(value));
    return value;
}

static bool snan_d(uint64_t x)
{
    return isnan(to_double(x)) && !(x >> 51 & 1);
}

static bool snan_s(uint64_t x)
{
    return isnan(single_to_double(x)) && !(x >> 22 & 1);
}

static double half_to_double(uint64_t bits)
{
    int exp = bits >> 10 & 31;
    double frac = bits & 0x3ff;
    double value = exp == 31 ? (frac != 0 ? (double)NAN : (double)INFINITY)
                             : ldexp(exp ? frac + 1024 : frac, (exp ? exp : 1) - 25);

    return bits & 0x8000 ? -value : value;
}

static bool snan_h(uint64_t x)
{
    return isnan(half_to_double(x)) && !(x >> 9 & 1);
}

/* One format's functions, widened to 64 bits. */
typedef struct {
    OperandFormat format;
    double (*value)(uint64_t);
    bool (*snan)(uint64_t);
    uint64_t nan;
    uint64_t (*eq)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*lt)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*le)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*min)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*max)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*class)(uint64_t);
    uint64_t (*ltq)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*leq)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*minm)(uint64_t, uint64_t, uint8_t *);
    uint64_t (*maxm)(uint64_t, uint64_t, uint8_t *);
} Format;

#define WRAP(name)                                                                                 \
    static uint64_t wrap_##name(uint64_t a, uint64_t b, uint8_t *fflags)                           \
    {                                                                                              \
        return sem_##name((uint32_t)a, (uint32_t)b, fflags);                                       \
    }
WRAP(feq_s)
WRAP(flt_s)
WRAP(fle_s)
WRAP(fmin_s)
WRAP(fmax_s)

WRAP(fltq_s)
WRAP(fleq_s)
WRAP(fminm_s)
WRAP(fmaxm_s)
WRAP(feq_h)
WRAP(flt_h)
WRAP(fle_h)
WRAP(fmin_h)
WRAP(fmax_h)
WRAP(fltq_h)
WRAP(fleq_h)
WRAP(fminm_h)
WRAP(fmaxm_h)

static uint64_t wrap_fclass_h(uint64_t a)
{
    return sem_fclass_h((uint16_t)a);
}

static uint64_t wrap_fclass_s(uint64_t a)
{
    return sem_fclass_s((uint32_t)a);
}

static const Format formats[] = {
    { { 23, 8 },
      single_to_double,
      snan_s,
      FP32_CANONICAL_NAN,
      wrap_feq_s,
      wrap_flt_s,
      wrap_fle_s,
      wrap_fmin_s,
      wrap_fmax_s,
      wrap_fclass_s,
      wrap_fltq_s,
      wrap_fleq_s,
      wrap_fminm_s,
      wrap_fmaxm_s },
    { { 52, 11 },
      to_double,
      snan_d,
      FP64_CANONICAL_NAN,
      sem_feq_d,
      sem_flt_d,
      sem_fle_d,
      sem_fmin_d,
      sem_fmax_d,
      sem_fclass_d,
      sem_fltq_d,
      sem_fleq_d,
      sem_fminm_d,
      sem_fmaxm_d },
    { { 10, 5 },
      half_to_double,
      snan_h,
      FP16_CANONICAL_NAN,
      wrap_feq_h,
      wrap_flt_h,
      wrap_fle_h,
      wrap_fmin_h,
      wrap_fmax_h,
      wrap_fclass_h,
      wrap_fltq_h,
      wrap_fleq_h,
      wrap_fminm_h,
      wrap_fmaxm_h },
};

static uint64_t expected_choice(const Format *f, uint64_t a, uint64_t b, bool larger)
{
    double x = f->value(a), y = f->value(b);

    if (isnan(x) || isnan(y)) {
        return isnan(x) && isnan(y) ? f->nan : isnan(x) ? b : a;
    }
    if (x == 0 && y == 0) {
        return (signbit(x) != 0) != larger ? a : b;
    }
    return (larger ? x > y : x < y) ? a : b;
}

static void check_pair(const Format *f, uint64_t a, uint64_t b)
{
    double x = f->value(a), y = f->value(b);
    uint8_t quiet = f->snan(a) || f->snan(b) ? FFLAGS_NV : 0;
    uint8_t loud = isnan(x) || isnan(y) ? FFLAGS_NV : 0;
    bool nan = isnan(x) || isnan(y);
    uint8_t flags[9] = { 0 };

    g_assert_cmpuint(f->eq(a, b, &flags[0]), ==, x == y);
    g_assert_cmpuint(f->lt(a, b, &flags[1]), ==, isless(x, y));
    g_assert_cmpuint(f->le(a, b, &flags[2]), ==, islessequal(x, y));
    g_assert_cmphex(f->min(a, b, &flags[3]), ==, expected_choice(f, a, b, false));
    g_assert_cmphex(f->max(a, b, &flags[4]), ==, expected_choice(f, a, b, true));
    g_assert_cmpuint(f->ltq(a, b, &flags[5]), ==, isless(x, y));
    g_assert_cmpuint(f->leq(a, b, &flags[6]), ==, islessequal(x, y));
    g_assert_cmphex(f->minm(a, b, &flags[7]), ==, nan ? f->nan : expected_choice(f, a, b, false));
    g_assert_cmphex(f->maxm(a, b, &flags[8]), ==, nan ? f->nan : expected_choice(f, a, b, true));
    for (unsigned i = 5; i < 9; i++) {
        g_assert_cmphex(flags[i], ==, quiet);
    }
    g_assert_cmphex(flags[0], ==, quiet);
    g_assert_cmphex(flags[1], ==, loud);
    g_assert_cmphex(flags[2], ==, loud);
    g_assert_cmphex(flags[3], ==, quiet);
    g_assert_cmphex(flags[4], ==, quiet);
}

static void test_pairs(gconstpointer data)
{
    const Format *f = data;
    GArray *values = operand_specials(f->format, FALSE);
    uint64_t state = 5;

    for (guint i = 0; i < values->len; i++) {
        for (guint j = 0; j < values->len; j++) {
            check_pair(f, g_array_index(values, uint64_t, i), g_array_index(values, uint64_t, j));
        }
    }
    for (unsigned long n = operand_count(20000); n > 0; n--) {
        uint64_t a = operand_pick(f->format, &state, 0);

        check_pair(f, a, operand_pick(f->format, &state, a));
    }
    g_array_free(values, TRUE);
}

static void check_class(const Format *f, uint64_t bits, bool subnormal)
{
    double x = f->value(bits);
    bool sign = signbit(x);
    unsigned bit = f->snan(bits) ? 8
                   : isnan(x)    ? 9
                   : isinf(x)    ? sign ? 0 : 7
                   : x == 0      ? sign ? 3 : 4
                   : subnormal   ? sign ? 2 : 5
                   : sign        ? 1
                                 : 6;

    g_assert_cmphex(f->class(bits), ==, UINT64_C(1) << bit);
}

static void test_class(gconstpointer data)
{
    const Format *f = data;
    GArray *values = operand_specials(f->format, FALSE);
    double least_normal = f->format.frac_bits == 23   ? 0x1p-126
                          : f->format.frac_bits == 10 ? 0x1p-14
                                                      : 0x1p-1022;

    for (guint i = 0; i < values->len; i++) {
        uint64_t bits = g_array_index(values, uint64_t, i);

        check_class(f, bits, fabs(f->value(bits)) < least_normal);
    }
    g_array_free(values, TRUE);
}

static void test_sign_injection(void)
{
    g_assert_cmphex(sem_fsgnj_s(0x3f800000, 0xffc00001), ==, 0xbf800000);
    g_assert_cmphex(sem_fsgnj_s(0xff800001, 0), ==, 0x7f800001);
    g_assert_cmphex(sem_fsgnjn_s(0x3f800000, 0xbf800000), ==, 0x3f800000);
    g_assert_cmphex(sem_fsgnjn_s(0x3f800000, 0x3f800000), ==, 0xbf800000);
    g_assert_cmphex(sem_fsgnjx_s(0xbf800000, 0x80000000), ==, 0x3f800000);
    g_assert_cmphex(sem_fsgnjx_s(0xbf800000, 0x7fffffff), ==, 0xbf800000);
    g_assert_cmphex(sem_fsgnj_h(0x3c00, 0xfe01), ==, 0xbc00);
    g_assert_cmphex(sem_fsgnjn_h(0x3c00, 0x3c00), ==, 0xbc00);
    g_assert_cmphex(sem_fsgnjx_h(0xbc00, 0x8000), ==, 0x3c00);
    g_assert_cmphex(sem_fsgnj_d(1, FP64_SIGN), ==, FP64_SIGN | 1);
    g_assert_cmphex(sem_fsgnj_d(FP64_SIGN | 1, 7), ==, 1);
    g_assert_cmphex(sem_fsgnjn_d(1, FP64_SIGN), ==, 1);
    g_assert_cmphex(sem_fsgnjn_d(1, 5), ==, FP64_SIGN | 1);
    g_assert_cmphex(sem_fsgnjx_d(FP64_SIGN | 1, FP64_SIGN), ==, 1);
    g_assert_cmphex(sem_fsgnjx_d(FP64_SIGN | 1, 1), ==, FP64_SIGN | 1);
}

static void test_boxing(void)
{
    g_assert_cmphex(fp_box(0x80000001), ==, UINT64_C(0xffffffff80000001));
    g_assert_cmphex(fp_box_h(0x8001), ==, UINT64_C(0xffffffffffff8001));
    g_assert_cmphex(fp_unbox_h(UINT64_C(0xffffffffffff8001)), ==, 0x8001);
    g_assert_cmphex(fp_unbox_h(UINT64_C(0xffffffff00008001)), ==, FP16_CANONICAL_NAN);
    g_assert_cmphex(fp_unbox(UINT64_C(0xffffffff80000001)), ==, 0x80000001);
    g_assert_cmphex(fp_unbox(UINT64_C(0xfffffffe80000001)), ==, FP32_CANONICAL_NAN);
    g_assert_cmphex(fp_unbox(UINT64_C(0x3f800000)), ==, FP32_CANONICAL_NAN);
    g_assert_cmphex(fp_unbox(UINT64_C(0x7fffffff3f800000)), ==, FP32_CANONICAL_NAN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/sem_fp_cmp/single/pairs", &formats[0], test_pairs);
    g_test_add_data_func("/sem_fp_cmp/double/pairs", &formats[1], test_pairs);
    g_test_add_data_func("/sem_fp_cmp/half/pairs", &formats[2], test_pairs);
    g_test_add_data_func("/sem_fp_cmp/half/class", &formats[2], test_class);
    g_test_add_data_func("/sem_fp_cmp/single/class", &formats[0], test_class);
    g_test_add_data_func("/sem_fp_cmp/double/class", &formats[1], test_class);
    g_test_add_func("/sem_fp_cmp/sign-injection", test_sign_injection);
    g_test_add_func("/sem_fp_cmp/boxing", test_boxing);
    return g_test_run();
}
