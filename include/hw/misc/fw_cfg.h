/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: items of data that firmware and drivers read, by number or, for files, by name. A guest
 * selects an item and reads it from a data register, or by DMA.
 *
 * References: the fw_cfg specification in QEMU's documentation; Linux, driver qemu_fw_cfg;
 * Devicetree binding qemu,fw-cfg-mmio.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_MISC_FW_CFG_H
#define HW_MISC_FW_CFG_H

#include "hw/core/boot_image.h"
#include "hw/core/sysdev.h"

#define FW_CFG_TYPE      "fw_cfg_mem"
#define FW_CFG_MMIO_SIZE 0x18

/* Numbers of items */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
};
enum { FW_CFG_FILES = 128, FW_CFG_NAME_MAX = 55 }; /* of a machine; bytes of a name */
#define FW_CFG_BOOTORDER "bootorder"

/* Set the contents of an item, which are copied. */
void fw_cfg_set(Device *dev, uint16_t key, const void *data, size_t len);
/* Set an item to a little-endian number of 2, 4 or 8 bytes. */
void fw_cfg_set_number(Device *dev, uint16_t key, uint64_t value, unsigned size);
/* Set an item to the contents of an image, which is borrowed and is read when the guest reads the
 * item; NULL: the item is empty. */
void fw_cfg_set_image(Device *dev, uint16_t key, const BootImage *image);
/* Set the contents of the file "bootorder", which names the boot devices. */
void fw_cfg_set_bootorder(Device *dev, const void *data, size_t len);

/* --- files of -fw_cfg, which exist before the device --- */

/**
 * fw_cfg_file_new() - Add a file of -fw_cfg.
 * @name:   1 to FW_CFG_NAME_MAX bytes
 * @path:   file of the host with the contents, or NULL
 * @string: the contents, or NULL
 *
 * Exactly one of @path and @string is given.
 *
 * Return: false with an error that names the file if the name is too long or exists already, the
 * file cannot be read, or there are too many files.
 */
bool fw_cfg_file_new(Machine *m, const char *name, const char *path, const char *string,
                     GError **err);

/* Settings of -boot that firmware reads from fw_cfg. The times are in milliseconds. */
typedef struct BootOptions {
    bool menu, strict;       /* show the boot menu; boot only from devices with bootindex= */
    uint64_t splash_time;    /* how long the firmware waits for a key, with @menu */
    uint64_t reboot_timeout; /* after a boot without success; UINT64_MAX: no reboot */
} BootOptions;
enum { BOOT_TIME_MAX = 65535, BOOT_TIME_ABSENT = 65536 }; /* the limit of both; not given */

/**
 * fw_cfg_boot_files_new() - Add the files "etc/boot-menu-wait" and "etc/boot-fail-wait", each if
 * Machine.boot_options contains its time.
 *
 * Return: false with an error that names the file if it exists already.
 */
bool fw_cfg_boot_files_new(Machine *m, GError **err);
/* Free all files of a machine. */
void fw_cfg_files_free(Machine *m);

/* A file of -fw_cfg. */
typedef struct FwCfgFile {
    char *name;
    uint8_t *data;
    size_t len;
} FwCfgFile;
/* Return the files of a machine (FwCfgFile *), sorted by name; NULL: none. Owned by the machine. */
const GPtrArray *fw_cfg_files(const Machine *m);

#endif
