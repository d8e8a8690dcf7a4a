/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images: the firmware, kernel, initrd and device tree that a machine starts from.
 *
 * An image is an open file, or memory that was filled from a migration stream. It is kept for the
 * life of the machine: a reset loads it again, and a migration sends it. Its SHA-256 is computed
 * when somebody needs it. No function here is thread-safe but boot_image_hash().
 */
#ifndef HW_CORE_BOOT_IMAGE_H
#define HW_CORE_BOOT_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum BootRole { BOOT_FIRMWARE, BOOT_KERNEL, BOOT_INITRD, BOOT_DTB, BOOT_ROLES } BootRole;

enum { BOOT_SHA256_TEXT = 65 }; /* hexadecimal digits and a NUL */

typedef struct BootImage {
    int fd;                        /* -1: the machine has no image of this role */
    uint64_t size;                 /* bytes */
    char *path;                    /* NULL: it arrived in a stream */
    char sha256[BOOT_SHA256_TEXT]; /* empty: not computed yet */
    bool given; /* the user named it; false for the machine's default and for a stream's */
} BootImage;

typedef struct BootImages {
    BootImage image[BOOT_ROLES];
} BootImages;

/* "firmware", "kernel", "initrd", "dtb": as in a description. */
const char *boot_role_name(BootRole role);
/* The same as a sentence calls it: "device tree" for the last. */
const char *boot_role_text(BootRole role);
/* How a sentence names the image: "kernel '/boot/Image'", "kernel of the stream". g_free. */
char *boot_image_label(BootRole role, const BootImage *image);

BootImages *boot_images_new(void);    /* none of any role */
void boot_images_free(BootImages *b); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootImages, boot_images_free)

/* Open a file as the image of a role that has none. False and a sentence naming role and path if
 * it is not a regular file, cannot be read or is empty. */
bool boot_images_open(BootImages *b, BootRole role, const char *path, GError **err);
/* Anonymous memory as the image of a role that has none; it is filled through fd. False: the host
 * has none. */
bool boot_images_make(BootImages *b, BootRole role, uint64_t size, GError **err);
/* The image of another set, shared: its descriptor is duplicated. */
bool boot_images_share(BootImages *to, BootRole role, const BootImage *from, GError **err);

/* Read [at, at + len) of the image; false with errno, or 0 if the file has become shorter. */
bool boot_image_read(const BootImage *image, void *buf, uint64_t len, uint64_t at);
/* SHA-256 of `size` bytes of fd as text. False if they cannot be read (errno as above). Any
 * thread; takes about a second for 300 MB. */
bool boot_image_hash(int fd, uint64_t size, char text[BOOT_SHA256_TEXT]);
/* Fill in sha256 of an image that has none yet. */
bool boot_images_hash(BootImages *b, BootRole role, GError **err);

#endif
