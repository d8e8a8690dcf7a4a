/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bochs-display: registers, pixels, DMA of another function to the framebuffer, pictures of every
 * mode, save and load, unplug.
 */
#include "fuzz-pci.h"
#include "hw/core/display.h"
#include "ui/picture.h"

enum { FN = PCI_DEVFN(2, 0), EDU = PCI_DEVFN(3, 0), MAX_PIXELS = 1 << 20 };
#define REGS (MMIO + 0x10000000)

static void decode(Fixture *f)
{
    config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, FN, PCI_BASE_ADDRESS_2, 4, REGS);
    config_write(f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static PCIDevice *plug_display(Fixture *f)
{
    PCIDevice *d = plug_function(f, fuzz_type("bochs-display"), "pcie.0", "vga", FN, "vgamem=4M");

    decode(f);
    return d;
}

/* Read each byte that the mode names, unless the picture is large. */
static void look(Fixture *f)
{
    const Display *d = display_first(f->m);
    DisplayMode mode;
    Picture p;

    if (!d || !d->mode(d->dev, &mode))
        return;
    g_assert(mode.width <= DISPLAY_MAX_SIZE && mode.height <= DISPLAY_MAX_SIZE);
    g_assert(mode.offset + (uint64_t)mode.height * mode.stride <= mode.ram->size);
    if (mode.width * mode.height <= MAX_PIXELS && picture_capture(d, &p, NULL))
        picture_clear(&p);
}

static void save_and_load(PCIDevice *d)
{
    const VmState *vm = d->dev.type->vmstate;
    g_autoptr(GByteArray) saved = g_byte_array_new();
    ByteWriter w = { saved };
    ByteReader r;

    vm_save(vm, d, &w);
    reader_init(&r, saved->data, saved->len);
    g_assert(vm_load(vm, d, vm->version, &r, "vga", NULL));
}

static PCIDevice *step(Fixture *f, PCIDevice *d, PCIDevice *edu, Input *in)
{
    uint8_t op = input_take(in, 1);
    unsigned size = 1u << (op >> 6);
    PCIDmaMap map;

    switch (op & 7) {
    case 0:
    case 1: /* the registers of the mode */
        guest_write(f, REGS + 0x500 + 2 * (op >> 3 & 7) + 2, 2, input_take(in, 2));
        break;
    case 2:
        guest_write(f, REGS + (input_take(in, 2) & 0xfff), size, input_take(in, size));
        guest_read(f, REGS + (input_take(in, 2) & 0xfff), size);
        break;
    case 3:
        look(f);
        break;
    case 4:
        save_and_load(d);
        break;
    case 5:
        config_write(f, FN, input_take(in, 1), size > 4 ? 4 : size, input_take(in, size));
        break;
    case 6: /* DMA that continues after an unplug */
        if (pci_dma_map(edu, MMIO + input_take(in, 2), 256, true, &map)) {
            if (op & 0x80) {
                device_unplug(&d->dev);
                d = plug_display(f);
            }
            memset(map.host, op, 256);
            pci_dma_unmap(edu, &map, 256);
        }
        break;
    default:
        decode(f);
        pci_device_reset(d, RESET_HOT);
        decode(f);
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 1024) };
    Fixture f;
    PCIDevice *d, *edu;

    fixture_init(&f);
    edu = plug_function(&f, fuzz_type("edu"), "pcie.0", "edu", EDU, NULL);
    config_write(&f, EDU, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    d = plug_display(&f);
    while (in.left)
        d = step(&f, d, edu, &in);
    look(&f);
    fuzz_end(&f);
    return 0;
}
