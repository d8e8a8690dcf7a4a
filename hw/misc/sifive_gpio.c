/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SiFive GPIO controller with one pin, which is the power button of the machine.
 *
 * Reference: SiFive FU540-C000 manual, chapter 17; Devicetree binding sifive,gpio. A pin is sampled
 * while its input is enabled. A pending bit is cleared by writing 1, and set again while its
 * condition holds. The interrupt is asserted while a pending bit is enabled.
 */
#include "hw/core/clock.h"
#include "hw/core/power_button.h"
#include "hw/core/sysdev.h"

enum { GPIO_PINS = 1 << 0, GPIO_BUTTON = 1 << 0 };
#define GPIO_PRESS_NS 100000000 /* duration of a press: longer than debounce times of drivers */

typedef struct SifiveGpio {
    SysDevice sys;
    uint32_t input_val, input_en, output_en, output_val, pue, ds;
    uint32_t rise_ie, rise_ip, fall_ie, fall_ip, high_ie, high_ip, low_ie, low_ip;
    uint32_t iof_en, iof_sel, out_xor;
    uint32_t level; /* of the pins */
    Timer release;
} SifiveGpio;

static void gpio_update(SifiveGpio *s)
{
    uint32_t now = s->level & s->input_en;

    s->rise_ip |= now & ~s->input_val;
    s->fall_ip |= ~now & s->input_val;
    s->high_ip |= now;
    s->low_ip |= ~now & s->input_en;
    s->input_val = now;
    sysdev_irq_set(&s->sys, 0,
                   ((s->rise_ip & s->rise_ie) | (s->fall_ip & s->fall_ie) |
                    (s->high_ip & s->high_ie) | (s->low_ip & s->low_ie)) != 0);
}

static uint32_t gpio_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    gpio_update(dev);
    return 0;
}

#define GPIO_RW(m, off, text)                                                                      \
    REG32(SifiveGpio, m, off, .rw = GPIO_PINS, .wrote = gpio_wrote, .doc = (text))
#define GPIO_PENDING(m, off, text)                                                                 \
    REG32(SifiveGpio, m, off, .w1c = GPIO_PINS, .wrote = gpio_wrote, .doc = (text))

static const RegDesc gpio_regs[] = {
    REG32_RO(SifiveGpio, input_val, 0x00, .doc = "levels of the pins whose input is enabled"),
    GPIO_RW(input_en, 0x04, "enable the input"),
    GPIO_RW(output_en, 0x08, "enable the output"),
    GPIO_RW(output_val, 0x0c, "output"),
    GPIO_RW(pue, 0x10, "enable the pull-up"),
    GPIO_RW(ds, 0x14, "drive strength"),
    GPIO_RW(rise_ie, 0x18, "enable the interrupt of a rising edge"),
    GPIO_PENDING(rise_ip, 0x1c, "rising edge"),
    GPIO_RW(fall_ie, 0x20, "enable the interrupt of a falling edge"),
    GPIO_PENDING(fall_ip, 0x24, "falling edge"),
    GPIO_RW(high_ie, 0x28, "enable the interrupt of the high level"),
    GPIO_PENDING(high_ip, 0x2c, "high level"),
    GPIO_RW(low_ie, 0x30, "enable the interrupt of the low level"),
    GPIO_PENDING(low_ip, 0x34, "low level"),
    GPIO_RW(iof_en, 0x38, "enable the hardware function; no pin has one"),
    GPIO_RW(iof_sel, 0x3c, "select the hardware function"),
    GPIO_RW(out_xor, 0x40, "invert the output"),
};

/* --- the button --- */

static void gpio_release(void *dev)
{
    SifiveGpio *s = dev;

    s->level &= ~GPIO_BUTTON;
    gpio_update(s);
}

static void gpio_press(void *opaque)
{
    SifiveGpio *s = opaque;

    if (!device_enter(&s->sys.dev))
        return;
    s->level |= GPIO_BUTTON;
    gpio_update(s);
    timer_arm_ns(&s->release, GPIO_PRESS_NS);
    device_leave(&s->sys.dev);
}

/* --- life --- */

static bool gpio_realize(void *dev, GError **err)
{
    SifiveGpio *s = dev;

    timer_setup(&s->release, gpio_release, s);
    power_button_add(s->sys.dev.machine, gpio_press, s);
    return true;
}

static void gpio_reset(void *dev, ResetKind kind)
{
    SifiveGpio *s = dev;

    timer_cancel(&s->release);
    s->level = 0;
}

static void gpio_reset_exit(void *dev)
{
    gpio_update(dev);
}

static void gpio_unrealize(void *dev)
{
    SifiveGpio *s = dev;

    power_button_remove(s->sys.dev.machine, gpio_press, s);
    timer_cancel(&s->release);
}

static bool gpio_post_load(void *obj, GError **err)
{
    gpio_update(obj);
    return true;
}

static const VmField gpio_fields[] = {
    VM_BANK(gpio_regs),
    VM_U32(SifiveGpio, level, .mask = GPIO_PINS),
    VM_TIMER(SifiveGpio, release),
};

static const VmState gpio_vmstate = {
    .name = "sifive_gpio",
    .version = 1,
    .fields = gpio_fields,
    .n_fields = G_N_ELEMENTS(gpio_fields),
    .post_load = gpio_post_load,
};

static const SysRegionDesc gpio_regions[] = {
    { .name = "gpio", .size = 0x1000, .regs = gpio_regs, .n_regs = G_N_ELEMENTS(gpio_regs) },
};

static const SysDeviceType gpio_type = {
    .base = {
        .name = "sifive_soc.gpio",
        .doc = "GPIO controller with the power button",
        .kind = &sys_device_kind,
        .size = sizeof(SifiveGpio),
        .vmstate = &gpio_vmstate,
        .internal = true,
        .realize = gpio_realize,
        .reset = gpio_reset,
        .reset_exit = gpio_reset_exit,
        .unrealize = gpio_unrealize,
    },
    .regions = gpio_regions, .n_regions = G_N_ELEMENTS(gpio_regions),
    .n_irqs = 1,
};
SYS_DEVICE_TYPE(gpio_type);
