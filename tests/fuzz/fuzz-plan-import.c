/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of other programs: a domain XML document (first byte '<'), a catalogue or a machine
 * type of a site ('{'), or a command line. What is accepted resolves or is refused in one line, and
 * can be written as XML.
 */
#include "plan/catalog_json.h"
#include "plan/exchange.h"
#include "plan/site.h"
#include "tests/fuzz/fuzz-plan.h"

static void import_machine(PlanMachine *m)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = NULL;

    fuzz_check_resolve(m);
    if (m->index) {
        xml = plan_to_libvirt(m, PLAN_FOR_QEMU, NULL, &err);
        if (!xml) {
            tc_sentence(err);
        }
    }
}

/* A machine type of a site is applied to a machine of its own name. */
static void import_site(const char *text, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanSite) s = plan_site_from_text(text, size, &err);
    g_autoptr(PlanMachine) m = TC_MACHINE("nic,id=n", "old,id=o");

    if (!s || !plan_site_apply(s, m, &tc_catalog, &err)) {
        tc_sentence(err);
    } else {
        fuzz_check_resolve(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) m = NULL;
    const char *text = (const char *)data;
    PlanCatalog *c;

    if (size && *data == '{') {
        c = plan_catalog_from_text(text, size, &err);
        if (!c) {
            tc_sentence(err);
        }
        plan_catalog_free(c);
        import_site(text, size);
        return 0;
    }
    m = size && *data == '<' ? plan_from_libvirt(text, size, &tc_catalog, &err)
                             : plan_from_command_line(text, size, &tc_catalog, &err);
    if (m) {
        import_machine(m);
    } else {
        tc_sentence(err);
    }
    return 0;
}
