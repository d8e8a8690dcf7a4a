/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i6300esb: its registers in the BAR and in configuration space, the clock, resets, save and load.
 */
#include "fuzz-pci.h"
#include "hw/core/clock.h"

enum { FN = PCI_DEVFN(2, 0) };

static void watchdog_map(Fixture *f)
{
    config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

static void watchdog_step(Fixture *f, PCIDevice *d, Input *in)
{
    static const uint8_t regs[] = { 0x60, 0x61, 0x68, 0x5f, 0x65 };
    uint8_t op = input_take(in, 1);
    unsigned size = 1u << (op >> 6);

    switch (op & 7) {
    case 0:
        guest_write(f, MMIO + input_take(in, 1) % 16, size, input_take(in, size));
        guest_read(f, MMIO + input_take(in, 1) % 16, size);
        break;
    case 1: /* unlocked */
        guest_write(f, MMIO + 12, 2, 0x80);
        guest_write(f, MMIO + 12, 2, 0x86);
        guest_write(f, MMIO + (input_take(in, 1) & 12), 4, input_take(in, 3));
        break;
    case 2:
        clock_step_ns(f, (int64_t)input_take(in, 5));
        break;
    case 3:
        config_write(f, FN, regs[input_take(in, 1) % G_N_ELEMENTS(regs)], size > 4 ? 4 : size,
                     input_take(in, size));
        break;
    case 4:
        fuzz_round_trip(d);
        break;
    case 5:
        machine_reset(f->m, op & 0x40 ? RESET_COLD : RESET_HOT);
        break;
    default:
        watchdog_map(f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    PCIDevice *d;
    Fixture f;

    fixture_init(&f);
    d = plug_function(&f, fuzz_type("i6300esb"), "pcie.0", "w", FN, NULL);
    watchdog_map(&f);
    while (in.left) {
        watchdog_step(&f, d, &in);
    }
    fuzz_end(&f);
    return 0;
}
