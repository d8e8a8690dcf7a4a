/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images loaded into guest RAM: firmware, kernel, initrd, device tree.
 *
 * Each loaded piece is remembered, so that a reset puts the machine's RAM back to what it was at
 * power-on: pieces that come from files keep the file open and are read again, which costs no
 * memory and survives the file's replacement by a package upgrade. Machine lock.
 */
#ifndef HW_RISCV_LOADER_H
#define HW_RISCV_LOADER_H

#include "hw/core/boot_image.h"
#include "hw/core/machine.h"

/* Where guest RAM stands, for range checks and copies. */
typedef struct LoadRam {
    RamBlock *ram;
    uint64_t base;
} LoadRam;

typedef struct LoadList LoadList; /* the remembered pieces */
LoadList *load_list_new(LoadRam ram);
/* From now on remember pieces for replays only, without writing them (RAM comes by a stream). */
void load_list_only_remember(LoadList *l);
/* Forget every piece. */
void load_list_clear(LoadList *l);
void load_list_free(LoadList *l);
/* Write every piece again. A file that cannot be read any more is reported through err; the
 * other pieces are written all the same. */
bool load_list_replay(LoadList *l, GError **err);

/* What an image occupies once loaded, and where to enter it. */
typedef struct LoadedImage {
    uint64_t start, end; /* end includes memory that the image wants zeroed (bss) */
    uint64_t entry;
} LoadedImage;

/* Load a kernel or firmware. Accepted: ELF64 for RISC-V (segments at their physical addresses), for
 * a kernel a Linux Image (at RAM base + text_offset, moved up to a multiple of 2 MiB above
 * `floor`), anything else as raw bytes at `floor`. Everything must lie in [floor, limit), which ELF
 * may extend down to RAM's base; otherwise one sentence names the image, its need and the limit. */
bool load_image(LoadList *l, BootRole role, const BootImage *image, uint64_t floor, uint64_t limit,
                LoadedImage *out, GError **err);
/* The whole image at an address that the caller chose. */
bool load_image_at(LoadList *l, BootRole role, const BootImage *image, uint64_t addr,
                   uint64_t limit, LoadedImage *out, GError **err);
/* Bytes of our own; takes a copy. In range by contract. */
void load_bytes(LoadList *l, const void *data, uint64_t len, uint64_t addr);

#endif
