/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaky buckets of I/O limits, with a clock that the test sets.
 */
#include "util/io_limits.h"
#include "tests/lib/ok.h"

#define SECOND 1000000000ll

/* Start as many requests as the limits allow in `seconds`, and return their number. */
static unsigned requests_in(IoLimiter *t, bool write, uint64_t bytes, int64_t *now, int64_t seconds)
{
    int64_t end = *now + seconds * SECOND, wait;
    unsigned n = 0;

    while (*now < end) {
        wait = io_limiter_wait(t, write, *now);
        if (wait == 0) {
            io_limiter_count(t, write, bytes);
            n++;
        } else {
            *now += wait;
        }
    }
    return n;
}

static void test_rate(void)
{
    IoLimits l = { .of = { [IO_LIMIT_OPS_TOTAL] = { .avg = 100 } } };
    int64_t now = 5 * SECOND;
    IoLimiter t;
    unsigned n;

    io_limiter_set(&t, &l, now);
    n = requests_in(&t, false, 4096, &now, 10);
    g_assert_cmpuint(n, >=, 1000);
    g_assert_cmpuint(n, <=, 1000 + 100 / 10 + 1);
    l = (IoLimits){ .of = { [IO_LIMIT_BPS_WRITE] = { .avg = 1 << 20 } } };
    io_limiter_set(&t, &l, now);
    n = requests_in(&t, true, 1 << 16, &now, 10);
    g_assert_cmpuint(n, >=, 160);
    g_assert_cmpuint(n, <=, 163);
    g_assert_cmpint(io_limiter_wait(&t, false, now), ==, 0); /* reads have no limit */
}

static void test_bursts(void)
{
    IoLimits l = { .of = { [IO_LIMIT_OPS_READ] = { .avg = 10, .max = 100, .max_length = 3 } } };
    int64_t now = 0;
    IoLimiter t;
    unsigned n;

    io_limiter_set(&t, &l, now);
    n = requests_in(&t, false, 512, &now, 3); /* a burst of 3 s */
    g_assert_cmpuint(n, >=, 290);
    g_assert_cmpuint(n, <=, 315);
    n = requests_in(&t, false, 512, &now, 10); /* then the rate */
    g_assert_cmpuint(n, <=, 145);
    n = requests_in(&t, false, 512, &now, 10);
    g_assert_cmpuint(n, >=, 99);
    g_assert_cmpuint(n, <=, 101);
}

static void test_op_size(void)
{
    IoLimits l = { .of = { [IO_LIMIT_OPS_TOTAL] = { .avg = 100 } }, .op_size = 4096 };
    int64_t now = 0;
    IoLimiter t;
    unsigned n;

    io_limiter_set(&t, &l, now);
    n = requests_in(&t, true, 65536, &now, 16); /* each counts as 16 */
    g_assert_cmpuint(n, >=, 100);
    g_assert_cmpuint(n, <=, 102);
    n = requests_in(&t, true, 512, &now, 1);
    g_assert_cmpuint(n, <=, 101);
}

static void test_checks(void)
{
    static const struct {
        IoLimits l;
        const char *message;
    } rows[] = {
        { { .of = { { .avg = 1 }, { .avg = 1 } } }, "*bps-total*bps-read*" },
        { { .of = { [IO_LIMIT_OPS_TOTAL] = { .avg = 1 }, [IO_LIMIT_OPS_WRITE] = { .avg = 1 } } },
          "*iops-total*iops-write*" },
        { { .of = { { .avg = IO_LIMIT_MAX + 1 } } }, "*within*" },
        { { .of = { { .avg = UINT64_MAX } } }, "*within*" },
        { { .of = { { .max = 5 } } }, "bps-total-max requires bps-total" },
        { { .of = { { .avg = 9, .max = 5 } } }, "*lower*" },
        { { .of = { { .avg = 9, .max_length = 5 } } }, "bps-total-max-length requires*" },
        { { .of = { { .avg = 9, .max = 9, .max_length = UINT64_MAX } } }, "*too high*" },
        { { .of = { { .avg = 9 } }, .op_size = 4096 }, "iops-size requires*" },
        { { .of = { [IO_LIMIT_OPS_TOTAL] = { .avg = 1 } }, .op_size = UINT64_MAX }, "*within*" },
    };
    IoLimits fine = { .of = { { .avg = 9, .max = 20, .max_length = 5 } } };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(io_limits_check(&rows[i].l, &err));
        g_assert_true(g_pattern_match_simple(rows[i].message, err->message));
    }
    ASSERT_OK(io_limits_check(&fine, &failure));
    g_assert_true(io_limits_any(&fine));
    g_assert_false(io_limits_any(&(IoLimits){ .op_size = 1 }));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/util/io-limits/rate", test_rate);
    g_test_add_func("/util/io-limits/bursts", test_bursts);
    g_test_add_func("/util/io-limits/op-size", test_op_size);
    g_test_add_func("/util/io-limits/checks", test_checks);
    return g_test_run();
}
