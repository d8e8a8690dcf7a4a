/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plan a guest with disks and network devices that can be plugged while it runs, with
 * libbackplane-plan. The controllers that the devices require are added.
 *
 *   cc plan-guest.c $(pkg-config --cflags --libs backplane-plan) -o plan-guest
 *   ./plan-guest CATALOG DISKS NICS FOLDER qemu|backplane|xml|json
 *
 * CATALOG is the name of an installed catalogue or a file: qemu-7.2-q35, qemu-7.2-virt, backplane.
 * FOLDER contains the images disk0.img, disk1.img ... The last argument selects the output: a
 * command line (one argument per line), a libvirt domain, or the description.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <plan/catalog_json.h>
#include <plan/exchange.h>
#include <plan/grow.h>

typedef struct GuestPlan {
    PlanCatalog *c;
    PlanPolicy *policy;
    PlanMachine *m;
} GuestPlan;

/* Add a device that can be plugged while the guest runs, and the controllers that it requires. */
static bool plan_device(GuestPlan *p, const char *text, GError **err)
{
    PlanDevice *d = plan_device_parse_known(text, p->c, err);
    PlanGrowth *growth = NULL;
    PlanPrefs prefs;

    plan_prefs_init(&prefs);
    prefs.hotplug = PLAN_WISH_REQUIRED;
    if (d) {
        growth = plan_grow_add(p->m, p->c, p->policy, d, &prefs, NULL, err);
    }
    if (!growth) {
        plan_device_free(d);
    }
    plan_growth_free(growth);
    return growth != NULL;
}

static bool plan_disk(GuestPlan *p, unsigned i, const char *folder, GError **err)
{
    char *drive = g_strdup_printf("id=drive%u,format=raw,file=%s/disk%u.img", i, folder, i);
    char *device = g_strdup_printf("virtio-blk-pci,id=disk%u,drive=drive%u", i, i);
    PlanHostPart *part = plan_host_part_parse("drive", drive, err);
    bool ok = part && plan_machine_add_host(p->m, part, err) && plan_device(p, device, err);

    g_free(drive);
    g_free(device);
    return ok;
}

static bool plan_nic(GuestPlan *p, unsigned i, GError **err)
{
    char *netdev = g_strdup_printf("user,id=net%u", i);
    char *device = g_strdup_printf("virtio-net-pci,id=nic%u,netdev=net%u", i, i);
    PlanHostPart *part = plan_host_part_parse("netdev", netdev, err);
    bool ok = part && plan_machine_add_host(p->m, part, err) && plan_device(p, device, err);

    g_free(netdev);
    g_free(device);
    return ok;
}

/* Print the plan in the requested form. */
static bool plan_print(GuestPlan *p, const char *form, GError **err)
{
    bool qemu = p->c->program && strcmp(p->c->program, "qemu") == 0;
    char *text = NULL, **args;

    if (strcmp(form, "xml") == 0) {
        text = plan_to_libvirt(p->m, qemu ? PLAN_FOR_QEMU : PLAN_FOR_BACKPLANE, NULL, err);
    } else if (strcmp(form, "json") == 0) {
        text = plan_to_text(p->m, p->c, false);
    } else {
        args = plan_command_line(
            p->m, p->c, strcmp(form, "qemu") == 0 ? PLAN_FOR_QEMU : PLAN_FOR_BACKPLANE, err);
        text = args ? g_strjoinv("\n", args) : NULL;
        g_strfreev(args);
    }
    if (text) {
        puts(text);
    }
    g_free(text);
    return text != NULL;
}

static bool plan_all(GuestPlan *p, char **argv, GError **err)
{
    p->c = plan_catalog_open(argv[1], err);
    p->policy = p->c ? plan_policy_load("default", err) : NULL;
    if (!p->policy || !plan_resolve(p->m, p->c, err)) {
        return false;
    }
    for (unsigned i = 0; i < (unsigned)atoi(argv[2]); i++) {
        if (!plan_disk(p, i, argv[4], err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < (unsigned)atoi(argv[3]); i++) {
        if (!plan_nic(p, i, err)) {
            return false;
        }
    }
    return plan_print(p, argv[5], err);
}

int main(int argc, char **argv)
{
    GuestPlan p = { .m = plan_machine_new() };
    GError *err = NULL;
    bool ok = argc == 6 && plan_all(&p, argv, &err);

    if (!ok) {
        fprintf(stderr, "%s\n",
                err ? err->message : "usage: plan-guest CATALOG DISKS NICS FOLDER FORM");
    }
    g_clear_error(&err);
    plan_machine_free(p.m);
    plan_policy_free(p.policy);
    plan_catalog_free(p.c);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
