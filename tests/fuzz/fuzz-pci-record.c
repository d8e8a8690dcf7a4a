/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A saved record of a function, patched by the input and loaded: rejected with an error message and
 * the device unchanged, or accepted with all invariants. A state saved afterwards loads again and
 * gives the same bytes.
 */
#include "fuzz-pci.h"
#include "tests/unit/hw/pci/snapshot.h"

static void patch(GByteArray *record, Input *in)
{
    while (in->left) {
        uint16_t at = input_take(in, 2);
        uint8_t value = input_take(in, 1);

        if (at == 0xffff) {
            g_byte_array_set_size(record, record->len * value / 256);
        } else if (record->len) {
            record->data[at % record->len] = value;
        }
    }
}

static GByteArray *save(PCIDevice *d)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    pci_device_save(d, &w);
    return bytes;
}

static bool load(PCIDevice *d, const GByteArray *bytes)
{
    g_autoptr(GByteArray) before = snapshot(d);
    g_autoptr(GError) err = NULL;
    ByteReader r;
    bool ok;

    reader_init(&r, bytes->data, bytes->len);
    ok = pci_device_load(d, &r, "device", &err);
    g_assert(ok == (err == NULL));
    g_assert(ok || snapshot_equal(d, before));
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ids[] = { "rp", "edu", "t0", "br" };
    g_autoptr(GByteArray) record = NULL;
    Input in = { data, size };
    Fixture f;
    PCIDevice *d;

    fuzz_grow(&f);
    d = (PCIDevice *)device_find_id(f.m, ids[input_take(&in, 1) & 3]);
    record = save(d);
    patch(record, &in);
    if (load(d, record)) {
        g_autoptr(GByteArray) once = save(d), twice = NULL;

        g_assert(load(d, once));
        twice = save(d);
        g_assert(once->len == twice->len && !memcmp(once->data, twice->data, once->len));
    }
    for (unsigned reg = 0; reg < d->config.size; reg += 4) {
        pci_device_config_write(d, reg, 4, reg * 0x01010101u);
    }
    fuzz_end(&f);
    return 0;
}
