/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edu: a device for courses on PCI drivers: identification, liveness check,
 * factorial, raised interrupts and a DMA engine over a 4 KiB buffer (registers: docs/specs/edu.md).
 *
 * A factorial is complete after FACTORIAL_NS of guest time, a DMA transfer after DMA_NS.
 */
#include <string.h>

#include "hw/pci/pci.h"
#include "util/log.h"

enum { BUFFER_AT = 0x40000, BUFFER_SIZE = 4096, FACTORIAL_NS = 10000, DMA_NS = 100000000 };
enum { STATUS_COMPUTING = 0x01, STATUS_IRQ = 0x80 };
enum { IRQ_FACTORIAL = 0x001, IRQ_DMA = 0x100 };
enum { DMA_RUN = 1, DMA_FROM_EDU = 2, DMA_IRQ = 4 };

typedef struct Edu {
    PCIDevice pci;
    uint64_t dma_mask;
    uint32_t liveness, factorial, status, irq_status;
    uint64_t dma_src, dma_dst, dma_count, dma_cmd;
    uint8_t buffer[BUFFER_SIZE];
    Timer compute, transfer;
} Edu;

/* Update the interrupt. With MSI each cause sends a message, whether or not others are pending.
 * Without MSI the pin is asserted while a status bit is set. */
static void edu_update_irq(void *dev)
{
    Edu *e = dev;

    pci_irq_set(&e->pci, 0, e->irq_status != 0 && !msi_enabled(&e->pci));
}

static void edu_raise(Edu *e, uint32_t cause)
{
    e->irq_status |= cause;
    if (msi_enabled(&e->pci)) {
        pci_irq_pulse(&e->pci, 0);
    }
    edu_update_irq(e);
}

/* --- factorial --- */

static void edu_computed(void *dev)
{
    Edu *e = dev;
    uint32_t n = e->factorial, result = 1;

    /* The factorial of 34 or more is 0 modulo 2^32. */
    for (n = MIN(n, 34); n > 1; n--) {
        result *= n;
    }
    e->factorial = result;
    e->status &= ~STATUS_COMPUTING;
    if (e->status & STATUS_IRQ) {
        edu_raise(e, IRQ_FACTORIAL);
    }
}

static bool edu_factorial_accept(void *dev, const RegDesc *r, uint64_t value)
{
    return !(((Edu *)dev)->status & STATUS_COMPUTING);
}

static uint32_t edu_factorial_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Edu *e = dev;

    e->status |= STATUS_COMPUTING;
    timer_arm_ns(&e->compute, FACTORIAL_NS);
    return 0;
}

static uint32_t edu_liveness_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    ((Edu *)dev)->liveness = ~(uint32_t) new;
    return 0;
}

static uint32_t edu_raise_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    edu_raise(dev, new);
    return 0;
}

static uint32_t edu_ack_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    ((Edu *)dev)->irq_status &= ~(uint32_t) new;
    return PCI_EFFECT_IRQ;
}

/* --- DMA --- */

static bool edu_in_buffer(const Edu *e, uint64_t addr)
{
    return addr >= BUFFER_AT && e->dma_count <= BUFFER_SIZE &&
           addr - BUFFER_AT <= BUFFER_SIZE - e->dma_count;
}

static void edu_transferred(void *dev)
{
    Edu *e = dev;
    bool from_edu = e->dma_cmd & DMA_FROM_EDU;
    uint64_t inside = from_edu ? e->dma_src : e->dma_dst;
    uint64_t outside = (from_edu ? e->dma_dst : e->dma_src) & e->dma_mask;

    e->dma_cmd &= ~(uint64_t)DMA_RUN;
    if (!edu_in_buffer(e, inside)) {
        guest_error(device_name(&e->pci.dev),
                    "DMA of %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
                    "x leaves the buffer: nothing moved",
                    e->dma_count, inside);
    } else if (from_edu) {
        pci_dma_write(&e->pci, outside, e->buffer + (inside - BUFFER_AT), e->dma_count);
    } else {
        pci_dma_read(&e->pci, outside, e->buffer + (inside - BUFFER_AT), e->dma_count);
    }
    if (e->dma_cmd & DMA_IRQ) {
        edu_raise(e, IRQ_DMA);
    }
}

/* The registers do not change during a transfer. */
static bool edu_dma_accept(void *dev, const RegDesc *r, uint64_t value)
{
    return !timer_armed(&((Edu *)dev)->transfer);
}

static uint32_t edu_dma_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    if (new &DMA_RUN) {
        timer_arm_ns(&((Edu *)dev)->transfer, DMA_NS);
    }
    return 0;
}

/* --- creation and reset --- */

static bool edu_realize(void *dev, GError **err)
{
    Edu *e = dev;

    timer_setup(&e->compute, edu_computed, dev);
    timer_setup(&e->transfer, edu_transferred, dev);
    return true;
}

static void edu_reset(void *dev, ResetKind kind)
{
    Edu *e = dev;

    timer_cancel(&e->compute);
    timer_cancel(&e->transfer);
    memset(e->buffer, 0, sizeof(e->buffer));
    edu_update_irq(e);
}

static void edu_unrealize(void *dev)
{
    timer_cancel(&((Edu *)dev)->compute);
    timer_cancel(&((Edu *)dev)->transfer);
}

static bool edu_check(void *obj, GError **err)
{
    Edu *e = obj;
    bool computing = e->status & STATUS_COMPUTING, moving = e->dma_cmd & DMA_RUN;

    if (computing != (e->compute.loaded != CLOCK_NEVER) ||
        moving != (e->transfer.loaded != CLOCK_NEVER)) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "a timer does not agree with the status or the DMA command");
        return false;
    }
    return true;
}

/* --- tables --- */

#define DMA_REG(m, off, bits, ...)                                                                 \
    REG64(Edu, m, off, .rw = (bits), .identity = REG_ALL, .accept = edu_dma_accept, __VA_ARGS__)
static const RegDesc edu_regs[] = {
    REG32_CONST("id", 0x00, 0x010000ed, .doc = "version 1.0 of the device"),
    REG32(Edu, liveness, 0x04, .rw = UINT32_MAX, .wrote = edu_liveness_wrote,
          .doc = "reads as the complement of the value written"),
    REG32(Edu, factorial, 0x08, .rw = UINT32_MAX, .accept = edu_factorial_accept,
          .wrote = edu_factorial_wrote, .doc = "write n; reads as n! when computed"),
    REG32(Edu, status, 0x20, .rw = STATUS_IRQ, .identity = ~(uint32_t)STATUS_COMPUTING,
          .doc = "bit 0: computing (read-only); bit 7: interrupt when computed"),
    REG32_RO(Edu, irq_status, 0x24, .doc = "causes of the interrupt: 1h factorial, 100h DMA"),
    REG_ROW("irq_raise", 0x60, 4, .wrote = edu_raise_wrote, .doc = "causes to add to irq_status"),
    REG_ROW("irq_ack", 0x64, 4, .wrote = edu_ack_wrote, .doc = "causes to clear in irq_status"),
    DMA_REG(dma_src, 0x80, UINT64_MAX, .doc = "source address; the buffer is at 40000h"),
    DMA_REG(dma_dst, 0x88, UINT64_MAX, .doc = "destination address"),
    DMA_REG(dma_count, 0x90, UINT64_MAX, .doc = "bytes to transfer"),
    DMA_REG(dma_cmd, 0x98, DMA_RUN | DMA_FROM_EDU | DMA_IRQ, .wrote = edu_dma_wrote,
            .doc = "bit 0: run; bit 1: from the buffer; bit 2: interrupt at the end"),
};
static const PCIBarDesc edu_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 1 << 20, .regs = LIST(edu_regs) }
};
static const PCICapDesc edu_caps[] = { PCI_CAP_MSI(1, true, false), PCI_CAP_VPD };
static const PlanProp edu_props[] = {
    PROP_U64(Edu, dma_mask, "dma_mask", (1 << 28) - 1, 0, UINT64_MAX, "addresses DMA can reach"),
};
static const VmField edu_fields[] = {
    VM_PCI(Edu, pci),       VM_BANK(edu_regs),       VM_BYTES(Edu, buffer),
    VM_TIMER(Edu, compute), VM_TIMER(Edu, transfer),
};
static const VmState edu_state = {
    .name = "edu", .version = 1, .fields = LIST(edu_fields), .check = edu_check
};

static const PCIDeviceType edu = {
    .base = { .name = "edu",
              .doc = "educational device",
              .kind = &pci_device_kind,
              .size = sizeof(Edu),
              .props = LIST(edu_props),
              .vmstate = &edu_state,
              .hotpluggable = true,
              .realize = edu_realize,
              .reset = edu_reset,
              .unrealize = edu_unrealize },
    .vendor = 0x1234,
    .device = 0x11e8,
    .revision = 0x10,
    .class_code = 0x00ff00,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = LIST(edu_bars),
    .caps = LIST(edu_caps),
    .n_irqs = 1,
    .update_irq = edu_update_irq,
};
PCI_DEVICE_TYPE(edu);
