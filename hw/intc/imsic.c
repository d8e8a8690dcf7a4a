/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory-mapped pages of IMSIC interrupt files: one 4 KiB page for each hart, which receives
 * messages.
 *
 * Reference: RISC-V Advanced Interrupt Architecture 1.0, 3.5. The harts have the files; the pages
 * access them through the message sink of the CPU type.
 *
 * The two registers of a page are not RegDesc rows: they have no members in this device, every page
 * has the same two, and their effect depends on the number of the page, which a row does not
 * receive.
 */
#include "hw/core/sysdev.h"
#include "hw/intc/cpu_input.h"
#include "util/log.h"

enum { PAGE_SIZE = 0x1000, SETEIPNUM_LE = 0, SETEIPNUM_BE = 4 };

typedef struct Imsic {
    SysDevice sys;
    bool machine_level;
    uint32_t num_harts, hart_base;
} Imsic;

static uint64_t imsic_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void imsic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Imsic *s = opaque;
    Machine *m = s->sys.dev.machine;
    unsigned hart = s->hart_base + offset / PAGE_SIZE, reg = offset % PAGE_SIZE;
    Cpu *cpu = hart < m->cpus->len ? g_ptr_array_index(m->cpus, hart) : NULL;
    uint32_t id = reg == SETEIPNUM_BE ? GUINT32_SWAP_LE_BE((uint32_t)value) : value;

    if (!cpu || !cpu->type->msi || (reg != SETEIPNUM_LE && reg != SETEIPNUM_BE)) {
        guest_error("imsic", "write of 0x%x at 0x%x: no register there", (unsigned)value,
                    (unsigned)offset);
        return;
    }
    cpu->type->msi->deliver_any(cpu, s->machine_level ? MSI_FILE_M : MSI_FILE_S, id);
}

static const MemOps imsic_ops = {
    .read = imsic_read, .write = imsic_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};

static bool imsic_realize(void *dev, GError **err)
{
    Imsic *s = dev;

    sysdev_set_size(&s->sys, 0, (uint64_t)s->num_harts * PAGE_SIZE);
    return true;
}

static const PlanProp imsic_props[] = {
    PROP_BOOL(Imsic, machine_level, "mmode", false, "machine level instead of supervisor level"),
    PROP_U32(Imsic, num_harts, "num-harts", 1, 1, CPU_INPUT_MAX_HARTS, "harts, one page each"),
    PROP_HART_BASE(Imsic),
};

static const SysRegionDesc imsic_regions[] = {
    { .name = "riscv.imsic", .size = 0, .ops = &imsic_ops },
};

static const SysDeviceType imsic_type = {
    .base = {
        .name = "riscv.imsic",
        .doc = "pages of IMSIC interrupt files",
        .kind = &sys_device_kind,
        .size = sizeof(Imsic),
        .props = imsic_props, .n_props = G_N_ELEMENTS(imsic_props),
        .internal = true,
        .realize = imsic_realize,
    },
    .regions = imsic_regions, .n_regions = G_N_ELEMENTS(imsic_regions),
};
SYS_DEVICE_TYPE(imsic_type);
