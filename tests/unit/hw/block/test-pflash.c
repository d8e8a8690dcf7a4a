/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flash memory: modes and the address map, operations, the file behind a bank, errors, saved state.
 * tests/differential/boot/flash compares the registers with QEMU.
 */
#include "../fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-c/json.h>
#include <unistd.h>

#include "block/block.h"
#include "hw/block/pflash.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

#define BASE 0x20000000ull
enum { SECTOR = 256 << 10 };

typedef struct Flash {
    Machine *m;
    Device *dev;
    char *path; /* of the image; NULL: no drive */
} Flash;

static Flash flash_new(bool drive, const char *options)
{
    Flash f = { .m = fixture_new(1) };
    g_autoptr(GError) err = NULL;

    if (drive) {
        g_autofree char *text = NULL;
        struct json_object *o;
        int fd = g_file_open_tmp("test-pflash-XXXXXX", &f.path, NULL);

        g_assert_cmpint(ftruncate(fd, PFLASH_SIZE), ==, 0);
        g_assert_cmpint(pwrite(fd, "firmware", 8, 0x1000), ==, 8);
        close(fd);
        text = g_strdup_printf("{'id':'d','file':'%s','format':'raw'%s}", f.path, options);
        o = json_tokener_parse(text);
        g_assert_nonnull(block_drive_new(f.m, o, false, &err));
        g_assert_no_error(err);
        json_object_put(o);
    }
    f.dev = device_create(f.m, PFLASH_TYPE, drive ? "name=f0,drive=d" : "name=f0", NULL, &err);
    g_assert_no_error(err);
    pflash_map(f.dev, BASE);
    return f;
}

static void flash_free(Flash *f)
{
    machine_clear(f->m);
    block_free_all(f->m);
    machine_free(f->m);
    if (f->path)
        g_unlink(f->path);
    g_free(f->path);
}

static void flash_command(Flash *f, uint64_t offset, uint32_t command)
{
    guest_write32(f->m, BASE + offset, command * 0x10001);
}

/* Wait until the bank is ready. Returns its status. */
static uint32_t flash_wait(Flash *f)
{
    uint32_t status = 0;

    WAIT_MAIN((status = guest_read32(f->m, BASE)) & 0x80, 20);
    return status;
}

static uint32_t in_file(const Flash *f, uint64_t offset)
{
    uint32_t value = 0;
    int fd = open(f->path, O_RDONLY);

    g_assert_cmpint(pread(fd, &value, 4, (off_t)offset), ==, 4);
    close(fd);
    return value;
}

static bool is_memory(const Flash *f)
{
    RamBlock *block;
    uint64_t offset;

    return mem_ram_ptr(&f->m->memory, BASE, 4096, &block, &offset) != NULL;
}

/* In read array mode the bank is memory; a command makes it a device. */
static void test_modes(void)
{
    Flash f = flash_new(true, "");

    g_assert_true(pflash_has_drive(f.dev));
    g_assert_true(is_memory(&f));
    g_assert_cmphex(guest_read32(f.m, BASE + 0x1000), ==, 0x6d726966); /* "firm" */
    flash_command(&f, 0, 0x90);
    g_assert_false(is_memory(&f));
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00890089);
    flash_command(&f, 0, 0x98);
    g_assert_cmphex(guest_read32(f.m, BASE + 0x40), ==, 0x00510051);
    flash_command(&f, 0, 0xff);
    g_assert_true(is_memory(&f));
    guest_write(f.m, BASE, 1, 0x90); /* one byte is a command too */
    g_assert_false(is_memory(&f));
    machine_reset(f.m, RESET_COLD);
    g_assert_true(is_memory(&f));
    flash_free(&f);
}

static void test_program(void)
{
    Flash f = flash_new(true, "");

    flash_command(&f, SECTOR, 0x20);
    flash_command(&f, SECTOR, 0xd0);
    g_assert_cmphex(flash_wait(&f), ==, 0x00800080);
    flash_command(&f, SECTOR + 8, 0x40);
    guest_write32(f.m, BASE + SECTOR + 8, 0x12345678);
    g_assert_cmphex(flash_wait(&f), ==, 0x00800080);
    flash_command(&f, 0, 0xff);
    g_assert_cmphex(guest_read32(f.m, BASE + SECTOR + 4), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(f.m, BASE + SECTOR + 8), ==, 0x12345678);
    g_assert_cmphex(in_file(&f, SECTOR + 4), ==, 0xffffffff);
    g_assert_cmphex(in_file(&f, SECTOR + 8), ==, 0x12345678);
    flash_command(&f, SECTOR + 8, 0x40); /* programming clears bits */
    guest_write32(f.m, BASE + SECTOR + 8, 0xffff0000);
    flash_command(&f, SECTOR + 8, 0x40); /* this one waits for the one before */
    guest_write(f.m, BASE + SECTOR + 13, 1, 0x55);
    flash_wait(&f);
    g_assert_cmphex(in_file(&f, SECTOR + 8), ==, 0x12340000);
    g_assert_cmphex(in_file(&f, SECTOR + 12), ==, 0xffff55ff);
    flash_free(&f);
}

static void test_buffer(void)
{
    Flash f = flash_new(true, "");

    flash_command(&f, SECTOR, 0x20);
    flash_command(&f, SECTOR, 0xd0);
    flash_wait(&f);
    flash_command(&f, SECTOR + 0x1000, 0xe8);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00800080);
    flash_command(&f, SECTOR + 0x1000, 1); /* two words */
    guest_write32(f.m, BASE + SECTOR + 0x1010, 0x11111111);
    check_state_round_trip(f.dev);
    guest_write32(f.m, BASE + SECTOR + 0x1018, 0x22222222);
    check_state_round_trip(f.dev);
    g_assert_cmphex(in_file(&f, SECTOR + 0x1010), ==, 0xffffffff);
    flash_command(&f, SECTOR + 0x1000, 0xd0);
    g_assert_cmphex(flash_wait(&f), ==, 0x00800080);
    g_assert_cmphex(in_file(&f, SECTOR + 0x1010), ==, 0x11111111);
    g_assert_cmphex(in_file(&f, SECTOR + 0x1014), ==, 0xffffffff);
    g_assert_cmphex(in_file(&f, SECTOR + 0x1018), ==, 0x22222222);
    flash_free(&f);
}

/* A malformed sequence sets both error bits, and the memory is unchanged. */
static void test_sequences(void)
{
    Flash f = flash_new(false, "");

    g_assert_false(pflash_has_drive(f.dev));
    flash_command(&f, 0, 0x20);
    flash_command(&f, 0, 0x33);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00b000b0);
    flash_command(&f, 0, 0x50);
    flash_command(&f, 0, 0x70);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00800080);
    flash_command(&f, 0, 0xe8);
    flash_command(&f, 0, 0x400); /* more words than the buffer has */
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00b000b0);
    flash_command(&f, 0, 0x50);
    flash_command(&f, 0, 0xe8);
    flash_command(&f, 0, 0);
    guest_write32(f.m, BASE + 0x1000, 0); /* outside the buffer */
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00b000b0);
    flash_command(&f, 0, 0x50);
    flash_command(&f, 0, 0xe8);
    flash_command(&f, 0, 0);
    guest_write32(f.m, BASE, 5);
    flash_command(&f, 0, 0x70); /* no confirmation */
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00b000b0);
    flash_command(&f, 0, 0xff);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0);
    flash_free(&f);
}

static void test_read_only(void)
{
    Flash f = flash_new(true, ",'read-only':'on'");

    flash_command(&f, 0x1000, 0x40);
    guest_write32(f.m, BASE + 0x1000, 0);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00900090);
    flash_command(&f, 0, 0x50);
    flash_command(&f, 0, 0x20);
    flash_command(&f, 0, 0xd0);
    g_assert_cmphex(guest_read32(f.m, BASE), ==, 0x00a000a0);
    flash_command(&f, 0, 0xff);
    g_assert_cmphex(guest_read32(f.m, BASE + 0x1000), ==, 0x6d726966);
    flash_free(&f);
}

/* A drive of another size, and one that does not exist. */
static void test_refused(void)
{
    Machine *m = fixture_new(1);
    struct json_object *o =
        json_tokener_parse("{'id':'d','file':{'driver':'null-co','size':'1M'},'format':'raw'}");
    static const char *const settings[] = { "name=f0,drive=d", "name=f0,drive=nope" };

    ASSERT_OK(block_drive_new(m, o, false, &failure));
    json_object_put(o);
    for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(device_create(m, PFLASH_TYPE, settings[i], NULL, &err));
        g_assert_nonnull(strstr(err->message, i ? "'nope'" : "33554432"));
    }
    machine_clear(m);
    block_free_all(m);
    machine_free(m);
}

/* Mutated records load or are refused; a device that loaded one works. */
static void test_hostile_state(void)
{
    Flash f = flash_new(false, "");
    const VmState *vm = f.dev->type->vmstate;
    g_autoptr(GByteArray) record = g_byte_array_new();
    ByteWriter w = { record };
    unsigned refused = 0;

    flash_command(&f, 0, 0xe8);
    flash_command(&f, 0, 7);
    guest_write32(f.m, BASE, 5);
    vm_save(vm, f.dev, &w);
    for (unsigned i = 0; i < 3000; i++) {
        g_autofree uint8_t *copy = g_memdup2(record->data, record->len);
        ByteReader r;

        copy[g_test_rand_int_range(0, 19)] = g_test_rand_int();
        copy[g_test_rand_int_range(0, 19)] = i % 2 ? 0 : copy[0];
        reader_init(&r, copy, record->len);
        if (!vm_load(vm, f.dev, vm->version, &r, "f0", NULL))
            refused++; /* the machine is not used until it is reset */
        else if (i % 3 == 0)
            random_accesses(f.m, BASE, 8, 50);
        machine_reset(f.m, RESET_COLD);
    }
    g_assert_cmpuint(refused, >, 500);
    flash_free(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pflash/modes", test_modes);
    g_test_add_func("/pflash/program", test_program);
    g_test_add_func("/pflash/buffer", test_buffer);
    g_test_add_func("/pflash/sequences", test_sequences);
    g_test_add_func("/pflash/read-only", test_read_only);
    g_test_add_func("/pflash/refused", test_refused);
    g_test_add_func("/pflash/hostile-state", test_hostile_state);
    return g_test_run();
}
