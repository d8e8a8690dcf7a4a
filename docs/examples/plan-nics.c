/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plan network devices with libbackplane-plan: a machine with a hot-plug port for each device, and
 * the command line that starts it.
 *
 *   cc plan-nics.c $(pkg-config --cflags --libs backplane-plan) -o plan-nics
 *   ./plan-nics CATALOG NUMBER backplane|qemu
 *
 * CATALOG is a file printed by `backplane-system-riscv64 -show catalog`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plan/catalog_json.h>
#include <plan/edit.h>

/* Add a device to a machine that may be running. Its text is as the argument of -device. */
static bool add_device(PlanMachine *m, const PlanCatalog *c, const char *text, GError **err)
{
    PlanDevice *d = plan_device_parse_known(text, c, err);

    if (!d || !plan_add_device(m, c, d, false, err)) {
        plan_device_free(d);
        return false;
    }
    printf("%s is at %s\n", plan_device_name(d), d->place);
    return true;
}

static bool add_nics(PlanMachine *m, const PlanCatalog *c, unsigned n, GError **err)
{
    for (unsigned i = 0; i < n; i++) {
        char *port = g_strdup_printf("pcie-root-port,id=port%u,chassis=1", i);
        char *device = g_strdup_printf("virtio-net-pci,id=nic%u,bus=port%u", i, i);
        bool ok = add_device(m, c, port, err) && add_device(m, c, device, err);

        g_free(port);
        g_free(device);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool plan_and_print(PlanMachine *m, const PlanCatalog *c, unsigned n, PlanTarget target,
                           GError **err)
{
    char **args;

    if (!plan_machine_parse(m, "virt", err) || !plan_resolve(m, c, err) ||
        !add_nics(m, c, n, err)) {
        return false;
    }
    args = plan_command_line(m, c, target, err);
    for (char **arg = args; arg && *arg; arg++) {
        printf("%s%c", *arg, arg[1] ? ' ' : '\n');
    }
    g_strfreev(args);
    return args != NULL;
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    PlanCatalog *c = argc == 4 ? plan_catalog_from_file(argv[1], &err) : NULL;
    PlanMachine *m = plan_machine_new();
    bool ok = c && plan_and_print(m, c, (unsigned)atoi(argv[2]),
                                  strcmp(argv[3], "qemu") == 0 ? PLAN_FOR_QEMU : PLAN_FOR_BACKPLANE,
                                  &err);

    if (!ok) {
        fprintf(stderr, "%s\n", err ? err->message : "usage: plan-nics CATALOG NUMBER PROGRAM");
    }
    g_clear_error(&err);
    plan_machine_free(m);
    plan_catalog_free(c);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
