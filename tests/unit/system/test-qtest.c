/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest server: exact replies, one line per malformed line, the stepped clock, intercepted
 * interrupts, and a client that does not read its replies.
 */
#include <string.h>

#include "../hw/fixture.h"
#include "hw/core/clock.h"
#include "system/qtest.h"

#define RAM_AT 0x80000000ull

typedef struct Rig {
    Machine *m;
    Qtest *q;
    GString *got;
    size_t room;
    MemRegion ram, dev;
    uint64_t last_write;
    unsigned last_size, accesses;
} Rig;

static size_t sink(void *opaque, const char *bytes, size_t len)
{
    Rig *r = opaque;
    size_t n = MIN(len, r->room - MIN(r->room, r->got->len));

    g_string_append_len(r->got, bytes, (gssize)n);
    return n;
}

static uint64_t dev_read(void *opaque, uint64_t offset, unsigned size)
{
    Rig *r = opaque;

    r->last_size = size;
    r->accesses++;
    return 0x1122334455667788ull >> 8 * offset;
}

static void dev_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *r = opaque;

    r->last_write = value;
    r->last_size = size;
    r->accesses++;
}

static const MemOps dev_ops = { dev_read, dev_write, .impl_max = 4 };

static void rig_init(Rig *r)
{
    *r = (Rig){ .m = fixture_new(1), .got = g_string_new(NULL), .room = SIZE_MAX };
    r->m->qtest = true;
    mem_init_ram(&r->ram, "ram", machine_ram_new(r->m, "ram", 1 << 20, NULL), 0, 1 << 20);
    mem_map(&r->m->memory, RAM_AT, &r->ram, 0, 0);
    mem_init_mmio(&r->dev, "dev", 8, &dev_ops, r);
    mem_map(&r->m->memory, 0x1000, &r->dev, 0, 0);
    r->q = qtest_new(r->m, sink, r);
}

static void rig_done(Rig *r)
{
    qtest_free(r->q);
    mem_fini(&r->ram);
    mem_fini(&r->dev);
    machine_free(r->m);
    g_string_free(r->got, TRUE);
}

static const char *ask(Rig *r, const char *lines)
{
    g_string_truncate(r->got, 0);
    qtest_feed(r->q, lines, strlen(lines));
    return r->got->str;
}

#define EXPECT(r, lines, answer) g_assert_cmpstr(ask(r, lines), ==, answer)

static void test_accesses(void)
{
    Rig r;

    rig_init(&r);
    EXPECT(&r, "endianness\n", "OK little\n");
    EXPECT(&r, "writeq 0x80000000 0x1122334455667788\n", "OK\n");
    EXPECT(&r, "readb 0x80000001\n", "OK 0x0000000000000077\n");
    EXPECT(&r, "readw 2147483648\n", "OK 0x0000000000007788\n");
    EXPECT(&r, "readl 020000000000\n", "OK 0x0000000055667788\n");
    EXPECT(&r, "readq 0x80000000\n", "OK 0x1122334455667788\n");
    EXPECT(&r, "read 0x80000000 3\n", "OK 0x887766\n");
    EXPECT(&r, "write 0x80000000 4 0xaAbBcC\n", "OK\n"); /* short data: zero-filled */
    EXPECT(&r, "read 0x80000000 5\n", "OK 0xaabbcc0044\n");
    EXPECT(&r, "b64write 0x80000000 4 3q2+7w==\n", "OK\n");
    EXPECT(&r, "b64read 0x80000000 4\n", "OK 3q2+7w==\n");
    EXPECT(&r, "memset 0x80000000 2 0xff\n", "OK\n");
    EXPECT(&r, "memset 0x80000000 0 0\n", "OK\n");
    EXPECT(&r, "read 0x80000000 4\n", "OK 0xffffbeef\n");
    EXPECT(&r, "readl 0x1\n", "OK 0x0000000000000000\n"); /* unmapped */
    EXPECT(&r, "inb 0x10\n", "OK 0x00ff\n");
    EXPECT(&r, "inw 0x10\n", "OK 0xffff\n");
    EXPECT(&r, "inl 0xfff0\n", "OK 0xffffffff\n");
    EXPECT(&r, "outl 0xcf8 0x80000000\n", "OK\n");
    rig_done(&r);
}

/* A block access of 1, 2, 4 or 8 bytes is one access, split according to the region's limits. */
static void test_widths(void)
{
    Rig r;

    rig_init(&r);
    EXPECT(&r, "read 0x1000 2\n", "OK 0x8877\n");
    g_assert_cmpuint(r.last_size, ==, 2);
    g_assert_cmpuint(r.accesses, ==, 1);
    r.accesses = 0;
    EXPECT(&r, "read 0x1000 8\n", "OK 0x8877665544332211\n");
    g_assert_cmpuint(r.last_size, ==, 4);
    g_assert_cmpuint(r.accesses, ==, 2);
    EXPECT(&r, "write 0x1004 4 0x01020304\n", "OK\n");
    g_assert_cmphex(r.last_write, ==, 0x04030201);
    rig_done(&r);
}

static int fired;
static void on_timer(void *arg)
{
    fired++;
}

static void test_clock(void)
{
    Timer t = { 0 };
    Rig r;

    rig_init(&r);
    fired = 0;
    timer_setup_plain(&t, r.m, CLOCK_KIND_VIRTUAL, on_timer, NULL);
    g_assert_true(g_str_has_prefix(ask(&r, "clock_step\n"), "FAIL "));
    timer_arm_ns(&t, 1000);
    EXPECT(&r, "clock_step 400\n", "OK 400\n");
    g_assert_cmpint(fired, ==, 0);
    EXPECT(&r, "clock_step\n", "OK 1000\n");
    g_assert_cmpint(fired, ==, 1);
    EXPECT(&r, "clock_set 5000\n", "OK 5000\n");
    g_assert_true(g_str_has_prefix(ask(&r, "clock_set 4999\n"), "FAIL "));
    g_assert_true(g_str_has_prefix(ask(&r, "clock_step 0\n"), "FAIL "));
    g_assert_true(g_str_has_prefix(ask(&r, "clock_step 0xffffffffffffffff\n"), "FAIL "));
    g_assert_true(g_str_has_prefix(ask(&r, "clock_set 0x8000000000000000\n"), "FAIL "));
    r.m->qtest = false;
    g_assert_true(g_str_has_prefix(ask(&r, "clock_step 10\n"), "FAIL "));
    timer_cancel(&t);
    rig_done(&r);
}

static void test_irq(void)
{
    Device *plic;
    Rig r;

    rig_init(&r);
    plic = fixture_device(r.m, "riscv.sifive.plic", "num-harts=1,num-sources=96", 0xc000000);
    g_assert_nonnull(plic);
    g_assert_true(g_str_has_prefix(ask(&r, "irq_intercept_in /nowhere\n"), "FAIL "));
    g_autofree char *watch = g_strdup_printf("irq_intercept_in %s\n", plic->path);
    g_autofree char *raise = g_strdup_printf("set_irq_in %s unnamed-gpio-in 7 1\n", plic->path);
    g_autofree char *lower = g_strdup_printf("set_irq_in %s unnamed-gpio-in 7 0\n", plic->path);
    g_autofree char *beyond =
        g_strdup_printf("set_irq_in %s unnamed-gpio-in 100000 1\n", plic->path);
    EXPECT(&r, raise, "OK\n");
    EXPECT(&r, lower, "OK\n");
    EXPECT(&r, watch, "OK\n");
    EXPECT(&r, watch, "OK\n");
    EXPECT(&r, raise, "IRQ raise 7\nOK\n");
    EXPECT(&r, raise, "OK\n"); /* no change, no line */
    EXPECT(&r, lower, "IRQ lower 7\nOK\n");
    g_assert_true(g_str_has_prefix(ask(&r, beyond), "FAIL "));
    g_string_truncate(r.got, 0);
    irq_set(&plic->irq_in[3], true); /* by the host's side */
    g_assert_cmpstr(r.got->str, ==, "IRQ raise 3\n");
    qtest_restart(r.q);
    EXPECT(&r, raise, "OK\n"); /* a new client intercepts nothing */
    rig_done(&r);
}

/* One line each, and the server continues. */
static void test_malformed(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "nosuch",
        "nosuch 1 2 3 4 5 6 7 8 9",
        "readb",
        "readb  0x10",
        "readb 0x",
        "readb 0xg",
        "readb 08",
        "readb 0x10 ",
        "readb 0x10 0x10",
        "readb 0x10000000000000000",
        "readb 99999999999999999999999999999999",
        "readb -",
        "writel 0x10",
        "writel 0x10 zebra",
        "read 0x80000000 0",
        "read 0x80000000 0xffffffffffffffff",
        "read 0x80000000 67108865",
        "write 0x80000000 1 0x",
        "write 0x80000000 1 00",
        "write 0x80000000 2 0xzz",
        "memset 0x80000000 0xffffffffffff 0",
        "memset 0x80000000 1",
        "inb 0x10000",
        "b64write 0x80000000 0xffffffffffff AAAA",
        "csr get_csr 1 2 3",
        "csr get_csr 0 0xf11 0",
        "csr kick 0 0 0",
        "set_irq_in x",
        "irq_intercept_out /machine x",
        "clock_step x",
        "READB 0x10",
        "\x01\x02\xff\xfe",
        "readb\t0x10",
    };
    Rig r;

    rig_init(&r);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *line = g_strdup_printf("%s\n", bad[i]);
        const char *answer = ask(&r, line);

        g_assert_true(g_str_has_prefix(answer, "FAIL ") || g_str_has_prefix(answer, "ERR "));
        g_assert_true(strchr(answer, '\n') == answer + strlen(answer) - 1);
    }
    EXPECT(&r, "read 0xfffffffffffffff0 64\nendianness\r\n",
           "OK 0x0000000000000000000000000000000000000000000000000000000000000000000000000000000000"
           "0000000000000000000000000000000000000000000000\nOK little\n");
    rig_done(&r);
}

static void test_long_line(void)
{
    g_autofree char *blank = g_strnfill(1 << 20, 'x');
    Rig r;

    rig_init(&r);
    for (unsigned i = 0; i <= QTEST_LINE_MAX >> 20; i++) {
        qtest_feed(r.q, blank, 1 << 20);
    }
    g_assert_cmpuint(r.got->len, ==, 0);
    g_assert_true(g_str_has_prefix(ask(&r, "tail\n"), "ERR the line is too long"));
    EXPECT(&r, "endian", "");
    EXPECT(&r, "ness\n", "OK little\n");
    rig_done(&r);
}

/* A client that sends without reading: nothing is lost, requests wait. */
static void test_slow_client(void)
{
    g_autoptr(GString) all = g_string_new(NULL);
    unsigned lines = 0;
    Rig r;

    rig_init(&r);
    r.room = 1000;
    for (unsigned i = 0; i < 8; i++) {
        qtest_feed(r.q, "read 0x80000000 1000000\n", 24);
    }
    g_assert_cmpuint(r.got->len, ==, 1000);
    for (unsigned i = 0; i < 10000 && r.got->len; i++) {
        g_string_append_len(all, r.got->str, (gssize)r.got->len);
        g_string_truncate(r.got, 0);
        r.room = 100000;
        qtest_writable(r.q);
    }
    for (const char *s = all->str; (s = strchr(s, '\n')); s++) {
        lines++;
    }
    g_assert_cmpuint(lines, ==, 8);
    g_assert_cmpuint(all->len, ==, 8 * (5 + 2000000 + 1));
    rig_done(&r);
}

/* Random bytes, and requests truncated and mixed: every line has exactly one reply. */
static void test_noise(void)
{
    static const char alphabet[] = "readwlqbxcstp_ 0123456789abcdef\n";
    Rig r;

    rig_init(&r);
    for (unsigned round = 0; round < 20000; round++) {
        char text[80];
        unsigned want = 0, got = 0;

        for (unsigned i = 0; i < sizeof(text) - 1; i++) {
            text[i] = round & 1 ? alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)]
                                : (char)g_test_rand_int_range(1, 256);
            want += text[i] == '\n';
        }
        want += text[sizeof(text) - 2] != '\n';
        text[sizeof(text) - 1] = '\0';
        ask(&r, text);
        if (text[sizeof(text) - 2] != '\n') {
            qtest_feed(r.q, "\n", 1);
        }
        for (const char *s = r.got->str; (s = strchr(s, '\n')); s++) {
            got++;
        }
        g_assert_cmpuint(got, ==, want);
    }
    rig_done(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qtest/accesses", test_accesses);
    g_test_add_func("/qtest/widths", test_widths);
    g_test_add_func("/qtest/clock", test_clock);
    g_test_add_func("/qtest/irq", test_irq);
    g_test_add_func("/qtest/malformed", test_malformed);
    g_test_add_func("/qtest/long-line", test_long_line);
    g_test_add_func("/qtest/slow-client", test_slow_client);
    g_test_add_func("/qtest/noise", test_noise);
    return g_test_run();
}
