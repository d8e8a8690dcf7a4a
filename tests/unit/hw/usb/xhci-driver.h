/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of qemu-xhci: a command ring, one event ring, and slot 1 with endpoint 0 and an
 * interrupt endpoint.
 */
#ifndef TESTS_XHCI_DRIVER_H
#define TESTS_XHCI_DRIVER_H

#include "../pci/pci-fixture.h"
#include "hw/usb/xhci_internal.h"

enum {
    XD_DEVFN = PCI_DEVFN(4, 0),
    XD_RINGS = 3, /* the command ring, endpoint 0, the interrupt endpoint */
    XD_COMMANDS = 0x10000,
    XD_CONTROL = 0x11000,
    XD_INTERRUPT = 0x12000,
    XD_EVENTS = 0x13000,
    XD_TABLE = 0x14000,
    XD_ARRAY = 0x15000,
    XD_INPUT = 0x16000,
    XD_OUTPUT = 0x17000,
    XD_DATA = 0x18000,
    XD_MSI = 0x19000,
    XD_RING_TRBS = 32,
    XD_EVENT_TRBS = 16,
    XD_DCI = 3, /* endpoint 1 IN */
};
#define XD_BAR MMIO

typedef struct XhciDrv {
    Fixture f;
    PCIDevice *d;
    unsigned at[XD_RINGS];
    bool cycle[XD_RINGS];
    unsigned event, event_cycle;
    XhciTrb last; /* the last event */
} XhciDrv;

static const uint32_t xd_ring_at[XD_RINGS] = { XD_COMMANDS, XD_CONTROL, XD_INTERRUPT };

static inline Xhci *xd_dut(XhciDrv *v)
{
    return (Xhci *)v->d;
}

static inline uint8_t *xd_ram(XhciDrv *v, uint64_t at)
{
    return v->f.ram.ram->host + at;
}

static inline uint32_t xd_reg(XhciDrv *v, unsigned at)
{
    return (uint32_t)guest_read(&v->f, XD_BAR + at, 4);
}

static inline void xd_set(XhciDrv *v, unsigned at, uint64_t value)
{
    guest_write(&v->f, XD_BAR + at, 4, value);
}

static inline unsigned xd_port(XhciDrv *v, unsigned bus_port)
{
    return XHCI_REG_PORTS + XHCI_PORT_BYTES * (xd_dut(v)->p3 + bus_port - 1);
}

static inline void xd_settle(void)
{
    for (unsigned i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

/* --- rings --- */

static inline void xd_put(XhciDrv *v, unsigned ring, uint64_t parameter, uint32_t status,
                          uint32_t control)
{
    uint8_t *at = xd_ram(v, xd_ring_at[ring] + v->at[ring] * XHCI_TRB_BYTES);
    uint32_t last = control | v->cycle[ring];

    memcpy(at, &parameter, 8);
    memcpy(at + 8, &status, 4);
    memcpy(at + 12, &last, 4);
    if (++v->at[ring] == XD_RING_TRBS - 1) {
        uint64_t start = RAM + xd_ring_at[ring];
        uint32_t link = XHCI_TRB_LINK << 10 | XHCI_TRB_TC | v->cycle[ring];

        memcpy(at + 16, &start, 8);
        memcpy(at + 28, &link, 4);
        v->at[ring] = 0;
        v->cycle[ring] = !v->cycle[ring];
    }
}

/* Take an event, and return its type; 0: there is none. */
static inline unsigned xd_event(XhciDrv *v)
{
    const uint8_t *at = xd_ram(v, XD_EVENTS + v->event * XHCI_TRB_BYTES);

    memcpy(&v->last, at, XHCI_TRB_BYTES);
    if ((v->last.control & XHCI_TRB_CYCLE) != v->event_cycle) {
        return 0;
    }
    v->event = (v->event + 1) % XD_EVENT_TRBS;
    v->event_cycle ^= v->event == 0;
    return xhci_trb_type(&v->last);
}

static inline void xd_events_done(XhciDrv *v)
{
    xd_set(v, XHCI_REG_INTERRUPTERS + 0x18,
           (RAM + XD_EVENTS + v->event * XHCI_TRB_BYTES) | XHCI_ERDP_EHB);
}

static inline unsigned xd_code(const XhciDrv *v)
{
    return v->last.status >> 24;
}

/* Execute a command, and return its completion code; 0: it did not complete. */
static inline unsigned xd_command(XhciDrv *v, uint64_t parameter, uint32_t type, uint32_t bits)
{
    xd_put(v, 0, parameter, 0, type << 10 | bits);
    xd_set(v, XHCI_REG_DOORBELLS, 0);
    xd_settle();
    while (xd_event(v)) {
        xd_events_done(v);
        if (xhci_trb_type(&v->last) == XHCI_EVENT_COMMAND) {
            return xd_code(v);
        }
    }
    return 0;
}

/* --- start --- */

static inline void xd_program(XhciDrv *v)
{
    config_write(&v->f, XD_DEVFN, 0x10, 4, XD_BAR);
    config_write(&v->f, XD_DEVFN, 0x14, 4, 0);
    config_write(&v->f, XD_DEVFN, 0x04, 2, 6);
}

static inline void xd_start(XhciDrv *v)
{
    uint32_t table[4] = { (uint32_t)(RAM + XD_EVENTS), 0, XD_EVENT_TRBS, 0 };
    uint64_t output = RAM + XD_OUTPUT;

    xd_program(v);
    memset(xd_ram(v, XD_COMMANDS), 0, XD_DATA - XD_COMMANDS);
    memcpy(xd_ram(v, XD_TABLE), table, sizeof(table));
    memcpy(xd_ram(v, XD_ARRAY + 8), &output, 8);
    for (unsigned i = 0; i < XD_RINGS; i++) {
        v->at[i] = 0;
        v->cycle[i] = true;
    }
    v->event = 0;
    v->event_cycle = 1;
    xd_set(v, XHCI_REG_USBCMD, XHCI_CMD_RESET);
    xd_set(v, XHCI_REG_CONFIG, 4);
    xd_set(v, XHCI_REG_DCBAAP, RAM + XD_ARRAY);
    xd_set(v, XHCI_REG_CRCR, (RAM + XD_COMMANDS) | 1);
    xd_set(v, XHCI_REG_CRCR + 4, 0);
    xd_set(v, XHCI_REG_INTERRUPTERS + 0x08, 1);
    xd_set(v, XHCI_REG_INTERRUPTERS + 0x18, RAM + XD_EVENTS);
    xd_set(v, XHCI_REG_INTERRUPTERS + 0x10, RAM + XD_TABLE);
    xd_set(v, XHCI_REG_INTERRUPTERS + 0x14, 0);
    xd_set(v, XHCI_REG_INTERRUPTERS, XHCI_IMAN_IE);
    xd_set(v, XHCI_REG_USBCMD, XHCI_CMD_RUN | XHCI_CMD_EIE);
}

/* Fill the input context of an endpoint, or of the slot (dci 0). */
static inline void xd_input(XhciDrv *v, uint32_t add, unsigned dci, const uint32_t *words)
{
    uint32_t control[2] = { 0, add };

    memcpy(xd_ram(v, XD_INPUT), control, sizeof(control));
    memcpy(xd_ram(v, XD_INPUT + XHCI_CONTEXT_BYTES * (1 + dci)), words, 16);
}

static inline unsigned xd_address(XhciDrv *v, unsigned port, uint32_t bits)
{
    uint32_t slot[4] = { 1u << 27, (xd_dut(v)->p3 + port) << 16 };
    uint32_t control[4] = { 0, XHCI_EP_CONTROL << 3 | 64u << 16, (uint32_t)(RAM + XD_CONTROL) | 1 };

    xd_input(v, 3, 0, slot);
    xd_input(v, 3, 1, control);
    return xd_command(v, RAM + XD_INPUT, XHCI_TRB_ADDRESS_DEVICE, 1u << 24 | bits);
}

static inline unsigned xd_configure(XhciDrv *v)
{
    uint32_t slot[4] = { 3u << 27 };
    uint32_t words[4] = { 0, XHCI_EP_INTERRUPT_IN << 3 | 8u << 16,
                          (uint32_t)(RAM + XD_INTERRUPT) | 1 };

    xd_input(v, 1 | 1u << XD_DCI, 0, slot);
    xd_input(v, 1 | 1u << XD_DCI, XD_DCI, words);
    return xd_command(v, RAM + XD_INPUT, XHCI_TRB_CONFIGURE_ENDPOINT, 1u << 24);
}

/* Offer a request of the default pipe and ring the doorbell. */
static inline void xd_offer_request(XhciDrv *v, uint8_t type, uint8_t request, uint16_t value,
                                    uint16_t len)
{
    uint64_t setup = type | (uint64_t)request << 8 | (uint64_t)value << 16 | (uint64_t)len << 48;
    uint32_t dir = type & USB_DIR_IN ? XHCI_TRB_DIR : 0;

    xd_put(v, 1, setup, 8, XHCI_TRB_SETUP << 10 | XHCI_TRB_IDT);
    if (len) {
        xd_put(v, 1, RAM + XD_DATA, len, XHCI_TRB_DATA << 10 | dir | XHCI_TRB_ISP);
    }
    xd_put(v, 1, 0, 0,
           XHCI_TRB_STATUS << 10 | (len ? dir ^ XHCI_TRB_DIR : XHCI_TRB_DIR) | XHCI_TRB_IOC);
    xd_set(v, XHCI_REG_DOORBELLS + 4, 1);
    xd_settle();
}

/* Run a request. Return the code of its last event. */
static inline unsigned xd_request(XhciDrv *v, uint8_t type, uint8_t request, uint16_t value,
                                  uint16_t len)
{
    unsigned code = 0;

    xd_offer_request(v, type, request, value, len);
    while (xd_event(v)) {
        xd_events_done(v);
        code = xd_code(v);
    }
    return code;
}

/* Offer a TD of the interrupt endpoint with room for a report. */
static inline void xd_poll(XhciDrv *v)
{
    xd_put(v, 2, RAM + XD_DATA, 8, XHCI_TRB_NORMAL << 10 | XHCI_TRB_IOC | XHCI_TRB_ISP);
    xd_set(v, XHCI_REG_DOORBELLS + 4, XD_DCI);
    xd_settle();
}

static inline Device *xd_plug_device(XhciDrv *v, const char *type, const char *settings)
{
    g_autofree char *text = g_strdup_printf("%s,bus=xhci.0,id=dev,%s", type, settings);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanDevice) plan = plan_device_parse(text, &err);
    Device *dev = device_new(v->f.m, device_type_find(type), plan, &err);

    g_assert_no_error(err);
    g_assert_true(device_realize(dev, plan, NULL, &err));
    return dev;
}

static inline void xd_plug(XhciDrv *v, const char *settings)
{
    v->d = plug_function(&v->f, (const PCIDeviceType *)device_type_find("qemu-xhci"), "pcie.0",
                         "xhci", XD_DEVFN, settings);
}

static inline void xd_init(XhciDrv *v, const char *settings)
{
    fixture_init(&v->f);
    machine_set_state(v->f.m, RUN_RUNNING);
    xd_plug(v, settings);
}

/* Plug a device in port 1, and address and configure it as slot 1. */
static inline void xd_enumerate(XhciDrv *v, const char *type)
{
    xd_start(v);
    xd_plug_device(v, type, "port=1");
    xd_set(v, xd_port(v, 1), XHCI_PORT_POWER | XHCI_PORT_RESET);
    g_assert_cmpuint(xd_command(v, 0, XHCI_TRB_ENABLE_SLOT, 0), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_address(v, 1, 0), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_configure(v), ==, XHCI_CODE_SUCCESS);
    g_assert_cmpuint(xd_request(v, USB_DIR_OUT, USB_REQ_SET_CONFIGURATION, 1, 0), ==,
                     XHCI_CODE_SUCCESS);
}

#endif
