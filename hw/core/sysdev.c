/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Board devices: regions and interrupt outputs from the type's tables.
 */
#include "hw/core/sysdev.h"

static const SysDeviceType *sysdev_type(const SysDevice *s)
{
    return (const SysDeviceType *)s->dev.type;
}

static uint64_t sysdev_table_read(void *opaque, uint64_t offset, unsigned size)
{
    SysRegion *r = opaque;

    return reg_read(&r->file, r->instance, offset, size);
}

static void sysdev_table_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    SysRegion *r = opaque;

    uint32_t effects = reg_write(&r->file, r->instance, offset, value, size);

    g_assert(effects == 0); /* board devices define none */
}

static const MemOps table_ops = {
    .read = sysdev_table_read, .write = sysdev_table_write, .impl_max = 8, .unaligned = true
};

static void sysdev_region_init(SysDevice *s, unsigned n, uint64_t size)
{
    const SysRegionDesc *d = &sysdev_type(s)->regions[n];
    SysRegion *r = &s->region[n];

    r->instance = s;
    r->file = (RegFile){ d->regs, d->n_regs, d->name };
    if (d->ops)
        mem_init_mmio(&r->mem, d->name, size, d->ops, s);
    else
        mem_init_mmio(&r->mem, d->name, size, &table_ops, r);
    mem_set_guard(&r->mem, &device_guard, &s->dev);
}

static bool sysdev_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    SysDevice *s = (SysDevice *)dev;
    const SysDeviceType *t = sysdev_type(s);

    g_assert(t->n_regions <= SYS_MAX_REGIONS && t->n_irqs <= SYS_MAX_IRQS);
    for (unsigned i = 0; i < t->n_regions; i++)
        sysdev_region_init(s, i, t->regions[i].size);
    return true;
}

static void sysdev_detach(Device *dev)
{
    SysDevice *s = (SysDevice *)dev;

    for (unsigned i = 0; i < sysdev_type(s)->n_regions; i++)
        mem_unmap(&s->region[i].mem);
}

static void sysdev_finalize(Device *dev)
{
    SysDevice *s = (SysDevice *)dev;

    for (unsigned i = 0; i < sysdev_type(s)->n_regions; i++)
        mem_fini(&s->region[i].mem);
    g_free(dev->irq_in);
    dev->irq_in = NULL;
    dev->n_irq_in = 0;
}

static void sysdev_reset(Device *dev, ResetKind kind)
{
    SysDevice *s = (SysDevice *)dev;

    for (unsigned i = 0; i < sysdev_type(s)->n_regions; i++) {
        if (s->region[i].file.n)
            reg_reset(&s->region[i].file, s, kind);
    }
}

static void sysdev_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_SYSTEM;
    out->user_creatable = false;
}

static char *sysdev_registers(const DeviceType *type, GError **err)
{
    const SysDeviceType *t = (const SysDeviceType *)type;
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < t->n_regions; i++) {
        const SysRegionDesc *d = &t->regions[i];

        g_string_append_printf(out, "%s### Region %s\n\n", i ? "\n" : "", d->name);
        if (d->n_regs) {
            reg_describe_head(out);
        } else {
            g_string_append(out, "Memory, or registers without rows.\n");
        }
        for (size_t n = 0; n < d->n_regs; n++) {
            reg_describe(out, &d->regs[n], d->regs[n].offset);
        }
    }
    return g_string_free(out, FALSE);
}

const DeviceKind sys_device_kind = {
    .name = "sys-bus-device",
    .attach = sysdev_attach,
    .detach = sysdev_detach,
    .finalize = sysdev_finalize,
    .reset = sysdev_reset,
    .describe = sysdev_describe,
    .registers = sysdev_registers,
};

void sysdev_map(Device *dev, unsigned n, uint64_t addr)
{
    SysDevice *s = (SysDevice *)dev;

    g_assert(dev->type->kind == &sys_device_kind && n < sysdev_type(s)->n_regions);
    mem_map(&dev->machine->memory, addr, &s->region[n].mem, 0, 0);
    if (n == 0) { /* the address is the name of its section in a stream */
        g_free(dev->plan_id);
        dev->plan_id = g_strdup_printf("%s@%" G_GINT64_MODIFIER "x", dev->type->name, addr);
    }
}

void sysdev_set_size(SysDevice *s, unsigned n, uint64_t size)
{
    g_assert(!mem_is_mapped(&s->region[n].mem));
    mem_fini(&s->region[n].mem);
    sysdev_region_init(s, n, size);
}

void sysdev_connect(Device *dev, unsigned n, IrqPin *pin)
{
    SysDevice *s = (SysDevice *)dev;

    g_assert(dev->type->kind == &sys_device_kind && n < sysdev_type(s)->n_irqs);
    s->irq[n].pin = pin;
    irq_set(pin, s->irq[n].level);
}

void sysdev_irq_set(SysDevice *s, unsigned n, bool level)
{
    s->irq[n].level = level;
    irq_set(s->irq[n].pin, level);
}

IrqPin *device_irq_in(Device *dev, unsigned n)
{
    return n < dev->n_irq_in ? &dev->irq_in[n] : NULL;
}
