/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI-X table, PBA and Message Control in any order with notifications. Invariants: a vector
 * that is not masked is never pending, reserved bits stay zero, the notifier has the active
 * vectors.
 */
#include "fuzz-pci.h"

enum { N = 11, FN = PCI_DEVFN(2, 0), BAR_SIZE = 0x1000 };

static const PCIBarDesc bars[] = { { .index = 0, .kind = PCI_BAR_MEM32, .size = BAR_SIZE } };
static const PCICapDesc caps[] = { PCI_CAP_MSIX_AT(N, 0, BAR_SIZE - N * 16, 8) };
static const PCIDeviceType type = {
    .base = { .name = "msix", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .bars = LIST(bars),
    .caps = LIST(caps),
};

typedef struct Heard {
    bool live[N];
} Heard;

static void unmasked(void *opaque, unsigned n, uint64_t addr, uint32_t data)
{
    ((Heard *)opaque)->live[n] = true;
}

static void masked(void *opaque, unsigned n)
{
    g_assert(((Heard *)opaque)->live[n]);
    ((Heard *)opaque)->live[n] = false;
}

static void check(Fixture *f, PCIDevice *d, const Heard *h)
{
    uint16_t control = pci_get(d, d->cap_pos[0] + PCI_MSIX_FLAGS, 2);
    bool on = (control & PCI_MSIX_FLAGS_ENABLE) && !(control & PCI_MSIX_FLAGS_MASKALL);

    for (unsigned n = 0; n < N; n++) {
        uint64_t at = MMIO + BAR_SIZE - (N - n) * 16;
        uint32_t vector = guest_read(f, at + 12, 4);
        bool pending = guest_read(f, MMIO + 8 + n / 8, 1) >> n % 8 & 1;

        g_assert((vector & ~1u) == 0 && (guest_read(f, at, 4) & 3) == 0);
        g_assert(h->live[n] == (on && !vector));
        g_assert(!(h->live[n] && pending));
    }
    g_assert(guest_read(f, MMIO + 8 + 2, 4) == 0);
}

static void step(Fixture *f, PCIDevice *d, Input *in)
{
    uint8_t op = input_take(in, 1);
    unsigned size = 1u << (op >> 6);
    uint16_t at = input_take(in, 2) & (BAR_SIZE - 1);

    switch (op & 3) {
    case 0:
        config_write(f, FN, d->cap_pos[0] + PCI_MSIX_FLAGS, 2, input_take(in, 2));
        break;
    case 1:
        msix_notify(d, input_take(in, 1) % (N + 2));
        break;
    case 2:
        guest_write(f, MMIO + BAR_SIZE - N * 16 + at % (N * 16), size, input_take(in, size));
        break;
    default:
        guest_write(f, MMIO + at, size, input_take(in, size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const MsixNotifier notifier = { unmasked, masked };
    Input in = { data, size };
    Heard heard = { 0 };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, FN, NULL);
    config_write(&f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(&f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    msix_set_notifier(d, &notifier, &heard);
    while (in.left) {
        step(&f, d, &in);
        check(&f, d, &heard);
    }
    fuzz_end(&f);
    return 0;
}
