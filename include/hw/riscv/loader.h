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
void load_list_free(LoadList *l);
/* Write every piece again. A file that cannot be read any more is reported through err; the
 * other pieces are written all the same. */
bool load_list_replay(LoadList *l, GError **err);

/* What an image occupies once loaded, and where to enter it. */
typedef struct LoadedImage {
    uint64_t start, end; /* end includes memory that the image wants zeroed (bss) */
    uint64_t entry;
} LoadedImage;

/* Load a kernel or firmware; `what` ("kernel", "firmware") starts the sentences. Accepted: ELF64
 * for RISC-V (segments at their physical addresses), a Linux Image (at RAM base + text_offset,
 * moved up to a multiple of 2 MiB above `floor`), anything else as raw bytes at `floor`.
 * Everything must lie in [floor, limit), which ELF may extend down to RAM's base; otherwise one
 * sentence names the file, its need and the limit. `linux_image` false takes only ELF and raw. */
bool load_image(LoadList *l, const char *what, const char *path, uint64_t floor, uint64_t limit,
                bool linux_image, LoadedImage *out, GError **err);
/* A whole file at an address that the caller chose; file_size() first. */
bool load_file_at(LoadList *l, const char *what, const char *path, uint64_t addr, uint64_t limit,
                  LoadedImage *out, GError **err);
/* Bytes of our own; takes a copy. In range by contract. */
void load_bytes(LoadList *l, const void *data, uint64_t len, uint64_t addr);
/* Size of a regular file; a sentence if it is none. */
bool load_file_size(const char *what, const char *path, uint64_t *size, GError **err);
/* The whole content of a file of at most `max` bytes; g_free. */
uint8_t *load_file_bytes(const char *what, const char *path, uint64_t max, uint64_t *len,
                         GError **err);

#endif
