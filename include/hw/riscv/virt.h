/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `virt` board: its memory map, its options and its device tree.
 *
 * The map, the node names and the properties are those of QEMU's `virt`, so that firmware and test
 * programs for that machine run unchanged. docs/ lists the differences.
 */
#ifndef HW_RISCV_VIRT_H
#define HW_RISCV_VIRT_H

#include "hw/core/board.h"
#include "hw/intc/cpu_input.h"
#include "hw/riscv/loader.h"

typedef enum VirtRegion {
    VIRT_MROM,
    VIRT_TEST,
    VIRT_RTC,
    VIRT_CLINT,
    VIRT_ACLINT_SSWI,
    VIRT_PCIE_PIO,
    VIRT_PLATFORM_BUS,
    VIRT_PLIC,
    VIRT_APLIC_M,
    VIRT_APLIC_S,
    VIRT_UART,
    VIRT_VIRTIO,
    VIRT_GPIO,
    VIRT_FW_CFG,
    VIRT_FLASH,
    VIRT_IMSIC_M,
    VIRT_IMSIC_S,
    VIRT_PCIE_ECAM,
    VIRT_PCIE_MMIO,
    VIRT_DRAM,
    VIRT_REGIONS
} VirtRegion;

typedef struct VirtMap {
    uint64_t base, size;
} VirtMap;
extern const VirtMap virt_map[VIRT_REGIONS];

/* Interrupt controller inputs */
enum {
    VIRT_IRQ_VIRTIO = 1,
    VIRT_IRQ_UART = 10,
    VIRT_IRQ_RTC = 11,
    VIRT_IRQ_GPIO = 12,
    VIRT_IRQ_PCIE = 32
};
enum {
    VIRT_N_VIRTIO = 8,
    VIRT_N_FLASH = 2,
    VIRT_N_SOURCES = 96,
    VIRT_MAX_HARTS = CPU_INPUT_MAX_HARTS,
    VIRT_MAX_SOCKETS = PLAN_NODES_MAX,
    VIRT_MAX_ROOTS = 32, /* extra PCI roots that the device tree can name */
    VIRT_IMSIC_IDS = 255,
    VIRT_TIMEBASE = 10000000,
    VIRT_UART_CLOCK = 3686400,
};
#define VIRT_PCIE_PIO_SIZE    0x10000ull
#define VIRT_PCIE_MMIO_SIZE   0x40000000ull
#define VIRT_PCIE_MMIO64_SIZE 0x400000000ull

enum { VIRT_BOOT_ROM_SIZE = 88 }; /* code and data of the reset vector */

typedef enum VirtAia { VIRT_AIA_NONE, VIRT_AIA_APLIC, VIRT_AIA_APLIC_IMSIC } VirtAia;

/* A socket: harts with interrupt controllers and timers of their own, and RAM. */
typedef struct VirtSocket {
    unsigned first, harts;
    uint64_t ram_base, ram_size;        /* part of RAM: address and size */
    uint8_t distance[VIRT_MAX_SOCKETS]; /* to each socket; all 0: not described */
} VirtSocket;

/* The controllers of socket i are at the base of their region plus i times this distance. */
#define VIRT_CLINT_STRIDE  0x10000u
#define VIRT_MTIMER_STRIDE 0x8000u /* with IMSICs, the only ACLINT device is a timer */
#define VIRT_SSWI_STRIDE   0x4000u
#define VIRT_PLIC_STRIDE   0x600000u
#define VIRT_APLIC_STRIDE  0x8000u
enum { VIRT_IMSIC_GROUP_SHIFT = 24 };

/* Configuration of a board. */
typedef struct VirtConfig {
    VirtAia aia;
    bool aclint;
    unsigned harts;
    uint64_t ram_size;
    uint8_t roots[VIRT_MAX_ROOTS]; /* numbers of extra PCI roots, ascending */
    unsigned n_roots;
    bool mmio_buses;   /* virtio-mmio slots accept devices */
    bool boot_devices; /* flash memory, fw_cfg and GPIO (x-boot-devices) */
    VirtSocket sockets[VIRT_MAX_SOCKETS];
    unsigned n_sockets;     /* at least 1 */
    bool numa;              /* the sockets are NUMA nodes */
    uint8_t root_node[256]; /* NUMA node of extra PCI root N, plus 1; 0: none */
} VirtConfig;

/* Set the sockets to one with all harts and all RAM, for a machine without NUMA nodes. */
void virt_set_one_socket(VirtConfig *c);
/* Return the sockets of the controllers for the wires of virtio-mmio slots and of PCI, as QEMU
 * distributes them. Other devices use the controller of socket 0. */
unsigned virt_virtio_socket(const VirtConfig *c);
unsigned virt_pci_socket(const VirtConfig *c);

/* Return the start of the 64-bit PCI window, which is above RAM and aligned to its size. */
uint64_t virt_mmio64_base(const VirtConfig *c);

/* Return the device tree of a board without the properties that booting adds, as a blob with at
 * least `room` bytes of free space. The caller frees it with g_free(). fdt_props() of each Cpu is
 * called; `cpus` may be longer than c->harts. */
void *virt_fdt_build(const VirtConfig *c, GPtrArray *cpus, size_t room);

typedef struct VirtFdtBoot {
    const char *append;                /* NULL: none */
    uint64_t initrd_start, initrd_end; /* equal: none */
    const uint8_t *seed;               /* 32 bytes, or NULL */
} VirtFdtBoot;
/* Set the properties of /chosen. Return false with @err set if the blob (of -dtb) has no room or is
 * malformed. */
bool virt_fdt_set_boot(void *fdt, const VirtFdtBoot *boot, GError **err);
/* Return a checked copy of the blob of -dtb with @room bytes of free space, for g_free(); NULL with
 * @err set if it is malformed. */
void *virt_fdt_load(const BootImage *image, size_t room, GError **err);

/* The structure of the board (Machine.board). */
typedef struct Virt {
    Board board;
    VirtConfig config;
    const PlanMachine *plan; /* while the board is being built; NULL later */
    RamBlock *ram, *rom;
    MemRegion ram_region, rom_region;
    LoadList *loads;
    Device *irqchip[VIRT_MAX_SOCKETS]; /* the controllers for wired interrupts */
    Device *pci_host, *rtc;
    Device *flash[VIRT_N_FLASH], *fw_cfg; /* NULL: the machine has none */
    uint8_t boot_rom[VIRT_BOOT_ROM_SIZE]; /* content of rom after a reset, once booted is true */
    bool booted;
    bool starts_elsewhere[VIRT_MAX_HARTS]; /* hart n starts at start_pc[n], not in the boot ROM */
    uint64_t start_pc[VIRT_MAX_HARTS];
} Virt;

/* Load firmware, kernel, initrd, device tree and boot ROM, as BoardType.boot. */
bool virt_boot(Machine *m, const BoardBoot *boot, GError **err);
/* Return the path of the first firmware that the host has, or NULL with @err set. */
const char *virt_default_firmware(GError **err);
/* Write the file "bootorder" of fw_cfg, for the devices that the machine has now. Return false with
 * @err set if two devices have the same bootindex. */
bool virt_set_bootorder(Virt *v, GError **err);
/* Write the boot ROM again, as virt_boot() did. */
void virt_restore_boot_rom(Virt *v);
/* Reset the harts; they start in the boot ROM or where a loader device lets them start. */
void virt_reset_harts(Virt *v);

/* The newest version of `virt`, and older ones. */
extern const BoardType virt_board, virt_0_2_board, virt_0_1_board, none_board;

#endif
