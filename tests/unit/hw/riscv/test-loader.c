/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading images: Linux Image, ELF64 and raw images are stored at the correct address. Truncated,
 * invalid, oversized and malformed files are rejected with one message. A replay restores what the
 * guest overwrote.
 */
#include <elf.h>
#include <glib/gstdio.h>

#include "../fixture.h"
#include "hw/riscv/loader.h"

enum { SIZE = 16 << 20 };

static const uint64_t BASE = 0x80000000u, FLOOR = 0x80000000u + (2 << 20),
                      LIMIT = 0x80000000u + SIZE;

typedef struct Env {
    RamBlock *ram;
    LoadList *l;
    char *path;
} Env;

static void env_new(Env *e)
{
    e->ram = ram_block_new("test.ram", SIZE, &(RamSource){ 0 }, NULL);
    e->l = load_list_new((LoadRam){ e->ram, BASE });
    e->path = g_strdup("/tmp/backplane-load-XXXXXX");
    close(g_mkstemp(e->path));
}

static void env_free(Env *e)
{
    load_list_free(e->l);
    ram_block_free(e->ram);
    g_remove(e->path);
    g_free(e->path);
}

/* Without the flush to disk of g_file_set_contents(): thousands of flushes take seconds. */
static void write_file(const char *path, const void *data, gsize len)
{
    FILE *f = fopen(path, "w");

    g_assert_nonnull(f);
    g_assert_cmpuint(fwrite(data, 1, len, f), ==, len);
    fclose(f);
}

static bool load_path(LoadList *l, const char *path, LoadedImage *out, GError **err)
{
    g_autoptr(BootImages) images = boot_images_new();

    return boot_images_open(images, BOOT_KERNEL, path, err) &&
           load_image(l, BOOT_KERNEL, &images->image[BOOT_KERNEL], FLOOR, LIMIT, out, err);
}

static bool load(Env *e, const void *data, gsize len, LoadedImage *out, char **why)
{
    g_autoptr(GError) err = NULL;
    bool ok;

    write_file(e->path, data, len);
    ok = load_path(e->l, e->path, out, &err);
    g_assert_true(ok == (err == NULL));
    if (err) {
        g_assert_null(strchr(err->message, '\n'));
        g_assert_nonnull(strstr(err->message, e->path));
    }
    if (why)
        *why = err ? g_strdup(err->message) : NULL;
    return ok;
}

static void refuse(Env *e, const void *data, gsize len, const char *word)
{
    g_autofree char *why = NULL;
    LoadedImage out;

    g_assert_false(load(e, data, len, &out, &why));
    if (!strstr(why, word))
        g_error("'%s' does not contain '%s'", why, word);
}

static void test_raw(void)
{
    g_autofree uint8_t *big = g_malloc0(SIZE);
    LoadedImage out;
    Env e;

    env_new(&e);
    g_assert_true(load(&e, "payload", 7, &out, NULL));
    g_assert_cmphex(out.entry, ==, FLOOR);
    g_assert_cmphex(out.end, ==, FLOOR + 7);
    g_assert_cmpmem(e.ram->host + (FLOOR - BASE), 7, "payload", 7);
    memset(e.ram->host, 0xff, SIZE);
    g_assert_true(load_list_replay(e.l, NULL));
    g_assert_cmpmem(e.ram->host + (FLOOR - BASE), 7, "payload", 7);
    refuse(&e, "", 0, "empty");
    refuse(&e, big, SIZE - (2 << 20) + 1, "does not fit");
    env_free(&e);
}

static void test_missing(void)
{
    g_autoptr(GError) err = NULL;
    LoadedImage out;
    Env e;

    env_new(&e);
    g_assert_false(load_path(e.l, "/nowhere/k", &out, &err));
    g_assert_nonnull(strstr(err->message, "'/nowhere/k'"));
    g_clear_error(&err);
    g_assert_false(load_path(e.l, "/tmp", &out, &err));
    g_assert_nonnull(strstr(err->message, "not a regular file"));
    env_free(&e);
}

static void make_image(uint8_t *p, uint64_t text_offset, uint64_t image_size)
{
    static const uint8_t magic[12] = "RISCV\0\0\0RSC\x05";

    memcpy(p + 8, &text_offset, 8);
    memcpy(p + 16, &image_size, 8);
    memcpy(p + 0x30, magic, sizeof(magic));
}

static void test_linux(void)
{
    uint8_t image[4096] = { 0x13 };
    LoadedImage out;
    Env e;

    env_new(&e);
    make_image(image, 0x200000, 1 << 20);
    g_assert_true(load(&e, image, sizeof(image), &out, NULL));
    g_assert_cmphex(out.entry, ==, BASE + 0x200000);
    g_assert_cmphex(out.end, ==, BASE + 0x300000);
    make_image(image, 0, 1 << 20); /* below the firmware: moved up */
    g_assert_true(load(&e, image, sizeof(image), &out, NULL));
    g_assert_cmphex(out.entry, ==, FLOOR);
    make_image(image, 0x200000, SIZE);
    refuse(&e, image, sizeof(image), "does not fit");
    make_image(image, 0x200000, 100); /* smaller than the file */
    refuse(&e, image, sizeof(image), "impossible");
    make_image(image, UINT64_MAX, 1 << 20);
    refuse(&e, image, sizeof(image), "impossible");
    make_image(image, 0x200000, UINT64_MAX);
    refuse(&e, image, sizeof(image), "does not fit");
    env_free(&e);
}

/* An EFI stub's section table contains the length of the file. */
static void test_linux_pe(void)
{
    uint8_t image[4096] = { 'M', 'Z' };
    uint8_t *pe = image + 0x40, *section = pe + 24 + 16;
    LoadedImage out;
    Env e;

    env_new(&e);
    make_image(image, 0x200000, 1 << 20);
    image[0x3c] = 0x40;
    memcpy(pe, "PE\0\0", 4);
    pe[6] = 1;              /* sections */
    pe[20] = 16;            /* optional header */
    section[16 + 1] = 0x08; /* 2048 bytes */
    section[20 + 1] = 0x08; /* at 2048 */
    g_assert_true(load(&e, image, 4096, &out, NULL));
    refuse(&e, image, 4095, "truncated");
    refuse(&e, image, 0x60, "truncated");
    image[0x3e] = 1;
    refuse(&e, image, 4096, "truncated");
    env_free(&e);
}

typedef struct ElfFile {
    Elf64_Ehdr h;
    Elf64_Phdr p[2];
    uint8_t data[64];
} ElfFile;

static ElfFile make_elf(void)
{
    ElfFile f = { .h = { .e_type = ET_EXEC,
                         .e_machine = EM_RISCV,
                         .e_entry = 0xffffffff80000010,
                         .e_phoff = sizeof(Elf64_Ehdr),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 2 } };

    memcpy(f.h.e_ident, ELFMAG, SELFMAG);
    f.h.e_ident[EI_CLASS] = ELFCLASS64;
    f.h.e_ident[EI_DATA] = ELFDATA2LSB;
    f.p[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = UINT64_MAX };
    f.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
                           .p_offset = offsetof(ElfFile, data),
                           .p_filesz = 64,
                           .p_memsz = 4096,
                           .p_paddr = BASE,
                           .p_vaddr = 0xffffffff80000000 };
    memset(f.data, 0x5a, sizeof(f.data));
    return f;
}

static void test_elf(void)
{
    ElfFile f = make_elf();
    LoadedImage out;
    Env e;

    env_new(&e);
    memset(e.ram->host, 0xee, 8192);
    g_assert_true(load(&e, &f, sizeof(f), &out, NULL));
    g_assert_cmphex(out.start, ==, BASE);
    g_assert_cmphex(out.end, ==, BASE + 4096);
    g_assert_cmphex(out.entry, ==, BASE + 0x10);
    g_assert_cmphex(e.ram->host[63], ==, 0x5a);
    g_assert_cmphex(e.ram->host[64], ==, 0);
    g_assert_cmphex(e.ram->host[4095], ==, 0);
    g_assert_cmphex(e.ram->host[4096], ==, 0xee);
    refuse(&e, &f, sizeof(f) - 1, "truncated");
    refuse(&e, &f, sizeof(f.h) + 60, "truncated");
    refuse(&e, &f, 20, "truncated");
    f.h.e_machine = EM_X86_64;
    refuse(&e, &f, sizeof(f), "not for RISC-V");
    f = make_elf();
    f.h.e_ident[EI_CLASS] = ELFCLASS32;
    refuse(&e, &f, sizeof(f), "64-bit");
    f = make_elf();
    f.p[1].p_memsz = 10;
    refuse(&e, &f, sizeof(f), "larger in the file");
    f = make_elf();
    f.p[1].p_paddr = 0x1000;
    refuse(&e, &f, sizeof(f), "does not fit");
    /* the part below memory is skipped */
    f = make_elf();
    f.p[1].p_paddr -= 16;
    f.p[1].p_vaddr = f.p[1].p_paddr;
    memset(e.ram->host, 0xee, 8192);
    g_assert_true(load(&e, &f, sizeof(f), &out, NULL));
    g_assert_cmphex(out.start, ==, BASE);
    g_assert_cmphex(e.ram->host[47], ==, 0x5a);
    g_assert_cmphex(e.ram->host[48], ==, 0);
    f = make_elf();
    f.p[1].p_paddr = UINT64_MAX - 10;
    refuse(&e, &f, sizeof(f), "does not fit");
    f = make_elf();
    f.p[1].p_memsz = UINT64_MAX;
    refuse(&e, &f, sizeof(f), "does not fit");
    /* headers far below memory, as linkers place them with -Ttext */
    f = make_elf();
    f.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = 0x10000, .p_filesz = 64, .p_memsz = 64 };
    g_assert_true(load(&e, &f, sizeof(f), &out, NULL));
    g_assert_cmphex(out.start, ==, BASE);
    f.p[1].p_type = PT_NOTE;
    refuse(&e, &f, sizeof(f), "does not fit");
    f = make_elf();
    f.p[1].p_type = PT_NOTE;
    refuse(&e, &f, sizeof(f), "without anything");
    env_free(&e);
}

/* Random changes: loaded or rejected, and never a byte outside the RAM (ASan checks this). */
static void test_damage(void)
{
    Env e;

    env_new(&e);
    for (unsigned i = 0; i < 1000; i++) {
        ElfFile f = make_elf();
        LoadedImage out;

        for (unsigned n = g_test_rand_int_range(1, 6); n > 0; n--)
            ((uint8_t *)&f)[g_test_rand_int_range(4, offsetof(ElfFile, data))] = g_test_rand_int();
        if (load(&e, &f, g_test_rand_int_range(1, sizeof(f) + 1), &out, NULL) && i % 2)
            load_list_replay(e.l, NULL);
        if (i % 100 == 99) {
            load_list_free(e.l);
            e.l = load_list_new((LoadRam){ e.ram, BASE });
        }
    }
    env_free(&e);
}

static void test_replay_shorter(void)
{
    g_autoptr(GError) err = NULL;
    LoadedImage out;
    Env e;

    env_new(&e);
    g_assert_true(load(&e, "payload", 7, &out, NULL));
    g_assert_cmpint(truncate(e.path, 3), ==, 0);
    g_assert_false(load_list_replay(e.l, &err));
    g_assert_nonnull(strstr(err->message, e.path));
    env_free(&e);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loader/raw", test_raw);
    g_test_add_func("/loader/missing", test_missing);
    g_test_add_func("/loader/linux", test_linux);
    g_test_add_func("/loader/linux-pe", test_linux_pe);
    g_test_add_func("/loader/elf", test_elf);
    g_test_add_func("/loader/damage", test_damage);
    g_test_add_func("/loader/replay-shorter", test_replay_shorter);
    return g_test_run();
}
