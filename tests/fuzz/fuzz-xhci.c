/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-xhci with HID devices: registers, doorbells, TRBs and contexts with plausible and arbitrary
 * memory, input events, plugging, resets, save and load, stops.
 */
#include "fuzz-input.h"

#define FIXTURE_WITH_TYPES
#include "hw/core/keyboard.h"
#include "hw/core/pointer.h"
#include "tests/unit/hw/usb/xhci-driver.h"

static const char *const devices[] = { "usb-kbd", "usb-tablet", "usb-mouse", "usb-kbd" };

static uint64_t fuzz_address(Input *in)
{
    static const uint64_t places[] = {
        RAM + XD_DATA,     RAM + XD_INPUT,    RAM + XD_INTERRUPT, RAM + RAM_SIZE - 16, XD_BAR, 0,
        RAM + XD_COMMANDS, UINT64_MAX - 0xfff
    };

    return places[input_take(in, 1) & 7] + input_take(in, 1);
}

static void fuzz_trb(XhciDrv *v, Input *in, unsigned ring)
{
    static const uint8_t commands[] = {
        9, 10, 11, 12, 13, 14, 15, 16, 17, 21, 23, 6, 12, 14, 15, 16
    };
    uint8_t op = (uint8_t)input_take(in, 1);
    uint32_t bits = (uint32_t)input_take(in, 2) & 0x3f3;

    if (ring == 0) {
        xd_put(v, 0, fuzz_address(in), (uint32_t)input_take(in, 1),
               (uint32_t)commands[op & 15] << 10 | (op >> 4 & 1) << 9 | (op >> 5 & 3u) << 24 |
                   (bits & 31) << 16);
    } else {
        xd_put(v, ring, fuzz_address(in), (uint32_t)input_take(in, 3) & 0xffc1ffff,
               (uint32_t)(op & 15) << 10 | bits | (op >> 4 & 1u) << 16);
    }
}

static void fuzz_bar(XhciDrv *v, uint64_t at, Input *in)
{
    unsigned size = 1u << (input_take(in, 1) & 3);

    guest_write(&v->f, XD_BAR + at, size, input_take(in, size));
    guest_read(&v->f, XD_BAR + at, size);
}

static void fuzz_poke(XhciDrv *v, Input *in)
{
    uint64_t at = XD_COMMANDS + input_take(in, 2) % (XD_DATA - XD_COMMANDS);
    uint32_t value = (uint32_t)input_take(in, 4);

    memcpy(xd_ram(v, at & ~3ull), &value, sizeof(value));
}

/* A saved state loads, and saves again to the same bytes; one with a changed byte may be refused.
 */
static void fuzz_state(XhciDrv *v, Input *in)
{
    g_autoptr(GByteArray) now = save_state(v->d), again = NULL;
    g_autoptr(GError) err = NULL;
    uint32_t at = (uint32_t)input_take(in, 2) % now->len;
    uint8_t change = (uint8_t)input_take(in, 1);

    g_assert_true(load_state(v->d, now, NULL));
    again = save_state(v->d);
    g_assert_cmpmem(now->data, now->len, again->data, again->len);
    again->data[at] ^= change;
    if (!load_state(v->d, again, change & 1 ? &err : NULL)) {
        g_assert_true(load_state(v->d, now, NULL));
    }
}

static void fuzz_input_event(XhciDrv *v, Input *in)
{
    uint8_t what = (uint8_t)input_take(in, 1);

    keyboard_report(v->f.m, (uint16_t)input_take(in, 1), what & 1);
    pointer_move(v->f.m, what & 2, what & 4 ? POINTER_X : POINTER_Y,
                 (int16_t)input_take(in, 2) * (what & 8 ? 65536 : 1));
    pointer_wheel(v->f.m, (int8_t)input_take(in, 1));
    pointer_button(v->f.m, what % POINTER_BUTTONS, what & 16);
    pointer_sync(v->f.m);
}

static void fuzz_plug(XhciDrv *v, unsigned op)
{
    Device *dev = device_find_id(v->f.m, "dev");

    if (dev) {
        device_unplug(dev);
    } else {
        xd_plug_device(v, devices[op & 3], op & 4 ? "port=1" : "port=2,usb_version=1");
    }
}

/* Continue to a configured device without the checks of xd_enumerate(). */
static void fuzz_enumerate(XhciDrv *v)
{
    xd_start(v);
    if (!device_find_id(v->f.m, "dev")) {
        xd_plug_device(v, "usb-kbd", "port=1");
    }
    xd_set(v, xd_port(v, 1), XHCI_PORT_POWER | XHCI_PORT_RESET);
    xd_command(v, 0, XHCI_TRB_ENABLE_SLOT, 0);
    xd_address(v, 1, 0);
    xd_configure(v);
    xd_request(v, USB_DIR_OUT, USB_REQ_SET_CONFIGURATION, 1, 0);
}

static void fuzz_step(XhciDrv *v, Input *in)
{
    static const ResetKind kinds[] = { RESET_COLD, RESET_HOT, RESET_FUNCTION, RESET_D3HOT };
    static const uint16_t areas[] = { 0x40, 0x440, 0x1020, 0x2000 };
    uint8_t op = (uint8_t)input_take(in, 1);
    unsigned more = op >> 4;

    switch (op & 15) {
    case 0:
        fuzz_bar(v, areas[more & 3] + (input_take(in, 1) & 0xff), in);
        break;
    case 1:
        fuzz_bar(v, input_take(in, 2) & 0x3fff, in);
        break;
    case 2:
        xd_set(v, XHCI_REG_DOORBELLS + 4 * (more & 3), input_take(in, 1) & 31);
        break;
    case 3:
    case 4:
        fuzz_trb(v, in, more % XD_RINGS);
        break;
    case 5:
        fuzz_poke(v, in);
        break;
    case 6:
        fuzz_enumerate(v);
        break;
    case 7:
        xd_offer_request(v, (uint8_t)input_take(in, 1), (uint8_t)input_take(in, 1),
                         (uint16_t)input_take(in, 2), (uint16_t)(input_take(in, 2) & 0xfff));
        break;
    case 8:
        xd_poll(v);
        break;
    case 9:
        fuzz_input_event(v, in);
        break;
    case 10:
        xd_settle();
        clock_step_ns(&v->f, 1000000 * (1 + more));
        break;
    case 11:
        pci_device_reset(v->d, kinds[more & 3]);
        break;
    case 12:
        fuzz_state(v, in);
        break;
    case 13:
        fuzz_plug(v, more);
        break;
    case 14:
        machine_set_state(v->f.m, more & 1 ? RUN_RUNNING : RUN_PAUSED);
        break;
    default:
        if (more & 8) {
            while (xd_event(v)) {
            }
            xd_events_done(v);
        } else if (more & 4) {
            config_write(&v->f, XD_DEVFN, (uint32_t)input_take(in, 1), 1,
                         (uint32_t)input_take(in, 1));
        } else {
            device_unplug(&v->d->dev);
            xd_plug(v, more & 1 ? "p2=2,p3=1" : NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 2048) };
    XhciDrv v = { .event = 0 };

    xd_init(&v, NULL);
    fuzz_enumerate(&v);
    while (in.left) {
        fuzz_step(&v, &in);
    }
    machine_set_state(v.f.m, RUN_RUNNING);
    xd_settle();
    fixture_fini(&v.f);
    return 0;
}
