/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces: their identifiers and back ends.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/sha256.h"

static const char *nvme_ns_path(void *opaque)
{
    return ((NvmeNs *)opaque)->dev->path;
}

static void nvme_ns_resized(void *opaque, uint64_t size)
{
    NvmeNs *ns = opaque;

    nvme_event_namespace(ns->n, ns->id);
}

static bool nvme_ns_power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v >= lo && v <= hi && !(v & (v - 1));
}

static bool nvme_ns_derives_uuid(const NvmeNs *ns)
{
    return !ns->uuid_text || strcmp(ns->uuid_text, "auto") == 0;
}

static bool nvme_ns_check_props(const NvmeNs *ns, GError **err)
{
    const char *what = NULL;

    if (!nvme_ns_power_of_two(ns->logical, 512, 32768)) {
        what = "logical_block_size must be a power of two from 512 to 32768";
    } else if (!nvme_ns_power_of_two(ns->physical, ns->logical, 2 << 20)) {
        what = "physical_block_size must be a power of two, at least logical_block_size";
    } else if (!nvme_ns_derives_uuid(ns) && !g_uuid_string_is_valid(ns->uuid_text)) {
        what = "uuid must be a UUID (8-4-4-4-12 hexadecimal digits) or auto";
    }
    return !what || error_set(err, ERROR_USER, "%s: %s", device_name(ns->dev), what);
}

/* Read the first digits of a text, which may have separators. */
static void nvme_ns_read_uuid(NvmeNs *ns, const char *digits)
{
    for (unsigned i = 0; i < sizeof(ns->uuid); i++, digits += 2) {
        digits += *digits == '-';
        ns->uuid[i] =
            (uint8_t)(g_ascii_xdigit_value(digits[0]) << 4 | g_ascii_xdigit_value(digits[1]));
    }
}

/* Without one in the properties, derive the UUID from the serial number and the identifier, so that
 * it is the same on each host (RFC 4122, version 4 with these bits in place of random ones). */
static void nvme_ns_set_uuid(NvmeNs *ns, const Nvme *n)
{
    g_autofree char *text = g_strdup_printf("nvme:%s:%u", n->serial, ns->id);
    g_autoptr(Sha256) sum = sha256_new();

    if (!nvme_ns_derives_uuid(ns)) {
        nvme_ns_read_uuid(ns, ns->uuid_text);
        return;
    }
    sha256_add(sum, text, strlen(text));
    nvme_ns_read_uuid(ns, sha256_text(sum));
    ns->uuid[6] = (ns->uuid[6] & 0x0f) | 0x40;
    ns->uuid[8] = (ns->uuid[8] & 0x3f) | 0x80;
}

bool nvme_ns_attach(NvmeNs *ns, Nvme *n, Device *dev, uint32_t id, GError **err)
{
    ns->dev = dev;
    if (!nvme_ns_check_props(ns, err)) {
        return false;
    }
    ns->node = block_find(dev->machine, ns->drive);
    if (!ns->node) {
        return error_set(err, ERROR_USER, "%s: there is no drive or block node named '%s'",
                         device_name(dev), ns->drive);
    }
    ns->read_only = block_read_only(ns->node);
    ns->user =
        (BlockUser){ .resized = nvme_ns_resized,
                     .path = nvme_ns_path,
                     .opaque = ns,
                     .perm = BLOCK_PERM_CONSISTENT_READ | (ns->read_only ? 0 : BLOCK_PERM_WRITE),
                     .shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED |
                               BLOCK_PERM_RESIZE | (ns->share_rw ? BLOCK_PERM_WRITE : 0) };
    if (!block_attach(ns->node, &ns->user, device_name(dev), err)) {
        ns->node = NULL;
        return false;
    }
    ns->n = n;
    ns->id = id;
    ns->shift = (unsigned)__builtin_ctz(ns->logical);
    nvme_ns_set_uuid(ns, n);
    n->namespaces[id] = ns;
    return true;
}

void nvme_ns_detach(NvmeNs *ns)
{
    block_detach(ns->node, &ns->user);
    ns->n->namespaces[ns->id] = NULL;
    ns->node = NULL;
}

void nvme_ns_drain(NvmeNs *ns)
{
    if (block_in_flight(ns->node)) {
        block_drain(ns->node);
    }
}

void nvme_ns_clear_counters(NvmeNs *ns)
{
    ns->read_bytes = ns->written_bytes = ns->reads = ns->writes = 0;
}

NvmeNs *nvme_ns_find(const Nvme *n, uint32_t id)
{
    return id > 0 && id <= NVME_NAMESPACES ? n->namespaces[id] : NULL;
}
