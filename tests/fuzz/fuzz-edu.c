/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edu: registers, DMA in both directions to arbitrary addresses, the clock, resets, save and load,
 * unplug.
 */
#include "fuzz-pci.h"
#include "hw/core/clock.h"

enum { FN = PCI_DEVFN(2, 0) };

static PCIDevice *plug_edu(Fixture *f)
{
    PCIDevice *d = plug_function(f, fuzz_type("edu"), "pcie.0", "edu", FN, NULL);

    config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return d;
}

static PCIDevice *step(Fixture *f, PCIDevice *d, Input *in)
{
    static const uint64_t places[] = { RAM, 0x40000, MMIO, 0, ECAM, RAM + RAM_SIZE - 4 };
    uint8_t op = input_take(in, 1);
    unsigned size = 1u << (op >> 6);

    switch (op & 7) {
    case 0:
        guest_write(f, MMIO + input_take(in, 1), size, input_take(in, size));
        guest_read(f, MMIO + input_take(in, 1), size);
        break;
    case 1: /* a well-formed DMA at arbitrary addresses */
        guest_write(f, MMIO + 0x80, 8, places[input_take(in, 1) % 6] + input_take(in, 2));
        guest_write(f, MMIO + 0x88, 8, places[input_take(in, 1) % 6] + input_take(in, 2));
        guest_write(f, MMIO + 0x90, 8, input_take(in, 2));
        guest_write(f, MMIO + 0x98, 8, input_take(in, 1));
        break;
    case 2:
        clock_step_ns(f, (int64_t)input_take(in, 4));
        break;
    case 3:
        config_write(f, FN, input_take(in, 1), size > 4 ? 4 : size, input_take(in, size));
        break;
    case 4:
        fuzz_round_trip(d);
        break;
    case 5:
        pci_device_reset(d, op & 0x40 ? RESET_FUNCTION : RESET_HOT);
        break;
    case 6:
        config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
        config_write(f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        break;
    default:
        device_unplug(&d->dev);
        d = plug_edu(f);
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_edu(&f);
    while (in.left) {
        d = step(&f, d, &in);
    }
    fuzz_end(&f);
    return 0;
}
