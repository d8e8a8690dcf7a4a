/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images loaded into guest RAM: firmware, kernel, initrd, device tree.
 *
 * Each loaded piece is recorded, so that a reset restores its part of RAM. A piece of a file keeps
 * the file open and reads it again: this needs no memory, and a package upgrade that replaces the
 * file has no effect. The caller of each function holds the machine lock.
 */
#ifndef HW_RISCV_LOADER_H
#define HW_RISCV_LOADER_H

#include "hw/core/boot_image.h"
#include "hw/core/machine.h"

/* Guest RAM and its address. */
typedef struct LoadRam {
    RamBlock *ram;
    uint64_t base;
} LoadRam;

typedef struct LoadList LoadList; /* the recorded pieces */
/* Return an empty list; freed by load_list_free(). */
LoadList *load_list_new(LoadRam ram);
/* Record all further pieces without writing them to RAM, because a stream provides RAM. */
void load_list_only_remember(LoadList *l);
/* Remove each piece from the list, and close its file. */
void load_list_clear(LoadList *l);
/* Free the list. NULL is accepted. */
void load_list_free(LoadList *l);
/* Write each piece to RAM again. Return false with @err set if a file cannot be read; the other
 * pieces are written. */
bool load_list_replay(LoadList *l, GError **err);

/* The memory that a loaded image occupies, and its entry point. */
typedef struct LoadedImage {
    uint64_t start, end; /* end includes memory that the image requires to be zero (bss) */
    uint64_t entry;
} LoadedImage;

/* Load a kernel or firmware. Accepted: ELF64 for RISC-V (segments at their physical addresses), for
 * a kernel a Linux Image (at RAM base + text_offset, moved up to a multiple of 2 MiB above
 * `floor`), and any other file as raw bytes at `floor`. The image must be in [floor, limit); an ELF
 * file may also use the RAM below `floor`. Return true with *out set; or false with @err set to a
 * message with the image, its size and the limit. */
bool load_image(LoadList *l, BootRole role, const BootImage *image, uint64_t floor, uint64_t limit,
                LoadedImage *out, GError **err);
/* Load all bytes of an image at @addr, with the results of load_image(). */
bool load_image_at(LoadList *l, BootRole role, const BootImage *image, uint64_t addr,
                   uint64_t limit, LoadedImage *out, GError **err);
/* Load the image of a loader device: an ELF file at its addresses, unless @raw; any other file at
 * @addr. It may be anywhere in RAM, but not overlap a piece that was loaded before. Results as for
 * load_image(). */
bool load_extra(LoadList *l, BootRole role, const BootImage *image, uint64_t addr, bool raw,
                LoadedImage *out, GError **err);
/* Return whether all of [addr, addr + len) is in RAM. */
bool load_in_ram(const LoadList *l, uint64_t addr, uint64_t len);
/* Write and record a copy of @len bytes. The range must be inside RAM. */
void load_bytes(LoadList *l, const void *data, uint64_t len, uint64_t addr);

#endif
