/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets: from an option and from a file, raw and in base64.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "host-objects.h"
#include "tests/lib/ok.h"

static void is(HostObject *o, const char *bytes, gsize len)
{
    gsize n;
    const void *p = g_bytes_get_data(host_secret_bytes(o), &n);

    g_assert_cmpmem(p, n, bytes, len);
}

static void test_data(void)
{
    Machine *m = machine_with_lock();

    is(object(m, "secret,id=a,data=letmein"), "letmein", 7);
    is(object(m, "secret,id=b,data=bGV0AG1l,format=base64"), "let\0me", 6);
    is(object(m, "secret,id=c,data=,,,format=raw"), ",", 1);
    g_assert_null(host_secret_bytes(object(m, "rng-builtin,id=r")));
    machine_end(m);
}

static void test_file(void)
{
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "key", NULL);
    g_autofree char *raw = g_strdup_printf("secret,id=a,file=%s", path);
    g_autofree char *coded = g_strdup_printf("secret,id=b,file=%s,format=base64", path);
    Machine *m = machine_with_lock();

    ASSERT_OK(g_file_set_contents(path, "aGk=\n", 5, &failure));
    is(object(m, raw), "aGk=\n", 5);
    is(object(m, coded), "hi", 2);
    g_unlink(path);
    refused(m, "secret,id=c,file=/nowhere/at/all", "No such file");
    machine_end(m);
    rmdir(dir);
}

static void test_refusals(void)
{
    Machine *m = machine_with_lock();

    refused(m, "secret,id=a", "object 'a': a secret requires exactly one of data= and file=");
    refused(m, "secret,id=a,data=x,file=y", "requires exactly one of");
    refused(m, "secret,id=a,data=aGk,format=base64", "not in base64, which format= requires");
    refused(m, "secret,id=a,data=a*k=,format=base64", "not in base64");
    refused(m, "secret,id=a,data=x,format=hex", "one of raw, base64");
    machine_end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-secret/data", test_data);
    g_test_add_func("/host-secret/file", test_file);
    g_test_add_func("/host-secret/refusals", test_refusals);
    return g_test_run();
}
