/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device "loader": properties and their checks (contract in hw/misc/loader_device.h).
 */
#include "hw/misc/loader_device.h"

#include "hw/core/boot_image.h"
#include "util/error.h"

#define LOADER_NO_CPU UINT32_MAX
enum { LOADER_DATA_MAX = 8 };

static bool loader_device_fits(const LoaderDevice *l)
{
    return l->data_len >= LOADER_DATA_MAX || !(l->data >> (8 * l->data_len));
}

static const char *loader_device_fault(const LoaderDevice *l)
{
    bool data = l->data || l->data_len || l->data_be, file = l->file || l->image;

    if (file && data) {
        return "file= excludes data=, data-len= and data-be=";
    }
    if (l->force_raw && !file) {
        return "force-raw=on requires file=";
    }
    if (file) {
        return NULL;
    }
    if (data && (!l->data_len || l->data_len > LOADER_DATA_MAX)) {
        return "data= requires data-len= from 1 to 8";
    }
    if (data) {
        return !loader_device_fits(l) ? "data= does not fit into data-len= bytes"
               : l->cpu_num != LOADER_NO_CPU
                   ? "cpu-num= sets the program counter; use another loader without data="
                   : NULL;
    }
    if (!l->addr || l->cpu_num == LOADER_NO_CPU) {
        return "one of these is required: file=; addr=, data= and data-len=; addr= and cpu-num=";
    }
    return NULL;
}

static bool loader_device_realize(void *dev, GError **err)
{
    LoaderDevice *l = dev;
    Machine *m = l->sys.dev.machine;
    const char *fault = m->has_guest ? loader_device_fault(l) : "the machine has no memory";

    if (fault) {
        return error_set(err, ERROR_USER, "%s: %s", device_name(&l->sys.dev), fault);
    }
    if (l->cpu_num != LOADER_NO_CPU && l->cpu_num >= m->cpus->len) {
        return error_set(err, ERROR_USER, "%s: cpu-num=%u: the machine has the CPUs 0 to %u",
                         device_name(&l->sys.dev), l->cpu_num, m->cpus->len - 1);
    }
    return true;
}

static const PlanProp loader_device_props[] = {
    { .name = "file",
      .kind = PLAN_PROP_STRING,
      .flags = PLAN_PROP_HOST,
      .field = FIELD(LoaderDevice, file, char *),
      .doc = "the image: an ELF file, or raw bytes for addr" },
    PROP_U64(LoaderDevice, addr, "addr", 0, 0, UINT64_MAX,
             "address of the raw bytes or of data, or the program counter"),
    PROP_U64(LoaderDevice, data, "data", 0, 0, UINT64_MAX, "value to store at addr"),
    PROP_U8(LoaderDevice, data_len, "data-len", 0, 0, LOADER_DATA_MAX, "bytes of data"),
    PROP_BOOL(LoaderDevice, data_be, "data-be", false, "store data with the highest byte first"),
    PROP_U32(LoaderDevice, cpu_num, "cpu-num", LOADER_NO_CPU, 0, UINT32_MAX,
             "CPU that starts at addr, or at the entry point of an ELF file; 4294967295: none"),
    PROP_BOOL(LoaderDevice, force_raw, "force-raw", false, "load an ELF file as raw bytes"),
    { .name = "x-image",
      .kind = PLAN_PROP_U8,
      .flags = PLAN_PROP_DECIDED,
      .max = BOOT_LOADERS,
      .field = FIELD(LoaderDevice, image, uint8_t),
      .doc = "number of its boot image, which is chosen for a file; 0: none" },
};
static const SysDeviceType loader_device_type = {
    .base = {
        .name = LOADER_DEVICE_TYPE,
        .doc = "an image or a value in memory at power-on and reset",
        .kind = &sys_device_kind,
        .size = sizeof(LoaderDevice),
        .props = LIST(loader_device_props),
        .realize = loader_device_realize,
    },
};
SYS_DEVICE_TYPE(loader_device_type);

const LoaderDevice *loader_device_of(const Device *dev)
{
    return dev->type == &loader_device_type.base ? (const LoaderDevice *)dev : NULL;
}
