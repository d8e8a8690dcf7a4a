/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks on an image that several processes use: one byte for each permission in use, and one for
 * each permission that is not shared. They are open-file-description locks, which end with the open
 * file.
 *
 * Every lock is a read lock, so that all openers can hold their locks together. A conflict is found
 * by testing whether a write lock on the opposite byte is possible. Locks are acquired before the
 * test, so that of two processes that start at the same time at least one is rejected.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "internal.h"

enum { PERM_BASE = 100, UNSHARED_BASE = 200, PERMS = 4 };

const char *perm_name(unsigned perm)
{
    static const char *const names[PERMS] = { "consistent read", "write", "write unchanged",
                                              "resize" };

    for (unsigned i = 0; i < PERMS; i++) {
        if (perm & 1u << i) {
            return names[i];
        }
    }
    return "no permission";
}

static bool image_lock_set_byte(int fd, off_t at, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Return whether another open file holds a lock on this byte. An error counts as a lock. */
static bool image_lock_byte_held(int fd, off_t at)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool image_lock_possible(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0;
}

/* Lock or unlock the bytes base + n for the bits n of `mask`. */
static bool image_lock_set_bytes(int fd, off_t base, unsigned mask, short type,
                                 const char *filename, GError **err)
{
    for (unsigned i = 0; i < PERMS; i++) {
        if ((mask & 1u << i) && !image_lock_set_byte(fd, base + i, type)) {
            return error_set_errno(err, errno, "Failed to lock byte %u of '%s'", (unsigned)base + i,
                                   filename);
        }
    }
    return true;
}

static bool image_lock_check(int fd, unsigned perm, unsigned unshared, const char *filename,
                             GError **err)
{
    for (unsigned i = 0; i < PERMS; i++) {
        bool used = (perm & 1u << i) && image_lock_byte_held(fd, UNSHARED_BASE + i);

        if (used || ((unshared & 1u << i) && image_lock_byte_held(fd, PERM_BASE + i))) {
            return error_set(
                err, ERROR_USER,
                "Failed to get %s\"%s\" lock. Is another process using the image [%s]?",
                used ? "" : "shared ", perm_name(1u << i), filename);
        }
    }
    return true;
}

bool image_lock_set(ImageLock *l, unsigned perm, unsigned shared, const char *filename,
                    GError **err)
{
    unsigned unshared = BLOCK_PERM_ALL & ~shared;
    unsigned add_perm = perm & ~l->perm, add_unshared = unshared & ~l->unshared;
    bool ok = image_lock_set_bytes(l->fd, PERM_BASE, add_perm, F_RDLCK, filename, err) &&
              image_lock_set_bytes(l->fd, UNSHARED_BASE, add_unshared, F_RDLCK, filename, err) &&
              image_lock_check(l->fd, add_perm, add_unshared, filename, err);

    if (!ok) {
        image_lock_set_bytes(l->fd, PERM_BASE, add_perm, F_UNLCK, filename, NULL);
        image_lock_set_bytes(l->fd, UNSHARED_BASE, add_unshared, F_UNLCK, filename, NULL);
        return false;
    }
    image_lock_set_bytes(l->fd, PERM_BASE, l->perm & ~perm, F_UNLCK, filename, NULL);
    image_lock_set_bytes(l->fd, UNSHARED_BASE, l->unshared & ~unshared, F_UNLCK, filename, NULL);
    l->perm = perm;
    l->unshared = unshared;
    return true;
}

void image_lock_drop(ImageLock *l)
{
    image_lock_set(l, 0, BLOCK_PERM_ALL, "", NULL);
}
