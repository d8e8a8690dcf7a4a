/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bochs-display: a linear framebuffer with the registers of the Bochs VBE extensions, and without
 * VGA compatibility (registers: docs/specs/bochs-display.md).
 *
 * The framebuffer is RAM in BAR 0. Each display reads the registers when it reads the picture, so
 * that a write has no other effect than to store its value.
 */
#include "hw/core/display.h"
#include "hw/pci/pci.h"
#include "internal.h"
#include "util/error.h"

enum {
    BOCHS_MIN_MEMORY = 4 << 20,
    BOCHS_MAX_MEMORY = 256 << 20,
    BOCHS_DEFAULT_MEMORY = 16 << 20,
    BOCHS_MIN_PIXELS = 64,
    BOCHS_PIXEL = 4, /* bytes */
    BOCHS_DISPI = 0x500,
    BOCHS_ENABLED = 1 << 0,
    BOCHS_ID = 0xb0c5,
};
#define BOCHS_LITTLE_ENDIAN 0x1e1e1e1eu
#define BOCHS_BIG_ENDIAN    0xbebebebeu

typedef struct BochsDisplay {
    PCIDevice pci;
    uint64_t vgamem;
    bool edid;
    EdidMonitor monitor;
    uint16_t xres, yres, bpp, enable, bank, virt_width, virt_height, x_offset, y_offset;
    uint32_t endian;
    Display display;
    RamBlock *ram;
    MemRegion region;
    uint8_t edid_bytes[EDID_SIZE];
} BochsDisplay;

static uint64_t bochs_edid_read(void *dev, const RegDesc *r)
{
    uint64_t value;

    memcpy(&value, ((BochsDisplay *)dev)->edid_bytes + r->offset, sizeof(value));
    return GUINT64_FROM_LE(value);
}

static uint64_t bochs_memory_read(void *dev, const RegDesc *r)
{
    return ((BochsDisplay *)dev)->vgamem >> 16;
}

static bool bochs_endian_accept(void *dev, const RegDesc *r, uint64_t value)
{
    return value == BOCHS_LITTLE_ENDIAN || value == BOCHS_BIG_ENDIAN;
}

/* --- the picture --- */

static bool bochs_mode(void *dev, DisplayMode *out)
{
    const BochsDisplay *s = dev;
    uint32_t width = MAX(s->xres, s->virt_width);
    uint64_t stride = (uint64_t)width * BOCHS_PIXEL;
    uint64_t offset = s->y_offset * stride + s->x_offset * (uint64_t)BOCHS_PIXEL;

    if (!(s->enable & BOCHS_ENABLED) || s->bpp != 8 * BOCHS_PIXEL || s->xres < BOCHS_MIN_PIXELS ||
        s->yres < BOCHS_MIN_PIXELS || s->xres > DISPLAY_MAX_SIZE || s->yres > DISPLAY_MAX_SIZE ||
        offset + s->yres * stride > s->vgamem)
        return false;
    *out = (DisplayMode){ .width = s->xres,
                          .height = s->yres,
                          .stride = (uint32_t)stride,
                          .big_endian = s->endian == BOCHS_BIG_ENDIAN,
                          .ram = s->ram,
                          .offset = offset };
    return true;
}

/* --- life --- */

static bool bochs_realize(void *dev, GError **err)
{
    BochsDisplay *s = dev;
    EdidMonitor monitor = s->monitor;
    g_autofree char *id = g_strdup_printf("%s/bochs-display-vram", s->pci.dev.plan_id);

    monitor.width = monitor.width ? monitor.width : EDID_DEFAULT_WIDTH;
    monitor.height = monitor.height ? monitor.height : EDID_DEFAULT_HEIGHT;
    monitor.rate = monitor.rate ? monitor.rate : EDID_DEFAULT_RATE;
    if (s->edid)
        edid_build(&monitor, s->edid_bytes);
    s->ram = machine_ram_new(s->pci.dev.machine, id, s->vgamem, err);
    if (!s->ram)
        return false;
    mem_init_ram(&s->region, "bochs-display-vram", s->ram, 0, s->vgamem);
    mem_map(pci_bar_region(&s->pci, 0), 0, &s->region, 0, 0);
    s->display = (Display){ .dev = &s->pci.dev, .mode = bochs_mode };
    display_add(&s->display);
    return true;
}

static void bochs_unrealize(void *dev)
{
    display_remove(&((BochsDisplay *)dev)->display);
}

static void bochs_finalize(void *dev)
{
    BochsDisplay *s = dev;

    mem_fini(&s->region);
    if (s->ram)
        machine_ram_free(s->pci.dev.machine, s->ram);
}

static bool bochs_check(void *obj, GError **err)
{
    const BochsDisplay *s = obj;

    return bochs_endian_accept(obj, NULL, s->endian) ||
           error_set(err, ERROR_GUEST,
                     "%s: register endian is %08xh; 1e1e1e1eh (little) and bebebebeh (big) exist",
                     device_name(&s->pci.dev), s->endian);
}

/* --- tables --- */

#define BOCHS_EDID(off)                                                                            \
    REG_ROW("edid", off, 8, .read = bochs_edid_read, .doc = (off) ? NULL : "EDID of the monitor")
#define BOCHS_EDID_4(off)                                                                          \
    BOCHS_EDID(off), BOCHS_EDID((off) + 8), BOCHS_EDID((off) + 16), BOCHS_EDID((off) + 24)
#define BOCHS_VGA(off) REG_ROW("vga", off, 8, .doc = "registers of VGA, which has no effect here")
#define BOCHS_REG(m, n, ...)                                                                       \
    REG16(BochsDisplay, m, BOCHS_DISPI + 2 * (n), .rw = UINT16_MAX, __VA_ARGS__)

static const RegDesc bochs_regs[] = {
    BOCHS_EDID_4(0x00),
    BOCHS_EDID_4(0x20),
    BOCHS_EDID_4(0x40),
    BOCHS_EDID_4(0x60),
    BOCHS_VGA(0x400),
    BOCHS_VGA(0x408),
    BOCHS_VGA(0x410),
    BOCHS_VGA(0x418),
    REG_ROW("id", BOCHS_DISPI, 2, .reset = BOCHS_ID, .doc = "version of the VBE registers"),
    BOCHS_REG(xres, 1, .doc = "width in pixels, 64 to 16384"),
    BOCHS_REG(yres, 2, .doc = "height in pixels, 64 to 16384"),
    BOCHS_REG(bpp, 3, .doc = "bits per pixel; only 32 is shown"),
    BOCHS_REG(enable, 4, .doc = "bit 0: show the framebuffer"),
    BOCHS_REG(bank, 5, .doc = "no effect: the framebuffer is linear"),
    BOCHS_REG(virt_width, 6, .doc = "pixels of a row in memory, if larger than xres"),
    BOCHS_REG(virt_height, 7, .doc = "no effect"),
    BOCHS_REG(x_offset, 8, .doc = "first pixel of each row"),
    BOCHS_REG(y_offset, 9, .doc = "first row"),
    REG_ROW("video_memory_64k", BOCHS_DISPI + 20, 2, .read = bochs_memory_read,
            .doc = "size of the framebuffer in units of 64 KiB"),
    REG_ROW("ext_size", 0x600, 4, .reset = 8, .doc = "bytes of the registers from here on"),
    REG32(BochsDisplay, endian, 0x604, .rw = UINT32_MAX, .reset = BOCHS_LITTLE_ENDIAN,
          .accept = bochs_endian_accept,
          .doc = "byte order of the pixels: 1e1e1e1eh little, bebebebeh big"),
};
static const PCIBarDesc bochs_bars[] = {
    { .index = 0,
      .kind = PCI_BAR_MEM32,
      .prefetch = true,
      .size = BOCHS_DEFAULT_MEMORY,
      .size_prop = "vgamem" },
    { .index = 2, .kind = PCI_BAR_MEM32, .size = 4096, .regs = LIST(bochs_regs) },
};
static const PCICapDesc bochs_caps[] = { { .id = 0x10, .prop = "express", .at = 0x80 } };
static const PlanProp bochs_props[] = {
    PROP_SIZE(BochsDisplay, vgamem, "vgamem", BOCHS_DEFAULT_MEMORY, BOCHS_MIN_MEMORY,
              BOCHS_MAX_MEMORY, "size of the framebuffer, a power of two"),
    PROP_BOOL(BochsDisplay, edid, "edid", true, "report a monitor (EDID)"),
    PROP_U32(BochsDisplay, monitor.width, "xres", 0, 0, EDID_MAX_PIXELS,
             "width of the preferred mode in pixels; 0: 1280"),
    PROP_U32(BochsDisplay, monitor.height, "yres", 0, 0, EDID_MAX_PIXELS,
             "height of the preferred mode in pixels; 0: 800"),
    PROP_U32(BochsDisplay, monitor.max_width, "xmax", 0, 0, UINT32_MAX,
             "width of the largest other mode in the EDID; 0: no limit"),
    PROP_U32(BochsDisplay, monitor.max_height, "ymax", 0, 0, UINT32_MAX,
             "height of the largest other mode in the EDID; 0: no limit"),
    PROP_U32(BochsDisplay, monitor.rate, "refresh_rate", 0, 0, 1000000,
             "refresh rate of the preferred mode in mHz; 0: 75000"),
};
static const VmField bochs_fields[] = {
    VM_PCI(BochsDisplay, pci),
    VM_BANK(bochs_regs),
};
static const VmState bochs_state = {
    .name = "bochs-display", .version = 1, .fields = LIST(bochs_fields), .check = bochs_check
};

static const PCIDeviceType bochs_display = {
    .base = { .name = "bochs-display",
              .doc = "display adapter with a linear framebuffer",
              .kind = &pci_device_kind,
              .size = sizeof(BochsDisplay),
              .props = LIST(bochs_props),
              .vmstate = &bochs_state,
              .hotpluggable = true,
              .realize = bochs_realize,
              .unrealize = bochs_unrealize,
              .finalize = bochs_finalize },
    .vendor = 0x1234,
    .device = 0x1111,
    .revision = 0x02,
    .class_code = 0x038000,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .bars = LIST(bochs_bars),
    .caps = LIST(bochs_caps),
};
PCI_DEVICE_TYPE(bochs_display);
