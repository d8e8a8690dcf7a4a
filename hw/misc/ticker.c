/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticker: a countdown timer on PCI (registers: docs/specs/ticker.md).
 *
 * This file has only the counter. The core implements the rest from the tables: configuration
 * space, BARs, interrupts, saved state, documentation.
 */
#include "hw/pci/pci.h"

typedef struct Ticker {
    PCIDevice pci;
    uint32_t ctrl, status, fired;
    uint64_t period_ns;
    Timer timer;
} Ticker;

enum { CTRL_RUN = 1 << 0, CTRL_IRQ = 1 << 1, STATUS_EXPIRED = 1 << 0 };

static void ticker_update_irq(void *dev)
{
    Ticker *t = dev;

    pci_irq_set(&t->pci, 0, (t->ctrl & CTRL_IRQ) && (t->status & STATUS_EXPIRED));
}

static void ticker_expired(void *dev)
{
    Ticker *t = dev;

    t->fired++;
    t->status |= STATUS_EXPIRED;
    timer_arm_ns(&t->timer, t->period_ns);
    ticker_update_irq(t);
}

static uint32_t ticker_ctrl_wrote(void *dev, const RegDesc *reg, uint64_t old, uint64_t new)
{
    Ticker *t = dev;

    if (new & ~old & CTRL_RUN) {
        timer_arm_ns(&t->timer, t->period_ns);
    } else if (!(new &CTRL_RUN)) {
        timer_cancel(&t->timer);
    }
    return PCI_EFFECT_IRQ;
}

static bool ticker_realize(void *dev, GError **err)
{
    timer_setup(&((Ticker *)dev)->timer, ticker_expired, dev);
    return true;
}

static void ticker_reset(void *dev, ResetKind kind)
{
    timer_cancel(&((Ticker *)dev)->timer);
}

static void ticker_unrealize(void *dev)
{
    timer_cancel(&((Ticker *)dev)->timer);
}

static const RegDesc ticker_regs[] = {
    REG32_CONST("id", 0x00, 0x7469636b, .doc = "\"tick\""),
    REG32(Ticker, ctrl, 0x04, .rw = CTRL_RUN | CTRL_IRQ, .identity = REG_ALL,
          .wrote = ticker_ctrl_wrote, .doc = "bit 0: run; bit 1: interrupt enable"),
    REG32(Ticker, status, 0x08, .w1c = STATUS_EXPIRED, .identity = REG_ALL, .wrote = pci_irq_wrote,
          .doc = "bit 0: expired"),
    REG32_RO(Ticker, fired, 0x0c, .doc = "number of expiries since reset"),
};
static const PCIBarDesc ticker_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 4096, .regs = LIST(ticker_regs) },
    { .index = 1, .kind = PCI_BAR_MEM32 }, /* MSI-X table and PBA */
};
static const PCICapDesc ticker_caps[] = { PCI_CAP_PM_D3, PCI_CAP_MSIX(1, 1), PCI_CAP_ENDPOINT };
static const PlanProp ticker_props[] = {
    PROP_U64(Ticker, period_ns, "period-ns", 1000000, 1000, INT64_MAX, "time between expiries"),
};
static const VmField ticker_fields[] = { VM_PCI(Ticker, pci), VM_TIMER(Ticker, timer),
                                         VM_BANK(ticker_regs) };
static const VmState ticker_state = { "ticker", .version = 1, .fields = LIST(ticker_fields) };

static const PCIDeviceType ticker_type = {
    .base = { "ticker", .doc = "countdown timer", .kind = &pci_device_kind, .size = sizeof(Ticker),
              .props = LIST(ticker_props), .vmstate = &ticker_state, .hotpluggable = true,
              .realize = ticker_realize, .reset = ticker_reset, .unrealize = ticker_unrealize },
    .vendor = 0x1234,
    .device = 0x71c4,
    .revision = 1,
    .class_code = 0x088000,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .n_irqs = 1,
    .update_irq = ticker_update_irq,
    .bars = LIST(ticker_bars),
    .caps = LIST(ticker_caps),
};
PCI_DEVICE_TYPE(ticker_type);
