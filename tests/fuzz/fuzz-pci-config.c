/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Config cycles of any length to any function through ECAM, with pin changes and resets in between.
 */
#include "fuzz-pci.h"

static void cycle(Fixture *f, Input *in)
{
    static const uint8_t buses[] = { 0, 0, 1, 2, 3, 0xff };
    static const uint8_t devfns[] = { PCI_DEVFN(1, 0), PCI_DEVFN(2, 0), PCI_DEVFN(3, 0), 0, 9 };
    uint8_t where = input_take(in, 1);
    uint16_t reg = input_take(in, 2);
    uint64_t at = ecam_address(buses[where % 6], devfns[where / 6 % 5], reg & 0xfff);
    unsigned size = 1u << (reg >> 14);

    if (reg & 0x1000) {
        guest_read(f, at, size);
    } else {
        guest_write(f, at, size, input_take(in, size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    Fixture f;

    fuzz_grow(&f);
    while (in.left) {
        uint8_t op = input_take(&in, 1);

        if (op == 0xff) {
            machine_reset(f.m, RESET_HOT);
        } else if (op == 0xfe) {
            clock_step_ns(&f, 1000000);
        } else if (op >= 0xf8) {
            pci_irq_set((PCIDevice *)device_find_id(f.m, op & 2 ? "t0" : "edu"), 0, op & 1);
        } else {
            cycle(&f, &in);
        }
    }
    fuzz_end(&f);
    return 0;
}
