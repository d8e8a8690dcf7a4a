/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i6300esb: the watchdog of Intel's 6300ESB I/O controller hub (datasheet 300641, chapter 15;
 * registers: docs/specs/i6300esb.md).
 *
 * A down counter has two stages, each with a preload value. When the second stage ends, the
 * watchdog is disabled and the action of the user follows (-action watchdog=). The guest restarts
 * the first stage through the reload register. A write to a register of the BAR takes effect only
 * after 80h and 86h were written to the reload register, which unlocks one write.
 *
 * The stages end without an interrupt: the function has no pin. The counter stops after the second
 * stage also in free-running mode, in which the 6300ESB only changes the level of a pin.
 */
#include "hw/pci/pci.h"
#include "util/error.h"

enum { ESB_CONFIG = 0x60, ESB_LOCK = 0x68 }; /* in configuration space */
enum { CONFIG_INT_TYPE = 0x03, CONFIG_FAST = 0x04, CONFIG_NO_OUTPUT = 0x20 };
enum { CONFIG_BITS = CONFIG_INT_TYPE | CONFIG_FAST | CONFIG_NO_OUTPUT };
enum { LOCK_LOCKED = 1 << 0, LOCK_ENABLE = 1 << 1, LOCK_BITS = 7 };
enum { RELOAD_RELOAD = 1 << 8, RELOAD_TIMEOUT = 1 << 9, RELOAD_READS = 1 << 12 | RELOAD_TIMEOUT };
enum { ESB_PRELOAD_MAX = 0xfffff, ESB_UNLOCK_1 = 0x80, ESB_UNLOCK_2 = 0x86, ESB_UNLOCKED = 2 };
enum { ESB_PCI_CLOCK_NS = 30, ESB_PRESCALE = 32768, ESB_PRESCALE_FAST = 32 };

typedef struct I6300Esb {
    PCIDevice pci;
    uint32_t preload1, preload2;
    uint16_t config;
    uint8_t lock;
    uint8_t unlock; /* steps of the unlock sequence that were written */
    uint8_t stage;  /* 1 or 2 */
    bool expired;   /* the second stage has ended; survives every reset except a cold one */
    Timer timer;
} I6300Esb;

/* --- the counter --- */

static void esb_start_stage(I6300Esb *e, uint8_t stage)
{
    uint64_t clocks = e->config & CONFIG_FAST ? ESB_PRESCALE_FAST : ESB_PRESCALE;

    e->stage = stage;
    timer_arm_ns(&e->timer, (stage == 1 ? e->preload1 : e->preload2) * clocks * ESB_PCI_CLOCK_NS);
}

static void esb_publish(I6300Esb *e)
{
    pci_set(&e->pci, ESB_CONFIG, 2, e->config);
    pci_set(&e->pci, ESB_LOCK, 1, e->lock);
}

static void esb_clear(I6300Esb *e)
{
    timer_cancel(&e->timer);
    e->preload1 = e->preload2 = ESB_PRELOAD_MAX;
    e->config = 0;
    e->lock = e->unlock = 0;
    e->stage = 1;
    esb_publish(e);
}

static void esb_stage_ended(void *dev)
{
    I6300Esb *e = dev;

    if (e->stage == 1) {
        esb_start_stage(e, 2);
    } else if (!(e->config & CONFIG_NO_OUTPUT)) {
        esb_clear(e);
        e->expired = true;
        machine_watchdog_expired(e->pci.dev.machine);
    }
}

/* --- registers of the BAR --- */

static bool esb_accept(void *dev, const RegDesc *r, uint64_t value)
{
    return ((I6300Esb *)dev)->unlock == ESB_UNLOCKED;
}

static uint32_t esb_preload_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    ((I6300Esb *)dev)->unlock = 0;
    return 0;
}

static uint64_t esb_reload_read(void *dev, const RegDesc *r)
{
    return ((I6300Esb *)dev)->expired ? RELOAD_READS : 0;
}

static uint32_t esb_reload_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    I6300Esb *e = dev;

    if (new == ESB_UNLOCK_1) {
        e->unlock = 1;
    } else if (new == ESB_UNLOCK_2 && e->unlock == 1) {
        e->unlock = ESB_UNLOCKED;
    } else if (e->unlock == ESB_UNLOCKED) {
        e->unlock = 0;
        e->expired = e->expired && !(new &RELOAD_TIMEOUT);
        if (new &RELOAD_RELOAD && e->lock &LOCK_ENABLE) {
            esb_start_stage(e, 1);
        }
    }
    return 0;
}

/* --- registers in configuration space --- */

static void esb_lock_wrote(I6300Esb *e, uint8_t new)
{
    bool was = e->lock & LOCK_ENABLE, on = new &LOCK_ENABLE;

    if (e->lock & LOCK_LOCKED) {
        return;
    }
    e->lock = new &LOCK_BITS;
    if (on && !was) {
        esb_start_stage(e, 1);
    } else if (!on) {
        timer_cancel(&e->timer);
    }
}

static bool esb_touches(uint32_t addr, unsigned len, unsigned reg, unsigned width)
{
    return addr < reg + width && reg < addr + len;
}

static void esb_config_written(void *dev, uint32_t addr, unsigned len)
{
    I6300Esb *e = dev;

    if (esb_touches(addr, len, ESB_CONFIG, 2)) {
        e->config = pci_get(&e->pci, ESB_CONFIG, 2) & CONFIG_BITS;
    }
    if (esb_touches(addr, len, ESB_LOCK, 1)) {
        esb_lock_wrote(e, (uint8_t)pci_get(&e->pci, ESB_LOCK, 1));
    }
    esb_publish(e);
}

/* --- life cycle --- */

static bool esb_realize(void *dev, GError **err)
{
    I6300Esb *e = dev;

    timer_setup(&e->timer, esb_stage_ended, dev);
    esb_clear(e);
    return true;
}

static void esb_reset(void *dev, ResetKind kind)
{
    I6300Esb *e = dev;

    esb_clear(e);
    e->expired = e->expired && kind != RESET_COLD;
}

static void esb_unrealize(void *dev)
{
    timer_cancel(&((I6300Esb *)dev)->timer);
}

/* A disabled watchdog does not count. One that is enabled counts, unless the second stage ended
 * with the output disabled. */
static bool esb_check(void *obj, GError **err)
{
    const I6300Esb *e = obj;

    if (e->timer.loaded != CLOCK_NEVER && !(e->lock & LOCK_ENABLE)) {
        return error_set(err, ERROR_GUEST,
                         "the timer is armed, but the watchdog is disabled (lock)");
    }
    return true;
}

static bool esb_post_load(void *obj, GError **err)
{
    esb_publish(obj);
    return true;
}

static const RegDesc esb_regs[] = {
    REG32(I6300Esb, preload1, 0x00, .rw = ESB_PRELOAD_MAX, .reset = ESB_PRELOAD_MAX,
          .identity = REG_ALL, .accept = esb_accept, .wrote = esb_preload_wrote,
          .doc = "length of the first stage"),
    REG32(I6300Esb, preload2, 0x04, .rw = ESB_PRELOAD_MAX, .reset = ESB_PRELOAD_MAX,
          .identity = REG_ALL, .accept = esb_accept, .wrote = esb_preload_wrote,
          .doc = "length of the second stage"),
    REG32_CONST("interrupt", 0x08, 0, .doc = "no interrupt is active"),
    REG_ROW("reload", 0x0c, 2, .read = esb_reload_read, .wrote = esb_reload_wrote,
            .doc = "80h, 86h: unlock the next write; bit 8: restart the first stage; bit 9: the "
                   "watchdog expired, write 1 to clear"),
};
static const PCIBarDesc esb_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 16, .regs = LIST(esb_regs) },
};
static const VmField esb_fields[] = {
    VM_PCI(I6300Esb, pci),
    VM_BANK(esb_regs),
    VM_U16(I6300Esb, config, .mask = CONFIG_BITS),
    VM_U8(I6300Esb, lock, .mask = LOCK_BITS),
    VM_U8(I6300Esb, unlock, .max = ESB_UNLOCKED),
    VM_U8(I6300Esb, stage, .min = 1, .max = 2),
    VM_BOOL(I6300Esb, expired),
    VM_TIMER(I6300Esb, timer),
};
static const VmState esb_state = { .name = "i6300esb",
                                   .version = 1,
                                   .fields = LIST(esb_fields),
                                   .check = esb_check,
                                   .post_load = esb_post_load };

static const PCIDeviceType i6300esb = {
    .base = { .name = "i6300esb",
              .doc = "watchdog of Intel's 6300ESB",
              .kind = &pci_device_kind,
              .size = sizeof(I6300Esb),
              .vmstate = &esb_state,
              .hotpluggable = true,
              .realize = esb_realize,
              .reset = esb_reset,
              .unrealize = esb_unrealize },
    .vendor = 0x8086,
    .device = 0x25ab,
    .class_code = 0x088000,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = LIST(esb_bars),
    .config_written = esb_config_written,
};
PCI_DEVICE_TYPE(i6300esb);
