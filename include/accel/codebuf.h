/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded buffer of translated code: one memfd with two mappings, one that is written and one
 * that is executed. No mapping is writable and executable. The descriptor is closed after both
 * mappings were made, so that no other mapping can be made later.
 */
#ifndef ACCEL_CODEBUF_H
#define ACCEL_CODEBUF_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CodeBuf {
    uint8_t *write, *exec; /* two addresses of one memory */
    size_t size, used;
} CodeBuf;

/**
 * codebuf_init() - Map a buffer.
 * @c:    filled in
 * @exec: address of the executable mapping: reserved address space of @size bytes that the caller
 *        owns, which is replaced
 * @size: bytes, a multiple of the page size; memory is allocated as the buffer is written
 * @err:  set on failure
 *
 * Called before the system-call filter of CPU threads is installed, which denies executable
 * mappings. Undone by codebuf_fini(); the caller unmaps the executable mapping with its
 * reservation.
 *
 * Return: false if the host denies the memory or its execution.
 */
bool codebuf_init(CodeBuf *c, void *exec, size_t size, GError **err);
/* Unmap the writable mapping. No effect on a buffer of zeros. */
void codebuf_fini(CodeBuf *c);

#endif
