/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images (contract in boot_image.h).
 */
#include "hw/core/boot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/sha256.h"

#define HASH_PIECE (256u << 10)

static const struct {
    const char *name, *text;
} roles[BOOT_ROLES] = {
    [BOOT_FIRMWARE] = { "firmware", "firmware" },
    [BOOT_KERNEL] = { "kernel", "kernel" },
    [BOOT_INITRD] = { "initrd", "initrd" },
    [BOOT_DTB] = { "dtb", "device tree" },
    [BOOT_LOADER] = { "loader0", "loader image 0" },
    [BOOT_LOADER + 1] = { "loader1", "loader image 1" },
    [BOOT_LOADER + 2] = { "loader2", "loader image 2" },
    [BOOT_LOADER + 3] = { "loader3", "loader image 3" },
};
G_STATIC_ASSERT(BOOT_LOADERS == 4);

const char *boot_role_name(BootRole role)
{
    return roles[role].name;
}

const char *boot_role_text(BootRole role)
{
    return roles[role].text;
}

char *boot_image_label(BootRole role, const BootImage *image)
{
    return image->path ? g_strdup_printf("%s '%s'", roles[role].text, image->path)
                       : g_strdup_printf("%s of the stream", roles[role].text);
}

BootImages *boot_images_new(void)
{
    BootImages *b = g_new0(BootImages, 1);

    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        b->image[role].fd = -1;
    }
    return b;
}

void boot_images_free(BootImages *b)
{
    for (BootRole role = 0; b && role < BOOT_ROLES; role++) {
        if (b->image[role].fd >= 0) {
            close(b->image[role].fd);
        }
        g_free(b->image[role].path);
    }
    g_free(b);
}

bool boot_images_open(BootImages *b, BootRole role, const char *path, GError **err)
{
    BootImage *image = &b->image[role];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "%s '%s'", roles[role].text, path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return error_set(err, ERROR_USER, "%s '%s' is %s", roles[role].text, path,
                         S_ISREG(st.st_mode) ? "empty" : "not a regular file");
    }
    *image = (BootImage){ .fd = fd, .size = (uint64_t)st.st_size, .path = g_strdup(path) };
    return true;
}

bool boot_images_make(BootImages *b, BootRole role, uint64_t size, GError **err)
{
    BootImage *image = &b->image[role];

    *image = (BootImage){ .fd = memfd_create("backplane-boot-image", MFD_CLOEXEC), .size = size };
    if (image->fd >= 0 && ftruncate(image->fd, (off_t)size) == 0) {
        return true;
    }
    return error_set_errno(err, errno, "the host has no memory for the %s of %" PRIu64 " bytes",
                           roles[role].text, size);
}

bool boot_images_share(BootImages *to, BootRole role, const BootImage *from, GError **err)
{
    BootImage *image = &to->image[role];

    *image = *from;
    image->path = g_strdup(from->path);
    image->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
    if (image->fd >= 0) {
        return true;
    }
    return error_set_errno(err, errno, "the %s", roles[role].text);
}

static bool boot_image_read_exact(int fd, uint8_t *buf, uint64_t len, uint64_t at)
{
    errno = 0;
    while (len) {
        ssize_t n = pread(fd, buf, MIN(len, 1u << 30), (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        buf += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return true;
}

bool boot_image_read(const BootImage *image, void *buf, uint64_t len, uint64_t at)
{
    return boot_image_read_exact(image->fd, buf, len, at);
}

bool boot_image_hash(int fd, uint64_t size, char text[BOOT_SHA256_TEXT])
{
    g_autofree uint8_t *piece = g_malloc(HASH_PIECE);
    g_autoptr(Sha256) sum = sha256_new();
    bool ok = true;

    for (uint64_t at = 0; ok && at < size; at += HASH_PIECE) {
        uint64_t n = MIN(HASH_PIECE, size - at);

        ok = boot_image_read_exact(fd, piece, n, at);
        sha256_add(sum, piece, ok ? n : 0);
    }
    if (ok) {
        g_strlcpy(text, sha256_text(sum), BOOT_SHA256_TEXT);
    }
    return ok;
}

bool boot_images_hash(BootImages *b, BootRole role, GError **err)
{
    BootImage *image = &b->image[role];
    g_autofree char *label = NULL;

    if (image->fd < 0 || image->sha256[0] ||
        boot_image_hash(image->fd, image->size, image->sha256)) {
        return true;
    }
    label = boot_image_label(role, image);
    return error_set(err, ERROR_HOST, "%s cannot be read again: %s", label,
                     errno ? g_strerror(errno) : "the file became shorter");
}
