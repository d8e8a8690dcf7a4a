/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver of boot images (interface: boot_internal.h).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "migration/boot_internal.h"
#include "util/error.h"
#include "util/sha256.h"

struct BootReceive {
    const PlanMachine *wanted;
    BootImages *images, *own;
    unsigned needed;
    uint64_t came[BOOT_ROLES]; /* bytes received */
    Sha256 *sum[BOOT_ROLES];
};

bool boot_image_matches(BootImages *own, BootRole role, const PlanBootImage *wanted)
{
    BootImage *image = own ? &own->image[role] : NULL;

    return image && image->fd >= 0 && image->size == wanted->size &&
           boot_images_hash(own, role, NULL) && strcmp(image->sha256, wanted->sha256) == 0;
}

static bool boot_receive_prepare(BootReceive *r, BootRole role, bool two_way, GError **err)
{
    const PlanBootImage *wanted = plan_find_boot(r->wanted, boot_role_name(role));

    if (!wanted) {
        return true;
    }
    if (two_way && boot_image_matches(r->own, role, wanted)) {
        return boot_images_share(r->images, role, &r->own->image[role], err);
    }
    r->needed |= 1u << role;
    r->sum[role] = sha256_new();
    return boot_images_make(r->images, role, wanted->size, err);
}

BootReceive *boot_receive_new(const PlanMachine *wanted, BootImages *own, bool two_way,
                              GError **err)
{
    BootReceive *r = g_new0(BootReceive, 1);

    r->wanted = wanted;
    r->own = own;
    r->images = boot_images_new();
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (!boot_receive_prepare(r, role, two_way, err)) {
            boot_receive_free(r);
            return NULL;
        }
    }
    return r;
}

void boot_receive_free(BootReceive *r)
{
    for (BootRole role = 0; r && role < BOOT_ROLES; role++) {
        g_clear_pointer(&r->sum[role], sha256_free);
    }
    if (r) {
        boot_images_free(r->images);
    }
    g_free(r);
}

unsigned boot_receive_needed(const BootReceive *r)
{
    return r->needed;
}

static bool boot_receive_write(const BootImage *image, const uint8_t *data, size_t len, uint64_t at)
{
    while (len) {
        ssize_t n = pwrite(image->fd, data, len, (off_t)at);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += MAX(n, 0);
        at += (uint64_t)MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    return true;
}

static bool boot_receive_check_digest(BootReceive *r, BootRole role, GError **err)
{
    BootImage *image = &r->images->image[role];
    const PlanBootImage *wanted = plan_find_boot(r->wanted, boot_role_name(role));
    const char *sum = sha256_text(r->sum[role]);

    if (strcmp(sum, wanted->sha256) != 0) {
        return error_set(err, ERROR_GUEST,
                         "section " BOOT_SECTION
                         ": the %s has the SHA-256 %s, and the description states %s: its file was "
                         "changed while the guest ran, or the stream is damaged",
                         boot_role_text(role), sum, wanted->sha256);
    }
    g_strlcpy(image->sha256, sum, sizeof(image->sha256));
    return true;
}

bool boot_receive_piece(BootReceive *r, const StreamSection *s, const uint8_t *data, size_t len,
                        GError **err)
{
    ByteReader b;
    uint8_t role;
    uint64_t at, left;

    reader_init(&b, data, len);
    role = get_u8(&b);
    at = get_be64(&b);
    left = reader_left(&b);
    if (s->version != BOOT_SECTION_VERSION || !reader_ok(&b) || left == 0) {
        return error_set(err, ERROR_GUEST,
                         "section " BOOT_SECTION
                         ": version %u with a record of %zu bytes is not supported",
                         s->version, len);
    }
    if (role >= BOOT_ROLES || !(r->needed >> role & 1)) {
        return error_set(err, ERROR_GUEST,
                         "section " BOOT_SECTION ": an image of role %u was not requested", role);
    }
    if (at != r->came[role] || left > r->images->image[role].size - at) {
        return error_set(err, ERROR_GUEST,
                         "section " BOOT_SECTION ": a piece of %" G_GUINT64_FORMAT
                         " bytes at %" G_GUINT64_FORMAT " of the %s is not the next one",
                         left, at, boot_role_text(role));
    }
    if (!boot_receive_write(&r->images->image[role], data + 9, left, at)) {
        return error_set(err, ERROR_HOST,
                         "section " BOOT_SECTION ": the host has no memory for the %s: %s",
                         boot_role_text(role), g_strerror(errno));
    }
    sha256_add(r->sum[role], data + 9, left);
    r->came[role] += left;
    return r->came[role] < r->images->image[role].size || boot_receive_check_digest(r, role, err);
}

/* If a file of this host is identical to the image received, use the file and free the copy. */
static bool boot_receive_prefer_own(BootReceive *r, BootRole role, GError **err)
{
    const PlanBootImage *wanted = plan_find_boot(r->wanted, boot_role_name(role));

    if (!boot_image_matches(r->own, role, wanted)) {
        return true;
    }
    close(r->images->image[role].fd);
    return boot_images_share(r->images, role, &r->own->image[role], err);
}

BootImages *boot_receive_finish(BootReceive *r, GError **err)
{
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (!(r->needed >> role & 1)) {
            continue;
        }
        if (r->came[role] < r->images->image[role].size) {
            error_set(err, ERROR_GUEST,
                      "section " BOOT_SECTION ": the stream has %" G_GUINT64_FORMAT
                      " of %" G_GUINT64_FORMAT " bytes of the %s",
                      r->came[role], r->images->image[role].size, boot_role_text(role));
            return NULL;
        }
        if (!boot_receive_prefer_own(r, role, err)) {
            return NULL;
        }
    }
    return g_steal_pointer(&r->images);
}
