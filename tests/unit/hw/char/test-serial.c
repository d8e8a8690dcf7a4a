/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A: registers, FIFO and trigger levels, timeout, interrupts and their order, loopback,
 * output to and input from a ring buffer.
 */
#include "../fixture.h"

#include "chardev/ringbuf.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

enum {
    BASE = 0x10000000,
    RBR = 0,
    THR = 0,
    IER = 1,
    FCR = 2,
    IIR = 2,
    LCR = 3,
    MCR,
    LSR,
    MSR,
    SCR
};

typedef struct Uart {
    Machine *m;
    Device *dev;
    Chardev *chr;
    IrqPin pin;
    bool irq;
} Uart;

static void note_level(void *opaque, unsigned n, bool level)
{
    *(bool *)opaque = level;
}

static void uart_new(Uart *u)
{
    g_autoptr(GError) err = NULL;

    *u = (Uart){ .m = fixture_new(1) };
    u->chr = chardev_new(u->m, "serial0", "ringbuf,size=4096", &err);
    g_assert_no_error(err);
    u->dev = fixture_device(u->m, "serial-mm", "chardev=serial0", BASE);
    irq_init(&u->pin, 1, note_level, &u->irq);
    sysdev_connect(u->dev, 0, &u->pin);
}

static void uart_free(Uart *u)
{
    device_unplug(u->dev);
    chardev_free(u->chr);
    machine_free(u->m);
}

static uint8_t in(Uart *u, unsigned reg)
{
    return guest_read(u->m, BASE + reg, 1);
}

static void out(Uart *u, unsigned reg, uint8_t v)
{
    guest_write(u->m, BASE + reg, 1, v);
}

static void check_output(Uart *u, const char *text)
{
    GByteArray *got;

    wait_elapse(1500, "output is handed over a millisecond after the first byte");
    clocks_dispatch(u->m->clocks);
    got = chardev_ringbuf_read(u->chr, 4096);

    g_assert_cmpmem(got->data, got->len, text, strlen(text));
    g_byte_array_unref(got);
}

static void test_registers(void)
{
    Uart u;

    uart_new(&u);
    g_assert_cmphex(in(&u, LSR), ==, 0x60);
    g_assert_cmphex(in(&u, IIR), ==, 0x01);
    out(&u, SCR, 0x5a);
    g_assert_cmphex(in(&u, SCR), ==, 0x5a);
    out(&u, IER, 0xff);
    g_assert_cmphex(in(&u, IER), ==, 0x0f);
    out(&u, LCR, 0x83);
    out(&u, 0, 0x34);
    out(&u, 1, 0x12);
    g_assert_cmphex(in(&u, 0), ==, 0x34);
    g_assert_cmphex(in(&u, 1), ==, 0x12);
    out(&u, LCR, 3);
    g_assert_cmphex(in(&u, IER), ==, 0x0f);
    out(&u, FCR, 0xc1);
    g_assert_cmphex(in(&u, IIR) & 0xc0, ==, 0xc0);
    g_assert_cmphex(guest_read(u.m, BASE + 0x50, 1), ==, 0);
    uart_free(&u);
}

static void test_output(void)
{
    Uart u;

    uart_new(&u);
    out(&u, FCR, 0x01);
    out(&u, IER, 0x02);
    g_assert_true(u.irq); /* enabling while empty interrupts */
    g_assert_cmphex(in(&u, IIR), ==, 0xc2);
    g_assert_false(u.irq); /* and reading IIR ends it */
    for (const char *c = "hello"; *c; c++)
        out(&u, THR, *c);
    g_assert_true(u.irq);
    check_output(&u, "hello");
    out(&u, IER, 0);
    g_assert_false(u.irq);
    uart_free(&u);
}

/* More bytes than the line buffers, without an iteration of the main loop. Nothing is lost at the
 * end. */
static void test_bulk(void)
{
    g_autoptr(GString) all = g_string_new(NULL);
    Uart u;

    uart_new(&u);
    out(&u, FCR, 0x01);
    for (unsigned i = 0; i < 1000; i++) {
        g_string_append_c(all, 'a' + i % 26);
        out(&u, THR, 'a' + i % 26);
        g_assert_cmphex(in(&u, LSR), ==, 0x60);
    }
    check_state_round_trip(u.dev);
    check_output(&u, all->str);
    out(&u, THR, '!');
    device_unplug(u.dev);
    check_output(&u, "!");
    chardev_free(u.chr);
    machine_free(u.m);
}

static void feed(Uart *u, const char *text)
{
    chardev_ringbuf_feed(u->chr, (const uint8_t *)text, strlen(text));
}

static void test_input(void)
{
    Uart u;

    uart_new(&u);
    out(&u, FCR, 0x81); /* trigger at 8 */
    out(&u, IER, 0x01);
    feed(&u, "abcdefg");
    g_assert_false(u.irq);
    g_assert_cmphex(in(&u, LSR) & 1, ==, 1);
    clock_step_ns(u.m, 10000000); /* four character times at 9600 baud are about 4 ms */
    g_assert_true(u.irq);
    g_assert_cmphex(in(&u, IIR), ==, 0xcc);
    g_assert_cmpint(in(&u, RBR), ==, 'a');
    g_assert_false(u.irq);
    feed(&u, "hi");
    g_assert_cmphex(in(&u, IIR), ==, 0xc4);
    for (const char *c = "bcdefghi"; *c; c++)
        g_assert_cmpint(in(&u, RBR), ==, (uint8_t)*c);
    g_assert_cmphex(in(&u, IIR), ==, 0xc1);
    g_assert_cmphex(in(&u, LSR) & 1, ==, 0);
    g_assert_cmphex(in(&u, RBR), ==, 0);
    g_assert_cmpuint(chardev_ringbuf_feed(u.chr, (const uint8_t *)"0123456789abcdefXYZ", 19), ==,
                     16);
    check_state_round_trip(u.dev);
    out(&u, FCR, 0x83);
    g_assert_cmphex(in(&u, LSR) & 1, ==, 0);
    uart_free(&u);
}

static void test_loopback(void)
{
    Uart u;

    uart_new(&u);
    in(&u, MSR);
    out(&u, FCR, 1);
    out(&u, MCR, 0x1f);
    g_assert_cmphex(in(&u, MSR), ==, 0xf0);
    out(&u, MCR, 0x10);
    g_assert_cmphex(in(&u, MSR), ==, 0x0f);
    g_assert_cmphex(in(&u, MSR), ==, 0x00);
    out(&u, THR, 'L');
    g_assert_cmpint(in(&u, RBR), ==, 'L');
    check_output(&u, "");
    g_assert_cmpuint(chardev_ringbuf_feed(u.chr, (const uint8_t *)"x", 1), ==, 0);
    out(&u, IER, 4); /* overrun: 17 bytes into 16, a line status interrupt */
    for (unsigned i = 0; i < 17; i++)
        out(&u, THR, i);
    g_assert_true(u.irq);
    g_assert_cmphex(in(&u, IIR) & 0xf, ==, 6);
    g_assert_cmphex(in(&u, LSR) & 2, ==, 2);
    g_assert_false(u.irq);
    uart_free(&u);
}

static void test_hostile(void)
{
    Uart u;

    uart_new(&u);
    for (unsigned i = 0; i < 50; i++) {
        random_accesses(u.m, BASE, 0x10, 500);
        clock_step_ns(u.m, 1000000);
        chardev_ringbuf_feed(u.chr, (const uint8_t *)"noise", 5);
    }
    check_state_round_trip(u.dev);
    device_reset_tree(u.dev, RESET_HOT);
    g_assert_false(u.irq);
    g_assert_cmphex(in(&u, LSR), ==, 0x60);
    uart_free(&u);
}

static void test_no_such_chardev(void)
{
    Machine *m = fixture_new(1);
    g_autoptr(GError) err = NULL;

    g_assert_null(device_create(m, "serial-mm", "chardev=nope", NULL, &err));
    g_assert_nonnull(strstr(err->message, "'nope'"));
    machine_free(m);
}

/* A state with more bytes than the FIFO holds would let the next byte be written past its end. */
static void test_fuller_than_deep(void)
{
    enum { N_RX = 9 + 3 * 16, N_TX, FCR_AT = 1 };

    for (unsigned at = N_RX; at <= N_TX; at++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GError) err = NULL;
        ByteWriter w = { bytes };
        const VmState *vm;
        ByteReader r;
        Uart u;

        uart_new(&u);
        vm = u.dev->type->vmstate;
        vm_save(vm, u.dev, &w);
        bytes->data[at] = 16;
        reader_init(&r, bytes->data, bytes->len);
        g_assert_false(vm_load(vm, u.dev, 1, &r, "serial", &err));
        g_assert_nonnull(strstr(err->message, at == N_TX ? "(n_tx)" : "(n_rx)"));
        bytes->data[FCR_AT] = 1; /* with FIFOs it is full */
        reader_init(&r, bytes->data, bytes->len);
        ASSERT_OK(vm_load(vm, u.dev, 1, &r, "serial", &failure));
        out(&u, THR, 'x');
        uart_free(&u);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/serial/registers", test_registers);
    g_test_add_func("/serial/output", test_output);
    g_test_add_func("/serial/bulk", test_bulk);
    g_test_add_func("/serial/input", test_input);
    g_test_add_func("/serial/loopback", test_loopback);
    g_test_add_func("/serial/hostile", test_hostile);
    g_test_add_func("/serial/fuller-than-deep", test_fuller_than_deep);
    g_test_add_func("/serial/no-such-chardev", test_no_such_chardev);
    return g_test_run();
}
