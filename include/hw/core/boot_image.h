/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images: the firmware, kernel, initrd and device tree that a machine starts from, and the
 * files of its loader devices.
 *
 * An image is an open file, or memory that was filled from a migration stream. It exists as long as
 * the machine: a reset loads it again, and a migration sends it. Its SHA-256 is computed when it is
 * first required. The functions require the machine lock, except boot_image_hash().
 */
#ifndef HW_CORE_BOOT_IMAGE_H
#define HW_CORE_BOOT_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { BOOT_LOADERS = 4 }; /* loader devices with a file: streams have 8 bits for roles */
typedef enum BootRole {
    BOOT_FIRMWARE,
    BOOT_KERNEL,
    BOOT_INITRD,
    BOOT_DTB,
    BOOT_LOADER, /* the first of them */
    BOOT_ROLES = BOOT_LOADER + BOOT_LOADERS
} BootRole;

enum { BOOT_SHA256_TEXT = 65 }; /* hexadecimal digits and a NUL */

typedef struct BootImage {
    int fd;                        /* -1: the machine has no image of this role */
    uint64_t size;                 /* bytes */
    char *path;                    /* NULL: received in a stream */
    char sha256[BOOT_SHA256_TEXT]; /* empty: not computed yet */
    bool given; /* named by the user; false for the default of the machine and of a stream */
} BootImage;

typedef struct BootImages {
    BootImage image[BOOT_ROLES];
} BootImages;

/* Name in descriptions: "firmware", "kernel", "initrd", "dtb", "loader0". Static text. */
const char *boot_role_name(BootRole role);
/* Name in messages: as above, but "device tree". Static text. */
const char *boot_role_text(BootRole role);
/* Label of an image for messages: "kernel '/boot/Image'", "kernel of the stream". Free with
 * g_free(). */
char *boot_image_label(BootRole role, const BootImage *image);

/* Create a set without images. boot_images_free() frees it and closes its descriptors. */
BootImages *boot_images_new(void);
void boot_images_free(BootImages *b); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootImages, boot_images_free)

/**
 * boot_images_open() - Open a file as the image of a role that has none yet.
 *
 * Return: false with an error that names role and path if the file is not a regular file, cannot be
 * read or is empty.
 */
bool boot_images_open(BootImages *b, BootRole role, const char *path, GError **err);
/**
 * boot_images_make() - Allocate anonymous memory as the image of a role that has none yet.
 * @size: bytes
 *
 * The caller fills the memory through the descriptor of the image.
 *
 * Return: false with an ERROR_HOST if the host has no memory.
 */
bool boot_images_make(BootImages *b, BootRole role, uint64_t size, GError **err);
/* Share the image of another set: duplicate its descriptor. False with an ERROR_HOST. */
bool boot_images_share(BootImages *to, BootRole role, const BootImage *from, GError **err);

/* Read the bytes [at, at + len) of an image. False with errno set; errno 0: the file became
 * shorter. */
bool boot_image_read(const BootImage *image, void *buf, uint64_t len, uint64_t at);
/* Compute the SHA-256 of the first `size` bytes of fd as text. False if they cannot be read, errno
 * as above. Any thread. The computation takes about a second for 300 MB. */
bool boot_image_hash(int fd, uint64_t size, char text[BOOT_SHA256_TEXT]);
/* Compute sha256 of an image unless it is known. False with an ERROR_HOST if it cannot be read. */
bool boot_images_hash(BootImages *b, BootRole role, GError **err);

#endif
