/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-xhci with a keyboard and pointing devices: registers, ports, commands, transfers, events,
 * limits of a hostile driver, and saved state.
 */
#define FIXTURE_WITH_TYPES
#include <linux/input.h>

#include "hw/core/keyboard.h"
#include "hw/core/pointer.h"
#include "xhci-driver.h"

enum { HID_SET_IDLE = 0x0a, CLASS_OUT = USB_DIR_OUT | USB_TYPE_CLASS | USB_RECIP_INTERFACE };

static void assert_event(XhciDrv *v, unsigned type, unsigned code)
{
    g_assert_cmpuint(xd_event(v), ==, type);
    g_assert_cmpuint(xd_code(v), ==, code);
    xd_events_done(v);
}

static void assert_no_event(XhciDrv *v)
{
    g_assert_cmpuint(xd_event(v), ==, 0);
}

static void assert_report(XhciDrv *v, const char *bytes, unsigned len)
{
    assert_event(v, XHCI_EVENT_TRANSFER, len == 8 ? XHCI_CODE_SUCCESS : XHCI_CODE_SHORT_PACKET);
    g_assert_cmpuint(v->last.status & 0xffffff, ==, 8 - len);
    g_assert_cmpmem(xd_ram(v, XD_DATA), len, bytes, len);
}

static void press(XhciDrv *v, uint16_t code, bool down)
{
    g_assert_true(keyboard_report(v->f.m, code, down));
    xd_settle();
}

/* --- registers and ports --- */

static void test_registers(void)
{
    XhciDrv v;

    xd_init(&v, "p2=3,p3=2");
    xd_program(&v);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_CAPLENGTH), ==, 0x01000040);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_HCSPARAMS1), ==, 0x05001040);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USB2 + 8), ==, 0x0303);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USB3 + 8), ==, 0x0201);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS), ==, XHCI_STS_HALT);
    g_assert_cmphex(config_read(&v.f, XD_DEVFN, 0x60, 1), ==, 0x30);
    g_assert_cmphex(config_read(&v.f, XD_DEVFN, 0x08, 4), ==, 0x0c033001);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 1)), ==, 0x2a0);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 4)), ==, 0);
    xd_set(&v, XHCI_REG_DCBAAP, 0xffffffff);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_DCBAAP), ==, 0xffffffc0);
    xd_set(&v, XHCI_REG_INTERRUPTERS + 0x20 * 15 + 4, 0x12345678);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_INTERRUPTERS + 0x20 * 15 + 4), ==, 0x12345678);
    xd_set(&v, XHCI_REG_USBCMD, 0xfffffcfc);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBCMD), ==, 0xc0c); /* INTE, HSEE, EWE, EU3S */
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_RESET);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBCMD), ==, 0);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_DCBAAP), ==, 0);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_INTERRUPTERS + 0x20 * 15 + 4), ==, 4000);
    fixture_fini(&v.f);
}

static void test_mfindex(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_start(&v);
    clock_step_ns(&v.f, 10 * 125000);
    g_assert_cmpuint(xd_reg(&v, XHCI_REG_RUNTIME), ==, 10);
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_RUN | XHCI_CMD_EIE | XHCI_CMD_EWE);
    assert_no_event(&v);
    clock_step_ns(&v.f, 0x4000ll * 125000);
    assert_event(&v, XHCI_EVENT_MFINDEX_WRAP, XHCI_CODE_SUCCESS);
    xd_set(&v, XHCI_REG_USBCMD, 0);
    clock_step_ns(&v.f, 125000);
    g_assert_cmpuint(xd_reg(&v, XHCI_REG_RUNTIME), ==, 10);
    fixture_fini(&v.f);
}

/* Connect, reset, suspend, resume by the device, disconnect. */
static void test_port(void)
{
    XhciDrv v;
    Device *dev;

    xd_init(&v, NULL);
    xd_start(&v);
    dev = xd_plug_device(&v, "usb-kbd", "port=2,usb_version=1");
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    g_assert_cmphex(v.last.parameter, ==, 6u << 24);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 2)), ==, 0x206e1);
    g_assert_true(v.f.line[0]);
    xd_set(&v, XHCI_REG_INTERRUPTERS, XHCI_IMAN_IE | XHCI_IMAN_IP);
    g_assert_false(v.f.line[0]);
    xd_set(&v, xd_port(&v, 2), XHCI_PORT_POWER | XHCI_PORT_CSC);
    xd_set(&v, xd_port(&v, 2), XHCI_PORT_POWER | XHCI_PORT_RESET);
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 2)), ==, 0x200603);
    xd_set(&v, xd_port(&v, 2), XHCI_PORT_POWER | XHCI_PORT_PRC);
    device_unplug(dev);
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 2)), ==, 0x202a0);
    fixture_fini(&v.f);
}

static void test_suspend(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_poll(&v);
    xd_request(&v, USB_DIR_OUT, USB_REQ_SET_FEATURE, USB_DEVICE_REMOTE_WAKEUP, 0);
    xd_set(&v, xd_port(&v, 1), XHCI_PORT_CHANGES | XHCI_PORT_LINK_STROBE | XHCI_PLS_U3 << 5);
    press(&v, KEY_A, true);
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    g_assert_cmphex(xd_reg(&v, xd_port(&v, 1)) & XHCI_PORT_PLS, ==, XHCI_PLS_RESUME << 5);
    assert_no_event(&v);
    xd_set(&v, xd_port(&v, 1), XHCI_PORT_CHANGES | XHCI_PORT_LINK_STROBE);
    xd_settle();
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    assert_report(&v, "\0\0\x04\0\0\0\0", 8);
    fixture_fini(&v.f);
}

/* The state that was saved is restored, unless there was a reset. */
static void test_save_restore(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_start(&v);
    xd_set(&v, XHCI_REG_USBCMD, 0);
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_CSS);
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_CRS);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS), ==, XHCI_STS_HALT);
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_RESET);
    xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_CRS);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS), ==, XHCI_STS_HALT | XHCI_STS_SRE);
    fixture_fini(&v.f);
}

/* --- commands --- */

static void test_commands(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_start(&v);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_NOOP_COMMAND, 0), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, 0, 63, 0), ==, XHCI_CODE_TRB);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_DISABLE_SLOT, 1u << 24), ==,
                     XHCI_CODE_SLOT_NOT_ENABLED);
    for (unsigned slot = 1; slot <= 4; slot++) {
        g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_ENABLE_SLOT, 0), ==, XHCI_CODE_SUCCESS);
        g_assert_cmpuint(v.last.control >> 24, ==, slot);
    }
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_ENABLE_SLOT, 0), ==, XHCI_CODE_NO_SLOTS);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_DISABLE_SLOT, 2u << 24), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_RESET_DEVICE, 1u << 24), ==,
                     XHCI_CODE_CONTEXT_STATE);
    g_assert_cmpuint(xd_address(&v, 1, 0), ==, XHCI_CODE_TRANSACTION); /* no device */
    g_assert_cmpuint(xd_address(&v, 100, 0), ==, XHCI_CODE_PARAMETER);
    g_assert_cmpuint(xd_command(&v, RAM + XD_DATA, XHCI_TRB_GET_BANDWIDTH, 0), ==,
                     XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_ram(&v, XD_DATA)[1], ==, 80);
    xd_set(&v, XHCI_REG_CRCR, XHCI_CRCR_STOP);
    assert_event(&v, XHCI_EVENT_COMMAND, XHCI_CODE_RING_STOPPED);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_CRCR), ==, 0);
    fixture_fini(&v.f);
}

static void test_slot(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    g_assert_cmphex(*xd_ram(&v, XD_OUTPUT + 12), ==, 1);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 15)[0] >> 3, ==, 3); /* configured */
    g_assert_cmpuint(
        xd_command(&v, RAM + XD_INPUT, XHCI_TRB_CONFIGURE_ENDPOINT, 1u << 24 | XHCI_TRB_DC), ==,
        XHCI_CODE_SUCCESS);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 15)[0] >> 3, ==, 2); /* addressed */
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_STOP_ENDPOINT, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_ENDPOINT_NOT_ENABLED);
    xd_set(&v, xd_port(&v, 1), XHCI_PORT_POWER | XHCI_PORT_RESET);
    g_assert_cmpuint(xd_request(&v, USB_DIR_IN, USB_REQ_GET_STATUS, 0, 2), ==,
                     XHCI_CODE_TRANSACTION);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_RESET_DEVICE, 1u << 24), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_address(&v, 1, 0), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_DISABLE_SLOT, 1u << 24), ==, XHCI_CODE_SUCCESS);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 15)[0], ==, 0);
    fixture_fini(&v.f);
}

/* --- transfers --- */

static void test_control(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_offer_request(&v, USB_DIR_IN, USB_REQ_GET_DESCRIPTOR, USB_DT_DEVICE << 8, 64);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_SHORT_PACKET);
    g_assert_cmpuint(v.last.status & 0xffffff, ==, 64 - 18);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_SUCCESS);
    g_assert_cmpmem(xd_ram(&v, XD_DATA), 4, "\x12\x01\x00\x02", 4);
    /* a request that does not exist halts the endpoint; Reset Endpoint continues it */
    g_assert_cmpuint(xd_request(&v, USB_DIR_IN, USB_REQ_GET_DESCRIPTOR, 0x7700, 8), ==,
                     XHCI_CODE_STALL);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 32)[0] & 7, ==, XHCI_EP_HALTED);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_RESET_ENDPOINT, 1u << 24 | 1u << 16), ==,
                     XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, (RAM + XD_CONTROL + 16ull * v.at[1]) | 1, XHCI_TRB_SET_DEQUEUE,
                                1u << 24 | 1u << 16),
                     ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_request(&v, USB_DIR_IN, USB_REQ_GET_CONFIGURATION, 0, 1), ==,
                     XHCI_CODE_SUCCESS);
    g_assert_cmpuint(*xd_ram(&v, XD_DATA), ==, 1);
    *xd_ram(&v, XD_DATA) = 5;
    g_assert_cmpuint(xd_request(&v, CLASS_OUT, 0x09, 0x0200, 1), ==, XHCI_CODE_SUCCESS);
    fixture_fini(&v.f);
}

static void test_keyboard(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_poll(&v);
    assert_no_event(&v);
    press(&v, KEY_LEFTSHIFT, true);
    assert_report(&v, "\x02\0\0\0\0\0\0", 8);
    press(&v, KEY_A, true);
    press(&v, KEY_A, false);
    assert_no_event(&v); /* no TD */
    xd_poll(&v);
    assert_report(&v, "\x02\0\x04\0\0\0\0", 8);
    xd_poll(&v);
    assert_report(&v, "\x02\0\0\0\0\0\0", 8);
    xd_poll(&v);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_STOP_ENDPOINT, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_STOP_ENDPOINT, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_CONTEXT_STATE);
    press(&v, KEY_LEFTSHIFT, false);
    assert_no_event(&v);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    assert_report(&v, "\0\0\0\0\0\0\0", 8);
    fixture_fini(&v.f);
}

/* The idle rate repeats reports. */
static void test_idle(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_request(&v, CLASS_OUT, HID_SET_IDLE, 10 << 8, 0);
    xd_poll(&v);
    clock_step_ns(&v.f, 39999999);
    xd_settle();
    assert_no_event(&v);
    clock_step_ns(&v.f, 1);
    xd_settle();
    assert_report(&v, "\0\0\0\0\0\0\0", 8);
    fixture_fini(&v.f);
}

static void test_pointers(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-tablet");
    xd_poll(&v);
    pointer_move(v.f.m, true, POINTER_X, 0x1234);
    pointer_move(v.f.m, true, POINTER_Y, 0x99999);
    pointer_button(v.f.m, POINTER_RIGHT, true);
    pointer_wheel(v.f.m, -1);
    pointer_sync(v.f.m);
    xd_settle();
    assert_report(&v, "\x02\x34\x12\xff\x7f\xff", 6);
    fixture_fini(&v.f);
    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-mouse");
    xd_poll(&v);
    pointer_move(v.f.m, false, POINTER_X, 200);
    pointer_move(v.f.m, false, POINTER_Y, -3);
    pointer_sync(v.f.m);
    xd_settle();
    assert_report(&v, "\0\x7f\xfd\0", 4);
    xd_poll(&v);
    assert_report(&v, "\0\x49\0\0", 4);
    fixture_fini(&v.f);
}

/* The TD that waits ends with an error, which halts the endpoint. */
static void test_unplug(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_poll(&v);
    xd_set(&v, xd_port(&v, 1), XHCI_PORT_CHANGES);
    device_unplug(device_find_id(v.f.m, "dev"));
    xd_settle();
    assert_event(&v, XHCI_EVENT_PORT, XHCI_CODE_SUCCESS);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_TRANSACTION);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 32 * XD_DCI)[0] & 7, ==, XHCI_EP_HALTED);
    fixture_fini(&v.f);
}

/* --- hostile drivers --- */

/* Link TRBs in a loop, a TD without an end, and TRBs of illegal length are TRB errors. */
static void test_rings(void)
{
    uint64_t start = RAM + XD_INTERRUPT;
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_put(&v, 2, start, 0, XHCI_TRB_LINK << 10);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_TRB);
    g_assert_cmphex(xd_ram(&v, XD_OUTPUT + 32 * XD_DCI)[0] & 7, ==, XHCI_EP_ERROR);
    v.at[2] = 0;
    xd_put(&v, 2, RAM + XD_DATA, 8, XHCI_TRB_NORMAL << 10 | XHCI_TRB_CHAIN);
    xd_put(&v, 2, start, 0, XHCI_TRB_LINK << 10 | XHCI_TRB_CHAIN);
    g_assert_cmpuint(xd_command(&v, start | 1, XHCI_TRB_SET_DEQUEUE, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_SUCCESS);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_TRB);
    v.at[2] = 0;
    xd_put(&v, 2, RAM + XD_DATA, 0x10001, XHCI_TRB_NORMAL << 10);
    g_assert_cmpuint(xd_command(&v, start | 1, XHCI_TRB_SET_DEQUEUE, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_SUCCESS);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    assert_event(&v, XHCI_EVENT_TRANSFER, XHCI_CODE_TRB);
    fixture_fini(&v.f);
}

/* An endless ring of No Op TDs: each turn is bounded, and commands continue. */
static void test_endless(void)
{
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_put(&v, 2, 0, 0, XHCI_TRB_NOOP << 10);
    xd_put(&v, 2, RAM + XD_INTERRUPT, 0, XHCI_TRB_LINK << 10);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    g_assert_true(xd_dut(&v)->work.scheduled);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_NOOP_COMMAND, 0), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_command(&v, 0, XHCI_TRB_STOP_ENDPOINT, 1u << 24 | XD_DCI << 16), ==,
                     XHCI_CODE_SUCCESS);
    fixture_fini(&v.f);
}

/* Rings, contexts and buffers that are not RAM stop the controller until a reset. */
static void test_not_ram(void)
{
    static const unsigned registers[] = { XHCI_REG_CRCR, XHCI_REG_DCBAAP };
    XhciDrv v;

    xd_init(&v, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
        xd_start(&v);
        xd_set(&v, registers[i], ECAM | 1);
        xd_command(&v, 0, XHCI_TRB_ENABLE_SLOT, 0);
        xd_address(&v, 1, 0);
        g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS) & XHCI_STS_FATAL, ==, XHCI_STS_FATAL);
        xd_set(&v, XHCI_REG_USBCMD, XHCI_CMD_RUN);
        g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS) & XHCI_STS_HALT, ==, XHCI_STS_HALT);
    }
    xd_enumerate(&v, "usb-kbd");
    xd_put(&v, 2, XD_BAR, 8, XHCI_TRB_NORMAL << 10);
    xd_set(&v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    press(&v, KEY_A, true);
    g_assert_cmphex(xd_reg(&v, XHCI_REG_USBSTS) & XHCI_STS_FATAL, ==, XHCI_STS_FATAL);
    fixture_fini(&v.f);
}

/* The last entry of a full ring reports it. Commands wait for space, and none is lost. */
static void test_full(void)
{
    unsigned done = 0, full = 0;
    XhciDrv v;

    xd_init(&v, NULL);
    xd_start(&v);
    for (unsigned i = 0; i < 20; i++) {
        xd_put(&v, 0, 0, 0, XHCI_TRB_NOOP_COMMAND << 10);
    }
    xd_set(&v, XHCI_REG_DOORBELLS, 0);
    xd_settle();
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        for (unsigned type; (type = xd_event(&v));) {
            done += type == XHCI_EVENT_COMMAND;
            full += type == XHCI_EVENT_HOST && xd_code(&v) == XHCI_CODE_RING_FULL;
        }
        xd_events_done(&v);
        xd_settle();
    }
    g_assert_cmpuint(done, ==, 20);
    g_assert_cmpuint(full, ==, 1);
    fixture_fini(&v.f);
}

/* --- saved state --- */

/* A TD that waits continues after a load, in a machine with the same device. */
static void test_saved(void)
{
    g_autoptr(GByteArray) state = NULL, again = NULL;
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_poll(&v);
    state = save_state(v.d);
    g_assert_true(load_state(v.d, state, NULL));
    again = save_state(v.d);
    g_assert_cmpmem(state->data, state->len, again->data, again->len);
    machine_set_state(v.f.m, RUN_PAUSED);
    machine_set_state(v.f.m, RUN_RUNNING);
    press(&v, KEY_B, true);
    assert_report(&v, "\0\0\x05\0\0\0\0", 8);
    fixture_fini(&v.f);
}

/* The ports of a state must have the devices of the machine. */
static void test_saved_ports(void)
{
    g_autoptr(GByteArray) state = NULL;
    g_autoptr(GError) err = NULL;
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    state = save_state(v.d);
    device_unplug(device_find_id(v.f.m, "dev"));
    g_assert_false(load_state(v.d, state, &err));
    g_assert_nonnull(strstr(err->message, "does not agree with the device there (none)"));
    fixture_fini(&v.f);
}

/* A state with a changed byte loads or is refused with one error, which the caller may ignore. */
static void test_saved_changed(void)
{
    static const uint8_t changes[] = { 0x01, 0x80, 0xff };
    g_autoptr(GByteArray) state = NULL;
    unsigned refused = 0;
    XhciDrv v;

    xd_init(&v, NULL);
    xd_enumerate(&v, "usb-kbd");
    xd_poll(&v);
    state = save_state(v.d);
    for (guint i = 0; i < state->len * G_N_ELEMENTS(changes); i++) {
        uint8_t *at = &state->data[i / G_N_ELEMENTS(changes)];
        uint8_t change = changes[i % G_N_ELEMENTS(changes)];
        g_autoptr(GError) err = NULL;

        *at ^= change;
        if (!load_state(v.d, state, &err)) {
            g_assert_nonnull(err);
            g_assert_false(load_state(v.d, state, NULL));
            refused++;
        }
        *at ^= change;
    }
    g_assert_cmpuint(refused, >, 0);
    g_assert_true(load_state(v.d, state, NULL));
    fixture_fini(&v.f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xhci/registers", test_registers);
    g_test_add_func("/xhci/mfindex", test_mfindex);
    g_test_add_func("/xhci/port", test_port);
    g_test_add_func("/xhci/suspend", test_suspend);
    g_test_add_func("/xhci/save-restore", test_save_restore);
    g_test_add_func("/xhci/commands", test_commands);
    g_test_add_func("/xhci/slot", test_slot);
    g_test_add_func("/xhci/control", test_control);
    g_test_add_func("/xhci/keyboard", test_keyboard);
    g_test_add_func("/xhci/idle", test_idle);
    g_test_add_func("/xhci/pointers", test_pointers);
    g_test_add_func("/xhci/unplug", test_unplug);
    g_test_add_func("/xhci/rings", test_rings);
    g_test_add_func("/xhci/endless", test_endless);
    g_test_add_func("/xhci/not-ram", test_not_ram);
    g_test_add_func("/xhci/full", test_full);
    g_test_add_func("/xhci/saved", test_saved);
    g_test_add_func("/xhci/saved-ports", test_saved_ports);
    g_test_add_func("/xhci/saved-changed", test_saved_changed);
    return g_test_run();
}
