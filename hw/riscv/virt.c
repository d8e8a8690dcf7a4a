/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `virt` board: its memory map and the wiring of its interrupts.
 */
#include "hw/riscv/virt.h"

#include <string.h>

#include "chardev/chardev.h"
#include "hw/block/pflash.h"
#include "hw/core/host_object.h"
#include "hw/core/sysdev.h"
#include "hw/intc/aplic.h"
#include "hw/misc/fw_cfg.h"
#include "hw/virtio/virtio_mmio.h"
#include "util/error.h"
#include "util/log.h"

const VirtMap virt_map[VIRT_REGIONS] = {
    [VIRT_MROM] = { 0x1000, 0xf000 },
    [VIRT_TEST] = { 0x100000, 0x1000 },
    [VIRT_RTC] = { 0x101000, 0x1000 },
    [VIRT_CLINT] = { 0x2000000, 0x10000 },
    [VIRT_ACLINT_SSWI] = { 0x2f00000, 0x4000 },
    [VIRT_PCIE_PIO] = { 0x3000000, VIRT_PCIE_PIO_SIZE },
    [VIRT_PLATFORM_BUS] = { 0x4000000, 0x2000000 },
    [VIRT_PLIC] = { 0xc000000, 0x600000 },
    [VIRT_APLIC_M] = { 0xc000000, 0x8000 },
    [VIRT_APLIC_S] = { 0xd000000, 0x8000 },
    [VIRT_UART] = { 0x10000000, 0x100 },
    [VIRT_VIRTIO] = { 0x10001000, 0x1000 },
    [VIRT_GPIO] = { 0x10060000, 0x1000 },
    [VIRT_FW_CFG] = { 0x10100000, FW_CFG_MMIO_SIZE },
    [VIRT_FLASH] = { 0x20000000, VIRT_N_FLASH *PFLASH_SIZE },
    [VIRT_IMSIC_M] = { 0x24000000, 0x4000000 },
    [VIRT_IMSIC_S] = { 0x28000000, 0x4000000 },
    [VIRT_PCIE_ECAM] = { 0x30000000, 0x10000000 },
    [VIRT_PCIE_MMIO] = { 0x40000000, VIRT_PCIE_MMIO_SIZE },
    [VIRT_DRAM] = { 0x80000000, 0 },
};

#define RAM_ID        "riscv_virt_board.ram"
#define VIRT_MMIO_BUS "virtio-mmio-bus." /* followed by the number of the slot */
#define SERIAL0       "serial0"          /* id of the first back end of -serial */

uint64_t virt_mmio64_base(const VirtConfig *c)
{
    uint64_t end = virt_map[VIRT_DRAM].base + c->ram_size;

    return (end + VIRT_PCIE_MMIO64_SIZE - 1) & ~(VIRT_PCIE_MMIO64_SIZE - 1);
}

/* Create a board device. No description contains it, so the rows of -global and compat.c are
 * applied here. */
static Device *virt_create_device(Machine *m, const char *type, const char *settings, GError **err)
{
    const Virt *v = (const Virt *)m->board;
    g_autofree char *defaults = plan_type_defaults(v->plan, type);
    g_autofree char *all = g_strdup_printf("%s%s%s", defaults, *defaults && settings ? "," : "",
                                           settings ? settings : "");

    return device_create(m, type, *all ? all : NULL, NULL, err);
}

/* Create a board device and map its first region. */
static Device *virt_place_device(Machine *m, const char *type, const char *settings, uint64_t addr,
                                 GError **err)
{
    Device *dev = virt_create_device(m, type, settings, err);

    if (dev)
        sysdev_map(dev, 0, addr);
    return dev;
}

/* --- memory and CPUs --- */

/* Create the block of RAM from the back ends of the nodes, from one back end, or from none. */
static RamBlock *virt_new_ram(Machine *m, const VirtConfig *c, const PlanMachine *plan,
                              GError **err)
{
    const PlanValue *backend = plan_machine_get(plan, "memory-backend");
    uint64_t sizes[VIRT_MAX_SOCKETS];

    for (unsigned i = 0; i < c->n_sockets; i++)
        sizes[i] = c->sockets[i].ram_size;
    if (plan->node_memory)
        return host_memory_ram_parts(m, (const char *const *)plan->node_memory->pdata, sizes,
                                     c->n_sockets, RAM_ID, err);
    return backend && backend->s ? host_memory_ram(m, backend->s, RAM_ID, c->ram_size, err)
                                 : machine_ram_new(m, RAM_ID, c->ram_size, err);
}

static bool build_memory(Machine *m, Virt *v, const PlanMachine *plan, GError **err)
{
    v->ram = virt_new_ram(m, &v->config, plan, err);
    v->rom =
        v->ram ? machine_ram_new(m, "riscv_virt_board.mrom", virt_map[VIRT_MROM].size, err) : NULL;
    if (!v->rom)
        return false;
    v->rom->read_only = true;
    mem_init_ram(&v->ram_region, v->ram->id, v->ram, 0, v->ram->size);
    mem_init_ram(&v->rom_region, v->rom->id, v->rom, 0, v->rom->size);
    mem_map(&m->memory, virt_map[VIRT_DRAM].base, &v->ram_region, 0, 0);
    mem_map(&m->memory, virt_map[VIRT_MROM].base, &v->rom_region, 0, 0);
    v->loads = load_list_new((LoadRam){ v->ram, virt_map[VIRT_DRAM].base });
    return true;
}

/* The AIA CSRs are useful only with an IMSIC: otherwise -cpu must name them. */
static const char *virt_cpu_features(const PlanMachine *plan)
{
    return plan_machine_get(plan, "aia")->u == VIRT_AIA_APLIC_IMSIC ? NULL : "smaia=off,ssaia=off";
}

static bool build_cpus(Machine *m, Virt *v, const PlanMachine *plan, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(plan->cpu, ",", 2);
    const CpuType *type = cpu_type_find(parts[0]);
    const char *defaults = virt_cpu_features(plan);
    g_autofree char *features =
        g_strdup_printf("%s,%s", defaults ? defaults : "", parts[1] ? parts[1] : "");

    for (unsigned i = 0; i < v->config.harts; i++) {
        Cpu *cpu = type->create(m, i, features, err);

        if (!cpu)
            return false;
        if (m->cpus->len <= i)
            g_ptr_array_add(m->cpus, cpu);
        cpu_log_reset(cpu);
        type->reset(cpu, virt_map[VIRT_MROM].base);
    }
    return true;
}

/* --- interrupt controllers and timers --- */

/* Create the device of a socket in a region and map it there. */
static Device *virt_place_socket(Machine *m, const VirtSocket *s, const char *type,
                                 const char *settings, uint64_t addr, GError **err)
{
    g_autofree char *all = g_strdup_printf("num-harts=%u,hart-base=%u%s%s", s->harts, s->first,
                                           settings ? "," : "", settings ? settings : "");

    return virt_place_device(m, type, all, addr, err);
}

static bool build_timers(Machine *m, Virt *v, unsigned i, GError **err)
{
    const VirtSocket *s = &v->config.sockets[i];
    uint64_t clint = virt_map[VIRT_CLINT].base;
    uint64_t base = clint + (uint64_t)i * VIRT_CLINT_STRIDE;

    if (v->config.aclint && v->config.aia == VIRT_AIA_APLIC_IMSIC) /* the IMSIC sends IPIs */
        return virt_place_socket(m, s, "riscv.aclint.mtimer", NULL,
                                 clint + (uint64_t)i * VIRT_MTIMER_STRIDE, err);
    if (!virt_place_socket(m, s, "riscv.aclint.swi", NULL, base, err) ||
        !virt_place_socket(m, s, "riscv.aclint.mtimer", NULL, base + 0x4000, err))
        return false;
    return !v->config.aclint ||
           virt_place_socket(m, s, "riscv.aclint.swi", "sswi=on",
                             virt_map[VIRT_ACLINT_SSWI].base + (uint64_t)i * VIRT_SSWI_STRIDE, err);
}

static bool build_plic(Machine *m, Virt *v, unsigned i, GError **err)
{
    g_autofree char *settings = g_strdup_printf("num-sources=%u", VIRT_N_SOURCES);

    v->irqchip[i] =
        virt_place_socket(m, &v->config.sockets[i], "riscv.sifive.plic", settings,
                          virt_map[VIRT_PLIC].base + (uint64_t)i * VIRT_PLIC_STRIDE, err);
    return v->irqchip[i];
}

static bool build_imsics(Machine *m, Virt *v, unsigned i, GError **err)
{
    const VirtSocket *s = &v->config.sockets[i];
    uint64_t group = (uint64_t)i << VIRT_IMSIC_GROUP_SHIFT;

    return virt_place_socket(m, s, "riscv.imsic", "mmode=on", virt_map[VIRT_IMSIC_M].base + group,
                             err) &&
           virt_place_socket(m, s, "riscv.imsic", NULL, virt_map[VIRT_IMSIC_S].base + group, err);
}

static bool build_aplics(Machine *m, Virt *v, unsigned i, GError **err)
{
    const VirtSocket *s = &v->config.sockets[i];
    uint64_t at = (uint64_t)i * VIRT_APLIC_STRIDE;
    g_autofree char *s_level =
        g_strdup_printf("num-irqs=%u,msimode=%s", VIRT_N_SOURCES,
                        v->config.aia == VIRT_AIA_APLIC_IMSIC ? "on" : "off");
    g_autofree char *m_level = g_strdup_printf("%s,mmode=on", s_level);
    Device *child =
        virt_place_socket(m, s, "riscv.aplic", s_level, virt_map[VIRT_APLIC_S].base + at, err);

    v->irqchip[i] = child ? virt_place_socket(m, s, "riscv.aplic", m_level,
                                              virt_map[VIRT_APLIC_M].base + at, err)
                          : NULL;
    if (v->irqchip[i])
        aplic_set_child(v->irqchip[i], child);
    return v->irqchip[i];
}

static bool build_irqchip(Machine *m, Virt *v, unsigned i, GError **err)
{
    switch (v->config.aia) {
    case VIRT_AIA_NONE:
        return build_plic(m, v, i, err);
    case VIRT_AIA_APLIC:
        return build_aplics(m, v, i, err);
    case VIRT_AIA_APLIC_IMSIC:
        break;
    }
    return build_imsics(m, v, i, err) && build_aplics(m, v, i, err);
}

static bool build_sockets(Machine *m, Virt *v, GError **err)
{
    for (unsigned i = 0; i < v->config.n_sockets; i++) {
        if (!build_timers(m, v, i, err) || !build_irqchip(m, v, i, err))
            return false;
    }
    return true;
}

unsigned virt_virtio_socket(const VirtConfig *c)
{
    return MIN(1, c->n_sockets - 1);
}

unsigned virt_pci_socket(const VirtConfig *c)
{
    return MIN(2, c->n_sockets - 1);
}

/* --- devices --- */

static Device *virt_wired_irq_to(Machine *m, Device *irqchip, const char *type,
                                 const char *settings, uint64_t addr, unsigned irq, GError **err)
{
    Device *dev = virt_place_device(m, type, settings, addr, err);

    if (dev)
        sysdev_connect(dev, 0, device_irq_in(irqchip, irq));
    return dev;
}

static Device *virt_wired_irq(Machine *m, Virt *v, const char *type, const char *settings,
                              uint64_t addr, unsigned irq, GError **err)
{
    return virt_wired_irq_to(m, v->irqchip[0], type, settings, addr, irq, err);
}

/* The host bridge; its function 00:00.0 is an implicit device of the description. */
static bool build_pci(Machine *m, Virt *v, GError **err)
{
    const VirtMap *pio = &virt_map[VIRT_PCIE_PIO], *mmio = &virt_map[VIRT_PCIE_MMIO];
    g_autofree char *settings = g_strdup_printf(
        "ecam-base=%" G_GUINT64_FORMAT ",ecam-size=%" G_GUINT64_FORMAT
        ",pio-base=%" G_GUINT64_FORMAT ",pio-size=%" G_GUINT64_FORMAT
        ",below-4g-mmio-base=%" G_GUINT64_FORMAT ",below-4g-mmio-size=%" G_GUINT64_FORMAT
        ",above-4g-mmio-base=%" G_GUINT64_FORMAT ",above-4g-mmio-size=%" G_GUINT64_FORMAT,
        virt_map[VIRT_PCIE_ECAM].base, virt_map[VIRT_PCIE_ECAM].size, pio->base, pio->size,
        mmio->base, mmio->size, virt_mmio64_base(&v->config), (uint64_t)VIRT_PCIE_MMIO64_SIZE);
    Device *irqchip = v->irqchip[virt_pci_socket(&v->config)];

    v->pci_host = virt_create_device(m, "gpex-pcihost", settings, err);
    for (unsigned i = 0; v->pci_host && i < 4; i++)
        sysdev_connect(v->pci_host, i, device_irq_in(irqchip, VIRT_IRQ_PCIE + i));
    return v->pci_host;
}

static bool virt_build_slots(Machine *m, Virt *v, GError **err)
{
    for (unsigned i = 0; i < VIRT_N_VIRTIO; i++) {
        g_autofree char *bus = g_strdup_printf(VIRT_MMIO_BUS "%u", i);
        Device *slot = virt_wired_irq_to(
            m, v->irqchip[virt_virtio_socket(&v->config)], "virtio-mmio", NULL,
            virt_map[VIRT_VIRTIO].base + i * virt_map[VIRT_VIRTIO].size, VIRT_IRQ_VIRTIO + i, err);

        if (!slot || (v->config.mmio_buses && !virtio_mmio_slot_add_bus(slot, bus, err)))
            return false;
    }
    return true;
}

static bool virt_build_flash(Machine *m, Virt *v, GError **err)
{
    for (unsigned i = 0; i < VIRT_N_FLASH; i++) {
        g_autofree char *prop = g_strdup_printf("pflash%u", i);
        const PlanValue *drive = plan_machine_get(v->plan, prop);
        bool given = drive && drive->s;
        g_autofree char *settings = g_strdup_printf("name=virt.flash%u%s%s", i,
                                                    given ? ",drive=" : "", given ? drive->s : "");

        if (given && !v->config.boot_devices)
            return error_set(err, ERROR_USER,
                             "%s=%s: machine %s has no flash memory (x-boot-devices)", prop,
                             drive->s, m->type_name);
        if (!v->config.boot_devices)
            continue;
        v->flash[i] = virt_create_device(m, PFLASH_TYPE, settings, err);
        if (!v->flash[i])
            return false;
        pflash_map(v->flash[i], virt_map[VIRT_FLASH].base + i * PFLASH_SIZE);
    }
    return true;
}

/* Set the UUID of the machine: 16 bytes in the order of its text. */
static void virt_set_uuid(Virt *v)
{
    uint8_t bytes[16] = { 0 };
    unsigned n = 0;

    for (const char *p = v->plan->uuid ? v->plan->uuid : ""; *p && n < 32; p++) {
        if (g_ascii_isxdigit(*p)) {
            bytes[n / 2] |= (uint8_t)(g_ascii_xdigit_value(*p) << (n % 2 ? 0 : 4));
            n++;
        }
    }
    fw_cfg_set(v->fw_cfg, FW_CFG_UUID, bytes, sizeof(bytes));
}

static bool virt_build_fw_cfg(Machine *m, Virt *v, GError **err)
{
    if (!fw_cfg_boot_files_new(m, err))
        return false;
    if (!v->config.boot_devices)
        return !fw_cfg_files(m) ||
               error_set(err, ERROR_USER,
                         "-fw_cfg, -boot: machine %s has no fw_cfg (x-boot-devices)", m->type_name);
    v->fw_cfg = virt_place_device(m, FW_CFG_TYPE, NULL, virt_map[VIRT_FW_CFG].base, err);
    if (!v->fw_cfg)
        return false;
    virt_set_uuid(v);
    fw_cfg_set_number(v->fw_cfg, FW_CFG_RAM_SIZE, v->config.ram_size, 8);
    fw_cfg_set_number(v->fw_cfg, FW_CFG_BOOT_MENU, m->boot_options && m->boot_options->menu, 2);
    fw_cfg_set_number(v->fw_cfg, FW_CFG_NB_CPUS, v->config.harts, 2);
    fw_cfg_set_number(v->fw_cfg, FW_CFG_MAX_CPUS, v->config.harts, 2);
    return true;
}

static bool virt_build_devices(Machine *m, Virt *v, GError **err)
{
    const char *serial = chardev_find(m, SERIAL0) ? "chardev=" SERIAL0 : NULL;

    if (!virt_build_slots(m, v, err) || !virt_build_flash(m, v, err) ||
        !virt_build_fw_cfg(m, v, err))
        return false;
    v->rtc = virt_wired_irq(m, v, "goldfish_rtc", NULL, virt_map[VIRT_RTC].base, VIRT_IRQ_RTC, err);
    if (v->config.boot_devices && !virt_wired_irq(m, v, "sifive_soc.gpio", NULL,
                                                  virt_map[VIRT_GPIO].base, VIRT_IRQ_GPIO, err))
        return false;
    return v->rtc &&
           virt_place_device(m, "riscv.sifive.test", NULL, virt_map[VIRT_TEST].base, err) &&
           virt_wired_irq(m, v, "serial-mm", serial, virt_map[VIRT_UART].base, VIRT_IRQ_UART, err);
}

/* --- the board --- */

static const PlanValue *setting(const PlanMachine *plan, const char *name)
{
    for (guint i = 0; i < plan->settings->len; i++) {
        PlanSetting *s = g_ptr_array_index(plan->settings, i);

        if (g_str_equal(s->name, name))
            return &s->value;
    }
    return NULL;
}

void virt_set_one_socket(VirtConfig *c)
{
    c->numa = false;
    c->n_sockets = 1;
    c->sockets[0] = (VirtSocket){ .harts = c->harts,
                                  .ram_base = virt_map[VIRT_DRAM].base,
                                  .ram_size = c->ram_size };
}

/* The NUMA nodes are the sockets. Without nodes, the machine has one. */
static void virt_read_sockets(const PlanMachine *plan, VirtConfig *c)
{
    uint64_t at = virt_map[VIRT_DRAM].base;
    unsigned first = 0;

    virt_set_one_socket(c);
    c->numa = plan->n_nodes > 0;
    c->n_sockets = MAX(plan->n_nodes, 1);
    for (unsigned i = 0; i < plan->n_nodes; i++) {
        const PlanNode *n = &plan->nodes[i];

        c->sockets[i] = (VirtSocket){
            .first = first, .harts = n->cpus, .ram_base = at, .ram_size = n->ram_size
        };
        memcpy(c->sockets[i].distance, n->distance, sizeof(n->distance));
        first += n->cpus;
        at += n->ram_size;
    }
}

/* Store the NUMA nodes of extra PCI roots. */
static void virt_read_root_nodes(const PlanMachine *plan, VirtConfig *c)
{
    for (guint i = 0; i < plan->devices->len; i++) {
        const PlanDevice *d = g_ptr_array_index(plan->devices, i);
        bool root = d->t->role == PLAN_PCI_EXTRA_ROOT;
        const PlanValue *node = root ? plan_device_get(d, "numa_node") : NULL;
        const PlanValue *number = root ? plan_device_get(d, "bus_nr") : NULL;

        if (node && number && node->u < plan->n_nodes)
            c->root_node[(uint8_t)number->u] = (uint8_t)(node->u + 1);
    }
}

static void read_config(const PlanMachine *plan, VirtConfig *c)
{
    const PlanValue *aia = setting(plan, "aia"), *aclint = setting(plan, "aclint");
    const PlanValue *boot_devices = setting(plan, "x-boot-devices");

    *c = (VirtConfig){
        .aia = aia ? (VirtAia)aia->u : VIRT_AIA_NONE,
        .aclint = aclint && aclint->b,
        .harts = MAX(plan->cpus, 1),
        .ram_size = plan->ram_size,
        .boot_devices = boot_devices && boot_devices->b,
    };
    virt_read_sockets(plan, c);
    virt_read_root_nodes(plan, c);
}

static bool virt_build(Machine *m, const PlanMachine *plan, GError **err)
{
    Virt *v = g_new0(Virt, 1);
    bool built;

    v->board.machine = m;
    m->board = &v->board;
    m->has_guest = true;
    v->plan = plan;
    read_config(plan, &v->config);
    v->config.mmio_buses = m->board_type && m->board_type->plan.n_mmio_buses;
    g_assert(v->config.harts <= VIRT_MAX_HARTS);
    built = build_memory(m, v, plan, err) && build_cpus(m, v, plan, err) &&
            build_sockets(m, v, err) && build_pci(m, v, err) && virt_build_devices(m, v, err);
    v->plan = NULL;
    return built;
}

void virt_reset_harts(Virt *v)
{
    GPtrArray *cpus = v->board.machine->cpus;

    for (guint i = 0; i < cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(cpus, i);

        cpu_log_reset(cpu);
        cpu->type->reset(cpu, v->starts_elsewhere[i] ? v->start_pc[i] : virt_map[VIRT_MROM].base);
    }
}

/* Load memory as at power-on, and set the harts to the reset vector. */
static void virt_reset(Machine *m)
{
    Virt *v = (Virt *)m->board;
    g_autoptr(GError) err = NULL;

    virt_restore_boot_rom(v);
    if (v->fw_cfg && !virt_set_bootorder(v, &err)) {
        message("backplane: reset: %s", err->message);
        g_clear_error(&err);
    }
    if (!load_list_replay(v->loads, &err))
        message("backplane: reset: %s", err->message);
    virt_reset_harts(v);
}

static void virt_free(Machine *m)
{
    Virt *v = (Virt *)m->board;

    if (!v)
        return;
    mem_fini(&v->ram_region);
    mem_fini(&v->rom_region);
    load_list_free(v->loads);
    g_free(v);
    m->board = NULL;
}

static const char *const aia_choices[] = { "none", "aplic", "aplic-imsic", NULL };

static const PlanProp virt_props[] = {
    { .name = "aia",
      .kind = PLAN_PROP_ENUM,
      .def = VIRT_AIA_NONE, /* compat.c: aplic-imsic on virt-0.1 */
      .choices = aia_choices,
      .doc = "interrupt controller: PLIC, APLIC, or APLIC with IMSIC (which receives messages)" },
    { .name = "aclint",
      .kind = PLAN_PROP_BOOL,
      .def = false,
      .doc = "ACLINT devices in place of the SiFive CLINT" },
    { .name = "memory-backend",
      .kind = PLAN_PROP_BACKEND,
      .flags = PLAN_PROP_HOST,
      .backend = "memory",
      .doc = "id of the -object that RAM comes from" },
    { .name = "x-boot-devices",
      .kind = PLAN_PROP_BOOL,
      .def = true, /* compat.c: off on virt-0.2 */
      .doc = "flash memory, fw_cfg and the power button; as virt-0.2: off" },
    { .name = "pflash0",
      .kind = PLAN_PROP_BACKEND,
      .flags = PLAN_PROP_HOST,
      .backend = "block",
      .doc = "drive or block node of the first flash bank: firmware" },
    { .name = "pflash1",
      .kind = PLAN_PROP_BACKEND,
      .flags = PLAN_PROP_HOST,
      .backend = "block",
      .doc = "drive or block node of the second flash bank: variables" },
    { .name = "dumpdtb",
      .kind = PLAN_PROP_STRING,
      .flags = PLAN_PROP_HOST,
      .doc = "write the device tree to this file and exit" },
};

static const char *const virt_implicit[] = { "gpex-root,addr=00.0", NULL };

/* Description of all versions of the machine, which differ only by the rows of compat.c. */
/* clang-format off */
#define VIRT_PLAN                                                                                 \
    .default_cpu = "rv64", .default_ram_id = "riscv_virt_board.ram", .max_cpus = VIRT_MAX_HARTS,                \
    .default_ram = 128ull << 20, .props = virt_props, .n_props = G_N_ELEMENTS(virt_props),         \
    .root_bus = "pcie.0", .root_kind = PLAN_BUS_PCIE_ROOT, .implicit = virt_implicit,              \
    .max_nodes = VIRT_MAX_SOCKETS, .window = { VIRT_PCIE_PIO_SIZE, VIRT_PCIE_MMIO_SIZE, VIRT_PCIE_MMIO64_SIZE },                  \
    .msi_per_cpu = VIRT_IMSIC_IDS, .msi_if = "aia=aplic-imsic"
#define VIRT_OPS                                                                                  \
    .build = virt_build, .boot = virt_boot, .default_firmware = virt_default_firmware,             \
    .cpu_features = virt_cpu_features, .reset = virt_reset, .free = virt_free
/* clang-format on */

const BoardType virt_board = {
    .plan = {
        .name = "virt-0.3",
        .alias = "virt",
        .doc = "RISC-V machine with a PCI Express root complex",
        .is_default = true,
        .mmio_bus = VIRT_MMIO_BUS,
        .n_mmio_buses = VIRT_N_VIRTIO,
        VIRT_PLAN,
    },
    VIRT_OPS,
};

const BoardType virt_0_2_board = {
    .plan = {
        .name = "virt-0.2",
        .doc = "RISC-V machine with a PCI Express root complex",
        .newer = "virt-0.3",
        .mmio_bus = VIRT_MMIO_BUS,
        .n_mmio_buses = VIRT_N_VIRTIO,
        VIRT_PLAN,
    },
    VIRT_OPS,
};

const BoardType virt_0_1_board = {
    .plan = {
        .name = "virt-0.1",
        .doc = "RISC-V machine with a PCI Express root complex",
        .newer = "virt-0.2",
        VIRT_PLAN,
    },
    VIRT_OPS,
};
