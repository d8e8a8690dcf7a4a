/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BARs and bridge windows at arbitrary addresses, overlapping, enabled and disabled, and accesses
 * to their current addresses.
 */
#include "fuzz-pci.h"

static const char *const ids[] = { "rp", "edu", "t0", "br", "t1" };

/* Addresses close to each other, so that ranges meet: some high bits, and arbitrary low ones. */
static uint64_t address(Input *in)
{
    static const uint64_t bases[] = { 0,   MMIO,       MMIO + 0x100000,    MMIO64,
                                      RAM, 0xfff00000, 0xffffffff00000000, ECAM };
    uint8_t pick = input_take(in, 1);

    return bases[pick & 7] + ((uint64_t)(pick >> 3) << 12) + input_take(in, 2);
}

static void program(Fixture *f, PCIDevice *d, Input *in)
{
    static const uint8_t regs[] = { 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x38 };
    uint8_t reg = regs[input_take(in, 1) % G_N_ELEMENTS(regs)];
    uint64_t addr = address(in);

    if (d->config.type == 1 && reg >= 0x1c && reg <= 0x30) {
        addr = input_take(in, 4); /* windows: arbitrary values */
    }
    pci_device_config_write(d, reg, 4, addr);
    if (input_take(in, 1) & 1) {
        pci_device_config_write(d, reg + 4, 4, addr >> 32);
    }
}

static void step(Fixture *f, Input *in)
{
    uint8_t op = input_take(in, 1);
    PCIDevice *d = (PCIDevice *)device_find_id(f->m, ids[op / 4 % 5]);
    uint64_t at;

    switch (op % 4) {
    case 0:
        pci_device_config_write(d, PCI_COMMAND, 2, input_take(in, 1));
        break;
    case 1:
        program(f, d, in);
        break;
    case 2:
        at = address(in);
        guest_read(f, at, 1u << (op >> 6));
        mem_read(&f->host.root.io, at & 0xffff, 1u << (op >> 6), &at);
        break;
    default:
        at = address(in);
        guest_write(f, at, 1u << (op >> 6), input_take(in, 4));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    Fixture f;

    fuzz_grow(&f);
    while (in.left) {
        step(&f, &in);
    }
    mem_check(&f.m->memory);
    fuzz_end(&f);
    return 0;
}
