/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bochs-display: modes that the registers select, the EDID, memory that DMA holds across an unplug.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"
#include "hw/core/display.h"

enum {
    DEVFN = PCI_DEVFN(3, 0),
    XRES = 0x502,
    YRES = 0x504,
    BPP = 0x506,
    ENABLE = 0x508,
    VIRT_WIDTH = 0x50c,
    X_OFFSET = 0x510,
    Y_OFFSET = 0x512,
    MEMORY = 0x514,
    ENDIAN = 0x604,
};
#define VRAM MMIO
#define REGS (MMIO + 0x10000000)

static const PCIDeviceType *adapter(void)
{
    const DeviceType *type = device_type_find("bochs-display");

    g_assert_nonnull(type);
    return (const PCIDeviceType *)type;
}

static PCIDevice *start(Fixture *f, const char *settings)
{
    PCIDevice *d;

    fixture_init(f);
    d = plug_function(f, adapter(), "pcie.0", "vga0", DEVFN, settings);
    g_assert_cmphex(config_read(f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x11111234);
    g_assert_cmphex(config_read(f, DEVFN, 8, 4), ==, 0x03800002);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, VRAM);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_2, 4, REGS);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g_assert_cmphex(guest_read(f, REGS + 0x500, 2), ==, 0xb0c5);
    return d;
}

static void set(Fixture *f, uint64_t reg, uint16_t value)
{
    guest_write(f, REGS + reg, 2, value);
}

static void set_mode(Fixture *f, uint16_t width, uint16_t height)
{
    set(f, XRES, width);
    set(f, YRES, height);
    set(f, BPP, 32);
    set(f, ENABLE, 1);
}

static bool mode_of(Fixture *f, DisplayMode *mode)
{
    const Display *d = display_first(f->m);

    g_assert_nonnull(d);
    return d->mode(d->dev, mode);
}

static void test_modes(void)
{
    Fixture f;
    DisplayMode mode;

    start(&f, "vgamem=4M");
    g_assert_cmphex(guest_read(&f, REGS + MEMORY, 2), ==, 0x40);
    g_assert_false(mode_of(&f, &mode));
    set_mode(&f, 1024, 1024); /* exactly the memory */
    g_assert_true(mode_of(&f, &mode));
    g_assert_cmpuint(mode.width, ==, 1024);
    g_assert_cmpuint(mode.height, ==, 1024);
    g_assert_cmpuint(mode.stride, ==, 4096);
    g_assert_false(mode.big_endian);
    g_assert_cmpuint(mode.offset, ==, 0);
    set(&f, Y_OFFSET, 1); /* beyond it */
    g_assert_false(mode_of(&f, &mode));
    set(&f, YRES, 1023);
    g_assert_true(mode_of(&f, &mode));
    g_assert_cmpuint(mode.offset, ==, 4096);
    set(&f, X_OFFSET, 1);
    g_assert_false(mode_of(&f, &mode));
    set(&f, VIRT_WIDTH, 1023); /* below the width: no effect */
    set(&f, X_OFFSET, 0);
    g_assert_true(mode_of(&f, &mode));
    set(&f, VIRT_WIDTH, 2048);
    g_assert_false(mode_of(&f, &mode));
    set(&f, YRES, 511);
    g_assert_true(mode_of(&f, &mode));
    g_assert_cmpuint(mode.stride, ==, 8192);
    g_assert_cmpuint(mode.offset, ==, 8192);
    fixture_fini(&f);
}

/* Values that are not shown, and the largest ones. */
static void test_refused_modes(void)
{
    static const struct {
        uint64_t reg;
        uint16_t value;
    } rows[] = { { XRES, 63 },        { YRES, 63 }, { XRES, 16385 }, { YRES, 0xffff },
                 { BPP, 24 },         { BPP, 0 },   { ENABLE, 0 },   { VIRT_WIDTH, 0xffff },
                 { Y_OFFSET, 0xffff } };
    Fixture f;
    DisplayMode mode;

    start(&f, "vgamem=4M");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        set_mode(&f, 640, 480);
        g_assert_true(mode_of(&f, &mode));
        set(&f, rows[i].reg, rows[i].value);
        g_assert_false(mode_of(&f, &mode));
        set(&f, VIRT_WIDTH, 0);
        set(&f, X_OFFSET, 0);
        set(&f, Y_OFFSET, 0);
    }
    pci_device_reset((PCIDevice *)device_find_id(f.m, "vga0"), RESET_HOT);
    g_assert_false(mode_of(&f, &mode));
    fixture_fini(&f);
}

static void test_endian(void)
{
    Fixture f;
    DisplayMode mode;

    start(&f, NULL);
    set_mode(&f, 640, 480);
    guest_write(&f, REGS + ENDIAN, 4, 0xbebebebe);
    guest_write(&f, REGS + ENDIAN, 4, 0x12345678); /* refused */
    g_assert_cmphex(guest_read(&f, REGS + ENDIAN, 4), ==, 0xbebebebe);
    g_assert_true(mode_of(&f, &mode));
    g_assert_true(mode.big_endian);
    fixture_fini(&f);
}

static void read_edid(Fixture *f, uint8_t *edid)
{
    for (unsigned i = 0; i < 128; i++)
        edid[i] = (uint8_t)guest_read(f, REGS + i, 1);
}

static void test_edid(void)
{
    static const uint8_t head[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    uint8_t edid[128], sum = 0;
    Fixture f;

    start(&f, "xres=1400,yres=1050,xmax=1024,ymax=800,refresh_rate=60000");
    read_edid(&f, edid);
    for (unsigned i = 0; i < 128; i++)
        sum += edid[i];
    g_assert_cmpmem(edid, 8, head, 8);
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(edid[0x23], ==, 0x21); /* 640x480 and 800x600 */
    g_assert_cmphex(edid[0x24], ==, 0x08); /* 1024x768 */
    for (unsigned i = 0x26; i < 0x36; i++)
        g_assert_cmphex(edid[i], ==, 0x01); /* larger ones are not offered */
    g_assert_cmpuint(edid[0x38] | (edid[0x3a] & 0xf0) << 4, ==, 1400);
    g_assert_cmpuint(edid[0x3b] | (edid[0x3d] & 0xf0) << 4, ==, 1050);
    /* (1400 + 490) * (1050 + 36) * 60 Hz, in 10 kHz */
    g_assert_cmpuint(edid[0x36] | edid[0x37] << 8, ==, 12315);
    fixture_fini(&f);

    start(&f, "edid=off");
    read_edid(&f, edid);
    for (unsigned i = 0; i < 128; i++)
        g_assert_cmphex(edid[i], ==, 0);
    fixture_fini(&f);
}

static void test_settings(void)
{
    static const char *const bad[] = { "vgamem=1M", "vgamem=512M", "vgamem=5M", "xres=4096" };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        Fixture f;

        fixture_init(&f);
        g_assert_null(try_plug_function(&f, adapter(), "pcie.0", "vga0", DEVFN, bad[i], &err));
        g_assert_nonnull(err);
        g_assert_null(display_first(f.m));
        fixture_fini(&f);
    }
}

/* The memory exists until DMA of another function ends, also after an unplug. */
static void test_unplug_under_dma(void)
{
    PCIDmaMap map;
    PCIDevice *d, *edu;
    Fixture f;

    d = start(&f, NULL);
    edu = plug_function(&f, (const PCIDeviceType *)device_type_find("edu"), "pcie.0", "edu",
                        PCI_DEVFN(4, 0), NULL);
    config_write(&f, PCI_DEVFN(4, 0), PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    g_assert_true(pci_dma_map(edu, VRAM + 0x1000, 0x2000, true, &map));
    device_unplug(&d->dev);
    g_assert_null(display_first(f.m));
    memset(map.host, 0x5a, 0x2000);
    pci_dma_unmap(edu, &map, 0x2000);
    fixture_fini(&f);
}

static void test_find(void)
{
    g_autoptr(GError) err = NULL;
    Fixture f;

    start(&f, NULL);
    g_assert_nonnull(display_find(f.m, NULL, 0, &err));
    g_assert_true(display_find(f.m, "vga0", 0, &err) == display_first(f.m));
    g_assert_nonnull(display_find(f.m, "/machine/peripheral/vga0", 0, &err));
    g_assert_no_error(err);
    g_assert_null(display_find(f.m, "vga0", 1, &err));
    g_assert_cmpstr(err->message, ==,
                    "device 'vga0' has no display with head 1; displays: vga0 (head 0)");
    g_clear_error(&err);
    g_assert_null(display_find(f.m, "vga1", 0, &err));
    g_assert_cmpstr(err->message, ==, "device 'vga1' does not exist; displays: vga0 (head 0)");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hw/display/bochs/modes", test_modes);
    g_test_add_func("/hw/display/bochs/refused-modes", test_refused_modes);
    g_test_add_func("/hw/display/bochs/endian", test_endian);
    g_test_add_func("/hw/display/bochs/edid", test_edid);
    g_test_add_func("/hw/display/bochs/settings", test_settings);
    g_test_add_func("/hw/display/bochs/unplug-under-dma", test_unplug_under_dma);
    g_test_add_func("/hw/display/bochs/find", test_find);
    return g_test_run();
}
