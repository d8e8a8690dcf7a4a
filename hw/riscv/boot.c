/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Booting the `virt` board: the addresses of firmware, kernel, initrd and device tree, and the boot
 * ROM that passes them on.
 *
 * References: OpenSBI docs/firmware/fw_dynamic.md; Linux Documentation/arch/riscv/boot.rst. RAM
 * contains, in ascending order: firmware, kernel (at the next 2 MiB boundary), initrd, and the
 * device tree, near the end of RAM and below 3 GiB.
 */
#include <libfdt.h>
#include <string.h>

#include "hw/core/random.h"
#include "hw/block/pflash.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/loader_device.h"
#include "hw/pci-host/ecam.h"
#include "hw/riscv/virt.h"
#include "hw/rtc/goldfish.h"
#include "util/error.h"
#include "util/outfile.h"

#define MiB             (1ull << 20)
#define FDT_TOP         (3072 * MiB) /* firmware that uses 32-bit addresses can access the tree */
#define FDT_ALIGN       (2 * MiB)
#define FDT_ROOM        4096
#define KERNEL_ALIGN    (2 * MiB)
#define INITRD_DISTANCE (512 * MiB)
#define DYNAMIC_MAGIC   0x4942534f /* "OSBI" */
#define DYNAMIC_VERSION 2
#define DYNAMIC_NEXT_S  1

static const char *const default_firmware[] = {
    "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",
    "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",
    BACKPLANE_DATADIR "/opensbi-riscv64-generic-fw_dynamic.bin",
};

/* State of one boot. */
typedef struct Plan {
    Machine *m;
    Virt *v;
    const BoardBoot *boot;
    uint64_t base, end; /* of RAM */
    void *fdt;          /* being completed; g_free */
    uint64_t fdt_addr;
    LoadedImage firmware, kernel, initrd;
    bool has_firmware, has_kernel;
    uint64_t flash; /* address of the program in flash memory; 0: none */
} Plan;

static uint64_t align_up(uint64_t v, uint64_t a)
{
    return (v + a - 1) & ~(a - 1);
}

/* Return the image of a role; NULL: none. */
static const BootImage *image_of(const Plan *p, BootRole role)
{
    const BootImage *image = p->boot->images ? &p->boot->images->image[role] : NULL;

    return image && image->fd >= 0 ? image : NULL;
}

/* --- device tree --- */

static int compare_numbers(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* Add the extra PCI roots to the device tree. */
static bool find_roots(Plan *p, GError **err)
{
    const PCIHost *h = ecam_host(p->v->pci_host);
    VirtConfig *c = &p->v->config;

    if (h->roots->len - 1 > VIRT_MAX_ROOTS)
        return error_set(err, ERROR_USER,
                         "the machine has %u extra PCI roots; the device tree can name %u",
                         h->roots->len - 1, VIRT_MAX_ROOTS);
    for (c->n_roots = 0; c->n_roots + 1 < h->roots->len; c->n_roots++)
        c->roots[c->n_roots] = ((PCIBus *)g_ptr_array_index(h->roots, c->n_roots + 1))->root_number;
    qsort(c->roots, c->n_roots, 1, compare_numbers);
    return true;
}

static bool make_fdt(Plan *p, GError **err)
{
    size_t room = FDT_ROOM + (p->boot->append ? strlen(p->boot->append) : 0);
    uint64_t top = MIN(p->end, p->base > FDT_TOP ? p->end : FDT_TOP), size;

    if (!find_roots(p, err))
        return false;
    if (room > MiB)
        return error_set(err, ERROR_USER, "-append is %zu bytes long; at most 1 MiB is accepted",
                         room - FDT_ROOM);
    if (image_of(p, BOOT_DTB))
        p->fdt = virt_fdt_load(image_of(p, BOOT_DTB), room, err);
    else
        p->fdt = virt_fdt_build(&p->v->config, p->m->cpus, room);
    if (!p->fdt)
        return false;
    size = fdt_totalsize(p->fdt);
    if (top - p->base < size)
        return error_set(err, ERROR_USER,
                         "%" G_GUINT64_FORMAT " bytes of RAM have no room for the device tree "
                         "(-m gives more memory)",
                         p->end - p->base);
    p->fdt_addr = (top - size) & ~(FDT_ALIGN - 1);
    if (p->fdt_addr < p->base) /* very small RAM: the tree is not aligned */
        p->fdt_addr = (top - size) & ~7ull;
    return true;
}

static bool finish_fdt(Plan *p, GError **err)
{
    uint8_t seed[32];
    VirtFdtBoot b = { p->boot->append, p->initrd.start, p->initrd.end, seed };

    if (machine_random(p->m, seed, sizeof(seed)) != sizeof(seed))
        b.seed = NULL;
    if (!virt_fdt_set_boot(p->fdt, &b, err))
        return false;
    fdt_pack(p->fdt);
    load_bytes(p->v->loads, p->fdt, fdt_totalsize(p->fdt), p->fdt_addr);
    return true;
}

static bool dump_fdt(Plan *p, GError **err)
{
    g_autoptr(GError) why = NULL;

    if (out_file_write(p->boot->dumpdtb, p->fdt, fdt_totalsize(p->fdt), &why))
        return true;
    return error_set(err, ERROR_USER, "dumpdtb=%s: %s", p->boot->dumpdtb, why->message);
}

/* --- images --- */

const char *virt_default_firmware(GError **err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(default_firmware); i++) {
        if (g_file_test(default_firmware[i], G_FILE_TEST_IS_REGULAR))
            return default_firmware[i];
    }
    error_set(
        err, ERROR_USER,
        "the default firmware %s does not exist: install the package opensbi, or use -bios FILE or "
        "-bios none",
        default_firmware[0]);
    return NULL;
}

static bool load_firmware(Plan *p, GError **err)
{
    const BootImage *image = image_of(p, BOOT_FIRMWARE);

    p->firmware = (LoadedImage){ p->base, p->base, p->base };
    p->has_firmware = image != NULL;
    return !image ||
           load_image(p->v->loads, BOOT_FIRMWARE, image, p->base, p->fdt_addr, &p->firmware, err);
}

/* Return whether kernel, initrd and command line are for the program in flash memory, which the
 * firmware starts and which reads them from fw_cfg. */
static bool boot_by_flash(const Plan *p)
{
    return p->flash && p->has_firmware;
}

static void boot_set_fw_cfg(const Plan *p)
{
    Device *dev = p->v->fw_cfg;
    const BootImage *kernel = boot_by_flash(p) ? image_of(p, BOOT_KERNEL) : NULL;
    const BootImage *initrd = kernel ? image_of(p, BOOT_INITRD) : NULL;
    const char *append = kernel ? p->boot->append : NULL;
    size_t len = append ? strlen(append) + 1 : 0;

    if (!dev)
        return;
    fw_cfg_set_image(dev, FW_CFG_KERNEL_DATA, kernel);
    fw_cfg_set_number(dev, FW_CFG_KERNEL_SIZE, kernel ? kernel->size : 0, 4);
    fw_cfg_set_image(dev, FW_CFG_INITRD_DATA, initrd);
    fw_cfg_set_number(dev, FW_CFG_INITRD_SIZE, initrd ? initrd->size : 0, 4);
    fw_cfg_set(dev, FW_CFG_CMDLINE_DATA, append, len);
    fw_cfg_set_number(dev, FW_CFG_CMDLINE_SIZE, len, 4);
}

static bool load_kernel(Plan *p, GError **err)
{
    uint64_t floor = p->has_firmware ? align_up(p->firmware.end, KERNEL_ALIGN) : p->base;

    const BootImage *image = image_of(p, BOOT_KERNEL);
    g_autofree char *label = NULL;

    p->kernel = (LoadedImage){ 0 };
    p->has_kernel = image != NULL;
    if (!image)
        return true;
    if (boot_by_flash(p)) { /* the program in flash memory loads it */
        p->has_kernel = false;
        return true;
    }
    if (!load_image(p->v->loads, BOOT_KERNEL, image, floor, p->fdt_addr, &p->kernel, err))
        return false;
    if (!p->has_firmware || p->kernel.start >= p->firmware.end)
        return true;
    label = boot_image_label(BOOT_KERNEL, image);
    return error_set(err, ERROR_USER,
                     "%s requires memory from 0x%" G_GINT64_MODIFIER
                     "x, but the firmware is located up to "
                     "0x%" G_GINT64_MODIFIER "x: use -bios none",
                     label, p->kernel.start, p->firmware.end);
}

/* Load the initrd far above the kernel if there is space, so that early allocations of the kernel
 * do not overlap it; otherwise at the highest possible address. */
static bool load_initrd(Plan *p, GError **err)
{
    const BootImage *image = image_of(p, BOOT_INITRD);
    uint64_t size = image ? image->size : 0, start, lowest = align_up(p->kernel.end, 4096);

    p->initrd = (LoadedImage){ 0 };
    if (!image || boot_by_flash(p))
        return true;
    start = align_up(p->kernel.start + MIN((p->end - p->base) / 2, INITRD_DISTANCE), 4096);
    start = MAX(start, lowest);
    if (start > p->fdt_addr || size > p->fdt_addr - start)
        start = size < p->fdt_addr ? (p->fdt_addr - size) & ~4095ull : 0;
    if (start < lowest) {
        g_autofree char *label = boot_image_label(BOOT_INITRD, image);

        return error_set(err, ERROR_USER,
                         "%s does not fit: it has %" G_GUINT64_FORMAT
                         " bytes, and there is room from 0x%" G_GINT64_MODIFIER
                         "x to 0x%" G_GINT64_MODIFIER "x (-m gives more memory)",
                         label, size, lowest, p->fdt_addr);
    }
    return load_image_at(p->v->loads, BOOT_INITRD, image, start, p->fdt_addr, &p->initrd, err);
}

/* --- loader devices --- */

static bool virt_load_value(Plan *p, const LoaderDevice *d, GError **err)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < d->data_len; i++)
        bytes[d->data_be ? d->data_len - 1u - i : i] = d->data >> 8 * i;
    if (!load_in_ram(p->v->loads, d->addr, d->data_len))
        return error_set(err, ERROR_USER,
                         "%s: addr=0x%" G_GINT64_MODIFIER
                         "x: the %u bytes of data are not in RAM (0x%" G_GINT64_MODIFIER
                         "x to 0x%" G_GINT64_MODIFIER "x)",
                         device_name(&d->sys.dev), d->addr, d->data_len, p->base, p->end);
    load_bytes(p->v->loads, bytes, d->data_len, d->addr);
    return true;
}

static bool virt_load_file(Plan *p, const LoaderDevice *d, uint64_t *entry, GError **err)
{
    BootRole role = BOOT_LOADER + d->image - 1;
    const BootImage *image = image_of(p, role);
    LoadedImage out;

    if (!image)
        return error_set(err, ERROR_USER, "%s: the machine has no boot image '%s'",
                         device_name(&d->sys.dev), boot_role_name(role));
    if (!load_extra(p->v->loads, role, image, d->addr, d->force_raw, &out, err)) {
        g_prefix_error(err, "%s: ", device_name(&d->sys.dev));
        return false;
    }
    *entry = out.entry;
    return true;
}

static bool virt_load_device(Plan *p, const LoaderDevice *d, GError **err)
{
    uint64_t entry = d->addr;

    if (d->image ? !virt_load_file(p, d, &entry, err) : d->data_len && !virt_load_value(p, d, err))
        return false;
    if (d->cpu_num < p->v->config.harts) {
        p->v->starts_elsewhere[d->cpu_num] = true;
        p->v->start_pc[d->cpu_num] = entry;
    }
    return true;
}

/* Apply the loader devices: those with images, which must not overlap, and then those with bytes,
 * which may overwrite a part of an image. */
static bool virt_load_devices(Plan *p, GError **err)
{
    static const char *const containers[] = { "peripheral", "peripheral-anon" };

    memset(p->v->starts_elsewhere, 0, sizeof(p->v->starts_elsewhere));
    for (unsigned bytes = 0; bytes < 2; bytes++) {
        for (size_t c = 0; c < G_N_ELEMENTS(containers); c++) {
            const GPtrArray *children = device_container(p->m, containers[c])->children;

            for (guint i = 0; children && i < children->len; i++) {
                const LoaderDevice *d = loader_device_of(g_ptr_array_index(children, i));

                if (d && (d->data_len > 0) == (bytes > 0) && !virt_load_device(p, d, err))
                    return false;
            }
        }
    }
    return true;
}

/* --- the boot ROM --- */

static void boot_put_le32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, 4);
}

static void boot_put_le64(uint8_t *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, 8);
}

static void make_boot_rom(Plan *p)
{
    static const uint32_t code[] = {
        0x00000297, /* auipc t0, 0 */
        0x02828613, /* addi  a2, t0, 0x28: fw_dynamic_info */
        0xf1402573, /* csrr  a0, mhartid */
        0x0202b583, /* ld    a1, 32(t0): device tree */
        0x0182b283, /* ld    t0, 24(t0): firmware */
        0x00028067, /* jr    t0 */
    };
    uint64_t program = p->flash ? p->flash : p->has_kernel ? p->kernel.entry : 0;
    uint64_t start = p->has_firmware || !program ? p->firmware.entry : program;
    uint64_t next = p->has_firmware ? program : 0;
    const uint64_t words[] = {
        start, p->fdt_addr,    DYNAMIC_MAGIC,   DYNAMIC_VERSION,
        next,  DYNAMIC_NEXT_S, 0 /* options */, 0 /* boot hart */
    };
    uint8_t *rom = p->v->boot_rom;

    G_STATIC_ASSERT(sizeof(code) + sizeof(words) == sizeof(p->v->boot_rom));
    for (unsigned i = 0; i < G_N_ELEMENTS(code); i++)
        boot_put_le32(rom + i * 4, code[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        boot_put_le64(rom + sizeof(code) + i * 8, words[i]);
    p->v->booted = true;
}

void virt_restore_boot_rom(Virt *v)
{
    if (v->booted) {
        memcpy(v->rom->host, v->boot_rom, sizeof(v->boot_rom));
        ram_written_any(v->rom, 0, sizeof(v->boot_rom));
    }
}

static bool check_options(const Plan *p, GError **err)
{
    bool initrd = image_of(p, BOOT_INITRD) != NULL;

    if (!image_of(p, BOOT_KERNEL) && (initrd || p->boot->append))
        return error_set(err, ERROR_USER, "-%s is for a kernel: it needs -kernel",
                         initrd ? "initrd" : "append");
    return true;
}

bool virt_boot(Machine *m, const BoardBoot *boot, GError **err)
{
    Virt *v = (Virt *)m->board;
    uint64_t base = virt_map[VIRT_DRAM].base;
    Plan p = { .m = m, .v = v, .boot = boot, .base = base, .end = base + v->ram->size };
    bool done;

    if (v->flash[0] && pflash_has_drive(v->flash[0]))
        p.flash = virt_map[VIRT_FLASH].base;
    load_list_clear(v->loads);
    if (boot->remember)
        load_list_only_remember(v->loads);
    done = check_options(&p, err) && (!boot->rtc || goldfish_set(v->rtc, boot->rtc, err)) &&
           make_fdt(&p, err) && load_firmware(&p, err) && load_kernel(&p, err) &&
           load_initrd(&p, err) && (!v->fw_cfg || virt_set_bootorder(v, err)) &&
           finish_fdt(&p, err) && virt_load_devices(&p, err) &&
           (!boot->dumpdtb || m->dry_run || dump_fdt(&p, err));
    if (done) {
        boot_set_fw_cfg(&p);
        make_boot_rom(&p);
        if (!boot->remember)
            virt_restore_boot_rom(v);
        if (!boot->remember && memchr(v->starts_elsewhere, 1, sizeof(v->starts_elsewhere)))
            virt_reset_harts(v);
    }
    g_free(p.fdt);
    return done;
}
