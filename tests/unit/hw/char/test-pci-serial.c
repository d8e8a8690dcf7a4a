/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-serial: the 16550A behind an I/O BAR. Identity, output and input through the BAR, INTx,
 * reset, saved state, and an end of the function with bytes that were not passed to the back end.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

#include <linux/serial_reg.h>

#include "chardev/chardev.h"
#include "chardev/ringbuf.h"

enum { DEVFN = PCI_DEVFN(2, 0), PORT = 0x1000 };

typedef struct Uart {
    Fixture f;
    Chardev *chr;
    PCIDevice *d;
} Uart;

static void uart_plug(Uart *u)
{
    u->d = plug_function(&u->f, (const PCIDeviceType *)device_type_find("pci-serial"), "pcie.0",
                         "s0", DEVFN, "chardev=c0");
    config_write(&u->f, DEVFN, PCI_BASE_ADDRESS_0, 4, PORT);
    config_write(&u->f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
}

static void uart_start(Uart *u)
{
    g_autoptr(GError) err = NULL;

    fixture_init(&u->f);
    u->chr = chardev_new(u->f.m, "c0", "ringbuf,size=4096", &err);
    g_assert_no_error(err);
    uart_plug(u);
}

static void uart_end(Uart *u)
{
    fixture_empty(u->f.m, "peripheral");
    chardev_free(u->chr);
    fixture_fini(&u->f);
}

static uint8_t in(Uart *u, unsigned reg)
{
    return guest_read(&u->f, PIO + PORT + reg, 1);
}

static void out(Uart *u, unsigned reg, uint8_t v)
{
    guest_write(&u->f, PIO + PORT + reg, 1, v);
}

static void check_output(Uart *u, const char *text)
{
    g_autoptr(GByteArray) got = chardev_ringbuf_read(u->chr, 4096);

    g_assert_cmpmem(got->data, got->len, text, strlen(text));
}

static void test_identity(void)
{
    Uart u;

    uart_start(&u);
    g_assert_cmphex(config_read(&u.f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x00021b36);
    g_assert_cmphex(config_read(&u.f, DEVFN, PCI_REVISION_ID, 4), ==, 0x07000201);
    g_assert_cmphex(config_read(&u.f, DEVFN, PCI_INTERRUPT_PIN, 1), ==, 1);
    config_write(&u.f, DEVFN, PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
    g_assert_cmphex(config_read(&u.f, DEVFN, PCI_BASE_ADDRESS_0, 4) & 0xffff, ==, 0xfff9);
    uart_end(&u);
}

static void test_output(void)
{
    Uart u;

    uart_start(&u);
    g_assert_cmphex(in(&u, UART_LSR), ==, UART_LSR_THRE | UART_LSR_TEMT);
    for (const char *c = "hello"; *c; c++) {
        out(&u, UART_TX, *c);
    }
    device_unplug(&u.d->dev); /* passes the buffered bytes on */
    check_output(&u, "hello");
    uart_plug(&u); /* the back end is free again */
    out(&u, UART_TX, '!');
    uart_end(&u);
}

/* Characters of the back end raise the pin; a read of the last one lowers it. */
static void test_input(void)
{
    Uart u;

    uart_start(&u);
    out(&u, UART_IER, UART_IER_RDI);
    g_assert_false(u.f.line[2]);
    chardev_ringbuf_feed(u.chr, (const uint8_t *)"a", 1);
    g_assert_true(u.f.line[2]);
    g_assert_cmphex(in(&u, UART_IIR), ==, UART_IIR_RDI);
    g_assert_cmphex(in(&u, UART_RX), ==, 'a');
    g_assert_false(u.f.line[2]);
    uart_end(&u);
}

static void test_reset(void)
{
    Uart u;

    uart_start(&u);
    out(&u, UART_SCR, 0x5a);
    chardev_ringbuf_feed(u.chr, (const uint8_t *)"a", 1);
    out(&u, UART_IER, UART_IER_RDI);
    g_assert_true(u.f.line[2]);
    pci_device_reset(u.d, RESET_HOT);
    g_assert_false(u.f.line[2]);
    config_write(&u.f, DEVFN, PCI_BASE_ADDRESS_0, 4, PORT);
    config_write(&u.f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
    g_assert_cmphex(in(&u, UART_SCR), ==, 0);
    g_assert_cmphex(in(&u, UART_LSR), ==, UART_LSR_THRE | UART_LSR_TEMT);
    uart_end(&u);
}

/* A function that is loaded has the received byte, the registers and the level of the pin. */
static void test_saved(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) bytes = NULL;
    Uart u;

    uart_start(&u);
    out(&u, UART_IER, UART_IER_RDI);
    out(&u, UART_SCR, 0x5a);
    chardev_ringbuf_feed(u.chr, (const uint8_t *)"z", 1);
    bytes = save_state(u.d);
    device_unplug(&u.d->dev);
    g_assert_false(u.f.line[2]);
    uart_plug(&u);
    g_assert_true(load_state(u.d, bytes, &err));
    g_assert_no_error(err);
    g_assert_true(u.f.line[2]);
    g_assert_cmphex(in(&u, UART_SCR), ==, 0x5a);
    g_assert_cmphex(in(&u, UART_RX), ==, 'z');
    g_assert_false(u.f.line[2]);
    uart_end(&u);
}

/* The name in the message is that of the function. */
static void test_no_chardev(void)
{
    Fixture f;

    fixture_init(&f);
    refused(&f, (const PCIDeviceType *)device_type_find("pci-serial"), "pcie.0", "s0", DEVFN,
            "chardev=nope", "s0: there is no chardev 'nope'");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci-serial/identity", test_identity);
    g_test_add_func("/pci-serial/output", test_output);
    g_test_add_func("/pci-serial/input", test_input);
    g_test_add_func("/pci-serial/reset", test_reset);
    g_test_add_func("/pci-serial/saved", test_saved);
    g_test_add_func("/pci-serial/no-chardev", test_no_chardev);
    return g_test_run();
}
