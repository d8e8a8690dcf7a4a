/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help texts of -drive and -blockdev.
 */
#include "internal.h"

typedef struct KeyHelp {
    const char *key, *values, *doc;
} KeyHelp;

static const KeyHelp drive_help[] = {
    { "file", "NAME",
      "image file, file:PATH, host_device:PATH, nbd://..., null-co:// or json:{...}" },
    { "file.KEY", "VALUE", "an option of the node of the file, as file.locking=off" },
    { "id", "ID", "name for -device TYPE,drive=ID (default: the interface and a number)" },
    { "if", "none|virtio|scsi|pflash",
      "none: only a back end (default); virtio, scsi: with a disk; pflash: a flash bank" },
    { "format, driver", "raw|...", "format of the image (default: probed)" },
    { "media", "disk|cdrom", "cdrom: read-only" },
    { "index, bus, unit", "NUMBER", "number of the drive on its interface" },
    { "read-only, readonly", "on|off", "reject writes by the guest" },
    { "auto-read-only", "on|off", "read-only if the image cannot be opened for writing" },
    { "snapshot", "on|off", "write to a temporary file and leave the image unchanged" },
    { "cache", "writeback|none|writethrough|directsync|unsafe", "use of the host's page cache" },
    { "cache.direct, cache.no-flush", "on|off", "the individual settings of cache=" },
    { "aio", "io_uring|native|threads",
      "interface of the host for I/O; native requires cache.direct=on" },
    { "discard", "ignore|unmap", "ignore discards by the guest, or deallocate space of the image" },
    { "detect-zeroes", "off|on|unmap", "store written zeroes efficiently" },
    { "copy-on-read", "off", "only off: copying is not available" },
    { "force-share", "on|off", "read an image that another process writes; requires read-only=on" },
    { "node-name", "NAME", "name of the top node (default: #block-ID)" },
    { "werror", "enospc|report|ignore|stop", "action on a write error (default: enospc)" },
    { "rerror", "report|ignore|stop", "action on a read error (default: report)" },
    { "offset, size", "BYTES", "raw: the part of the file that is the disk" },
    { "throttling.{bps,iops}-{total,read,write}", "NUMBER",
      "limit per second; bps, bps_rd, bps_wr, iops, iops_rd and iops_wr are older names" },
    { "throttling.LIMIT-max, -max-length", "NUMBER",
      "rate during a burst (also as bps_max, ...), and seconds that it may last" },
    { "throttling.iops-size", "BYTES", "bytes that count as one request (also iops_size)" },
    { "throttling.group", "NAME", "group of drives that share the limits (also group)" },
};

static const KeyHelp node_help[] = {
    { "node-name", "NAME", "name of the node" },
    { "read-only", "on|off", "reject writes" },
    { "auto-read-only", "on|off", "read-only if the image cannot be opened for writing" },
    { "force-share", "on|off", "share with writers; requires read-only=on" },
    { "cache.direct", "on|off", "bypass the host's page cache" },
    { "cache.no-flush", "on|off", "ignore flushes" },
    { "discard", "ignore|unmap", "ignore discards, or deallocate space" },
    { "detect-zeroes", "off|on|unmap", "store written zeroes efficiently" },
};

static const KeyHelp file_help[] = {
    { "filename", "PATH", "the file or device" },
    { "aio", "io_uring|native|threads",
      "interface of the host for I/O; native requires cache.direct=on" },
    { "locking", "auto|on|off", "lock the image against other processes" },
};

static const KeyHelp null_help[] = {
    { "size", "BYTES", "size of the disk (default: 1G)" },
    { "read-zeroes", "on|off", "reads return zeroes instead of leaving memory as it is" },
};

static const KeyHelp raw_help[] = {
    { "file", "NODE", "name of the child, or its options as file.KEY=VALUE" },
    { "offset", "BYTES", "start of the disk in the child" },
    { "size", "BYTES", "size of the disk (default: to the end of the child)" },
};

static const KeyHelp qcow2_help[] = {
    { "file", "NODE", "name of the child, or its options as file.KEY=VALUE" },
    { "backing", "NODE",
      "the backing file: a name, options as backing.KEY=VALUE, or empty (default: as in the "
      "image)" },
    { "lazy-refcounts", "on|off", "postpone reference counts (default: as in the image)" },
    { "cache-size", "BYTES", "limit of both metadata caches together" },
    { "l2-cache-size", "BYTES", "limit of the cache of L2 tables (default: 32M)" },
    { "refcount-cache-size", "BYTES", "limit of the cache of reference counts (default: 4M)" },
};

static const KeyHelp blkdebug_help[] = {
    { "image", "NODE", "name of the child, or its options as image.KEY=VALUE" },
    { "inject-error.N.event", "none|read_aio|write_aio|flush_to_disk",
      "requests that fail: all, reads, writes, flushes" },
    { "inject-error.N.iotype", "read|write|write-zeroes|discard|flush", "only these requests" },
    { "inject-error.N.errno", "NUMBER", "error of the request (default: 5, EIO)" },
    { "inject-error.N.sector", "SECTOR", "only requests that access this sector" },
    { "inject-error.N.once", "on|off", "only the first one" },
};

static const KeyHelp throttle_help[] = {
    { "file", "NODE", "name of the child, or its options as file.KEY=VALUE" },
    { "throttle-group", "ID", "the -object throttle-group with the limits" },
};

static const KeyHelp nbd_help[] = {
    { "server.type", "inet|unix", "class of the address of the server" },
    { "server.host, server.port", "TEXT", "inet: host name or address, and port (usual: 10809)" },
    { "server.ipv4, server.ipv6", "on|off", "inet: only addresses of this family" },
    { "server.path", "PATH", "unix: path of the socket" },
    { "server.abstract", "on|off", "unix: the path is a name in the abstract name space" },
    { "export", "NAME", "name of the disk on the server (default: empty)" },
    { "tls-creds", "ID", "-object tls-creds-x509 or tls-creds-psk (default: no TLS)" },
    { "tls-hostname", "NAME", "name in the certificate of the server (default: server.host)" },
    { "reconnect-delay", "SECONDS",
      "how long requests wait for a new connection (default: 0: they fail)" },
    { "open-timeout", "SECONDS", "how long the first connection is tried (default: 0: once)" },
};

static void help_add_keys(GString *out, const KeyHelp *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *left = g_strdup_printf("%s=<%s>", rows[i].key, rows[i].values);

        g_string_append_printf(out, "  %-30s - %s\n", left, rows[i].doc);
    }
}

char *block_drive_help(void)
{
    GString *out = g_string_new("-drive options:\n");

    help_add_keys(out, drive_help, G_N_ELEMENTS(drive_help));
    return g_string_free(out, FALSE);
}

static void help_add_driver_keys(GString *out, const BlockDriver *drv)
{
    if (drv == &block_raw) {
        help_add_keys(out, raw_help, G_N_ELEMENTS(raw_help));
    } else if (drv == &block_blkdebug) {
        help_add_keys(out, blkdebug_help, G_N_ELEMENTS(blkdebug_help));
    } else if (drv == &block_throttle) {
        help_add_keys(out, throttle_help, G_N_ELEMENTS(throttle_help));
    } else if (drv == &block_nbd) {
        help_add_keys(out, nbd_help, G_N_ELEMENTS(nbd_help));
    } else if (drv == &block_qcow2) {
        help_add_keys(out, qcow2_help, G_N_ELEMENTS(qcow2_help));
    } else if (drv == &block_null || drv == &block_null_aio) {
        help_add_keys(out, null_help, G_N_ELEMENTS(null_help));
    } else {
        help_add_keys(out, file_help, G_N_ELEMENTS(file_help));
    }
    help_add_keys(out, node_help, G_N_ELEMENTS(node_help));
}

char *block_driver_help(const char *driver, GError **err)
{
    const BlockDriver *drv = driver ? driver_find(driver) : NULL;
    g_autofree char *all = block_format_names();
    GString *out;

    if (driver && !drv) {
        error_set(err, ERROR_USER, "Unknown driver '%s'; use one of %s", driver, all);
        return NULL;
    }
    out = g_string_new(NULL);
    if (drv) {
        g_string_append_printf(out, "%s options:\n", driver);
        help_add_driver_keys(out, drv);
    } else {
        g_string_append_printf(out, "Supported formats: %s\n", all);
    }
    return g_string_free(out, FALSE);
}
