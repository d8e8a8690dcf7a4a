/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading images into guest RAM.
 *
 * References: Linux Documentation/arch/riscv/boot-image-header.rst; System V ABI (ELF64).
 * Files are read with pread() directly into guest memory. No value in a file is trusted: every
 * range is checked against the size of the file and of the RAM before it is used.
 */
#include "hw/riscv/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/error.h"

#define IMAGE_HEADER_SIZE 64
#define IMAGE_ALIGN       (2u << 20)
#define MAX_SEGMENTS      128

typedef struct LoadPiece {
    int fd; /* -1: bytes */
    GBytes *bytes;
    uint64_t at;     /* in the file */
    uint64_t len;    /* bytes to copy */
    uint64_t zero;   /* bytes to clear after them */
    uint64_t offset; /* in the RAM block */
    char *label;     /* "kernel '/boot/Image'" */
} LoadPiece;

struct LoadList {
    LoadRam ram;
    GArray *pieces;
    bool only_remember;
};

typedef struct ImageFile {
    LoadList *l;
    const char *label; /* "kernel '/boot/Image'" */
    int fd;
    uint64_t size, floor, limit;
    guint apart; /* must not overlap the first `apart` pieces of the list */
} ImageFile;

LoadList *load_list_new(LoadRam ram)
{
    LoadList *l = g_new0(LoadList, 1);

    l->ram = ram;
    l->pieces = g_array_new(FALSE, TRUE, sizeof(LoadPiece));
    return l;
}

void load_list_only_remember(LoadList *l)
{
    l->only_remember = true;
}

void load_list_clear(LoadList *l)
{
    for (guint i = 0; i < l->pieces->len; i++) {
        LoadPiece *p = &g_array_index(l->pieces, LoadPiece, i);

        if (p->fd >= 0)
            close(p->fd);
        g_clear_pointer(&p->bytes, g_bytes_unref);
        g_free(p->label);
    }
    g_array_set_size(l->pieces, 0);
}

void load_list_free(LoadList *l)
{
    if (!l)
        return;
    load_list_clear(l);
    g_array_free(l->pieces, TRUE);
    g_free(l);
}

static bool loader_read_exact(int fd, uint8_t *dst, uint64_t len, uint64_t at)
{
    while (len) {
        ssize_t n = pread(fd, dst, MIN(len, 1u << 30), at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        dst += n;
        at += n;
        len -= n;
    }
    return true;
}

static bool piece_write(LoadList *l, const LoadPiece *p, GError **err)
{
    uint8_t *dst = l->ram.ram->host + p->offset;
    bool ok = true;

    if (p->bytes)
        memcpy(dst, g_bytes_get_data(p->bytes, NULL), p->len);
    else
        ok = loader_read_exact(p->fd, dst, p->len, p->at);
    memset(dst + p->len, 0, p->zero);
    ram_written_any(l->ram.ram, p->offset, p->len + p->zero);
    if (!ok)
        error_set(err, ERROR_USER, "cannot read %" G_GUINT64_FORMAT " bytes of %s: %s", p->len,
                  p->label, errno ? g_strerror(errno) : "the file became shorter");
    return ok;
}

/* Record a piece and write it for the first time. */
static bool loader_add_piece(LoadList *l, const LoadPiece *p, GError **err)
{
    g_array_append_val(l->pieces, *p);
    errno = 0;
    return l->only_remember || piece_write(l, p, err);
}

bool load_list_replay(LoadList *l, GError **err)
{
    bool ok = true;

    for (guint i = 0; i < l->pieces->len; i++) {
        errno = 0;
        ok &= piece_write(l, &g_array_index(l->pieces, LoadPiece, i), ok ? err : NULL);
    }
    return ok;
}

bool load_in_ram(const LoadList *l, uint64_t addr, uint64_t len)
{
    uint64_t offset = addr - l->ram.base;

    return addr >= l->ram.base && offset <= l->ram.ram->size && len <= l->ram.ram->size - offset;
}

void load_bytes(LoadList *l, const void *data, uint64_t len, uint64_t addr)
{
    LoadPiece p = { .fd = -1, .len = len, .offset = addr - l->ram.base };

    g_assert(load_in_ram(l, addr, len));
    p.bytes = g_bytes_new(data, len);
    loader_add_piece(l, &p, NULL);
}

/* --- files --- */

/* Check that [addr, addr + len) is in [floor, limit). */
static bool check_fits(const ImageFile *f, uint64_t addr, uint64_t len, uint64_t floor,
                       GError **err)
{
    if (addr >= floor && addr <= f->limit && len <= f->limit - addr)
        return true;
    return error_set(
        err, ERROR_USER,
        "%s does not fit: it needs %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
        "x, and there is room from 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x (%s)",
        f->label, len, addr, floor, f->limit,
        addr < floor ? "it is linked for another machine: use a raw image, such as .bin"
                     : "-m gives more memory");
}

/* Check that a piece does not overlap earlier pieces. */
static bool loader_check_apart(const ImageFile *f, const LoadPiece *p, GError **err)
{
    for (guint i = 0; i < f->apart; i++) {
        const LoadPiece *q = &g_array_index(f->l->pieces, LoadPiece, i);

        if (p->offset < q->offset + q->len + q->zero && q->offset < p->offset + p->len + p->zero) {
            return error_set(err, ERROR_USER,
                             "%s occupies 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER
                             "x, where %s is located",
                             f->label, f->l->ram.base + p->offset,
                             f->l->ram.base + p->offset + p->len + p->zero,
                             q->label ? q->label : "the device tree");
        }
    }
    return true;
}

/* Check, load and record one range of the file, which is stored at [addr, addr + len + zero). */
static bool load_piece(ImageFile *f, uint64_t at, uint64_t len, uint64_t zero, uint64_t addr,
                       uint64_t floor, GError **err)
{
    LoadPiece p = { .at = at, .len = len, .zero = zero, .offset = addr - f->l->ram.base };

    if (at > f->size || len > f->size - at) {
        return error_set(err, ERROR_USER,
                         "%s is truncated: it names %" G_GUINT64_FORMAT
                         " bytes at %" G_GUINT64_FORMAT " and has %" G_GUINT64_FORMAT,
                         f->label, len, at, f->size);
    }
    if (!check_fits(f, addr, zero > UINT64_MAX - len ? UINT64_MAX : len + zero, floor, err) ||
        !loader_check_apart(f, &p, err))
        return false;
    p.fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (p.fd < 0) {
        return error_set(err, ERROR_USER, "%s: %s", f->label, g_strerror(errno));
    }
    p.label = g_strdup(f->label);
    return loader_add_piece(f->l, &p, err);
}

/* --- ELF64 --- */

static bool elf_header(ImageFile *f, Elf64_Ehdr *h, GError **err)
{
    const char *wrong = NULL;

    if (!loader_read_exact(f->fd, (uint8_t *)h, sizeof(*h), 0))
        wrong = "its header is truncated";
    else if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        wrong = "it is not 64-bit little-endian";
    else if (h->e_machine != EM_RISCV)
        wrong = "it is not for RISC-V";
    else if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > MAX_SEGMENTS)
        wrong = "its program headers are malformed";
    if (wrong)
        error_set(err, ERROR_USER, "%s is an ELF file that cannot be loaded: %s", f->label, wrong);
    return !wrong;
}

/* Skip the part of a segment that is below the start of RAM, unless all of it is. Linkers place the
 * headers one page below the first address of the program. */
static Elf64_Phdr elf_clip(const ImageFile *f, const Elf64_Phdr *p)
{
    Elf64_Phdr part = *p;
    uint64_t below = p->p_paddr < f->floor ? f->floor - p->p_paddr : 0;

    if (below > 0 && below < p->p_memsz) {
        part.p_paddr += below;
        part.p_vaddr += below;
        part.p_memsz -= below;
        part.p_offset += MIN(below, p->p_filesz);
        part.p_filesz -= MIN(below, p->p_filesz);
    }
    return part;
}

/* Return true if all of a segment is below the start of RAM, such as a segment of headers only. */
static bool elf_below(const ImageFile *f, const Elf64_Phdr *p)
{
    return p->p_memsz >= p->p_filesz && p->p_paddr < f->floor &&
           p->p_memsz <= f->floor - p->p_paddr;
}

static bool elf_segment(ImageFile *f, const Elf64_Phdr *p, uint64_t e_entry, LoadedImage *out,
                        GError **err)
{
    if (p->p_memsz < p->p_filesz) {
        return error_set(err, ERROR_USER,
                         "%s is an ELF file with a segment larger in the file than in memory",
                         f->label);
    }
    if (!load_piece(f, p->p_offset, p->p_filesz, p->p_memsz - p->p_filesz, p->p_paddr, f->floor,
                    err))
        return false;
    out->start = MIN(out->start, p->p_paddr);
    out->end = MAX(out->end, p->p_paddr + p->p_memsz);
    if (e_entry - p->p_vaddr < p->p_memsz) /* virtual address: use the load address */
        out->entry = p->p_paddr + (e_entry - p->p_vaddr);
    return true;
}

static bool load_elf(ImageFile *f, LoadedImage *out, GError **err)
{
    Elf64_Ehdr h;
    Elf64_Phdr p, skipped;

    if (!elf_header(f, &h, err))
        return false;
    *out = (LoadedImage){ UINT64_MAX, 0, h.e_entry };
    skipped = (Elf64_Phdr){ .p_type = PT_NULL };
    for (unsigned i = 0; i < h.e_phnum; i++) {
        uint64_t at = h.e_phoff + i * sizeof(p);

        if (at < h.e_phoff || at > f->size || f->size - at < sizeof(p) ||
            !loader_read_exact(f->fd, (uint8_t *)&p, sizeof(p), at)) {
            return error_set(err, ERROR_USER, "%s is truncated: program header %u is missing",
                             f->label, i);
        }
        if (p.p_type == PT_LOAD && p.p_memsz) {
            Elf64_Phdr part = p.p_memsz < p.p_filesz ? p : elf_clip(f, &p);

            if (elf_below(f, &part)) {
                skipped = part;
                continue;
            }
            if (!elf_segment(f, &part, h.e_entry, out, err))
                return false;
        }
    }
    if (out->end)
        return true;
    if (skipped.p_type == PT_LOAD)
        return elf_segment(f, &skipped, h.e_entry, out, err); /* reports that it does not fit */
    return error_set(err, ERROR_USER, "%s is an ELF file without anything to load", f->label);
}

/* --- Linux Image --- */

static uint32_t loader_get_le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Check the length of an Image with an EFI stub. It is also a PE file, and the section table
 * contains the length of the file (PE format, 4 "Section Table"). The size in the Image header is
 * that in memory. */
static bool check_pe(ImageFile *f, const uint8_t *header, GError **err)
{
    enum { COFF = 24, SECTION = 40, MAX_SECTIONS = 32 };
    uint8_t coff[COFF], section[SECTION];
    uint64_t at = loader_get_le32(header + 0x3c);
    bool whole = true;

    if (memcmp(header, "MZ", 2) != 0)
        return true;
    whole = loader_read_exact(f->fd, coff, COFF, at) && memcmp(coff, "PE\0\0", 4) == 0;
    for (unsigned i = 0; whole && i < MIN((unsigned)(coff[6] | coff[7] << 8), MAX_SECTIONS); i++) {
        uint64_t row = at + COFF + (coff[20] | coff[21] << 8) + i * SECTION;

        whole = loader_read_exact(f->fd, section, SECTION, row) &&
                (uint64_t)loader_get_le32(section + 16) + loader_get_le32(section + 20) <= f->size;
    }
    if (!whole)
        error_set(err, ERROR_USER,
                  "%s is truncated: its %" G_GUINT64_FORMAT
                  " bytes end before the sections that its PE header names",
                  f->label, f->size);
    return whole;
}

static bool load_linux(ImageFile *f, const uint8_t *header, LoadedImage *out, GError **err)
{
    uint64_t text_offset, image_size, addr, ram_base = f->l->ram.base;

    memcpy(&text_offset, header + 8, 8);
    memcpy(&image_size, header + 16, 8);
    text_offset = GUINT64_FROM_LE(text_offset);
    image_size = GUINT64_FROM_LE(image_size);
    if (text_offset > f->limit - ram_base || image_size < f->size) {
        return error_set(
            err, ERROR_USER,
            "%s has a Linux Image header with an impossible text offset (0x%" G_GINT64_MODIFIER
            "x) or image size (%" G_GUINT64_FORMAT " for a file of %" G_GUINT64_FORMAT " bytes)",
            f->label, text_offset, image_size, f->size);
    }
    if (!check_pe(f, header, err))
        return false;
    addr = ram_base + text_offset;
    if (addr < f->floor)
        addr = (f->floor + IMAGE_ALIGN - 1) & ~(uint64_t)(IMAGE_ALIGN - 1);
    *out = (LoadedImage){ addr, addr + image_size, addr };
    /* The kernel clears the memory after the file, so the memory only has to exist. */
    return check_fits(f, addr, image_size, f->floor, err) &&
           load_piece(f, 0, f->size, 0, addr, f->floor, err);
}

bool load_image(LoadList *l, BootRole role, const BootImage *image, uint64_t floor, uint64_t limit,
                LoadedImage *out, GError **err)
{
    g_autofree char *label = boot_image_label(role, image);
    uint8_t header[IMAGE_HEADER_SIZE] = { 0 };
    ImageFile f = { l, label, image->fd, image->size, floor, limit, 0 };

    loader_read_exact(f.fd, header, MIN(f.size, sizeof(header)), 0);
    if (f.size >= SELFMAG && memcmp(header, ELFMAG, SELFMAG) == 0) {
        f.floor = l->ram.base;
        return load_elf(&f, out, err);
    }
    if (role == BOOT_KERNEL && memcmp(header + 0x38, "RSC\x05", 4) == 0) {
        return load_linux(&f, header, out, err);
    }
    *out = (LoadedImage){ floor, floor + f.size, floor };
    return load_piece(&f, 0, f.size, 0, floor, floor, err);
}

bool load_image_at(LoadList *l, BootRole role, const BootImage *image, uint64_t addr,
                   uint64_t limit, LoadedImage *out, GError **err)
{
    g_autofree char *label = boot_image_label(role, image);
    ImageFile f = { l, label, image->fd, image->size, addr, limit, 0 };

    *out = (LoadedImage){ addr, addr + f.size, addr };
    return load_piece(&f, 0, f.size, 0, addr, l->ram.base, err);
}

/* Reject formats that QEMU's loader device converts: raw bytes would be wrong. */
static bool loader_check_raw(const ImageFile *f, const uint8_t *header, GError **err)
{
    static const uint8_t uimage[] = { 0x27, 0x05, 0x19, 0x56 };
    bool hex = header[0] == ':';

    for (unsigned i = 1; hex && i < 11; i++) {
        hex = g_ascii_isxdigit(header[i]);
    }
    if (!hex && memcmp(header, uimage, sizeof(uimage)) != 0)
        return true;
    return error_set(err, ERROR_USER,
                     "%s is %s, which is not supported: convert it to ELF or to raw bytes, or load "
                     "the file itself with force-raw=on",
                     f->label, hex ? "an Intel HEX file" : "a U-Boot image");
}

bool load_extra(LoadList *l, BootRole role, const BootImage *image, uint64_t addr, bool raw,
                LoadedImage *out, GError **err)
{
    g_autofree char *label = boot_image_label(role, image);
    uint64_t base = l->ram.base;
    uint8_t header[IMAGE_HEADER_SIZE] = { 0 };
    ImageFile f = {
        l, label, image->fd, image->size, base, base + l->ram.ram->size, l->pieces->len
    };

    loader_read_exact(f.fd, header, MIN(f.size, sizeof(header)), 0);
    if (!raw && f.size >= SELFMAG && memcmp(header, ELFMAG, SELFMAG) == 0)
        return load_elf(&f, out, err);
    *out = (LoadedImage){ addr, addr + f.size, addr };
    return (raw || loader_check_raw(&f, header, err)) &&
           load_piece(&f, 0, f.size, 0, addr, base, err);
}
