/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-xhci: a USB host controller according to xHCI 1.0, with the registers of QEMU's.
 *
 * The root hub has p3 ports for SuperSpeed devices, followed by p2 ports for USB 2 devices. All
 * devices are USB 2 devices, so that the bus has p2 ports. There are 64 slots and 16 interrupters.
 */
#include <string.h>

#include "util/error.h"
#include "util/log.h"
#include "xhci_internal.h"

enum { BAR_SIZE = 0x4000, USB_NAME = 0x20425355, SBRN_AT = 0x60, SBRN_USB3 = 0x30 };
enum { HCS2_IST = 15, HCC_AC64 = 1, HCC_XECP = XHCI_REG_USB2 / 4 };

static Xhci *xhci_of(void *dev)
{
    return dev;
}

/* --- memory --- */

void xhci_fatal(Xhci *x, const char *what)
{
    guest_error(xhci_name(x), "%s is not in RAM: the controller stops until it is reset", what);
    xhci_mfindex_run(x, false);
    x->usbsts |= XHCI_STS_FATAL | XHCI_STS_HALT;
    x->usbcmd &= ~XHCI_CMD_RUN;
    x->command_running = false;
}

bool xhci_read_words(Xhci *x, uint64_t at, uint32_t *words, unsigned n, const char *what)
{
    if (pci_dma_read_ram(&x->pci, at, words, n * sizeof(*words)) != MEM_OK) {
        xhci_fatal(x, what);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        words[i] = GUINT32_FROM_LE(words[i]);
    }
    return true;
}

bool xhci_write_words(Xhci *x, uint64_t at, const uint32_t *words, unsigned n, const char *what)
{
    uint32_t le[XHCI_CONTEXT_WORDS];

    for (unsigned i = 0; i < n && i < G_N_ELEMENTS(le); i++) {
        le[i] = GUINT32_TO_LE(words[i]);
    }
    if (pci_dma_write_ram(&x->pci, at, le, n * sizeof(*le)) != MEM_OK) {
        xhci_fatal(x, what);
        return false;
    }
    return true;
}

void xhci_status(Xhci *x, uint32_t bits)
{
    x->usbsts |= bits;
}

/* --- run and reset --- */

/* Return the controller and its devices to the state after a reset, except the registers of the
 * table. */
static void xhci_clear(Xhci *x)
{
    xhci_slots_free(x);
    xhci_interrupters_reset(x);
    x->saved = x->command_running = x->command_due = false;
    x->command = (XhciRing){ 0 };
    x->mfindex = 0;
    x->mfindex_start = 0;
    timer_cancel(&x->wrap);
    for (unsigned port = 1; port <= x->bus.n_ports; port++) {
        USBDevice *dev = usb_bus_find(&x->bus, port);

        if (dev) {
            usb_device_reset(dev);
        }
    }
    xhci_ports_reset(x);
}

static void xhci_run(Xhci *x, bool run)
{
    if (run && (x->usbsts & XHCI_STS_FATAL)) {
        x->usbcmd &= ~XHCI_CMD_RUN;
        return;
    }
    if (run) {
        x->usbsts &= ~XHCI_STS_HALT;
        xhci_mfindex_run(x, true);
        xhci_continue_all(x);
    } else {
        xhci_mfindex_run(x, false);
        x->usbsts |= XHCI_STS_HALT;
        x->command_running = false;
    }
}

static uint32_t xhci_usbcmd_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Xhci *x = xhci_of(dev);

    if (new &XHCI_CMD_RESET) {
        x->usbcmd = x->dnctrl = x->config = 0;
        x->usbsts = XHCI_STS_HALT;
        x->dcbaap = 0;
        xhci_clear(x);
        return PCI_EFFECT_IRQ;
    }
    if ((new &XHCI_CMD_RUN) == xhci_running(x) && ((old ^ new) & XHCI_CMD_EWE)) {
        xhci_mfindex_arm(x);
    }
    if ((old ^ new) & XHCI_CMD_RUN) {
        xhci_run(x, new &XHCI_CMD_RUN);
    }
    if ((new &XHCI_CMD_CSS) && !xhci_running(x)) {
        x->saved = true;
    }
    /* The state that was saved is still here, unless the controller was reset (4.23.2). */
    if ((new &XHCI_CMD_CRS) && !x->saved) {
        x->usbsts |= XHCI_STS_SRE;
    }
    return PCI_EFFECT_IRQ;
}

/* --- registers --- */

static uint64_t xhci_hcsparams1_read(void *dev, const RegDesc *r)
{
    return XHCI_SLOTS | XHCI_INTERRUPTERS << 8 | xhci_n_ports(xhci_of(dev)) << 24;
}

static uint64_t xhci_usb2_ports_read(void *dev, const RegDesc *r)
{
    return (xhci_of(dev)->p3 + 1) | xhci_of(dev)->p2 << 8;
}

static uint64_t xhci_usb3_ports_read(void *dev, const RegDesc *r)
{
    return 1 | xhci_of(dev)->p3 << 8;
}

/* All bits but CRR read as zero (5.4.5). */
static uint64_t xhci_crcr_read(void *dev, const RegDesc *r)
{
    return xhci_of(dev)->command_running ? XHCI_CRCR_RUNNING : 0;
}

static uint32_t xhci_crcr_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Xhci *x = xhci_of(dev);

    if (x->command_running) {
        if (new &(XHCI_CRCR_STOP | XHCI_CRCR_ABORT)) {
            xhci_command_stop(x);
        }
        return PCI_EFFECT_IRQ;
    }
    x->command.at = (x->command.at >> 32 << 32) | (new & 0xffffffc0);
    x->command.cycle = new &XHCI_CRCR_CYCLE;
    return 0;
}

static uint32_t xhci_crcr_high_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Xhci *x = xhci_of(dev);

    if (!x->command_running) {
        x->command.at = (x->command.at & 0xffffffff) | new << 32;
    }
    return 0;
}

enum { XHCI_REGS = 26 };
static const RegDesc xhci_regs[] = {
    REG_ROW("caplength", XHCI_REG_CAPLENGTH, 1, .reset = XHCI_REG_OPERATIONAL,
            .doc = "offset of the operational registers"),
    REG_ROW("hciversion", XHCI_REG_HCIVERSION, 2, .reset = 0x0100, .doc = "xHCI 1.0"),
    REG_ROW("hcsparams1", XHCI_REG_HCSPARAMS1, 4, .read = xhci_hcsparams1_read,
            .doc = "numbers of slots, interrupters and ports"),
    REG32_CONST("hcsparams2", XHCI_REG_HCSPARAMS2, HCS2_IST,
                .doc = "one segment for each event ring, no scratchpad buffers"),
    REG32_CONST("hcsparams3", XHCI_REG_HCSPARAMS3, 0, .doc = "no exit latencies"),
    REG32_CONST("hccparams1", XHCI_REG_HCCPARAMS1, HCC_AC64 | HCC_XECP << 16,
                .doc = "64-bit addresses, contexts of 32 bytes, no streams"),
    REG32_CONST("dboff", XHCI_REG_DBOFF, XHCI_REG_DOORBELLS,
                .doc = "offset of the doorbells, one for each slot"),
    REG32_CONST("rtsoff", XHCI_REG_RTSOFF, XHCI_REG_RUNTIME,
                .doc = "offset of the runtime registers"),
    REG32_CONST("usb2", XHCI_REG_USB2, 0x02000402, .doc = "supported protocol: USB 2.0"),
    REG32_CONST("usb2_name", XHCI_REG_USB2 + 4, USB_NAME, .doc = "\"USB \""),
    REG_ROW("usb2_ports", XHCI_REG_USB2 + 8, 4, .read = xhci_usb2_ports_read,
            .doc = "first port and number of ports"),
    REG32_CONST("usb2_slot_type", XHCI_REG_USB2 + 12, 0, .doc = "slot type"),
    REG32_CONST("usb3", XHCI_REG_USB3, 0x03000002, .doc = "supported protocol: USB 3.0"),
    REG32_CONST("usb3_name", XHCI_REG_USB3 + 4, USB_NAME, .doc = "\"USB \""),
    REG_ROW("usb3_ports", XHCI_REG_USB3 + 8, 4, .read = xhci_usb3_ports_read,
            .doc = "first port and number of ports"),
    REG32_CONST("usb3_slot_type", XHCI_REG_USB3 + 12, 0, .doc = "slot type"),
    REG32(Xhci, usbcmd, XHCI_REG_USBCMD, .rw = XHCI_CMD_KEPT,
          .trigger = XHCI_CMD_RESET | XHCI_CMD_CSS | XHCI_CMD_CRS, .wrote = xhci_usbcmd_wrote,
          .doc = "run, reset, interrupt enable, save and restore"),
    REG32(Xhci, usbsts, XHCI_REG_USBSTS,
          .w1c = XHCI_STS_FATAL | XHCI_STS_EINT | XHCI_STS_PORT | XHCI_STS_SRE,
          .reset = XHCI_STS_HALT, .wrote = pci_irq_wrote, .doc = "status"),
    REG32_CONST("pagesize", XHCI_REG_PAGESIZE, 1, .doc = "4 KiB"),
    REG32_CONST("reserved", XHCI_REG_PAGESIZE + 4, 0, .doc = "reserved"),
    REG32_CONST("reserved_2", XHCI_REG_PAGESIZE + 8, 0, .doc = "reserved"),
    REG32(Xhci, dnctrl, XHCI_REG_DNCTRL, .rw = 0xffff, .doc = "device notification enables"),
    REG_ROW("crcr", XHCI_REG_CRCR, 4, .read = xhci_crcr_read, .wrote = xhci_crcr_wrote,
            .doc = "command ring: address, cycle state, stop, abort, running"),
    REG_ROW("crcr_high", XHCI_REG_CRCR + 4, 4, .wrote = xhci_crcr_high_wrote,
            .doc = "command ring: address bits 63:32"),
    REG64(Xhci, dcbaap, XHCI_REG_DCBAAP, .rw = ~63ull,
          .doc = "address of the array of device contexts"),
    REG32(Xhci, config, XHCI_REG_CONFIG, .rw = 0xff, .doc = "number of slots that are enabled"),
};
G_STATIC_ASSERT(G_N_ELEMENTS(xhci_regs) == XHCI_REGS);

/* --- life --- */

static void xhci_run_changed(void *opaque, bool running, RunState state)
{
    Xhci *x = opaque;

    if (running && xhci_running(x)) {
        xhci_events_flush(x);
        xhci_continue_all(x);
    }
}

/* Map the registers that are arrays over the table of the BAR. */
static void xhci_map(Xhci *x)
{
    static const struct {
        const char *name;
        size_t region;
        uint64_t at, size;
        const MemOps *ops;
    } rows[] = {
        { "xhci-ports", offsetof(Xhci, port_regs), XHCI_REG_PORTS, XHCI_MAX_PORTS * XHCI_PORT_BYTES,
          &xhci_port_ops },
        { "xhci-runtime", offsetof(Xhci, runtime_regs), XHCI_REG_RUNTIME,
          0x20 + XHCI_INTERRUPTERS * XHCI_INTERRUPTER_BYTES, &xhci_runtime_ops },
        { "xhci-doorbells", offsetof(Xhci, doorbell_regs), XHCI_REG_DOORBELLS, (XHCI_SLOTS + 1) * 4,
          &xhci_doorbell_ops },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        MemRegion *r = (MemRegion *)((uint8_t *)x + rows[i].region);

        mem_init_mmio(r, rows[i].name, rows[i].size, rows[i].ops, x);
        mem_set_guard(r, &device_guard, &x->pci.dev);
        mem_map(pci_bar_region(&x->pci, 0), rows[i].at, r, 1, 0);
    }
}

static bool xhci_realize(void *dev, GError **err)
{
    Xhci *x = xhci_of(dev);

    if (xhci_n_ports(x) == 0) {
        return error_set(err, ERROR_USER,
                         "%s: p2=0 and p3=0 leave no port; set one of them to 1 or more",
                         xhci_name(x));
    }
    if (!usb_bus_init(&x->bus, &x->pci.dev, &xhci_bus_ops, x->p2, err)) {
        return false;
    }
    g_queue_init(&x->due);
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        g_queue_init(&x->interrupters[i].pending);
    }
    xhci_map(x);
    timer_setup(&x->wrap, xhci_mfindex_wrap, x);
    bottom_half_setup(&x->work, NULL, &x->pci.dev, xhci_turn, x);
    machine_add_run_fn(x->pci.dev.machine, xhci_run_changed, x);
    return true;
}

static void xhci_unrealize(void *dev)
{
    Xhci *x = xhci_of(dev);

    machine_remove_run_fn(x->pci.dev.machine, xhci_run_changed, x);
    bottom_half_cancel(&x->work);
    timer_cancel(&x->wrap);
    xhci_slots_free(x);
    xhci_interrupters_reset(x);
    mem_fini(&x->port_regs);
    mem_fini(&x->runtime_regs);
    mem_fini(&x->doorbell_regs);
    usb_bus_fini(&x->bus);
}

static void xhci_reset(void *dev, ResetKind kind)
{
    xhci_clear(xhci_of(dev));
}

static void xhci_reset_exit(void *dev)
{
    xhci_update_irq(dev);
}

static void xhci_master_enabled(void *dev)
{
    xhci_continue_all(xhci_of(dev));
}

/* Serial Bus Release Number (5.2.3). */
static void xhci_config_reading(void *dev, uint32_t addr, unsigned len)
{
    pci_set(&xhci_of(dev)->pci, SBRN_AT, 1, SBRN_USB3);
}

/* --- the type --- */

static const PCIBarDesc xhci_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM64, .size = BAR_SIZE, .regs = xhci_regs, .n_regs = XHCI_REGS },
};
static const PCICapDesc xhci_caps[] = {
    { .id = 0x10, .prop = "express", .at = 0xa0 },
    { .id = 0x11,
      .prop = "msix",
      .at = 0x90,
      .msix = { XHCI_INTERRUPTERS, 0, XHCI_REG_MSIX_TABLE, XHCI_REG_MSIX_PBA } },
};
static const PlanProp xhci_props[] = {
    PROP_U32(Xhci, p2, "p2", 4, 0, USB_MAX_PORTS, "USB 2 ports, which are the ports of the bus"),
    PROP_U32(Xhci, p3, "p3", 4, 0, USB_MAX_PORTS, "USB 3 ports, which stay empty"),
};

static const PCIDeviceType xhci_type = {
    .base = { .name = "qemu-xhci",
              .doc = "USB host controller (xHCI)",
              .kind = &pci_device_kind,
              .size = sizeof(Xhci),
              .props = LIST(xhci_props),
              .vmstate = &xhci_state,
              .hotpluggable = true,
              .realize = xhci_realize,
              .reset = xhci_reset,
              .reset_exit = xhci_reset_exit,
              .unrealize = xhci_unrealize },
    .vendor = 0x1b36,
    .device = 0x000d,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .revision = 1,
    .class_code = 0x0c0330,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .provides = PLAN_BUS_USB,
    .bars = LIST(xhci_bars),
    .caps = LIST(xhci_caps),
    .link_rows = true,
    .n_irqs = 1,
    .update_irq = xhci_update_irq,
    .master_enabled = xhci_master_enabled,
    .config_reading = xhci_config_reading,
};
PCI_DEVICE_TYPE(xhci_type);
