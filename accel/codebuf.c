/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers of translated code (contract in codebuf.h).
 */
#include "accel/codebuf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/error.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* The flag concerns the execution of files and is refused by kernels before 6.3. */
static int codebuf_memfd(void)
{
    int fd = memfd_create("translated-code", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    return fd < 0 && errno == EINVAL ? memfd_create("translated-code", MFD_CLOEXEC) : fd;
}

static bool codebuf_map(CodeBuf *c, int fd, void *exec)
{
    if (ftruncate(fd, (off_t)c->size) < 0) {
        return false;
    }
    c->write = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (c->write == MAP_FAILED) {
        c->write = NULL;
        return false;
    }
    c->exec = mmap(exec, c->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
    return c->exec != MAP_FAILED;
}

bool codebuf_init(CodeBuf *c, void *exec, size_t size, GError **err)
{
    int fd = codebuf_memfd();

    *c = (CodeBuf){ .size = size };
    bool ok = fd >= 0 && codebuf_map(c, fd, exec);
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        codebuf_fini(c);
        return error_set_errno(err, error, "%zu MiB of executable memory for translated code",
                               size >> 20);
    }
    return true;
}

void codebuf_fini(CodeBuf *c)
{
    if (c->write) {
        munmap(c->write, c->size);
    }
    *c = (CodeBuf){ 0 };
}
