/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory back ends: RAM blocks created from them, sizes, files, and users.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "host-objects.h"
#include "migration/ram_hole_internal.h"
#include "tests/lib/ok.h"

static RamBlock *ram(Machine *m, const char *backend, uint64_t size, const char *words)
{
    g_autoptr(GError) err = NULL;
    RamBlock *b = host_memory_ram(m, backend, "test.ram", size, &err);

    if (words) {
        g_assert_null(b);
        g_assert_nonnull(strstr(err->message, words));
    } else {
        g_assert_no_error(err);
    }
    return b;
}

static void test_kinds(void)
{
    static const char *const texts[] = {
        "memory-backend-ram,id=m,size=1M,", "memory-backend-memfd,id=m,size=1048576,prealloc=on",
        "memory-backend-memfd,id=m,size=1024k,merge=off,dump=off"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        Machine *m = machine_with_lock();
        HostObject *o = object(m, texts[i]);
        RamBlock *b = ram(m, "m", 1 << 20, NULL);
        RamHole hole = { 0 };

        g_assert_cmpuint(b->size, ==, 1 << 20);
        g_assert_true(b->holes);
        g_assert_true(ram_hole_at(&hole, b, 3) == !host_memory_source(o)->prealloc);
        g_assert_cmpuint(b->host[12345], ==, 0);
        g_assert_false(host_object_del(m, "m", NULL));
        machine_clear(m);
        machine_renew(m);
        g_assert_cmpuint(o->users->len, ==, 0); /* the machine was freed, and with it its
                                                 * reference */
        ram(m, "m", 1 << 20, NULL);
        machine_end(m);
    }
}

static void test_refusals(void)
{
    Machine *m = machine_with_lock();

    object(m, "memory-backend-ram,id=m,size=2M");
    object(m, "iothread,id=t");
    ram(m, "m", 1 << 20, "memory-backend=m has 2097152 bytes, the machine 1048576");
    ram(m, "none", 1 << 20, "the object does not exist");
    ram(m, "t", 1 << 20, "the object is not a memory back end");
    refused(m, "memory-backend-memfd,id=h,size=2M,hugetlbsize=2M", "requires hugetlb=on");
    refused(m, "memory-backend-memfd,id=h,size=2M,hugetlb=on,hugetlbsize=3M", "not a power of two");
    refused(m, "memory-backend-file,id=f,size=2M", "requires mem-path=");
    g_assert_null(host_memory_source(host_object_find(m, "t")));
    machine_end(m);
}

static void write_file(const char *path, size_t len, char fill)
{
    g_autofree char *bytes = g_malloc(len + 1);

    memset(bytes, fill, len);
    ASSERT_OK(g_file_set_contents(path, bytes, (gssize)len, &failure));
}

static uint8_t first_byte(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;

    ASSERT_OK(g_file_get_contents(path, &bytes, &len, &failure));
    g_assert_cmpuint(len, >=, 0x10000);
    return (uint8_t)bytes[0];
}

/* A shared file contains what the guest wrote; a private one keeps its contents. Both are read. */
static void test_file(void)
{
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "ram", NULL);

    for (int share = 0; share < 2; share++) {
        Machine *m = machine_with_lock();
        g_autofree char *text = g_strdup_printf(
            "memory-backend-file,id=m,size=64k,mem-path=%s,share=%s", path, share ? "on" : "off");
        RamHole hole = { 0 };
        RamBlock *b;

        write_file(path, 0x10000, 'a');
        object(m, text);
        b = ram(m, "m", 0x10000, NULL);
        g_assert_cmpint(b->host[0], ==, 'a');
        g_assert_false(ram_hole_at(&hole, b, 3)); /* a migration reads all of it */
        b->host[0] = 'b';
        machine_end(m);
        g_assert_cmpuint(first_byte(path), ==, share ? 'b' : 'a');
    }
    g_unlink(path);
    rmdir(dir);
}

static void test_file_sizes(void)
{
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "ram", NULL);
    g_autofree char *named = g_strdup_printf("memory-backend-file,id=f,size=64k,mem-path=%s", path);
    g_autofree char *folder = g_strdup_printf("memory-backend-file,id=d,size=64k,mem-path=%s", dir);
    Machine *m = machine_with_lock();

    object(m, named);
    object(m, folder);
    write_file(path, 4096, 'a');
    ram(m, "f", 0x10000, "the file is too small; use an empty or a larger file");
    g_unlink(path);
    ram(m, "f", 0x10000, NULL); /* created, and extended */
    g_assert_cmpuint(first_byte(path), ==, 0);
    machine_clear(m);
    machine_renew(m);
    g_assert_cmpint(ram(m, "d", 0x10000, NULL)->host[0], ==, 0);
    machine_end(m);
    g_unlink(path);
    g_assert_cmpint(rmdir(dir), ==, 0); /* nothing was left in the directory */
}

/* A block of two back ends, which the machine uses. */
static void test_parts(void)
{
    static const char *const ids[] = { "a", "b" }, *const bad[] = { "a", "c" };
    static const uint64_t sizes[] = { 1 << 20, 2 << 20 }, wrong[] = { 1 << 20, 1 << 20 };
    Machine *m = machine_with_lock();
    HostObject *a = object(m, "memory-backend-ram,id=a,size=1M");
    HostObject *b = object(m, "memory-backend-memfd,id=b,size=2M,seal=off,prealloc=on");
    g_autoptr(GError) err = NULL;
    RamBlock *block;

    g_assert_null(host_memory_ram_parts(m, bad, sizes, 2, "test.ram", &err));
    g_assert_nonnull(strstr(err->message, "memdev=c: the object does not exist"));
    g_clear_error(&err);
    g_assert_null(host_memory_ram_parts(m, ids, wrong, 2, "test.ram", &err));
    g_assert_nonnull(strstr(err->message, "memdev=b has 2097152 bytes, the node 1048576"));
    g_clear_error(&err);
    g_assert_cmpuint(a->users->len, ==, 0);
    block = host_memory_ram_parts(m, ids, sizes, 2, "test.ram", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(block->size, ==, 3 << 20);
    g_assert_cmpuint(a->users->len, ==, 1);
    g_assert_cmpuint(b->users->len, ==, 1);
    g_assert_false(host_object_del(m, "b", NULL));
    machine_end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-memory/kinds", test_kinds);
    g_test_add_func("/host-memory/refusals", test_refusals);
    g_test_add_func("/host-memory/file", test_file);
    g_test_add_func("/host-memory/parts", test_parts);
    g_test_add_func("/host-memory/file-sizes", test_file_sizes);
    return g_test_run();
}
