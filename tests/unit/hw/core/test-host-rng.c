/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entropy sources: bytes, a file that has data only later, a file that ends.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-objects.h"

static unsigned woken;

static void wake(void *opaque)
{
    woken++;
}

static void turn(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void test_bytes(void)
{
    static const char *const texts[] = { "rng-builtin,id=r", "rng-random,id=r",
                                         "rng-random,id=r,filename=/dev/urandom" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        Machine *m = machine_with_lock();
        HostObject *o = object(m, texts[i]);
        uint8_t one[32] = { 0 }, two[32] = { 0 };

        g_assert_true(host_rng_find(m, "r", NULL) == o);
        g_assert_cmpuint(host_rng_read(o, one, sizeof(one)), ==, sizeof(one));
        g_assert_cmpuint(host_rng_read(o, two, sizeof(two)), ==, sizeof(two));
        g_assert_cmpint(memcmp(one, two, sizeof(one)), !=, 0);
        machine_end(m);
    }
}

static void test_later(void)
{
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "fifo", NULL);
    g_autofree char *text = g_strdup_printf("rng-random,id=r,filename=%s", path);
    Machine *m = machine_with_lock();
    uint8_t buf[8];
    HostObject *o;
    int fd;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    o = object(m, text);
    fd = open(path, O_WRONLY);
    woken = 0;
    g_assert_cmpuint(host_rng_read(o, buf, 8), ==, 0);
    host_rng_wait(o, wake, NULL);
    turn();
    g_assert_cmpuint(woken, ==, 0);
    g_assert_cmpint(write(fd, "abc", 3), ==, 3);
    turn();
    turn();
    g_assert_cmpuint(woken, ==, 1); /* once */
    g_assert_cmpuint(host_rng_read(o, buf, 8), ==, 3);
    g_assert_cmpmem(buf, 3, "abc", 3);
    host_rng_wait(o, wake, NULL);
    host_rng_wait(o, NULL, NULL); /* cancelled */
    g_assert_cmpint(write(fd, "d", 1), ==, 1);
    turn();
    g_assert_cmpuint(woken, ==, 1);
    g_assert_cmpuint(host_rng_read(o, buf, 8), ==, 1);
    close(fd);
    g_assert_cmpuint(host_rng_read(o, buf, 8), ==, 0); /* the end */
    host_rng_wait(o, wake, NULL);
    turn();
    g_assert_cmpuint(woken, ==, 1);
    machine_end(m);
    g_unlink(path);
    rmdir(dir);
}

static void test_refusals(void)
{
    g_autoptr(GError) none = NULL, wrong = NULL;
    Machine *m = machine_with_lock();

    refused(m, "rng-random,id=r,filename=/nowhere/at/all",
            "object 'r': filename=/nowhere/at/all cannot be opened: No such file");
    object(m, "secret,id=s,data=x");
    g_assert_null(host_rng_find(m, "r", &none));
    g_assert_nonnull(strstr(none->message, "rng=r: the object does not exist"));
    g_assert_null(host_rng_find(m, "s", &wrong));
    g_assert_nonnull(strstr(wrong->message, "the object is not an entropy source"));
    machine_end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-rng/bytes", test_bytes);
    g_test_add_func("/host-rng/later", test_later);
    g_test_add_func("/host-rng/refusals", test_refusals);
    return g_test_run();
}
